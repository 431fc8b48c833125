#include "wire/table/table.h"

#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::wire::table {
namespace {

/// A quoted cell may run over lines, but a forgotten closing quote must not swallow the table.
constexpr std::size_t quoted_row_bytes_max = 64 * 1024;

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

std::string excerpt(std::string_view text) {
    constexpr std::size_t most = 40;
    std::string shown(text.substr(0, most));
    for (char& c : shown) {
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return text.size() > most ? shown + "…" : shown;
}

enum class RowEnd { Found, NotYet, QuoteOpen };

struct EndOfRow {
    RowEnd kind;
    std::size_t at;  // Of the '\n', or the size of the text.
};

/// Where the row that begins `text` ends, given that its first line has a quote in it.
EndOfRow end_of_quoted_row(std::string_view text, char delimiter, bool last) {
    const std::size_t most = std::min(text.size(), quoted_row_bytes_max);
    std::size_t at = 0;
    while (at < most) {
        while (at < most && is_blank(text[at]) && text[at] != delimiter) ++at;
        if (at < most && text[at] == '"') {
            ++at;
            while (at < most && !(text[at] == '"' && (at + 1 >= text.size() || text[at + 1] != '"'))) {
                at += text[at] == '"' ? 2 : 1;
            }
            if (at >= most) return {last || most < text.size() ? RowEnd::QuoteOpen : RowEnd::NotYet, at};
            ++at;
        }
        while (at < most && text[at] != delimiter && text[at] != '\n') ++at;
        if (at >= most) break;
        if (text[at] == '\n') return {RowEnd::Found, at};
        ++at;
    }
    if (most < text.size()) return {RowEnd::QuoteOpen, at};
    return {last ? RowEnd::Found : RowEnd::NotYet, text.size()};
}

}  // namespace

Parser::Parser(Layout layout) : layout_(std::move(layout)), header_pending_(layout_.has_header) {
    ASSERT(!layout_.columns.empty());
    ASSERT(!layout_.time_column || *layout_.time_column < layout_.columns.size());
    cells_.reserve(layout_.columns.size() + 1);
}

void Parser::feed(std::string_view piece, RowSink& sink) {
    if (!begun_ && !skip_byte_order_mark(piece)) return;
    if (!rest_.empty()) {
        // Only as much as completes the row is copied; what follows is read where it lies.
        const std::size_t line_end = piece.find('\n');
        const std::size_t joined = line_end == std::string_view::npos ? piece.size() : line_end + 1;
        rest_.append(piece.substr(0, joined));
        piece.remove_prefix(joined);
        const std::size_t taken = take_rows(rest_, false, sink);
        rest_.erase(0, taken);
        if (!rest_.empty()) {
            rest_.append(piece);
            rest_.erase(0, take_rows(rest_, false, sink));
            return;
        }
    }
    const std::size_t taken = take_rows(piece, false, sink);
    rest_.assign(piece.substr(taken));
}

/// Takes the mark off the begin of the text, even if it comes in pieces. False: more bytes are needed to tell.
bool Parser::skip_byte_order_mark(std::string_view& piece) {
    static constexpr std::string_view mark = "\xEF\xBB\xBF";
    while (!piece.empty() && rest_.size() < mark.size() && piece.front() == mark[rest_.size()]) {
        rest_.push_back(piece.front());
        piece.remove_prefix(1);
    }
    if (rest_ == mark) {
        rest_.clear();
    } else if (piece.empty()) {
        return false;
    }
    begun_ = true;
    return true;
}

void Parser::finish(RowSink& sink) {
    const std::string text = std::exchange(rest_, {});
    const std::size_t taken = take_rows(text, true, sink);
    ASSERT(taken == text.size());
}

/// Takes the rows that are whole; returns how many bytes they were.
std::size_t Parser::take_rows(std::string_view text, bool last, RowSink& sink) {
    std::size_t begin = 0;
    while (begin < text.size()) {
        const char* const at = text.data() + begin;
        const std::size_t left = text.size() - begin;
        const auto* newline = static_cast<const char*>(std::memchr(at, '\n', left));
        if (skipping_) {
            if (!newline) return text.size();
            skipping_ = false;
            ++line_;
            begin += static_cast<std::size_t>(newline - at) + 1;
            continue;
        }
        std::size_t size = newline ? static_cast<std::size_t>(newline - at) : left;
        const std::uint64_t number = line_ + 1;
        if (std::memchr(at, '"', size)) {
            const EndOfRow end = end_of_quoted_row(text.substr(begin), layout_.delimiter, last);
            if (end.kind == RowEnd::NotYet) return begin;
            if (end.kind == RowEnd::QuoteOpen) {
                refuse(number, "a quote is opened and not closed", sink);
                if (!newline) {
                    skipping_ = !last;
                    return text.size();
                }
                ++line_;
                begin += size + 1;
                continue;
            }
            for (std::size_t i = size; i < end.at; ++i) line_ += text[begin + i] == '\n';
            size = end.at;
        } else if (!newline && !last) {
            if (left <= row_bytes_max) return begin;
            refuse(number, fmt::format("is longer than {} bytes", row_bytes_max), sink);
            skipping_ = true;
            return text.size();
        }
        const bool ended = begin + size < text.size();
        ++line_;
        take_line(text.substr(begin, size), number, sink);
        begin += size + (ended ? 1 : 0);
    }
    return begin;
}

void Parser::take_line(std::string_view line, std::uint64_t number, RowSink& sink) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (trim(line).empty()) return;
    if (header_pending_) {
        header_pending_ = false;
        return;
    }
    const bool fits = layout_.delimiter == blanks ? split_blanks(line) : split(line);
    if (!fits || cells_.size() != layout_.columns.size()) {
        const char* more = fits ? "" : "more than ";
        refuse(number, fmt::format("has {}{} values, expected {}", more, cells_.size(), layout_.columns.size()),
               sink);
        return;
    }
    Row row{.line = number, .time = {}, .cells = cells_};
    if (layout_.time_column) {
        const std::string_view text = cells_[*layout_.time_column].text;
        const auto time = layout_.time_kind == TimeKind::Epoch
                              ? parse_epoch(text)
                              : parse_calendar(text, layout_.date_order, layout_.utc_offset);
        if (!time) {
            refuse(number, fmt::format("the time '{}' cannot be read", excerpt(text)), sink);
            return;
        }
        row.time = *time;
    }
    ++rows_;
    sink.on_row(row);
}

/// Fills cells_. False: more cells than columns (one empty cell at the end is forgiven).
bool Parser::split(std::string_view line) {
    cells_.clear();
    unquoted_.clear();
    // Views into unquoted_ must stay good while it grows.
    if (std::memchr(line.data(), '"', line.size())) unquoted_.reserve(line.size());
    const std::size_t columns = layout_.columns.size();
    std::size_t at = 0;
    while (true) {
        std::string_view text;
        while (at < line.size() && line[at] == ' ') ++at;
        if (at < line.size() && line[at] == '"') {
            text = take_quoted(line, at);
        } else {
            const void* found =
                at < line.size() ? std::memchr(line.data() + at, layout_.delimiter, line.size() - at) : nullptr;
            const std::size_t end =
                found ? static_cast<std::size_t>(static_cast<const char*>(found) - line.data()) : line.size();
            text = trim(line.substr(at, end - at));
            at = end;
        }
        const bool ended = at >= line.size();
        if (cells_.size() == columns) return ended && text.empty();
        const bool is_time = layout_.time_column == cells_.size();
        cells_.push_back(is_time ? Cell{.kind = ColumnKind::Text, .text = text} : parse_cell(text, layout_.decimal));
        if (ended) return true;
        ++at;
    }
}

bool Parser::split_blanks(std::string_view line) {
    cells_.clear();
    const std::size_t columns = layout_.columns.size();
    std::size_t at = 0;
    while (true) {
        while (at < line.size() && is_blank(line[at])) ++at;
        if (at >= line.size()) return true;
        std::size_t end = at;
        while (end < line.size() && !is_blank(line[end])) ++end;
        if (cells_.size() == columns) return false;
        const std::string_view text = line.substr(at, end - at);
        const bool is_time = layout_.time_column == cells_.size();
        cells_.push_back(is_time ? Cell{.kind = ColumnKind::Text, .text = text} : parse_cell(text, layout_.decimal));
        at = end;
    }
}

/// Takes a cell in quotes that begins at `at`; leaves `at` on the delimiter behind it or at the end.
std::string_view Parser::take_quoted(std::string_view line, std::size_t& at) {
    const std::size_t begin = ++at;
    bool doubled = false;
    while (at < line.size()) {
        if (line[at] != '"') {
            ++at;
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
            doubled = true;
            at += 2;
        } else {
            break;
        }
    }
    std::string_view text = line.substr(begin, std::min(at, line.size()) - begin);
    while (at < line.size() && line[at] != layout_.delimiter) ++at;
    if (!doubled) return text;
    const std::size_t first = unquoted_.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
        unquoted_.push_back(text[i]);
        if (text[i] == '"') ++i;
    }
    return std::string_view(unquoted_).substr(first);
}

void Parser::refuse(std::uint64_t line, std::string reason, RowSink& sink) {
    ++refused_;
    sink.on_refused({line, std::move(reason)});
}

}  // namespace lineshaft::wire::table
