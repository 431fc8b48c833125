/// Rollup tiers: buckets of one second, minute, hour and day, kept in a segment beside the rows they were made of.
///
/// A tier is an index, never a second truth: it is made when the segment is written, from the very rows in it. Only
/// where retention took the rows away does a tier speak alone.
///
///   rows  ─►  finest tier that is of use  ─►  next  ─►  …  ─►  day       each from the one before, bit for bit the same
///
/// chunk  := crc:u32 tag:varint tier:u8 buckets:varint ints{11} doubles{12}      see ints.h, values.h
///           ints:    start / width, first_time - start, last_time - first_time, count, count - usable, count - good,
///                    uncertain, worst, covered, holds, resets
///           doubles: min, max, first, last, then hi and lo of sum, squares, integral, reset_from
/// Threads: a builder belongs to one thread.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "store/internal/block.h"

namespace lineshaft::store {

enum class Tier : std::uint8_t { Second, Minute, Hour, Day };  // On disk.
inline constexpr std::size_t tiers_count = 4;
inline constexpr std::array<Duration, tiers_count> tier_widths = {1s, 1min, 1h, 24h};
inline constexpr Duration width_of(Tier tier) { return tier_widths[static_cast<std::size_t>(tier)]; }
/// None for other widths.
std::optional<Tier> tier_of(Duration width);

/// Which tiers: one bit for each.
class TierSet {
public:
    constexpr TierSet() = default;
    constexpr explicit TierSet(std::uint8_t bits) : bits_(bits) {}
    constexpr bool has(Tier tier) const { return (bits_ >> static_cast<unsigned>(tier) & 1) != 0; }
    constexpr void add(Tier tier) { bits_ = static_cast<std::uint8_t>(bits_ | 1U << static_cast<unsigned>(tier)); }
    constexpr bool empty() const { return bits_ == 0; }
    /// Not empty.
    Tier finest() const;

private:
    std::uint8_t bits_ = 0;
};

inline constexpr std::size_t tier_rows_min = 1024;  // A tier is written when its buckets hold so many on average.
inline constexpr std::size_t tier_chunk_buckets = 1024;       // What writers aim at.
inline constexpr std::size_t tier_chunk_buckets_max = 16384;  // What readers accept.

struct TierChunk {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint32_t buckets = 0;
    UtcTime first_time;  // Of a sample.
    UtcTime last_time;
};

struct TierRef {
    Tier tier = Tier::Second;
    std::vector<TierChunk> chunks;
};

/// Appends the buckets, whose starts rise.
void encode_tier_chunk(TagId tag, Tier tier, std::span<const Bucket> buckets, Bytes& into);
/// Errors: Corrupt.
Result<void> decode_tier_chunk(ByteView chunk, TagId tag, Tier tier, std::vector<Bucket>& into);

/// The multiple of `resolution` at or before `time`.
UtcTime floor_to(UtcTime time, Duration resolution);

/// Makes the tiers of one series while its rows go by.
class TierBuilder {
public:
    /// `keep`: made in any case. Others only where their buckets hold rows enough.
    void begin(TierSet keep);
    /// Rows in rising order of time; of equal times the last counts.
    void add(const Chunk& rows, std::size_t first, std::size_t count);
    /// A bucket of a stretch whose rows are gone; after what was added before, and `tier` is one to keep.
    void add(Tier tier, const Bucket& bucket);
    void end();

    bool is_kept(Tier tier) const { return keep_.has(tier); }
    /// After end(): kept, or dense enough.
    bool is_worth_it(Tier tier) const;
    /// Finished ones, oldest first. The caller may take them away while the tier is made.
    std::vector<Bucket>& buckets(Tier tier) { return levels_[static_cast<std::size_t>(tier)].done; }

private:
    struct Level {
        std::vector<Bucket> done;
        std::uint64_t closed = 0;
        Bucket open;
        UtcTime open_last = utc_time_min;  // The last nanosecond of the open bucket.
    };
    void choose_finest(const Chunk& rows, std::size_t first, std::size_t count);
    void add_waiting();
    void add_bucket(std::size_t level, const Bucket& bucket);
    Bucket& open_at(std::size_t level, UtcTime time);
    void close(std::size_t level);

    std::array<Level, tiers_count> levels_;
    TierSet keep_;
    std::size_t finest_ = tiers_count;  // That rows go to; none yet.
    std::uint64_t samples_ = 0;
    // The newest row waits until it is known to be the last of its time.
    bool is_waiting_ = false;
    UtcTime waiting_time_;
    double waiting_value_ = 0;
    Quality waiting_quality_;
};

}  // namespace lineshaft::store
