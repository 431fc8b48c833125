#include "app/cli/output.h"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace lineshaft::cli {
namespace {

using Json = nlohmann::json;

Json at(const Json& item, const std::string& key) {
    const Json* node = &item;
    std::size_t begin = 0;
    while (begin <= key.size()) {
        const auto slash = key.find('/', begin);
        const std::string name = key.substr(begin, slash - begin);
        if (!node->is_object() || !node->contains(name)) return Json();
        node = &(*node)[name];
        if (slash == std::string::npos) break;
        begin = slash + 1;
    }
    return *node;
}

std::string cell_text(const Json& value) {
    if (value.is_null()) return "";
    if (value.is_string()) return value.get<std::string>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Columns on a terminal: characters, not bytes.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths(rows[0].size(), 0);
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string out;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + 2, ' ');
        }
        out += '\n';
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
}

}  // namespace

void add_output_options(CLI::App& command, Output& output) {
    command.add_option("--output", output.format, "table, csv, json or jsonl [table on a terminal, csv when piped]")
        ->check(CLI::IsMember({"table", "csv", "json", "jsonl"}));
    command.add_flag("--quiet,-q", output.quiet, "Only data and errors");
}

std::string format_of(const Output& output) {
    if (!output.format.empty()) return output.format;
    return ::isatty(STDOUT_FILENO) ? "table" : "csv";
}

void print_items(const Json& items, const std::vector<Column>& columns, const Output& output) {
    const std::string format = format_of(output);
    if (format == "json") {
        std::printf("%s\n", items.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    if (format == "jsonl") {
        for (const Json& item : items)
            std::printf("%s\n", item.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    std::vector<std::vector<std::string>> rows(1);
    for (const Column& column : columns) rows[0].push_back(column.heading);
    for (const Json& item : items) {
        auto& row = rows.emplace_back();
        for (const Column& column : columns) row.push_back(cell_text(at(item, column.key)));
    }
    if (format == "table") return print_table(rows);
    for (const auto& row : rows) {
        std::string line;
        for (const std::string& cell : row) line += (line.empty() && &cell == &row[0] ? "" : ",") + csv_field(cell);
        std::printf("%s\n", line.c_str());
    }
}

void print_object(const Json& object, const std::vector<Column>& fields, const Output& output) {
    const std::string format = format_of(output);
    if (format == "json" || format == "jsonl") {
        std::printf("%s\n",
                    object.dump(format == "json" ? 2 : -1, ' ', false, Json::error_handler_t::replace).c_str());
        return;
    }
    Json rows = Json::array();
    for (const Column& field : fields) {
        const Json value = at(object, field.key);
        if (!value.is_null()) rows.push_back({{"field", field.heading}, {"value", value}});
    }
    print_items(rows, {{"field", "field"}, {"value", "value"}}, output);
}

void hint(const Output& output, const std::string& text) {
    if (!output.quiet) std::fprintf(stderr, "%s\n", text.c_str());
}

bool is_interactive() { return ::isatty(STDERR_FILENO) != 0; }

}  // namespace lineshaft::cli
