#!/usr/bin/env python3
"""Checks the floors: who may include whom.

The law is tools/floors.txt. A line `room: other other` says what the room may include; it may only name rooms written
above it, so a circle cannot be written down. `south/*` stands for every room below src/south. A room includes another
one's front door (src/<room>/*.h) and never its internal folder.

    floors.py [ROOT]        prints each breach as file:line and ends with 1 if there is one
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
# What any room may include besides its line: generated headers and, in tests, what all tests share.
SHARED_BY_TESTS = ("support/",)
# Tests, and the headers that only tests of one room share (internal/test_bench.h).
TEST_FILE = re.compile(r"(_test|_fuzz|_bench)\.cpp$|/test_\w+\.(h|cpp)$")


def read_floors(text):
    """([(room pattern, [patterns it may include])], [breaches of the file itself])."""
    lines, breaches, above = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        room, _, rest = line.partition(":")
        may = rest.split()
        for other in may:
            if other not in above:
                breaches.append(f"tools/floors.txt:{number}: '{room}' names '{other}', which is not written above it")
        if room in above:
            breaches.append(f"tools/floors.txt:{number}: '{room}' is written twice")
        above.append(room)
        lines.append((room, may))
    return lines, breaches


def room_of(path, patterns):
    """The pattern and the room a path below src belongs to: ("south/*", "south/mqtt"); (None, None) if to none."""
    parts = path.split("/")
    for pattern in patterns:
        if pattern.endswith("/*"):
            if len(parts) > 2 and parts[0] == pattern[:-2]:
                return pattern, "/".join(parts[:2])
        elif parts[0] == pattern and len(parts) > 1:
            return pattern, pattern
    return None, None


def check_include(source, target, floors):
    """Why the file `source` may not include `target` (both relative to src); None if it may."""
    patterns = [room for room, _ in floors]
    pattern, room = room_of(source, patterns)
    if room is None:
        return f"'{source}' belongs to no room: add one to tools/floors.txt"
    other_pattern, other = room_of(target, patterns)
    if other is None:
        if TEST_FILE.search(source) and target.startswith(SHARED_BY_TESTS):
            return None
        return f'"{target}" is in no room: use <…> for a library, the path from src for our own'
    if other == room:
        return None
    if other_pattern not in dict(floors)[pattern]:
        return f"{room} may not include {other}: its line in tools/floors.txt does not name it"
    if "/internal/" in target:
        return f"{room} reaches into {other}: only its front door (src/{other}/*.h) is public"
    return None


def check_tree(root):
    floors, breaches = read_floors((root / "tools/floors.txt").read_text())
    src = root / "src"
    for path in sorted(p for p in src.rglob("*") if p.suffix in (".h", ".cpp")):
        source = path.relative_to(src).as_posix()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            why = match and check_include(source, match.group(1), floors)
            if why:
                breaches.append(f"src/{source}:{number}: {why}")
    return breaches


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    breaches = check_tree(root)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
