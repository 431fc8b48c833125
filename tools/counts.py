#!/usr/bin/env python3
"""Counts the tests in a JUnit report, whoever wrote it (ctest, vitest, node).

    counts.py REPORT EXIT_CODE

Prints the names of the failed tests, then "PASSED FAILED SKIPPED". A report that is missing, or that shows no failure
although the program failed, counts as one failure: silence is never success.
"""
import sys
import xml.etree.ElementTree as xml


def read(path):
    """(passed, failed names, skipped) of a report; None if it cannot be read."""
    try:
        tree = xml.parse(path)
    except (OSError, xml.ParseError):
        return None
    passed, failed, skipped = 0, [], 0
    for case in tree.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            failed.append(case.get("name", "?"))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def summary(path, exit_code):
    """The lines to print and whether all is well."""
    counted = read(path)
    if counted is None:
        return ["no report was written: the program did not get to its end", "0 1 0"], False
    passed, failed, skipped = counted
    lines = [f"failed: {name}" for name in failed]
    missing = exit_code != 0 and not failed
    if missing:
        lines.append(f"the program ended with {exit_code} although no test failed")
    lines.append(f"{passed} {len(failed) + (1 if missing else 0)} {skipped}")
    return lines, not failed and not missing


def main():
    lines, well = summary(sys.argv[1], int(sys.argv[2]))
    print("\n".join(lines))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
