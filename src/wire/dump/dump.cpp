#include "wire/dump/dump.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {
namespace {

constexpr std::array<std::string_view, 8> names = {"auto",       "csv",        "jsonl",    "line-protocol",
                                                   "influx-csv", "prometheus", "postgres", "table"};

std::string_view first_line(std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

/// The first line that is neither empty nor a comment.
std::string_view first_content(std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = first_line(text);
        if (!line.empty() && line[0] != '#' && !line.starts_with("--")) return line;
        const auto end = text.find('\n');
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return {};
}

bool has_cells(std::string_view line, std::initializer_list<std::string_view> wanted) {
    const std::string padded = fmt::format(",{},", line);
    return std::ranges::all_of(wanted, [&](std::string_view name) {
        return padded.find(fmt::format(",{},", name)) != std::string::npos ||
               padded.find(fmt::format(",\"{}\",", name)) != std::string::npos;
    });
}

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == ':'; }

/// name{label="…"} 1 [time]
bool is_metric(std::string_view line) {
    const auto brace = line.find('{');
    if (brace == std::string_view::npos || (brace > 0 && !is_name_start(line[0]))) return false;
    const auto is_in_name = [](char c) { return is_name_start(c) || std::isdigit(static_cast<unsigned char>(c)); };
    return std::ranges::all_of(line.substr(0, brace), is_in_name) &&
           line.find("=\"", brace) != std::string_view::npos && line.find('}', brace) != std::string_view::npos;
}

}  // namespace

std::string_view to_text(Format format) { return names[static_cast<std::size_t>(format)]; }

Result<Format> format_from_text(std::string_view text) {
    if (text == "influx") return Format::LineProtocol;
    if (text == "openmetrics") return Format::Prometheus;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == text) return static_cast<Format>(i);
    }
    return fail(ErrorCode::InvalidArgument, fmt::format("format '{}' is none of {}", text, fmt::join(names, ", ")));
}

Result<Format> detect(std::string_view head) {
    if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
    if (head.starts_with("PAR1"))
        return fail(ErrorCode::NotSupported, "Parquet is written but not read: import CSV or JSON lines");
    const std::string_view first = first_line(head), content = first_content(head);
    if (first.starts_with("#datatype") || first.starts_with("#group") || first.starts_with("#default"))
        return Format::InfluxCsv;
    if (first.starts_with("# DDL") || first.starts_with("# DML") || first.starts_with("# INFLUXDB EXPORT"))
        return Format::LineProtocol;
    if (first.starts_with("# HELP ") || first.starts_with("# TYPE ") || first.starts_with("# UNIT ") ||
        is_metric(content))
        return Format::Prometheus;
    if (content.starts_with("{")) return Format::JsonLines;
    if (has_cells(content, {"time", "tag", "value"})) return Format::Csv;
    if (head.find("\nCOPY ") != std::string_view::npos || head.starts_with("COPY ") ||
        (content.find('\t') != std::string_view::npos && content.find("\\N") != std::string_view::npos))
        return Format::Postgres;
    line_protocol::Parser lines(content, line_protocol::Precision::Nanoseconds);
    if (lines.next()) return Format::LineProtocol;
    return Format::Table;
}

std::pair<std::string_view, std::string_view> split_tag(std::string_view tag, std::string_view device) {
    const bool is_below =
        !device.empty() && tag.size() > device.size() + 1 && tag.starts_with(device) && tag[device.size()] == '/';
    if (is_below) return {device, tag.substr(device.size() + 1)};
    if (!device.empty()) return {device, tag};
    const auto slash = tag.rfind('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == tag.size()) return {tag, "value"};
    return {tag.substr(0, slash), tag.substr(slash + 1)};
}

Reader::Reader(Options options) : options_(std::move(options)) {}
Reader::~Reader() = default;

Format Reader::format() const { return options_.format; }
std::uint64_t Reader::lines() const { return form_ ? form_->lines() : 0; }

Result<void> Reader::feed(std::string_view piece, Sink& sink) {
    if (form_) return form_->feed(piece, sink);
    head_ += piece;
    if (head_.size() < head_bytes) return {};
    return begin(sink);
}

Result<void> Reader::finish(Sink& sink) {
    if (!form_) TRY_VOID(begin(sink));
    return form_->finish(sink);
}

Result<void> Reader::begin(Sink& sink) {
    if (options_.format == Format::Auto)
        options_.format = options_.tag_columns.empty() ? TRY(detect(head_)) : Format::Postgres;
    switch (options_.format) {
        case Format::Csv: form_ = make_own_csv(options_); break;
        case Format::JsonLines: form_ = make_json_lines(options_); break;
        case Format::LineProtocol: form_ = make_line_protocol(options_); break;
        case Format::InfluxCsv: form_ = make_influx_csv(options_); break;
        case Format::Prometheus: form_ = make_prometheus(options_); break;
        case Format::Postgres: {
            const std::string_view line = first_content(head_);
            const bool is_dump = line.starts_with("COPY ") || head_.find("\nCOPY ") != std::string::npos;
            form_ = make_postgres(options_, !is_dump && line.find('\t') == std::string_view::npos, is_dump);
            break;
        }
        case Format::Auto:
        case Format::Table: form_ = TRY(make_table(options_, head_)); break;
    }
    return form_->feed(std::exchange(head_, {}), sink);
}

}  // namespace lineshaft::wire::dump
