"""A NATS server in reach, out of reach, and going away: a node works all the same."""

import json
import os
import unittest

from support import DEMOND, ECHO, Case, Daemon, Nats, free_port, wait_until


class Mirror(Case):
    def works(self, daemon, url):
        self.assertEqual(
            self.ctl("--json", "--nats-url", url, "run", ECHO).json["event"], "ritual.completed:v1"
        )
        self.ctl("verify")
        self.assertEqual(daemon.stop()[0], 0)

    def test_a_server_in_reach(self):
        nats = Nats(self)
        self.assertTrue(nats.info()["jetstream"])
        self.works(Daemon(self, "--nats-url", nats.url), nats.url)

    def test_no_server_in_reach(self):
        url = f"nats://127.0.0.1:{free_port()}"
        self.works(Daemon(self, "--nats-url", url), url)

    def test_a_server_that_goes_away(self):
        nats = Nats(self)
        daemon = Daemon(self, "--nats-url", nats.url)
        self.ctl("run", ECHO)
        nats.stop()
        self.works(daemon, nats.url)

    def digest(self, db):
        return self.ctl("--json", "--db", db, "digest").json["digest"]

    def become_equal(self, *dbs):
        wait_until(lambda: len({self.digest(db) for db in dbs}) == 1, "the nodes to become equal", 60)

    def status(self, db):
        return self.ctl("--json", "--db", db, "status").json

    def test_two_nodes_hold_what_either_writes(self):
        nats = Nats(self)
        other = self.path("other.db")
        daemons = [
            Daemon(self, "--nats-url", nats.url, "--node-id", "one"),
            Daemon(self, "--nats-url", nats.url, "--node-id", "two", "--db", other),
        ]
        self.ctl("run", ECHO, "--run-id", "a")
        self.ctl("--db", other, "run", ECHO, "--run-id", "b")
        self.become_equal(self.db, other)
        for db in (self.db, other):
            self.assertEqual(
                self.sql("SELECT run_id, status FROM v_runs ORDER BY 1", db),
                [("a", "Completed"), ("b", "Completed")],
            )
            self.ctl("--db", db, "verify")
            wait_until(lambda db=db: self.status(db)["pending"] == 0, "everything to be acknowledged")
            wait_until(lambda db=db: self.status(db)["confirmed"] > 0, "it to be read back")
            self.assertEqual(self.status(db)["quarantined"], 0)
        for daemon in daemons:
            self.assertEqual(daemon.stop()[0], 0)

    def test_a_database_is_built_from_the_streams_alone(self):
        nats = Nats(self)
        daemon = Daemon(self, "--nats-url", nats.url)
        for i in range(3):
            self.ctl("run", ECHO, "--run-id", f"run-{i}")
        wait_until(lambda: self.status(self.db)["pending"] == 0, "everything to be acknowledged")
        self.assertEqual(daemon.stop()[0], 0)
        new = self.path("new.db")
        recover = ("recover", "--from-jetstream", "--nats-url", nats.url, "--to", new)
        done = self.ctl("--json", *recover).json
        self.assertEqual(done["digest"], self.digest(self.db))
        self.assertEqual((done["waiting"], done["quarantined"]), (0, 0))
        self.assertEqual(done["events"], self.status(self.db)["events"])
        self.assertNotEqual(self.status(new)["origin"], self.status(self.db)["origin"])
        self.ctl("--db", new, "verify")
        # it is a node as any other: it works, and what it writes reaches the first one
        daemons = [Daemon(self, "--nats-url", nats.url, "--db", db) for db in (self.db, new)]
        self.ctl("--db", new, "run", ECHO, "--run-id", "after")
        self.become_equal(self.db, new)
        for daemon in daemons:
            self.assertEqual(daemon.stop()[0], 0)
        self.assertIn("exists", self.ctl(*recover, status=4).err)

    def test_bootstrap_makes_what_is_missing_and_repairs_the_streams(self):
        nats = Nats(self)
        new = self.path("new.db")
        bootstrap = ("--json", "--db", new, "--nats-url", nats.url, "bootstrap")
        done = self.ctl(*bootstrap).lines
        self.assertEqual([line["phase"] for line in done], ["ensure-stream", "verify", "verify"])
        name = "RITUAL_EVENTS"
        config = nats.request(f"$JS.API.STREAM.INFO.{name}", b"")["config"]
        self.assertEqual((config["subjects"], config["discard"]), (["demon.ritual.v1.>"], "new"))
        wrong = dict(config, max_age=3600 * 10**9)
        self.assertNotIn("error", nats.request(f"$JS.API.STREAM.UPDATE.{name}", json.dumps(wrong).encode()))
        self.assertIn("deletes what is old", self.ctl(*bootstrap, "--verify", status=4).err)
        self.ctl(*bootstrap, "--ensure-stream")
        again = nats.request(f"$JS.API.STREAM.INFO.{name}", b"")["config"]
        self.assertEqual(again["max_age"], 0)
        self.assertEqual(len(self.ctl(*bootstrap, "--verify").lines), 2)

    def test_without_a_stream_to_read_no_database_is_made(self):
        new = self.path("new.db")
        recover = ("recover", "--from-jetstream", "--to", new)
        self.assertIn("--nats-url", self.ctl(*recover, status=2).err)
        nats = Nats(self)
        self.assertIn("hold no message", self.ctl(*recover, "--nats-url", nats.url, status=3).err)
        nats.stop()
        self.assertIn("no NATS server", self.ctl(*recover, "--nats-url", nats.url, status=None).err)
        self.assertFalse(os.path.exists(new))

    def test_what_cannot_be_taken_in_is_shown_retried_and_dropped(self):
        nats = Nats(self)
        daemon = Daemon(self, "--nats-url", nats.url)
        subject = "demon.ritual.v1.default.r.x.events"
        wait_until(lambda: nats.publish(subject, b'{"event":"\x1b[2Jgrant"}'), "the stream to be made")
        large = b"y" * (900 << 10)
        nats.publish(subject, large)
        nats.publish(subject, b"\xff\x00")
        wait_until(lambda: self.status(self.db)["quarantined"] == 3, "the messages to be set aside")
        rows = self.ctl("--json", "quarantine", "list").lines
        self.assertEqual([row["kind"] for row in rows], ["foreign"] * 3)
        self.assertEqual([row["sequence"] for row in rows], [1, 2, 3])
        self.assertEqual([row["bytes"] for row in rows], [21, len(large), 2])
        after = ("quarantine", "list", "--after", str(rows[0]["id"]), "--limit", "1")
        self.assertEqual(self.ctl("--json", *after).json["id"], rows[1]["id"])
        show = self.ctl("quarantine", "show", str(rows[0]["id"])).out
        self.assertNotIn("\x1b", show)
        self.assertIn("[2Jgrant", show)
        self.assertNotIn("payload", self.ctl("--json", "quarantine", "show", str(rows[1]["id"])).json)
        last = str(rows[2]["id"])
        self.assertEqual(self.ctl("--json", "quarantine", "show", last).json["payloadBase64"], "/wA=")
        self.ctl("quarantine", "retry", str(rows[0]["id"]))
        again = lambda: [row["sequence"] for row in self.ctl("--json", "quarantine", "list").lines]
        wait_until(lambda: again() == [2, 3, 1], "it to come back")
        self.ctl("quarantine", "drop", last)
        self.ctl("quarantine", "drop", last, status=3)
        self.ctl("quarantine", "show", "1x", status=2)
        self.assertEqual(again(), [2, 1])
        self.assertEqual(daemon.stop()[0], 0)

    def test_nobody_takes_up_the_run_of_another_node(self):
        nats = Nats(self)
        other = self.path("other.db")
        Daemon(self, "--nats-url", nats.url)
        door = self.path("door")
        os.mkfifo(door)
        ritual = self.ritual("slow", ("wait", ["cat", door], {}))
        Daemon(self, "--nats-url", nats.url, "--db", other)
        self.ctl("run", ritual, "--detach", "--run-id", "slow")
        wait_until(
            lambda: self.sql("SELECT 1 FROM v_runs WHERE run_id = 'slow' AND status = 'Running'", other),
            "the run to be seen as running by the other node",
        )
        with open(door, "w"):
            pass
        wait_until(
            lambda: self.sql("SELECT 1 FROM v_runs WHERE run_id = 'slow' AND status = 'Completed'", other),
            "the run to be seen as completed by the other node",
        )
        self.become_equal(self.db, other)
        started = "SELECT count(*) FROM events WHERE type = 'step.started:v1' AND run_id = 'slow'"
        self.assertEqual(self.sql(started, other), [(1,)])

    def make_certificates(self):
        """An authority, and with its signature a certificate of a server and one of a client."""
        self.run_program(
            "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem",
        )
        for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
            self.write("ext", f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
            self.run_program(
                "openssl", "req", "-new", "-newkey", "ed25519", "-nodes",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            )
            self.run_program(
                "openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-days", "2", "-extfile", "ext", "-out", f"{name}.pem",
            )

    def is_mirrored(self, *options, **env):
        """Whether a run of a node that starts with these settings reaches the stream."""
        daemon = Daemon(self, *options, env=env)
        self.ctl("run", ECHO)
        said = '"mirror connected"', '"no connection: '
        wait_until(lambda: any(text in daemon.text() for text in said), "it to be said how it went")
        mirrored = said[0] in daemon.text()
        if mirrored:
            wait_until(lambda: self.status(self.db)["pending"] == 0, "everything to be acknowledged")
        self.assertEqual(daemon.stop()[0], 0)
        self.assertNotIn("pa55", daemon.text() + daemon.err)
        return mirrored

    def test_a_server_that_asks_for_a_certificate_and_a_password(self):
        self.make_certificates()
        nats = Nats(
            self,
            'authorization { users: [ { user: "demon", password: "pa55" } ] }\n'
            'tls { cert_file: "%s", key_file: "%s", ca_file: "%s", verify: true }\n'
            % tuple(self.path(name) for name in ("server.pem", "server.key", "ca.pem")),
        )
        host = nats.url.split("://")[1]
        url = f"tls://demon:pa55@{host}"
        files = ("--nats-ca", "ca.pem", "--nats-cert", "client.pem", "--nats-key", "client.key")
        self.assertFalse(self.is_mirrored(*files, NATS_URL=f"tls://demon:pa55word@{host}"))
        self.assertFalse(self.is_mirrored(*files[2:], NATS_URL=url))
        self.assertFalse(self.is_mirrored(*files[:2], NATS_URL=url))
        self.assertEqual(self.status(self.db)["acknowledged"], 0)
        self.assertTrue(self.is_mirrored(*files, NATS_URL=url))
        done = self.ctl(
            "--json", *files, "recover", "--from-jetstream", "--to", "new.db", env={"NATS_URL": url}
        ).json
        self.assertEqual(done["digest"], self.digest(self.db))

    def test_a_server_that_asks_for_a_token(self):
        nats = Nats(self, 'authorization { token: "pa55" }\n')
        host = nats.url.split("://")[1]
        self.assertFalse(self.is_mirrored(NATS_URL=f"nats://{host}"))
        self.assertTrue(self.is_mirrored(NATS_URL=f"nats://pa55@{host}"))

    def test_settings_that_cannot_be_used(self):
        for options, text in (
            (("--stream-replicas", "6"), "1 to 5"),
            (("--nats-cert", "x.pem"), "go together"),
            (("--nats-url", "nats://a", "--nats-ca", "missing.pem"), "holds no certificates"),
            (("--nats-url", "nats://a", "--nats-creds", "missing"), "cannot read"),
        ):
            self.assertIn(text, self.run_program(DEMOND, *options, status=2).err)

    def test_passwords_in_addresses_are_not_printed(self):
        url = "nats://demon:pa55@a:4222,tls://b,nats://t0ken@c"
        for form in ((), ("--json",)):
            text = self.run_program(DEMOND, "--print-config", *form, env={"NATS_URL": url}).out
            self.assertIn("nats://***@a:4222,tls://b,nats://***@c", text)


if __name__ == "__main__":
    unittest.main()
