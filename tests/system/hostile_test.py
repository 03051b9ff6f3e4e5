"""Definitions and inputs that are meant to hurt: each is refused, or ends as its step's own error."""

import json
import os
import shutil
import time
import unittest

from support import DEMONCTL, Case

EXPRESSION = "https://serverlessworkflow.io/spec/1.0.0/errors/expression"
RUNTIME = "https://serverlessworkflow.io/spec/1.0.0/errors/runtime"


def dsl(*tasks, **more):
    document = {"dsl": "1.0.3", "namespace": "default", "name": "hostile", "version": "1"}
    return json.dumps({"document": document, "do": list(tasks), **more}, ensure_ascii=False)


def set_v(name, value):
    return {name: {"set": {"v": value}}}


class Hostile(Case):
    def play(self, *tasks, status=0, args=(), **more):
        path = self.write("hostile.json", dsl(*tasks, **more))
        return self.ctl("run", path, "--json", "-q", *args, status=status)

    def data(self, *tasks, **more):
        return self.play(*tasks, **more).json["outputs"]["result"]["data"]

    def error(self, *tasks, **more):
        run = self.play(*tasks, status=1, **more).json
        self.assertEqual(self.ctl("runs", "show", run["runId"], "--json").json["status"], "Failed")
        return run["error"]

    def refused(self, text, message):
        path = self.write("refused.yaml", text)
        for command in (["validate"], ["run", "-q"]):
            result = self.ctl(*command, path, status=None)
            self.assertEqual(result.status, 1, result.err)
            self.assertIn(message, result.err)
        self.assertFalse(os.path.exists(self.db))

    def test_what_is_too_much_is_refused(self):
        nested = '{"do":[{"a":' * 1000 + '{"set":{}}' + "}]}" * 1000
        self.refused(dsl({"a": 0}).replace('{"a": 0}', '{"a":' + nested + "}"), "levels")
        self.refused(dsl(set_v("a", "x" * 1000000)), "480 KiB")
        self.refused(dsl(*({f"t{i}": {"set": {}}} for i in range(20001))), "more than")
        bomb = "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh"))
        self.refused("a: &a [x]\n" + bomb, "anchors")
        self.refused(dsl({"a": {"if": 5, "set": {}}}), "expected a string")
        self.refused(dsl({"a": {"if": "yes", "set": {}}}), "yes/0 is not defined")

    def test_what_takes_10_000_tasks_takes_them_in_proportion(self):
        took = {}
        for count in (1250, 10000):
            began = time.monotonic()
            self.data(*({f"t{i}": {"set": {}}} for i in range(count)))
            took[count] = time.monotonic() - began
        self.assertLess(took[10000], 8 * 3 * took[1250] + 1)

    def test_an_expression_without_end_is_its_tasks_error(self):
        for program, why in (
            ("def f: f; f", "2000 ms"),
            ("def f: [f]; f", "memory"),
            ('[range(1e7)] | tostring * 100', "memory"),
            ('"x" * 1e10', "too long"),
            ("empty", "no result"),
            ("1, 2", "more than one result"),
            ("nan", "NaN"),
            ('"\\u0000"', "U+0000"),
            ('error({a: "' + "é" * 300 + '"})', "error"),
        ):
            error = self.error(set_v("a", "${ " + program + " }"))
            self.assertEqual((error["type"], error["instance"]), (EXPRESSION, "/do/0/a"))
            self.assertIn(why, error["detail"])

    def test_what_grows_meets_the_limit_of_events(self):
        for task in (
            {"b": {"set": {"v": "${ .v + .v }"}, "if": "true", "then": "b"}},
            {"b": {"set": {"v": "x"}, "if": "true", "then": "b",
                   "export": {"as": '$context // ["x" * 1000] | . + .'}}},
            {"b": {"do": [set_v("c", "x")], "output": {"as": '{v: ("x" * 600000)}'}}},
            {"b": {"call": "echo", "with": {"message": '${ "x" * 600000 }'}}},
            {"b": {"for": {"in": '["x" * 600000]'}, "do": [set_v("c", 1)]}},
            {"b": {"wait": {"seconds": 0}, "output": {"as": '{v: ("x" * 600000)}'}}},
        ):
            error = self.error(set_v("a", "x"), task)
            self.assertEqual((error["type"], error["instance"]), (RUNTIME, "/do/1/b"))
            self.assertIn("_TOO_LARGE", error["detail"])
        caught = {"t": {"try": [{"b": {"set": {"v": '${ "x" * 600000 }'}}}],
                        "catch": {"do": [set_v("c", "caught")]}}}
        self.assertEqual(self.data(caught), {"v": "caught"})

    def test_a_loop_has_eight_megabytes(self):
        loop = {"a": {"for": {"in": '[range(20) | . as $i | "x" * 400000]'},
                      "do": [set_v("b", "${ [$index, ($item | length)] }")]}}
        self.assertEqual(self.data(loop), {"v": [19, 400000]})
        loop["a"]["for"]["in"] = '[range(22) | . as $i | "x" * 400000]'
        self.assertIn("8388608 bytes", self.error(loop)["detail"])

    def test_an_error_of_the_wrong_shape_is_an_error_too(self):
        for error in ("${ 5 }", {"type": "${ [1] }", "status": 400}, {"type": "", "status": 400},
                      {"type": "t", "status": '${ "400" }'}, {"type": "t", "status": "${ 999 }"}):
            self.assertEqual(self.error({"a": {"raise": {"error": error}}})["title"], "Not an error")
        error = {"type": "t", "status": 418, "title": "${ [1] }", "detail": "${ {} }", "instance": "${ \"~\" }"}
        self.assertEqual(self.error({"a": {"raise": {"error": error}}}),
                         {"type": "t", "status": 418, "title": "t", "instance": "/do/0/a"})

    def test_names_are_only_names(self):
        names = ["it's \"q\" é \U0001f4a5", "a/b~c", ":timer:", "..", "$input", "-rf", "%s%n", "\u200f"]
        tasks = [{name: {"wait": {"milliseconds": 1}}} for name in names]
        run = self.play(*tasks, set_v("last", 1)).json
        steps = self.ctl("runs", "show", run["runId"], "--json").json["steps"]
        self.assertEqual([step["name"] for step in steps], names + ["last"])
        again = {name: {"try": [{"x": {"raise": {"error": {"type": "t", "status": 500}}}}],
                        "catch": {"as": "input", "retry": {"limit": {"attempt": {"count": 1}}},
                                  "do": [set_v("y", "${ $input.status }")]}}
                 for name in names[:1]}
        self.assertEqual(self.data(again), {"v": 500})

    def test_inputs(self):
        for text, why in (
            ('{"a":' + "[" * 100000 + "]" * 100000 + "}", "nested deeper"),
            ('{"a":"' + "x" * 1000000 + '"}', "524288 bytes"),
            ('{"a":"\\u0000"}', "U+0000"),
            ('{"a":1,"a":2}', "duplicate key"),
            ('{"a":12345678901234567890}', "not exact"),
            ("[1]", "not a JSON object"),
        ):
            self.write("input.json", text)
            result = self.play(set_v("a", 1), status=None, args=("--input", "@" + self.path("input.json")))
            self.assertIn(result.status, (1, 2))
            self.assertIn(why, result.err)
        self.write("input.json", '{"a":' + "[" * 60 + "]" * 60 + "}")
        deep = [set_v("a", "${ [[[.]]] }")]
        error = self.play(*deep, status=1, args=("--input", "@" + self.path("input.json"))).json["error"]
        self.assertIn(error["type"], (RUNTIME, EXPRESSION))

    def test_without_the_program_for_expressions_nothing_is_begun(self):
        os.makedirs(self.path("alone/bin"))
        alone = shutil.copy(DEMONCTL, self.path("alone/bin/demonctl"))
        path = self.write("a.json", dsl(set_v("a", "${ 1 }")))
        self.assertIn("demon-expr", self.run_program(alone, "run", path, "-q", status=6).err)
        self.assertFalse(os.path.exists(self.db))


if __name__ == "__main__":
    unittest.main()
