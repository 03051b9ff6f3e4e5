"""The README's tour, as a reader would type it."""

import os
import re
import subprocess
import unittest

from support import BUILD, DEMOND, SOURCE, Case, wait_until


class Tour(Case):
    def test_the_tour_runs_as_it_is_printed(self):
        with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as f:
            tour = re.search(r"<!-- tour -->\n```sh\n(.*?)```", f.read(), re.S).group(1)
        os.symlink(os.path.join(SOURCE, "examples"), os.path.join(self.dir, "examples"))
        os.makedirs(os.path.join(self.dir, "build"))
        os.symlink(BUILD, os.path.join(self.dir, "build/release"))
        os.mkdir(os.path.join(self.dir, ".demon"))
        # what make dev leaves running
        self.start(DEMOND, "--db", self.path(".demon/demon.db"), "--listen", "127.0.0.1:0")
        wait_until(lambda: os.path.exists(self.path(".demon/demon.db")), "the daemon to start")
        done = subprocess.run(["sh", "-eu", "-c", tour], cwd=self.dir, capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Hello from Demon!", done.stdout)
        self.assertIn("ritual.completed:v1", done.stdout)
        self.assertRegex(done.stdout, r"\|Completed\|\d+")
        digests = re.findall(r"^digest\s+([0-9a-f]{64})", done.stdout, re.M)
        self.assertEqual(len(digests), 2, done.stdout)
        self.assertEqual(digests[0], digests[1])

    def test_what_the_readme_links_to_is_there(self):
        with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as f:
            text = f.read()
        links = re.findall(r"\]\(([^)#]+)", text)
        self.assertGreater(len(links), 5)
        paths = links + [p for p in re.findall(r"`((?:src|tests|schema|docs|include|migrations)/[^`*]+)`", text)]
        missing = [p for p in paths if not os.path.exists(os.path.join(SOURCE, p))]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
