/// Tables of text (CSV, TSV, columns between blanks) from outside, as rows of typed cells.
///
/// Flow:    detect() looks at the first kilobytes and says what kind of table it is; a Parser then takes the text
///          piece by piece, as it comes from a file or a decompressor, and gives each row to a RowSink.
/// Threads: none of its own; a Parser belongs to its caller.
/// Errors:  a row that does not fit is refused with its line number and the reason, and the next row goes on.
/// Limits:  row_bytes_max, columns_max, detect_bytes.
/// Formats: RFC 4180 quoting; delimiter , ; tab | or runs of blanks; LF or CRLF; UTF-8 with or without a byte order mark.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::wire::table {

inline constexpr std::size_t row_bytes_max = 1024 * 1024;
inline constexpr std::size_t columns_max = 16 * 1024;
/// How much of the beginning detect() wants to see; less is fine when the table is shorter.
inline constexpr std::size_t detect_bytes = 256 * 1024;

/// `Blanks`: any run of spaces and tabs is one separator, blanks at both ends of a line mean nothing.
inline constexpr char blanks = ' ';

enum class Header : std::uint8_t { Detect, Present, Absent };
enum class DateOrder : std::uint8_t { Detect, DayFirst, MonthFirst };
enum class TimeKind : std::uint8_t { None, Calendar, Epoch };
enum class ColumnKind : std::uint8_t { Empty, Bool, Int, Double, Text };

/// What the user may say; everything else is detected.
struct Options {
    char delimiter = 0;  // 0: detect.
    Header header = Header::Detect;
    std::string time_column;                   // A name, or a number from 1; empty: detect; "none": there is none.
    DateOrder date_order = DateOrder::Detect;  // For 1/2/2018.
    Duration utc_offset{0};                    // Of times that carry no zone; +01:00 is 3600 s.
    char decimal = 0;                          // '.' or ','; 0: detect (',' only where it is not the delimiter).
};

/// What the table is like.
struct Layout {
    char delimiter = ',';
    bool has_header = false;
    std::vector<std::string> columns;        // Names; V1, V2, … without a header. Unique: repeats get "_2".
    std::vector<ColumnKind> kinds;           // By the rows seen; a later row may still differ.
    std::optional<std::size_t> time_column;  // Index into columns.
    TimeKind time_kind = TimeKind::None;
    DateOrder date_order = DateOrder::DayFirst;
    bool date_order_is_certain = true;  // False: no day above 12 was seen; chosen by the smaller span.
    Duration utc_offset{0};
    char decimal = '.';
};

/// Looks at the beginning of a table.
/// Errors: Malformed (no line, binary, too many columns), InvalidArgument (the time column named does not exist).
Result<Layout> detect(std::string_view head, const Options& options);

/// One value of a row. `Empty` is also NaN, NA, null, none and "-" (any case).
struct Cell {
    ColumnKind kind = ColumnKind::Empty;
    std::int64_t integer = 0;  // Int, Bool (0 and 1).
    double number = 0;         // Int and Double.
    std::string_view text;     // As written, without quotes. Good during the call.
};

/// One row. `cells` are parallel to Layout::columns; the time column has a cell too.
struct Row {
    std::uint64_t line = 0;  // From 1, in the file; of the row's first line.
    UtcTime time;            // None when the table has no time column.
    std::span<const Cell> cells;
};

struct Refused {
    std::uint64_t line = 0;
    std::string reason;  // "has 9 values, expected 11".
};

class RowSink {
public:
    virtual ~RowSink() = default;
    virtual void on_row(const Row& row) = 0;
    virtual void on_refused(const Refused& refused) = 0;
};

/// Text to rows, streaming. Holds at most one unfinished row (row_bytes_max) between two calls.
class Parser {
public:
    explicit Parser(Layout layout);

    /// Takes the next piece, cut anywhere; every row that ends in it goes to `sink`.
    void feed(std::string_view piece, RowSink& sink);
    /// The text has ended: a last row without a line end goes to `sink`.
    void finish(RowSink& sink);

    const Layout& layout() const { return layout_; }
    std::uint64_t rows() const { return rows_; }
    std::uint64_t refused() const { return refused_; }
    /// Lines ended so far: where a resumed import goes on.
    std::uint64_t lines() const { return line_; }

private:
    bool skip_byte_order_mark(std::string_view& piece);
    std::size_t take_rows(std::string_view text, bool last, RowSink& sink);
    void take_line(std::string_view line, std::uint64_t number, RowSink& sink);
    bool split(std::string_view line);
    bool split_blanks(std::string_view line);
    std::string_view take_quoted(std::string_view line, std::size_t& at);
    void refuse(std::uint64_t line, std::string reason, RowSink& sink);

    const Layout layout_;
    std::string rest_;  // The unfinished row.
    std::vector<Cell> cells_;
    std::string unquoted_;  // Cells whose doubled quotes were taken out.
    std::uint64_t line_ = 0;
    std::uint64_t rows_ = 0;
    std::uint64_t refused_ = 0;
    bool begun_ = false;  // The byte order mark, if any, is behind us.
    bool header_pending_ = false;
    bool skipping_ = false;  // Inside a row that is too long.
};

/// One cell by itself: number, bool, empty or text. `decimal` is '.' or ','.
Cell parse_cell(std::string_view text, char decimal);

/// A calendar time: 2020-02-08 13:30:47.5, 2020/02/08T13:30Z, 1/1/2018 00:15, 31.12.2018 7:05:09 PM, a date alone.
/// Without a zone it is taken to be `utc_offset` ahead of UTC. None: it is not a time.
std::optional<UtcTime> parse_calendar(std::string_view text, DateOrder order, Duration utc_offset);

/// Seconds (with decimals), ms, us or ns since 1970, told apart by size; within 1990…2150. None: it is not a time.
std::optional<UtcTime> parse_epoch(std::string_view text);

/// "comma", "semicolon", "tab", "bar", "blanks".
std::string_view delimiter_name(char delimiter);

}  // namespace lineshaft::wire::table
