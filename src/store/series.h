/// What the historian says about a series, a value, a stretch of time and itself: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"
#include "store/bucket.h"
#include "store/completeness.h"

namespace lineshaft::store {

/// What makes files self-describing: with the file alone one can name every value in it.
struct SeriesInfo {
    std::string path;  // "Acme/Lyon/Packing/Line3/Filler/temperature".
    std::string unit;  // UCUM, or empty.
    ValueType type = ValueType::Double;
    std::string device;
    TenantId tenant{1};
    friend bool operator==(const SeriesInfo&, const SeriesInfo&) = default;
};

/// A series in a listing.
struct Series {
    TagId tag;
    SeriesInfo info;
};

/// The newest sample of a tag, by source time.
struct LastValue {
    UtcTime source_time;
    UtcTime receive_time;  // In segments, of samples with a source time of their own: to the second, rounded up.
    Value value;
    Quality quality;
};

/// Samples of one tag in parallel columns, oldest first; strings as in Batch.
struct Chunk {
    std::vector<UtcTime> source_times;
    std::vector<UtcTime> receive_times;
    std::vector<ValueType> types;
    std::vector<std::uint64_t> bits;
    std::vector<Quality> qualities;
    std::string text;
    bool more = false;  // The limit ended it, not the range: go on after the last source time.

    std::size_t size() const { return source_times.size(); }
    bool empty() const { return source_times.empty(); }
    void clear();
    void append(const Chunk& other, std::size_t first, std::size_t count);
    std::string_view text_at(std::size_t row) const {
        return std::string_view(text).substr(bits[row] >> 32, bits[row] & 0xFFFFFFFF);
    }
    Value value_at(std::size_t row) const;
    /// NaN for strings.
    double number_at(std::size_t row) const;
};

/// Rows of one series, somewhere else, with what a reckoning over numbers needs.
struct NumbersView {
    std::span<const std::int64_t> times;  // Source times in ns, rising.
    std::span<const double> values;       // Bools as 0 and 1; NaN for strings.
    std::span<const Quality> qualities;   // Empty: every row is Good with code 0.

    std::size_t size() const { return times.size(); }
    bool empty() const { return times.empty(); }
    Quality quality_at(std::size_t row) const { return qualities.empty() ? Quality::good : qualities[row]; }
    NumbersView part(std::size_t first, std::size_t count) const {
        return {times.subspan(first, count), values.subspan(first, count),
                qualities.empty() ? qualities : qualities.subspan(first, count)};
    }
};

/// What a reckoning over numbers needs: no receive times, no types, no text.
struct Numbers {
    std::vector<std::int64_t> times;  // As in a view; of equal ones the last counts.
    std::vector<double> values;
    std::vector<Quality> qualities;

    std::size_t size() const { return times.size(); }
    Quality quality_at(std::size_t row) const { return qualities.empty() ? Quality::good : qualities[row]; }
    NumbersView view() const { return {times, values, qualities}; }
    /// Rows [first, first + count) of a chunk, nothing else.
    void assign(const Chunk& rows, std::size_t first, std::size_t count);
};

/// Adds rows as add_basic() does one by one, a few at a time; source times must differ.
void add_numbers(Bucket& bucket, const NumbersView& rows);

/// From the first to the last time that something is said of, both included.
struct TimeRange {
    UtcTime from;
    UtcTime last;
    friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

/// How long a tag had a value: text, number, or bool.
struct StateTime {
    Value value;
    Duration time{};          // That it held for.
    std::uint64_t count = 0;  // How often it was entered, or was there at the beginning.
};

/// What only rows can tell of a bucket; with Needs::Rows.
struct BucketRows {
    std::vector<double> percentiles;  // One for each of Query::percentiles.
    std::vector<StateTime> states;    // Longest first.
    Duration other_states{};          // Of values beyond states_max.
};

/// The buckets that hold samples, oldest first; empty ones are left out.
struct Reduction {
    Duration resolution{};  // Coarser than asked where only a coarser tier was kept.
    std::vector<Bucket> buckets;
    std::vector<BucketRows> rows;      // With Needs::Rows: one for each bucket.
    std::uint64_t damaged_blocks = 0;  // In the range, left out because their checksum failed.
    std::vector<TimeRange> damaged;    // Where they were: the buckets there lack something.
    std::vector<TimeRange> expired;    // Where rows have gone by retention and tiers speak.
    double percentile_error = 0;       // Largest distance in rank of a percentile, 0: exact.
};

enum class State : std::uint8_t {
    Ok,
    DiskFull,  // Takes nothing until there is space again; reads work.
    Failed,    // The disk refused a write; takes nothing until a new log file works; reads work.
    Closed,
};
std::string_view to_text(State state);

struct Stats {
    std::uint64_t series = 0;
    std::uint64_t samples = 0;  // In segments and in memory.
    std::uint64_t segment_samples = 0;
    std::uint64_t segment_bytes = 0;
    std::uint64_t segments = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t wal_bytes = 0;
    std::uint64_t damaged_blocks = 0;  // Found since start; isolated, never served.
    std::uint64_t damaged_files = 0;   // Set aside as *.corrupt.
    UtcTime oldest;
    UtcTime newest;
    State state = State::Ok;
    std::string detail;  // Why the state is not Ok, or what was found damaged.
    double bytes_per_sample() const {
        return segment_samples ? static_cast<double>(segment_bytes) / static_cast<double>(segment_samples) : 0;
    }
    /// Sums, extremes, and the worse state.
    void add(const Stats& other);
};

}  // namespace lineshaft::store
