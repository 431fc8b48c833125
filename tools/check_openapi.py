#!/usr/bin/env python3
"""api/openapi.yaml describes the API that is there: no route without a description, no description without a route.

    check_openapi.py [ROOT]      prints each breach and ends with 1 if there is one

Reads text, not YAML and not C++: a route is {"METHOD", "/path", … in src/north/rest/*.cpp, a path in the description is
indented by two blanks and a method by four. What other rooms answer stands in ELSEWHERE with the file that answers it.
"""
import pathlib
import re
import sys

ELSEWHERE = {
    ("POST", "/api/v1/telemetry"): "src/south/http/http_ingest.cpp",
    ("POST", "/write"): "src/south/http/http_ingest.cpp",
    ("POST", "/api/v2/write"): "src/south/http/http_ingest.cpp",
    ("GET", "/ping"): "src/south/http/http_ingest.cpp",
    ("HEAD", "/ping"): "src/south/http/http_ingest.cpp",
    ("POST", "/query"): "src/south/http/http_ingest.cpp",
    ("GET", "/api/v1/live"): "src/app/http_door.cpp",
}
ROUTE = re.compile(r'\{\s*"(GET|HEAD|POST|PUT|PATCH|DELETE)",\s*"(/[^"]*)"')
PATH = re.compile(r"^  (/[^\s]*):\s*$")
METHOD = re.compile(r"^    (get|head|post|put|patch|delete|options):\s*$")
REFERENCE = re.compile(r'\$ref:\s*"#/components/(\w+)/(\w+)"')


def routes_of_code(text):
    return {(method, path) for method, path in ROUTE.findall(text)}


def routes_of_description(text):
    """(method, path) with every {name} as {}."""
    routes, path = set(), None
    for line in text.splitlines():
        if match := PATH.match(line):
            path = re.sub(r"\{\w+\}", "{}", match.group(1))
        elif line and not line.startswith(" "):
            path = None
        elif path and (match := METHOD.match(line)):
            routes.add((match.group(1).upper(), path))
    return routes


def components(text):
    """(section, name) of everything below components:."""
    found, inside, section = set(), False, None
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            inside = line.startswith("components:")
        elif inside and (match := re.match(r"^  (\w+):", line)):
            section = match.group(1)
        elif inside and (match := re.match(r"^    (\w+):", line)):
            found.add((section, match.group(1)))
    return found


def form_breaches(text):
    breaches = []
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line:
            breaches.append(f"api/openapi.yaml:{number}: a tab")
        if re.search(r"(:|-)\s+[&*]\w", line):
            breaches.append(f"api/openapi.yaml:{number}: an anchor or alias: write it out, or use $ref")
    names = re.findall(r"operationId:\s*(\S+)", text)
    breaches += [f"api/openapi.yaml: operationId {name} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    defined, used = components(text), set(REFERENCE.findall(text))
    breaches += [f"api/openapi.yaml: there is no components/{section}/{name}" for section, name in sorted(used - defined)]
    breaches += [f"api/openapi.yaml: components/{section}/{name} is used nowhere"
                 for section, name in sorted(defined - used) if section != "securitySchemes"]
    return breaches


def breaches_of(description, code, texts_elsewhere):
    """`texts_elsewhere`: file -> its text, of the files in ELSEWHERE."""
    described, routed = routes_of_description(description), routes_of_code(code)
    breaches = [f"{method} {path} is answered and not described: add it to api/openapi.yaml"
                for method, path in sorted((routed | set(ELSEWHERE)) - described)]
    breaches += [f"{method} {path} is described and not answered: remove it from api/openapi.yaml"
                 for method, path in sorted(described - routed - set(ELSEWHERE))]
    breaches += [f"{file} does not name {path} any more: remove it from ELSEWHERE"
                 for (_, path), file in sorted(ELSEWHERE.items()) if f'"{path}"' not in texts_elsewhere.get(file, "")]
    return breaches + form_breaches(description)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    code = "\n".join(file.read_text() for file in sorted((root / "src/north/rest").glob("*.cpp")))
    elsewhere = {file: (root / file).read_text() for file in set(ELSEWHERE.values()) if (root / file).exists()}
    breaches = breaches_of((root / "api/openapi.yaml").read_text(), code, elsewhere)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
