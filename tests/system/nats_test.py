"""A NATS server in reach, out of reach, and going away: a node works all the same."""

import unittest

from support import ECHO, Case, Daemon, Nats, free_port


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


if __name__ == "__main__":
    unittest.main()
