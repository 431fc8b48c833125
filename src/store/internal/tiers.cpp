#include "store/internal/tiers.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "store/internal/ints.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

using Ints = std::vector<std::int64_t>;
using Doubles = std::vector<std::uint64_t>;

// A tier that has fewer rows a bucket than this will not become worth it: no memory for its buckets.
constexpr std::uint64_t hopeless_rows = tier_rows_min / 4;

template <class Get>
void write_ints(std::span<const Bucket> buckets, ByteWriter& out, Get get) {
    Ints column;
    column.reserve(buckets.size());
    for (const Bucket& bucket : buckets) column.push_back(static_cast<std::int64_t>(get(bucket)));
    encode_ints(column, out);
}

template <class Get>
void write_doubles(std::span<const Bucket> buckets, ByteWriter& out, Get get) {
    Doubles column;
    column.reserve(buckets.size());
    for (const Bucket& bucket : buckets) column.push_back(std::bit_cast<std::uint64_t>(get(bucket)));
    encode_doubles(column, out);
}

/// Reads a column of as many numbers as there are buckets and hands each to its bucket.
template <class Set>
void read_ints(ByteReader& in, std::vector<Bucket>& buckets, Ints& column, Set set) {
    if (!in.ok()) return;
    decode_ints(in, column);
    for (std::size_t i = 0; i < buckets.size() && in.ok(); ++i) set(buckets[i], column[i]);
}

template <class Set>
void read_doubles(ByteReader& in, std::vector<Bucket>& buckets, Doubles& column, Set set) {
    if (!in.ok()) return;
    decode_doubles(in, column);
    for (std::size_t i = 0; i < buckets.size() && in.ok(); ++i) set(buckets[i], std::bit_cast<double>(column[i]));
}

void read_times(ByteReader& in, std::vector<Bucket>& buckets, Ints& column, std::int64_t width) {
    const std::int64_t starts_max = INT64_MAX / width - 1;
    read_ints(in, buckets, column, [&](Bucket& bucket, std::int64_t start) {
        if (start < -starts_max || start > starts_max) return in.fail();
        bucket.start = UtcTime(start * width);
    });
    read_ints(in, buckets, column, [&](Bucket& bucket, std::int64_t after) {
        if (after < 0 || after >= width) return in.fail();
        bucket.first_time = UtcTime(bucket.start.ns() + after);
    });
    read_ints(in, buckets, column, [&](Bucket& bucket, std::int64_t span) {
        if (span < 0 || span >= width - (bucket.first_time.ns() - bucket.start.ns())) return in.fail();
        bucket.last_time = UtcTime(bucket.first_time.ns() + span);
    });
    for (std::size_t i = 1; i < buckets.size(); ++i) {
        if (buckets[i].start <= buckets[i - 1].start) in.fail();
    }
}

void read_counts(ByteReader& in, std::vector<Bucket>& buckets, Ints& column, std::int64_t width) {
    const auto at_most = [&in](std::int64_t value, std::uint64_t max) {
        if (value < 0 || static_cast<std::uint64_t>(value) > max) {
            in.fail();
            return std::uint64_t{0};
        }
        return static_cast<std::uint64_t>(value);
    };
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.count = at_most(v, INT64_MAX); });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.usable = b.count - at_most(v, b.count); });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.good = b.count - at_most(v, b.count); });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.uncertain = at_most(v, b.count - b.good); });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) {
        b.worst = Quality(static_cast<std::uint32_t>(at_most(v, UINT32_MAX)));
    });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) {
        b.covered = Duration(static_cast<std::int64_t>(at_most(v, static_cast<std::uint64_t>(width))));
    });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.holds = at_most(v, b.usable ? 1 : 0) != 0; });
    read_ints(in, buckets, column, [&](Bucket& b, std::int64_t v) { b.resets = at_most(v, b.usable); });
    if (std::ranges::any_of(buckets, [](const Bucket& b) { return b.count == 0; })) in.fail();
}

void read_values(ByteReader& in, std::vector<Bucket>& buckets) {
    Doubles column(buckets.size());
    for (double Bucket::* field : {&Bucket::min, &Bucket::max, &Bucket::first, &Bucket::last})
        read_doubles(in, buckets, column, [field](Bucket& bucket, double value) { bucket.*field = value; });
    for (Sum Bucket::* field : {&Bucket::sum, &Bucket::squares, &Bucket::integral, &Bucket::reset_from}) {
        read_doubles(in, buckets, column, [field](Bucket& bucket, double value) { (bucket.*field).hi = value; });
        read_doubles(in, buckets, column, [field](Bucket& bucket, double value) { (bucket.*field).lo = value; });
    }
}

}  // namespace

std::optional<Tier> tier_of(Duration width) {
    const auto at = std::ranges::find(tier_widths, width);
    if (at == tier_widths.end()) return std::nullopt;
    return static_cast<Tier>(at - tier_widths.begin());
}

Tier TierSet::finest() const {
    ASSERT(!empty());
    return static_cast<Tier>(std::countr_zero(bits_));
}

UtcTime floor_to(UtcTime time, Duration resolution) {
    ASSERT(resolution.count() > 0);
    const std::int64_t step = resolution.count();
    const std::int64_t over = time.ns() % step;
    const std::int64_t down = over < 0 ? over + step : over;
    // Before the first whole multiple of 64 bits there is only the beginning of time.
    return time.ns() < INT64_MIN + down ? utc_time_min : UtcTime(time.ns() - down);
}

void encode_tier_chunk(TagId tag, Tier tier, std::span<const Bucket> buckets, Bytes& into) {
    ASSERT(!buckets.empty() && buckets.size() <= tier_chunk_buckets_max);
    const std::int64_t width = width_of(tier).count();
    Bytes body;
    ByteWriter out(body);
    out.varint(tag.value());
    out.u8(static_cast<std::uint8_t>(tier));
    out.varint(buckets.size());
    write_ints(buckets, out, [width](const Bucket& b) { return b.start.ns() / width; });
    write_ints(buckets, out, [](const Bucket& b) { return b.first_time.ns() - b.start.ns(); });
    write_ints(buckets, out, [](const Bucket& b) { return b.last_time.ns() - b.first_time.ns(); });
    write_ints(buckets, out, [](const Bucket& b) { return b.count; });
    write_ints(buckets, out, [](const Bucket& b) { return b.count - b.usable; });
    write_ints(buckets, out, [](const Bucket& b) { return b.count - b.good; });
    write_ints(buckets, out, [](const Bucket& b) { return b.uncertain; });
    write_ints(buckets, out, [](const Bucket& b) { return b.worst.code(); });
    write_ints(buckets, out, [](const Bucket& b) { return b.covered.count(); });
    write_ints(buckets, out, [](const Bucket& b) { return b.holds ? 1 : 0; });
    write_ints(buckets, out, [](const Bucket& b) { return b.resets; });
    for (double Bucket::* field : {&Bucket::min, &Bucket::max, &Bucket::first, &Bucket::last})
        write_doubles(buckets, out, [field](const Bucket& bucket) { return bucket.*field; });
    for (Sum Bucket::* field : {&Bucket::sum, &Bucket::squares, &Bucket::integral, &Bucket::reset_from}) {
        write_doubles(buckets, out, [field](const Bucket& bucket) { return (bucket.*field).hi; });
        write_doubles(buckets, out, [field](const Bucket& bucket) { return (bucket.*field).lo; });
    }
    ByteWriter whole(into);
    whole.le(crc32c(body));
    whole.bytes(body);
}

Result<void> decode_tier_chunk(ByteView chunk, TagId tag, Tier tier, std::vector<Bucket>& into) {
    into.clear();
    if (chunk.size() < 4 || crc32c(chunk.subspan(4)) != load_le<std::uint32_t>(chunk.data()))
        return fail(ErrorCode::Corrupt, "the tier fails its checksum");
    ByteReader in(chunk.subspan(4));
    const bool is_meant = in.varint() == tag.value() && in.u8() == static_cast<std::uint8_t>(tier);
    const std::uint64_t count = in.varint();
    if (!in.ok() || !is_meant || count == 0 || count > tier_chunk_buckets_max)
        return fail(ErrorCode::Corrupt, "the index means another tier");
    const std::int64_t width = width_of(tier).count();
    into.resize(count);
    Ints column(count);
    read_times(in, into, column, width);
    read_counts(in, into, column, width);
    read_values(in, into);
    if (!in.ok() || in.left() != 0) {
        into.clear();
        return fail(ErrorCode::Corrupt, "the tier's columns do not follow the format");
    }
    return {};
}

void TierBuilder::begin(TierSet keep) {
    keep_ = keep;
    finest_ = tiers_count;
    samples_ = 0;
    is_waiting_ = false;
    for (Level& level : levels_) {
        level.done.clear();
        level.closed = 0;
        level.open = {};
        level.open_last = utc_time_min;
    }
}

/// The finest tier that these rows are dense enough for, or one to keep.
void TierBuilder::choose_finest(const Chunk& rows, std::size_t first, std::size_t count) {
    const double span = static_cast<double>(rows.source_times[first + count - 1].ns()) -
                        static_cast<double>(rows.source_times[first].ns());
    finest_ = tiers_count - 1;
    for (std::size_t level = 0; level < tiers_count - 1; ++level) {
        const double per_bucket =
            static_cast<double>(count) * static_cast<double>(tier_widths[level].count()) / std::max(span, 1.0);
        if (per_bucket < static_cast<double>(hopeless_rows) && !keep_.has(static_cast<Tier>(level))) continue;
        finest_ = level;
        break;
    }
}

void TierBuilder::add(const Chunk& rows, std::size_t first, std::size_t count) {
    if (count == 0) return;
    if (finest_ == tiers_count) choose_finest(rows, first, count);
    if (is_waiting_ && waiting_time_ != rows.source_times[first]) add_waiting();
    const std::size_t end = first + count;
    for (std::size_t row = first; row + 1 < end;) {
        Bucket& bucket = open_at(finest_, rows.source_times[row]);
        const UtcTime last = levels_[finest_].open_last;
        const std::uint64_t before = bucket.count;
        for (; row + 1 < end && rows.source_times[row] <= last; ++row) {
            if (rows.source_times[row + 1] == rows.source_times[row]) continue;
            add_to_bucket(bucket, rows.source_times[row], rows.number_at(row), rows.qualities[row]);
        }
        samples_ += bucket.count - before;
    }
    is_waiting_ = true;
    waiting_time_ = rows.source_times[end - 1];
    waiting_value_ = rows.number_at(end - 1);
    waiting_quality_ = rows.qualities[end - 1];
    if (finest_ + 1 < tiers_count && !keep_.has(static_cast<Tier>(finest_)) && samples_ > 4 * tier_rows_min &&
        levels_[finest_].closed * hopeless_rows > samples_) {
        close(finest_);
        levels_[finest_].done.clear();
        levels_[finest_].closed = samples_;  // So that it is not worth it.
        ++finest_;
    }
}

void TierBuilder::add_waiting() {
    is_waiting_ = false;
    ++samples_;
    add_to_bucket(open_at(finest_, waiting_time_), waiting_time_, waiting_value_, waiting_quality_);
}

void TierBuilder::add(Tier tier, const Bucket& bucket) {
    ASSERT(keep_.has(tier) && bucket.count > 0);
    if (is_waiting_) add_waiting();
    const auto at = static_cast<std::size_t>(tier);
    for (std::size_t level = 0; level < at; ++level) close(level);
    samples_ += bucket.count;
    add_bucket(at, bucket);
}

void TierBuilder::end() {
    if (is_waiting_) add_waiting();
    for (std::size_t level = 0; level < tiers_count; ++level) close(level);
}

bool TierBuilder::is_worth_it(Tier tier) const {
    const Level& level = levels_[static_cast<std::size_t>(tier)];
    return level.closed > 0 && (keep_.has(tier) || samples_ >= level.closed * tier_rows_min);
}

Bucket& TierBuilder::open_at(std::size_t at, UtcTime time) {
    Level& level = levels_[at];
    if (level.open.count > 0 && time <= level.open_last) return level.open;
    close(at);
    level.open.start = floor_to(time, tier_widths[at]);
    const std::int64_t reach = tier_widths[at].count() - 1;
    level.open_last =
        level.open.start.ns() > INT64_MAX - reach ? utc_time_max : UtcTime(level.open.start.ns() + reach);
    return level.open;
}

void TierBuilder::add_bucket(std::size_t level, const Bucket& bucket) {
    add_to_bucket(open_at(level, bucket.first_time), bucket);
}

void TierBuilder::close(std::size_t at) {
    Level& level = levels_[at];
    if (level.open.count == 0) return;
    level.done.push_back(level.open);
    ++level.closed;
    level.open = {};
    if (at + 1 < tiers_count) add_bucket(at + 1, level.done.back());
}

}  // namespace lineshaft::store
