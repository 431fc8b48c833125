#include "base/time.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace lineshaft {
namespace {

constexpr UtcTime now{1'767'225'600'000'000'000};  // 2026-01-01T00:00:00Z.

std::int64_t ns_of(std::string_view text) {
    const auto time = parse_rfc3339(text);
    EXPECT_TRUE(time) << text;
    return time ? time->ns() : 0;
}

TEST(Rfc3339, HasAsManyDecimalsAsNeeded) {
    EXPECT_EQ(to_rfc3339(now), "2026-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(now + 123ms), "2026-01-01T00:00:00.123Z");
    EXPECT_EQ(to_rfc3339(now + 1us), "2026-01-01T00:00:00.000001Z");
    EXPECT_EQ(to_rfc3339(now + 1ns), "2026-01-01T00:00:00.000000001Z");
    EXPECT_EQ(to_rfc3339(UtcTime(-1)), "1969-12-31T23:59:59.999999999Z");
}

TEST(Rfc3339, EveryTimeIsReadBackAsItWasWritten) {
    Random random(20'260'101);
    const auto first = static_cast<std::uint64_t>(ns_of("1678-01-01"));
    const std::uint64_t span = static_cast<std::uint64_t>(ns_of("2261-12-31")) - first;
    for (int i = 0; i < 20'000; ++i) {
        static constexpr std::int64_t units[] = {1, 1'000, 1'000'000, 1'000'000'000};
        const std::int64_t unit = units[random.below(4)];
        const UtcTime time(static_cast<std::int64_t>(first + random.below(span)) / unit * unit);
        const auto back = parse_rfc3339(to_rfc3339(time));
        ASSERT_TRUE(back) << to_rfc3339(time);
        ASSERT_EQ(back->ns(), time.ns()) << to_rfc3339(time);
    }
}

TEST(Rfc3339, AnyOffsetNamesTheSameMoment) {
    const std::int64_t utc = ns_of("2026-11-20T09:44:00Z");
    for (const char* text : {"2026-11-20T10:44:00+01:00", "2026-11-20t09:44:00z", "2026-11-20 09:44:00",
                             "2026-11-20T09:44", "2026-11-20T04:14:00-0530", "2026-11-20T09:44:00.000Z",
                             "2026-11-20T09:44:00,0Z", "2026-11-21T00:44:00+15:00"}) {
        EXPECT_EQ(ns_of(text), utc) << text;
    }
    EXPECT_EQ(ns_of("2026-11-20"), ns_of("2026-11-20T00:00:00Z"));
    EXPECT_EQ(ns_of("2024-02-29T00:00:00Z") + 86'400'000'000'000, ns_of("2024-03-01T00:00:00Z"));
    EXPECT_EQ(ns_of("2016-12-31T23:59:60Z"), ns_of("2017-01-01T00:00:00Z"));  // A leap second.
}

TEST(Rfc3339, DecimalsBeyondTheNinthAreCut) {
    EXPECT_EQ(ns_of("2026-01-01T00:00:00.1234567899Z") - now.ns(), 123'456'789);
    EXPECT_EQ(ns_of("2026-01-01T00:00:00.5Z") - now.ns(), 500'000'000);
}

TEST(Rfc3339, WhatIsNotATimeIsMalformed) {
    for (const char* text : {"",
                             "2026",
                             "2026-13-01",
                             "2026-00-01",
                             "2026-02-30",
                             "2025-02-29",
                             "1677-12-31",
                             "2262-01-01",
                             "2026/01/01",
                             "2026-01-01T24:00:00Z",
                             "2026-01-01T00:60:00Z",
                             "2026-01-01T00:00:61Z",
                             "2026-01-01T00:00:5Z",
                             "2026-01-01X00:00:00Z",
                             "2026-01-01T00:00:00.Z",
                             "2026-01-01T00:00:00+1:00",
                             "2026-01-01T00:00:00+24:00",
                             "2026-01-01T00:00:00+01:60",
                             "2026-01-01T00:00:00Zjunk",
                             "2026-01-01T",
                             "2026-01-01T00",
                             "yesterday",
                             "2026-01-01T00:00:00 01:00",
                             "-026-01-01"}) {
        const auto time = parse_rfc3339(text);
        ASSERT_FALSE(time) << text;
        EXPECT_EQ(time.error().code(), ErrorCode::Malformed);
    }
}

TEST(ParseTime, TellsEpochNumbersApartBySize) {
    for (const char* text :
         {"1767225600", "1767225600000", "1767225600000000", "1767225600000000000", "2026-01-01T00:00:00Z"}) {
        const auto time = parse_time(text, UtcTime());
        ASSERT_TRUE(time) << text;
        EXPECT_EQ(time->ns(), now.ns()) << text;
    }
    EXPECT_EQ(parse_time("0", now)->ns(), 0);
}

TEST(ParseTime, CountsFromNow) {
    EXPECT_EQ(*parse_time("now", now), now);
    EXPECT_EQ(*parse_time("now-8h", now), now - 8h);
    EXPECT_EQ(*parse_time("now+1d", now), now + 24h);
    EXPECT_EQ(*parse_time("-15m", now), now - 15min);
}

TEST(ParseTime, WhatLiesBeyondAllTimesIsMalformed) {
    for (const char* text : {"now+290y", "9223372036854775808", "99999999999999999999", "now-", "now8h", "nowhere",
                             "now--8h", "-", "-15q", "", "inf", "nan"}) {
        const auto time = parse_time(text, now);
        ASSERT_FALSE(time) << text;
        EXPECT_EQ(time.error().code(), ErrorCode::Malformed);
    }
    EXPECT_FALSE(parse_time("now-290y", UtcTime(-8'000'000'000'000'000'000)));
    EXPECT_FALSE(parse_time("-290y", UtcTime(-8'000'000'000'000'000'000)));
}

TEST(ParseDuration, KnowsTheUnitsPeopleWrite) {
    EXPECT_EQ(*parse_duration("250ms"), 250ms);
    EXPECT_EQ(*parse_duration("10s"), 10s);
    EXPECT_EQ(*parse_duration("10"), 10s);
    EXPECT_EQ(*parse_duration("0"), 0s);
    EXPECT_EQ(*parse_duration("1.5h"), 90min);
    EXPECT_EQ(*parse_duration("5m"), 5min);
    EXPECT_EQ(*parse_duration("5min"), 5min);
    EXPECT_EQ(*parse_duration("7d"), 7 * 24h);
    EXPECT_EQ(*parse_duration("2w"), 14 * 24h);
    EXPECT_EQ(*parse_duration("1y"), 365 * 24h);
    EXPECT_EQ(*parse_duration("3us"), 3us);
    EXPECT_EQ(*parse_duration("7ns"), 7ns);
}

TEST(ParseDuration, WhatIsNoneIsMalformed) {
    for (const char* text : {"", "s", "-5s", "5 s", "5x", "inf", "nan", "1e300s", "300y", "5s5"}) {
        const auto span = parse_duration(text);
        ASSERT_FALSE(span) << text;
        EXPECT_EQ(span.error().code(), ErrorCode::Malformed);
    }
}

}  // namespace
}  // namespace lineshaft
