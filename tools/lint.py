#!/usr/bin/env python3
"""House rules that no compiler checks, over the files git knows.

    lint.py [ROOT]           prints each breach as file:line and ends with 1 if there is one
    lint.py --settle         writes tools/debt.txt anew; allowed only to pay debt off, never to add any

Words that are banned say what to use instead. Length is a ratchet: a file may have 800 lines and a function 70; what is
longer stands in tools/debt.txt with the length it may have, and that number only falls.
"""
import pathlib
import re
import subprocess
import sys
import tomllib

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

# (pattern, files it applies to, files that may, what to use instead)
CPP = r"\.(h|cpp)$"
BANNED = [
    (r"std::chrono::(system_clock|steady_clock|high_resolution_clock)\b", CPP, r"^src/(runtime/|base/log)|_bench\.cpp$",
     "Clock from runtime/clock.h: the simulator owns time"),
    (r"\bstd::s?rand\b|\bstd::random_device\b", CPP, r"^src/(base/random|runtime/)", "Random passed in: every run has a seed"),
    (r"\bstd::shared_ptr<(?!const\b)", CPP, r"^src/(runtime|net|app/cli)/|^src/registry/table\.h|^tests/support/|_test\.cpp$|/test_\w+\.h$",
     "std::unique_ptr, or std::shared_ptr<const T> for a snapshot"),
    (r"\b(usleep|sleep_for|sleep_until)\(|\bsleep\(", CPP, r"^src/(app/|runtime/)|_bench\.cpp$",
     "a Timer: a shard never sleeps, and a test turns its clock"),
    (r"\bstd::(cout|cerr|clog)\b|\bprintf\(", CPP, r"^src/(app/|base/(log|assert))|_bench\.cpp$", "base/log.h, or an answer to the caller"),
    (r"\busing namespace std;", CPP, None, "names with std::"),
    (r"#include <(boost|asio)/", CPP, r"^src/(runtime|net)/", "the Stream, Network and HttpServer of runtime and net"),
    (r"\bstd::(mutex|recursive_mutex|shared_mutex|condition_variable)\b", CPP,
     r"^src/(runtime|net|audit|registry|access)/|^src/base/(log|counters)|^src/app/|_(test|bench)\.cpp$|^tests/support/", "post_… to the owner's shard; where a mutex may be: docs/decisions/0001-mutexes.md"),
    (r"\bstd::(regex|async|promise)\b", CPP, r"_test\.cpp$|^src/(runtime|audit|app)/", "a hand-written parser, or a WorkerPool"),
    (r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))", r"\.(h|cpp|py|mjs|ts|tsx|sh|cmake|toml|md)$|^(run|test)$", r"^tools/(lint\.py|tests/lint_test\.py)$",
     "do it, or name the issue: TODO(#12)"),
    (r"(?<![\w./-])/(work|tmp|root|home)/[A-Za-z0-9]", r".", r"^tools/(lint\.py|tests/)|^docs/user/|^packaging/|_test\.(cpp|py)$",
     "a path relative to the checkout, or one the caller gives"),
]

# A host name in a file that ships is a request to a foreign host one day. Names in documents and in name spaces are not.
HOSTS_ALLOWED = re.compile(
    r"^(localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|\[::1?\]|.*\.(example|invalid|test|local)$|(www\.)?example\.(com|org|net)$"
    r"|www\.w3\.org$|json-schema\.org$|opensource\.org$|www\.apache\.org$|spec\.openapis\.org$)")
HOST = re.compile(r"\b(?:https?|wss?)://(\[[0-9a-f:]*\]|[A-Za-z0-9.-]+)")
HOST_FILES = re.compile(r"^(src|web/(src|public|index\.html)|api|tools|cmake|examples|packaging|run$|test$|tests/e2e/.*\.(mjs|json)$)")
HOST_EXEMPT = re.compile(r"package-lock\.json$|^tools/(lint\.py|tests/)|_test\.(cpp|py|ts|tsx)$|\.test\.(mjs|ts|tsx)$|^LICENSE$")
REGISTRY = re.compile(r'"resolved"\s*:\s*"https?://')

BAD_NAMES = re.compile(r"(^|[/_-])(utils?|commons?|helpers?|manager|misc|impl|stuff)([._/-]|$)")
NAME_FILES = re.compile(r"^(src|tests/support|tools|web/src)/")

# Lists: of behaviours, of versions, of operations. They read well at any length; a function in them does not.
LONG_BY_NATURE = re.compile(r"_test\.cpp$|\.test\.(mjs|tsx?)$|_test\.py$|package-lock\.json$|^api/|^web/tools/|\.css$|^LICENSE$|^docs/")
NAME = re.compile(r"([A-Za-z_~][\w:~<>,*& ]*?)\s*\(")


def functions(text):
    """(name, first line, length in lines) of the C++ functions that start at most one class deep.

    Reads indentation, not grammar: the formatter has put the closing brace under the first character of the function.
    """
    lines = text.splitlines()
    for index, line in enumerate(lines):
        stripped = line.rstrip()
        # What opens more parentheses than it closes is an argument list with a lambda in it, not a signature.
        if not stripped.endswith("{") or stripped.count("(") > stripped.count(")"):
            continue
        start = index
        # A signature over several lines: walk back to the line that is least indented.
        while start > 0 and index - start < 8 and (re.match(r"^\s*[:,)&|?]", lines[start]) or not opened(lines[start:index + 1])):
            start -= 1
        indent = len(lines[start]) - len(lines[start].lstrip())
        if indent not in (0, 4) or not is_function(" ".join(lines[start:index + 1])):
            continue
        for end in range(index + 1, len(lines)):
            if lines[end].startswith(" " * indent + "}") and (len(lines[end]) - len(lines[end].lstrip())) == indent:
                match = NAME.search(" ".join(lines[start:index + 1]))
                yield match.group(1).split()[-1] if match else "?", start + 1, end - start + 1
                break


def opened(lines):
    joined = " ".join(lines)
    return joined.count("(") >= joined.count(")")


def is_function(signature):
    signature = signature.strip()
    if re.match(r"^(namespace|class|struct|enum|union|if|for|while|switch|do|else|try|catch|return|case|#|//|\})\b", signature):
        return False
    if re.match(r"^[\w:]+\s*(=|\+=)", signature) or "= [" in signature.split("(")[0]:
        return False
    return "(" in signature and not re.match(r"^\s*[\w.>-]+\(.*\[", signature)


def read_debt(text):
    debt = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, lines = line.rsplit(None, 1)
            debt[name] = int(lines)
    return debt


def length_breaches(path, text, debt):
    """Breaches of length and, for settling, the lengths that need debt: ([breach], {name: lines})."""
    breaches, owed = [], {}
    count = text.count("\n")
    if count > FILE_LINES_MAX and not LONG_BY_NATURE.search(path):
        owed[path] = count
        if count > debt.get(path, 0):
            breaches.append(f"{path}: {count} lines, {max(debt.get(path, 0), FILE_LINES_MAX)} allowed: it is nearly always two things")
    if path.endswith((".h", ".cpp")):
        for name, line, lines in functions(text):
            key = f"{path}:{name}"
            if lines > FUNCTION_LINES_MAX:
                owed[key] = max(owed.get(key, 0), lines)
                if lines > debt.get(key, 0):
                    breaches.append(f"{path}:{line}: {name} has {lines} lines, {max(debt.get(key, 0), FUNCTION_LINES_MAX)} allowed: split it; "
                                    "debt only falls")
    return breaches, owed


def word_breaches(path, text):
    breaches = []
    rules = [(re.compile(p), instead) for p, files, exempt, instead in BANNED
             if re.search(files, path) and not (exempt and re.search(exempt, path))]
    check_hosts = HOST_FILES.search(path) and not HOST_EXEMPT.search(path)
    for number, line in enumerate(text.splitlines(), 1):
        if "lint: allow" in line:
            continue
        for pattern, instead in rules:
            match = pattern.search(line)
            if match:
                breaches.append(f"{path}:{number}: '{match.group(0)}': use {instead}")
        if check_hosts:
            for host in HOST.findall(line):
                if not HOSTS_ALLOWED.match(host) and "." in host:
                    breaches.append(f"{path}:{number}: foreign host '{host}': nothing of ours calls anybody it was not told to")
        if path.endswith("package-lock.json") and REGISTRY.search(line):
            breaches.append(f"{path}:{number}: a registry's address in a lock file: set omit-lockfile-registry-resolved=true in .npmrc")
    return breaches


def header_breaches(path, text):
    breaches = []
    if path.endswith(".h") and path.startswith("src/"):
        if "#pragma once" not in text:
            breaches.append(f"{path}:1: no #pragma once")
        if not text.startswith("//"):
            breaches.append(f"{path}:1: a header begins with what it is for")
    return breaches


def error_breaches(root):
    """Each error says what happened and what to do about it."""
    breaches, numbers = [], set()
    path = root / "api/errors.toml"
    if not path.exists():
        return breaches
    for error in tomllib.loads(path.read_text())["error"]:
        name = error.get("name", "?")
        for key in ("says", "remedy"):
            if len(error.get(key, "")) < 10:
                breaches.append(f"api/errors.toml: {name} has no '{key}' a reader can use")
        if error.get("number") in numbers:
            breaches.append(f"api/errors.toml: number {error['number']} stands twice")
        numbers.add(error.get("number"))
    return breaches


def check_file(path, text, debt):
    breaches = word_breaches(path, text) + header_breaches(path, text)
    if NAME_FILES.search(path) and BAD_NAMES.search(path):
        breaches.append(f"{path}: a name that says nothing (utils, common, helper, manager, misc, impl): name what it does")
    lengths, owed = length_breaches(path, text, debt)
    return breaches + lengths, owed


def tracked(root):
    names = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name]


def check_tree(root):
    debt_file = root / "tools/debt.txt"
    debt = read_debt(debt_file.read_text()) if debt_file.exists() else {}
    breaches, owed = error_breaches(root), {}
    for name in tracked(root):
        path = root / name
        if not path.is_file() or path.suffix in (".png", ".gz", ".ico", ".woff2", ".bin", ".zst", ".svg"):
            continue
        if name.startswith("tests/corpus/"):
            continue
        found, needed = check_file(name, path.read_text(errors="replace"), debt)
        breaches += found
        owed.update(needed)
    for name, allowed in debt.items():
        if name not in owed or owed[name] < allowed:
            breaches.append(f"tools/debt.txt: '{name}' owes less than {allowed} now: run tools/lint.py --settle")
    return breaches, owed


def settle(root, owed):
    debt_file = root / "tools/debt.txt"
    first = not debt_file.exists()
    old = {} if first else read_debt(debt_file.read_text())
    head = "# What is longer than it may be, and how long. Numbers only fall; tools/lint.py --settle writes them.\n"
    rows = [f"{name} {min(lines, old.get(name, lines))}\n" for name, lines in sorted(owed.items()) if first or name in old]
    debt_file.write_text(head + "".join(rows))


def main():
    arguments = [a for a in sys.argv[1:] if a != "--settle"]
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent)
    breaches, owed = check_tree(root)
    if "--settle" in sys.argv:
        settle(root, owed)
        breaches, _ = check_tree(root)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
