#!/usr/bin/env python3
"""Every header compiles alone: it includes what it uses.     headers.py [BUILD FOLDER]"""
import pathlib
import subprocess
import sys

import each_file


def main():
    build = (each_file.ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/dev")).resolve()
    flags = each_file.compile_flags(build)
    compiler = "clang++-19"
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout

    def command(header: pathlib.Path):
        return [compiler, *each_file.flags_for_header(header, flags), "-I", str(each_file.ROOT / "tests"), "-fsyntax-only", "-Wno-pragma-once-outside-header",
                "-x", "c++", str(header)]

    headers = each_file.tracked("src/*.h", "tests/support/*.h")
    return 1 if each_file.run("headers", headers, command, version, build) else 0


if __name__ == "__main__":
    sys.exit(main())
