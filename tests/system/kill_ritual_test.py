"""Random rituals whose process is killed with SIGKILL, and what a daemon makes of them.

They end as they do undisturbed; what finished steps did was done once; and a step that may not be
repeated and was in flight leaves its run suspended until an operator speaks. DEMON_CRASH_SEEDS sets
how many rituals (default 3), DEMON_SEED the first. With DEMON_CRASH_ALL each passing of a point is
one to die at, else ever fewer of them. What ships has no such points: it dies at any moment.
"""

import json
import os
import random
import signal
import time
import unittest

import random_ritual
from support import DEMOND, DEMONCTL, Case, Daemon, wait_until

FIRST = int(os.environ.get("DEMON_SEED") or 1)
COUNT = int(os.environ.get("DEMON_CRASH_SEEDS") or 3)
ALL = "DEMON_CRASH_ALL" in os.environ
POINTS = """lock.taken txn.begun append.event append.applied job.done commit.before commit.after
    run.started step.started step.ran step.returned step.completed run.ended""".split()
# where a step is in flight, more often than elsewhere
ENDS = ("step.returned:v1", "step.completed:v1", "step.failed:v1")
DAEMON_POINTS = POINTS[1:-1] + ["step.started", "step.ran"] * 3
TERMINAL = ("ritual.completed:v1", "ritual.failed:v1")


class Story:
    """What the log and the trace of a run say, at one moment."""

    def __init__(self, events, trace):
        self.types = [event["type"] for event in events]
        self.resumed = self.types.count("ritual.resumed:v1")
        self.terminal = None
        self.began = {}  # key: [(step.started's payload)]
        self.finished = set()  # keys of calls that have ended
        keys = {}
        for event in events:
            payload, kind = event["payload"], event["type"]
            if kind == "step.started:v1" and "idempotencyKey" in payload:
                key = keys[payload["stepId"]] = payload["idempotencyKey"]
                self.began.setdefault(key, []).append(payload)
            elif kind in ENDS and payload["stepId"] in keys:
                self.finished.add(keys[payload["stepId"]])
            elif kind in TERMINAL:
                self.terminal = {k: payload[k] for k in ("event", "outputs", "error") if k in payload}
        self.lines = trace
        # what was done, in order, each effect once
        self.names = [name for i, (key, _, name) in enumerate(trace)
                      if key not in [line[0] for line in trace[:i]]]

    def attempts(self, key):
        return [attempt for k, attempt, _ in self.lines if k == key]

    @property
    def unknown(self):
        """The call that was in flight, if it must not be repeated."""
        for key, starts in self.began.items():
            if key not in self.finished and starts[-1]["idempotent"] is False:
                return key
        return None


class Killed(Case):
    def setUp(self):
        super().setUp()
        self.started = 0

    def trace_of(self, run):
        path = self.path(run + ".trace")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            lines = [line.split() for line in file]
        return [(key, int(attempt), name) for key, attempt, name in lines]

    def stories(self, runs):
        """The story of each run that is in the log."""
        events = {}
        for event in self.ctl("-q", "export").lines:
            events.setdefault(event.get("runId"), []).append(event)
        return {run: Story(events[run], self.trace_of(run)) for run in runs if run in events}

    def play(self, ritual, run, **options):
        trace = json.dumps({"trace": self.path(run + ".trace")})
        return self.start(
            DEMONCTL, "--json", "-q", "run", ritual, "--run-id", run, "--input", trace, **options
        )

    def die(self, ritual, run, fault):
        """True when the process was killed at the point; false when it came to its end before."""
        process = self.play(ritual, run, env={"DEMON_FAULT": fault})
        err = process.communicate(timeout=60)[1]
        self.assertIn(process.returncode, (0, 1, -signal.SIGKILL), f"{fault}: {err}")
        return process.returncode == -signal.SIGKILL

    def ritual_of(self, seed):
        text = json.dumps(random_ritual.make(seed), indent=1)
        return self.write(f"{seed}.yaml", text)

    def undisturbed(self, ritual, run):
        process = self.play(ritual, run)
        err = process.communicate(timeout=60)[1]
        self.assertIn(process.returncode, (0, 1), err)
        story = self.stories([run])[run]
        self.assertIsNotNone(story.terminal, err)
        self.assertEqual(len(story.lines), len(story.began))
        return story

    def statuses(self, runs):
        found = dict(self.sql("SELECT run_id, status FROM v_runs"))
        return {run: found[run] for run in runs if run in found}

    def left(self, runs):
        return {"Running", "Waiting"} & set(self.statuses(runs).values())

    def settle(self, runs):
        """Waits until a daemon has nothing left to do; returns the suspended ones."""
        wait_until(lambda: not self.left(runs), "the daemon to end what is left", limit=120)
        return [run for run, status in self.statuses(runs).items() if status == "Suspended"]

    def check_nothing_doubled(self, story):
        """What holds at any moment, whoever was killed."""
        self.assertEqual(len({line[:2] for line in story.lines}), len(story.lines), story.lines)
        again = 0
        for key, starts in story.began.items():
            journalled = [start["attempt"] for start in starts]
            self.assertEqual(journalled, list(range(1, len(starts) + 1)))
            self.assertLessEqual(set(story.attempts(key)), set(journalled))
            if not starts[0]["idempotent"]:
                again += len(starts) - 1
        self.assertLessEqual(again, story.resumed)
        self.assertLessEqual({key for key, _, _ in story.lines}, set(story.began))

    def check_finished_once(self, before, after):
        for run, story in before.items():
            for key in story.finished:
                self.assertTrue(story.attempts(key), run)
                self.assertEqual(story.attempts(key), after[run].attempts(key), run)

    def check_end(self, runs, expected):
        """All of them came to what they come to undisturbed."""
        stories = self.stories(runs)
        for run, story in stories.items():
            with self.subTest(run):
                self.check_nothing_doubled(story)
                self.assertEqual(story.terminal, expected[run].terminal)
                self.assertEqual(story.names, expected[run].names)
                self.assertEqual(sum(t in TERMINAL for t in story.types), 1)
        return stories

    def take_up(self, expected):
        """A daemon goes on with every run, and an operator with those that it suspends."""
        runs = list(expected)
        before = self.stories(runs)
        for run in set(runs) - set(before):
            self.assertEqual(self.trace_of(run), [], f"{run} did something before it was there")
        daemon = Daemon(self)
        suspended = self.settle(runs)
        there = self.stories(runs)
        self.check_finished_once(before, there)
        self.assertEqual(set(suspended), {run for run, s in before.items() if s.unknown})
        for run in suspended:
            with self.subTest(run):
                self.check_nothing_doubled(there[run])
                self.assertLessEqual(there[run].attempts(before[run].unknown), [1])
                self.assertEqual(there[run].began.keys(), before[run].began.keys())
            self.ctl("runs", "retry", run, "--detach")
        self.assertEqual(self.settle(runs), [])
        after = self.check_end(runs, expected)
        self.check_finished_once(before, after)
        self.assertEqual(daemon.stop()[0], 0, daemon.text())
        self.ctl("verify")
        return suspended

    def has_points(self):
        return self.die(self.write("none.yaml", json.dumps(random_ritual.make(0))), "probe",
                        "run.started:1:kill")


class Points(Killed):
    """Killed at every point where the process of a run touches the world."""

    def kill_at_points(self, ritual, seed, calm):
        expected = {}
        for point in POINTS:
            nth = 1
            while True:
                run = f"{seed}-{point.replace('.', '_')}-{nth}"
                expected[run] = calm
                if not self.die(ritual, run, f"{point}:{nth}:kill"):
                    break
                nth += 1 if ALL else 1 + nth
        return expected

    def test_a_run_that_was_killed_ends_as_it_would_have(self):
        if not self.has_points():
            self.skipTest("there are no fault points in what ships")
        kills = suspended = 0
        for seed in range(FIRST, FIRST + COUNT):
            print(f"DEMON_SEED={seed}", flush=True)
            with self.subTest(seed=seed):
                # what a failure leaves behind stays with it
                self.db = self.env["DEMON_DB"] = self.path(f"{seed}.db")
                ritual = self.ritual_of(seed)
                expected = self.kill_at_points(ritual, seed, self.undisturbed(ritual, f"calm-{seed}"))
                kills += len(expected) - len(POINTS)
                suspended += len(self.take_up(expected))
        print(f"{kills} kills, {suspended} runs suspended")
        self.assertGreater(kills, 10 * COUNT)
        self.assertTrue(suspended or COUNT < 3)

    def test_a_daemon_that_is_killed_again_and_again(self):
        """Many runs in one process, all of which are cut off at once."""
        if not self.has_points():
            self.skipTest("there are no fault points in what ships")
        chance = random.Random(FIRST)
        calm = {}
        for seed in range(FIRST, FIRST + 3 * COUNT):
            ritual = self.ritual_of(seed)
            calm[ritual] = self.undisturbed(ritual, f"calm-{seed}")
        expected, before, kills = {}, {}, 0
        for number in range(30 if ALL else 5):
            for i, ritual in enumerate(calm):
                run = f"{number}-{i}"
                expected[run] = calm[ritual]
                self.assertTrue(self.die(ritual, run, "run.started:1:kill"))
            kills += self.daemon_dies(
                expected, f"{chance.choice(DAEMON_POINTS)}:{chance.randint(4, 14)}:kill"
            )
            after = self.stories(expected)
            for story in after.values():
                self.check_nothing_doubled(story)
            self.check_finished_once(before, after)
            before = after
        self.assertGreater(kills, 2)
        suspended = self.resume_all(expected)
        print(f"{kills} daemons killed, {len(suspended)} runs suspended")
        self.assertTrue(suspended or COUNT < 3)

    def daemon_dies(self, runs, fault):
        """True when a daemon was killed at the point, false when it had nothing left to do."""
        log = self.path(f"demond-{time.monotonic_ns()}.log")
        daemon = self.start(
            DEMOND, "-q", "--listen", "127.0.0.1:0", "--log-file", log, env={"DEMON_FAULT": fault}
        )
        wait_until(lambda: daemon.poll() is not None or not self.left(runs), fault, limit=120)
        died = daemon.poll() is not None
        daemon.kill()
        err = daemon.communicate()[1]
        self.assertEqual(daemon.returncode, -signal.SIGKILL, f"{fault}: {err}")
        return died

    def resume_all(self, expected):
        runs = list(expected)
        daemon = Daemon(self)
        suspended = self.settle(runs)
        for run in suspended:
            self.ctl("runs", "retry", run, "--detach")
        self.assertEqual(self.settle(runs), [])
        self.assertEqual(set(self.check_end(runs, expected)), set(runs))
        self.assertEqual(daemon.stop()[0], 0, daemon.text())
        self.ctl("verify")
        return suspended


class Moments(Killed):
    """Killed whenever it happens, also what ships."""

    def test_a_run_that_was_killed_ends_as_it_would_have(self):
        chance = random.Random(FIRST)
        expected = {}
        kills = 0
        for seed in range(FIRST, FIRST + COUNT):
            print(f"DEMON_SEED={seed}", flush=True)
            ritual = self.ritual_of(seed)
            began = time.monotonic()
            calm = self.undisturbed(ritual, f"calm-{seed}")
            took = time.monotonic() - began
            for i in range(40 if ALL else 10):
                process = self.play(ritual, f"{seed}-{i}")
                time.sleep(chance.random() * took)
                process.kill()
                process.communicate()
                kills += process.returncode == -signal.SIGKILL
                expected[f"{seed}-{i}"] = calm
        suspended = self.take_up(expected)
        print(f"{kills} kills, {len(suspended)} runs suspended")
        self.assertGreater(kills, COUNT)


if __name__ == "__main__":
    unittest.main()
