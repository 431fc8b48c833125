/// What a stretch of samples comes to: the unit of block statistics, rollup tiers and reductions.
///
/// Buckets of neighbouring stretches add up to the bucket of the whole, whatever the cut: extremes, counts and the
/// exact sums of sum.h do not care, and what lies between two stretches (the last value goes on until the next
/// sample) is bridged when they are put together. So rows, blocks and tiers give the same answer, bit for bit.
///
/// Threads: plain values.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/time.h"
#include "model/quality.h"
#include "store/sum.h"

namespace lineshaft::store {

/// What is asked for beyond counts, extremes, first, last and sum. Every block has those in its header; the rest is in
/// tiers, or costs decoding.
enum class Needs : std::uint8_t {
    Basic = 0,
    Squares = 1,   // Standard deviations.
    Integral = 2,  // Time-weighted mean, time covered.
    Resets = 4,    // Counters: delta, rate.
    Rows = 8,      // Percentiles, time in state: only rows tell.
};
constexpr Needs operator|(Needs a, Needs b) {
    return static_cast<Needs>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Needs all, Needs one) {
    return (static_cast<std::uint8_t>(all) & static_cast<std::uint8_t>(one)) != 0;
}

/// Samples of one tag within [start, start + resolution). Extremes, sums, first and last are of the *usable* samples:
/// a number (bools are 0 and 1), not NaN, and not Bad; NaN where there is none.
struct Bucket {
    UtcTime start;
    double min = std::numeric_limits<double>::quiet_NaN();
    double max = std::numeric_limits<double>::quiet_NaN();
    double first = std::numeric_limits<double>::quiet_NaN();
    double last = std::numeric_limits<double>::quiet_NaN();
    std::uint64_t count = 0;   // All samples.
    std::uint64_t usable = 0;  // Those in min, max, sums, first, last.
    std::uint64_t good = 0;
    std::uint64_t uncertain = 0;  // The rest is bad.
    Quality worst;
    Sum sum;
    UtcTime first_time;  // Of any sample. In an answer too: of the samples, not of the bounds.
    UtcTime last_time;

    // Only when asked for (Needs); not in block headers.
    Sum squares;
    Sum integral;              // Value × ns: a usable sample holds until the next sample, of whatever quality.
    Duration covered{};        // How long usable samples held.
    bool holds = false;        // The last sample is usable: `last` goes on after last_time.
    std::uint64_t resets = 0;  // How often the value fell, as a counter that began anew does.
    Sum reset_from;            // The values before each fall.
    // In answers only, with Integral or Resets: the last usable value before the bucket, NaN: none is known.
    double before = std::numeric_limits<double>::quiet_NaN();

    double mean() const { return usable ? sum.value() / static_cast<double>(usable) : nan(); }
    /// By how long each value held. NaN where nothing held for any time.
    double time_weighted_mean() const {
        return covered.count() > 0 ? integral.value() / static_cast<double>(covered.count()) : nan();
    }
    /// Value × seconds.
    double integral_seconds() const { return integral.value() / 1e9; }
    /// Mean square distance from the mean. Of all: population; of all but one: sample, NaN for fewer than two.
    double variance_population() const { return usable ? spread() / static_cast<double>(usable) : nan(); }
    double variance_sample() const { return usable > 1 ? spread() / static_cast<double>(usable - 1) : nan(); }
    /// How far a counter went, from `before` if that is known, else from `first`. Falls are taken as its return to 0, or
    /// as going past `modulus` when it is told (> 0).
    double increase(double modulus = 0) const;

private:
    static double nan() { return std::numeric_limits<double>::quiet_NaN(); }
    double spread() const;
};

/// From one time to another, 0 when it is not later. Beyond 292 years there is no plant, only a broken clock.
inline Duration span_between(UtcTime from, UtcTime until) {
    if (until <= from) return Duration(0);
    const auto span = static_cast<std::uint64_t>(until.ns()) - static_cast<std::uint64_t>(from.ns());
    return Duration(static_cast<std::int64_t>(span < INT64_MAX ? span : INT64_MAX));
}

/// Adds that `value` held from one time to another.
inline void hold(Bucket& bucket, UtcTime from, UtcTime until, double value) {
    const Duration span = span_between(from, until);
    if (span.count() == 0) return;
    bucket.integral.add_product(value, span.count());
    bucket.covered += span;
}

/// Adds a sample to a bucket's counts, extremes and sum: what a block's header keeps.
inline void add_basic(Bucket& bucket, UtcTime time, double value, Quality quality) {
    if (bucket.count++ == 0) bucket.first_time = time;
    bucket.last_time = time;
    bucket.good += quality.is_good();
    bucket.uncertain += quality.is_uncertain();
    if (quality > bucket.worst) bucket.worst = quality;
    if (value != value || quality.is_bad()) return;
    if (bucket.usable++ == 0) {
        bucket.min = bucket.max = bucket.first = value;
    } else {
        if (value < bucket.min) bucket.min = value;
        if (value > bucket.max) bucket.max = value;
    }
    bucket.last = value;
    bucket.sum.add(value);
}

/// Adds the next sample, all of it.
inline void add_to_bucket(Bucket& bucket, UtcTime time, double value, Quality quality) {
    const bool usable = value == value && !quality.is_bad();
    if (bucket.holds) hold(bucket, bucket.last_time, time, bucket.last);
    if (usable) {
        if (bucket.usable > 0 && value < bucket.last) {
            ++bucket.resets;
            bucket.reset_from.add(bucket.last);
        }
        bucket.squares.add_product(value, value);
    }
    add_basic(bucket, time, value, quality);
    bucket.holds = usable;
}

/// Adds a later stretch.
void add_to_bucket(Bucket& bucket, const Bucket& later);

}  // namespace lineshaft::store
