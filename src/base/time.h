/// Points in time and durations.
///
/// UtcTime: nanoseconds since 1970-01-01T00:00:00Z, no leap seconds; what samples carry. 0 means "none".
/// Instant: nanoseconds of the monotonic clock; what timeouts use. The two never mix.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lineshaft {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

template <class Name>
class TimePoint {
public:
    constexpr TimePoint() = default;
    constexpr explicit TimePoint(std::int64_t ns) : ns_(ns) {}
    constexpr std::int64_t ns() const { return ns_; }
    constexpr bool is_none() const { return ns_ == 0; }
    friend constexpr auto operator<=>(TimePoint, TimePoint) = default;
    friend constexpr TimePoint operator+(TimePoint t, Duration d) { return TimePoint(t.ns_ + d.count()); }
    friend constexpr TimePoint operator-(TimePoint t, Duration d) { return TimePoint(t.ns_ - d.count()); }
    friend constexpr Duration operator-(TimePoint a, TimePoint b) { return Duration(a.ns_ - b.ns_); }

private:
    std::int64_t ns_ = 0;
};

using UtcTime = TimePoint<struct UtcTimeName>;
using Instant = TimePoint<struct InstantName>;

inline constexpr UtcTime utc_time_min{INT64_MIN};
inline constexpr UtcTime utc_time_max{INT64_MAX};

/// "2026-11-20T09:44:00.123Z": RFC 3339, UTC, as many decimals as needed (none, 3, 6 or 9).
std::string to_rfc3339(UtcTime time);

/// Reads RFC 3339 (any offset, 'T' or a space, up to 9 decimals) or a date alone (midnight UTC).
/// Errors: Malformed.
Result<UtcTime> parse_rfc3339(std::string_view text);

/// As people write it: RFC 3339, integers in s, ms, us or ns (told apart by size), "now", "now-8h", "-15m".
/// Errors: Malformed.
Result<UtcTime> parse_time(std::string_view text, UtcTime now);

/// "250ms", "10s", "5m", "8h", "7d", "2w"; a bare number is seconds.
/// Errors: Malformed.
Result<Duration> parse_duration(std::string_view text);

}  // namespace lineshaft
