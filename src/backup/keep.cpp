#include "backup/keep.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <numeric>
#include <set>

#include <fmt/format.h>

namespace lineshaft::backup {
namespace {

constexpr std::int64_t day_ns = 86'400'000'000'000;

std::int64_t day_of(UtcTime time) { return time.ns() / day_ns - (time.ns() % day_ns < 0 ? 1 : 0); }
std::int64_t week_of(UtcTime time) {
    const std::int64_t days = day_of(time) + 3;  // 1970-01-01 was a Thursday.
    return days / 7 - (days % 7 < 0 ? 1 : 0);
}
std::int64_t month_of(UtcTime time) {
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day_of(time)}}};
    return static_cast<std::int64_t>(static_cast<int>(date.year())) * 12 + static_cast<unsigned>(date.month());
}

std::optional<std::size_t> number_from(std::string_view text) {
    std::size_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || end != text.data() + text.size() || number > 100'000) return std::nullopt;
    return number;
}

}  // namespace

Result<KeepRule> parse_keep(std::string_view text) {
    KeepRule rule;
    const auto bad = [&] {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}': what to keep is written like last=3,daily=7,weekly=5,monthly=12", text));
    };
    bool any = false;
    for (std::string_view rest = text; !rest.empty();) {
        const auto comma = rest.find(',');
        std::string_view part = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
        while (part.starts_with(' ')) part.remove_prefix(1);
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) return bad();
        const auto number = number_from(part.substr(equals + 1));
        const std::string_view word = part.substr(0, equals);
        if (!number) return bad();
        if (word == "last")
            rule.last = *number;
        else if (word == "daily")
            rule.daily = *number;
        else if (word == "weekly")
            rule.weekly = *number;
        else if (word == "monthly")
            rule.monthly = *number;
        else
            return bad();
        any = true;
    }
    if (!any) return bad();
    return rule;
}

std::string to_text(const KeepRule& rule) {
    return fmt::format("last={},daily={},weekly={},monthly={}", rule.last, rule.daily, rule.weekly, rule.monthly);
}

std::vector<bool> choose_kept(const std::vector<UtcTime>& times, const KeepRule& rule) {
    std::vector<std::size_t> newest_first(times.size());
    std::iota(newest_first.begin(), newest_first.end(), std::size_t{0});
    std::ranges::sort(newest_first, [&](std::size_t a, std::size_t b) {
        return times[a] != times[b] ? times[a] > times[b] : a > b;
    });
    std::vector<bool> kept(times.size(), false);
    const auto keep_of_each = [&](std::size_t count, std::int64_t (*stretch_of)(UtcTime)) {
        std::set<std::int64_t> seen;
        for (const std::size_t i : newest_first) {
            if (seen.size() == count) return;
            if (seen.insert(stretch_of(times[i])).second) kept[i] = true;
        }
    };
    for (std::size_t i = 0; i < newest_first.size() && i < std::max<std::size_t>(rule.last, 1); ++i)
        kept[newest_first[i]] = true;
    keep_of_each(rule.daily, day_of);
    keep_of_each(rule.weekly, week_of);
    keep_of_each(rule.monthly, month_of);
    return kept;
}

Result<DailyTime> parse_daily(std::string_view text) {
    const auto colon = text.find(':');
    const auto hour = number_from(text.substr(0, colon));
    const auto minute = colon == std::string_view::npos ? std::nullopt : number_from(text.substr(colon + 1));
    if (!hour || !minute || *hour > 23 || *minute > 59 || text.size() - colon != 3)
        return fail(ErrorCode::InvalidArgument, fmt::format("'{}': a time of day is written like 02:30 (UTC)", text));
    return DailyTime{static_cast<int>(*hour), static_cast<int>(*minute)};
}

UtcTime next_run(DailyTime at, UtcTime after) {
    const std::int64_t of_day = (at.hour * 60 + at.minute) * std::int64_t{60'000'000'000};
    const std::int64_t today = day_of(after) * day_ns + of_day;
    return UtcTime(today > after.ns() ? today : today + day_ns);
}

bool is_overdue(UtcTime last_success, UtcTime since, UtcTime now) {
    const UtcTime from = std::max(last_success, since);
    return now - from > Duration(2 * day_ns);
}

}  // namespace lineshaft::backup
