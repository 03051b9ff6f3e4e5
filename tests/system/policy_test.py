"""Policies: quotas and schedules from the environment and the database, in both programs."""

import json
import unittest

from support import DEMONCTL, DEMOND, ECHO, Case, Daemon, wait_until

# windows that end in 2029: no test meets the end of one
LONG = 315360000
ALWAYS = {"action": "deny", "timezone": "Pacific/Kiritimati", "start": "00:00", "end": "23:59"}


def quota(limit):
    return {"limit": limit, "windowSeconds": LONG}


class Policy(Case):
    def decisions(self):
        return [json.loads(p) for (p,) in
                self.sql("SELECT payload FROM events WHERE type = 'policy.decision:v1' ORDER BY seq")]

    def evaluated(self):
        return [json.loads(p) for (p,) in
                self.sql("SELECT payload FROM events WHERE type = 'policy.evaluated:v1' ORDER BY seq")]


class Environment(Policy):
    def test_a_quota_that_is_used_up_ends_a_run_as_denied_with_status_5(self):
        env = {"WARDS_CAP_QUOTAS": f"TENANT:default:echo=1:{LONG}"}
        self.ctl("run", ECHO, "--run-id", "r-1", env=env)
        result = self.ctl("run", ECHO, "--run-id", "r-2", "--json", env=env, status=5)
        event = result.lines[-1]
        self.assertEqual(event["event"], "ritual.failed:v1")
        self.assertEqual(event["error"]["type"], "https://demon.example/errors/policy")
        self.assertEqual(event["error"]["status"], 429)
        self.assertIn("WARDS_CAP_QUOTAS entry 1", event["error"]["detail"])
        runs = {r["runId"]: r["status"] for r in self.ctl("runs", "list", "--json").lines}
        self.assertEqual(runs, {"r-1": "Completed", "r-2": "Denied"})
        self.assertEqual([d["decision"]["allowed"] for d in self.decisions()], [True, False])
        self.assertEqual(self.evaluated()[1]["source"], "environment")
        self.ctl("verify")

    def test_without_a_policy_nothing_is_written(self):
        self.ctl("run", ECHO, env={"TENANTING_ENABLED": "1", "WARDS_CAP_QUOTAS": " "})
        self.assertEqual(self.decisions(), [])

    def test_malformed_variables_are_refused_before_anything_starts(self):
        cases = {
            "WARDS_CAP_QUOTAS": ("GLOBAL:http=1:1,x", "WARDS_CAP_QUOTAS: entry 2: "),
            "WARDS_QUOTAS": ('{"blue":{}}', "WARDS_QUOTAS: at '/blue': "),
            "WARDS_GLOBAL_QUOTA": ("7", "WARDS_GLOBAL_QUOTA: at '': "),
            "WARDS_SCHEDULES": ('{"global":{"x":[{}]}}', "WARDS_SCHEDULES: at '/global/x/0': "),
            "TENANTING_ENABLED": ("perhaps", "TENANTING_ENABLED: 'perhaps' is not "),
            "WARDS_CAPS": ("{}", "WARDS_CAPS is not in this version"),
        }
        for name, (value, message) in cases.items():
            with self.subTest(name=name):
                result = self.ctl("run", ECHO, env={name: value}, status=2)
                self.assertTrue(result.err.splitlines()[0].startswith("demonctl: " + message),
                                result.err)
                daemon = self.start(DEMOND, "--listen", "127.0.0.1:0", env={name: value})
                _, err = daemon.communicate(timeout=20)
                self.assertEqual(daemon.returncode, 2, err)
                self.assertIn(message.split(":")[0], err)
        self.assertEqual(self.ctl("runs", "list", "--json").lines, [])

    def test_an_unknown_time_zone_is_refused(self):
        rules = {"global": {"echo": [dict(ALWAYS, timezone="Europe/Atlantis")]}}
        result = self.ctl("run", ECHO, env={"WARDS_SCHEDULES": json.dumps(rules)}, status=2)
        self.assertIn("there is no time zone 'Europe/Atlantis'", result.err)

    def test_the_daemon_holds_its_environment(self):
        daemon = Daemon(self, env={"WARDS_SCHEDULES": json.dumps({"*": {"echo": [ALWAYS]}})})
        self.ctl("run", ECHO, "--run-id", "r-1", "--detach")
        show = lambda: self.ctl("runs", "show", "r-1", "--json").json
        wait_until(lambda: show()["status"] == "Denied", "the run to be denied")
        self.assertEqual(self.evaluated()[0]["reason"], "time_policy_denied")
        self.assertRegex(self.evaluated()[0]["localTime"], r"\+14:00\Z")
        self.assertEqual(self.decisions()[0]["decision"],
                         {"allowed": False, "reason": "limit_exceeded"})
        self.assertEqual(daemon.stop()[0], 0)


class Database(Policy):
    def set(self, name, value, *more, **options):
        return self.ctl("policy", "set", name, json.dumps(value), *more, **options)

    def test_what_is_set_holds_instead_of_the_environment_and_the_evidence_says_so(self):
        env = {"WARDS_GLOBAL_QUOTA": json.dumps(quota(100))}
        self.set("quotas", {"echo": quota(1)})
        self.ctl("run", ECHO, env=env)
        self.ctl("run", ECHO, env=env, status=5)
        last = self.evaluated()[-1]
        self.assertEqual((last["source"], last["rule"]),
                         ("database", "quotas of the node at '/capsule.echo'"))
        self.assertEqual(last["policyDigest"], self.ctl("policy", "show", "--json").json["digest"])
        self.ctl("policy", "remove", "quotas")
        self.ctl("run", ECHO, env=env)
        self.assertEqual(self.evaluated()[-1]["source"], "environment")
        self.assertEqual(self.evaluated()[-1]["used"], 1)

    def test_show_has_both_levels_with_full_names(self):
        self.set("quotas", {"http": quota(9), "*": dict(quota(5), perTenant=True)})
        path = self.write("s.yaml", "capsule.echo:\n- action: deny\n  timezone: UTC\n"
                                    "  days: [Sat, sunday]\n  start: '22:00'\n  end: '6:00'\n")
        self.ctl("policy", "set", "schedules", path, "--tenant", "blue")
        shown = self.ctl("policy", "show", "--tenant", "blue", "--json").json
        self.assertEqual(shown["quotas"]["source"], "database")
        self.assertEqual(set(shown["quotas"]["node"]), {"capsule.http", "*"})
        self.assertEqual(shown["schedules"]["tenant"]["capsule.echo"][0]["days"], ["Sat", "sunday"])
        text = self.ctl("policy", "show", "--tenant", "blue").out
        self.assertRegex(text, r"capsule\.echo +blue +deny Sat,sunday 22:00-6:00 UTC +database")
        self.assertRegex(text, r"\* +all tenants +5 within 315360000 s, each tenant +database")
        self.assertEqual(self.ctl("policy", "show", "--json").json["schedules"]["source"], "none")

    def test_the_same_again_writes_nothing_and_an_act_is_audited(self):
        self.set("quotas", {"echo": quota(3)}, "--reason", "INC-1", "--by", "kim@corp.test")
        again = self.set("quotas", {"capsule.echo": quota(3)}, "--json").json
        self.assertTrue(again["noop"])
        acts = self.ctl("audit", "--json").lines
        self.assertEqual([(a["type"], a["by"], a["reason"], a["tenant"]) for a in acts],
                         [("policy.written:v1", "kim@corp.test", "INC-1", "*")])

    def test_what_is_no_policy_is_refused_with_its_place(self):
        self.set("quotas", {"echo": quota(3)})
        for name, value, message in (
                ("quotas", {"echo": 3}, "policy 'quotas': at '/echo': expected "),
                ("quotas", {"e cho": quota(1)}, "'e cho' is no capability"),
                ("quotas", {"echo": quota(1), "capsule.echo": quota(1)}, "the same capability twice"),
                ("schedules", {"echo": [dict(ALWAYS, days=["Fryday"])]}, "'Fryday' is no day"),
                ("schedules", {"echo": [dict(ALWAYS, timezone="Mars/Base")]}, "no time zone")):
            with self.subTest(message=message):
                self.assertIn(message, self.set(name, value, status=1).err)
        self.assertIn("'caps' is no policy", self.set("caps", {}, status=2).err)
        self.assertIn("for quotas of the whole node",
                      self.set("quotas", {"*": dict(quota(1), perTenant=True)}, "--tenant", "blue",
                               status=1).err)
        self.ctl("policy", "set", "quotas", "nowhere.json", status=3)
        self.assertEqual(len(self.ctl("audit", "--json").lines), 1)

    def test_check_explains_and_uses_nothing_up(self):
        self.set("quotas", {"echo": quota(1)})
        for _ in range(3):
            checked = self.ctl("policy", "check", "echo", "--json").json
        self.assertEqual((checked["allowed"], checked["remaining"], checked["used"]), (True, 1, 0))
        self.assertEqual(checked["windowEnd"], "2029-12-17T00:00:00.000Z")
        self.ctl("run", ECHO)
        result = self.ctl("policy", "check", "capsule.echo", "--json", status=5)
        self.assertEqual((result.json["allowed"], result.json["remaining"]), (False, 0))
        self.assertEqual(result.json["reason"], "quota_exceeded")
        self.assertIn("capsule.echo would be denied: 1 of 1 until 2029-12-17", result.err)
        later = self.ctl("policy", "check", "echo", "--at", "2030-01-01", "--json").json
        self.assertEqual(later["remaining"], 1)
        self.assertIn("no quota names the capability",
                      self.ctl("policy", "check", "http", status=5).out)
        self.ctl("policy", "check", "no capability", status=2)
        self.assertEqual(len(self.decisions()), 1)

    def test_check_knows_summer_time(self):
        self.set("schedules", {"echo": [dict(ALWAYS, timezone="Europe/Oslo", start="02:00", end="02:59")]})
        for at, status in (("2026-03-29T00:59:59Z", 0), ("2026-03-29T01:00:00Z", 0),
                           ("2026-10-25T00:30:00Z", 5), ("2026-10-25T01:30:00Z", 5),
                           ("2026-10-25T02:00:00Z", 0)):
            with self.subTest(at=at):
                self.ctl("policy", "check", "echo", "--at", at, status=status)

    def test_a_token_of_a_tenant_sets_that_tenants_alone(self):
        token = self.ctl("token", "create", "--subject", "kim", "--role", "admin", "--tenant", "blue",
                         "--json").json["token"]
        env = {"DEMON_TOKEN": token}
        self.set("quotas", {"*": quota(0)}, "--tenant", "blue", env=env)
        self.set("quotas", {"*": quota(0)}, env=env, status=5)
        self.set("quotas", {"*": quota(0)}, "--tenant", "red", env=env, status=5)
        self.ctl("run", ECHO)
        self.ctl("run", ECHO, "--tenant", "blue", status=5)

    def test_eight_processes_never_both_take_the_last_use(self):
        self.set("quotas", {"echo": quota(5)})
        racers = [self.start(DEMONCTL, "--db", self.db, "run", ECHO, "-q") for _ in range(8)]
        for racer in racers:
            racer.communicate(timeout=60)
        self.assertEqual(sorted(r.returncode for r in racers), [0] * 5 + [5] * 3)
        self.assertEqual(sum(d["decision"]["allowed"] for d in self.decisions()), 5)
        before = self.ctl("digest", "--json").json
        self.ctl("rebuild")
        self.assertEqual(self.ctl("digest", "--json").json, before)


if __name__ == "__main__":
    unittest.main()
