"""The conformance kit of the DSL (folder DEMON_CTK_DIR), and the project's own scenarios."""

import json
import os
import re
import unittest

import yaml

import gherkin
from service_stub import Stub
from support import SOURCE, Case

KIT = os.environ.get("DEMON_CTK_DIR", "")
OWN = os.path.join(SOURCE, "tests/scenarios")
HOSTS = re.compile(r"https://(petstore\.swagger\.io|httpbin\.org)")
# What the scenario needs, and what its refusal has to name.
NOT_YET = {
    "Fork Task With Competing Concurrent Sub Tasks": "'fork'",
    "Call OpenAPI With Content Output": "'openapi'",
    "Call OpenAPI With Response Output": "'openapi'",
    "Emit Task": "'emit'",
}


def property_of(value, path):
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise AssertionError(f"no property '{path}'")
        value = value[name]
    return value


class Run:
    """A scenario under way."""

    def __init__(self, case, url):
        self.case = case
        self.url = url
        self.file = case.path("ritual.yaml")
        self.input = None
        self.event = None
        self.steps = []

    def definition(self, text):
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(HOSTS.sub(self.url, text))

    def execute(self):
        args = ["--json", "run", self.file, "--run-id", "r"]
        if self.input is not None:
            args += ["--input", json.dumps(self.input)]
        result = self.case.ctl(*args, status=None)
        self.case.assertIn(result.status, (0, 1), result.err)
        self.case.assertTrue(result.out, result.err)
        self.event = result.lines[-1]
        # a step that was only computed, or called, in the order in which they began
        self.steps = [s["name"] for s in self.case.ctl("--json", "runs", "show", "r").json["steps"]]

    @property
    def output(self):
        self.case.assertEqual(self.event["event"], "ritual.completed:v1", self.event)
        return self.event["outputs"]["result"]["data"]

    def completes(self):
        self.case.assertEqual(self.event["event"], "ritual.completed:v1", self.event)

    def completes_with(self, block):
        self.case.assertEqual(self.output, yaml.safe_load(block))

    def faults(self):
        self.case.assertEqual(self.event["event"], "ritual.failed:v1", self.event)

    def faults_with(self, block):
        self.faults()
        want = yaml.safe_load(block)
        self.case.assertEqual({k: self.event["error"].get(k) for k in want}, want)

    def has(self, paths):
        for path in re.findall(r"'([^']+)'", paths):
            property_of(self.output, path)

    def has_value(self, path, block):
        self.case.assertEqual(property_of(self.output, path), yaml.safe_load(block))

    def has_items(self, path, count):
        self.case.assertEqual(len(property_of(self.output, path)), int(count))

    def first(self, name):
        self.case.assertEqual(self.steps[0], name)

    def last(self, name):
        self.case.assertEqual(self.steps[-1], name)

    def after(self, name, before):
        self.case.assertGreater(self.steps.index(name), self.steps.index(before))

    def step(self, step):
        text, block = step.text, step.block
        for pattern, action in STEPS:
            match = re.fullmatch(pattern, text)
            if match:
                action(self, *match.groups(), *([block] if block is not None else []))
                return
        raise AssertionError(f"a step that nobody knows: {text}")


def set_input(run, block):
    run.input = yaml.safe_load(block)


STEPS = [
    (r"a workflow with definition:", Run.definition),
    (r"the workflow input is:", set_input),
    (r"the workflow is executed", Run.execute),
    (r"the workflow should complete", Run.completes),
    (r"the workflow should complete with output:", Run.completes_with),
    (r"the workflow should fault", Run.faults),
    (r"the workflow should fault with error:", Run.faults_with),
    (r"the workflow output should have properties (.*)", Run.has),
    (r"the workflow output should have a '([^']+)' property with value:", Run.has_value),
    (r"the workflow output should have a '([^']+)' property containing (\d+) items", Run.has_items),
    (r"(\w+) should run first", Run.first),
    (r"(\w+) should run last", Run.last),
    (r"(\w+) should run after (\w+)", Run.after),
]


class Scenarios(Case):
    def play(self, scenario):
        with Stub() as stub:
            run = Run(self, stub.url)
            for step in scenario.steps:
                run.step(step)

    def fresh(self):
        for name in os.listdir(self.dir):
            if name.startswith("node.db"):
                os.remove(self.path(name))

    @unittest.skipUnless(KIT, "DEMON_CTK_DIR does not name the conformance kit")
    def test_the_kit(self):
        scenarios = gherkin.read_folder(KIT)
        passed = 0
        self.assertGreater(len(scenarios), 0)
        for scenario in scenarios:
            with self.subTest(scenario.name):
                self.fresh()
                if scenario.name in NOT_YET:
                    with open(self.path("x.yaml"), "w", encoding="utf-8") as f:
                        f.write(scenario.steps[0].block)
                    refused = self.ctl("validate", self.path("x.yaml"), status=1)
                    self.assertIn("not supported yet", refused.err)
                    self.assertIn(NOT_YET[scenario.name], refused.err)
                    continue
                self.play(scenario)
                passed += 1
        print(f"conformance kit: {passed} of {len(scenarios)} scenarios pass")
        self.assertEqual(passed, len(scenarios) - len(NOT_YET))

    def test_our_own(self):
        scenarios = gherkin.read_folder(OWN)
        self.assertGreater(len(scenarios), 10)
        for scenario in scenarios:
            with self.subTest(f"{scenario.feature}: {scenario.name}"):
                self.fresh()
                self.play(scenario)


if __name__ == "__main__":
    unittest.main()
