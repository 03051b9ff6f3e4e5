"""What an operator does with runs: cancel, retry, watch, tree, diff."""

import json
import os
import signal
import unittest

from support import DEMONCTL, DEMOND, Case, wait_until


class Runs(Case):
    def dsl(self, name, *tasks):
        spec = {
            "document": {"dsl": "1.0.3", "namespace": "default", "name": name, "version": "1"},
            "do": [{n: t} for n, t in tasks],
        }
        return self.write(name + ".json", json.dumps(spec))

    def shell(self, text):
        return {"call": "exec", "with": {"command": ["sh", "-euc", text]}}

    def start_daemon(self):
        daemon = self.start(DEMOND, "--listen", "127.0.0.1:0", "--log-file", self.path("d.log"))
        wait_until(lambda: "listening" in self.read("d.log"), "the daemon to listen")
        return daemon

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def status(self, run):
        return self.ctl("--json", "runs", "show", run).json["status"]

    def test_cancel_ends_a_run_that_waits_and_is_a_no_op_twice(self):
        ritual = self.dsl("w", ("pause", {"wait": "PT1H"}))
        self.ctl("run", ritual, "--run-id", "r", "--detach")
        self.assertEqual(self.status("r"), "Waiting")
        self.assertIn("wakesAt", self.ctl("--json", "runs", "show", "r").json)
        first = self.ctl("--json", "runs", "cancel", "r", "--reason", "enough", "--by", "kim")
        self.assertEqual(first.json, {"noop": False, "runId": "r", "status": "Canceled"})
        self.assertTrue(self.ctl("--json", "runs", "cancel", "r").json["noop"])
        self.assertEqual(self.status("r"), "Canceled")
        event = self.ctl("--json", "runs", "events", "r").lines[-1]
        self.assertEqual(event["payload"]["reason"], "enough")
        self.assertEqual(event["payload"]["by"], "kim")
        self.assertEqual(self.sql("select count(*) from runs where wakes_at is not null"), [(0,)])

    def test_cancel_ends_the_program_of_a_run_in_the_daemon(self):
        self.start_daemon()
        ritual = self.dsl("c", ("slow", self.shell(f"echo $$ > {self.path('pid')}; exec sleep 60")))
        self.ctl("run", ritual, "--run-id", "r", "--detach")
        pid = int(wait_until(lambda: self.read("pid").strip(), "the program to start"))
        self.ctl("runs", "cancel", "r")
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the program to end")
        self.assertEqual(self.status("r"), "Canceled")

    def test_what_has_ended_cannot_be_canceled(self):
        ritual = self.dsl("e", ("a", {"set": {"x": 1}}))
        self.ctl("run", ritual, "--run-id", "r")
        self.assertIn("Completed", self.ctl("runs", "cancel", "r", status=4).err)
        self.ctl("runs", "cancel", "nobody", status=3)
        self.ctl("runs", "retry", "r", status=4)

    def test_a_failed_run_is_tried_again_from_the_step_that_ended_it(self):
        flag, trace = self.path("flag"), self.path("trace")
        ritual = self.dsl(
            "f",
            ("one", self.shell(f"echo one >> {trace}")),
            ("loop", {
                "for": {"in": "[1, 2, 3]"},
                # the number of the round is the program's name
                "do": [{"two": {"call": "exec", "with": {"command": [
                    "sh", "-euc", f"echo $0 >> {trace}; [ $0 != 2 ] || [ -e {flag} ]",
                    "${ $item | tostring }"]}}}],
            }),
            ("three", {"set": {"x": "${ . }"}}),
        )
        self.ctl("run", ritual, "--run-id", "r", status=1)
        self.assertEqual(self.read("trace").split(), ["one", "1", "2"])
        self.write("flag", "")
        again = self.ctl("--json", "runs", "retry", "r", "--run-id", "r2")
        self.assertEqual(again.lines[-1]["event"], "ritual.completed:v1")
        self.assertEqual(self.read("trace").split(), ["one", "1", "2", "2", "3"])
        self.assertEqual(self.status("r"), "Failed")
        opened = self.ctl("--json", "runs", "events", "r2").lines[1]
        self.assertEqual(opened["payload"]["retryOf"]["runId"], "r")
        self.ctl("verify")
        self.ctl("rebuild")
        # from an earlier step on
        self.ctl("runs", "retry", "r", "--from", "one", "--run-id", "r3")
        self.assertEqual(self.read("trace").split()[5:], ["one", "1", "2", "3"])
        self.assertIn("by id", self.ctl("runs", "retry", "r", "--from", "two", status=4).err)
        self.ctl("runs", "retry", "r", "--from", "nothing", status=3)

    def test_a_suspended_run_goes_on_when_somebody_says_so(self):
        trace = self.path("trace")
        ritual = self.dsl("s", ("slow", self.shell(
            f"echo $DEMON_ATTEMPT >> {trace}; [ $DEMON_ATTEMPT -gt 1 ] || sleep 60")))
        run = self.start(DEMONCTL, "run", ritual, "--run-id", "r")
        wait_until(lambda: self.read("trace"), "the step to start")
        run.send_signal(signal.SIGKILL)
        run.wait()
        daemon = self.start_daemon()
        wait_until(lambda: self.status("r") == "Suspended", "the run to be suspended")
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        self.assertIn("suspended", self.ctl("runs", "retry", "r", "--from", "slow", status=4).err)
        self.ctl("runs", "retry", "r", "--by", "kim")
        self.assertEqual(self.status("r"), "Completed")
        self.assertEqual(self.read("trace").split(), ["1", "2"])

    def test_tree_and_diff_show_how_runs_went(self):
        ritual = self.dsl(
            "t",
            ("loop", {"for": {"in": ".rounds"}, "do": [
                {"odd": {"if": "$item % 2 == 1", "set": {"rounds": "${ .rounds }"}}}]}),
        )
        self.ctl("run", ritual, "--run-id", "a", "--input", json.dumps({"rounds": [1, 2]}))
        self.ctl("run", ritual, "--run-id", "b", "--input", json.dumps({"rounds": [1, 3, 2]}))
        tree = self.ctl("--json", "runs", "tree", "a").json
        self.assertEqual(tree["steps"][0]["name"], "loop")
        self.assertEqual([(s["iteration"], s["status"]) for s in tree["steps"][0]["steps"]],
                         [(0, "Completed"), (1, "Skipped")])
        self.assertIn("[1] odd #3 (set) Skipped", self.ctl("runs", "tree", "a").out)
        diff = self.ctl("runs", "diff", "a", "b", status=1)
        self.assertEqual(len(diff.out.splitlines()), 2, diff.out)
        self.assertIn("Skipped, then Completed", diff.out)
        self.assertEqual(self.ctl("runs", "diff", "a", "a").out, "")

    def test_watch_follows_to_the_end(self):
        self.start_daemon()
        ritual = self.dsl("v", ("a", self.shell("sleep 0.5; echo done; exit 4")))
        self.ctl("run", ritual, "--run-id", "r", "--detach")
        watched = self.ctl("runs", "watch", "r", status=1)
        self.assertIn("a: failed", watched.err)
        events = self.ctl("--json", "runs", "watch", "r", status=1).lines
        self.assertEqual(events[-1]["event"], "ritual.failed:v1")


if __name__ == "__main__":
    unittest.main()
