/// Where samples are missing, and how many, without reading every row.
///
/// A stretch of data is known by its count and its first and last time. When a tag sends evenly, that is enough to see
/// whether one is missing within:
///
///     x  x  x  x        x  x       7 samples, first to last 9 periods: 3 are missing in here
///     '--stretch--------------'    looked at more closely it falls into two stretches and a gap between them
///
/// So only stretches that lack something are looked at more closely. What evenly means is learned from the neighbours:
/// a stretch without gaps has the true period to a hair, and most stretches have no gaps.
///
/// Pure: no clock, no disk.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "store/ledger.h"
#include "store/series.h"

namespace lineshaft::store {

struct Stretch {
    UtcTime first;
    UtcTime last;  // Both of a sample.
    std::uint64_t count = 0;
    std::uint64_t bad = 0;
    Quality worst;
    bool is_rows = false;  // Made of rows: there is nothing to see more closely.
    bool is_bad() const { return bad == count; }
    friend bool operator==(const Stretch&, const Stretch&) = default;
};

std::vector<Stretch> stretches_of(std::span<const Bucket> buckets);
/// Rows that follow one another by at most `gap_max`, and are alike bad or not, make one stretch.
std::vector<Stretch> stretches_of(const Chunk& rows, Duration gap_max);

/// The period of rows that come evenly; none when they do not, or are too few.
std::optional<Duration> learn_period(const Chunk& rows);

/// The period at each stretch, and how far it strays from one stretch to the next.
struct Pace {
    Duration period{0};
    double spread = 0;  // Relative.
};
/// One for each stretch. `period`: the usual one, `configured` when it is not to be doubted.
std::vector<Pace> paces_of(std::span<const Stretch> stretches, Duration period, bool configured);

/// Samples missing between the first and the last of a stretch; 0 when none, or when that cannot be told.
std::uint64_t missing_within(const Stretch& stretch, const Pace& pace);

struct Gap {
    UtcTime from;
    UtcTime to;
    std::optional<std::uint64_t> samples;
    std::optional<GapReason> reason;  // Said by the samples' own quality.
    bool is_exact = true;
    friend bool operator==(const Gap&, const Gap&) = default;
};

/// The gaps in [from, to). Without a period only what bad samples say. Stretches do not overlap and are oldest first.
std::vector<Gap> find_gaps(std::span<const Stretch> stretches, std::span<const Pace> paces, UtcTime from, UtcTime to);

/// When something held, for what reason; earlier in a list means that it explains more.
struct Circumstance {
    UtcTime from;
    UtcTime to;
    GapReason reason = GapReason::Unknown;
};
/// Cuts `gap` where its reasons change. Pieces shorter than `piece_min` go to their neighbour.
std::vector<Missing> explain(const Gap& gap, std::span<const Circumstance> circumstances, Duration piece_min);

/// Keeps the longest missing_kept_max, oldest first, and sums up the rest.
void put_missing(std::vector<Missing> all, Completeness& into);

/// Until when samples can be expected by `now`: what is usually on its way for a while is not missing yet.
UtcTime expected_until(const Chunk& rows, UtcTime to, UtcTime now);

/// Counts what came late or after a later one.
void count_lateness(const Chunk& rows, Completeness& into);

}  // namespace lineshaft::store
