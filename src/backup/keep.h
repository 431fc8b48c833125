/// Which snapshots stay, and when the next one is due: pure, time passed in.
///
/// Threads: any.
/// Errors:  InvalidArgument.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::backup {

/// The newest `last`; and of each of the last days (weeks, months) that have one the newest. The newest of all always
/// stays.
struct KeepRule {
    std::size_t last = 0, daily = 0, weekly = 0, monthly = 0;
    friend bool operator==(const KeepRule&, const KeepRule&) = default;
};
/// "last=3,daily=7,weekly=5,monthly=12"; words may be left out, one must be there. Errors: InvalidArgument.
Result<KeepRule> parse_keep(std::string_view text);
std::string to_text(const KeepRule& rule);

/// For each of `times` (any order) whether it stays. Days, weeks (from Monday) and months are those of UTC.
std::vector<bool> choose_kept(const std::vector<UtcTime>& times, const KeepRule& rule);

/// A minute of the day in UTC.
struct DailyTime {
    int hour = 0, minute = 0;
    friend bool operator==(const DailyTime&, const DailyTime&) = default;
};
/// "02:30". Errors: InvalidArgument.
Result<DailyTime> parse_daily(std::string_view text);

/// The first moment after `after` at which the clock shows `at`.
UtcTime next_run(DailyTime at, UtcTime after);

/// Two turns of a daily plan have passed without success. `since`: when the house began to keep the plan.
bool is_overdue(UtcTime last_success, UtcTime since, UtcTime now);

}  // namespace lineshaft::backup
