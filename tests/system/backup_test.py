"""Snapshots: whole or not there, what their manifest says or refused."""

import hashlib
import json
import os
import resource
import shutil
import threading
import unittest

from support import ECHO, Case


class Backup(Case):
    def setUp(self):
        super().setUp()
        self.ctl("run", ECHO, "--run-id", "first")
        self.to = self.path("snapshot")

    def create(self, **options):
        return self.ctl("--json", "backup", "create", "--to", self.to, **options)

    def manifest(self):
        with open(self.to + ".manifest.json", encoding="utf-8") as file:
            return json.load(file)

    def change_manifest(self, **members):
        self.write("snapshot.manifest.json", json.dumps(dict(self.manifest(), **members)))

    def verify(self, status, text):
        result = self.ctl("backup", "verify", self.to, status=status)
        self.assertIn(text, result.err + result.out)

    def test_a_snapshot_is_the_database_at_one_moment(self):
        done = self.create().json
        manifest = self.manifest()
        with open(self.to, "rb") as file:
            content = file.read()
        self.assertEqual(manifest["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual((manifest["bytes"], manifest["format"]), (len(content), 1))
        now = self.ctl("--json", "digest").json
        self.assertEqual(manifest["state"], now)
        self.assertEqual(done["digest"], now["digest"])
        self.assertEqual(os.stat(self.to).st_mode & 0o777, 0o600)
        self.assertEqual(self.ctl("--json", "backup", "verify", self.to).json, done)
        copy = self.path("copy.db")
        shutil.copy(self.to, copy)
        self.ctl("--db", copy, "verify")
        self.assertEqual(self.ctl("--json", "--db", copy, "digest").json["digest"], now["digest"])
        # looking at the copy did not touch the snapshot, and what it writes is under its own epoch
        self.verify(0, "unchanged")
        self.ctl("--db", copy, "run", ECHO)
        self.ctl("run", ECHO)
        epochs = "SELECT hex(epoch) FROM log_chains"
        self.assertNotEqual(self.sql(epochs), self.sql(epochs, copy))

    def test_one_that_is_made_while_others_write_is_consistent(self):
        ended = threading.Event()

        def write():
            while not ended.is_set():
                self.ctl("run", ECHO)

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            for i in range(5):
                self.to = self.path(f"snapshot-{i}")
                done = self.create().json
                self.verify(0, "unchanged")
                self.assertEqual(self.ctl("--json", "--db", self.to, "digest").json["digest"], done["digest"])
                self.ctl("--db", self.to, "verify")
        finally:
            ended.set()
            for writer in writers:
                writer.join()

    def test_what_was_changed_cut_short_or_is_newer_is_refused(self):
        self.create()
        with open(self.to, "r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        self.verify(7, "was changed")
        with open(self.to, "r+b") as file:
            file.seek(5000)
            file.write(byte)
        self.verify(0, "unchanged")
        os.truncate(self.to, self.manifest()["bytes"] - 4096)
        self.verify(7, "bytes")
        self.change_manifest(format=2)
        self.verify(6, "newer")
        self.write("snapshot.manifest.json", "{")
        self.verify(7, "manifest")
        os.remove(self.to + ".manifest.json")
        self.verify(3, "manifest")

    def test_nothing_is_overwritten(self):
        for name in ("snapshot", "snapshot.manifest.json", "snapshot.partial"):
            self.write(name, "mine")
            self.assertIn("xist", self.create(status=4).err)
            with open(self.path(name), encoding="utf-8") as file:
                self.assertEqual(file.read(), "mine")
            os.remove(self.path(name))
            self.assertFalse([n for n in os.listdir(self.dir) if n.startswith("snapshot")])
        self.create()

    def test_a_target_that_runs_full_leaves_nothing(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

        # the interpreter ignores the signal of that limit, and hands that on
        result = self.create(status=None, preexec_fn=limit, restore_signals=False)
        self.assertNotEqual(result.status, 0)
        self.assertIn("snapshot.partial", result.err)
        self.assertFalse([n for n in os.listdir(self.dir) if n.startswith("snapshot")])
        self.ctl("verify")

    def test_a_folder_that_is_missing_is_named(self):
        self.to = self.path("missing", "snapshot")
        self.assertIn("missing", self.create(status=None).err)

    def test_without_a_name_it_stands_beside_the_database(self):
        made = self.ctl("--json", "backup", "create").json["file"]
        self.assertRegex(made, r"node\.db\.\d{8}T\d{6}Z\.backup$")
        self.ctl("backup", "verify", made)


if __name__ == "__main__":
    unittest.main()
