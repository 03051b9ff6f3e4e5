"""The example rituals, against real files, programs and services on loopback."""

import json
import os
import stat
import sys
import unittest
import urllib.error
import urllib.request

from service_stub import Stub
from support import DEMONCTL, SOURCE, Case, Daemon, free_port, wait_until

RITUALS = os.path.join(SOURCE, "examples/rituals")
CREDENTIAL = os.path.join(RITUALS, "credential.sh")
OLD = "the-credential-of-before"
# A host: answers for its name, on SIGHUP begins anew (500 when the folder says that it is broken).
HOST = """
import http.server, os, signal, sys
signal.signal(signal.SIGHUP, lambda *_: os.execv(sys.executable, [sys.executable] + sys.argv))
folder, port = sys.argv[1], int(sys.argv[2])
status = 500 if os.path.exists(f"{folder}/broken.{port}") else 200
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
with open(f"{folder}/begun.{port}", "a") as f:
    f.write("begun\\n")
server.serve_forever()
"""


class Example(Case):
    def example(self, name, values, status=0, run_id="r", more=()):
        return self.ctl("--json", *more, "run", os.path.join(RITUALS, name), "--run-id", run_id,
                        "--input", json.dumps(values), status=status).lines[-1]

    def script(self, name, text):
        path = self.write(name, "#!/bin/sh\nset -eu\n" + text + "\n")
        os.chmod(path, 0o755)
        return path

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as f:
            return f.read()

    def steps(self, run_id="r"):
        """The steps of a run as (name, status), as they began, without the workflow itself."""
        steps = self.ctl("--json", "runs", "show", run_id).json["steps"]
        return [(s["name"], s["status"]) for s in steps if s["reference"]]

    def assert_status(self, status, run_id="r"):
        self.assertEqual(self.ctl("--json", "runs", "show", run_id).json["status"], status)

    def assert_nowhere(self, *secrets):
        """None of them is in the log, nor in a byte of what the node has on disk."""
        self.ctl("export", "--to", self.path("node.db.log"))
        names = [n for n in os.listdir(self.dir) if n.startswith("node.db")]
        self.assertIn("node.db", names)
        for name in names:
            with open(self.path(name), "rb") as f:
                content = f.read()
            for secret in secrets:
                self.assertTrue(secret)
                self.assertNotIn(secret.encode(), content, name)


class All(Example):
    def test_all_are_valid(self):
        names = [os.path.join(RITUALS, n) for n in sorted(os.listdir(RITUALS)) if n.endswith(".yaml")]
        self.assertGreater(len(names), 4)
        checked = self.ctl("validate", *names)
        self.assertEqual(checked.err, "")

    def test_a_window_closes_by_itself_or_is_taken_back(self):
        path = os.path.join(RITUALS, "timer.yaml")
        for load, said, last in (("3", "the window was closed in time", "Close"),
                                 ("9", "the window is shut at once", "Open")):
            done = self.ctl("--json", "run", path, "--param", "load=" + load, "--run-id", load)
            self.assertEqual(done.lines[-1]["event"], "ritual.completed:v1")
            self.assertEqual(done.lines[-1]["outputs"]["result"]["data"]["echoed_message"], said)
            self.assert_status("Completed", load)
            self.assertEqual(self.steps(load)[-1], (last, "Completed"))
            self.assertEqual({status for _, status in self.steps(load)}, {"Completed"})


class Rotation(Example):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("secrets/app"))
        os.chmod(self.write("secrets/app/token", OLD), 0o600)
        self.write("tokens", OLD + "\nof-somebody-else\n")
        os.chmod(self.path("tokens"), 0o640)
        self.write("seen", "")
        self.stub = self.enterContext(Stub())
        self.stub.server.tokens = self.path("tokens")
        self.values = {
            "secrets": self.path("secrets"),
            # what was installed is noted down, for the test to look for it elsewhere
            "add": [self.script("add", f"tee -a {self.path('seen')} | {CREDENTIAL} add {self.path('tokens')}")],
            "remove": [CREDENTIAL, "remove", self.path("tokens")],
            "url": self.stub.url + "/whoami",
        }
        self.more = ("--secrets-command", json.dumps([CREDENTIAL, "get", self.path("secrets")]))

    def rotate(self, status=0, run_id="r"):
        return self.example("rotate-credential.yaml", self.values, status, run_id, self.more)

    def ask(self, token):
        request = urllib.request.Request(self.values["url"], headers={"Authorization": "Bearer " + token})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def assert_token(self, token, *others):
        """The folder has this credential, for its owner only, and the service takes it."""
        self.assertEqual(self.read("secrets/app/token"), token)
        self.assertEqual(sorted(os.listdir(self.path("secrets/app"))), sorted(("token", *others)))
        for name in ("token", *others):
            mode = os.stat(self.path("secrets/app", name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertEqual(self.ask(token), 200)

    def test_the_old_credential_makes_way_for_the_new_one(self):
        done = self.rotate()
        self.assertEqual(done["event"], "ritual.completed:v1")
        self.assertEqual(done["outputs"]["result"]["data"], {"rotated": self.values["url"]})
        new = self.read("seen")
        self.assertRegex(new, r"\A[0-9a-f]{64}\Z")
        self.assert_token(new)
        self.assertEqual(self.ask(OLD), 401)
        self.assertEqual(self.read("tokens"), f"of-somebody-else\n{new}\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("tokens")).st_mode), 0o640)
        self.assert_status("Completed")
        steps = self.steps()
        names = ("make", "tryOut", "install", "check", "logIn", "promote", "retire", "refused",
                 "logInWithOld", "forgetOld", "done")
        self.assertEqual(steps, [(n, "Failed" if n == "logInWithOld" else "Completed") for n in names])
        self.assert_nowhere(new, OLD)
        # the service told them what they had said
        self.assertIn('"token":"[redacted]"', self.read("node.db.log"))

    def test_a_new_credential_that_is_not_taken_is_taken_back(self):
        self.stub.server.takes = lambda token: token == OLD
        failed = self.rotate(status=1)
        self.assertEqual(failed["event"], "ritual.failed:v1")
        self.assertEqual(failed["error"]["type"], "https://demon.example/errors/not-rotated")
        self.assertIn("401", failed["error"]["detail"])
        new = self.read("seen")
        self.assertEqual(len(new), 64)
        self.assert_token(OLD)
        self.assertEqual(self.read("tokens"), f"{OLD}\nof-somebody-else\n")
        self.assert_status("Failed")
        steps = self.steps()
        self.assertEqual(steps.count(("logIn", "Failed")), 5)
        self.assertIn(("takeBack", "Completed"), steps)
        self.assertIn(("forgetNew", "Completed"), steps)
        self.assertNotIn("promote", [name for name, _ in steps])
        self.assert_nowhere(new, OLD)
        # nothing is left that another rotation would stumble over
        self.stub.server.takes = lambda token: True
        self.rotate(run_id="again")
        self.assert_token(self.read("seen")[64:])

    def test_an_install_that_fails_halfway_is_taken_back(self):
        add = self.values["add"][0]
        self.values["add"] = [self.script("half", f"{add}; echo 'no more room' >&2; exit 1")]
        failed = self.rotate(status=1)
        self.assertEqual(failed["error"]["type"], "https://demon.example/errors/not-rotated")
        self.assertIn("no more room", failed["error"]["detail"])
        self.assert_token(OLD)
        self.assertEqual(self.ask(self.read("seen")), 401)
        self.assertIn(("install", "Failed"), self.steps())
        self.assert_nowhere(self.read("seen"), OLD)

    def test_an_old_credential_that_stays_valid_is_told_and_retired_later(self):
        remove = self.script("remove", "cat > /dev/null")
        real = self.values["remove"]
        self.values["remove"] = [remove]
        failed = self.rotate(status=1)
        self.assertEqual(failed["error"]["type"], "https://demon.example/errors/still-taken")
        new = self.read("seen")
        self.assert_token(new, "previous")
        self.assertEqual(self.read("secrets/app/previous"), OLD)
        # another rotation would lose sight of it
        refused = self.rotate(status=1, run_id="another")
        self.assertIn("is not retired", refused["error"]["detail"])
        self.assertEqual(self.steps("another"), [("make", "Failed")])
        self.assert_token(new, "previous")
        # mended, it goes on with retiring it
        self.script("remove", " ".join(real))
        self.ctl(*self.more, "runs", "retry", "r", "--from", "retire", "--run-id", "r2")
        self.assert_status("Completed", "r2")
        self.assert_token(new)
        self.assertEqual(self.ask(OLD), 401)
        self.assert_nowhere(new, OLD)

    def test_a_rotation_whose_process_died_goes_on(self):
        add = self.values["add"][0]
        first = self.path("first")
        # the first time it installs the credential, and is then cut off
        cut_off = f"[ -e {first} ] || {{ : > {first}; sleep 600; }}"
        self.values["add"] = [self.script("slow", f"{add}; {cut_off}")]
        run = self.start(DEMONCTL, *self.more, "run", os.path.join(RITUALS, "rotate-credential.yaml"),
                         "--run-id", "r", "--input", json.dumps(self.values))
        wait_until(lambda: os.path.exists(first), "the installation to be under way")
        run.kill()
        run.wait()
        Daemon(self, *self.more)
        wait_until(lambda: self.ctl("--json", "runs", "show", "r").json["status"] == "Completed",
                   "the daemon to end the rotation", limit=60)
        new = self.read("seen")[:64]
        # installed twice, and there once
        self.assertEqual(self.read("seen"), new * 2)
        self.assertEqual(self.read("tokens"), f"of-somebody-else\n{new}\n")
        self.assert_token(new)
        self.assert_nowhere(new, OLD)

    def test_secrets_of_another_folder_are_noticed_while_nothing_is_changed(self):
        os.makedirs(self.path("others/app"))
        os.chmod(self.write("others/app/token", "of-somebody-else"), 0o600)
        right, self.more = self.more, ()
        failed = self.rotate(status=1, run_id="none")
        self.assertIn("SECRET_APP_TOKEN is not set, and no file or command", failed["error"]["detail"])
        self.more = (right[0], json.dumps([CREDENTIAL, "get", self.path("others")]))
        failed = self.rotate(status=1, run_id="other")
        self.assertIn("is not from " + self.path("secrets/app"), failed["error"]["detail"])
        self.assert_token(OLD)
        self.assertEqual(self.read("seen"), "")

    def test_input_that_is_not_whole_is_refused(self):
        del self.values["remove"]
        failed = self.rotate(status=1)
        self.assertEqual(failed["error"]["status"], 400)
        self.assertIn("remove", failed["error"]["detail"])
        self.assert_token(OLD)

    def test_a_credential_that_others_may_read_is_not_used(self):
        os.chmod(self.path("secrets/app/token"), 0o644)
        self.run_program(CREDENTIAL, "get", self.path("secrets"), "app", "token", status=1)
        os.chmod(self.path("secrets/app/token"), 0o600)
        got = self.run_program(CREDENTIAL, "get", self.path("secrets"), "app", "token")
        self.assertEqual(got.out, OLD)


class Restart(Example):
    def setUp(self):
        super().setUp()
        self.write("trace", "")
        self.write("host.py", HOST)
        self.hosts = [str(free_port()) for _ in range(3)]
        for port in self.hosts:
            host = self.start(sys.executable, self.path("host.py"), self.dir, port)
            self.write("pid." + port, str(host.pid))
        for port in self.hosts:
            self.wait_begun(port, 1)
        trace, drained, pid = self.path("trace"), self.path("drained."), self.path("pid.")
        self.values = {
            "hosts": self.hosts,
            "drain": [self.script("drain", f"echo drain $1 >> {trace}; : > {drained}$1")],
            "undrain": [self.script("undrain", f"echo undrain $1 >> {trace}; rm -f {drained}$1")],
            "restart": [self.script("restart", f"echo restart $1 $2 >> {trace}; kill -HUP $(cat {pid}$1)")],
            "restartCommand": ["app"],
            "health": "http://127.0.0.1:{host}/healthz",
        }

    def wait_begun(self, port, times):
        def begun():
            path = self.path("begun." + port)
            return os.path.exists(path) and len(self.read(path).splitlines()) >= times
        wait_until(begun, f"host {port} to begin")

    def begun(self):
        return [len(self.read("begun." + port).splitlines()) for port in self.hosts]

    def restart(self, status=0):
        return self.example("rolling-restart.yaml", self.values, status)

    def impatient(self, status):
        """As it stands, but that a host has two seconds to come back."""
        with open(os.path.join(RITUALS, "rolling-restart.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(text.count("count: 8"), 1)
        path = self.write("impatient.yaml", text.replace("count: 8", "count: 3"))
        return self.ctl("--json", "run", path, "--run-id", "r", "--input", json.dumps(self.values),
                        status=status).lines[-1]

    def assert_trace(self, *words):
        want = [f"{word} {host}" + (" app" if word == "restart" else "")
                for word, host in words]
        self.assertEqual(self.read("trace").splitlines(), want)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("drained.")], [])

    def whole(self, *hosts):
        return [(word, host) for host in hosts for word in ("drain", "restart", "undrain")]

    def retry(self):
        steps = self.ctl("--json", "runs", "show", "r").json["steps"]
        drain = [s["stepId"] for s in steps if s["name"] == "drain"][-1]
        self.ctl("runs", "retry", "r", "--from", str(drain), "--run-id", "r2")
        self.assert_status("Completed", "r2")

    def test_hosts_are_restarted_one_after_another(self):
        done = self.restart()
        self.assertEqual(done["event"], "ritual.completed:v1")
        self.assertEqual(done["outputs"]["result"]["data"], {"restarted": self.hosts})
        self.assert_trace(*self.whole(*self.hosts))
        for port in self.hosts:
            self.wait_begun(port, 2)
        self.assertEqual(self.begun(), [2, 2, 2])
        self.assert_status("Completed")
        steps = self.steps()
        for name in ("drain", "restart", "healthy", "undrain"):
            self.assertEqual(steps.count((name, "Completed")), 3, name)
        self.assertNotIn("giveBack", [name for name, _ in steps])

    def test_a_host_that_stays_ill_gets_its_traffic_back_and_stops_the_rest(self):
        a, b, c = self.hosts
        self.write("broken." + b, "")
        failed = self.impatient(1)
        self.assertEqual(failed["event"], "ritual.failed:v1")
        self.assertEqual(failed["error"]["type"], "https://demon.example/errors/host-did-not-come-back")
        self.assertEqual(failed["error"]["title"], f"host {b} did not come back")
        self.assertEqual(self.begun(), [2, 2, 1])
        self.assert_trace(*self.whole(a, b))
        self.assert_status("Failed")
        steps = self.steps()
        self.assertIn(("giveBack", "Completed"), steps)
        self.assertEqual(steps.count(("drain", "Completed")), 2)
        self.assertIn(("stop", "Failed"), steps)
        # mended, it goes on with that host, and leaves the one before alone
        os.remove(self.path("broken." + b))
        self.retry()
        self.assert_trace(*self.whole(a, b, b, c))
        self.assertEqual(self.begun(), [2, 3, 2])

    def test_a_host_that_cannot_be_restarted_stops_the_rest(self):
        a, b, _ = self.hosts
        restart = self.read("restart")
        self.script("restart", restart + f'[ "$1" != {b} ] || {{ echo "no such unit" >&2; exit 5; }}')
        failed = self.restart(1)
        self.assertEqual(failed["error"]["title"], f"host {b} did not come back")
        self.assertIn("no such unit", failed["error"]["detail"])
        self.assert_trace(*self.whole(a, b))
        self.assertNotIn(self.hosts[2], self.read("trace"))

    def test_a_host_that_cannot_be_given_back_is_told_with_both_reasons(self):
        a, b, _ = self.hosts
        self.script("restart", "echo 'no such unit' >&2; exit 5")
        self.script("undrain", "echo 'no such pool' >&2; exit 6")
        failed = self.restart(1)
        self.assertEqual(failed["error"]["title"], f"host {a} did not come back and is still drained")
        self.assertIn("no such unit", failed["error"]["detail"])
        self.assertIn("no such pool", failed["error"]["detail"])
        self.assertNotIn(b, self.read("trace"))

    def test_a_host_that_hangs_is_asked_again(self):
        with Stub() as stub:
            self.values["hosts"] = ["a"]
            self.values["restart"] = ["true"]
            self.values["health"] = stub.url + "/hangs/{host}/1"
            self.restart()
        self.assertEqual(stub.server.asked, {"a": 2})
        self.assertIn(("ask", "Failed"), self.steps())


if __name__ == "__main__":
    unittest.main()
