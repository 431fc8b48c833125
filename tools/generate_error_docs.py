#!/usr/bin/env python3
"""api/errors.toml -> docs/user/errors.md.

    generate_error_docs.py            writes the page
    generate_error_docs.py --check    says whether it is up to date, ends with 1 if not
"""
import pathlib
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "api/errors.toml", ROOT / "docs/user/errors.md"

HEAD = """<!-- Written by tools/generate_error_docs.py from api/errors.toml. Do not edit. -->
# Errors

Every error has a code that never changes its meaning. It comes with a *detail*, which says what was wrong this time, and a
*remedy*. The same code appears everywhere:

| where | how |
|---|---|
| command line | `error[LS-2103]: … (detail)`, then `try …`; `lineshaft help LS-2103` explains it |
| HTTP | status below, `application/problem+json` with `code`, `detail`, `remedy`; `Retry-After` where trying again helps |
| MQTT 5 | reason code below in CONNACK, PUBACK, PUBREC, SUBACK or DISCONNECT |
| browser | title, detail and remedy; `/docs/errors` lists them all |

*again*: the same request may succeed later; the others must be changed first.

"""
GROUPS = [(1000, "Requests"), (1100, "Identity and rights"), (2000, "Disk and stored data"), (2100, "Data and devices"),
          (3000, "Configuration and start")]


def group_of(number):
    return [title for first, title in GROUPS if number >= first][-1]


def page(errors):
    lines, group = [HEAD.rstrip(), ""], None
    for error in sorted(errors, key=lambda e: e["number"]):
        if group_of(error["number"]) != group:
            group = group_of(error["number"])
            lines += [f"## {group}", ""]
        lines += [f"### LS-{error['number']}", "",
                  f"**{error['says']}** (`{error['name']}`)", "",
                  error["remedy"], "",
                  f"HTTP {error['http']}, MQTT 0x{error['mqtt']:02X}{', again' if error['retry'] else ''}", ""]
    return "\n".join(lines)


def main():
    text = page(tomllib.loads(SOURCE.read_text())["error"])
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text() == text:
            return 0
        print("docs/user/errors.md is not what api/errors.toml says: run tools/generate_error_docs.py")
        return 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
