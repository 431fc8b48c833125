#include "backup/keep.h"

#include <gtest/gtest.h>

namespace lineshaft::backup {
namespace {

UtcTime at(const char* text) { return parse_rfc3339(text).value(); }

TEST(Keep, TheRuleIsReadAndWritten) {
    const KeepRule rule = parse_keep("last=3, daily=7,monthly=12").value();
    EXPECT_EQ(rule, (KeepRule{3, 7, 0, 12}));
    EXPECT_EQ(parse_keep(to_text(rule)).value(), rule);
    for (const char* bad :
         {"", "daily", "daily=", "daily=x", "hourly=3", "last=1,,daily=2", "last=-1", "last=9999999"})
        EXPECT_EQ(parse_keep(bad).error().code(), ErrorCode::InvalidArgument) << bad;
}

TEST(Keep, TheNewestOfAllAlwaysStays) {
    EXPECT_EQ(choose_kept({at("2026-01-01"), at("2026-01-02")}, {}), (std::vector<bool>{false, true}));
    EXPECT_TRUE(choose_kept({}, {.last = 3}).empty());
}

TEST(Keep, OfEachDayWeekAndMonthTheNewestStays) {
    const std::vector<UtcTime> times = {
        at("2026-09-30T02:00:00Z"),  // The newest of September.
        at("2026-10-31T02:00:00Z"),  // Of October.
        at("2026-11-15T02:00:00Z"),  // A Sunday: the newest of its week.
        at("2026-11-18T02:00:00Z"),
        at("2026-11-19T02:00:00Z"),  // Of the 19th only the later one.
        at("2026-11-19T14:00:00Z"), at("2026-11-20T02:00:00Z"),
    };
    EXPECT_EQ(choose_kept(times, {.last = 1, .daily = 3}),
              (std::vector<bool>{false, false, false, true, false, true, true}));
    EXPECT_EQ(choose_kept(times, {.weekly = 2}), (std::vector<bool>{false, false, true, false, false, false, true}));
    EXPECT_EQ(choose_kept(times, {.monthly = 3}), (std::vector<bool>{true, true, false, false, false, false, true}));
}

TEST(Keep, TheNextRunIsTheNextTimeTheClockShowsIt) {
    const DailyTime half_past_two = parse_daily("02:30").value();
    EXPECT_EQ(next_run(half_past_two, at("2026-11-20T02:29:59Z")), at("2026-11-20T02:30:00Z"));
    EXPECT_EQ(next_run(half_past_two, at("2026-11-20T02:30:00Z")), at("2026-11-21T02:30:00Z"));
    EXPECT_EQ(next_run(half_past_two, at("2026-12-31T23:00:00Z")), at("2027-01-01T02:30:00Z"));
    for (const char* bad : {"", "2", "24:00", "12:60", "12:5", "x:30", "-1:30"})
        EXPECT_EQ(parse_daily(bad).error().code(), ErrorCode::InvalidArgument) << bad;
}

TEST(Keep, TwoMissedDaysAreOverdue) {
    const UtcTime start = at("2026-11-01T00:00:00Z");
    EXPECT_FALSE(is_overdue({}, start, at("2026-11-02T23:00:00Z")));
    EXPECT_TRUE(is_overdue({}, start, at("2026-11-03T00:00:01Z")));
    EXPECT_FALSE(is_overdue(at("2026-11-10T02:00:00Z"), start, at("2026-11-12T01:00:00Z")));
    EXPECT_TRUE(is_overdue(at("2026-11-10T02:00:00Z"), start, at("2026-11-12T03:00:00Z")));
}

}  // namespace
}  // namespace lineshaft::backup
