import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import floors  # noqa: E402

LAW = """
base:
wire:      base
flow:      base
south/*:   base wire flow
app:       base south/*
"""


def floors_of(text):
    return floors.read_floors(text)


class TheLaw(unittest.TestCase):
    def setUp(self):
        self.floors, breaches = floors_of(LAW)
        self.assertEqual(breaches, [])

    def why(self, source, target):
        return floors.check_include(source, target, self.floors)

    def test_a_room_may_include_what_stands_on_its_line(self):
        self.assertIsNone(self.why("south/mqtt/broker.cpp", "wire/mqtt/packet.h"))
        self.assertIsNone(self.why("app/main.cpp", "south/mqtt/broker.h"))

    def test_a_room_may_not_include_what_does_not(self):
        self.assertIn("may not include", self.why("wire/mqtt/packet.cpp", "flow/sink.h"))

    def test_neighbours_on_one_floor_do_not_know_one_another(self):
        self.assertIn("may not include", self.why("south/mqtt/broker.cpp", "south/http/door.h"))

    def test_a_room_may_include_itself_and_its_own_internal_folder(self):
        self.assertIsNone(self.why("south/mqtt/broker.cpp", "south/mqtt/internal/session.h"))

    def test_nobody_reaches_into_another_rooms_internal_folder(self):
        self.assertIn("reaches into", self.why("app/main.cpp", "south/mqtt/internal/session.h"))

    def test_only_tests_include_what_tests_share(self):
        self.assertIsNone(self.why("wire/mqtt/packet_test.cpp", "support/manual_clock.h"))
        self.assertIn("in no room", self.why("wire/mqtt/packet.cpp", "support/manual_clock.h"))

    def test_a_file_outside_every_room_is_a_breach(self):
        self.assertIn("belongs to no room", self.why("cellar/x.cpp", "base/result.h"))


class TheFile(unittest.TestCase):
    def test_a_line_names_only_rooms_above_it_so_no_circle_can_be_written(self):
        _, breaches = floors_of("a: b\nb: a\n")
        self.assertEqual(len(breaches), 1)
        self.assertIn("not written above", breaches[0])

    def test_a_room_is_written_once(self):
        _, breaches = floors_of("a:\na:\n")
        self.assertIn("written twice", breaches[0])


class TheTree(unittest.TestCase):
    def test_a_breach_is_told_with_file_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "tools").mkdir()
            (root / "tools/floors.txt").write_text(LAW)
            (root / "src/base").mkdir(parents=True)
            (root / "src/base/x.h").write_text('#pragma once\n#include "wire/y.h"\n')
            self.assertEqual(len(floors.check_tree(root)), 1)
            self.assertTrue(floors.check_tree(root)[0].startswith("src/base/x.h:2: base may not include wire"))

    def test_our_own_tree_obeys(self):
        self.assertEqual(floors.check_tree(pathlib.Path(__file__).parent.parent.parent), [])


if __name__ == "__main__":
    unittest.main()
