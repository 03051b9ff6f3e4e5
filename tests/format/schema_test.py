"""The schema: schema.sql is what the migrations add up to, and each table is what its name says."""

import glob
import os
import re
import sqlite3
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build(*paths):
    db = sqlite3.connect(":memory:")
    for path in paths:
        with open(path, encoding="utf-8") as f:
            db.executescript(f.read())
    return db


def objects(db):
    def text(sql):
        sql = re.sub(r"--[^\n]*", "", sql or "")
        return re.sub(r"\s+", " ", sql).strip()

    return {(t, n): text(s) for t, n, s in db.execute("SELECT type, name, sql FROM sqlite_schema")}


class Schema(unittest.TestCase):
    def setUp(self):
        self.migrations = sorted(glob.glob(os.path.join(SOURCE, "migrations/*.sql")))
        self.assertGreater(len(self.migrations), 1)
        self.db = build(*self.migrations)

    def tearDown(self):
        self.db.close()

    def tables(self):
        return [n for t, n in objects(self.db) if t == "table" and not n.startswith("sqlite_")]

    def test_schema_sql_is_what_the_migrations_add_up_to(self):
        whole = build(os.path.join(SOURCE, "schema/schema.sql"))
        self.assertEqual(objects(whole), objects(self.db))
        whole.close()

    def test_migrations_are_numbered_without_a_gap(self):
        numbers = [int(os.path.basename(p)[:4]) for p in self.migrations]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))

    def test_every_table_is_strict_and_of_a_known_kind(self):
        with open(os.path.join(SOURCE, "docs/format.md"), encoding="utf-8") as f:
            kinds = dict(re.findall(r"^\| (log|projection|local) \| ([^|]+)\|", f.read(), re.M))
        self.assertEqual(len(kinds), 3)
        named = {k: re.findall(r"`([a-z_*]+)`", v) for k, v in kinds.items()}
        for table in self.tables():
            sql = self.db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
            self.assertRegex(sql, r"\) STRICT(, WITHOUT ROWID)?$", table)
            known = table in named["log"] or table in named["projection"] or table.startswith("local_")
            self.assertTrue(known, f"docs/format.md does not say what kind of table {table} is")

    def test_the_log_refuses_update_and_delete(self):
        logs = [t for t in self.tables() if t.startswith("log_") or t == "stranded_events"]
        self.assertGreater(len(logs), 4)
        self.db.executescript("""
            INSERT INTO log_chains VALUES (1, zeroblob(16), zeroblob(8), 'ritual');
            INSERT INTO log_scopes VALUES (1, 's', 't', 'r', 'u', '', '', '', zeroblob(16));
            INSERT INTO log_types VALUES (1, 'test.a:v1');
            INSERT INTO log_events VALUES (1, 1, 1, 1, 1, 1, 1, NULL, 0, 0, 0, zeroblob(32), '{}', NULL, NULL);
            INSERT INTO stranded_events VALUES (1, 1, 1, 1, 1, 1, 1, NULL, 0, 0, 0, zeroblob(32), '{}', NULL,
                                                NULL, 'why', 0);""")
        for table in logs:
            column = self.db.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 0").fetchone()[0]
            for sql in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}",
                        f"REPLACE INTO {table} SELECT * FROM {table}"):
                with self.assertRaisesRegex(sqlite3.DatabaseError, "append-only|UNIQUE", msg=sql):
                    self.db.execute("PRAGMA recursive_triggers = ON")
                    self.db.execute(sql)
            self.assertEqual(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0], 1)


if __name__ == "__main__":
    unittest.main()
