#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/format.h>

#include "base/limits.h"
#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {

void Lines::feed(std::string_view piece, Sink& sink, const Take& take) {
    while (!piece.empty()) {
        const auto end = piece.find('\n');
        if (end == std::string_view::npos) {
            if (!skipping_) rest_ += piece;
            if (rest_.size() > line_bytes_max) {
                sink.on_refused(count_ + 1, fmt::format("the line is longer than {} bytes", line_bytes_max));
                rest_.clear();
                skipping_ = true;
            }
            return;
        }
        std::string_view line = piece.substr(0, end);
        piece.remove_prefix(end + 1);
        ++count_;
        if (std::exchange(skipping_, false)) continue;
        if (!rest_.empty()) {
            rest_ += line;
            line = rest_;
        }
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.size() > line_bytes_max)
            sink.on_refused(count_, fmt::format("the line is longer than {} bytes", line_bytes_max));
        else
            take(line, count_);
        rest_.clear();
    }
}

void Lines::finish(const Take& take) {
    if (rest_.empty() || skipping_) return;
    ++count_;
    const std::string last = std::exchange(rest_, {});
    take(last.ends_with('\r') ? std::string_view(last).substr(0, last.size() - 1) : std::string_view(last), count_);
}

void CsvRows::feed(std::string_view piece, Sink& sink, const Take& take) {
    rest_ += piece;
    std::size_t begin = 0;
    for (; scanned_ < rest_.size(); ++scanned_) {
        const char c = rest_[scanned_];
        if (c == '"') quoted_ = !quoted_;
        if (c != '\n') continue;
        ++lines_;
        // A quote that is never closed must not swallow the rest of the file.
        if (quoted_ && scanned_ - begin < table::row_bytes_max) continue;
        quoted_ = false;
        if (!std::exchange(skipping_, false)) end_row(std::string_view(rest_).substr(begin, scanned_ - begin), take);
        row_line_ = lines_ + 1;
        begin = scanned_ + 1;
    }
    rest_.erase(0, begin);
    scanned_ -= begin;
    if (rest_.size() <= table::row_bytes_max) return;
    if (!skipping_) sink.on_refused(row_line_, fmt::format("the row is longer than {} bytes", table::row_bytes_max));
    skipping_ = true;
    rest_.clear();
    scanned_ = 0;
    quoted_ = false;
}

void CsvRows::finish(const Take& take) {
    if (rest_.empty() || skipping_) return;
    const std::string last = std::exchange(rest_, {});
    ++lines_;
    end_row(last, take);
}

void CsvRows::end_row(std::string_view row, const Take& take) {
    if (row.ends_with('\r')) row.remove_suffix(1);
    fields_.clear();
    unquoted_.clear();
    unquoted_.reserve(row.size());  // So that views into it stay.
    for (std::size_t at = 0;;) {
        CsvField field;
        if (at < row.size() && row[at] == '"') {
            field.quoted = true;
            const std::size_t begin = unquoted_.size();
            for (++at; at < row.size(); ++at) {
                if (row[at] == '"') {
                    if (at + 1 >= row.size() || row[at + 1] != '"') break;
                    ++at;
                }
                unquoted_ += row[at];
            }
            field.text = std::string_view(unquoted_).substr(begin);
            at = std::min(row.find(delimiter_, std::min(at + 1, row.size())), row.size());
        } else {
            const std::size_t end = std::min(row.find(delimiter_, at), row.size());
            field.text = row.substr(at, end - at);
            at = end;
        }
        fields_.push_back(field);
        if (at >= row.size() || fields_.size() > table::columns_max) break;
        ++at;
    }
    take(fields_, row_line_);
}

std::optional<std::int64_t> to_int(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

std::optional<double> to_number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

std::optional<UtcTime> to_time(std::string_view text, const table::Options& table) {
    if (auto time = parse_rfc3339(text)) return *time;
    // PostgreSQL says +00 and +0530 where RFC 3339 wants +00:00.
    const auto sign = text.find_last_of("+-");
    if (text.size() > 16 && sign != std::string_view::npos && sign > 10) {
        const std::string_view zone = text.substr(sign + 1);
        std::string whole(text);
        if (zone.size() == 2) whole += ":00";
        if (zone.size() == 4) whole.insert(whole.size() - 2, ":");
        if (auto time = parse_rfc3339(whole)) return *time;
    }
    const auto order = table.date_order == table::DateOrder::Detect ? table::DateOrder::DayFirst : table.date_order;
    if (auto time = table::parse_calendar(text, order, table.utc_offset)) return time;
    return table::parse_epoch(text);
}

void set_number(Point& point, double value) {
    point.type = ValueType::Double;
    point.bits = std::bit_cast<std::uint64_t>(value);
}

bool set_value(Point& point, ValueType type, std::string_view text) {
    point.type = type;
    switch (type) {
        case ValueType::Bool: {
            const bool yes = text == "true" || text == "t" || text == "1" || text == "True" || text == "TRUE";
            const bool no = text == "false" || text == "f" || text == "0" || text == "False" || text == "FALSE";
            point.bits = yes;
            return yes || no;
        }
        case ValueType::Int: {
            const auto value = to_int(text);
            if (value) point.bits = static_cast<std::uint64_t>(*value);
            return value.has_value();
        }
        case ValueType::Double: {
            const auto value = to_number(text);
            if (value) set_number(point, *value);
            return value.has_value();
        }
        case ValueType::String: point.text = text; return text.size() <= limits::string_value_bytes_max;
    }
    return false;
}

void set_value_by_look(Point& point, std::string_view text) {
    if (text == "true" || text == "false" || text == "t" || text == "f") {
        set_value(point, ValueType::Bool, text);
        return;
    }
    if (!set_value(point, ValueType::Double, text)) set_value(point, ValueType::String, text);
}

}  // namespace lineshaft::wire::dump
