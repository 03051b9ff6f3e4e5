"""export, import, heads, rebuild, digest, verify, status, doctor."""

import json
import os
import sqlite3
import time
import unittest

from support import ECHO, Case


class State(Case):
    def setUp(self):
        super().setUp()
        self.ctl("run", ECHO, "--run-id", "r1")

    def damage(self, sql):
        """Alters the database behind the program's back, triggers notwithstanding."""
        db = sqlite3.connect(self.db)
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql)
        for _, text in triggers:
            db.execute(text)
        db.commit()
        db.close()

    def test_digest(self):
        digest = self.ctl("digest", "--json").json
        self.assertLessEqual(
            {"digest", "epoch", "nodeId", "origin", "events", "heads"}, set(digest)
        )
        self.assertEqual(digest["events"], 5)
        self.assertIn(digest["digest"], self.ctl("digest").out)

    def test_reading_leaves_the_digest_as_it_is(self):
        before = self.ctl("digest", "--json").json
        for args in (["runs", "list"], ["verify"], ["status"], ["doctor"], ["rebuild"], ["export"]):
            self.ctl(*args)
        self.assertEqual(self.ctl("digest", "--json").json, before)

    def test_rebuild_replays_every_event(self):
        self.assertEqual(self.ctl("rebuild", "--json").json, {"events": 5})

    def test_rebuild_repairs_projections_that_verify_refuses(self):
        before = self.ctl("digest", "--json").json["digest"]
        self.damage("UPDATE runs SET status = 'Failed'")
        self.assertIn("runs", self.ctl("verify", status=7).err)
        self.ctl("rebuild")
        self.ctl("verify")
        self.assertEqual(self.ctl("digest", "--json").json["digest"], before)

    def test_verify_counts(self):
        verified = self.ctl("verify", "--json").json
        self.assertEqual(verified["ok"], True)
        self.assertEqual((verified["events"], verified["chains"]), (5, 1))

    def test_an_altered_event_is_status_7(self):
        self.damage("UPDATE log_events SET payload = replace(payload, 'Demon', 'Angel') WHERE seq = 1")
        result = self.ctl("verify", "--json", status=7)
        self.assertEqual(result.json["ok"], False)
        self.assertTrue(result.json["problem"])
        self.assertIn("hint: ", result.err)

    def test_an_altered_schema_is_status_7(self):
        self.damage("CREATE TABLE extra (x)")
        self.assertTrue(self.ctl("runs", "list", status=None).status in (0, 7))
        self.ctl("verify", status=7)

    def test_a_tail_that_was_cut_off_is_found_by_kept_heads(self):
        self.ctl("run", ECHO)
        heads = self.ctl("heads", "--sign", "--json").out
        path = self.write("heads.jsonl", heads)
        self.assertEqual(self.ctl("verify", "--heads", path, "--json").json["heads"], 1)
        self.damage("DELETE FROM log_events WHERE seq > 5")
        self.ctl("rebuild")
        self.ctl("verify")
        self.ctl("verify", "--heads", path, status=7)

    def test_heads(self):
        head = self.ctl("heads", "--json").json
        self.assertEqual(head["sequence"], 5)
        self.assertNotIn("signature", head)
        signed = self.ctl("heads", "--sign", "--json").json
        self.assertEqual(len(signed["signature"]), 128)
        self.assertEqual(os.stat(self.db + ".key").st_mode & 0o777, 0o600)
        self.assertIn(head["hash"], self.ctl("heads").out)

    def test_export_and_import_carry_the_state_over(self):
        lines = self.ctl("export").out
        self.assertEqual(lines, self.ctl("export", "--json").out)
        self.ctl("export", "--to", self.path("log.jsonl"))
        with open(self.path("log.jsonl"), encoding="utf-8") as file:
            self.assertEqual(file.read(), lines)
        other = self.path("other.db")
        result = self.ctl("--db", other, "import", self.path("log.jsonl"), "--json").json
        self.assertEqual(result, {"added": 5, "lines": 5})
        again = self.ctl("--db", other, "import", "-", "--json", input=lines).json
        self.assertEqual(again, {"added": 0, "lines": 5})
        self.assertEqual(
            self.ctl("--db", other, "digest", "--json").json["digest"],
            self.ctl("digest", "--json").json["digest"],
        )

    def test_import_refuses_what_was_altered_and_says_where(self):
        lines = self.ctl("export").out.splitlines(keepends=True)
        lines[2] = lines[2].replace("Hello from Demon!", "Hello from Angel!")
        path = self.write("log.jsonl", "".join(lines))
        result = self.ctl("--db", self.path("other.db"), "import", path, status=7)
        self.assertIn(" 3: the hash", result.err)

    def test_import_refuses_what_is_no_log(self):
        other = self.path("other.db")
        for status, text in [
            (1, "nonsense\n"),
            (1, "{}\n"),
            (1, "[" * 100000),
            (1, b"\0\0\0\n"),
            (1, "x" * (3 << 20)),
        ]:
            err = self.ctl("--db", other, "import", self.write("x", text), status=status).err
            self.assertIn("line 1", err)
        self.ctl("--db", other, "import", self.path("none"), status=3)
        self.ctl("--db", other, "import", self.dir, status=1)

    def test_export_does_not_write_over_the_database(self):
        for suffix in ("", "-wal", ".lock"):
            if os.path.exists(self.db + suffix):
                self.ctl("export", "--to", self.db + suffix, status=2)
        os.symlink(self.db, self.path("link"))
        self.ctl("export", "--to", self.path("link"), status=2)
        self.ctl("verify")

    def test_a_failed_export_leaves_no_file(self):
        self.ctl("export", "--to", self.path("none", "x"), status=3)
        self.damage("UPDATE log_events SET hash = zeroblob(32) WHERE seq = 3")
        self.ctl("export", "--to", self.path("x"), status=None)
        self.assertFalse([name for name in os.listdir(self.dir) if name.endswith(".tmp")])

    def test_status(self):
        status = self.ctl("status", "--json").json
        self.assertEqual(
            {key: status[key] for key in ("events", "pending", "acknowledged", "confirmed", "peers")},
            {"events": 5, "pending": 5, "acknowledged": 0, "confirmed": 0, "peers": []},
        )
        self.assertLessEqual({"nodeId", "epoch"}, set(status))
        self.assertEqual(status["runs"], {"Completed": 1})
        self.assertFalse(status["daemon"])
        self.assertIn("not running", self.ctl("status").out)

    def test_doctor_checks(self):
        checks = self.ctl("doctor", "--json").lines
        self.assertEqual(
            {check["check"] for check in checks},
            {"database", "sqlite", "integrity", "disk", "permissions", "clock", "daemon", "freeze",
             "notifications"},
        )
        self.assertTrue(all(check["ok"] for check in checks))

    def test_doctor_says_what_to_do(self):
        os.chmod(self.db, 0o666)
        result = self.ctl("doctor", "--json", status=1)
        failed = [check for check in result.lines if not check["ok"]]
        self.assertEqual([check["check"] for check in failed], ["permissions"])
        self.assertIn("chmod", failed[0]["remedy"])
        self.assertIn("chmod", self.ctl("doctor", status=1).out)

    def test_doctor_finds_a_clock_that_went_back(self):
        future = int((time.time() + 3600) * 1000)
        self.damage(f"UPDATE log_events SET recorded_at = {future} WHERE seq = 5")
        failed = [c for c in self.ctl("doctor", "--json", status=1).lines if not c["ok"]]
        self.assertEqual([check["check"] for check in failed], ["clock"])

    def test_doctor_of_a_missing_database(self):
        result = self.ctl("doctor", "--json", "--db", self.path("none.db"), status=1)
        self.assertFalse(result.lines[0]["ok"])

    def test_anyone_can_look_with_sqlite(self):
        self.assertEqual(
            self.sql("SELECT run_id, ritual_id, status FROM v_runs"),
            [("r1", "echo-ritual", "Completed")],
        )
        payload = self.sql("SELECT payload FROM events WHERE type = 'ritual.completed:v1'")[0][0]
        self.assertEqual(json.loads(payload)["runId"], "r1")


if __name__ == "__main__":
    unittest.main()
