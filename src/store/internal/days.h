/// UTC days: segments are cut by them.
#pragma once

#include "base/time.h"

namespace lineshaft::store {

inline constexpr std::int64_t ns_per_day = 86'400'000'000'000;

/// Days since 1970-01-01, negative before.
inline std::int64_t utc_day(UtcTime time) { return time.ns() / ns_per_day - (time.ns() % ns_per_day < 0 ? 1 : 0); }

}  // namespace lineshaft::store
