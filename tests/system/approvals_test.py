"""Gates as people meet them: demonctl in a terminal, demond behind it."""

import json
import time
import unittest

from support import DEMONCTL, Case, Daemon, wait_until

ADA, LIN, KIM = "ada@corp.test", "lin@corp.test", "kim@corp.test"
CHAIN = {"levels": [
    {"level": 1, "roles": ["lead"], "timeoutSeconds": 3600},
    {"level": 2, "roles": ["head"], "timeoutSeconds": 0, "emergencyOverride": True}]}


class Approvals(Case):
    def setUp(self):
        super().setUp()
        self.env["APPROVER_ALLOWLIST"] = f"{ADA}, {LIN}, {KIM}"

    def gate(self, name="deploy", **terms):
        tasks = [{"ask": {"call": "approval", "with": dict({"gate": "prod", "reason": "4.2"}, **terms)}},
                 {"ship": {"call": "echo", "with": {"message": "shipped"}}}]
        document = {"dsl": "1.0.3", "namespace": "default", "name": name, "version": "1"}
        return self.write(name + ".yaml", json.dumps({"document": document, "do": tasks}))

    def begin(self, run="r-1", **terms):
        self.ctl("run", self.gate(**terms), "--run-id", run, "--detach")
        return run

    def vote(self, decision, who, *more, status=0, run="r-1", **options):
        return self.ctl("approvals", decision, run, "prod", "--approver", who, "--json", *more,
                        status=status, **options)

    def status(self, run="r-1"):
        return self.ctl("runs", "show", run, "--json").json["status"]

    def types(self, kind):
        return self.sql(f"SELECT payload FROM events WHERE type = 'approval.{kind}:v1'")


class Deciding(Approvals):
    def test_a_run_in_a_terminal_says_how_to_decide_and_goes_on(self):
        run = self.start(DEMONCTL, "run", self.gate(ttl="PT1H"), "--run-id", "r-1")
        wait_until(lambda: self.ctl("approvals", "list", "--pending", "--json", status=None).out, "a gate")
        self.assertEqual(self.vote("grant", ADA, "--note", "checked").json["state"], "granted")
        out, err = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 0, err)
        self.assertIn("demonctl approvals grant r-1 prod --approver WHO", err)
        self.assertIn(f"granted by {ADA}", err)
        self.assertEqual(json.loads(out)["event"], "ritual.completed:v1")

    def test_a_denied_run_ends_with_status_5(self):
        run = self.start(DEMONCTL, "run", self.gate(), "--run-id", "r-1", "--json")
        wait_until(lambda: self.ctl("approvals", "list", "--pending", "--json", status=None).out, "a gate")
        self.vote("deny", ADA, "--reason", "not today")
        out, err = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 5, err)
        event = json.loads(out.splitlines()[-1])
        self.assertEqual(event["event"], "ritual.failed:v1")
        self.assertEqual(event["error"]["type"], "https://demon.example/errors/denied")
        self.assertIn("not today", err)
        self.assertEqual(self.status(), "Denied")

    def test_each_answer_has_its_status(self):
        self.begin(requester=KIM)
        self.vote("grant", "eve", status=5)
        self.vote("grant", KIM, status=5)
        self.vote("deny", ADA, status=1)  # no reason
        self.vote("override", ADA, "--reason", "fire", status=5)
        self.vote("grant", ADA, "--seen", "00" * 32, status=4)
        self.ctl("approvals", "grant", "r-1", "other", "--approver", ADA, status=3)
        self.ctl("approvals", "grant", "r-2", "prod", "--approver", ADA, status=3)
        self.ctl("approvals", "grant", "r-1", "prod", status=2)
        self.assertEqual(self.types("vote"), [])
        seen = self.ctl("approvals", "show", "r-1", "prod", "--json").json["seen"]
        first = self.vote("grant", ADA, "--seen", seen).json
        self.assertEqual((first["noop"], first["state"]), (False, "granted"))
        self.assertEqual(first["event"]["event"], "approval.granted:v1")
        again = self.vote("grant", LIN).json
        self.assertEqual((again["noop"], again["state"]), (True, "granted"))
        self.vote("deny", LIN, "--reason", "x", status=4)
        self.assertEqual(len(self.types("granted")), 1)

    def test_another_tenants_gate_is_not_there(self):
        self.ctl("run", self.gate(), "--run-id", "r-1", "--detach", "--tenant", "blue")
        self.vote("grant", ADA, status=3)
        self.vote("grant", ADA, "--tenant", "blue")

    def test_odd_names_are_refused(self):
        self.begin()
        for name in ("a:b", "a.b", "*", ">", "a b", "x" * 10000):
            self.ctl("approvals", "grant", "r-1", name, "--approver", ADA, status=3)
            self.ctl("approvals", "grant", name, "prod", "--approver", ADA, status=3)
        for who in ("", " x", "a\nb", "x" * 10000, "system"):
            self.assertIn(self.vote("grant", who, status=None).status, (1, 2, 5), who)
        self.assertEqual(self.types("vote"), [])

    def test_a_token_says_who_decides_whatever_the_request_says(self):
        token = self.ctl("token", "create", "--subject", LIN, "--role", "approver").out.strip()
        viewer = self.ctl("token", "create", "--subject", ADA, "--role", "viewer").out.strip()
        self.begin(authentication="token")
        self.vote("grant", LIN, status=5)
        self.vote("grant", LIN, status=5, env={"DEMON_TOKEN": viewer})
        granted = self.vote("grant", ADA, env={"DEMON_TOKEN": token}).json
        self.assertEqual(granted["event"]["approver"], LIN)
        self.assertEqual(json.loads(self.types("vote")[0][0])["authentication"], "token")

    def test_a_link_is_for_one_person_one_gate_and_once(self):
        self.begin(quorum=2)
        link = self.ctl("approvals", "link", "r-1", "prod", "--approver", ADA).out.strip()
        url = self.ctl("approvals", "link", "r-1", "prod", "--approver", ADA, "--base-url",
                       "https://ops.example.org/demon/").out.strip()
        self.assertTrue(url.startswith("https://ops.example.org/demon/approve#"), url)
        self.ctl("approvals", "link", "r-1", "prod", "--approver", "eve", status=5)
        other = link[:-8] + ("A" if link[-8] != "A" else "B") + link[-7:]
        self.ctl("approvals", "grant", "r-1", "prod", "--link", other, status=5)
        voted = self.ctl("approvals", "grant", "r-1", "prod", "--link", link, "--json").json
        self.assertEqual(voted["event"]["approver"], ADA)
        self.assertEqual(voted["event"]["authentication"], "link")
        self.begin("r-2")
        self.ctl("approvals", "grant", "r-2", "prod", "--link", link, status=5)
        self.assertIn(self.ctl("approvals", "deny", "r-1", "prod", "--link", link, "--reason", "x",
                               status=None).status, (4, 5))

    def test_why_tells_who_may_and_who_may_not(self):
        self.ctl("roles", "set", LIN, "lead")
        self.begin(requester=KIM, roles=["lead"], ttl="PT2H")
        why = self.ctl("approvals", "why", "r-1", "prod", "--json").json
        self.assertEqual(why["needs"]["grants"], {"have": 0, "need": 1})
        self.assertEqual([p["subject"] for p in why["mayVote"]], [LIN])
        excluded = {p["subject"]: p["why"] for p in why["excluded"]}
        self.assertIn("asks for the approval itself", excluded[KIM])
        self.assertIn("none of its approvers", excluded[ADA])
        self.assertEqual(why["next"][-1]["at"], why["expiresAt"])
        self.assertIn("may vote", self.ctl("approvals", "why", "r-1", "prod").out)
        self.vote("grant", LIN)
        self.assertEqual(self.ctl("approvals", "why", "r-1", "prod", "--json").json["decided"]["by"], LIN)

    def test_a_freeze_lets_nothing_be_granted_and_everything_denied(self):
        self.begin()
        self.begin("r-2")
        self.ctl("freeze", "--reason", "incident 7")
        refused = self.vote("grant", ADA, status=5)
        self.assertIn("incident 7", refused.err)
        self.assertEqual(self.status(), "Frozen")
        self.assertEqual({r["runId"] for r in self.ctl("runs", "list", "--status", "frozen", "--json").lines}, {"r-1", "r-2"})
        self.assertFalse(self.ctl("runs", "list", "--status", "AwaitingApproval", "--json").lines)
        self.assertIn("incident 7", self.ctl("approvals", "why", "r-1", "prod").out)
        self.vote("deny", ADA, "--reason", "no", run="r-2")
        self.ctl("thaw", "--reason", "over")
        self.assertEqual(self.status(), "AwaitingApproval")
        self.vote("grant", ADA)

    def test_an_override_needs_a_level_that_allows_it(self):
        self.env["APPROVAL_ESCALATION_RULES"] = json.dumps(
            {"tenants": {"default": {"gates": {"prod": CHAIN}}}})
        self.ctl("roles", "set", LIN, "head")
        self.begin()
        self.vote("override", LIN, "--reason", "fire", status=5)
        self.ctl("approvals", "escalate", "r-1", "prod")
        self.ctl("approvals", "escalate", "r-1", "prod", status=4)
        self.assertEqual(self.vote("override", LIN, "--reason", "fire").json["state"], "overridden")
        self.assertTrue(self.vote("override", LIN, "--reason", "fire").json["noop"])
        self.assertIn("approval.override", self.ctl("audit", "--json").out)

    def test_rules_that_are_malformed_start_nothing(self):
        self.env["APPROVAL_ESCALATION_RULES"] = '{"tenants":{"default":{"gates":{"prod":{"levels":[]}}}}}'
        refused = self.ctl("run", self.gate(), status=2)
        self.assertIn("/tenants/default/gates/prod/levels", refused.err)
        self.assertFalse(self.ctl("runs", "list", status=None).out)

    def test_the_allow_list_of_anybody_warns(self):
        self.env["APPROVER_ALLOWLIST"] = "*"
        self.begin()
        self.assertIn("anybody may decide", self.vote("grant", "whoever").err)

    def test_nobody_is_allowed_by_default(self):
        del self.env["APPROVER_ALLOWLIST"]
        self.begin()
        self.vote("grant", ADA, status=5)
        self.assertEqual(self.ctl("approvals", "why", "r-1", "prod", "--json").json["mayVote"], [])

    def test_what_is_rebuilt_is_what_was_there(self):
        self.begin(quorum=2)
        self.vote("grant", ADA)
        before = self.ctl("digest", "--json").json["digest"]
        self.ctl("rebuild")
        self.assertEqual(self.ctl("digest", "--json").json["digest"], before)
        self.ctl("verify")


class Daemons(Approvals):
    def test_a_decision_makes_the_daemon_go_on_at_once(self):
        daemon = Daemon(self)
        self.begin()
        wait_until(lambda: self.status() == "AwaitingApproval", "the gate")
        self.vote("grant", ADA)
        wait_until(lambda: self.status() == "Completed", "the run to end")
        self.assertEqual(daemon.stop()[0], 0)

    def test_a_deadline_is_kept_by_a_daemon_that_was_not_there_when_it_was_set(self):
        self.begin(ttl=1)
        time.sleep(1.2)
        self.assertEqual(self.status(), "AwaitingApproval")
        daemon = Daemon(self)
        wait_until(lambda: self.status() == "Denied", "the deadline")
        denied = json.loads(self.types("denied")[0][0])
        self.assertEqual((denied["approver"], denied["reason"]), ("system", "expired"))
        self.assertEqual(daemon.stop()[0], 0)

    def test_a_run_at_a_gate_can_be_canceled(self):
        daemon = Daemon(self)
        self.begin()
        wait_until(lambda: self.status() == "AwaitingApproval", "the gate")
        self.ctl("runs", "cancel", "r-1")
        self.vote("grant", ADA, status=4)
        self.assertEqual(self.status(), "Canceled")
        self.assertEqual(daemon.stop()[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=0)
