#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fleet/engine.h"

namespace lineshaft::fleet {
namespace {

std::string json_text(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A field that holds a comma, a quote or a line's end stands in quotes (RFC 4180).
std::string csv_text(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

/// Whole numbers without an exponent, the others as short as they can be read back.
void append_number(std::string& out, double value) {
    if (std::fabs(value) < 1e15 && value == std::floor(value))
        fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
    else
        fmt::format_to(std::back_inserter(out), "{}", value);
}

/// Floored, so that a time is never after its sample.
std::int64_t milliseconds(UtcTime time) {
    const std::int64_t ns = time.ns();
    return ns / 1'000'000 - (ns % 1'000'000 < 0);
}

std::string json_of(const Answer& answer) {
    std::vector<std::string> texts;
    texts.reserve(answer.strings.size());
    for (const std::string& text : answer.strings) texts.push_back(json_text(text));
    std::string out =
        fmt::format(R"({{"from":{},"to":{},"columns":[)", milliseconds(answer.from), milliseconds(answer.to));
    const char* comma = "";
    const auto add_name = [&](const std::string& name) {
        out += comma;
        out += json_text(name);
        comma = ",";
    };
    for (const std::string& name : answer.text_columns) add_name(name);
    if (answer.has_time) add_name("time");
    for (const std::string& name : answer.number_columns) add_name(name);
    out += R"(],"rows":[)";
    for (const Answer::Row& row : answer.rows) {
        out += &row == answer.rows.data() ? "[" : ",[";
        comma = "";
        for (const std::uint32_t text : row.texts) {
            out += comma;
            out += texts[text];
            comma = ",";
        }
        if (answer.has_time) {
            fmt::format_to(std::back_inserter(out), "{}{}", comma, milliseconds(row.time));
            comma = ",";
        }
        for (const double number : row.numbers) {
            out += comma;
            if (std::isfinite(number))
                append_number(out, number);
            else
                out += "null";
            comma = ",";
        }
        out += ']';
    }
    const double good = answer.samples ? static_cast<double>(answer.good) / static_cast<double>(answer.samples) : 1;
    out += fmt::format(
        R"(],"more":{},"completeness":{{"series":{},"samples":{},"good":{},"damaged_blocks":{}}},"took_ms":{:.3f}}})",
        answer.more, answer.series, answer.samples, good, answer.damaged_blocks,
        static_cast<double>(answer.took.count()) / 1e6);
    return out;
}

std::string csv_of(const Answer& answer) {
    std::string out;
    const char* comma = "";
    const auto add = [&](const std::string& text) {
        out += comma;
        out += text;
        comma = ",";
    };
    for (const std::string& name : answer.text_columns) add(csv_text(name));
    if (answer.has_time) add("time");
    for (const std::string& name : answer.number_columns) add(csv_text(name));
    out += "\r\n";
    for (const Answer::Row& row : answer.rows) {
        comma = "";
        for (const std::uint32_t text : row.texts) add(csv_text(answer.strings[text]));
        if (answer.has_time) add(to_rfc3339(row.time));
        for (const double number : row.numbers) {
            add("");
            if (std::isfinite(number)) append_number(out, number);
        }
        out += "\r\n";
    }
    return out;
}

}  // namespace

std::string to_text(const Answer& answer, Form form) { return form == Form::Json ? json_of(answer) : csv_of(answer); }

}  // namespace lineshaft::fleet
