#include "store/internal/gaps.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace lineshaft::store {
namespace {

constexpr std::int64_t second = 1'000'000'000;
UtcTime at(double seconds) { return UtcTime(1'700'000'000 * second + static_cast<std::int64_t>(seconds * second)); }

void add(Chunk& rows, double seconds, Quality quality = Quality::good, double delay = 0) {
    rows.source_times.push_back(at(seconds));
    rows.receive_times.push_back(at(seconds + delay));
    rows.types.push_back(ValueType::Double);
    rows.bits.push_back(0);
    rows.qualities.push_back(quality);
}

Chunk every_second(double from, double to) {
    Chunk rows;
    for (double t = from; t < to; t += 1) add(rows, t);
    return rows;
}

TEST(Gaps, EvenRowsHaveAPeriodAndUnevenOnesHaveNone) {
    EXPECT_EQ(learn_period(every_second(0, 20)), Duration(1s));
    Chunk uneven;
    for (const double t : {0.0, 0.5, 7.0, 8.0, 30.0, 30.2, 41.0, 60.0}) add(uneven, t);
    EXPECT_EQ(learn_period(uneven), std::nullopt);
    EXPECT_EQ(learn_period(every_second(0, 3)), std::nullopt);
}

TEST(Gaps, ARowsGapIsFoundToTheSecond) {
    Chunk rows = every_second(0, 10);
    for (double t = 25; t < 40; t += 1) add(rows, t);
    const auto stretches = stretches_of(rows, Duration(1750ms));
    ASSERT_EQ(stretches.size(), 2u);
    const auto gaps = find_gaps(stretches, paces_of(stretches, 1s, true), at(0), at(40));
    ASSERT_EQ(gaps.size(), 1u);
    EXPECT_EQ(gaps[0], (Gap{at(10), at(25), 15, std::nullopt, true}));
}

TEST(Gaps, MissingAtBothEndsIsCounted) {
    const auto stretches = stretches_of(every_second(10, 20), Duration(1750ms));
    const auto gaps = find_gaps(stretches, paces_of(stretches, 1s, true), at(0), at(30));
    ASSERT_EQ(gaps.size(), 2u);
    EXPECT_EQ(gaps[0], (Gap{at(0), at(10), 10, std::nullopt, true}));
    EXPECT_EQ(gaps[1], (Gap{at(20), at(30), 10, std::nullopt, true}));
}

TEST(Gaps, AStretchTellsHowManyItLacks) {
    // 3600 s with 3600 rows, but for one hour that lacks 300.
    std::vector<Stretch> hours;
    for (int hour = 0; hour < 24; ++hour) {
        const std::uint64_t count = hour == 7 ? 3300 : 3600;
        hours.push_back({at(hour * 3600), at(hour * 3600 + 3599), count, 0, Quality::good, false});
    }
    const auto paces = paces_of(hours, 1s, false);
    EXPECT_EQ(paces[7].period, Duration(1s));
    EXPECT_EQ(missing_within(hours[7], paces[7]), 300u);
    EXPECT_EQ(missing_within(hours[6], paces[6]), 0u);
    const auto gaps = find_gaps(hours, paces, at(0), at(24 * 3600));
    ASSERT_EQ(gaps.size(), 1u);
    EXPECT_EQ(gaps[0].samples, 300u);
    EXPECT_FALSE(gaps[0].is_exact);
}

TEST(Gaps, ATagThatSlowsDownLacksNothing) {
    std::vector<Stretch> hours;
    for (int hour = 0; hour < 48; ++hour) {
        const bool slow = hour >= 24;
        hours.push_back(
            {at(hour * 3600), at(hour * 3600 + (slow ? 3590 : 3599)), slow ? 360u : 3600u, 0, Quality::good, false});
    }
    const auto paces = paces_of(hours, 10s, false);
    EXPECT_EQ(paces[2].period, Duration(1s));
    EXPECT_EQ(paces[40].period, Duration(10s));
    EXPECT_TRUE(find_gaps(hours, paces, at(0), at(48 * 3600)).empty());
}

TEST(Gaps, BadSamplesSayWhy) {
    Chunk rows = every_second(0, 5);
    for (double t = 5; t < 8; t += 1) add(rows, t, Quality::bad_no_communication);
    for (double t = 8; t < 10; t += 1) add(rows, t, Quality::bad_device_failure);
    for (double t = 10; t < 15; t += 1) add(rows, t);
    const auto stretches = stretches_of(rows, Duration(1750ms));
    ASSERT_EQ(stretches.size(), 4u);
    const auto gaps = find_gaps(stretches, paces_of(stretches, 1s, true), at(0), at(15));
    ASSERT_EQ(gaps.size(), 2u);
    EXPECT_EQ(gaps[0], (Gap{at(5), at(8), 3, GapReason::Link, true}));
    EXPECT_EQ(gaps[1], (Gap{at(8), at(10), 2, GapReason::Device, true}));
}

TEST(Gaps, AGapIsCutWhereItsReasonChanges) {
    const Gap gap{at(0), at(100), 100, std::nullopt, true};
    const std::vector<Circumstance> why = {{at(10), at(40), GapReason::Server}, {at(0), at(60), GapReason::Link}};
    const auto pieces = explain(gap, why, 2s);
    ASSERT_EQ(pieces.size(), 4u);
    EXPECT_EQ(pieces[0], (Missing{at(0), at(10), GapReason::Link, 10, true}));
    EXPECT_EQ(pieces[1], (Missing{at(10), at(40), GapReason::Server, 30, true}));
    EXPECT_EQ(pieces[2], (Missing{at(40), at(60), GapReason::Link, 20, true}));
    EXPECT_EQ(pieces[3], (Missing{at(60), at(100), GapReason::Unknown, 40, true}));
}

TEST(Gaps, SliversGoToTheirNeighbour) {
    const Gap gap{at(0), at(100), 100, std::nullopt, true};
    const std::vector<Circumstance> why = {{at(1), at(99.5), GapReason::Server}};
    const auto pieces = explain(gap, why, 2s);
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0], (Missing{at(0), at(100), GapReason::Server, 100, true}));
}

TEST(Gaps, TheLongestIntervalsAreKept) {
    std::vector<Missing> all;
    for (int i = 0; i < 150; ++i) all.push_back({at(i * 100), at(i * 100 + 1 + i % 10), GapReason::Device, 1, true});
    Completeness answer;
    put_missing(all, answer);
    EXPECT_EQ(answer.missing.size(), missing_kept_max);
    EXPECT_EQ(answer.missing_more, 50u);
    EXPECT_TRUE(std::ranges::is_sorted(answer.missing, {}, &Missing::from));
}

TEST(Gaps, LateAndOutOfOrderAreCountedApart) {
    Chunk rows;
    add(rows, 0, Quality::good, 0.1);
    add(rows, 1, Quality::good, 60);  // Late, and after the two that follow.
    add(rows, 2, Quality::good, 0.1);
    add(rows, 3, Quality::good, 0.1);
    Completeness answer;
    count_lateness(rows, answer);
    EXPECT_EQ(answer.examined, 4u);
    EXPECT_EQ(answer.late, 1u);
    EXPECT_EQ(answer.out_of_order, 1u);
}

}  // namespace
}  // namespace lineshaft::store
