"""demond: HTTP, one a database, runs that it takes up, signals."""

import http.client
import json
import os
import shutil
import signal
import socket
import unittest
from datetime import datetime
import urllib.parse

from support import DEMONCTL, DEMOND, ECHO, Case, Daemon, wait_until


class Http(Case):
    def setUp(self):
        super().setUp()
        self.daemon = Daemon(self)
        self.address = urllib.parse.urlparse(self.daemon.url)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def raw(self, text):
        """Sends bytes and returns the status line that comes back."""
        with socket.create_connection((self.address.hostname, self.address.port), 20) as s:
            s.sendall(text)
            return s.recv(4096).split(b"\r\n")[0].decode()

    def test_healthz(self):
        status, headers, body = self.request("GET", "/healthz")
        self.assertEqual((status, json.loads(body)), (200, {"status": "ok"}))
        self.assertEqual(headers["Content-Type"], "application/json")
        status, headers, body = self.request("HEAD", "/healthz")
        self.assertEqual((status, body, headers["Content-Length"]), (200, b"", "15"))

    def test_a_database_that_cannot_be_read_is_not_healthy(self):
        for name in (self.db, self.db + "-wal"):
            if os.path.exists(name):
                os.truncate(name, 0)
        status, _, body = self.request("GET", "/healthz")
        self.assertEqual((status, list(json.loads(body))), (503, ["error"]))
        self.assertIn("not healthy", self.daemon.text())
        self.assertEqual(self.request("HEAD", "/healthz")[0], 503)

    def test_a_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=20)
        for _ in range(3):
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            self.assertFalse(response.will_close)
        connection.close()

    def test_everything_else_is_an_error_as_json(self):
        for method, path, want in [
            ("GET", "/", 404),
            ("GET", "/healthz/", 404),
            ("GET", "/../etc/passwd", 404),
            ("POST", "/", 404),
            ("POST", "/healthz", 405),
            ("DELETE", "/healthz", 405),
            ("OPTIONS", "/healthz", 405),
        ]:
            with self.subTest(method=method, path=path):
                status, headers, body = self.request(method, path)
                self.assertEqual(status, want)
                self.assertEqual(list(json.loads(body)), ["error"])
                if want == 405:
                    self.assertEqual(headers["Allow"], "GET, HEAD")

    def test_bodies_are_refused(self):
        status, _, body = self.request("GET", "/healthz", b"x" * 100)
        self.assertEqual(status, 413)
        self.assertEqual(list(json.loads(body)), ["error"])
        chunked = b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertIn("413", self.raw(chunked))

    def test_limits_on_headers_and_nonsense(self):
        self.assertIn("431", self.raw(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 40000 + b"\r\n\r\n"))
        self.raw(b"\0\0\0\0\r\n\r\n")
        self.raw(b"GET " + b"/" * 40000 + b" HTTP/1.1\r\n\r\n")
        self.assertEqual(self.request("GET", "/healthz")[0], 200)

    def test_idle_connections_do_not_shut_others_out_for_good(self):
        idle = [socket.create_connection((self.address.hostname, self.address.port), 20) for _ in range(30)]
        wait_until(lambda: self.answers(), "an answer beside idle connections")
        for s in idle:
            s.close()

    def answers(self):
        try:
            return self.request("GET", "/healthz")[0] == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False


class Life(Case):
    def test_ends_on_sigterm_and_sigint_with_status_0_within_two_seconds(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            status, seconds = Daemon(self).stop(sig)
            self.assertEqual(status, 0)
            self.assertLess(seconds, 2)

    def test_a_second_one_is_refused(self):
        daemon = Daemon(self)
        result = self.run_program(DEMOND, "--listen", "127.0.0.1:0", status=6)
        self.assertIn("another demond holds", result.err)
        daemon.stop()
        Daemon(self).stop()

    def test_a_port_in_use_is_status_6(self):
        daemon = Daemon(self)
        address = daemon.url.split("//")[1]
        other = {"DEMON_DB": self.path("other.db")}
        result = self.run_program(DEMOND, "--listen", address, status=6, env=other)
        self.assertIn(address, result.err)

    def test_beyond_loopback_it_refuses_to_start(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80", "128.0.0.1:1"):
            err = self.run_program(DEMOND, "--listen", address, status=5).err
            self.assertIn("token", err)
        self.assertFalse(os.path.exists(self.db))

    def test_addresses_that_are_none(self):
        for address in ("", ":", "3000", "localhost", "127.0.0.1:x", "127.0.0.1:65536", "::1:3000",
                        "[127.0.0.1]:1", "[::1:1", "127.0.0.1:-1", "x" * 1000 + ":1"):
            with self.subTest(address=address[:20]):
                self.run_program(DEMOND, "--listen", address, status=2)

    def test_ipv6_and_localhost_are_loopback(self):
        self.assertIn("http://localhost:", Daemon(self, "--listen", "localhost:0").url)

    def test_sighup_opens_the_log_again(self):
        daemon = Daemon(self)
        os.rename(daemon.log, daemon.log + ".1")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "opened again" in daemon.text(), "the new log")
        self.assertEqual(daemon.stop()[0], 0)
        self.assertIn("ended", daemon.text())

    def test_the_label_of_the_node(self):
        daemon = Daemon(self, "--node-id", "box-1")
        daemon.stop()
        self.assertEqual(daemon.lines()[0]["node"], "box-1")
        self.assertEqual(self.ctl("status", "--json").json["nodeId"], "box-1")

    def test_print_config_says_where_values_come_from(self):
        config = self.run_program(DEMOND, "--print-config", "--json", "--listen", "127.0.0.1:1").json
        self.assertEqual(config["db"], {"from": "DEMON_DB", "value": self.db})
        self.assertEqual(config["listen"]["from"], "--listen")
        self.assertEqual(config["tenant"], {"from": "default", "value": "default"})
        self.assertIn("DEMON_DB", self.run_program(DEMOND, "--print-config").out)
        self.assertFalse(os.path.exists(self.db))

    def test_the_configuration_file_stands_behind_flags_and_the_environment(self):
        file = self.write("demond.yaml", """
            listen: 127.0.0.1:1
            workers: 3
            tenant: blue
            db: elsewhere.db
            approvers: [ada@corp.test, lin@corp.test]
            escalation: {tenants: {blue: {gates: {prod: {levels: [{level: 1, roles: [lead], timeoutSeconds: 60}]}}}}}
            """)
        config = self.run_program(DEMOND, "--config", file, "--print-config", "--json", "--listen", "127.0.0.1:2").json
        self.assertEqual(config["listen"], {"from": "--listen", "value": "127.0.0.1:2"})
        self.assertEqual(config["workers"], {"from": "--config", "value": "3"})
        self.assertEqual(config["tenant"], {"from": "--config", "value": "blue"})
        self.assertEqual(config["db"]["from"], "DEMON_DB")
        for text, why in (("nonsense: 1", "unknown setting 'nonsense'"), ("liste: x", "did you mean 'listen'"),
                          ("workers: [1]", ":1:1: workers"), ("- a", "expected a mapping"), ("workers: many", "workers"),
                          ("approvers: [1]", "approvers"), ("a: b: c", ":1:")):
            refused = self.run_program(DEMOND, "--config", self.write("bad.yaml", text), status=2)
            self.assertIn(why, refused.err)
            self.assertFalse(os.path.exists(self.db))
        bad = self.write("bad.yaml", "escalation: {tenants: {blue: {gates: {prod: {levels: []}}}}}")
        refused = self.run_program(DEMOND, "--config", bad, "--listen", "127.0.0.1:0", status=2)
        self.assertIn("/tenants/blue/gates/prod/levels", refused.err)
        self.run_program(DEMOND, "--config", "none.yaml", status=3)

    def test_misuse(self):
        for args in (["--nonsense"], ["word"], ["--api-url", "x"], ["--node-id", ""]):
            result = self.run_program(DEMOND, *args, status=2)
            self.assertTrue(result.err.startswith("demond: "))

    def test_a_log_file_that_cannot_be_opened(self):
        result = self.run_program(DEMOND, "--log-file", self.path("none", "x"), status=1)
        self.assertIn("log file", result.err)


class Log(Case):
    TEXT = r"^\d{4}-\d\d-\d\dT[\d:.]{12}Z (error|warn|info|debug) \S"

    def events_of(self, daemon, run_id):
        return [line["event"] for line in daemon.lines() if line.get("runId") == run_id and "event" in line]

    def test_the_file_has_a_json_object_a_record_and_stderr_a_line_of_text(self):
        daemon = Daemon(self)
        daemon.stop()
        lines = daemon.lines()
        for line in lines:
            self.assertEqual(list(line)[:3], ["ts", "level", "msg"])
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT[\d:.]{12}Z$")
            self.assertIn(line["level"], ("error", "warn", "info", "debug"))
        self.assertEqual((lines[0]["db"], lines[-1]["msg"]), (self.db, "ended"))
        texts = daemon.err.splitlines()
        self.assertEqual(len(texts), len(lines))
        for text in texts:
            self.assertRegex(text, self.TEXT)
        self.assertIn(f" db={self.db} ", texts[0])

    def test_what_a_value_holds_stays_within_its_line(self):
        name = 'a "b"\\\n\t\x7f=\u00e9'
        daemon = Daemon(self, env={"DEMON_DB": self.path(name)})
        daemon.stop()
        self.assertEqual(daemon.lines()[0]["db"], self.path(name))
        self.assertIn('a \\"b\\"\\\\\\x0a\\x09\\x7f=\u00e9"', daemon.err)
        self.assertEqual(len(daemon.err.splitlines()), len(daemon.lines()))

    def journal(self, change):
        """What a daemon writes to a stderr that JOURNAL_STREAM names, but for `change`."""
        ours, theirs = os.pipe()
        with open(ours, encoding="utf-8") as file:
            st = os.fstat(theirs)
            env = {"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino + change}"}
            daemon = Daemon(self, stderr=theirs, env=env)
            os.close(theirs)
            daemon.stop()
            return file.read().splitlines()

    def test_the_journal_gets_priorities_and_no_time(self):
        lines = self.journal(0)
        self.assertRegex(lines[0], r"^<6>listening on http://127.0.0.1:\d+ db=")
        self.assertEqual(lines[-1], "<6>ended")

    def test_a_stderr_that_is_not_the_journal_gets_text(self):
        for line in self.journal(1):
            self.assertRegex(line, self.TEXT)

    def test_quiet_leaves_errors_only_on_stderr(self):
        daemon = Daemon(self, "--quiet")
        for name in (self.db, self.db + "-wal"):
            if os.path.exists(name):
                os.truncate(name, 0)
        address = urllib.parse.urlparse(daemon.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        connection.request("GET", "/healthz")
        self.assertEqual(connection.getresponse().status, 503)
        connection.close()
        daemon.stop()
        self.assertIn("listening on", daemon.text())
        self.assertIn(" error not healthy ", daemon.err)
        self.assertNotIn(" info ", daemon.err)

    def test_the_life_of_a_run_can_be_read_in_the_log_whoever_executes_it(self):
        daemon = Daemon(self)
        self.ctl("run", ECHO, "--run-id", "here", "--param", "message=Rumpelstiltskin")
        self.ctl("run", ECHO, "--run-id", "there", "--detach", "--param", "message=Rumpelstiltskin")
        wait_until(lambda: "ritual.completed:v1" in self.events_of(daemon, "there"), "the run")
        daemon.stop()
        for run_id in ("here", "there"):
            events = self.events_of(daemon, run_id)
            self.assertEqual((events[0], events[-1]), ("ritual.started:v1", "ritual.completed:v1"))
            self.assertFalse([event for event in events if event.startswith("step.")])
        line = next(line for line in daemon.lines() if line.get("event") == "ritual.started:v1")
        self.assertEqual(line["msg"], "ritual started")
        self.assertEqual((line["level"], line["tenantId"], line["ritualId"]), ("info", "default", "echo-ritual"))
        self.assertRegex(daemon.err, r"info ritual started event=ritual.started:v1 runId=here ")
        self.assertNotIn("Rumpelstiltskin", daemon.text())

    def test_verbose_tells_the_steps_too(self):
        daemon = Daemon(self, "--verbose")
        self.ctl("run", ECHO, "--run-id", "r1")
        daemon.stop()
        want = [e["type"] for e in self.ctl("runs", "events", "r1", "--json").lines]
        self.assertEqual(self.events_of(daemon, "r1"), want)
        self.assertIn("step.started:v1", want)

    def test_what_happened_before_is_not_told_again(self):
        self.ctl("run", ECHO, "--run-id", "before")
        daemon = Daemon(self)
        self.ctl("run", ECHO, "--run-id", "after")
        daemon.stop()
        self.assertNotIn("before", daemon.text())
        self.assertIn("after", daemon.text())

    def test_events_that_come_too_fast_are_counted_instead(self):
        action = {"functionRef": {"refName": "echo", "arguments": {"message": "x"}}}
        states = [{"name": f"S{i}", "type": "task", "action": action, "end": i == 999} for i in range(1000)]
        ritual = self.write("many.json", json.dumps({"id": "many", "version": "1.0", "states": states}))
        self.ctl("run", ritual, "-q", env={"DEMON_DB": self.path("other.db")})
        log = self.ctl("export", env={"DEMON_DB": self.path("other.db")}).out
        daemon = Daemon(self, "--verbose")
        self.ctl("import", "-", input=log)
        daemon.stop()
        told = sum("event" in line for line in daemon.lines())
        skipped = sum(int(line["skipped"]) for line in daemon.lines() if "skipped" in line)
        self.assertEqual(told + skipped, len(log.splitlines()))
        self.assertGreaterEqual(told, 2000)


class Runs(Case):
    def status(self, run_id):
        return self.ctl("runs", "show", run_id, "--json").json["status"]

    def wait_for(self, run_id, status):
        wait_until(lambda: self.status(run_id) == status, f"{run_id} to be {status}")

    def test_a_detached_run_is_executed(self):
        daemon = Daemon(self)
        self.assertTrue(self.ctl("status", "--json").json["daemon"])
        run_id = self.ctl("run", ECHO, "--detach").out.strip()
        self.wait_for(run_id, "Completed")
        wait_until(lambda: run_id in daemon.text(), "a line in the log")

    def test_detached_runs_go_on_side_by_side(self):
        Daemon(self)
        go = self.path("go")
        path = self.ritual("waits", ("Wait", ["sh", "-c", f"until [ -e {go} ]; do sleep 0.02; done"], {}))
        self.ctl("run", path, "--detach", "--run-id", "slow")
        self.ctl("run", ECHO, "--detach", "--run-id", "fast")
        self.wait_for("fast", "Completed")
        self.assertEqual(self.status("slow"), "Running")
        self.write("go", "")
        self.wait_for("slow", "Completed")

    def test_a_short_wait_that_begins_in_the_daemon_is_short(self):
        Daemon(self)
        waits = {"for": {"in": "[range(10)]"}, "do": [{"nap": {"wait": {"milliseconds": 10}}}]}
        path = self.write("naps.yaml", json.dumps({
            "document": {"dsl": "1.0.3", "namespace": "default", "name": "naps", "version": "1"},
            "do": [{"naps": waits}],
        }))
        self.ctl("run", path, "--detach", "--run-id", "r1")
        self.wait_for("r1", "Completed")
        late = [
            event["payload"] for event in self.ctl("runs", "events", "r1", "--json").lines
            if event["type"] == "timer.fired:v1"
        ]
        self.assertEqual(len(late), 10)
        seconds = sum(
            (datetime.fromisoformat(fired["ts"][:-1]) - datetime.fromisoformat(fired["scheduledFor"][:-1]))
            .total_seconds() for fired in late
        )
        self.assertLess(seconds, 5)

    def test_a_run_in_the_foreground_stays_with_its_process(self):
        Daemon(self)
        path = self.ritual("here", ("Where", ["sh", "-c", 'echo "$PPID"'], {}))
        for i in range(10):
            process = self.start(DEMONCTL, "run", path, "--json", "-q")
            out, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 0, err)
            stdout = json.loads(out)["outputs"]["result"]["data"]["stdout"]
            self.assertEqual(int(stdout), process.pid)

    def kill_in_step(self, *more):
        """Kills -9 a demonctl in the first attempt of a step, which would take a minute."""
        flag = self.path("in-step")
        script = f'if [ "$DEMON_ATTEMPT" = 1 ]; then touch {flag}; sleep 60; fi'
        path = self.ritual("orphan", ("Long", ["sh", "-c", script], *more))
        process = self.start(DEMONCTL, "run", path, "--run-id", "r1")
        wait_until(lambda: os.path.exists(flag), "the step")
        process.kill()
        process.communicate()

    def test_a_run_left_by_a_killed_process_is_taken_up(self):
        Daemon(self)
        self.kill_in_step({"idempotent": True})
        self.wait_for("r1", "Completed")
        run = self.ctl("runs", "show", "r1", "--json").json
        self.assertEqual([(s["name"], s["attempt"]) for s in run["steps"]], [("Long", 2)])
        self.ctl("verify")

    def test_it_is_taken_up_at_the_start_too(self):
        self.kill_in_step({"idempotent": True})
        self.assertEqual(self.status("r1"), "Running")
        Daemon(self)
        self.wait_for("r1", "Completed")

    def test_a_step_that_may_not_be_repeated_suspends_the_run(self):
        self.kill_in_step({})
        Daemon(self)
        self.wait_for("r1", "Suspended")

    def test_ending_stops_before_the_next_step(self):
        daemon = Daemon(self)
        go, flag, second = self.path("go"), self.path("flag"), self.path("second")
        wait = f"touch {flag}; until [ -e {go} ]; do sleep 0.02; done"
        path = self.ritual("two", ("One", ["sh", "-c", wait], {}), ("Two", ["touch", second], {}))
        self.ctl("run", path, "--detach", "--run-id", "r1")
        wait_until(lambda: os.path.exists(flag), "the first step")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "ending" in daemon.text(), "the signal to arrive")
        self.write("go", "")
        daemon.process.communicate(timeout=20)
        self.assertEqual(daemon.process.returncode, 0)
        run = self.ctl("runs", "show", "r1", "--json").json
        self.assertEqual(run["status"], "Running")
        self.assertEqual([(s["name"], s["status"]) for s in run["steps"]], [("One", "Completed")])
        self.assertFalse(os.path.exists(second))
        Daemon(self)
        self.wait_for("r1", "Completed")
        run = self.ctl("runs", "show", "r1", "--json").json
        self.assertEqual([s["attempt"] for s in run["steps"]], [1, 1])

    def test_a_second_signal_ends_it_within_a_step(self):
        daemon = Daemon(self)
        flag = self.path("flag")
        path = self.ritual("long", ("Long", ["sh", "-c", f"touch {flag}; sleep 60"], {}))
        self.ctl("run", path, "--detach", "--run-id", "r1")
        wait_until(lambda: os.path.exists(flag), "the step")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "ending" in daemon.text(), "the signal to arrive")
        self.assertEqual(daemon.stop()[0], 0)
        self.assertEqual(self.status("r1"), "Running")
        Daemon(self)
        self.wait_for("r1", "Suspended")

    def test_a_run_that_cannot_be_executed_is_reported_once(self):
        self.kill_in_step({"idempotent": True})
        daemon = Daemon(self)
        self.wait_for("r1", "Completed")
        self.assertEqual(daemon.text().count("run executed"), 1)

    def test_runs_that_cannot_be_executed_keep_no_other_from_it(self):
        poison = self.write("poison.yaml", """
document: {dsl: 1.0.3, namespace: default, name: poison, version: '1'}
do:
  - a: {set: {v: '${ 1 }'}}
""")
        # a daemon that finds no demon-expr beside it
        os.makedirs(self.path("alone/bin"))
        Daemon(self, "--workers", "2", program=shutil.copy(DEMOND, self.path("alone/bin/demond")))
        for i in range(40):
            self.ctl("run", poison, "--detach", "--run-id", f"p{i:02}")
        self.ctl("run", ECHO, "--detach", "--run-id", "z")
        self.wait_for("z", "Completed")
        self.assertEqual(self.status("p00"), "Running")


if __name__ == "__main__":
    unittest.main()
