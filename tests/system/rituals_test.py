"""rituals register, list, show, unregister; run NAME."""

import json
import os
import unittest

from support import Case, Daemon, wait_until


def seed(name, version, message):
    state = {
        "name": "Say",
        "type": "task",
        "action": {"functionRef": {"refName": "echo", "arguments": {"message": message}}},
        "end": True,
    }
    return json.dumps({"id": name, "version": version, "name": "Title of " + name, "states": [state]})


class Rituals(Case):
    def register(self, name, version, message, *args, **options):
        path = self.write(f"{name}.yaml", seed(name, version, message))
        return self.ctl("rituals", "register", path, *args, "--json", **options).json

    def said(self, *args, **options):
        event = self.ctl("run", *args, "--json", **options).lines[-1]
        return event["outputs"]["result"]["data"]["echoed_message"]

    def test_a_registered_ritual_runs_by_its_name(self):
        registered = self.register("deploy", "1.0", "one", "--by", "kim")
        self.assertEqual(registered["ritualId"], "deploy")
        self.assertFalse(registered["noop"])
        os.remove(self.path("deploy.yaml"))
        self.assertEqual(self.said("deploy", "--run-id", "r1"), "one")
        self.assertEqual(
            self.sql("SELECT ritual_id, definition FROM v_runs"),
            [("deploy", registered["definitionDigest"])],
        )
        opened = self.ctl("runs", "events", "r1", "--json").lines[1]["payload"]
        self.assertEqual(opened["source"], "deploy")

    def test_versions_stay_within_reach(self):
        self.register("deploy", "1.0", "one")
        self.register("deploy", "2.0", "two")
        self.assertEqual(self.said("deploy"), "two")
        self.assertEqual(self.said("deploy@1.0"), "one")
        self.ctl("run", "deploy@3.0", status=3)

    def test_the_same_again_is_no_write(self):
        self.register("deploy", "1.0", "one")
        before = self.ctl("digest", "--json").json
        self.assertTrue(self.register("deploy", "1.0", "one")["noop"])
        self.assertEqual(self.ctl("digest", "--json").json, before)

    def test_list_and_show(self):
        self.register("deploy", "1.0", "one", "--by", "kim")
        second = self.register("deploy", "2.0", "two", env={"USER": "lee"})
        self.register("backup", "7", "x", "--by=kim")
        listed = self.ctl("rituals", "list", "--json").lines
        self.assertEqual([(r["ritualId"], r["version"]) for r in listed], [("backup", "7"), ("deploy", "2.0")])
        self.assertEqual(listed[1]["title"], "Title of deploy")
        text = self.ctl("rituals", "list").out
        self.assertRegex(text, r"deploy +2\.0 +" + second["definitionDigest"][:12])
        shown = self.ctl("rituals", "show", "deploy", "--json").json
        self.assertEqual((shown["version"], shown["by"], shown["notation"]), ("2.0", "lee", "seed"))
        self.assertEqual(shown["definitionDigest"], second["definitionDigest"])
        self.assertEqual(shown["spec"], json.loads(seed("deploy", "2.0", "two")))
        self.assertEqual([(o["version"], o["by"]) for o in shown["others"]], [("1.0", "kim")])
        old = self.ctl("rituals", "show", "deploy@1.0", "--json").json
        self.assertEqual((old["version"], old["others"][0]["version"]), ("1.0", "2.0"))
        text = self.ctl("rituals", "show", "deploy").out
        for part in ("deploy 2.0", second["definitionDigest"], "lee", "OTHER WRITES", '"echo"'):
            self.assertIn(part, text)
        self.ctl("rituals", "show", "deploy@3", status=3)
        self.ctl("rituals", "show", "nothing", status=3)
        self.assertEqual(
            self.sql("SELECT ritual_id, version, registered_by FROM v_rituals ORDER BY ritual_id"),
            [("backup", "7", "kim"), ("deploy", "2.0", "lee")],
        )

    def test_a_name_that_is_given_up_runs_no_more(self):
        self.register("deploy", "1.0", "one")
        self.ctl("rituals", "unregister", "deploy", "--reason", "replaced")
        self.ctl("run", "deploy", status=3)
        self.assertEqual(self.ctl("rituals", "list", "--json").lines, [])
        self.ctl("rituals", "unregister", "deploy", status=3)
        self.assertFalse(self.register("deploy", "1.0", "one")["noop"])
        others = self.ctl("rituals", "show", "deploy", "--json").json["others"]
        self.assertEqual([o["registered"] for o in others], [False, True])

    def test_a_word_is_a_file_or_a_name(self):
        self.register("deploy", "1.0", "registered")
        os.remove(self.path("deploy.yaml"))
        os.mkdir(self.path("deploy"))
        self.assertEqual(self.said("deploy"), "registered")
        os.rmdir(self.path("deploy"))
        self.write("deploy", seed("deploy", "9", "file"))
        self.assertEqual(self.said("deploy"), "file")
        self.assertEqual(self.said("./deploy"), "file")
        os.remove(self.path("deploy"))
        for word in ("./deploy", "deploy.yaml", "deploy.yml", "deploy.json"):
            result = self.ctl("run", word, status=3)
            self.assertNotIn("registered", result.err)
        result = self.ctl("run", "deply", status=3)
        self.assertIn(
            "'deply': no such file and no registered ritual of that name (did you mean 'deploy'?)",
            result.err,
        )
        self.assertEqual(self.said("deploy"), "registered")

    def test_looking_for_a_name_makes_no_database(self):
        result = self.ctl("run", "deploy", status=3)
        self.assertIn("no such file and no registered ritual", result.err)
        self.ctl("rituals", "list", status=3)
        self.assertFalse(os.path.exists(self.db))

    def test_nothing_is_registered_when_one_file_is_at_fault(self):
        good = self.write("good.yaml", seed("good", "1", "x"))
        bad = self.write("bad.yaml", '{"id": "bad"}')
        self.ctl("rituals", "register", good, bad, status=1)
        self.assertFalse(os.path.exists(self.db))

    def test_a_batch_takes_names(self):
        self.register("deploy", "1.0", "one")
        batch = self.write("batch.yaml", "- target: deploy\n- target: deploy@1.0\n")
        self.assertEqual(len(self.ctl("batch", batch, "--json").lines), 2)

    def test_tenants_have_names_of_their_own(self):
        self.register("deploy", "1.0", "default")
        self.register("deploy", "1.0", "blue", "--tenant", "blue")
        self.assertEqual(self.said("deploy"), "default")
        self.assertEqual(self.said("deploy", "--tenant", "blue"), "blue")
        self.ctl("run", "deploy", "--tenant", "red", status=3)

    def test_a_run_that_waits_keeps_its_definition(self):
        path = self.write(
            "deploy.yaml",
            "document: {dsl: 1.0.3, namespace: default, name: deploy, version: 1.0.0}\n"
            "do:\n"
            "  - pause: {wait: {seconds: 1}}\n"
            "  - say: {set: {said: one}}\n",
        )
        digest = self.ctl("rituals", "register", path, "--json").json["definitionDigest"]
        self.ctl("run", "deploy", "--detach", "--run-id", "r1")
        self.register("deploy", "2.0", "two")
        Daemon(self)
        wait_until(
            lambda: self.ctl("runs", "show", "r1", "--json").json["status"] == "Completed", "the run to end"
        )
        terminal = self.ctl("runs", "events", "r1", "--json").lines[-1]["payload"]
        self.assertIn('"said": "one"', json.dumps(terminal))
        self.assertEqual(self.sql("SELECT definition FROM v_runs"), [(digest,)])

    def test_nodes_that_exchange_their_events_agree(self):
        here, there = self.db, self.path("there.db")
        self.register("deploy", "1.0", "here")
        self.register("deploy", "1.0", "there", env={"DEMON_DB": there})
        self.register("backup", "1.0", "there", env={"DEMON_DB": there})
        self.write("mine.jsonl", self.ctl("export").out)
        self.write("theirs.jsonl", self.ctl("export", "--db", there).out)
        self.ctl("import", self.path("theirs.jsonl"))
        self.ctl("import", self.path("mine.jsonl"), "--db", there)
        digests = {self.ctl("digest", "--json", "--db", db).json["digest"] for db in (here, there)}
        self.assertEqual(len(digests), 1)
        origins = [self.ctl("status", "--json", "--db", db).json["origin"] for db in (here, there)]
        self.ctl("peers", "trust", origins[1])
        self.ctl("peers", "trust", origins[0], "--db", there)
        shown = [
            self.ctl("rituals", "show", "deploy", "--json", "--db", db).out for db in (here, there)
        ]
        self.assertEqual(shown[0], shown[1])
        self.assertEqual(len(json.loads(shown[0])["others"]), 1)
        self.assertEqual(self.said("backup"), "there")
        for db in (here, there):
            self.ctl("verify", "--db", db)
            before = self.ctl("digest", "--json", "--db", db).json
            self.ctl("rebuild", "--db", db)
            self.assertEqual(self.ctl("digest", "--json", "--db", db).json, before)


if __name__ == "__main__":
    unittest.main()
