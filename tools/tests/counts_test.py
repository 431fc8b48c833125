import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import counts  # noqa: E402

CTEST = """<testsuite tests="3"><testcase name="a" status="run"/><testcase name="b" status="fail"><failure/></testcase>
<testcase name="c" status="notrun"><skipped/></testcase></testsuite>"""
NODE = """<testsuites><testsuite><testcase name="a"/><testcase name="b"><skipped type="skipped"/></testcase></testsuite>
<testcase name="c"/></testsuites>"""


class Counting(unittest.TestCase):
    def summary(self, text, exit_code):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(text)
            file.flush()
            return counts.summary(file.name, exit_code)

    def test_counts_what_ctest_writes(self):
        self.assertEqual(self.summary(CTEST, 1), (["failed: b", "1 1 1"], False))

    def test_counts_nested_suites_as_node_writes_them(self):
        self.assertEqual(self.summary(NODE, 0), (["2 0 1"], True))

    def test_a_program_that_fails_without_a_failed_test_is_a_failure(self):
        lines, well = self.summary(NODE, 139)
        self.assertEqual(lines[-1], "2 1 1")
        self.assertFalse(well)

    def test_silence_is_never_success(self):
        self.assertEqual(counts.summary("no-such-report.xml", 0)[0][-1], "0 1 0")


if __name__ == "__main__":
    unittest.main()
