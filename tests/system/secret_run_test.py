"""Secrets of rituals: they reach what is called, and nothing else."""

import json
import os
import unittest

from support import Case

VALUE = "hunter-2000-%s"


class Secrets(Case):
    def run_ritual(self, *tasks, use=None, status=0):
        spec = {
            "document": {"dsl": "1.0.3", "namespace": "default", "name": "s", "version": "1"},
            "do": [{f"t{i}": task} for i, task in enumerate(tasks)],
        }
        if use:
            spec["use"] = use
        path = self.write("ritual.json", json.dumps(spec))
        return self.ctl("--json", "run", path, "--run-id", "r", status=status,
                        env={"SECRET_API_TOKEN": VALUE})

    def assert_hidden(self, result):
        self.assertNotIn(VALUE, result.out + result.err)
        self.ctl("export", "--to", self.path("log"))
        for name in os.listdir(self.dir):
            if os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as f:
                    self.assertNotIn(VALUE.encode(), f.read(), name)

    def data(self, result):
        return result.json["outputs"]["result"]["data"]

    def test_a_literal_name_is_filled_in_and_taken_out(self):
        result = self.run_ritual({
            "call": "exec",
            "with": {"command": ["sh", "-c", "printf '%s' \"${#TOKEN} $TOKEN\""],
                     "env": {"TOKEN": "secret://api/token"}},
            "output": {"as": ".stdout"},
        })
        self.assertEqual(self.data(result), f"{len(VALUE)} [redacted]")
        self.assert_hidden(result)

    def test_a_variable_is_filled_in_within_a_text(self):
        result = self.run_ritual({
            "run": {"shell": {"command": "printf '%s' \"${#HEADER}\"",
                              "environment": {"HEADER": '${ "Bearer \\($secrets.api.token)" }'}}},
        }, use={"secrets": ["api/token"]})
        self.assertEqual(self.data(result), str(len("Bearer " + VALUE)))
        self.assert_hidden(result)

    def test_a_name_that_comes_with_the_data_stays_a_name(self):
        result = self.run_ritual(
            {"call": "exec", "with": {"command": ["printf", "%s", "secret:", "//api/token"]},
             "output": {"as": ".stdout"}},
            {"call": "exec", "with": {"command": ["printf", "%s", "${ . }"]},
             "output": {"as": ".stdout"}},
        )
        self.assertEqual(self.data(result), "secret://api/token")
        self.assert_hidden(result)

    def test_what_a_failed_program_wrote_is_clean_too(self):
        result = self.run_ritual({
            "call": "exec",
            "with": {"command": ["sh", "-c", "echo $0 >&2; exit 3", "secret://api/token"]},
        }, status=1)
        self.assertIn("[redacted]", result.json["error"]["detail"])
        self.assert_hidden(result)

    def test_a_secret_that_is_nowhere_is_an_error_of_the_step(self):
        result = self.run_ritual({
            "call": "exec", "with": {"command": ["echo", "secret://api/other"]},
        }, status=1)
        error = result.json["error"]
        self.assertEqual(error["type"],
                         "https://serverlessworkflow.io/spec/1.0.0/errors/authorization")
        self.assertEqual(error["instance"], "/do/0/t0")
        self.assert_hidden(result)


if __name__ == "__main__":
    unittest.main()
