#include "rules/limit_judge.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "rules/backtest.h"

namespace lineshaft::rules {
namespace {

constexpr UtcTime at(int seconds) { return UtcTime(1'000'000'000'000 + seconds * 1'000'000'000LL); }

registry::Limit high(double threshold, double deadband = 0, Duration on = 0s, Duration off = 0s) {
    return {LimitKind::High, threshold, deadband, on, off, Priority::High};
}

TEST(LimitJudge, RaisesAtTheFirstSampleBeyondTheThreshold) {
    LimitJudge judge(high(80));
    EXPECT_FALSE(judge.judge(at(0), 80, Quality::good).first);
    const auto changes = judge.judge(at(1), 80.1, Quality::good);
    ASSERT_TRUE(changes.first);
    EXPECT_TRUE(changes.first->active);
    EXPECT_EQ(changes.first->time, at(1));
    EXPECT_EQ(changes.first->value, 80.1);
}

TEST(LimitJudge, LowLimitsLookDownwards) {
    LimitJudge judge({LimitKind::LowLow, 5, 1, 0s, 0s, Priority::Critical});
    EXPECT_TRUE(judge.judge(at(0), 4.9, Quality::good).first);
    EXPECT_FALSE(judge.judge(at(1), 5.5, Quality::good).first);
    EXPECT_TRUE(judge.judge(at(2), 6.0, Quality::good).first);
    EXPECT_FALSE(judge.is_active());
}

TEST(LimitJudge, StaysActiveInsideTheDeadband) {
    LimitJudge judge(high(80, 2));
    judge.judge(at(0), 81, Quality::good);
    EXPECT_FALSE(judge.judge(at(1), 79, Quality::good).first);
    EXPECT_TRUE(judge.is_active());
    EXPECT_TRUE(judge.judge(at(2), 78, Quality::good).first);
    EXPECT_FALSE(judge.is_active());
}

TEST(LimitJudge, ACrossingShorterThanTheOnDelayDoesNotCount) {
    LimitJudge judge(high(80, 0, 5s));
    EXPECT_FALSE(judge.judge(at(0), 81, Quality::good).first);
    EXPECT_FALSE(judge.judge(at(4), 79, Quality::good).first);
    EXPECT_FALSE(judge.pass_time(at(10)));
    EXPECT_FALSE(judge.is_active());
}

TEST(LimitJudge, TheOnDelayEndsWithoutANewSample) {
    LimitJudge judge(high(80, 0, 5s));
    judge.judge(at(0), 81, Quality::good);
    EXPECT_EQ(judge.due(), at(5));
    EXPECT_FALSE(judge.pass_time(at(4)));
    const auto change = judge.pass_time(at(6));
    ASSERT_TRUE(change);
    EXPECT_EQ(change->time, at(5));
}

TEST(LimitJudge, ASampleAfterTheDelayGivesBothChangesInOrder) {
    LimitJudge judge(high(80, 0, 5s));
    judge.judge(at(0), 81, Quality::good);
    const auto changes = judge.judge(at(20), 70, Quality::good);
    ASSERT_TRUE(changes.first && changes.second);
    EXPECT_TRUE(changes.first->active);
    EXPECT_EQ(changes.first->time, at(5));
    EXPECT_FALSE(changes.second->active);
    EXPECT_EQ(changes.second->time, at(20));
}

TEST(LimitJudge, TheOffDelayKeepsAChatteringAlarmActive) {
    LimitJudge judge(high(80, 0, 0s, 10s));
    judge.judge(at(0), 81, Quality::good);
    for (int s = 1; s < 60; ++s) EXPECT_FALSE(judge.judge(at(s), s % 2 ? 79 : 81, Quality::good).first);
    EXPECT_TRUE(judge.is_active());
}

TEST(LimitJudge, BadQualityHoldsTheState) {
    LimitJudge judge(high(80));
    judge.judge(at(0), 81, Quality::good);
    EXPECT_FALSE(judge.judge(at(1), 0, Quality::bad_no_communication).first);
    EXPECT_TRUE(judge.is_active());
}

TEST(LimitJudge, OlderSamplesAreNotJudgedAgain) {
    LimitJudge judge(high(80));
    judge.judge(at(10), 70, Quality::good);
    EXPECT_FALSE(judge.judge(at(5), 90, Quality::good).first);
    EXPECT_FALSE(judge.is_active());
}

TEST(Backtest, CountsEpisodesAndActiveTime) {
    Backtest test({high(80, 2), {LimitKind::Low, 10, 0, 0s, 0s, Priority::Low}});
    test.judge(at(0), 50, Quality::good);
    test.judge(at(10), 90, Quality::good);
    test.judge(at(20), 79, Quality::good);
    test.judge(at(30), 60, Quality::good);
    test.judge(at(40), 5, Quality::good);
    test.finish(at(50));
    EXPECT_EQ(test.fired(), 2u);
    ASSERT_EQ(test.episodes().size(), 2u);
    EXPECT_EQ(test.episodes()[0].start, at(10));
    EXPECT_EQ(test.episodes()[0].end, at(30));
    EXPECT_TRUE(test.episodes()[1].end.is_none());
    EXPECT_EQ(test.active_time(), 30s);
    EXPECT_EQ(test.samples(), 5u);
}

TEST(Backtest, AgreesWithLiveJudgingOnARandomWalk) {
    Random random(7);
    const registry::Limit limit = high(60, 3, 2s, 4s);
    Backtest test({limit});
    LimitJudge live(limit);
    std::size_t raised = 0;
    double value = 50;
    for (int s = 0; s < 20'000; ++s) {
        value += (random.unit() - 0.5) * 6;
        value += (50 - value) * 0.02;
        // Live, a timer may look in between two samples: the result must not depend on it.
        if (random.below(3) == 0) {
            if (const auto change = live.pass_time(at(s) - 1ns)) raised += change->active;
        }
        const auto changes = live.judge(at(s), value, Quality::good);
        raised += (changes.first && changes.first->active) + (changes.second && changes.second->active);
        test.judge(at(s), value, Quality::good);
    }
    test.finish(at(20'000));
    EXPECT_GT(raised, 50u);
    EXPECT_EQ(test.fired(), raised);
}

}  // namespace
}  // namespace lineshaft::rules
