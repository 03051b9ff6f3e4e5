"""Plants damage in databases that the programs wrote: `demonctl verify` and verify.py must both find it."""

import glob
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import verify

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DEMON_BUILD_DIR", os.path.join(SOURCE, "build/debug"))
DEMONCTL = os.path.join(BUILD, "demonctl")
ECHO = os.path.join(SOURCE, "examples/rituals/echo.yaml")

# where test builds also write the events that they append
SINK = {k: v for k, v in os.environ.items() if k == "DEMON_EVENT_SINK"}


def demonctl(db, *argv, **kw):
    return subprocess.run([DEMONCTL, "--db", db, *argv], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **SINK, **kw})


def python_finds(path):
    try:
        verify.verify_database(path)
    except verify.Damage:
        return True
    return False


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="demon-damage-")
        cls.good = os.path.join(cls.dir, "good.db")
        for i in range(6):
            done = demonctl(cls.good, "-q", "run", ECHO, "--run-id", f"r-{i}", "--param", f"n={i}")
            assert done.returncode == 0, done.stderr
        cls.heads = os.path.join(cls.dir, "heads.jsonl")
        done = demonctl(cls.good, "--json", "heads", "--sign")
        assert done.returncode == 0, done.stderr
        with open(cls.heads, "w", encoding="utf-8") as f:
            f.write(done.stdout)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def copy(self):
        """A copy of the good database with its key; nobody has either open."""
        path = os.path.join(tempfile.mkdtemp(dir=self.dir), "copy.db")
        shutil.copy(self.good, path)
        shutil.copy(self.good + ".key", path + ".key")
        return path

    def plant(self, path, *statements):
        """Runs SQL past the triggers, and puts them back to the letter, so that the schema is unchanged."""
        db = sqlite3.connect(path, isolation_level=None)
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        db.execute("BEGIN")
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for sql in statements:
            db.execute(sql)
        for _, sql in triggers:
            db.execute(sql)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()

    def assert_found(self, path, what, python=True):
        done = demonctl(path, "verify")
        self.assertEqual(done.returncode, 7, done.stdout + done.stderr)
        self.assertRegex(done.stderr, what)
        self.assertEqual(len(done.stderr.strip().splitlines()[0:1]), 1)
        if python:
            self.assertTrue(python_finds(path), f"verify.py did not find it: {what}")

    def test_an_undamaged_database_is_good_and_both_say_the_same_digest(self):
        path = self.copy()
        done = demonctl(path, "verify", "--heads", self.heads)
        self.assertEqual(done.returncode, 0, done.stderr)
        digest = re.search(r'"digest":"([0-9a-f]+)"', demonctl(path, "--json", "digest").stdout).group(1)
        count, python = verify.verify_database(path)
        self.assertEqual((count, python), (30, digest))

    def test_changed_events(self):
        for sql, what in (
                ("UPDATE log_events SET payload = replace(payload, 'Say', 'Saw') WHERE seq = 13", "event 13"),
                ("UPDATE log_events SET payload = payload || ' ' WHERE seq = 13", "event 13"),
                ("UPDATE log_events SET ts = ts + 1 WHERE seq = 7", "event 7"),
                ("UPDATE log_events SET clock = clock + 1 WHERE seq = 7", "event 7"),
                ("UPDATE log_events SET type_id = 1 WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET scope_id = 1 WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET gate_id = 'prod' WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET hash = randomblob(32) WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET extra = x'80000000020102' WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET payload = NULL, payload_hash = randomblob(32) WHERE seq = 9", "event 9"),
                ("UPDATE log_events SET group_count = 1, group_first = origin_seq WHERE seq = 6", "event"),
                ("UPDATE log_chains SET epoch = randomblob(8)", "event 1 "),
                ("UPDATE log_chains SET stream = 'graph'", "event 1 "),
                ("UPDATE log_scopes SET run_id = 'r-9' WHERE run_id = 'r-2'", "r-9|event"),
                ("UPDATE log_types SET name = 'test.x:v1' WHERE id = 2", "event")):
            with self.subTest(sql):
                path = self.copy()
                self.plant(path, sql)
                self.assert_found(path, what)

    def test_missing_swapped_and_forged_events(self):
        columns = ("chain_id, origin_seq, group_first, group_count, scope_id, type_id, gate_id, ts, clock, "
                   "recorded_at, hash, payload, payload_hash, extra")
        for statements, what in (
                (["DELETE FROM log_events WHERE seq = 11"], "event 12 .*missing"),
                (["DELETE FROM log_events WHERE seq <= 2"], "event 3 .*missing"),
                (["DELETE FROM log_events WHERE seq = 30"], "within a group|torn"),
                (["UPDATE log_events SET seq = 1000 WHERE seq = 8", "UPDATE log_events SET seq = 8 WHERE seq = 9",
                  "UPDATE log_events SET seq = 9 WHERE seq = 1000"], "stands before|event"),
                (["UPDATE log_events SET origin_seq = 1000 WHERE seq = 11", "UPDATE log_events SET origin_seq = 11, "
                  "group_first = 11 WHERE seq = 12"], "event"),
                ([f"INSERT INTO log_events (seq, {columns}) SELECT 31, {columns.replace('origin_seq, group_first', '31, 31')}"
                  " FROM log_events WHERE seq = 30"], "event 31|group")):
            with self.subTest(statements[0]):
                path = self.copy()
                self.plant(path, "PRAGMA ignore_check_constraints = ON", *statements)
                self.assert_found(path, what)

    def test_a_tail_that_was_cut_off_is_found_by_heads_kept_elsewhere(self):
        path = self.copy()
        self.plant(path, "DELETE FROM log_events WHERE seq > 25", "DELETE FROM runs WHERE run_id = 'r-5'",
                   "DELETE FROM steps WHERE run_id = 'r-5'")
        self.assertEqual(demonctl(path, "verify").returncode, 0)
        done = demonctl(path, "verify", "--heads", self.heads)
        self.assertEqual(done.returncode, 7, done.stdout)
        self.assertRegex(done.stderr, "event 30 is missing")

    def test_changed_projections(self):
        for sql, what in (("UPDATE runs SET status = 'Failed' WHERE run_id = 'r-3'", "'runs'"),
                          ("DELETE FROM steps WHERE run_id = 'r-3'", "'steps'"),
                          ("INSERT INTO runs SELECT tenant_id, 'r-x', run_origin, ritual_id, status, definition, "
                           "version, started_at, ended_at, error_type, wakes_at FROM runs LIMIT 1", "'runs'")):
            with self.subTest(sql):
                path = self.copy()
                self.plant(path, sql)
                self.assert_found(path, what, python=False)
                self.assertEqual(demonctl(path, "rebuild").returncode, 0)
                self.assertEqual(demonctl(path, "verify").returncode, 0)

    def test_an_altered_schema(self):
        for sql, what in (("DROP TRIGGER log_events_no_update", "log_events_no_update"),
                          ("CREATE TABLE stowaway (a)", "stowaway"),
                          ("DROP VIEW v_runs", "v_runs"),
                          ("DROP INDEX runs_by_status", "runs_by_status")):
            with self.subTest(sql):
                path = self.copy()
                db = sqlite3.connect(path)
                db.execute(sql)
                db.commit()
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                db.close()
                self.assert_found(path, what, python=False)

    def test_flipped_bytes_are_found_or_mean_nothing(self):
        seed = int(os.environ.get("DEMON_SEED", "5"))
        print(f"DEMON_SEED={seed}", file=sys.stderr)
        rand = random.Random(seed)
        with open(self.good, "rb") as f:
            good = f.read()
        before = verify.verify_database(self.good)
        found = 0
        for _ in range(120):
            path = self.copy()
            at = rand.randrange(len(good))
            with open(path, "r+b") as f:
                f.seek(at)
                f.write(bytes([good[at] ^ (1 << rand.randrange(8))]))
            done = demonctl(path, "verify")
            # a byte of free space, of a local table or of the file's header may not matter
            self.assertIn(done.returncode, (0, 6, 7), f"byte {at}: {done.stderr}")
            if done.returncode == 0:
                self.assertEqual(verify.verify_database(path), before, f"byte {at}")
            found += done.returncode != 0
        self.assertGreater(found, 8)

    def test_a_file_that_was_cut_short(self):
        size = os.path.getsize(self.good)
        for length in (1, 99, 100, 4095, 4096, size // 2, size - 4096, size - 1):
            with self.subTest(length):
                path = self.copy()
                os.truncate(path, length)
                # SQLite takes a last page that is not whole for whole; what reads it finds out
                commands = (["verify"], ["runs", "list"], ["-q", "run", ECHO])
                for command in commands if length < size - 1 else commands[:1]:
                    done = demonctl(path, *command)
                    self.assertEqual(done.returncode, 7, f"{command}: {done.stdout}{done.stderr}")
                self.assertEqual(os.path.getsize(path), length)

    def test_export_import_and_rebuild_keep_the_digest(self):
        lines = os.path.join(self.dir, "log.jsonl")
        self.assertEqual(demonctl(self.good, "export", "--to", lines).returncode, 0)
        self.assertEqual(verify.verify_lines(lines)[0], 30)
        path = os.path.join(self.dir, "imported.db")
        done = demonctl(path, "import", lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        for command in ([], ["rebuild"], ["rebuild"]):
            if command:
                self.assertEqual(demonctl(path, *command).returncode, 0)
            self.assertEqual(verify.verify_database(path), verify.verify_database(self.good))
        again = os.path.join(self.dir, "again.jsonl")
        self.assertEqual(demonctl(path, "export", "--to", again).returncode, 0)
        with open(lines, "rb") as a, open(again, "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.assertEqual(demonctl(path, "verify", "--heads", self.heads).returncode, 0)


if __name__ == "__main__":
    unittest.main()
