"""The checks of the sources: each finds what is planted for it, and fails when it looked at nothing."""

import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOOD = {"src/base/a.h": "#include <demon/err.h>\n#include <jansson.h>\n",
        "src/base/yaml.c": '#include "a.h"\n\n#include <yaml.h>\n',
        "src/store/b.c": '#include "base/a.h"\n\n#include <demon/store.h>\n',
        "src/domain/ritual/c.c": '#include "../d.h" /* why */\n#include "store/e.h"\n',
        "src/domain/d.h": "#include <stdio.h>\n",
        "src/store/e.h": "/* http://example.com */\nextern const char url[]; /* \"//\" */\n",
        "include/demon/err.h": "#include <stddef.h>\n",
        "include/demon/store.h": "#include <demon/err.h>\n"}


class Checks(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, files):
        for path, text in files.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)

    def run_check(self, name):
        done = subprocess.run([os.path.join(SOURCE, "tools", name), self.root], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def assert_finds(self, name, files, *wanted):
        """Exactly what is wanted is found in a good tree with these files added."""
        self.write(GOOD)
        self.write(files)
        status, out = self.run_check(name)
        self.assertEqual(status, 1, out)
        for words in wanted:
            self.assertIn(words, out)
        self.assertIn(f"{len(set(GOOD) | set(files))} files, {len(wanted)} problems", out)

    def test_a_good_tree_passes_and_its_files_are_counted(self):
        self.write(GOOD)
        for name in ("check-layers", "check-text"):
            self.assertEqual(self.run_check(name), (0, f"{len(GOOD)} files, 0 problems\n"))

    def test_an_empty_tree_fails(self):
        for name in ("check-layers", "check-text", "check-format"):
            self.assertEqual(self.run_check(name)[0], 1, name)

    def test_an_include_that_points_upward_is_found(self):
        self.assert_finds("check-layers", {
            "src/db/f.c": '#include "store/e.h"\n',
            "src/db/g.c": '#include "../store/e.h"\n',
            "src/db/h.c": "#include <store/e.h>\n",
            "src/db/i.c": '  #  include "domain/that/is/not/there.h"\n',
            "src/db/j.c": "#include <demon/store.h>\n",
            "include/demon/env.h": "#include <demon/store.h>\n",
        }, "src/db/f.c: includes 'store/e.h', which is not below db",
            "src/db/g.c: includes '../store/e.h', which is not below db",
            "src/db/h.c: includes 'store/e.h', which is not below db",
            "src/db/i.c: includes 'domain/that/is/not/there.h', which is not below db",
            "src/db/j.c: includes 'demon/store.h', which is not below db",
            "include/demon/env.h: includes 'demon/store.h', which is not below base")

    def test_an_include_between_neighbours_is_found(self):
        self.assert_finds("check-layers", {
            "src/http/f.h": "", "src/demond/g.h": "",
            "src/replica/h.c": '#include "http/f.h"\n',
            "src/demonctl/i.c": '#include "demond/g.h"\n',
        }, "src/replica/h.c: includes 'http/f.h', which is not below replica",
            "src/demonctl/i.c: includes 'demond/g.h', which is not below demonctl")

    def test_a_foreign_header_away_from_its_home_is_found(self):
        headers = ("sqlite3.h", "yaml.h", "microhttpd.h", "nats/nats.h", "jq.h", "curl/curl.h",
                   "openssl/evp.h")
        self.assert_finds("check-layers", {
            f"src/store/f{i}.c": f"#include <{h}>\n" for i, h in enumerate(headers)
        }, *[f"src/store/f{i}.c: <{h}> may be included by" for i, h in enumerate(headers)])

    def test_quotes_do_not_hide_a_foreign_header(self):
        self.assert_finds("check-layers", {"src/base/f.c": '#include "sqlite3.h"\n'},
                          "src/base/f.c: <sqlite3.h> may be included by")

    def test_a_second_home_of_a_foreign_header_is_found(self):
        self.assert_finds("check-layers", {
            "src/domain/f.c": "#include <curl/curl.h>\n",
            "src/domain/g.c": "#include <curl/curl.h>\n",
        }, "src/domain/g.c: <curl/curl.h> is included elsewhere already: src/domain/f.c")

    def test_libjq_is_met_by_its_worker_alone(self):
        self.assert_finds("check-layers", {
            "src/domain/f.c": "#include <jq.h>\n", "src/demonctl/g.c": "#include <jv.h>\n",
            "src/demon-expr/h.c": "#include <jq.h>\n", "src/demon-expr/i.c": "#include <jq.h>\n",
        }, "src/domain/f.c: <jq.h> may be included by src/demon-expr/ only",
            "src/demonctl/g.c: <jv.h> may be included by src/demon-expr/ only")

    def test_what_belongs_to_no_layer_is_found(self):
        self.write({"tests/g.h": ""})
        self.assert_finds("check-layers", {
            "src/util/f.c": "", "include/demon/other.h": "",
            "src/base/h.c": "#include SOME_HEADER\n",
            "src/base/i.c": '#include "../../tests/g.h"\n',
        }, "src/util/f.c: belongs to no layer", "include/demon/other.h: belongs to no layer",
            "src/base/h.c: cannot tell what 'SOME_HEADER' includes",
            "src/base/i.c: includes '../../tests/g.h', which is not a source")

    def test_long_files_are_found(self):
        self.assert_finds("check-text", {
            "src/base/f.c": "\n" * 601, "src/base/g.c": "\n" * 600,
            "src/base/f.h": "\n" * 251, "include/demon/f.h": "\n" * 250,
            "tests/long_test.c": "\n" * 900,
        }, "src/base/f.c: 601 lines; the cap is 600", "src/base/f.h: 251 lines; the cap is 250")

    def test_line_comments_are_found_and_addresses_are_not(self):
        self.assert_finds("check-text", {
            "src/base/f.c": 'int a; /* see\nhttp://x */ // no\nchar q = \'"\';\nchar *b = "\\"//";\n',
            "examples/g.c": "// no\n",
            "examples/g.py": "a = 7 // 2\n",
        }, "src/base/f.c:2: a line comment", "examples/g.c:1: a line comment")

    def test_marks_without_an_owner_are_found(self):
        marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
        files = {f"docs/f{i}.md": f"\nsome {mark}: later\n" for i, mark in enumerate(marks)}
        files["tests/data/g.txt"] = marks[0] + "\n"
        files["tools/g"] = "mktemp /tmp/XXXXXX\n"
        self.write(GOOD)
        self.write(files)
        status, out = self.run_check("check-text")
        self.assertEqual(status, 1)
        for i, mark in enumerate(marks):
            self.assertIn(f"docs/f{i}.md:2: the mark {mark}\n", out)
        self.assertIn(f"{len(GOOD) + len(files) - 1} files, {len(marks)} problems", out)

    @unittest.skipUnless(shutil.which("clang-format"), "clang-format is not installed")
    def test_another_layout_is_found(self):
        self.write({"src/base/f.c": "int f(void)\n{\n\treturn 1;\n}\n"})
        self.assertEqual(self.run_check("check-format"), (0, "1 files\n"))
        self.write({"tests/g.c": "int g(void) {\n  return 1;\n}\n"})
        status, out = self.run_check("check-format")
        self.assertNotEqual(status, 0)
        self.assertIn("tests/g.c:1:", out)

    def test_without_clang_format_the_check_of_the_layout_says_so_and_fails(self):
        self.write({"src/base/f.c": "int a;\n"})
        bin_dir = os.path.join(self.root, "bin")
        os.mkdir(bin_dir)
        for tool in ("dirname", "find", "xargs", "wc"):
            os.symlink(shutil.which(tool), os.path.join(bin_dir, tool))
        done = subprocess.run(["/bin/sh", os.path.join(SOURCE, "tools/check-format"), self.root],
                              env={"PATH": bin_dir}, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("clang-format is not installed", done.stdout)


if __name__ == "__main__":
    unittest.main()
