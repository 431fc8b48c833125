import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import lint  # noqa: E402

HEAD = "/// What it is for.\n#pragma once\n"


def breaches(path, text, debt=None):
    return lint.check_file(path, text, debt or {})[0]


class Words(unittest.TestCase):
    def test_the_wall_clock_belongs_to_runtime(self):
        text = "auto now = std::chrono::system_clock::now();\n"
        self.assertIn("Clock from runtime/clock.h", breaches("src/store/wal.cpp", text)[0])
        self.assertEqual(breaches("src/runtime/clock.cpp", text), [])

    def test_only_snapshots_are_shared(self):
        self.assertEqual(len(breaches("src/rules/engine.cpp", "std::shared_ptr<Rule> rule;\n")), 1)
        self.assertEqual(breaches("src/rules/engine.cpp", "std::shared_ptr<const Rule> rule;\n"), [])

    def test_a_shard_never_sleeps(self):
        self.assertEqual(len(breaches("src/net/x.cpp", "std::this_thread::sleep_for(1s);\n")), 1)
        self.assertEqual(len(breaches("src/net/x.cpp", "usleep(5);\n")), 1)

    def test_only_the_command_line_prints(self):
        self.assertEqual(len(breaches("src/store/x.cpp", "std::cout << 1;\n")), 1)
        self.assertEqual(breaches("src/app/x.cpp", "std::cout << 1;\n"), [])

    def test_a_note_to_do_something_names_its_issue(self):
        self.assertEqual(len(breaches("src/store/x.cpp", "// TODO: later\n")), 1)
        self.assertEqual(breaches("src/store/x.cpp", "// TODO(#12): later\n"), [])

    def test_boost_stays_in_runtime_and_net(self):
        self.assertEqual(len(breaches("src/south/mqtt/x.cpp", "#include <boost/asio.hpp>\n")), 1)
        self.assertEqual(breaches("src/net/internal/x.cpp", "#include <boost/asio.hpp>\n"), [])

    def test_a_line_may_say_why_it_is_allowed(self):
        self.assertEqual(breaches("src/store/x.cpp", "std::cout << 1;  // lint: allow, the report goes there\n"), [])


class Hosts(unittest.TestCase):
    def test_nothing_that_ships_names_a_foreign_host(self):
        self.assertEqual(len(breaches("src/north/rest/x.cpp", 'auto u = "https://fonts.gstatic.com/x";\n')), 1)
        self.assertEqual(breaches("src/north/rest/x.cpp", 'auto u = "http://127.0.0.1:8080";\n'), [])
        self.assertEqual(breaches("src/north/rest/x.cpp", 'auto u = "http://localhost:8080";\n'), [])

    def test_a_lock_file_names_no_registry(self):
        self.assertEqual(len(breaches("web/package-lock.json", '"resolved": "https://registry.npmjs.org/x"\n')), 1)

    def test_no_path_of_one_machine(self):
        self.assertEqual(len(breaches("cmake/x.cmake", "set(x /home/anna/build)\n")), 1)


class Names(unittest.TestCase):
    def test_a_name_says_what_is_inside(self):
        self.assertEqual(len(breaches("src/store/utils.cpp", "")), 1)
        self.assertEqual(len(breaches("src/store/file_helper.h", HEAD)), 1)
        self.assertEqual(breaches("src/store/block.h", HEAD), [])

    def test_a_header_begins_with_what_it_is_for(self):
        self.assertEqual(len(breaches("src/store/block.h", "#pragma once\n")), 1)


class Length(unittest.TestCase):
    @staticmethod
    def function(lines):
        return "Result<void> Store::open(int a,\n                        int b) {\n" + "    x();\n" * (lines - 3) + "}\n"

    def test_a_long_function_is_found_by_its_name(self):
        found = breaches("src/store/x.cpp", self.function(80))
        self.assertEqual(len(found), 1)
        self.assertIn("Store::open has 80 lines, 70 allowed", found[0])
        self.assertEqual(breaches("src/store/x.cpp", self.function(70)), [])

    def test_debt_allows_what_was_there_and_no_more(self):
        debt = {"src/store/x.cpp:Store::open": 80}
        self.assertEqual(breaches("src/store/x.cpp", self.function(80), debt), [])
        self.assertEqual(len(breaches("src/store/x.cpp", self.function(81), debt)), 1)

    def test_a_long_file_is_found_but_not_a_long_test(self):
        self.assertEqual(len(breaches("src/store/x.cpp", "\n" * 900)), 1)
        self.assertEqual(breaches("src/store/x_test.cpp", "\n" * 900), [])

    def test_classes_and_namespaces_are_not_functions(self):
        text = "namespace a {\n" + "class B {\n" + "    int f(int x) const {\n" + "    y();\n" * 3 + "    }\n};\n" + "\n" * 90 + "}\n"
        self.assertEqual(breaches("src/store/x.cpp", text), [])


class Errors(unittest.TestCase):
    def test_every_error_of_ours_has_a_remedy(self):
        self.assertEqual(lint.error_breaches(pathlib.Path(__file__).parent.parent.parent), [])


if __name__ == "__main__":
    unittest.main()
