#include "rules/engine.h"

#include <gtest/gtest.h>

#include "registry/snapshot_builder.h"
#include "support/manual_shard.h"

namespace lineshaft::rules {
namespace {

using registry::AlarmRule;
using registry::Limit;
using registry::SnapshotBuilder;
using testing::ManualClock;
using testing::ManualShard;

constexpr TenantId tenant{1};
constexpr TagId temp{11};
constexpr TagId level{12};

class Events final : public flow::EventSink {
public:
    void offer(const ConditionEvent& event) override { list.push_back(event); }
    std::vector<ConditionEvent> list;
};

Limit high(double threshold, Duration on = 0s, Duration off = 0s) {
    return {LimitKind::High, threshold, 0, on, off, Priority::High};
}

class EngineTest : public ::testing::Test {
protected:
    EngineTest() {
        for (const TagId id : {temp, level}) {
            registry::Tag tag;
            tag.id = id;
            tag.tenant = tenant;
            tag.device = DeviceId(1);
            tag.path = "boiler/" + std::to_string(id.value());
            builder.put(tag);
        }
    }

    void put_rule(std::uint64_t id, TagId tag, std::vector<Limit> limits, bool enabled = true) {
        AlarmRule rule;
        rule.id = RuleId(id);
        rule.tenant = tenant;
        rule.tag = tag;
        rule.name = "rule";
        rule.limits = std::move(limits);
        rule.enabled = enabled;
        builder.put(rule);
    }
    void apply() {
        snapshot = builder.build();
        builder = SnapshotBuilder(*snapshot);
        engine.apply(*snapshot, [this](const registry::Tag& tag) { return tag.id != elsewhere; });
    }
    void sample(TagId tag, double value, UtcTime time, Quality quality = Quality::good) {
        Batch batch;
        batch.add(tag, time, Value(value), quality);
        engine.offer(batch);
    }
    void sample(TagId tag, double value) { sample(tag, value, clock.utc_now()); }
    /// "H+ H-" of what was told since the last call.
    std::string told() {
        std::string text;
        for (const ConditionEvent& event : events.list) {
            if (!text.empty()) text += ' ';
            text += to_text(event.limit);
            text += event.active ? '+' : '-';
        }
        events.list.clear();
        return text;
    }
    static ConditionEvent was_active(std::uint64_t rule, LimitKind kind) {
        ConditionEvent event;
        event.rule = RuleId(rule);
        event.tag = temp;
        event.limit = kind;
        event.active = true;
        return event;
    }

    ManualClock clock;
    ManualShard shard{clock};
    Events events;
    Engine engine{shard, events};
    SnapshotBuilder builder;
    SnapshotOf<registry::Snapshot> snapshot;
    TagId elsewhere;
};

TEST_F(EngineTest, TellsWhatBecameTrueWithAllThatAnAlarmNeeds) {
    put_rule(1, temp, {high(80)});
    apply();
    sample(temp, 81, clock.utc_now(), Quality::uncertain);
    ASSERT_EQ(events.list.size(), 1u);
    const ConditionEvent& event = events.list[0];
    EXPECT_EQ(event.tenant, tenant);
    EXPECT_EQ(event.rule, RuleId(1));
    EXPECT_EQ(event.tag, temp);
    EXPECT_EQ(event.limit, LimitKind::High);
    EXPECT_EQ(event.priority, Priority::High);
    EXPECT_TRUE(event.active);
    EXPECT_EQ(event.time, clock.utc_now());
    EXPECT_EQ(event.value, 81);
    EXPECT_EQ(event.threshold, 80);
    EXPECT_EQ(event.quality, Quality::uncertain);
    sample(temp, 79);
    EXPECT_EQ(told(), "H+ H-");
}

TEST_F(EngineTest, EveryLimitOfEveryRuleOfATagIsJudged) {
    put_rule(1, temp, {{LimitKind::HighHigh, 90, 0, 0s, 0s, Priority::Critical}, high(80)});
    put_rule(2, temp, {{LimitKind::Low, 10, 0, 0s, 0s, Priority::Low}});
    apply();
    EXPECT_EQ(engine.rule_count(), 2u);
    sample(temp, 95);
    sample(temp, 5);
    sample(level, 1000);
    EXPECT_EQ(told(), "HH+ H+ HH- H- L+");
}

TEST_F(EngineTest, IntegersAndSwitchesAreJudgedTextsAndBadValuesAreNot) {
    put_rule(1, temp, {high(0.5)});
    apply();
    Batch batch;
    UtcTime time = clock.utc_now();
    batch.add(temp, time = time + 1s, Value(std::string("99")), Quality::good);
    batch.add(temp, time = time + 1s, Value(99.0), Quality::bad_no_communication);
    batch.add(temp, time = time + 1s, Value(true), Quality::good);
    batch.add(temp, time = time + 1s, Value(std::int64_t{0}), Quality::good);
    engine.offer(batch);
    EXPECT_EQ(told(), "H+ H-");
}

TEST_F(EngineTest, AnOnDelayEndsByItselfWithoutAnotherSample) {
    put_rule(1, temp, {high(80, 5s, 2s)});
    apply();
    const UtcTime crossed = clock.utc_now();
    sample(temp, 81);
    shard.advance(4s);
    EXPECT_EQ(told(), "");
    shard.advance(1s);
    ASSERT_EQ(events.list.size(), 1u);
    EXPECT_EQ(events.list[0].time, crossed + 5s);
    EXPECT_EQ(told(), "H+");
    sample(temp, 79);
    shard.advance(2s);
    EXPECT_EQ(told(), "H-");
    shard.advance(1h);
    EXPECT_EQ(told(), "");
}

TEST_F(EngineTest, TheDelayThatEndsFirstIsToldFirst) {
    put_rule(1, temp, {{LimitKind::High, 80, 0, 10s, 0s, Priority::High}});
    put_rule(2, level, {{LimitKind::Low, 5, 0, 3s, 0s, Priority::High}});
    apply();
    sample(temp, 81);
    shard.advance(1s);
    sample(level, 1);
    shard.advance(3s);
    EXPECT_EQ(told(), "L+");
    shard.advance(6s);
    EXPECT_EQ(told(), "H+");
}

TEST_F(EngineTest, ACrossingThatEndsWithinItsDelayIsNoAlarm) {
    put_rule(1, temp, {high(80, 5s)});
    apply();
    sample(temp, 81);
    shard.advance(4s);
    sample(temp, 79);
    shard.advance(1h);
    EXPECT_EQ(told(), "");
    EXPECT_EQ(shard.next_timer().ns(), INT64_MAX);
}

TEST_F(EngineTest, ADeviceWhoseClockIsAheadAlarmsLateNeverEarly) {
    put_rule(1, temp, {high(80, 5s)});
    apply();
    sample(temp, 81, clock.utc_now() + 60s);
    shard.advance(64s);
    EXPECT_EQ(told(), "");
    shard.advance(1s);
    EXPECT_EQ(told(), "H+");
}

TEST_F(EngineTest, SamplesOlderThanTheLastJudgedChangeNothing) {
    put_rule(1, temp, {high(80)});
    apply();
    sample(temp, 70, clock.utc_now());
    sample(temp, 90, clock.utc_now() - 1h);
    EXPECT_EQ(told(), "");
}

TEST_F(EngineTest, ALimitThatDidNotChangeKeepsItsStateThroughChangesOfOthers) {
    put_rule(1, temp, {high(80, 5s)});
    apply();
    sample(temp, 81);
    shard.advance(3s);
    put_rule(2, level, {high(1)});
    apply();  // In the middle of the delay.
    shard.advance(2s);
    EXPECT_EQ(told(), "H+");
    put_rule(1, temp, {high(80, 5s), {LimitKind::Low, 5, 0, 0s, 0s, Priority::Low}});
    apply();
    EXPECT_EQ(told(), "");
    sample(temp, 70);
    EXPECT_EQ(told(), "H-");
}

TEST_F(EngineTest, ALimitThatIsGoneWhileActiveIsToldAsEnded) {
    put_rule(1, temp, {high(80), {LimitKind::Low, 5, 0, 0s, 0s, Priority::Low}});
    apply();
    sample(temp, 81);
    EXPECT_EQ(told(), "H+");
    put_rule(1, temp, {{LimitKind::Low, 5, 0, 0s, 0s, Priority::Low}});
    apply();
    ASSERT_EQ(events.list.size(), 1u);
    EXPECT_EQ(events.list[0].quality, Quality::uncertain);
    EXPECT_EQ(told(), "H-");
}

TEST_F(EngineTest, ARuleThatIsDisabledDeletedOrWhoseTagIsDeletedEndsItsAlarms) {
    put_rule(1, temp, {high(80)});
    apply();
    sample(temp, 81);
    put_rule(1, temp, {high(80)}, false);
    apply();
    EXPECT_EQ(told(), "H+ H-");
    EXPECT_EQ(engine.rule_count(), 0u);

    put_rule(1, temp, {high(80)});
    apply();
    sample(temp, 81);
    builder.remove(RuleId(1));
    apply();
    EXPECT_EQ(told(), "H+ H-");

    put_rule(2, temp, {high(80)});
    apply();
    sample(temp, 81);
    builder.remove(temp);
    apply();
    EXPECT_EQ(told(), "H+ H-");
}

TEST_F(EngineTest, AThresholdThatMovesIsJudgedAnewWithTheNextSample) {
    put_rule(1, temp, {high(80)});
    apply();
    sample(temp, 85);
    put_rule(1, temp, {high(82)});
    apply();
    sample(temp, 85);
    EXPECT_EQ(told(), "H+ H- H+");
}

TEST_F(EngineTest, RulesOfTagsThatLiveElsewhereAreNotItsBusiness) {
    elsewhere = level;
    put_rule(1, level, {high(1)});
    apply();
    EXPECT_EQ(engine.rule_count(), 0u);
    sample(level, 5);
    EXPECT_EQ(told(), "");
}

TEST_F(EngineTest, WhatWasActiveBeforeARestartIsToldWhenItEndsAndNotRaisedAgain) {
    put_rule(1, temp, {high(80)});
    engine.restore({was_active(1, LimitKind::High)});
    apply();
    EXPECT_EQ(told(), "");
    sample(temp, 85);
    EXPECT_EQ(told(), "");
    sample(temp, 70);
    EXPECT_EQ(told(), "H-");
}

TEST_F(EngineTest, WhatWasActiveBeforeARestartButHasNoLimitAnyMoreEndsAtOnce) {
    put_rule(1, temp, {high(80)});
    engine.restore({was_active(1, LimitKind::HighHigh), was_active(7, LimitKind::Low)});
    apply();
    EXPECT_EQ(told(), "HH- L-");
    apply();
    EXPECT_EQ(told(), "");
}

TEST_F(EngineTest, AnOldDelayDoesNotFireForARuleThatIsGone) {
    put_rule(1, temp, {high(80, 5s)});
    apply();
    sample(temp, 81);
    builder.remove(RuleId(1));
    apply();
    shard.advance(1h);
    EXPECT_EQ(told(), "");
}

TEST_F(EngineTest, AWallClockThatIsSetBackOnlyDelays) {
    put_rule(1, temp, {high(80, 5s)});
    apply();
    sample(temp, 81);
    clock.set_utc(clock.utc_now() - 10s);
    shard.advance(5s);
    EXPECT_EQ(told(), "");
    shard.advance(10s);
    EXPECT_EQ(told(), "H+");
}

}  // namespace
}  // namespace lineshaft::rules
