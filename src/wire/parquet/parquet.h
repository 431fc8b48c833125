/// Writes Parquet: typed columns in row groups, streaming, for pandas, DuckDB, Spark and Excel's Power Query.
///
///   Writer writer({{"time", Kind::Time}, {"tag", Kind::Text}, {"value", Kind::Double, true}}, {{"source", "…"}});
///   writer.begin(out);
///   writer.column(0).add(time) … writer.column(2).add_null(); writer.end_row();
///   if (writer.is_full()) writer.write_group(out);          // as often as it likes
///   writer.finish(out);                                     // footer; `out` was appended to a file each time
///
/// Flow:    rows gather in memory until write_group(); what is written is never touched again, so an interrupted file
///          goes on after its last group: keep `groups()` beside it and give them to restore().
/// Threads: none of its own.
/// Limits:  rows_per_group_max, group_bytes_max of gathered text.
/// Formats: Parquet 2 with data pages version 1, zstd; times by DELTA_BINARY_PACKED, texts by dictionary where it pays,
///          numbers PLAIN. docs/formats/parquet.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace lineshaft::wire::parquet {

inline constexpr std::size_t rows_per_group_max = 128 * 1024;
inline constexpr std::size_t group_bytes_max = 32 * 1024 * 1024;

enum class Kind : std::uint8_t {
    Time,  // Nanoseconds, UTC.
    Double,
    Int64,
    UInt32,
    Text,  // UTF-8.
};

struct Column {
    std::string name;
    Kind kind = Kind::Double;
    bool optional = false;  // May hold nulls.
};

/// The gathered cells of one column. Calls must fit its kind; one call a row.
class Cells {
public:
    explicit Cells(const Column& column) : kind_(column.kind), optional_(column.optional) {}

    void add(UtcTime time) { add_bits(static_cast<std::uint64_t>(time.ns())); }
    void add(double value);
    void add_int(std::int64_t value) { add_bits(static_cast<std::uint64_t>(value)); }
    void add_uint(std::uint32_t value) { add_bits(value); }
    void add(std::string_view text);
    void add_null();

    std::size_t rows() const { return rows_; }
    std::size_t text_bytes() const { return text_bytes_; }

private:
    friend class GroupWriter;
    void add_bits(std::uint64_t bits);
    void clear();

    Kind kind_;
    bool optional_;
    std::size_t rows_ = 0;
    std::size_t nulls_ = 0;
    std::vector<std::uint8_t> defined_;  // One a row, when the column is optional.
    std::vector<std::uint64_t> bits_;    // Defined cells: numbers, or the index into texts_.
    std::vector<std::string_view> texts_;
    std::unordered_map<std::string, std::uint32_t> numbers_;  // Text -> index; owns what texts_ sees.
    std::size_t text_bytes_ = 0;
};

class Writer {
public:
    using Metadata = std::vector<std::pair<std::string, std::string>>;
    Writer(std::vector<Column> columns, Metadata metadata);

    void begin(Bytes& out);
    Cells& column(std::size_t index) { return cells_[index]; }
    void end_row() { ++rows_; }
    std::size_t rows() const { return rows_; }
    /// Time to write a group.
    bool is_full() const;
    /// Appends the gathered rows as a group; nothing when there are none.
    void write_group(Bytes& out);
    /// Appends the last group and the footer.
    void finish(Bytes& out);

    /// What the footer will say of the groups so far; with the file's bytes all that a successor needs.
    const Bytes& groups() const { return groups_; }
    /// Instead of begin(): goes on with a file of `file_bytes` that ends after a group. Errors: Corrupt.
    Result<void> restore(ByteView groups, std::uint64_t group_count, std::uint64_t rows, std::uint64_t file_bytes);
    std::uint64_t group_count() const { return group_count_; }
    std::uint64_t rows_written() const { return rows_written_; }

private:
    const std::vector<Column> columns_;
    const Metadata metadata_;
    std::vector<Cells> cells_;
    std::size_t rows_ = 0;
    Bytes groups_;  // RowGroup structures, one after the other.
    std::uint64_t group_count_ = 0;
    std::uint64_t rows_written_ = 0;
    std::uint64_t file_bytes_ = 0;
};

}  // namespace lineshaft::wire::parquet
