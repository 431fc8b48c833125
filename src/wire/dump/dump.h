/// Text that other stores write out, read as points: what device, which value, when.
///
/// Flow:    create() with what the user said; feed() the plain text piece by piece, cut anywhere; finish(). Every point
///          goes to a Sink at once; what cannot be read is refused with its line and the reason, and the next goes on.
/// Threads: none of its own; a Reader belongs to its caller.
/// Errors:  Malformed (no format fits), NotSupported, InvalidArgument (a column named does not exist).
/// Limits:  line_bytes_max, table::row_bytes_max, head_bytes until the format is known.
/// Formats: Own CSV and JSON lines (docs/user/export.md); InfluxDB line protocol and `influx_inspect export`; annotated
///          CSV of InfluxDB 2; Prometheus text, OpenMetrics and `promtool tsdb dump`; PostgreSQL `COPY … TO` as text or
///          CSV and pg_dump's; any other table (wire/table), a column a tag.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"
#include "wire/line_protocol/line_protocol.h"
#include "wire/table/table.h"

namespace lineshaft::wire::dump {

inline constexpr std::size_t line_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t head_bytes = table::detect_bytes;

enum class Format : std::uint8_t { Auto, Csv, JsonLines, LineProtocol, InfluxCsv, Prometheus, Postgres, Table };
/// "auto", "csv", "jsonl", "line-protocol", "influx-csv", "prometheus", "postgres", "table".
std::string_view to_text(Format format);
/// Also "influx" (line-protocol), "openmetrics". Errors: InvalidArgument (names them).
Result<Format> format_from_text(std::string_view text);

struct Options {
    Format format = Format::Auto;
    /// In front of every device; of tables: the device.
    std::string device;
    line_protocol::Precision precision = line_protocol::Precision::Nanoseconds;
    table::Options table;  // Tables; time column, offset and date order of PostgreSQL too.
    /// PostgreSQL: columns that name the device, in order; empty: those that hold text.
    std::vector<std::string> tag_columns;
    std::set<std::string> skipped;  // Columns to leave out.
    UtcTime time;                   // Of Prometheus samples without a time; none: they are refused.
};

/// One value. Views are good during the call.
struct Point {
    std::string_view device, address, unit;
    ValueType type = ValueType::Double;
    std::uint64_t bits = 0;  // As in Batch; unused for strings.
    std::string_view text;   // Strings.
    UtcTime time;
    Quality quality;
    std::uint64_t line = 0;  // From 1.
};

class Sink {
public:
    virtual ~Sink() = default;
    virtual void on_point(const Point& point) = 0;
    /// `line` 0: one of many, not told apart.
    virtual void on_refused(std::uint64_t line, std::string reason) = 0;
};

/// What the beginning of a text looks like; Table when nothing better fits. Errors: NotSupported (Parquet), Malformed.
Result<Format> detect(std::string_view head);

class Reader {
public:
    explicit Reader(Options options);
    ~Reader();
    Result<void> feed(std::string_view piece, Sink& sink);
    Result<void> finish(Sink& sink);
    /// Auto until it is known.
    Format format() const;
    std::uint64_t lines() const;

    class Form;  // Private: one for each format.

private:
    Result<void> begin(Sink& sink);
    Options options_;
    std::string head_;
    std::unique_ptr<Form> form_;
};

/// "Line3/Pump/speed" of device "Line3/Pump" is "speed"; without a device all before the last '/' is it, and a name
/// without '/' is device and "value". Views into the arguments.
std::pair<std::string_view, std::string_view> split_tag(std::string_view tag, std::string_view device);

}  // namespace lineshaft::wire::dump
