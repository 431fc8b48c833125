/// InfluxDB line protocol: text to lines and fields. No copy, no clock, no meaning.
///
///   Parser parser(body, Precision::Ns);
///   while (const Line* line = parser.next())
///       for (const Field& field : line->fields) …
///   parser.refused_count(), parser.errors()      // what was not a line, with line numbers
///
/// Flow:    next() gives one good line after the other; bad lines are counted, the first few are explained.
/// Threads: own shard only. A Line is good until the next call of next(); its views point into the body.
/// Errors:  none of its own: a line that cannot be read is a LineError, the lines around it are kept.
/// Limits:  errors_kept_max, limits::string_value_bytes_max, fields_per_line_max.
/// Formats: line  := key ' ' field (',' field)* [' ' timestamp]      '#' comment; empty lines; LF or CRLF
///          key   := measurement (',' tag '=' value)*               escapes: "\,", "\ " and in tags "\="
///          field := name '=' (number | integer 'i' | unsigned 'u' | boolean | '"' text '"')
///          A line ends at LF, also within quotes: a missing quote spoils one line, not all that follow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/value.h"

namespace lineshaft::wire::line_protocol {

inline constexpr std::size_t errors_kept_max = 20;
inline constexpr std::size_t fields_per_line_max = 4096;

/// Unit of the timestamps in a body.
enum class Precision : std::uint8_t { Nanoseconds, Microseconds, Milliseconds, Seconds, Minutes, Hours };

/// "ns", "n", "us", "u", "µ", "ms", "s", "m", "h"; "" is nanoseconds. Errors: InvalidArgument.
Result<Precision> precision_from_text(std::string_view text);

struct Field {
    std::string_view name;  // As sent, with its escapes.
    ValueType type = ValueType::Double;
    bool name_escaped = false;  // `name` holds a backslash: see unescape_name.
    bool text_escaped = false;  // `text` holds a backslash: see unescape_text.
    std::uint64_t bits = 0;     // As in Batch.
    std::string_view text;      // Strings, without the quotes, with escapes.
};

struct Line {
    std::uint64_t number = 0;  // Counted from 1.
    std::string_view key;      // Measurement and tags as sent: the same bytes mean the same device.
    std::span<const Field> fields;
    UtcTime time;  // None: the line has no timestamp.
};

struct LineError {
    std::uint64_t number = 0;
    std::string message;  // "field 'a' has no value".
};

class Parser {
public:
    /// `first_number` is the number of the body's first line, for a body that comes in pieces.
    Parser(std::string_view body, Precision precision, std::uint64_t first_number = 1);

    /// The next good line; null at the end.
    const Line* next();
    /// Adds an error the caller found in `line`: a key that names no device.
    void refuse(std::uint64_t number, std::string message);

    /// Bytes read so far; a line boundary.
    std::size_t consumed_bytes() const { return static_cast<std::size_t>(at_ - begin_); }
    /// Number of the line that next() reads next.
    std::uint64_t next_number() const { return number_; }
    std::uint64_t refused_count() const { return refused_count_; }
    const std::vector<LineError>& errors() const { return errors_; }

private:
    bool read_line(const char* at, const char* end);
    const char* read_field(const char* at, const char* end);
    const char* read_word(const char* at, const char* end, Field& field);
    const char* read_text(const char* at, const char* end, Field& field);
    bool read_time(const char* at, const char* end);
    bool complain(std::string message);

    const char* const begin_;
    const char* const end_;
    const char* at_;
    const std::int64_t unit_ns_;
    std::uint64_t number_;
    std::uint64_t refused_count_ = 0;
    std::vector<LineError> errors_;
    std::vector<Field> fields_;
    Line line_;
};

/// The device a key names: measurement and tag values in the order of the tags' names, joined by '/':
/// "cpu,region=b,host=a" is "cpu/a/b". Errors: Malformed (no measurement, tag without value, not UTF-8), TooLarge.
Result<std::string> device_name(std::string_view key);

/// A field's name without its escapes ("\," "\=" "\ "); any other backslash stands for itself.
std::string unescape_name(std::string_view name);
/// A string value without its escapes ("\"" and "\\").
std::string unescape_text(std::string_view text);

}  // namespace lineshaft::wire::line_protocol
