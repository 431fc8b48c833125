#!/usr/bin/env python3
"""The user guides name what is there: every setting, every metric, and no file that does not exist.

    check_docs.py [ROOT]      prints each breach and ends with 1 if there is one

Reads text: the table of src/app/config.cpp against docs/user/configuration.md and examples/lineshaft.yaml, the names of
counters and gauges in src/ against docs/user/operations.md, and the links of every document.
"""
import pathlib
import re
import sys

SETTING = re.compile(r'\{"([a-z_.]+)",\s*"(--[a-z-]+)?",\s*"([^"]*)",\s*"[a-z|]+",')
METRIC = re.compile(r'"(lineshaft_[a-z0-9_]+)"')
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def variable_of(key):
    return "LINESHAFT_" + key.replace(".", "__").upper()


def setting_breaches(config, page, example):
    breaches, keys = [], []
    for key, flag, otherwise in SETTING.findall(config):
        keys.append(key)
        row = next((line for line in page.splitlines() if line.startswith(f"| `{key}` |")), None)
        if row is None:
            breaches.append(f"docs/user/configuration.md: no row for {key}")
            continue
        for word in filter(None, (flag, variable_of(key), otherwise)):
            if f"`{word}`" not in row:
                breaches.append(f"docs/user/configuration.md: the row of {key} lacks `{word}`")
        section, _, name = key.rpartition(".")
        if not re.search(rf"^{section}:\n(?:[ #].*\n|\n)*?  {name}:" if section else rf"^{name}:", example, re.MULTILINE):
            breaches.append(f"examples/lineshaft.yaml: {key} is missing")
    if not keys:
        breaches.append("src/app/config.cpp: no settings found: has the form of the table changed?")
    for key in re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE):
        if key not in keys:
            breaches.append(f"docs/user/configuration.md: there is no setting {key}")
    return breaches


def metric_breaches(code, page):
    there, told = set(METRIC.findall(code)), set(re.findall(r"^\| `(lineshaft_\w+)` \|", page, re.MULTILINE))
    return ([f"docs/user/operations.md: no row for {name}" for name in sorted(there - told)] +
            [f"docs/user/operations.md: there is no metric {name}" for name in sorted(told - there)])


def anchor_of(heading):
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def link_breaches(root, document):
    breaches, text = [], document.read_text()
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        file = (document.parent / target).resolve()
        name = document.relative_to(root)
        if not file.exists():
            breaches.append(f"{name}: {target} does not exist")
        elif anchor and file.suffix == ".md" and anchor not in map(anchor_of, HEADING.findall(file.read_text())):
            breaches.append(f"{name}: {target} has no heading {anchor}")
    return breaches


def is_product(file):
    return not re.search(r"(_test|_fuzz|_bench)\.cpp$", file.name)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    code = "\n".join(file.read_text() for file in sorted((root / "src").rglob("*.cpp")) if is_product(file))
    breaches = setting_breaches((root / "src/app/config.cpp").read_text(), (root / "docs/user/configuration.md").read_text(),
                                (root / "examples/lineshaft.yaml").read_text())
    breaches += metric_breaches(code, (root / "docs/user/operations.md").read_text())
    documents = [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md"), *(root / "examples").rglob("*.md")]
    for document in documents:
        breaches += link_breaches(root, document)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
