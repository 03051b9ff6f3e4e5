"""The example of embedding, built by a stranger: against the installed package and nothing else."""

import os
import shutil
import subprocess
import unittest

from support import BUILD, SOURCE, Case

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def sanitized():
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as f:
        return any(line.startswith("DEMON_SANITIZE:") and line.rstrip().split("=")[1] for line in f)


@unittest.skipIf(sanitized(), "a stranger has no sanitizer: this runs with what ships")
class Embed(Case):
    def setUp(self):
        super().setUp()
        self.prefix = os.path.join(self.dir, "prefix")
        self.run_tool("cmake", "--install", BUILD, "--prefix", self.prefix)
        shutil.copytree(os.path.join(SOURCE, "examples/embed"), os.path.join(self.dir, "embed"))
        self.lib = subprocess.run(["sh", "-c", "dirname $(find . -name demon.pc)"], cwd=self.prefix, check=True,
                                  capture_output=True, text=True).stdout.strip()

    def run_tool(self, *argv, **env):
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"], "HOME": self.dir, **env})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def check(self, program, **env):
        out = self.run_tool(program, os.path.join(self.dir, os.path.basename(program) + ".db"), **env)
        self.assertIn("durable as event 1\n", out)
        self.assertIn('app.invoice.paid:v1 {"amount":120.5,"currency":"EUR"', out)

    def libraries(self):
        return os.path.normpath(os.path.join(self.prefix, self.lib, ".."))

    def test_with_cmake(self):
        self.run_tool("cmake", "-S", "embed", "-B", "out", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.run_tool("cmake", "--build", "out")
        self.check(os.path.join(self.dir, "out/embed"), LD_LIBRARY_PATH=self.libraries())

    def test_with_pkg_config(self):
        path = {"PKG_CONFIG_PATH": os.path.join(self.prefix, self.lib)}
        self.run_tool("make", "-C", "embed", **path)
        self.check(os.path.join(self.dir, "embed/embed"), LD_LIBRARY_PATH=self.libraries())

    def test_statically(self):
        path = {"PKG_CONFIG_PATH": os.path.join(self.prefix, self.lib)}
        self.run_tool("make", "-C", "embed", "STATIC=1", **path)
        self.check(os.path.join(self.dir, "embed/embed"))
        self.assertNotIn("libdemon", self.run_tool("ldd", "embed/embed"))

    def test_each_header_stands_alone(self):
        headers = os.listdir(os.path.join(self.prefix, "include/demon"))
        self.assertGreater(len(headers), 3)
        for header in headers:
            source = os.path.join(self.dir, "alone.c")
            with open(source, "w", encoding="utf-8") as f:
                f.write(f"#include <demon/{header}>\n#include <demon/{header}>\nint main(void) {{ return 0; }}\n")
            self.run_tool("cc", *STRICT, "-I", os.path.join(self.prefix, "include"), source)


if __name__ == "__main__":
    unittest.main()
