"""Kills programs that write to one database, again and again, and holds them to what they said.

Runs for SOAK_SECONDS on the programs in DEMON_BUILD_DIR; DEMON_SEED repeats the choices, not the
moments. What must hold after every round: the database verifies, every run whose end or start
was acknowledged is there, a digest survives a rebuild, and a daemon ends what is left.
"""

import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from support import DEMONCTL, ECHO, Case, Daemon, wait_until  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SEED = int(os.environ.get("DEMON_SEED") or random.SystemRandom().randrange(1 << 32))


class Soak(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.ended, self.begun = set(), set()
        self.rounds = self.kills = 0

    def statuses(self):
        return dict(self.sql("SELECT run_id, status FROM v_runs"))

    def one_round(self):
        daemon = Daemon(self) if self.random.random() < 0.7 else None
        writers = {}
        for i in range(self.random.randint(2, 6)):
            run = f"r{self.rounds}-{i}"
            detach = ["--detach"] if self.random.random() < 0.3 else []
            argv = [DEMONCTL, "--json", "-q", "run", self.ritual_file, "--run-id", run, *detach]
            writers[run] = (self.start(*argv), bool(detach))
        time.sleep(self.random.random() * 0.08)
        victims = [process for process, _ in writers.values() if self.random.random() < 0.5]
        if daemon and self.random.random() < 0.6:
            victims.append(daemon.process)
        for process in victims:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                self.kills += 1
        for run, (process, detached) in writers.items():
            out, err = process.communicate(timeout=60)
            if process.returncode == 0:
                self.assertTrue(out, err)
            elif process.returncode != -signal.SIGKILL:
                self.fail(f"{run} ended with {process.returncode}: {err}")
            if out.endswith("\n"):
                (self.begun if detached else self.ended).add(run)
        if daemon:
            killed = daemon.process in victims
            self.assertEqual(daemon.stop()[0], -signal.SIGKILL if killed else 0, daemon.text())

    def check(self):
        if not os.path.exists(self.db):
            self.assertFalse(self.begun | self.ended)
            return
        self.ctl("verify")
        statuses = self.statuses()
        self.assertFalse([run for run in self.begun | self.ended if run not in statuses])
        self.assertFalse([run for run in self.ended if statuses[run] != "Completed"])
        if self.rounds % 5 == 0:
            digest = self.ctl("--json", "digest").json["digest"]
            self.ctl("rebuild")
            self.assertEqual(self.ctl("--json", "digest").json["digest"], digest)
            daemon = Daemon(self)
            wait_until(
                lambda: not {"Queued", "Running"} & set(self.statuses().values()),
                "the daemon to end what is left",
                limit=60,
            )
            self.assertEqual(daemon.stop()[0], 0)

    def test_nothing_acknowledged_is_lost(self):
        self.ritual_file = ECHO
        two = self.ritual(
            "two", ("a", ["true"], {"idempotent": True}), ("b", ["true"], {"idempotent": True})
        )
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.rounds += 1
            self.ritual_file = two if self.rounds % 2 else ECHO
            self.one_round()
            self.check()
        self.assertTrue(self.kills and self.ended)
        print(
            f"{self.rounds} rounds, {self.kills} kills, "
            f"{len(self.ended | self.begun)} runs acknowledged, all there"
        )


if __name__ == "__main__":
    print(f"DEMON_SEED={SEED}", flush=True)
    unittest.main()
