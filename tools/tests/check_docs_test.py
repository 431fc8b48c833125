import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import check_docs  # noqa: E402

CONFIG = '''
        {"data", "--data", "", "string", "Directory"},
        {"listen.http", "--http", "127.0.0.1:8080", "endpoint",
         "Plain HTTP"},
        {"log.level", "", "info", "debug|info", "Lines"},
'''
PAGE = """
| `data` | `--data` | `LINESHAFT_DATA` | none | directory |
| `listen.http` | `--http` | `LINESHAFT_LISTEN__HTTP` | `127.0.0.1:8080` | plain |
| `log.level` | | `LINESHAFT_LOG__LEVEL` | `info` | lines |
"""
EXAMPLE = """# every setting
data: ""

listen:
  # where
  http: 127.0.0.1:8080
log:
  level: info
"""


class Settings(unittest.TestCase):
    def test_a_page_that_names_them_all_is_good(self):
        self.assertEqual(check_docs.setting_breaches(CONFIG, PAGE, EXAMPLE), [])

    def test_a_missing_row_a_wrong_default_and_a_row_too_many_are_told(self):
        page = PAGE.replace("| `data`", "| `dada`").replace("`info`", "`debug`")
        self.assertEqual(check_docs.setting_breaches(CONFIG, page, EXAMPLE),
                         ["docs/user/configuration.md: no row for data",
                          "docs/user/configuration.md: the row of log.level lacks `info`",
                          "docs/user/configuration.md: there is no setting dada"])

    def test_the_example_has_every_setting_in_its_section(self):
        found = check_docs.setting_breaches(CONFIG, PAGE, EXAMPLE.replace("  level: info\n", "").replace("data:", "date:"))
        self.assertEqual(found, ["examples/lineshaft.yaml: data is missing", "examples/lineshaft.yaml: log.level is missing"])

    def test_a_table_that_cannot_be_read_is_told(self):
        self.assertIn("no settings found", check_docs.setting_breaches("", "", EXAMPLE)[0])


class Metrics(unittest.TestCase):
    def test_what_is_missing_and_what_is_gone_is_told(self):
        found = check_docs.metric_breaches('Counter a{"lineshaft_a_total", "", ""};', "| `lineshaft_b_total` | b | |")
        self.assertEqual(found, ["docs/user/operations.md: no row for lineshaft_a_total",
                                 "docs/user/operations.md: there is no metric lineshaft_b_total"])


class Links(unittest.TestCase):
    def test_files_and_headings_are_looked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            (root / "b.md").write_text("# What a message becomes\n")
            (root / "a.md").write_text("[x](b.md#what-a-message-becomes) [y](c.md) [z](b.md#none) [w](https://plant.example/q)")
            self.assertEqual(check_docs.link_breaches(root, root / "a.md"),
                             ["a.md: c.md does not exist", "a.md: b.md has no heading #none"])


if __name__ == "__main__":
    unittest.main()
