"""Runs a slow check on many C++ files: in parallel, and only on files whose content, includes or flags have changed.

What passed is remembered in the user's cache folder (lineshaft/<check>), by a hash over everything of ours that the
compiler would read.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
ROOT = pathlib.Path(__file__).resolve().parent.parent
# Of the user, not of the checkout: a second clone of the same sources has nothing to check again.
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "lineshaft"


def tracked(*patterns):
    """The files git knows (also those not yet committed but added) that match, as they are on disk."""
    out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", *patterns], check=True, capture_output=True, text=True)
    return [ROOT / name for name in out.stdout.split("\0") if name and (ROOT / name).is_file()]


class Includes:
    """The bytes a file brings in from our own folders, followed through every include."""

    def __init__(self, folders):
        self.folders = folders
        self.direct = {}

    def of(self, path):
        seen, todo = set(), [path]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            todo += self.read(at)[1]
        return sorted(seen)

    def read(self, path):
        if path not in self.direct:
            content = path.read_bytes()
            found = []
            for name in INCLUDE.findall(content):
                for folder in [path.parent, *self.folders]:
                    other = folder / name.decode(errors="replace")
                    if other.is_file():
                        found.append(other.resolve())
                        break
            self.direct[path] = (hashlib.sha256(content).hexdigest(), found)
        return self.direct[path]


def compile_flags(build):
    """Path -> flags without compiler, input and output, from compile_commands.json of `build`."""
    flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = entry.get("arguments") or shlex.split(entry["command"])
        while words and not re.search(r"(clang|g)\+\+[-0-9.]*$", words[0]):
            words = words[1:]  # The launcher (ccache and its settings) in front of the compiler.
        kept, skip = [], False
        for word in words[1:]:
            if skip or word in ("-c", entry["file"]):
                skip = False
            elif word in ("-o", "-MF", "-MT"):
                skip = True
            else:
                kept.append(word)
        flags[pathlib.Path(entry["file"]).resolve()] = kept
    return flags


def flags_for_header(header, flags):
    """The flags of a neighbour: the source file whose folder shares most of the path."""
    def nearness(source):
        return len(os.path.commonpath([source, header]))
    return flags[max(sorted(flags), key=nearness)] if flags else []


def run(name, files, command_of, salt, build):
    """Runs command_of(path) for each file that has not passed before. Prints failures; the number of them is returned."""
    cache = CACHE / name
    cache.mkdir(parents=True, exist_ok=True)
    includes = Includes([ROOT / "src", ROOT / "tests", build / "generated"])

    def key_of(path, command):
        digest = hashlib.sha256((salt + "\0".join(command).replace(str(ROOT), "")).encode())
        for other in includes.of(path.resolve()):
            digest.update((other.name + includes.read(other)[0]).encode())
        return digest.hexdigest()

    todo = []
    for path in files:
        command = command_of(path)
        key = key_of(path, command)
        if not (cache / key).exists():
            todo.append((path, command, key))

    def check(item):
        path, command, key = item
        done = subprocess.run(["nice", *command], capture_output=True, text=True, cwd=ROOT)
        if done.returncode == 0:
            (cache / key).touch()
        return path, done

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, done in pool.map(check, todo):
            if done.returncode != 0:
                failed += 1
                print(f"{path.relative_to(ROOT)}:")
                print((done.stdout + done.stderr).strip(), flush=True)
    print(f"{name}: {len(files)} files, {len(todo)} looked at, {failed} failed", file=sys.stderr)
    return failed
