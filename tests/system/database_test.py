"""Databases that cannot be used: a clear error, its exit status, and never a write."""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import unittest

from support import DEMONCTL, DEMOND, ECHO, Case

READERS = [
    ["runs", "list"],
    ["runs", "show", "r1"],
    ["runs", "events", "r1"],
    ["events", "tail"],
    ["export"],
    ["heads"],
    ["rebuild"],
    ["digest"],
    ["verify"],
    ["status"],
]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Unusable(Case):
    def refused(self, status, words, commands=None, path=None):
        """Every command says so with this status, in one line, and leaves the file alone."""
        path = path or self.db
        before = digest(path) if os.path.isfile(path) else None
        for args in commands or READERS + [["run", ECHO, "-q"]]:
            with self.subTest(args=args):
                result = self.ctl(*args, "--db", path, status=status, timeout=60)
                self.assertEqual(result.out.replace("\n", "")[:1], "")
                self.assertTrue(result.err.startswith("demonctl: "), result.err)
                self.assertIn(words, result.err)
                self.assertLessEqual(len(result.err.splitlines()), 2)
        if before:
            self.assertEqual(digest(path), before)

    def test_a_missing_one_is_not_made_by_reading(self):
        self.refused(3, "node.db", READERS)
        self.assertEqual(os.listdir(self.dir), ["home"])
        self.assertIn("hint: ", self.ctl("runs", "list", status=3).err)

    def test_a_missing_folder(self):
        self.refused(3, "none", path=self.path("none", "x.db"))

    def test_a_folder(self):
        for args in (["runs", "list"], ["run", ECHO, "-q"]):
            err = self.ctl(*args, "--db", self.dir, status=None)
            self.assertIn(err.status, (1, 7))
            self.assertTrue(err.err.startswith("demonctl: "))

    def test_a_fifo_does_not_hang(self):
        os.mkfifo(self.path("fifo"))
        for args in (["runs", "list"], ["run", ECHO, "-q"]):
            result = self.ctl(*args, "--db", self.path("fifo"), status=None, timeout=20)
            self.assertIn(result.status, (1, 7))

    def test_a_text_file(self):
        self.write("node.db", "hello\n" * 1000)
        self.refused(7, "node.db")

    def test_a_hundred_megabytes_of_zeros(self):
        with open(self.db, "wb") as file:
            file.truncate(100 << 20)
        self.refused(7, "node.db", [["runs", "list"], ["run", ECHO, "-q"]])

    def test_a_database_of_another_program(self):
        other = sqlite3.connect(self.db)
        other.execute("CREATE TABLE t (x)")
        other.execute("PRAGMA application_id = 1234")
        other.commit()
        other.close()
        self.refused(7, "node.db")

    def test_a_truncated_one(self):
        self.ctl("run", ECHO)
        os.truncate(self.db, 5000)
        for suffix in ("-wal", "-shm"):
            if os.path.exists(self.db + suffix):
                os.remove(self.db + suffix)
        self.refused(7, "", [["runs", "list"], ["verify"], ["run", ECHO, "-q"]])

    def test_a_newer_schema(self):
        self.ctl("run", ECHO)
        db = sqlite3.connect(self.db)
        db.execute("PRAGMA user_version = 9999")
        db.commit()
        db.close()
        self.refused(6, "newer")
        self.assertEqual(self.run_program(DEMOND, "--listen", "127.0.0.1:0", status=6).out, "")

    def test_a_read_only_one(self):
        self.ctl("run", ECHO)
        # copies, for a user who may not see the checkout
        demonctl = shutil.copy(DEMONCTL, self.dir)
        echo = shutil.copy(ECHO, self.dir)
        os.chmod(self.db, 0o444)
        os.chmod(self.dir, 0o555)
        self.addCleanup(os.chmod, self.dir, 0o755)
        options = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
        result = self.run_program(demonctl, "run", echo, "-q", status=None, **options)
        self.assertEqual(result.status, 1, result.err)
        self.assertTrue(result.err.startswith("demonctl: "))
        result = self.run_program(demonctl, "runs", "list", status=None, **options)
        self.assertIn(result.status, (0, 1))

    def test_one_that_another_process_locks(self):
        self.ctl("run", ECHO)
        descriptor = os.open(self.db + ".lock", os.O_RDWR)
        self.addCleanup(os.close, descriptor)
        # struct flock: type, whence, start, length, pid; an OFD lock on byte 0
        import struct

        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        fcntl.fcntl(descriptor, 37, lock)  # F_OFD_SETLK
        self.ctl("runs", "list")
        result = self.ctl("run", ECHO, "-q", status=6, timeout=60)
        self.assertTrue(result.err.startswith("demonctl: "))


if __name__ == "__main__":
    unittest.main()
