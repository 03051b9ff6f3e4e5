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

    def test_a_daemon_goes_on_with_a_suspended_run_while_retry_follows(self):
        trace = self.path("trace")
        ritual = self.dsl("s", ("slow", self.shell(
            f"echo $DEMON_ATTEMPT >> {trace}; [ $DEMON_ATTEMPT -gt 1 ] || sleep 60")))
        run = self.start(DEMONCTL, "run", ritual, "--run-id", "r")
        wait_until(lambda: self.read("trace"), "the step to start")
        run.kill()
        run.wait()
        self.start_daemon()
        wait_until(lambda: self.status("r") == "Suspended", "the run to be suspended")
        suspended = self.ctl("runs", "watch", "r", status=1)
        self.assertIn("Suspended", suspended.out)
        again = self.ctl("--json", "runs", "retry", "r").json
        self.assertEqual(again["event"], "ritual.completed:v1")
        self.assertEqual(self.read("trace").split(), ["1", "2"])
        self.ctl("runs", "retry", "r", status=4)

    def test_a_retry_that_is_detached_goes_on_without_a_daemon(self):
        flag = self.path("flag")
        ritual = self.dsl("d", ("a", self.shell(f"[ -e {flag} ]")), ("pause", {"wait": "PT1H"}))
        self.ctl("run", ritual, "--run-id", "r", status=1)
        self.write("flag", "")
        again = self.ctl("runs", "retry", "r", "--detach", "--run-id", "r2")
        self.assertEqual(again.out, "r2\n")
        self.assertEqual(self.status("r2"), "Waiting")
        # cancel and try again, which waits anew
        self.ctl("runs", "cancel", "r2")
        self.ctl("runs", "retry", "r2", "--detach", "--run-id", "r3")
        self.assertEqual(self.status("r3"), "Waiting")

    def test_show_has_where_a_step_stands_and_why_it_failed(self):
        ritual = self.dsl("e", ("loop", {"for": {"in": "[1, 2]"}, "do": [
            {"bad": {"if": "$item == 2", "raise": {"error": {
                "type": "odd", "status": 500, "detail": "too even"}}}}]}))
        self.ctl("run", ritual, "--run-id", "r", status=1)
        run = self.ctl("--json", "runs", "show", "r").json
        self.assertEqual(run["error"]["detail"], "too even")
        loop, first, second = run["steps"]
        self.assertNotIn("parentId", loop)
        self.assertEqual((first["parentId"], first["iteration"]), (loop["stepId"], 0))
        self.assertNotIn("error", first)
        self.assertEqual(second["error"]["type"], "odd")
        self.assertIn("odd: too even", self.ctl("runs", "show", "r").out)

    def test_tree_shows_steps_within_each_other(self):
        ritual = self.dsl(
            "t",
            ("loop", {"for": {"in": ".rounds"}, "do": [
                {"odd": {"if": "$item % 2 == 1", "set": {"rounds": "${ .rounds }"}}}]}),
            ("bad", {"if": ".rounds | length > 2", "raise": {"error": {
                "type": "odd", "status": 500, "detail": "too many"}}}),
        )
        self.ctl("run", ritual, "--run-id", "a", "--input", '{"rounds": [1, 2]}')
        tree = self.ctl("--json", "runs", "tree", "a").json
        self.assertEqual(tree["steps"][0]["name"], "loop")
        self.assertEqual([(s["iteration"], s["status"]) for s in tree["steps"][0]["steps"]],
                         [(0, "Completed"), (1, "Skipped")])
        self.assertIn("    [1] odd (set) Skipped", self.ctl("runs", "tree", "a").out)
        many = json.dumps({"rounds": list(range(2030))})
        self.ctl("run", ritual, "--run-id", "b", "--input", many, status=1)
        lines = self.ctl("runs", "tree", "b").out.splitlines()
        self.assertRegex(lines[0], r"^b \(t\) Failed, .*: too many$")
        self.assertEqual(len(lines), 24)
        self.assertIn("    [18] odd", lines[20])
        self.assertEqual(lines[21], "    … 2 010 more")
        self.assertIn("    [2029] odd (set) Completed", lines[22])
        self.assertRegex(lines[23], r"^  bad \(raise\) Failed, .*: too many$")
        tree = self.ctl("--json", "runs", "tree", "b").json
        self.assertEqual(len(tree["steps"][0]["steps"]), 2030)
        self.assertEqual(tree["steps"][1]["error"]["detail"], "too many")
        self.ctl("runs", "retry", "b", "--run-id", "c", status=1)
        self.assertEqual(self.ctl("runs", "tree", "c").out.splitlines()[1],
                         "  tries again b, from its step 2032 on")
        self.assertEqual(self.ctl("--json", "runs", "tree", "c").json["retryOf"]["runId"], "b")
        self.ctl("runs", "tree", "nobody", status=3)

    def test_diff_shows_where_runs_went_different_ways(self):
        ritual = self.dsl(
            "t",
            ("loop", {"for": {"in": ".rounds"}, "do": [
                {"odd": {"if": "$item % 2 == 1", "set": {"rounds": "${ .rounds }"}}}]}),
            ("say", {"call": "echo", "with": {"message": "hello"}}),
            ("count", {"set": {"n": "${ $workflow.input.rounds | length }"}}),
        )
        self.ctl("run", ritual, "--run-id", "a", "--input", '{"rounds": [1, 2]}')
        self.ctl("run", ritual, "--run-id", "b", "--input", '{"rounds": [1, 3, 2]}')
        self.ctl("run", ritual, "--run-id", "c", "--input", '{"rounds": [1, 2]}')
        self.assertEqual(self.ctl("runs", "diff", "a", "c").out, "")
        text = self.ctl("runs", "diff", "a", "b", status=1).out
        self.assertIn('! input: {"rounds":[1,2]}, then {"rounds":[1,3,2]}\n', text)
        self.assertRegex(text, r"! /do/0/loop/do/0/odd \[1\]: Skipped \(\d+ ms\), then Completed")
        self.assertRegex(text, r"> /do/0/loop/do/0/odd \[2\]: Skipped")
        self.assertRegex(text, r'! /do/2/count: .*; output {"n":2}, then {"n":3}\n')
        self.assertNotIn("/do/1/say", text)
        self.assertTrue(text.endswith('! outputs: {"n":2}, then {"n":3}\n'), text)
        lines = self.ctl("--json", "runs", "diff", "b", "a", status=1).lines
        self.assertEqual([line["what"] for line in lines],
                         ["input", "step", "step", "step", "step", "outputs"])
        self.assertEqual(lines[2]["path"], "/do/0/loop/do/0/odd [1]")
        self.assertEqual(lines[2]["changed"], ["status", "output"])
        self.assertNotIn("b", lines[3])
        self.assertEqual(lines[4]["a"]["output"], {"n": 3})
        other = self.dsl("other", ("a", {"set": {"x": 1}}))
        self.ctl("run", other, "--run-id", "o")
        self.assertIn("'other'", self.ctl("runs", "diff", "a", "o", status=2).err)
        self.ctl("runs", "diff", "a", "nobody", status=3)
        # another definition of the same name
        changed = self.dsl("t", ("say", {"call": "echo", "with": {"message": "hello"}}))
        self.ctl("run", changed, "--run-id", "d", "--input", '{"rounds": [1, 2]}')
        text = self.ctl("runs", "diff", "a", "d", status=1).out
        self.assertRegex(text, r"^! definition: [0-9a-f]{64}, then [0-9a-f]{64}\n")
        self.assertIn("< /do/0/loop:", text)

    def test_watch_follows_to_the_end(self):
        self.start_daemon()
        ritual = self.dsl(
            "v",
            ("t", {"try": [{"a": self.shell("for i in $(seq 30); do echo line $i; done;"
                                            " sleep 1; echo done; exit 4")}],
                   "catch": {"do": [{"b": {"set": {"x": 1}}}]}}),
            ("c", {"raise": {"error": {"type": "odd", "status": 500, "detail": "for good"}}}),
        )
        self.ctl("run", ritual, "--run-id", "r", "--detach")
        watched = self.ctl("runs", "watch", "r", status=1)
        lines = watched.out.splitlines()
        self.assertEqual(lines[:2], ["  a  Running", "    | … 20 lines"])
        self.assertEqual(lines[2:12], [f"    | line {i}" for i in range(21, 31)])
        self.assertEqual(lines[12], "    | done")
        self.assertRegex(lines[13], r"^  a  Failed  1\.\d s: .*")
        self.assertEqual(lines[14], "t  goes on: the error is caught")
        self.assertRegex(lines[-1], r"^run r  Failed  1\.\d s: for good$")
        self.assertEqual(watched.err, "demonctl: run 'r' failed: for good\n")
        events = self.ctl("--json", "runs", "watch", "r", status=1).lines
        self.assertEqual(events[-1]["event"], "ritual.failed:v1")


    def test_watch_writes_a_line_again_on_a_terminal(self):
        ritual = self.dsl("w", ("l", {"for": {"in": "[1, 2]"}, "do": [
            {"s": {"call": "echo", "with": {"message": "x"}}}]}))
        self.ctl("run", ritual, "--run-id", "r")
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        watch = self.start(DEMONCTL, "--no-color", "runs", "watch", "r", stdout=slave)
        os.close(slave)
        text = b""
        while b"run r" not in text:
            text += os.read(master, 4096)
        self.assertEqual(watch.wait(), 0)
        self.assertIn(b"  [1] s  Running\r\x1b[K  [1] s  Completed  ", text)

    def test_runs_of_other_nodes_are_looked_at_only(self):
        ritual = self.dsl("f", ("a", {"set": {"x": 1}}), ("b", {"raise": {"error": {
            "type": "odd", "status": 500, "detail": "no"}}}))
        self.ctl("run", ritual, "--run-id", "r", status=1)
        self.write("log.jsonl", self.ctl("export").out)
        here = ["--db", self.path("other.db")]
        self.ctl("import", self.path("log.jsonl"), *here)
        for command in (["cancel"], ["retry"], ["retry", "--from", "a"]):
            err = self.ctl("runs", *command, "r", *here, status=5).err
            self.assertIn("belongs to another node", err)
        self.assertIn("b (raise) Failed", self.ctl("runs", "tree", "r", *here).out)
        self.assertIn("b  Failed", self.ctl("runs", "watch", "r", *here, status=1).out)
        self.assertEqual(self.ctl("runs", "diff", "r", "r", *here).out, "")
        self.assertEqual(self.ctl("--json", "runs", "show", "r", *here).json["status"], "Failed")


if __name__ == "__main__":
    unittest.main()
