"""The worker of expressions as it is built and installed, and that nothing else meets libjq."""

import json
import os
import re
import socket
import stat
import struct
import subprocess
import unittest

from support import BUILD, DEMONCTL, DEMOND, SOURCE, Case

WORKER = os.path.join(BUILD, "demon-expr")
MAGIC = 0x64656A01
COMPILE, EVAL = 1, 2
DONE = 2


def frame(ask, body):
    """A request (src/domain/expr/frame.h) about the one program of this test."""
    return struct.pack("=II32sIIIII", MAGIC, ask, bytes(32), 0, 1, 5000, 65536, len(body)) + body


def answer(sock):
    _, say, _, _, length = struct.unpack("=IIiII", sock.recv(20, socket.MSG_WAITALL))
    return say, sock.recv(length, socket.MSG_WAITALL).decode() if length else ""


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

    def test_the_examples_of_the_manual_have_their_values(self):
        with open(os.path.join(SOURCE, "docs/expressions.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", file.read(), re.M)
        self.assertGreater(len(rows), 8)
        ours, its = socket.socketpair()
        with ours, its:
            self.start(WORKER, str(256 << 20), stdin=its, env={"TZ": "UTC0"})
            self.assertEqual(answer(ours), (0, ""))
            for program, given, value in rows:
                ours.sendall(frame(COMPILE, program.replace("\\|", "|").encode()))
                self.assertEqual(answer(ours), (DONE, ""), program)
                ours.sendall(frame(EVAL, given.encode()))
                say, got = answer(ours)
                self.assertEqual((say, json.loads(got)), (DONE, json.loads(value)), program)

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
