/// UTC days and partitions of 32 of them: segments are cut by them.
#pragma once

#include "base/time.h"

namespace lineshaft::store {

inline constexpr std::int64_t ns_per_day = 86'400'000'000'000;
inline constexpr int partition_shift = 5;
inline constexpr std::int64_t partition_days = 1 << partition_shift;
inline constexpr std::int64_t mature_days = 8;  // So long a partition has been over before its days become one file.

/// Days since 1970-01-01, negative before.
inline std::int64_t utc_day(UtcTime time) { return time.ns() / ns_per_day - (time.ns() % ns_per_day < 0 ? 1 : 0); }

/// Days below this belong to partitions that are over for good.
inline std::int64_t mature_before(UtcTime now) {
    return (utc_day(now) - mature_days) >> partition_shift << partition_shift;
}

/// The first day of the file that `day` belongs to: its own, or its partition's.
inline std::int64_t cell_of(std::int64_t day, std::int64_t mature) {
    return day < mature ? day >> partition_shift << partition_shift : day;
}

}  // namespace lineshaft::store
