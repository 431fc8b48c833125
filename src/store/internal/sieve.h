/// What a rewrite lets through: nothing erased, and of each series what its retention rule leaves.
///
///   now - ages ─►   nothing │ 1 h │ 1 min │ raw
///                           └ a bucket of the coarser resolution never has raw rows in it: borders are whole buckets
///
/// Threads: immutable once made; goes with a job. Pure.
#pragma once

#include <array>
#include <vector>

#include "store/internal/erasures.h"
#include "store/life.h"

namespace lineshaft::store {

/// What stays of one series.
struct SeriesPlan {
    std::optional<std::size_t> rule;  // Its index; none: everything stays.
    UtcTime raw_from = utc_time_min;  // Rows before are not kept.
    std::array<UtcTime, tiers_count> tier_from{utc_time_max, utc_time_max, utc_time_max, utc_time_max};
    TierSet keep;

    /// The finest resolution kept at `time`, which is before raw_from; none: nothing is.
    std::optional<Tier> tier_at(UtcTime time) const;
};

struct Sieve {
    UtcTime now;
    std::vector<RetentionRule> rules;
    std::vector<UtcTime> bytes_from;  // By rule: where its bytes bound cuts raw rows off.
    Erasures erasures;
    std::uint64_t erasures_number = 0;  // The latest that it knows.

    SeriesPlan plan_of(const SeriesInfo& info) const;
};

/// What a look at the files says about what rules let go.
struct Swept {
    std::vector<UtcTime> bytes_from;       // As in Sieve.
    std::set<std::string> expiring;        // Segments worth a rewrite.
    std::vector<RetentionEffect> effects;  // By rule.
};
/// Blocks, for as long as it takes to look at every index that may hold something old: on the disk pool.
Swept sweep(const std::vector<SnapshotOf<Segment>>& segments, Sieve sieve);

}  // namespace lineshaft::store
