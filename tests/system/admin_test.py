"""Tokens, roles, freeze, audit: who may do what, and who did what."""

import json
import os
import re
import signal
import unittest

from support import DEMONCTL, ECHO, Case, Daemon, wait_until

TOKEN = re.compile(r"demon_([0-9a-f]{16})_[0-9a-f]{64}")


class Admin(Case):
    def token(self, subject, role, *more):
        """A new token: its id and its text."""
        made = self.ctl("token", "create", "--subject", subject, "--role", role, *more, "--json").json
        self.assertEqual(TOKEN.fullmatch(made["token"]).group(1), made["id"])
        return made["id"], made["token"]

    def acts(self, *args):
        return self.ctl("audit", "--json", *args).lines


class Tokens(Admin):
    def test_a_token_is_shown_once_and_kept_nowhere(self):
        made = self.ctl("token", "create", "--subject", "kim@corp.test", "--role", "approver")
        self.assertRegex(made.out, r"\Ademon_[0-9a-f]{16}_[0-9a-f]{64}\n\Z")
        self.assertIn("not shown again", made.err)
        secret = made.out.strip().rsplit("_", 1)[1]
        for args in (["token", "list"], ["token", "list", "--json"], ["audit", "--json"], ["export"]):
            self.assertNotIn(secret, self.ctl(*args).out)
        for name in os.listdir(self.dir):
            if os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as file:
                    self.assertNotIn(secret.encode(), file.read(), name)

    def test_with_a_token_its_subject_acts_whatever_else_is_said(self):
        _, token = self.token("kim@corp.test", "operator")
        env = {"DEMON_TOKEN": token, "USER": "root"}
        self.ctl("run", ECHO, "--run-id", "r-1", env=env)
        self.ctl("freeze", "--reason", "x", "--by", "lee", env=env)
        self.assertEqual(self.ctl("runs", "cancel", "r-1", "--by", "lee", env=env, status=None).status, 4)
        act = self.acts()[0]
        self.assertEqual((act["by"], act["authentication"]), ("kim@corp.test", "token"))
        opened = [json.loads(p) for (p,) in
                  self.sql("SELECT payload FROM events WHERE type = 'ritual.opened:v1'")]
        self.assertEqual([o["requester"] for o in opened], ["kim@corp.test"])

    def test_without_one_the_user_of_the_system_is_recorded_as_declared(self):
        self.token("kim", "viewer")
        self.ctl("freeze", "--reason", "x", env={"USER": "lee"})
        self.ctl("thaw", "--reason", "x", "--by", "zoe@corp.test")
        self.ctl("freeze", "--reason", "x", env={"USER": None})
        by = [(a["by"], a["authentication"]) for a in self.acts()]
        self.assertEqual(by[1:3], [("zoe@corp.test", "declared"), ("lee", "declared")])
        self.assertEqual(by[0][1], "declared")
        self.assertNotIn(by[0][0], ("lee", ""))

    def test_a_role_is_enforced(self):
        tokens = {role: self.token(role, role)[1]
                  for role in ("viewer", "operator", "approver", "admin")}
        cases = [
            (["runs", "list"], "viewer"),
            (["audit"], "viewer"),
            (["export"], "viewer"),
            (["run", ECHO, "-q"], "operator"),
            (["freeze", "--reason", "x"], "operator"),
            (["thaw", "--reason", "x"], "operator"),
            (["rebuild"], "operator"),
            (["token", "list"], "admin"),
            (["token", "create", "--subject", "x", "--role", "admin"], "admin"),
            (["roles", "set", "x", "y"], "admin"),
            (["import", "-"], "admin"),
        ]
        order = list(tokens)
        for args, least in cases:
            for role, token in tokens.items():
                with self.subTest(args=args, role=role):
                    allowed = order.index(role) >= order.index(least)
                    result = self.ctl(*args, "--token", token, status=None)
                    if allowed:
                        self.assertNotEqual(result.status, 5, result.err)
                    else:
                        self.assertEqual(result.status, 5, result.out)
                        self.assertIn(f"has the role {role}", result.err)
                        self.assertEqual(result.out, "")

    def test_what_is_refused_changes_nothing(self):
        _, token = self.token("viv", "viewer")
        before = self.ctl("digest", "--json").json
        for args in (["run", ECHO], ["freeze", "--reason", "x"], ["roles", "set", "viv", "lead"],
                     ["token", "create", "--subject", "viv", "--role", "admin"]):
            self.ctl(*args, "--token", token, status=5)
        self.assertEqual(self.ctl("digest", "--json").json, before)

    def test_a_token_for_a_tenant_is_for_that_one_alone(self):
        _, token = self.token("kim", "admin", "--tenant", "blue")
        self.ctl("run", ECHO, "--run-id", "r-1", "--tenant", "red")
        env = {"DEMON_TOKEN": token}
        self.ctl("run", ECHO, "--run-id", "r-1", "--tenant", "blue", env=env)
        self.ctl("runs", "show", "r-1", "--tenant", "blue", env=env)
        self.ctl("roles", "set", "lee", "lead", "--tenant", "blue", env=env)
        self.ctl("freeze", "--tenant", "blue", "--reason", "x", env=env)
        for args in (["runs", "list"], ["runs", "show", "r-1", "--tenant", "red"],
                     ["run", ECHO, "--tenant", "red"], ["freeze", "--reason", "x"],
                     ["freeze", "--reason", "x", "--tenant", "red"], ["thaw", "--reason", "x"],
                     ["roles", "set", "lee", "lead", "--tenant", "blue", "--all-tenants"],
                     ["roles", "list", "--tenant", "blue", "--all-tenants"],
                     ["token", "list", "--tenant", "blue"], ["audit", "--tenant", "blue"],
                     ["token", "create", "--subject", "x", "--role", "admin", "--tenant", "blue"],
                     ["export", "--tenant", "blue"], ["events", "tail", "--tenant", "blue"],
                     ["status", "--tenant", "blue"], ["doctor", "--tenant", "blue"]):
            with self.subTest(args=args):
                self.assertIn("for tenant 'blue' alone", self.ctl(*args, env=env, status=5).err)
        # what everybody has set once does not widen a freeze, or narrow it, by chance
        result = self.ctl("freeze", "--reason", "x", env=dict(env, DEMON_TENANT="blue"), status=5)
        self.assertIn("--tenant blue", result.err)

    def test_what_is_no_token_of_this_node_is_refused(self):
        self.ctl("run", ECHO)
        ident, token = self.token("kim", "admin")
        wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
        for bad in ("", "x", "demon_", wrong, token + "0", token.upper(), "x" * 10240,
                    token.replace("demon_", "angel_"), f"demon_{ident}_'; DROP TABLE registers; --",
                    "demon_\x1b[2J", f"demon_{ident}_{'0' * 64}"):
            with self.subTest(token=bad[:40]):
                result = self.ctl("runs", "list", "--token=" + bad, status=5)
                self.assertTrue(result.err.startswith("demonctl: --token: the token is not "), result.err)
                self.assertNotIn("\x1b", result.err)
                self.assertLess(len(result.err), 300)
                self.assertNotIn(wrong[23:], result.err)
        self.ctl("doctor", "--token", wrong, status=5)
        self.ctl("runs", "list", "--token", token)

    def test_a_token_never_makes_a_database(self):
        self.ctl("run", ECHO, "--token", "demon_x", status=3)
        self.assertFalse(os.path.exists(self.db))

    def test_rotation_and_revocation(self):
        ident, first = self.token("kim", "viewer")
        second = self.ctl("token", "rotate", ident).out.strip()
        self.assertEqual(TOKEN.fullmatch(second).group(1), ident)
        for token in (first, second):
            self.ctl("runs", "list", "--token", token)
        third = self.ctl("token", "rotate", ident, "--overlap", "0", "--json").json["token"]
        for token in (first, second):
            self.ctl("runs", "list", "--token", token, status=5)
        self.ctl("runs", "list", "--token", third)
        self.ctl("token", "rotate", ident, "--overlap", "100d", status=1)
        self.ctl("token", "rotate", ident, "--overlap", "-1d", status=2)
        self.assertEqual(self.ctl("token", "revoke", ident, "--reason", "left", "--json").json,
                         {"id": ident, "noop": False})
        self.assertIn("was revoked", self.ctl("runs", "list", "--token", third, status=5).err)
        self.assertEqual(self.ctl("token", "revoke", ident, "--json").json["noop"], True)
        self.ctl("token", "rotate", ident, status=4)
        self.ctl("token", "rotate", "0" * 16, status=3)
        self.ctl("token", "revoke", "../etc/passwd", status=3)
        self.assertEqual([t["state"] for t in self.ctl("token", "list", "--json").lines], ["revoked"])

    def test_a_token_expires(self):
        made = self.ctl("token", "create", "--subject", "kim", "--role", "viewer", "--expires", "1s")
        token = made.out.strip()
        expired = wait_until(
            lambda: self.ctl("runs", "list", "--token", token, status=None).status == 5, "expiry")
        self.assertTrue(expired)
        self.assertIn("expired", self.ctl("runs", "list", "--token", token, status=5).err)
        self.assertEqual(self.ctl("token", "list", "--json").json["state"], "expired")
        for when in ("2001-01-01", "yesterday", "-1d"):
            self.ctl("token", "create", "--subject", "kim", "--role", "viewer", "--expires=" + when,
                     status=None if when == "2001-01-01" else 2)
        self.assertEqual(len(self.ctl("token", "list", "--json").lines), 1)
        never = self.ctl("token", "create", "--subject", "kim", "--role", "viewer", "--expires",
                         "never", "--json").json
        self.assertIsNone(never["expiresAt"])

    def test_subjects_that_are_meant_to_hurt(self):
        for subject in ("", " ", "a\nb", "a\tb", "a\x1b[2J", "k" * 10240, "kim ", "system", "SYSTEM",
                        "\u202enimda", "a\u200bb", b"\xff\xfe"):
            with self.subTest(subject=subject[:20]):
                text = os.fsdecode(subject) if isinstance(subject, bytes) else subject
                result = self.ctl("token", "create", "--subject", text, "--role", "viewer", status=1)
                self.assertTrue(all(c.isprintable() for c in result.err.rstrip("\n")), result.err)
                self.ctl("freeze", "--reason", "x", "--by", text, status=None)
        self.assertEqual(self.acts(), [])
        for subject in ("a:b", "*", ">", "a.b c", "blue", "\u00e9\u4e2d", "'; DROP TABLE x; --", "a,b",
                        "k" * 254):
            self.token(subject, "viewer")
        self.assertEqual(len(self.ctl("token", "list", "--json").lines), 9)
        self.ctl("verify")

    def test_usage(self):
        for args in (["token", "create"], ["token", "create", "--subject", "kim"],
                     ["token", "create", "--role", "viewer"],
                     ["token", "create", "--subject", "kim", "--role", "root"],
                     ["token", "create", "--subject", "kim", "--role", "none"],
                     ["token", "rotate"], ["token", "revoke"], ["token"], ["roles"], ["roles", "set"],
                     ["freeze"], ["freeze", "--reason", ""], ["thaw"], ["audit", "--since", "x"],
                     ["audit", "--limit", "0"]):
            with self.subTest(args=args):
                self.ctl(*args, status=2)


class Roles(Admin):
    def test_roles_of_a_tenant_and_of_all(self):
        self.assertEqual(self.ctl("roles", "set", "kim", "lead", "dba", "lead", "--json").json["noop"], False)
        self.assertEqual(self.ctl("roles", "set", "kim", "dba", "lead", "--json").json["noop"], True)
        self.ctl("roles", "set", "kim", "boss", "--all-tenants")
        self.ctl("roles", "set", "lee", "lead", "--tenant", "blue")
        listed = [(r["tenant"], r["subject"], r["roles"]) for r in self.ctl("roles", "list", "--json").lines]
        self.assertEqual(listed, [("*", "kim", ["boss"]), ("default", "kim", ["dba", "lead"])])
        self.assertEqual(len(self.ctl("roles", "list", "--all-tenants", "--json").lines), 3)
        self.ctl("roles", "set", "kim")
        self.assertEqual(len(self.ctl("roles", "list", "--json").lines), 1)
        for role in ("a b", "*", "r" * 65, "", "a:b"):
            self.ctl("roles", "set", "kim", role, status=1)


class Freeze(Admin):
    def test_a_frozen_node_starts_no_run_and_says_why(self):
        self.ctl("freeze", "--reason", "the vault is down", "--by", "kim", status=3)
        self.ctl("run", ECHO)
        frozen = self.ctl("freeze", "--reason", "the vault is down", "--by", "kim", "--json").json
        self.assertEqual((frozen["frozen"], frozen["noop"], frozen["tenant"]), (True, False, "*"))
        for args in (["run", ECHO], ["run", ECHO, "--detach"], ["run", ECHO, "--tenant", "blue"]):
            result = self.ctl(*args, "--run-id", "r-1", status=5)
            self.assertEqual(result.out, "")
            self.assertIn("run 'r-1' is not started: the node is frozen by 'kim' since ", result.err)
            self.assertIn("the vault is down", result.err)
        self.assertEqual(self.ctl("freeze", "--reason", "again", "--json").json["noop"], True)
        self.assertEqual(len(self.ctl("runs", "list", "--json").lines), 1)
        status = self.ctl("status", "--json").json
        self.assertEqual([(f["tenant"], f["by"], f["reason"]) for f in status["freezes"]],
                         [("*", "kim", "the vault is down")])
        self.assertIn("FROZEN", self.ctl("status").out)
        self.assertIn("the node is frozen by kim", self.ctl("doctor").out)
        self.ctl("thaw", "--reason", "it is back")
        self.assertEqual(self.ctl("thaw", "--reason", "again", "--json").json["noop"], True)
        self.ctl("run", ECHO, "--run-id", "r-1")
        self.assertNotIn("FROZEN", self.ctl("status").out)
        self.assertEqual([(a["type"], a["reason"]) for a in self.acts()],
                         [("freeze.written:v1", "it is back"), ("freeze.written:v1", "the vault is down")])

    def test_a_tenant_alone(self):
        self.ctl("run", ECHO)
        self.ctl("freeze", "--tenant", "blue", "--reason", "x")
        self.assertIn("tenant 'blue' is frozen", self.ctl("run", ECHO, "--tenant", "blue", status=5).err)
        self.ctl("run", ECHO)
        self.ctl("thaw", "--reason", "x")
        self.ctl("run", ECHO, "--tenant", "blue", status=5)
        self.ctl("thaw", "--tenant", "blue", "--reason", "x")
        self.ctl("run", ECHO, "--tenant", "blue")

    def test_a_reason_cannot_steer_a_terminal(self):
        self.ctl("run", ECHO)
        self.ctl("freeze", "--reason", "x\x1b[2J\ny")
        for args in (["run", ECHO], ["status"], ["doctor"], ["audit"]):
            result = self.ctl(*args, status=None)
            self.assertNotIn("\x1b", result.out + result.err)
        self.ctl("freeze", "--reason", "r" * 10240, "--tenant", "blue", status=1)

    def test_what_runs_under_a_daemon_goes_on(self):
        path = self.ritual("slow", ("A", ["sh", "-c", "sleep 0.5"], {}), ("B", ["true"], {}))
        daemon = Daemon(self)
        self.ctl("run", path, "--run-id", "r-1", "--detach")
        self.ctl("freeze", "--reason", "x")
        wait_until(lambda: self.ctl("runs", "show", "r-1", "--json").json["status"] == "Completed", "its end")
        self.ctl("run", path, "--detach", status=5)
        daemon.stop()

    def test_runs_of_many_processes_and_a_freeze(self):
        self.ctl("run", ECHO)
        starters = [self.start("sh", "-c", f"while {DEMONCTL} run {ECHO} -q --detach >>out.{i}; do :; done; "
                               f"{DEMONCTL} run {ECHO} --detach; exit $?") for i in range(3)]
        wait_until(lambda: len(self.ctl("runs", "list", "--json", "--limit", "20").lines) > 6, "some runs")
        self.ctl("freeze", "--reason", "enough")
        for process in starters:
            self.assertEqual(process.wait(60), 5)
        (seq,), = self.sql("SELECT seq FROM events WHERE type = 'freeze.written:v1'")
        self.assertEqual(self.sql("SELECT count(*) FROM events WHERE seq > %d AND type = "
                                  "'ritual.started:v1'" % seq), [(0,)])
        self.ctl("verify")


class Audit(Admin):
    def test_every_administrative_act_is_there(self):
        self.ctl("rituals", "register", ECHO, "--by", "kim")
        self.ctl("heads", "--sign")
        slow = self.ritual("slow", ("A", ["sleep", "60"], {}))
        process = self.start(DEMONCTL, "run", slow, "--run-id", "r-1")
        wait_until(lambda: "r-1" in self.ctl("runs", "list").out, "the run")
        self.ctl("runs", "cancel", "r-1", "--by", "lee", "--reason", "wrong host")
        process.wait(60)
        fails = self.ritual("fails", ("A", ["false"], {}))
        self.ctl("run", fails, "--run-id", "f-1", status=1)
        self.ctl("runs", "retry", "f-1", "--run-id", "f-2", "--by", "zoe", status=1)
        name = self.ctl("rituals", "list", "--json").json["ritualId"]
        self.ctl("rituals", "unregister", name, "--by", "kim", "--reason", "replaced")
        ident, _ = self.token("kim", "viewer", "--reason", "new")
        self.ctl("token", "revoke", ident)
        self.ctl("roles", "set", "kim", "lead")
        self.ctl("freeze", "--reason", "x", "--tenant", "blue")
        types = [a["type"] for a in self.acts()]
        self.assertLessEqual(
            {"ritual.registered:v1", "ritual.canceled:v1", "ritual.restored:v1", "token.written:v1",
             "ritual.unregistered:v1", "roles.written:v1", "freeze.written:v1"}, set(types))
        retried, = [a for a in self.acts() if a["type"] == "ritual.restored:v1"]
        self.assertEqual((retried["by"], retried["runId"]), ("zoe", "f-2"))
        canceled, = [a for a in self.acts() if a["type"] == "ritual.canceled:v1"]
        self.assertEqual((canceled["by"], canceled["runId"], canceled["reason"], canceled["tenant"]),
                         ("lee", "r-1", "wrong host", "default"))
        self.assertEqual(self.acts("--limit", "1"), self.acts()[:1])
        self.assertEqual(self.acts("--since", "2999-01-01"), [])
        self.assertEqual(len(self.acts("--since", "1h")), len(types))
        view = self.sql("SELECT seq, type, who, reason FROM v_audit ORDER BY seq DESC")
        self.assertEqual(view, [(a["seq"], a["type"], a.get("by"), a.get("reason")) for a in self.acts()])
        text = self.ctl("audit").out
        for part in ("token removed", "freeze set", "ritual.canceled", "lee"):
            self.assertIn(part, text)

    def test_the_same_on_another_node(self):
        self.token("kim", "viewer")
        self.ctl("freeze", "--reason", "x", "--by", "kim")
        log = self.write("log.jsonl", self.ctl("export").out)
        other = self.path("other.db")
        self.ctl("--db", other, "import", log)
        self.assertEqual(self.ctl("--db", other, "audit", "--json").out, self.ctl("audit", "--json").out)
        self.assertEqual(self.ctl("--db", other, "digest", "--json").json["digest"],
                         self.ctl("digest", "--json").json["digest"])
        self.ctl("--db", other, "rebuild")
        self.ctl("--db", other, "verify")
        self.ctl("--db", other, "run", ECHO)
        peer = self.ctl("status", "--json").json["origin"]
        self.ctl("--db", other, "peers", "trust", peer)
        self.assertEqual(self.ctl("--db", other, "peers", "list", "--json").json["trusted"], True)
        self.ctl("--db", other, "run", ECHO, status=5)
        self.assertIn("peer.trusted", self.ctl("--db", other, "audit").out)
        self.ctl("--db", other, "peers", "revoke", peer)
        self.ctl("--db", other, "run", ECHO)


class Races(Admin):
    def test_one_token_of_two_rotations_at_once(self):
        ident, first = self.token("kim", "viewer")
        both = [self.start(DEMONCTL, "token", "rotate", ident, "--json") for _ in range(4)]
        made = [json.loads(p.communicate(timeout=60)[0])["token"] for p in both]
        good = [t for t in made if self.ctl("runs", "list", "--token", t, status=None).status == 0]
        self.assertEqual(len(set(made)), 4)
        self.assertEqual(len(good), 2)  # the last one, and the one before it
        self.ctl("runs", "list", "--token", first, status=5)

    def test_killed_in_the_middle_leaves_all_or_nothing(self):
        self.ctl("run", ECHO)
        for i in range(12):
            process = self.start(DEMONCTL, "freeze", "--reason", f"r{i}", "--tenant", f"t{i}")
            try:
                process.wait(0.004 * i)
            except Exception:
                process.send_signal(signal.SIGKILL)
            process.wait(60)
        self.ctl("verify")
        events = self.sql("SELECT count(*) FROM events WHERE type = 'freeze.written:v1'")
        self.assertEqual(self.sql("SELECT count(*) FROM v_registers WHERE kind = 'freeze'"), events)


if __name__ == "__main__":
    unittest.main()
