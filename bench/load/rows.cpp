#include "load/rows.h"

#include <charconv>
#include <chrono>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

void append(std::string& out, std::int64_t number) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

/// As short as it goes: 12.50 is 12.5, 12.0 is 12.
void append(std::string& out, const Field& field) {
    std::int64_t digits = field.digits;
    int decimals = field.decimals;
    while (decimals > 0 && digits % 10 == 0) {
        digits /= 10;
        --decimals;
    }
    if (decimals == 0) return append(out, digits);
    if (digits < 0) out += '-';
    char text[24];
    const char* const end = std::to_chars(text, text + sizeof text, digits < 0 ? -digits : digits).ptr;
    const char* const begin = text;
    const auto length = static_cast<int>(end - text);
    if (length <= decimals) {
        out += "0.";
        out.append(static_cast<std::size_t>(decimals - length), '0');
        out.append(begin, end);
        return;
    }
    out.append(begin, end - decimals);
    out += '.';
    out.append(end - decimals, end);
}

}  // namespace

std::unique_ptr<Rows> make_rows(const RowsOptions& options) {
    if (options.set == "tsbs") return make_trucks(options);
    if (options.set == "plant") return make_plant(options);
    give_up("there is no set " + options.set);
}

void RowSums::add(const Row& row, const Rows& from) {
    if (counts.empty()) {
        for (const RowTable& table : from.tables()) {
            counts.emplace_back(table.fields.size());
            sums.emplace_back(table.fields.size());
        }
    }
    ++rows;
    for (std::size_t i = 0; i < counts[row.table].size(); ++i) {
        if (!row.fields[i].is_present) continue;
        ++values;
        ++counts[row.table][i];
        sums[row.table][i] += row.fields[i].digits;
    }
}

std::string RowSums::json(const Rows& from) const {
    std::string out = fmt::format(R"({{"rows":{},"values":{},"tables":{{)", rows, values);
    for (std::size_t t = 0; t < counts.size(); ++t) {
        out += fmt::format(R"({}"{}":{{)", t ? "," : "", from.tables()[t].name);
        for (std::size_t i = 0; i < counts[t].size(); ++i) {
            out += fmt::format(R"({}"{}":{{"count":{},"digits":{}}})", i ? "," : "", from.tables()[t].fields[i],
                               counts[t][i], sums[t][i]);
        }
        out += '}';
    }
    return out + "}}";
}

RowWriter::RowWriter(const Rows& rows, Form form) : rows_(rows), form_(form) {
    for (const RowTable& table : rows.tables()) {
        std::vector<std::string>& heads = heads_.emplace_back();
        if (form != Form::Lines) continue;
        for (const RowKey& key : rows.keys()) {
            std::string head = table.name;
            for (std::size_t i = 0; i < key.texts.size(); ++i) {
                if (!key.texts[i].empty()) head += fmt::format(",{}={}", rows.key_names()[i], key.texts[i]);
            }
            heads.push_back(head + ' ');
        }
    }
}

std::size_t RowWriter::write(const Row& row, std::string& out) {
    return form_ == Form::Lines ? write_line(row, out) : write_tabs(row, out);
}

std::size_t RowWriter::write_line(const Row& row, std::string& out) {
    const RowTable& table = rows_.tables()[row.table];
    out += heads_[row.table][row.key];
    std::size_t values = 0;
    for (std::size_t i = 0; i < table.fields.size(); ++i) {
        const Field& field = row.fields[i];
        if (!field.is_present) continue;
        if (values++ > 0) out += ',';
        out += table.fields[i];
        out += '=';
        append(out, field);
        if (field.is_integer) out += 'i';
    }
    out += ' ';
    append(out, row.time_ns);
    out += '\n';
    return values;
}

/// time, key, then the fields that are not fixed.
std::size_t RowWriter::write_tabs(const Row& row, std::string& out) {
    const RowTable& table = rows_.tables()[row.table];
    const std::int64_t seconds = row.time_ns / 1'000'000'000;
    const std::int64_t millis = row.time_ns / 1'000'000 % 1000;
    if (form_ == Form::TabsUnixTime)
        append(out, seconds);
    else
        fmt::format_to(std::back_inserter(out), "{:%Y-%m-%d %H:%M:%S}.{:03}+00", fmt::gmtime(std::time_t{seconds}),
                       millis);
    out += '\t';
    append(out, static_cast<std::int64_t>(row.key));
    std::size_t values = 0;
    for (std::size_t i = 0; i < table.fields.size(); ++i) {
        if (table.is_fixed[i]) continue;
        out += '\t';
        if (!row.fields[i].is_present) {
            out += "\\N";
            continue;
        }
        append(out, row.fields[i]);
        ++values;
    }
    out += '\n';
    return values;
}

std::string key_table(const Rows& rows) {
    std::string out;
    for (std::size_t i = 0; i < rows.keys().size(); ++i) {
        append(out, static_cast<std::int64_t>(i));
        for (const std::string& text : rows.keys()[i].texts) out += '\t' + (text.empty() ? "\\N" : text);
        for (const Field& field : rows.keys()[i].fixed) {
            out += '\t';
            append(out, field);
        }
        out += '\n';
    }
    return out;
}

}  // namespace lineshaft::bench
