#include <algorithm>
#include <cstring>
#include <unordered_set>

#include <fmt/format.h>

#include "wire/table/table.h"

namespace lineshaft::wire::table {
namespace {

constexpr std::size_t lines_for_delimiter = 30;
constexpr std::size_t rows_for_kinds = 5000;

/// Detection splits lines by the parser itself, so both always agree about what a cell is.
class Collector final : public RowSink {
public:
    explicit Collector(std::size_t rows_max) : rows_max_(rows_max) {}
    void on_row(const Row& row) override {
        if (rows.size() >= rows_max_) return;
        std::vector<std::string> texts;
        for (const Cell& cell : row.cells) texts.emplace_back(cell.text);
        rows.push_back(std::move(texts));
    }
    void on_refused(const Refused&) override { ++refused; }

    std::vector<std::vector<std::string>> rows;
    std::size_t refused = 0;

private:
    const std::size_t rows_max_;
};

Layout plain_layout(char delimiter, std::size_t columns) {
    Layout layout;
    layout.delimiter = delimiter;
    layout.columns.assign(columns, "x");
    return layout;
}

std::size_t count_cells(std::string_view line, char delimiter) {
    std::size_t count = 0;
    bool in_cell = false;
    bool quoted = false;
    if (delimiter != blanks) count = 1;
    for (const char c : line) {
        if (delimiter == blanks) {
            const bool blank = c == ' ' || c == '\t';
            if (!blank && !in_cell) ++count;
            in_cell = !blank;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == delimiter && !quoted) {
            ++count;
        }
    }
    return count;
}

std::vector<std::string_view> first_lines(std::string_view text, std::size_t most) {
    std::vector<std::string_view> lines;
    while (!text.empty() && lines.size() < most) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.find_first_not_of(" \t") != std::string_view::npos) lines.push_back(line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

/// Of the lines, how many have the commonest number of cells, and that number.
struct Agreement {
    std::size_t lines = 0;
    std::size_t cells = 0;
};

Agreement agreement_of(const std::vector<std::string_view>& lines, char delimiter) {
    std::vector<std::size_t> counts;
    for (const std::string_view line : lines) counts.push_back(count_cells(line, delimiter));
    Agreement best;
    for (const std::size_t cells : counts) {
        const auto same = static_cast<std::size_t>(std::count(counts.begin(), counts.end(), cells));
        if (same > best.lines || (same == best.lines && cells > best.cells)) best = {same, cells};
    }
    return best;
}

/// The candidate on which most lines agree; earlier ones win ties, so text with decimal commas between semicolons is
/// read as such. Blanks come last: a date and a time look like two columns, another delimiter explains the line better.
char detect_delimiter(const std::vector<std::string_view>& lines) {
    char best = 0;
    std::size_t best_lines = 0;
    for (const char candidate : {'\t', ';', ',', '|', blanks}) {
        const Agreement agreement = agreement_of(lines, candidate);
        const bool likely = agreement.cells >= 2 && agreement.lines * 2 >= lines.size();
        if (!likely || agreement.lines <= best_lines || (candidate == blanks && best != 0)) continue;
        best = candidate;
        best_lines = agreement.lines;
    }
    return best == 0 ? ',' : best;
}

bool is_time(std::string_view text) {
    return parse_calendar(text, DateOrder::DayFirst, {}) || parse_calendar(text, DateOrder::MonthFirst, {});
}

bool is_name(const std::string& text, char decimal) {
    return parse_cell(text, decimal).kind == ColumnKind::Text && !is_time(text);
}

bool looks_like_header(const std::vector<std::vector<std::string>>& rows, char decimal) {
    const auto& first = rows.front();
    bool all_names = true;
    for (std::size_t i = 0; i < first.size(); ++i) {
        const bool name = is_name(first[i], decimal);
        if (!name && !first[i].empty()) all_names = false;
        if (!name || rows.size() < 2) continue;
        const bool text_below =
            std::any_of(rows.begin() + 1, rows.end(), [&](const auto& row) { return is_name(row[i], decimal); });
        if (!text_below) return true;
    }
    return all_names;
}

char detect_decimal(const std::vector<std::vector<std::string>>& rows, char delimiter) {
    if (delimiter == ',') return '.';
    bool comma = false;
    for (const auto& row : rows) {
        for (const std::string& text : row) {
            const bool point = text.find('.') != std::string::npos;
            if (point && parse_cell(text, '.').kind == ColumnKind::Double) return '.';
            comma = comma || parse_cell(text, ',').kind == ColumnKind::Double;
        }
    }
    return comma ? ',' : '.';
}

std::vector<std::string> names_of(const std::vector<std::string>& first, bool has_header) {
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < first.size(); ++i) {
        const bool named = has_header && !first[i].empty();
        const std::string base = named ? first[i] : fmt::format("V{}", i + 1);
        std::string name = base;
        for (int repeat = 2; !seen.insert(name).second; ++repeat) name = fmt::format("{}_{}", base, repeat);
        names.push_back(std::move(name));
    }
    return names;
}

using Rows = std::span<const std::vector<std::string>>;

ColumnKind kind_of(Rows rows, std::size_t column, char decimal) {
    ColumnKind kind = ColumnKind::Empty;
    for (const auto& row : rows) {
        const ColumnKind one = parse_cell(row[column], decimal).kind;
        if (one == ColumnKind::Empty || one == kind) continue;
        const bool both_numbers = (kind == ColumnKind::Int && one == ColumnKind::Double) ||
                                  (kind == ColumnKind::Double && one == ColumnKind::Int);
        if (kind == ColumnKind::Empty) {
            kind = one;
        } else {
            kind = both_numbers ? ColumnKind::Double : ColumnKind::Text;
        }
    }
    return kind;
}

/// How well a column reads as calendar times in one order of day and month.
struct Fit {
    std::size_t good = 0;
    std::size_t cells = 0;
    Duration span{0};
    /// A few bad cells do not make it another column: their rows are refused one by one later.
    bool is_likely() const { return good > 0 && good * 10 >= cells * 9; }
};

Fit fit_of(Rows rows, std::size_t column, DateOrder order) {
    Fit fit;
    UtcTime earliest = utc_time_max, latest = utc_time_min;
    for (const auto& row : rows) {
        if (row[column].empty()) continue;
        ++fit.cells;
        const auto time = parse_calendar(row[column], order, {});
        // Most columns are no times at all and are seen off early.
        if (!time && fit.good == 0 && fit.cells > 3) return fit;
        if (!time) continue;
        ++fit.good;
        earliest = std::min(earliest, *time);
        latest = std::max(latest, *time);
    }
    if (fit.good > 0) fit.span = latest - earliest;
    return fit;
}

bool set_calendar(Rows rows, std::size_t column, const Options& options, Layout& layout) {
    Fit day_first, month_first;
    if (options.date_order != DateOrder::MonthFirst) day_first = fit_of(rows, column, DateOrder::DayFirst);
    if (options.date_order != DateOrder::DayFirst) month_first = fit_of(rows, column, DateOrder::MonthFirst);
    if (!day_first.is_likely() && !month_first.is_likely()) return false;
    layout.time_column = column;
    layout.time_kind = TimeKind::Calendar;
    // Read in the wrong order, days become months: the recording seems to last thirty times longer.
    const bool by_count = day_first.good != month_first.good;
    const bool month = by_count ? month_first.good > day_first.good : month_first.span < day_first.span;
    layout.date_order = month ? DateOrder::MonthFirst : DateOrder::DayFirst;
    layout.date_order_is_certain = by_count || day_first.span == month_first.span;
    return true;
}

bool set_epoch(Rows rows, std::size_t column, Layout& layout) {
    Fit fit;
    for (const auto& row : rows) {
        if (row[column].empty()) continue;
        ++fit.cells;
        if (parse_epoch(row[column])) ++fit.good;
    }
    if (!fit.is_likely()) return false;
    layout.time_column = column;
    layout.time_kind = TimeKind::Epoch;
    return true;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

bool is_named_like_time(std::string_view name) {
    const std::string low = lower(name);
    return low == "t" || low == "ts" || low.find("time") != std::string::npos ||
           low.find("date") != std::string::npos || low.find("epoch") != std::string::npos;
}

Result<void> set_time_column(Rows rows, const Options& options, Layout& layout) {
    if (options.time_column == "none") return {};
    if (options.time_column.empty()) {
        for (std::size_t i = 0; i < layout.columns.size(); ++i) {
            if (set_calendar(rows, i, options, layout)) return {};
        }
        for (std::size_t i = 0; i < layout.columns.size(); ++i) {
            if (layout.has_header && is_named_like_time(layout.columns[i]) && set_epoch(rows, i, layout)) return {};
        }
        return {};
    }
    const std::string& asked = options.time_column;
    std::size_t column = layout.columns.size();
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
        if (layout.columns[i] == asked) column = i;
    }
    for (std::size_t i = 0; i < layout.columns.size() && column == layout.columns.size(); ++i) {
        if (lower(layout.columns[i]) == lower(asked) || asked == std::to_string(i + 1)) column = i;
    }
    if (column == layout.columns.size()) {
        return fail(ErrorCode::InvalidArgument, fmt::format("there is no column '{}': the columns are {}", asked,
                                                            fmt::join(layout.columns, ", ")));
    }
    if (set_calendar(rows, column, options, layout) || set_epoch(rows, column, layout)) return {};
    const std::string example = rows.empty() ? "" : rows.front()[column];
    return fail(ErrorCode::InvalidArgument, fmt::format("column '{}' does not hold times (the first is '{}'); "
                                                        "time column 'none' reads the table without",
                                                        asked, example));
}

}  // namespace

std::string_view delimiter_name(char delimiter) {
    switch (delimiter) {
        case ',': return "comma";
        case ';': return "semicolon";
        case '\t': return "tab";
        case '|': return "bar";
        case blanks: return "blanks";
        default: return "character";
    }
}

Result<Layout> detect(std::string_view head, const Options& options) {
    if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
    head = head.substr(0, detect_bytes);
    if (head.find('\0') != std::string_view::npos) {
        return fail(ErrorCode::Malformed, "this is not a table of text (it has zero bytes)");
    }
    // A head that was cut ends in the middle of a row.
    const std::size_t last_end = head.rfind('\n');
    if (head.size() == detect_bytes && last_end != std::string_view::npos) head = head.substr(0, last_end + 1);

    const auto lines = first_lines(head, lines_for_delimiter);
    if (lines.empty()) return fail(ErrorCode::Malformed, "the table has no line");
    const char delimiter = options.delimiter ? options.delimiter : detect_delimiter(lines);
    const std::size_t columns = agreement_of(lines, delimiter).cells;
    if (columns > columns_max) {
        return fail(ErrorCode::Malformed, fmt::format("{} columns are more than {}", columns, columns_max));
    }
    if (columns == 0) return fail(ErrorCode::Malformed, "the table has no column");

    Collector collector(std::max<std::size_t>(2, std::min(rows_for_kinds, 200'000 / columns)));
    Parser parser(plain_layout(delimiter, columns));
    parser.feed(head, collector);
    parser.finish(collector);
    if (collector.rows.empty()) {
        return fail(ErrorCode::Malformed,
                    fmt::format("no line has the {} values that most lines seem to have", columns));
    }

    Layout layout = plain_layout(delimiter, columns);
    layout.decimal = options.decimal ? options.decimal : detect_decimal(collector.rows, delimiter);
    layout.has_header = options.header == Header::Present ||
                        (options.header == Header::Detect && looks_like_header(collector.rows, layout.decimal));
    layout.columns = names_of(collector.rows.front(), layout.has_header);
    layout.utc_offset = options.utc_offset;
    const Rows body = Rows(collector.rows).subspan(layout.has_header ? 1 : 0);
    for (std::size_t i = 0; i < columns; ++i) layout.kinds.push_back(kind_of(body, i, layout.decimal));
    TRY_VOID(set_time_column(body, options, layout));
    return layout;
}

}  // namespace lineshaft::wire::table
