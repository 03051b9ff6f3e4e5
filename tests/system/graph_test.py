"""demonctl graph as people use it, and its ids and roots against a second implementation."""

import json
import os
import random
import sys
import unittest

from support import SOURCE, Case

sys.path.insert(0, os.path.join(SOURCE, "tests/format"))
import graph  # noqa: E402

G = ("--project-id", "p", "--namespace", "n", "--graph-id", "g")


def node(op, i, **properties):
    return {"op": op, "nodeId": i, "labels": ["L"], "properties": properties}


def edge(i, a, b, label="to"):
    return {"op": "add-edge", "edgeId": i, "from": a, "to": b, "label": label}


class Graph(Case):
    def graph(self, command, *args, status=0, file=None):
        if file is not None:
            args += (self.write("mutations.json", file if isinstance(file, (str, bytes)) else json.dumps(file)),)
        return self.ctl("graph", command, *G, "--json", *args, status=status)

    def make(self, mutations, *parents, **options):
        more = [x for p in parents for x in ("--parent-ref", p)]
        command = "commit" if parents else "create"
        return self.graph(command, *more, file=mutations, **options)

    def test_the_commands_of_the_manual(self):
        first = self.make([node("add-node", "a", v=1), node("add-node", "b"), edge("e", "a", "b")]).json["commitId"]
        self.graph("tag", "--tag", "main", "--commit-id", first, "--expect", "")
        second = self.make([node("update-node", "a", v=2)], "main").json
        self.assertEqual(second["parents"], [first])
        self.graph("tag", "--tag", "main", "--commit-id", second["commitId"], "--expect", second["commitId"], status=4)
        moved = self.graph("tag", "--tag", "main", "--commit-id", second["commitId"], "--expect", first).json
        self.assertEqual(moved["previousCommitId"], first)
        self.assertEqual(self.graph("get-node", "a").json["properties"], {"v": 2})
        self.assertEqual(self.graph("get-node", "a", "--at", first[:8]).json["properties"], {"v": 1})
        self.assertEqual([c["commitId"] for c in self.graph("log", "--from", "main").lines], [second["commitId"], first])
        self.assertEqual([n["nodeId"] for n in self.graph("neighbors", "a").lines], ["b"])
        self.assertTrue(self.graph("path-exists", "a", "b", "--direction", "out").json["exists"])
        self.assertFalse(self.graph("path-exists", "b", "a", "--direction", "out").json["exists"])
        self.assertEqual(self.graph("diff", first, "main").json["change"], "changed")
        self.assertEqual(self.graph("get-commit", "main").json["mutationsCount"], 1)
        self.assertEqual([t["tag"] for t in self.graph("list-tags").lines], ["main"])
        self.graph("delete-tag", "--tag", "main")
        self.graph("get-tag", "--tag", "main", status=3)
        self.assertEqual(self.ctl("graph", "verify", "--json").json["commits"], 2)
        self.ctl("verify")

    def test_what_does_not_fit_is_refused_whole(self):
        first = self.make([node("add-node", "a")]).json["commitId"]
        for bad, why, status in (
            ([node("add-node", "b"), node("add-node", "a")], "mutation 1", 4),
            ([node("update-node", "x")], "mutation 0", 4),
            ([{"op": "remove-edge", "edgeId": "x"}], "mutation 0", 4),
            ([edge("e", "a", "nowhere")], "mutation 0", 4),
            ([{"op": "put-node", "nodeId": "a"}], "op", 1),
            ([node("add-node", "../x")], "mutation 0", 1),
            ([], "", 1),
            ([node("add-node", "b", big="x" * 1_000_000)], "", 1),
            ('[{"op":"add-node","nodeId":"b","properties":{"v":NaN}}]', "1:", 1),
            ('[{"op":"add-node","nodeId":"b","nodeId":"c"}]', "duplicate", 1),
            ("[" * 5000, "deep", 1),
            (b'[{"op":"add-node","nodeId":"b","labels":["\xff"]}]', "UTF-8", 1),
        ):
            refused = self.make(bad, first, status=None)
            self.assertEqual(refused.status, status, (str(bad)[:80], refused.err))
            self.assertIn(why, refused.err)
        self.make([node("add-node", "b")], "0" * 64, status=3)
        self.make([node("add-node", "b")], status=4)  # it exists
        other = self.ctl("graph", "create", "--project-id", "p", "--namespace", "n", "--graph-id", "other", "--json",
                         self.write("o.json", json.dumps([node("add-node", "z")]))).json["commitId"]
        self.make([node("add-node", "b")], other, status=3)  # another graph's
        self.assertEqual(len(self.graph("log").lines), 1)

    def test_a_hundred_thousand_mutations_are_one_commit(self):
        many = [node("add-node", f"n{i}", v=i) for i in range(100_000)]
        made = self.make(many).json
        self.assertEqual(made["mutationsCount"], 100_000)
        self.assertEqual(self.graph("get-node", "n99999", "--at", made["commitId"]).json["properties"], {"v": 99999})
        self.assertEqual(graph.check(self.db), 1)

    def test_ids_and_roots_are_those_of_a_second_implementation(self):
        rng = random.Random(int(os.environ.get("DEMON_SEED", "7")))
        nodes, edges = set(), {}
        parent = None
        for _ in range(25):
            mutations = []
            for _ in range(rng.randint(1, 30)):
                i = f"n{rng.randint(0, 60)}"
                mutations.append(node("update-node" if i in nodes else "add-node", i, v=rng.randint(0, 9),
                                      text="é" * rng.choice((1, 300))))
                nodes.add(i)
                if len(nodes) > 1:
                    e, ends = f"e{rng.randint(0, 90)}", rng.sample(sorted(nodes), 2)
                    if rng.random() < .5:
                        ends[0] = min(nodes)  # one that has many
                    mutations.append(dict(edge(e, *ends), op="update-edge" if e in edges else "add-edge"))
                    edges[e] = ends
                if rng.random() < .1 and len(nodes) > 5:
                    gone = rng.choice(sorted(nodes))
                    nodes.discard(gone)
                    edges = {k: v for k, v in edges.items() if gone not in v}
                    mutations.append({"op": "remove-node", "nodeId": gone})
            parent = self.make(mutations, *([parent] if parent else [])).json["commitId"]
        self.assertEqual(graph.check(self.db), 25)
        self.ctl("rebuild")
        self.assertEqual(self.ctl("graph", "verify", "--json").json["commits"], 25)

    def test_a_root_knows_nothing_of_history(self):
        one = self.make([node("add-node", f"n{i}") for i in range(40)]).json["stateRoot"]
        rng = random.Random(3)
        order = rng.sample(range(60), 60)
        parent = self.ctl("graph", "create", "--project-id", "p", "--namespace", "n", "--graph-id", "h", "--json",
                          self.write("h.json", json.dumps([node("add-node", f"n{i}") for i in order]))).json
        gone = [{"op": "remove-node", "nodeId": f"n{i}"} for i in rng.sample(range(40, 60), 20)]
        other = self.ctl("graph", "commit", "--project-id", "p", "--namespace", "n", "--graph-id", "h", "--json",
                         "--parent-ref", parent["commitId"], self.write("i.json", json.dumps(gone))).json
        self.assertEqual(other["stateRoot"], one)

    def test_merges_list_conflicts_and_take_resolutions(self):
        base = self.make([node("add-node", "a", x=1, y=1), node("add-node", "b")]).json["commitId"]
        ours = self.make([node("update-node", "a", x=2, y=1)], base).json["commitId"]
        theirs = self.make([node("update-node", "a", x=3, y=9)], base).json["commitId"]
        refused = self.graph("merge", ours, theirs, status=4)
        self.assertEqual([(c["id"], c["property"]) for c in refused.json["conflicts"]], [("a", "x")])
        self.assertEqual(len(self.graph("log").lines), 3)
        resolution = self.write("r.json", json.dumps([{"kind": "node", "id": "a", "property": "x", "value": 7}]))
        merged = self.graph("merge", ours, theirs, "--resolve", resolution, "--move-tag", "main").json
        self.assertEqual(self.graph("get-node", "a").json["properties"], {"x": 7, "y": 9})
        self.assertEqual(self.graph("merge-base", merged["commitId"], theirs).json["mergeBases"], [theirs])
        self.assertEqual(self.graph("merge", "main", theirs).json["merge"], "nothing")
        self.assertEqual(self.graph("merge", base, "main").json["merge"], "forward")

    def test_an_export_makes_the_same_graph(self):
        root = self.make([node("add-node", "a"), node("add-node", "b", v=[1, {"x": None}]), edge("e", "a", "b", 'q"\\')]).json
        out = self.ctl("graph", "export", *G, "--at", root["commitId"]).out
        again = self.ctl("graph", "import", "--project-id", "p", "--namespace", "n", "--graph-id", "copy", "--json",
                         self.write("x.json", out)).json
        self.assertEqual(again["stateRoot"], root["stateRoot"])
        self.assertIn('label="q\\"\\\\"', self.ctl("graph", "export", *G, "--at", root["commitId"], "--format", "dot").out)

    def test_damage_is_found(self):
        import sqlite3
        self.make([node("add-node", f"n{i}", v="x" * 700) for i in range(30)])
        db = sqlite3.connect(self.db)
        size = db.execute("SELECT max(length(data)) FROM graph_packs").fetchone()[0]
        db.execute("UPDATE graph_packs SET data = CAST(replace(data, CAST('xxxxxxxx' AS BLOB), CAST('xxxxyxxx' AS BLOB)) AS BLOB)")
        db.commit()
        db.close()
        self.assertGreater(size, 100)
        self.ctl("graph", "verify", status=7)


if __name__ == "__main__":
    unittest.main(verbosity=0)
