/// A slice of a query's keys, from open walks over their series to rows. One task of the query pool.
///
/// Threads: made on the caller's shard, worked through on one thread of the pool.
/// Limits:  one chunk of each scanned series and the buckets of one key are in memory at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "fleet/internal/plan.h"

namespace lineshaft::fleet {

/// One series, ready to be read.
struct Opened {
    std::uint32_t key = 0;
    std::uint32_t source = 0;
    std::optional<store::Reducer> reducer;
    std::optional<store::Scan> scan;
};

struct UnitDone {
    Rows rows;
    std::uint64_t samples = 0;
    std::uint64_t good = 0;
    std::uint64_t damaged_blocks = 0;
    std::optional<Error> error;
};

/// Works `opened` through, all series of a key next to one another. Ends early when `cancelled` is set, or when more
/// than `rows_left` rows come of it (LimitExceeded).
UnitDone work_through(const Plan& plan, std::vector<Opened> opened, const std::atomic<bool>& cancelled,
                      std::size_t rows_left);

}  // namespace lineshaft::fleet
