"""The command line itself: help, options, exit statuses, what goes where."""

import os
import re
import subprocess
import unittest

from support import DEMONCTL, DEMOND, ECHO, SOURCE, Case


def commands():
    """Every command with its subcommands, as the overview lists them."""
    text = subprocess.run([DEMONCTL, "--help"], capture_output=True, text=True, check=True).stdout
    listed = text.split("commands:\n")[1].split("\n\n")[0]
    found = []
    for line in re.findall(r"^  (\S.*?)(?:  |$)", listed, re.M):
        words = [word for word in line.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
        found.append(words[:1] if "|" in line and len(words) < 2 else words)
    return found


def options(text):
    return re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.M)


class Help(Case):
    def test_there_are_commands(self):
        self.assertIn(["run"], commands())
        self.assertIn(["runs", "list"], commands())
        self.assertIn(["completion"], commands())

    def test_every_command_has_help_with_examples(self):
        for words in commands():
            with self.subTest(command=words):
                result = self.ctl(*words, "--help")
                self.assertEqual(result.err, "")
                self.assertIn("usage: demonctl " + " ".join(words), result.out)
                examples = result.out.split("examples:\n")[1]
                self.assertIn("demonctl", examples)

    def test_help_says_the_same_in_every_place(self):
        a = self.ctl("runs", "list", "--help").out
        self.assertEqual(a, self.ctl("--help", "runs", "list").out)
        self.assertEqual(a, self.ctl("runs", "--help", "list").out)
        self.assertEqual(a, self.ctl("help", "runs", "list").out)
        self.assertEqual(a, self.ctl("runs", "list", "-h").out)

    def test_a_group_lists_its_subcommands(self):
        out = self.ctl("runs", "--help").out
        for name in ("list", "show", "events"):
            self.assertIn(name, out)

    def test_lines_of_help_fit_a_terminal(self):
        for words in [[]] + commands():
            for line in self.ctl(*words, "--help").out.splitlines():
                self.assertLessEqual(len(line), 120, line)

    def test_the_manual_names_every_command_and_option(self):
        with open(os.path.join(SOURCE, "docs/cli.md"), encoding="utf-8") as file:
            manual = file.read()
        rows = {}
        for row in re.findall(r"^\| `([^`]+)` \|(.*)$", manual, re.M):
            rows[" ".join(re.findall(r"(?:^|(?<= ))[a-z][a-z-]*(?= |$)", row[0]))] = row[1]
        known = set(options(self.ctl("--help").out))
        for option in known:
            self.assertIn(option, manual)
        for words in commands():
            with self.subTest(command=words):
                name = " ".join(words)
                self.assertIn(name, rows)
                for option in set(options(self.ctl(*words, "--help").out)) - known:
                    self.assertIn("`" + option, rows[name])
        for option in options(self.run_program(DEMOND, "--help").out):
            self.assertIn(option, manual)

    def test_version(self):
        self.assertRegex(self.ctl("--version").out, r"^demonctl \d+\.\d+\.\d+ \(SQLite 3")
        self.assertEqual(set(self.ctl("--version", "--json").json), {"version", "sqlite"})
        self.assertRegex(self.run_program(DEMOND, "--version").out, r"^demond \d+\.\d+\.\d+ ")

    def test_help_does_not_touch_a_database(self):
        self.ctl("run", "--help")
        self.ctl("completion", "bash")
        self.assertFalse(os.path.exists(self.db))


class Options(Case):
    def setUp(self):
        super().setUp()
        self.ctl("run", ECHO, "-q")

    def test_global_options_stand_anywhere(self):
        want = self.ctl("--json", "runs", "list").out
        self.assertEqual(want, self.ctl("runs", "--json", "list").out)
        self.assertEqual(want, self.ctl("runs", "list", "--json").out)
        other = {"DEMON_DB": self.path("none.db")}
        self.assertEqual(want, self.ctl("--db", self.db, "runs", "list", "--json", env=other).out)
        self.assertEqual(want, self.ctl("runs", "list", "--json", "--db=" + self.db, env=other).out)

    def test_the_last_value_counts(self):
        self.ctl("runs", "list", "--db", self.path("none.db"), "--db", self.db)

    def test_two_dashes_end_options(self):
        result = self.ctl("runs", "show", "--", "--json", status=3)
        self.assertIn("'--json'", result.err)

    def test_letters_can_be_joined(self):
        self.ctl("runs", "list", "-qv")
        self.assertIn("'-x'", self.ctl("runs", "list", "-qx", status=2).err)

    def test_an_unknown_option_names_the_nearest(self):
        err = self.ctl("runs", "list", "--statsu", "Failed", status=2).err
        self.assertIn("unknown option '--statsu'", err)
        self.assertIn("--status", err)
        self.assertIn("hint: ", err)

    def test_an_unknown_command_names_the_nearest(self):
        err = self.ctl("rnus", "list", status=2).err
        self.assertIn("unknown command 'rnus'", err)
        self.assertIn("'demonctl runs'", err)
        err = self.ctl("runs", "lits", status=2).err
        self.assertIn("'demonctl runs list'", err)

    def test_misuse_is_status_2_and_one_line_with_a_hint(self):
        cases = [
            [],
            ["runs"],
            ["runs", "show"],
            ["runs", "show", "a", "b"],
            ["runs", "list", "--limit"],
            ["runs", "list", "--limit", "x"],
            ["runs", "list", "--limit", "0"],
            ["runs", "list", "--limit", "9" * 30],
            ["runs", "list", "--status", "--json"],
            ["runs", "list", "--status", "Nonsense"],
            ["runs", "list", "--cursor", "Nonsense"],
            ["runs", "list", "--since", "yesterday"],
            ["runs", "list", "--json=yes"],
            ["runs", "list", "--tenant", "a b"],
            ["runs", "list", "--tenant", ""],
            ["runs", "list", "--db", ""],
            ["events", "tail", "--type", "a*b"],
            ["run", ECHO, "--run-id", "a b"],
            ["run", ECHO, "--input", "{"],
            ["run", ECHO, "--input", "[1]"],
            ["run", ECHO, "--param", "novalue"],
            ["run", ECHO, "--param", "=x"],
            ["run", ECHO, "--detach", "--save", "out"],
            ["completion", "tcsh"],
            ["help", "nothing"],
            ["-" * 3],
            ["x" * 100000],
            ["--" + "x" * 100000],
        ]
        for args in cases:
            with self.subTest(args=[a[:40] for a in args]):
                result = self.ctl(*args, status=2)
                self.assertEqual(result.out, "")
                lines = result.err.splitlines()
                self.assertEqual(len(lines), 2, result.err)
                self.assertTrue(lines[0].startswith("demonctl: "))
                self.assertTrue(lines[1].startswith("hint: "))
                self.assertLess(len(lines[0]), 600)

    def test_what_cannot_be_served_is_refused_not_ignored(self):
        args = ["--api-url", "http://x"]
        self.assertIn("database file only", self.ctl("runs", "list", *args, status=2).err)
        env = {"DEMON_API_URL": "http://x"}
        self.assertIn("DEMON_API_URL", self.ctl("runs", "list", status=2, env=env).err)

    def test_nats_is_not_needed(self):
        self.assertEqual(self.ctl("runs", "list", "--nats-url", "nats://127.0.0.1:1").err, "")

    def test_colour_needs_a_terminal(self):
        for args in ([], ["--no-color"]):
            self.assertNotIn("\x1b", self.ctl("runs", "list", *args).out)
        script = ["script", "-qec", DEMONCTL + " runs list", "/dev/null"]
        env = {"TERM": "xterm"}
        self.assertIn("\x1b[", self.run_program(*script, env=env).out)
        self.assertNotIn("\x1b[", self.run_program(*script, env=dict(env, NO_COLOR="1")).out)
        script[2] += " --no-color"
        self.assertNotIn("\x1b[", self.run_program(*script, env=env).out)


class Streams(Case):
    def test_with_json_there_is_nothing_but_json_on_stdout(self):
        self.ctl("run", ECHO, "--run-id", "r1")
        self.ctl("export", "--to", self.path("log.jsonl"))
        bad = self.write("bad.yaml", "id: x\nversion: 1\n")
        batch = self.write("batch.yaml", f"- target: {ECHO}\n- target: {ECHO}\n")
        for status, *args in [
            (0, "run", ECHO),
            (0, "run", ECHO, "--detach"),
            (0, "batch", batch),
            (1, "validate", bad, ECHO),
            (0, "runs", "list"),
            (0, "runs", "show", "r1"),
            (0, "runs", "events", "r1"),
            (0, "events", "tail"),
            (0, "export"),
            (0, "import", self.path("log.jsonl")),
            (0, "heads"),
            (0, "rebuild"),
            (0, "digest"),
            (0, "verify"),
            (0, "status"),
            (0, "doctor"),
            (3, "runs", "show", "none"),
            (0, "contracts", "bundle"),
            (0, "contracts", "validate", self.path("log.jsonl")),
        ]:
            with self.subTest(args=args):
                result = self.ctl(*args, "--json", status=status)
                for line in result.out.splitlines():
                    self.assertEqual(line[0], "{")
                self.assertTrue(result.lines or status == 3)

    def test_quiet_leaves_stderr_empty(self):
        self.assertEqual(self.ctl("run", ECHO, "-q").err, "")

    def test_progress_goes_to_stderr(self):
        err = self.ctl("run", ECHO).err
        self.assertIn("Say hello: echo", err)
        self.assertIn("completed", err)

    def test_a_full_disk_behind_stdout_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = self.run_program(DEMONCTL, "--help", stdout=full, status=1)
        self.assertIn("cannot write to stdout", result.err)

    def test_closed_descriptors_do_not_reach_the_database(self):
        closed = f"{DEMONCTL} run {ECHO} --run-id r1 <&- >&- 2>&-"
        self.run_program("sh", "-c", closed, status=None)
        self.assertEqual(self.ctl("runs", "show", "r1", "--json").json["status"], "Completed")
        self.ctl("verify")

    def test_text_from_files_cannot_steer_a_terminal(self):
        path = self.ritual("steer", ("one \x1b[31m\u009b2J two", ["true"], {}))
        shown = self.ctl("validate", path, status=None)
        if shown.status == 0:
            shown = self.ctl("run", path, "--run-id", "r1")
            shown.out += self.ctl("runs", "show", "r1").out + self.ctl("runs", "events", "r1").out
        for text in (shown.out, shown.err):
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\u009b", text)


class Completion(Case):
    def complete(self, *words):
        """What bash offers behind these words."""
        line = " ".join(words)
        script = (
            f"source <({DEMONCTL} completion bash); COMP_WORDS=({line} {'' if words[-1] else chr(39) * 2}); "
            f"COMP_CWORD={len(words) - 1}; _demonctl; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        return self.run_program("bash", "-c", script).out.split()

    def test_bash_completes_commands_subcommands_options_and_files(self):
        self.assertIn("runs", self.complete("demonctl", "ru"))
        self.assertEqual(self.complete("demonctl", "runs", "sh"), ["show"])
        self.assertEqual(self.complete("demonctl", "--db", "x", "runs", "li"), ["list"])
        self.assertIn("--status", self.complete("demonctl", "runs", "list", "--st"))
        self.assertIn("--json", self.complete("demonctl", "runs", "list", "--js"))
        self.write("deploy.yaml", "")
        self.assertEqual(self.complete("demonctl", "run", "dep"), ["deploy.yaml"])

    def test_every_shell_gets_every_command(self):
        for shell in ("bash", "zsh", "fish"):
            text = self.ctl("completion", shell).out
            for words in commands():
                self.assertIn(words[-1], text)


class Libraries(unittest.TestCase):
    def test_demonctl_loads_nothing_that_it_does_not_need(self):
        text = subprocess.run(
            ["readelf", "-d", DEMONCTL], capture_output=True, text=True, check=True
        ).stdout
        needed = set(re.findall(r"NEEDED.*\[lib(\w+)", text))
        allowed = {"asan", "ubsan", "tsan", "gcov", "gcc_s", "c", "m", "dl", "rt", "pthread", "resolv"}
        self.assertEqual(needed - allowed, {"sqlite3", "jansson", "yaml", "crypto"})


if __name__ == "__main__":
    unittest.main()
