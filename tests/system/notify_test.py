"""Notifications: nothing is lost, nothing is sent twice beyond its key, and no run waits for them."""

import email
import email.policy
import json
import random
import re
import signal
import subprocess
import sys
import time
import unittest

from endpoints import Hook, MailSink, signature_of
from support import DEMOND, Case, Daemon, free_port, wait_until

SECRET = "s3cr3t-of-the-hook"


class Notifications(Case):
    def setUp(self):
        super().setUp()
        self.env.update({"SECRET_HOOKS_KEY": SECRET, "DEMON_PUBLIC_URL": "https://ops.test/demon"})
        self.failing = self.ritual("deploy", ("boom", ["false"], {}))

    def route(self, name, all_tenants=True, status=0, **value):
        self.ctl("routes", "set", name, json.dumps(value), *(["--all-tenants"] if all_tenants else []),
                 status=status)

    def hook_route(self, name, hook, *events, **more):
        self.route(name, kind="webhook", url=hook.url, events=list(events) or ["ritual.failed"], **more)

    def fail_run(self, run_id):
        self.ctl("run", self.failing, "--run-id", run_id, status=1)

    def notifications(self, state):
        return self.ctl("--json", "notifications", "list", "--state", state).lines

    def wait_for_none_due(self, limit=60):
        wait_until(lambda: not self.sql("SELECT 1 FROM v_notifications WHERE state = 'due'"),
                   "no notification to be due", limit)

    def assert_told(self, hook, runs):
        """Every run was told, and each key stands for one body."""
        bodies = {}
        for request in hook.requests:
            self.assertEqual(bodies.setdefault(request["key"], request["body"]), request["body"])
        told = sorted(json.loads(body)["runId"] for body in bodies.values())
        self.assertEqual(told, sorted(runs))

    def test_a_failed_run_is_told_with_a_signature(self):
        hook = Hook(self)
        self.hook_route("hook", hook, secret="secret://hooks/key")
        daemon = Daemon(self)
        self.fail_run("r-1")
        wait_until(hook.count, "a request")
        request = hook.requests[0]
        self.assertEqual(request["headers"]["Webhook-Signature"], signature_of(request, SECRET))
        body = json.loads(request["body"])
        self.assertEqual(body["event"], "ritual.failed")
        self.assertEqual(body["url"], "https://ops.test/demon/runs/r-1")
        self.assertEqual(body["data"]["event"], "ritual.failed:v1")
        self.wait_for_none_due()
        self.assertEqual(daemon.stop()[0], 0)
        self.assertEqual(hook.count(), 1)
        self.assertEqual([n["state"] for n in self.notifications("sent")], ["sent"])

    def test_what_happened_before_the_daemon_started_is_told(self):
        hook = Hook(self)
        self.hook_route("hook", hook)
        self.fail_run("r-1")
        Daemon(self)
        wait_until(hook.count, "a request")
        self.assert_told(hook, ["r-1"])

    def test_an_endpoint_that_is_down_for_a_while_misses_nothing(self):
        port = free_port()
        self.route("hook", kind="webhook", url=f"http://127.0.0.1:{port}/", events=["ritual.failed"])
        daemon = Daemon(self)
        runs = [f"r-{i}" for i in range(6)]
        for run in runs:
            self.fail_run(run)
        wait_until(lambda: self.sql("SELECT sum(attempts) FROM v_notifications")[0][0] > 3, "attempts")
        hook = Hook(self, port=port)
        self.wait_for_none_due()
        self.assert_told(hook, runs)
        self.assertEqual(hook.count(), len(runs))
        lines = [line["msg"] for line in daemon.lines()]
        self.assertEqual(lines.count("notifications do not arrive"), 1)
        self.assertEqual(lines.count("notifications arrive again"), 1)

    def test_odd_answers_are_failures_and_the_key_stays(self):
        def flood(handler):
            handler.send_response(500)
            handler.end_headers()
            for _ in range(4096):
                handler.wfile.write(b"x" * 65536)

        def cut(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")

        answers = [flood, cut, (429, {"Retry-After": "1"})]
        hook = Hook(self, lambda number, request: answers[number - 1] if number <= 3 else 204)
        self.hook_route("hook", hook)
        Daemon(self)
        self.fail_run("r-1")
        wait_until(lambda: hook.count() >= 4, "four attempts", 90)
        self.wait_for_none_due()
        self.assertEqual(hook.count(), 4)
        self.assertEqual(len(set(hook.keys())), 1)
        self.assert_told(hook, ["r-1"])

    def test_a_large_answer_to_what_was_taken_is_not_read(self):
        def large(handler):
            handler.send_response(200)
            handler.end_headers()
            for _ in range(65536):
                handler.wfile.write(b"x" * 65536)

        hook = Hook(self, lambda number, request: large)
        self.hook_route("hook", hook)
        Daemon(self)
        self.fail_run("r-1")
        wait_until(lambda: self.notifications("sent"), "it to be sent")
        self.assertEqual(hook.count(), 1)

    def test_a_slow_endpoint_delays_neither_runs_nor_others(self):
        slow = Hook(self, lambda number, request: time.sleep(2) or 200)
        quick = Hook(self)
        self.hook_route("slow", slow, "ritual.completed")
        self.hook_route("quick", quick, "ritual.completed")
        Daemon(self)
        good = self.ritual("good", ("a", ["true"], {}), ("b", ["true"], {}))
        began = time.monotonic()
        for i in range(5):
            self.ctl("run", good, "--run-id", f"g-{i}", "--detach")
        wait_until(lambda: quick.count() == 5, "the quick one to know", 15)
        took = time.monotonic() - began
        self.assertLess(quick.requests[-1]["time"] - began, 15)
        rows = self.sql("SELECT status, duration_ms FROM v_runs")
        self.assertEqual([status for status, _ in rows], ["Completed"] * 5)
        self.assertLess(max(ms for _, ms in rows), 3500)
        self.assertLess(took, 15)
        wait_until(lambda: slow.count() == 5, "the slow one to know", 40)
        self.wait_for_none_due()
        self.assertEqual((len(set(quick.keys())), quick.count()), (5, 5))
        self.assertEqual((len(set(slow.keys())), slow.count()), (5, 5))

    def test_undisturbed_nothing_is_sent_twice(self):
        seed = random.randrange(1 << 30)
        print("seed", seed, file=sys.stderr)
        chance = random.Random(seed)
        hooks = [Hook(self, lambda n, request: time.sleep(chance.random() * 0.06) or 200) for _ in range(8)]
        for i, hook in enumerate(hooks):
            self.hook_route(f"hook-{i}", hook, "ritual.completed")
        Daemon(self)
        good = self.ritual("good", ("a", ["true"], {}))
        for i in range(40):
            self.ctl("run", good, "--run-id", f"g-{i}", "--detach")
        wait_until(lambda: all(hook.count() >= 40 for hook in hooks), "all to know", 60)
        self.wait_for_none_due()
        for hook in hooks:
            self.assertEqual((len(set(hook.keys())), hook.count()), (40, 40))

    def test_kill_in_between_loses_nothing_and_changes_no_key(self):
        hook = Hook(self, lambda number, request: time.sleep(0.05) or (500 if number % 3 == 0 else 200))
        self.hook_route("hook", hook)
        runs = []
        for round_ in range(5):
            daemon = Daemon(self)
            for i in range(3):
                runs.append(f"r-{round_}-{i}")
                self.fail_run(runs[-1])
            seen = hook.count()
            wait_until(lambda: hook.count() > seen, "another request")
            time.sleep(0.01 * round_)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait()
        Daemon(self)
        self.wait_for_none_due()
        self.assert_told(hook, runs)
        self.assertEqual(len(self.notifications("sent")), len(runs))
        self.ctl("verify")

    def test_killed_wherever_the_outcome_is_not_durable_it_sends_the_same_again(self):
        hook = Hook(self)
        self.hook_route("hook", hook)
        runs = []
        for n, point in enumerate(("notice.sent", "commit.before", "commit.after", "txn.begun") * 2):
            runs.append(f"r-{n}")
            self.fail_run(runs[-1])
            # what ships has no such points, and just sends
            seen = hook.count()
            process = self.start(DEMOND, "-q", "--listen", "127.0.0.1:0",
                                 env={"DEMON_FAULT": f"{point}:{1 + n // 4}:kill"})
            wait_until(lambda: hook.count() > seen or process.poll() is not None, "it to begin")
            time.sleep(0.1)
            process.kill()
            process.wait()
        Daemon(self)
        self.wait_for_none_due()
        self.assert_told(hook, runs)

    def test_what_is_refused_is_dead_until_somebody_asks(self):
        refuse = [True]
        hook = Hook(self, lambda number, request: 400 if refuse[0] else 200)
        self.hook_route("hook", hook, attempts=1)
        Daemon(self)
        self.fail_run("r-1")
        dead = wait_until(lambda: self.notifications("dead"), "it to be given up")
        self.assertEqual(dead[0]["error"], "the answer was 400")
        self.assertEqual(dead[0]["status"], 400)
        key = dead[0]["key"]
        self.assertIn("the answer was 400", self.ctl("notifications", "show", key).out)
        self.assertIn(key, self.ctl("notifications", "list").out)
        doctor = self.ctl("--json", "doctor", status=1).lines
        self.assertIn("1 given up", [c["text"] for c in doctor if c["check"] == "notifications"][0])
        self.ctl("notifications", "show", "0" * 32, status=3)
        refuse[0] = False
        self.assertEqual(self.ctl("--json", "notifications", "retry", key).json, {"count": 1})
        wait_until(lambda: self.notifications("sent"), "it to be sent")
        self.assertEqual(hook.keys(), [key, key])
        self.ctl("notifications", "retry", key, status=4)
        self.ctl("notifications", "drop", key, status=4)
        self.ctl("notifications", "drop", status=2)
        self.assertEqual(self.ctl("--json", "notifications", "drop", "--all").json, {"count": 0})

    def test_routes_are_set_listed_tested_and_removed(self):
        hook = Hook(self)
        path = self.write("hook.yaml", f"kind: webhook\nurl: {hook.url}\nevents: [ritual.failed]\n"
                                       "secret: secret://hooks/key\n")
        self.ctl("routes", "set", "hook", "@" + path, "--by", "kim", "--reason", "on call")
        self.assertTrue(self.ctl("--json", "routes", "set", "hook", "@" + path).json["noop"])
        listed = self.ctl("--json", "routes", "list").json
        self.assertEqual((listed["name"], listed["tenant"], listed["by"]), ("hook", "default", "kim"))
        self.assertEqual(listed["value"]["kind"], "webhook")
        self.assertIn("ritual.failed", self.ctl("routes", "list").out)
        self.assertTrue(self.ctl("--json", "routes", "test", "hook").json["taken"])
        self.assertEqual(json.loads(hook.requests[0]["body"])["event"], "test")
        result = self.ctl("routes", "set", "x", '{"kind":"slack","url":"https://a.test","events":["x"]}',
                          status=1)
        self.assertIn("route 'x': at '/events/0': 'x' is no event of notifications", result.err)
        self.assertIn("hint: docs/notifications.md", result.err)
        hook.close()
        self.ctl("routes", "test", "hook", status=1)
        self.ctl("routes", "test", "nope", status=3)
        self.ctl("routes", "remove", "hook")
        self.ctl("routes", "remove", "hook", status=3)
        self.assertEqual(self.ctl("--json", "routes", "list").out, "")
        self.assertNotIn(SECRET, self.ctl("export").out)

    def certificate(self):
        key, crt = self.path("key.pem"), self.path("crt.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                        crt, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return crt, key

    def open_gate(self, run_id, **terms):
        path = self.write("gate.json", json.dumps({
            "document": {"dsl": "1.0.3", "namespace": "default", "name": "release", "version": "1"},
            "do": [{"ask": {"call": "approval", "with": dict(
                {"gate": "prod", "reason": "Ausrollen: größer\r\nBcc: evil@corp.test",
                 "requester": "kim@corp.test"}, **terms)}}]}))
        self.ctl("run", path, "--run-id", run_id, "--detach")

    def test_each_approver_gets_a_mail_with_a_link_of_their_own(self):
        sink = MailSink(self)
        self.route("mail", kind="smtp", url=f"smtp://127.0.0.1:{sink.port}", startTls="never",
                   **{"from": "demon@corp.test"}, approvers=True, links=True,
                   events=["approval.requested", "approval.decided"], to=["ops@corp.test"],
                   templates={"approval.requested": {"title": "{{reason}}"}})
        Daemon(self)
        self.open_gate("r-1", approvers=["lee@corp.test", "ada@corp.test", "someone"])
        wait_until(lambda: sink.count() == 3, "three mails")
        links = set()
        for mail in sink.mails:
            message = email.message_from_bytes(mail["data"], policy=email.policy.default)
            self.assertEqual(message["To"].addresses[0].addr_spec, mail["to"])
            self.assertEqual(message["Subject"], "Ausrollen: größer  Bcc: evil@corp.test")
            self.assertIsNone(message["Bcc"])
            self.assertRegex(message["Message-ID"], r"^<[0-9a-f]{32}@corp\.test>$")
            text = message.get_content()
            self.assertIn("https://ops.test/demon/runs/r-1", text)
            link = re.search(r"https://ops\.test/demon/approve#\S+", text)
            # who may not decide is told, and gets no link
            self.assertEqual(link is None, mail["to"] == "ops@corp.test")
            links.add(link and link.group(0))
        self.assertEqual(len(links), 3)
        self.assertEqual({m["to"] for m in sink.mails}, {"lee@corp.test", "ada@corp.test", "ops@corp.test"})
        self.env["APPROVER_ALLOWLIST"] = "lee@corp.test"
        to_lee = [m for m in sink.mails if m["to"] == "lee@corp.test"][0]
        text = email.message_from_bytes(to_lee["data"], policy=email.policy.default).get_content()
        token = re.search(r"/approve#(\S+)", text).group(1)
        self.ctl("approvals", "grant", "r-1", "prod", "--link", token)
        wait_until(lambda: sink.count() == 4, "the outcome to be told")
        told = email.message_from_bytes(sink.mails[3]["data"], policy=email.policy.default)
        self.assertEqual(told["Subject"], "approval granted: gate prod of release")
        self.assertIn("granted by lee@corp.test", told.get_content())

    def test_mail_servers_that_fail_get_it_again(self):
        answers = ["451 later", "close", "554 spam"]
        sink = MailSink(self, lambda number, to: answers[number - 1] if number <= 3 else None)
        self.route("mail", kind="smtp", url=f"smtp://127.0.0.1:{sink.port}", startTls="never",
                   **{"from": "demon@corp.test"}, to=["ops@corp.test"], events=["ritual.failed"])
        Daemon(self)
        self.fail_run("r-1")
        wait_until(sink.count, "a mail", 60)
        self.wait_for_none_due()
        self.assertEqual((sink.count(), sink.attempts), (1, 4))

    def test_mail_goes_over_tls_that_is_verified_or_not_at_all(self):
        crt, key = self.certificate()
        sink = MailSink(self, certificate=(crt, key), user=("kim", "pässword"))
        self.env.update({"SECRET_MAIL_USER": "kim", "SECRET_MAIL_PW": "pässword"})
        value = {"kind": "smtp", "url": f"smtp://127.0.0.1:{sink.port}", "from": "demon@corp.test",
                 "to": ["ops@corp.test"], "events": ["ritual.failed"],
                 "username": "secret://mail/user", "password": "secret://mail/pw"}
        self.route("mail", **value)
        result = self.ctl("--json", "routes", "test", "mail", "--all-tenants", status=1)
        self.assertFalse(result.json["taken"])
        self.assertEqual(sink.count(), 0)
        self.route("mail", caFile=crt, **value)
        self.ctl("routes", "test", "mail", "--all-tenants")
        self.assertEqual((sink.mails[0]["secure"], sink.mails[0]["user"]), (True, ["kim", "pässword"]))
        plain = MailSink(self)
        self.route("mail", **dict(value, url=f"smtp://127.0.0.1:{plain.port}"))
        self.ctl("routes", "test", "mail", "--all-tenants", status=1)
        self.assertEqual(plain.count(), 0)


if __name__ == "__main__":
    unittest.main()
