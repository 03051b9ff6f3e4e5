"""The worker of expressions as it is built and installed, and that nothing else meets libjq."""

import os
import socket
import stat
import struct
import subprocess
import unittest

from support import BUILD, DEMONCTL, DEMOND, Case

WORKER = os.path.join(BUILD, "demon-expr")


class Expr(Case):
    def libraries(self, program):
        return self.run_program("ldd", program).out

    def test_only_the_worker_is_linked_to_libjq(self):
        self.assertIn("libjq", self.libraries(WORKER))
        for program in (DEMONCTL, DEMOND, os.path.join(BUILD, "libdemon.so")):
            self.assertNotIn("libjq", self.libraries(program))
            self.assertNotIn("libonig", self.libraries(program))

    def test_a_ritual_without_expressions_starts_no_worker(self):
        look = "! grep jq /proc/$PPID/maps && ! cat /proc/$PPID/task/*/children | " \
               "xargs -n1 -I{} cat /proc/{}/comm | grep demon-expr"
        path = self.ritual("look", ("Look", ["sh", "-c", look], {}))
        self.assertEqual(self.ctl("run", path, "--json").lines[-1]["event"], "ritual.completed:v1")

    def test_by_hand_it_says_what_it_is_for(self):
        for args in ((), ("--help",), ("1", "2"), ("-1x",)):
            result = self.run_program(WORKER, *args, status=2)
            self.assertEqual(result.out, "")
            self.assertEqual(
                result.err,
                "demon-expr is started by demonctl and demond, to evaluate expressions\n",
            )

    def test_it_ends_when_nobody_is_at_the_other_end(self):
        ours, its = socket.socketpair()
        with ours, its:
            process = self.start(WORKER, str(256 << 20), stdin=its, env={"TZ": "UTC0"})
            its.close()
            self.assertEqual(struct.unpack("=IIiII", ours.recv(20))[1:], (0, 0, 0, 0))
            ours.close()
            self.assertEqual(process.wait(timeout=20), 0)

    def test_it_is_installed_where_programs_are_that_nobody_calls(self):
        prefix = self.path("prefix")
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        path = os.path.join(prefix, "libexec/demon/demon-expr")
        self.assertTrue(os.stat(path).st_mode & stat.S_IXUSR)
        self.assertNotIn("demon-expr", os.listdir(os.path.join(prefix, "bin")))


if __name__ == "__main__":
    unittest.main()
