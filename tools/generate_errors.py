#!/usr/bin/env python3
"""api/errors.toml -> the C++ table of error codes.   generate_errors.py IN OUT"""
import json
import sys
import tomllib

with open(sys.argv[1], "rb") as f:
    errors = tomllib.load(f)["error"]
seen_numbers, seen_names = set(), set()
for e in errors:
    for key in ("number", "name", "says", "remedy", "http", "mqtt", "retry"):
        if key not in e:
            sys.exit(f"api/errors.toml: {e.get('name', e)} lacks '{key}'")
    if e["number"] in seen_numbers or e["name"] in seen_names:
        sys.exit(f"api/errors.toml: {e['name']} or its number {e['number']} stands twice")
    seen_numbers.add(e["number"])
    seen_names.add(e["name"])

out = ["// Generated from api/errors.toml. Do not edit.", "#pragma once", "", "#include <cstdint>", "#include <string_view>", "",
       "namespace lineshaft {", "", "enum class ErrorCode : std::uint16_t {"]
out += [f"    {e['name']} = {e['number']}," for e in errors]
out += ["};", "", "struct ErrorText {", "    ErrorCode code;", "    std::string_view name, says, remedy;",
        "    std::uint16_t http_status;", "    std::uint8_t mqtt_reason;", "    bool retry;", "};", "",
        "inline constexpr ErrorText error_texts[] = {"]
for e in errors:
    out.append(f"    {{ErrorCode::{e['name']}, \"{e['name']}\", {json.dumps(e['says'])}, {json.dumps(e['remedy'])}, "
               f"{e['http']}, {e['mqtt']}, {'true' if e['retry'] else 'false'}}},")
out += ["};", "", "}  // namespace lineshaft", ""]
text = "\n".join(out)
try:
    if open(sys.argv[2]).read() == text:
        sys.exit(0)
except FileNotFoundError:
    pass
open(sys.argv[2], "w").write(text)
