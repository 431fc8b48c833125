/// What a command prints: a table for people, CSV or JSON for programs.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace CLI {
class App;
}

namespace lineshaft::cli {

struct Output {
    std::string format;  // table, csv, json, jsonl; empty: table on a terminal, else CSV.
    bool quiet = false;

    bool is_json() const { return format == "json"; }
};
void add_output_options(CLI::App& command, Output& output);

/// A column of a list: its heading, and where the value stands in each item ("store/state" for nested ones).
struct Column {
    std::string heading;
    std::string key;
};

/// Prints `items` (an array of objects). JSON forms print the items whole, the others these columns.
void print_items(const nlohmann::json& items, const std::vector<Column>& columns, const Output& output);
/// Prints one object: JSON, or "key value" lines.
void print_object(const nlohmann::json& object, const std::vector<Column>& fields, const Output& output);

/// The format that is used: what was asked, or what fits where stdout goes.
std::string format_of(const Output& output);
/// A hint on stderr, left out with --quiet.
void hint(const Output& output, const std::string& text);
/// stderr is a terminal.
bool is_interactive();

}  // namespace lineshaft::cli
