"""run, batch, validate, runs, events."""

import json
import os
import signal
import unittest

from support import DEMONCTL, ECHO, SOURCE, Case, wait_until


class Run(Case):
    def test_ends_with_the_terminal_event(self):
        event = self.ctl("run", ECHO, "--json", "--run-id", "r1").lines[-1]
        self.assertEqual(event["event"], "ritual.completed:v1")
        self.assertEqual(event["ritualId"], "echo-ritual")
        self.assertEqual(event["runId"], "r1")
        self.assertTrue(event["outputs"]["result"]["success"])
        self.assertEqual(event["outputs"]["result"]["data"]["echoed_message"], "Hello from Demon!")

    def test_without_json_the_event_is_readable(self):
        out = self.ctl("run", ECHO).out
        self.assertIn('\n  "event": "ritual.completed:v1"', out)
        json.loads(out)

    def test_a_failed_run_is_status_1_with_its_event_and_one_line(self):
        path = self.ritual("fails", ("No", ["sh", "-c", "echo why >&2; exit 3"], {}))
        result = self.ctl("run", path, "--json", "-q", status=1)
        self.assertEqual(result.json["event"], "ritual.failed:v1")
        self.assertLessEqual(
            {"type", "status", "title", "detail", "instance"}, set(result.json["error"])
        )
        self.assertRegex(result.err, r"^demonctl: run '.*' failed: .*why\n$")

    def test_a_run_id_is_used_once(self):
        self.ctl("run", ECHO, "--run-id", "r1")
        self.assertIn("r1", self.ctl("run", ECHO, "--run-id", "r1", status=4).err)
        self.assertEqual(len(self.ctl("runs", "list", "--json").lines), 1)

    def test_input_and_params_reach_the_steps(self):
        path = self.ritual("input", ("Show", ["sh", "-c", 'printf "%s" "$DEMON_INPUT"'], {}))
        event = self.ctl(
            "run", path, "--json", "--input", '{"a":1,"b":"x"}', "--param", "b=y=z", "--param", "c="
        ).lines[-1]
        given = json.loads(event["outputs"]["result"]["data"]["stdout"])
        self.assertEqual(given, {"a": 1, "b": "y=z", "c": ""})
        file = self.write("input.json", '{"from":"file"}')
        event = self.ctl("run", path, "--json", "--input", "@" + file).lines[-1]
        self.assertIn("file", event["outputs"]["result"]["data"]["stdout"])
        event = self.ctl("run", path, "--json", "--input", "@-", input='{"from":"stdin"}').lines[-1]
        self.assertIn("stdin", event["outputs"]["result"]["data"]["stdout"])

    def test_bad_input_starts_nothing(self):
        for status, text in [
            (2, "{"),
            (2, '{"a":9007199254740993}'),
            (2, '{"a":1,"a":2}'),
            (3, "@" + self.path("none")),
            (1, "@" + self.dir),
            (1, "@" + self.write("bad.json", "{")),
            (1, "@" + self.write("big.json", b" " * (1 << 20))),
        ]:
            with self.subTest(text=text[:40]):
                err = self.ctl("run", ECHO, "--input", text, status=status).err
                self.assertIn("--input", err)
                self.assertFalse(os.path.exists(self.db))

    def test_saves_the_result_envelope(self):
        self.ctl("run", ECHO, "--save", "out")
        with open(self.path("out", "result.json"), encoding="utf-8") as file:
            self.assertTrue(json.load(file)["result"]["success"])
        path = self.ritual("fails", ("No", ["false"], {}))
        self.ctl("run", path, "--save", "out", status=1)
        with open(self.path("out", "result.json"), encoding="utf-8") as file:
            self.assertFalse(json.load(file)["result"]["success"])
        self.assertEqual(os.listdir(self.path("out")), ["result.json"])

    def test_detach_prints_the_run_id(self):
        run_id = self.ctl("run", ECHO, "--detach", "--json").json
        self.assertEqual(list(run_id), ["runId"])
        plain = self.ctl("run", ECHO, "--detach", "-q")
        self.assertEqual(plain.err, "")
        run = self.ctl("runs", "show", plain.out.strip(), "--json").json
        self.assertEqual(run["status"], "Completed")

    def test_nothing_runs_when_the_file_is_bad(self):
        path = self.write("bad.yaml", "id: x\nversion: 1\nstatez: []\n")
        result = self.ctl("run", path, status=1)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"bad\.yaml:\d+:\d+: ")
        self.assertIn("demonctl validate", result.err)
        self.assertFalse(os.path.exists(self.db))

    def test_the_default_folder_is_made_private(self):
        self.addCleanup(os.umask, os.umask(0))
        self.ctl("run", ECHO, env={"DEMON_DB": None})
        self.assertEqual(os.stat(self.path("home", ".demon")).st_mode & 0o777, 0o700)
        deep = self.path("a", "b", "c")
        self.ctl("run", ECHO, env={"DEMON_DB": None, "DEMON_HOME": deep})
        self.assertEqual(os.stat(deep).st_mode & 0o777, 0o700)
        self.assertTrue(os.path.exists(os.path.join(deep, "demon.db")))

    def test_without_a_home_a_database_has_to_be_named(self):
        err = self.ctl("run", ECHO, env={"DEMON_DB": None, "HOME": None}, status=2).err
        self.assertIn("--db", err)

    def test_tenants_are_apart(self):
        self.ctl("run", ECHO, "--tenant", "a", "--run-id", "r1")
        self.ctl("run", ECHO, "--run-id", "r1", env={"DEMON_TENANT": "b"})
        self.assertEqual(self.ctl("runs", "list", "--json").lines, [])
        for tenant in "ab":
            run = self.ctl("runs", "list", "--json", "--tenant", tenant).json
            self.assertEqual((run["runId"], run["tenantId"]), ("r1", tenant))

    def test_a_reader_that_goes_away_does_not_end_the_run(self):
        marker = self.path("marker")
        path = self.ritual(
            "pipe", ("One", ["sh", "-c", "sleep 0.2"], {}), ("Two", ["touch", marker], {})
        )
        self.run_program("sh", "-c", f"{DEMONCTL} run {path} --run-id r1 2>&1 | :", status=None)
        wait_until(lambda: os.path.exists(marker), "the second step")


class BadFiles(Case):
    """run and validate refuse the same files with the same status, at once."""

    def test_every_kind(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        huge = self.path("huge.yaml")
        with open(huge, "wb") as file:
            file.truncate(100 << 20)
        bomb = "a: &a [x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
        )
        for status, path in [
            (3, self.path("none.yaml")),
            (1, self.dir),
            (1, fifo),
            (1, huge),
            (1, self.write("empty.yaml", "")),
            (1, self.write("nul.yaml", b"id: a\0b\n")),
            (1, self.write("utf8.yaml", b"id: \xff\n")),
            (1, self.write("bomb.yaml", bomb)),
            (1, self.write("deep.yaml", "[" * 100000)),
            (1, self.write("twice.yaml", "id: a\nid: b\n")),
            (1, "/dev/zero"),
        ]:
            for command in ("run", "validate"):
                with self.subTest(command=command, path=path):
                    result = self.ctl(command, path, status=status, timeout=20)
                    self.assertEqual(result.out, "")
                    self.assertIn(os.path.basename(path), result.err)
        self.assertFalse(os.path.exists(self.db))


class Validate(Case):
    def test_says_which_files_are_good(self):
        out = self.ctl("validate", ECHO).out
        self.assertIn("echo.yaml: ok", out)
        self.assertEqual(self.ctl("validate", ECHO, "--json").out, "")

    def test_every_problem_has_its_place(self):
        path = self.write("bad.yaml", "id: x\nversion: 1\nstatez: 3\n")
        result = self.ctl("validate", path, status=1)
        places = [line for line in result.err.splitlines() if line.startswith(path + ":")]
        self.assertGreaterEqual(len(places), 3)
        problems = self.ctl("validate", path, "--json", status=1).lines
        self.assertEqual(len(problems), len(places))
        for problem in problems:
            self.assertEqual(set(problem), {"file", "line", "column", "text"})
            self.assertEqual(problem["file"], path)
        self.assertTrue(any("states" in p["text"] and p["line"] == 3 for p in problems))

    def test_goes_on_after_a_file_that_cannot_be_read(self):
        bad = self.write("bad.yaml", "id: x\n")
        result = self.ctl("validate", self.path("none"), bad, ECHO, "--json", status=3)
        self.assertTrue(all(p["file"] == bad for p in result.lines))
        self.assertIn("none", result.err)


class Batch(Case):
    def test_runs_in_order_and_stops_at_the_first_failure(self):
        fails = self.ritual("fails", ("No", ["false"], {}))
        path = self.write("batch.yaml", f"- target: {ECHO}\n- target: {fails}\n- target: {ECHO}\n")
        result = self.ctl("batch", path, "--json", "--save", "out", status=1)
        self.assertEqual(
            [e["event"] for e in result.lines], ["ritual.completed:v1", "ritual.failed:v1"]
        )
        self.assertIn("[2/3]", result.err)
        self.assertIn("2 of 3", result.err)
        self.assertEqual(
            sorted(os.listdir(self.path("out"))),
            ["batch-001.result.json", "batch-002.result.json"],
        )

    def test_every_file_is_checked_before_the_first_runs(self):
        path = self.write("batch.yaml", f"- target: {ECHO}\n- target: none.yaml\n")
        self.assertIn("none.yaml", self.ctl("batch", path, status=3).err)
        self.assertFalse(os.path.exists(self.db))

    def test_a_bad_batch_is_refused_with_its_place(self):
        for place, text in [
            ("1:1", "target: x\n"),
            ("1:3", "- 3\n"),
            ("1:3", "- tarmac: x\n"),
            ("1:11", "- target: 3\n"),
            ("2:3", f"- target: {ECHO}\n- {{}}\n"),
        ]:
            with self.subTest(text=text):
                err = self.ctl("batch", self.write("batch.yaml", text), status=1).err
                self.assertIn("batch.yaml:" + place, err)


class Runs(Case):
    def setUp(self):
        super().setUp()
        self.fails = self.ritual("fails", ("No", ["false"], {}))
        self.ctl("run", ECHO, "--run-id", "r1")
        self.ctl("run", self.fails, "--run-id", "r2", status=1)
        self.ctl("run", ECHO, "--run-id", "r3")

    def ids(self, *args):
        return [run["runId"] for run in self.ctl("runs", "list", "--json", *args).lines]

    def test_list_is_newest_first_with_the_agreed_fields(self):
        self.assertEqual(self.ids(), ["r3", "r2", "r1"])
        run = self.ctl("runs", "list", "--json").lines[0]
        self.assertLessEqual(
            {"runId", "ritualId", "status", "startedAt", "endedAt", "tenantId"}, set(run)
        )
        self.assertRegex(run["startedAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_list_filters(self):
        self.assertEqual(self.ids("--status", "Failed"), ["r2"])
        self.assertEqual(self.ids("--status", "failed"), ["r2"])
        self.assertEqual(self.ids("--ritual", "echo-ritual"), ["r3", "r1"])
        self.assertEqual(self.ids("--since", "1h"), ["r3", "r2", "r1"])
        self.assertEqual(self.ids("--since", "2000-01-01"), ["r3", "r2", "r1"])
        self.assertEqual(self.ids("--since", "2999-01-01T00:00:00Z"), [])

    def test_list_pages_by_cursor(self):
        first = self.ctl("runs", "list", "--json", "--limit", "2")
        self.assertEqual([run["runId"] for run in first.lines], ["r3", "r2"])
        cursor = first.err.split("--cursor ")[1].strip()
        self.assertEqual(self.ids("--cursor", cursor), ["r1"])

    def test_list_is_a_table_for_people(self):
        lines = self.ctl("runs", "list").out.splitlines()
        self.assertEqual(lines[0].split(), ["RUN", "RITUAL", "STATUS", "STARTED", "ENDED"])
        self.assertEqual(len(lines), 4)

    def test_show_has_the_steps_in_order(self):
        run = self.ctl("runs", "show", "r2", "--json").json
        self.assertEqual((run["runId"], run["status"]), ("r2", "Failed"))
        step = run["steps"][0]
        self.assertLessEqual(
            {"name", "reference", "status", "startedAt", "endedAt", "attempt"}, set(step)
        )
        self.assertEqual((step["name"], step["status"], step["attempt"]), ("No", "Failed", 1))
        self.assertEqual(step["reference"], "/states/0")
        self.assertIn("Failed", self.ctl("runs", "show", "r2").out)

    def test_a_run_that_is_not_there_is_status_3(self):
        for command in ("show", "events"):
            self.assertIn("'nope'", self.ctl("runs", command, "nope", status=3).err)

    def test_events_are_lines_as_in_the_format(self):
        events = self.ctl("runs", "events", "r1", "--json").lines
        self.assertEqual(
            [e["type"] for e in events],
            [
                "ritual.started:v1",
                "ritual.opened:v1",
                "step.started:v1",
                "step.completed:v1",
                "ritual.completed:v1",
            ],
        )
        self.assertLessEqual({"format", "origin", "hash", "payload", "seq"}, set(events[0]))
        self.assertEqual(len(self.ctl("runs", "events", "r1").out.splitlines()), 5)

    def test_tail_restricts(self):
        def types(*args):
            return [e["type"] for e in self.ctl("events", "tail", "--json", *args).lines]

        self.assertEqual(len(types()), 15)
        self.assertEqual(types("--limit", "1"), ["ritual.completed:v1"])
        self.assertEqual(set(types("--type", "step.*")), {"step.started:v1", "step.completed:v1", "step.failed:v1"})
        self.assertEqual(types("--type", "ritual.failed:v1"), ["ritual.failed:v1"])
        self.assertEqual(types("--run", "r2", "--limit", "2"), ["step.failed:v1", "ritual.failed:v1"])

    def test_follow_shows_what_comes(self):
        tail = self.start(DEMONCTL, "events", "tail", "--follow", "--json", "--limit", "1")
        self.assertIn("r3", tail.stdout.readline())
        self.ctl("run", ECHO, "--run-id", "r4")
        for _ in range(5):
            self.assertEqual(json.loads(tail.stdout.readline())["runId"], "r4")
        tail.send_signal(signal.SIGINT)
        tail.communicate(timeout=10)

    def test_following_a_run_ends_with_it(self):
        go = self.path("go")
        path = self.ritual("waits", ("Wait", ["sh", "-c", f"until [ -e {go} ]; do sleep 0.02; done"], {}))
        run = self.start(DEMONCTL, "run", path, "--run-id", "r5")
        wait_until(lambda: self.ctl("runs", "show", "r5", status=None).status == 0, "the run")
        follow = self.start(DEMONCTL, "runs", "events", "r5", "--follow", "--json")
        self.assertIn("ritual.started", follow.stdout.readline())
        self.write("go", "")
        out, _ = follow.communicate(timeout=20)
        self.assertEqual(json.loads(out.splitlines()[-1])["type"], "ritual.completed:v1")
        self.assertEqual(follow.returncode, 0)
        run.communicate(timeout=20)


class Examples(Case):
    def test_every_example_is_valid(self):
        folder = os.path.join(SOURCE, "examples/rituals")
        files = [os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".yaml")]
        self.ctl("validate", *files)


if __name__ == "__main__":
    unittest.main()
