"""The example rituals, against real files, programs and a service on loopback."""

import json
import os
import stat
import unittest

from service_stub import Stub
from support import SOURCE, Case

RITUALS = os.path.join(SOURCE, "examples/rituals")


class Examples(Case):
    def example(self, name, values, status=0):
        return self.ctl("--json", "run", os.path.join(RITUALS, name), "--run-id", "r",
                        "--input", json.dumps(values), status=status)

    def script(self, name, text):
        path = self.write(name, "#!/bin/sh\nset -eu\n" + text)
        os.chmod(path, 0o755)
        return path

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def statuses(self):
        return {s["name"]: s["status"] for s in self.ctl("--json", "runs", "show", "r").json["steps"]}

    def assert_not_in_the_log(self, text):
        self.ctl("export", "--to", self.path("log"))
        self.assertNotIn(text, self.read("log"))

    def test_all_are_valid(self):
        names = [os.path.join(RITUALS, n) for n in sorted(os.listdir(RITUALS)) if n.endswith(".yaml")]
        self.assertGreater(len(names), 4)
        self.ctl("validate", *names)

    def credential(self, accepts):
        os.mkdir(self.path("app"))
        self.write("app/credential", "old-credential")
        return {
            "file": self.path("app/credential"),
            "reload": [self.script("reload", f"echo reload >> {self.path('trace')}")],
            "check": [self.script("check", f'[ -s "$1" ] && {accepts}')],
        }

    def test_a_credential_is_rotated(self):
        values = self.credential("true")
        done = self.example("rotate-credential.yaml", values).lines[-1]
        self.assertEqual(done["outputs"]["result"]["data"], {"rotated": values["file"]})
        new = self.read("app/credential")
        self.assertEqual(len(new), 44)
        self.assertEqual(os.listdir(self.path("app")), ["credential"])
        self.assertEqual(stat.S_IMODE(os.stat(values["file"]).st_mode), 0o600)
        self.assertEqual(self.read("trace"), "reload\n")
        self.assert_not_in_the_log(new)

    def test_a_credential_that_is_not_taken_is_taken_back(self):
        # only the old one is taken
        values = self.credential('grep -q old-credential "$1"')
        failed = self.example("rotate-credential.yaml", values, status=1).lines[-1]
        self.assertEqual(failed["error"]["type"], "https://demon.example/errors/not-rotated")
        self.assertEqual(self.read("app/credential"), "old-credential")
        self.assertEqual(os.listdir(self.path("app")), ["credential"])
        self.assertEqual(self.read("trace"), "reload\nreload\n")
        self.assertEqual(self.statuses()["reloadOld"], "Completed")

    def test_input_that_is_not_whole_is_refused(self):
        failed = self.example("rotate-credential.yaml", {"file": "x"}, status=1).lines[-1]
        self.assertEqual(failed["error"]["status"], 400)
        self.assertIn("reload", failed["error"]["detail"])

    def hosts(self, url):
        trace = self.path("trace")
        return {
            "hosts": ["a", "b", "c"],
            "drain": [self.script("drain", f"echo drain $1 >> {trace}")],
            "undrain": [self.script("undrain", f"echo undrain $1 >> {trace}")],
            "restart": [self.script("restart", f"echo restart $1 >> {trace}")],
            "health": url,
        }

    def test_hosts_are_restarted_one_after_another(self):
        with Stub() as stub:
            # each of them is well at the second time of asking
            done = self.example("rolling-restart.yaml", self.hosts(stub.url + "/flaky/{host}/1"))
        self.assertEqual(done.lines[-1]["outputs"]["result"]["data"], {"restarted": ["a", "b", "c"]})
        want = "".join(f"drain {h}\nrestart {h}\nundrain {h}\n" for h in "abc")
        self.assertEqual(self.read("trace"), want)
        self.assertEqual(stub.server.asked, {"a": 2, "b": 2, "c": 2})

    def test_a_host_that_does_not_come_back_stops_the_rest(self):
        values = self.hosts(None)
        values["restart"] = [self.script("restart", f"echo restart $1 >> {self.path('trace')}; [ $1 != b ]")]
        with Stub() as stub:
            values["health"] = stub.url + "/flaky/{host}/0"
            failed = self.example("rolling-restart.yaml", values, status=1).lines[-1]
            self.assertEqual(failed["error"]["title"], "host b did not come back")
            self.assertEqual(self.read("trace"),
                             "drain a\nrestart a\nundrain a\ndrain b\nrestart b\nundrain b\n")
            # mended, the run goes on with that host
            self.script("restart", f"echo restart $1 >> {self.path('trace')}")
            steps = self.ctl("--json", "runs", "show", "r").json["steps"]
            drain = [s["stepId"] for s in steps if s["name"] == "drain"][-1]
            self.ctl("runs", "retry", "r", "--from", str(drain))
        self.assertTrue(self.read("trace").endswith(
            "drain b\nrestart b\nundrain b\ndrain c\nrestart c\nundrain c\n"))

    def test_a_window_closes_by_itself_or_is_taken_back(self):
        path = os.path.join(RITUALS, "timer.yaml")
        for load, said in (("3", "the window was closed in time"), ("9", "the window is shut at once")):
            done = self.ctl("--json", "run", path, "--param", "load=" + load)
            self.assertEqual(done.lines[-1]["outputs"]["result"]["data"]["echoed_message"], said)


if __name__ == "__main__":
    unittest.main()
