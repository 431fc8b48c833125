#include "base/time.h"

#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

namespace lineshaft {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;

std::unexpected<Error> not_a_time(std::string_view text) {
    return fail(ErrorCode::Malformed,
                fmt::format("'{}' is not a time: use 2026-01-31T08:00:00Z, an epoch number or now-8h", text));
}

/// Reads exactly `digits` digits at `at`; -1 when they are not digits.
int number(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return -1;
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/// Reads ".123456789" at `at` (moves it behind), as nanoseconds; digits beyond the ninth are cut. -1: no digit.
std::int64_t decimals(std::string_view text, std::size_t& at) {
    std::int64_t ns = 0;
    int digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
        if (digits < 9) ns = ns * 10 + (text[at] - '0');
    }
    if (digits == 0) return -1;
    for (; digits < 9; ++digits) ns *= 10;
    return ns;
}

/// Reads "Z", "+02:00", "+0200" or nothing (UTC) as seconds east; 100000 when it is none of them.
int offset_seconds(std::string_view text) {
    constexpr int bad = 100'000;
    if (text.empty() || text == "Z" || text == "z") return 0;
    if (text[0] != '+' && text[0] != '-') return bad;
    const std::size_t minutes_at = text.size() == 6 && text[3] == ':' ? 4 : 3;
    if (text.size() != minutes_at + 2) return bad;
    const int hours = number(text, 1, 2);
    const int minutes = number(text, minutes_at, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return bad;
    return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/// `now` moved by "-8h" or "+1d"; `text` is what was written in whole.
Result<UtcTime> shifted(std::string_view text, std::string_view shift, UtcTime now) {
    if (shift[0] != '-' && shift[0] != '+') return not_a_time(text);
    const auto span = parse_duration(shift.substr(1));
    std::int64_t ns = 0;
    if (!span || __builtin_add_overflow(now.ns(), shift[0] == '-' ? -span->count() : span->count(), &ns)) {
        return not_a_time(text);
    }
    return UtcTime(ns);
}

}  // namespace

std::string to_rfc3339(UtcTime time) {
    using namespace std::chrono;
    const sys_time<nanoseconds> point{nanoseconds(time.ns())};
    const auto day = floor<days>(point);
    const year_month_day date{day};
    const hh_mm_ss clock{point - day};
    const auto ns = clock.subseconds().count();
    std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    if (ns % 1'000'000 == 0 && ns != 0)
        out += fmt::format(".{:03}", ns / 1'000'000);
    else if (ns % 1'000 == 0 && ns != 0)
        out += fmt::format(".{:06}", ns / 1'000);
    else if (ns != 0)
        out += fmt::format(".{:09}", ns);
    return out + "Z";
}

Result<UtcTime> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const int y = number(text, 0, 4);
    const int mo = number(text, 5, 2);
    const int d = number(text, 8, 2);
    if (y < 1678 || y > 2261 || mo < 1 || d < 1 || text[4] != '-' || text[7] != '-') return not_a_time(text);
    const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
    if (!date.ok()) return not_a_time(text);
    const std::int64_t day_ns = sys_days(date).time_since_epoch().count() * 86'400 * ns_per_s;
    if (text.size() == 10) return UtcTime(day_ns);

    const int h = number(text, 11, 2);
    const int mi = number(text, 14, 2);
    if (h < 0 || h > 23 || mi < 0 || mi > 59 || text[13] != ':') return not_a_time(text);
    if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return not_a_time(text);
    std::size_t at = 16;
    int s = 0;
    if (at < text.size() && text[at] == ':') {
        s = number(text, 17, 2);
        if (s < 0 || s > 60) return not_a_time(text);
        at = 19;
    }
    std::int64_t ns = 0;
    if (at < text.size() && (text[at] == '.' || text[at] == ',')) ns = decimals(text, at);
    const int offset = offset_seconds(text.substr(at));
    if (ns < 0 || offset == 100'000) return not_a_time(text);
    return UtcTime(day_ns + (h * 3600 + mi * 60 + s - offset) * ns_per_s + ns);
}

Result<UtcTime> parse_time(std::string_view text, UtcTime now) {
    if (text == "now") return now;
    if (text.starts_with("now")) return shifted(text, text.substr(3), now);
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code == std::errc{} && end == text.data() + text.size()) {
        const std::int64_t size = number == INT64_MIN ? INT64_MAX : std::llabs(number);
        const std::int64_t unit = size < 100'000'000'000           ? ns_per_s
                                  : size < 100'000'000'000'000     ? 1'000'000
                                  : size < 100'000'000'000'000'000 ? 1'000
                                                                   : 1;
        std::int64_t ns = 0;
        if (__builtin_mul_overflow(number, unit, &ns)) return not_a_time(text);
        return UtcTime(ns);
    }
    if (text.starts_with('-')) return shifted(text, text, now);
    return parse_rfc3339(text);
}

Result<Duration> parse_duration(std::string_view text) {
    const auto bad = [&] {
        return fail(ErrorCode::Malformed,
                    fmt::format("'{}' is not a duration: use 250ms, 10s, 5m, 8h, 7d or 2w", text));
    };
    double amount = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), amount);
    if (code != std::errc{} || !(amount >= 0)) return bad();
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    double scale = 0;
    if (unit == "ns")
        scale = 1;
    else if (unit == "us")
        scale = 1e3;
    else if (unit == "ms")
        scale = 1e6;
    else if (unit.empty() || unit == "s")
        scale = 1e9;
    else if (unit == "m" || unit == "min")
        scale = 60e9;
    else if (unit == "h")
        scale = 3600e9;
    else if (unit == "d")
        scale = 86400e9;
    else if (unit == "w")
        scale = 7 * 86400e9;
    else if (unit == "y")
        scale = 365 * 86400e9;
    if (scale == 0 || amount * scale > 9.2e18) return bad();
    return Duration(static_cast<std::int64_t>(amount * scale));
}

}  // namespace lineshaft
