#!/usr/bin/env python3
"""clang-tidy over the sources that ship, with the checks of .clang-tidy.     tidy.py [BUILD FOLDER] [FILE...]

Tests, fuzz targets and benchmarks are left out: GoogleTest's macros cost half a minute a file and hide nothing from the
sanitizers.
"""
import pathlib
import subprocess
import sys

import each_file

TOOL = "clang-tidy-19"


def main():
    build = (each_file.ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/dev")).resolve()
    flags = each_file.compile_flags(build)
    chosen = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
    sources = [path for path in each_file.tracked("src/*.cpp")
               if not path.name.endswith(("_test.cpp", "_fuzz.cpp", "_bench.cpp")) and path.resolve() in flags
               and (not chosen or path.resolve() in chosen)]
    version = subprocess.run([TOOL, "--version"], capture_output=True, text=True, check=True).stdout
    salt = version + (each_file.ROOT / ".clang-tidy").read_text()

    def command(source: pathlib.Path):
        return [TOOL, "--quiet", "--warnings-as-errors=*", str(source), "--", *flags[source.resolve()]]

    return 1 if each_file.run("tidy", sources, command, salt, build) else 0


if __name__ == "__main__":
    sys.exit(main())
