#include "store/completeness.h"

#include <gtest/gtest.h>

#include "store/historians.h"
#include "store/ledger.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

constexpr TagId tag{7};
const std::string device = "Plant/Pump";
const std::string source = "mqtt/pump";

/// A store of one shard that can be killed; a device that sends once a second while it is told to.
class CompletenessTest : public ::testing::Test {
protected:
    CompletenessTest() { start(); }
    ~CompletenessTest() override { close(); }

    void start() {
        shard_set = std::make_unique<testing::ManualShards>(1, clock);
        Options options;
        options.path = "/data/store";
        stores = *Historians::create(*shard_set, disk, *pool, *pool, options);
        shard_set->run();
        store().register_series(tag, {device + "/flow", "", ValueType::Double, device});
        id = store().source_id(source);
        next = store().last_sequence(id) + 1;
    }
    void close() {
        stores->close(shard_set->at(0), [] {});
        shard_set->run();
        stores.reset();
    }
    void kill() {
        stores.reset();
        shard_set.reset();
        disk.kill_process();
    }
    Historian& store() { return stores->at(ShardId(0)); }
    Ledgers ledgers() { return {*shard_set, *stores}; }

    void send(int seconds, Quality quality = Quality::good) {
        for (int i = 0; i < seconds; ++i) {
            Batch batch;
            batch.source = id;
            batch.first_sequence = next++;
            batch.receive_time = clock.utc_now();
            batch.add(tag, clock.utc_now(), ValueType::Double, 0, quality);
            store().offer(batch);
            shard_set->advance(1s);
        }
    }
    void presence(Presence now) {
        ledgers().post_presence(source, now, clock.utc_now());
        shard_set->run();
    }
    Completeness ask(UtcTime from, UtcTime to) {
        Completeness answer;
        TagQuestion question;
        question.tag = tag;
        question.device = device;
        bool answered = false;
        ledgers().post_completeness(shard_set->at(0), ShardId(0), question, from, to,
                                    [&](Result<Completeness> known) {
                                        answered = true;
                                        EXPECT_TRUE(known);
                                        if (known) answer = *std::move(known);
                                    });
        shard_set->run();
        EXPECT_TRUE(answered);
        return answer;
    }
    TagQuality judge(UtcTime from, UtcTime to, std::optional<double> high = std::nullopt) {
        TagQuestion question;
        question.tag = tag;
        question.device = device;
        question.range_high = high;
        std::vector<TagQuality> all;
        ledgers().post_quality(shard_set->at(0), ShardId(0), {question}, from, to,
                               [&](std::vector<TagQuality> judged) { all = std::move(judged); });
        shard_set->run();
        EXPECT_EQ(all.size(), 1u);
        return all.at(0);
    }

    testing::ManualClock clock;
    std::unique_ptr<testing::ManualShards> shard_set;
    testing::ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<Historians> stores;
    SourceId id;
    std::uint64_t next = 1;
    const UtcTime begin = testing::ManualClock::start;
};

TEST_F(CompletenessTest, EvenDataIsComplete) {
    send(600);
    const Completeness answer = ask(begin, clock.utc_now());
    EXPECT_EQ(answer.samples, 600u);
    EXPECT_EQ(answer.expected, 600u);
    EXPECT_EQ(answer.cadence, Duration(1s));
    EXPECT_EQ(answer.cadence_from, CadenceFrom::Learned);
    EXPECT_TRUE(answer.missing.empty());
    EXPECT_EQ(answer.late, 0u);
}

TEST_F(CompletenessTest, NothingIsMissingFromBeforeATagWasThere) {
    shard_set->advance(1h);
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    EXPECT_EQ(answer.expected, 60u);
    EXPECT_TRUE(answer.missing.empty());
}

TEST_F(CompletenessTest, ADeviceThatWentAwayExplainsItsGap) {
    presence(Presence::Connected);
    send(60);
    const UtcTime left = clock.utc_now();
    presence(Presence::Away);
    shard_set->advance(40s);
    presence(Presence::Connected);
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0], (Missing{left, left + 40s, GapReason::Link, 40, true}));
    EXPECT_EQ(answer.expected, 160u);
}

TEST_F(CompletenessTest, AConnectedDeviceThatIsSilentIsToBlameItself) {
    presence(Presence::Connected);
    send(60);
    shard_set->advance(30s);
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0].reason, GapReason::Device);
    EXPECT_EQ(answer.missing[0].samples, 30u);
}

TEST_F(CompletenessTest, AKilledServerBlamesItself) {
    send(60);
    shard_set->run();
    kill();
    clock.advance(10min);
    start();
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    EXPECT_EQ(answer.samples, 120u);
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0].reason, GapReason::Server);
    EXPECT_EQ(answer.missing[0].samples, 600u);
}

TEST_F(CompletenessTest, WhatWasRefusedIsNotCalledSilence) {
    send(60);
    const UtcTime from = clock.utc_now();
    shard_set->advance(20s);
    store().refuse(id, {device, "type", 20, from, clock.utc_now()});
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0].reason, GapReason::Refused);
}

TEST_F(CompletenessTest, SamplesThatSayNoCommunicationAreMissingByLink) {
    send(60);
    send(20, Quality::bad_no_communication);
    send(60);
    const Completeness answer = ask(begin, clock.utc_now());
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0].reason, GapReason::Link);
    EXPECT_EQ(answer.missing[0].samples, 20u);
    EXPECT_EQ(answer.expected, 140u);  // They are samples, if bad ones.
    EXPECT_EQ(answer.bad, 20u);
}

TEST_F(CompletenessTest, DataThatComesLaterFillsTheGap) {
    send(60);
    const UtcTime from = clock.utc_now();
    shard_set->advance(30s);
    send(60);
    EXPECT_EQ(ask(begin, clock.utc_now()).missing.size(), 1u);
    Batch batch;
    batch.source = id;
    batch.first_sequence = next;
    batch.receive_time = clock.utc_now();
    for (int i = 0; i < 30; ++i) batch.add(tag, from + i * 1s, ValueType::Double, 0, Quality::good);
    next += 30;
    store().offer(batch);
    shard_set->run();
    const Completeness answer = ask(begin, clock.utc_now());
    EXPECT_TRUE(answer.missing.empty());
    EXPECT_EQ(answer.expected, 150u);
    EXPECT_EQ(answer.late, 30u);
    EXPECT_EQ(answer.out_of_order, 30u);
}

TEST_F(CompletenessTest, ManySamplesAreNotReadOneByOneAndTheGapIsFoundAllTheSame) {
    // A day at 5 Hz, with 137 missing somewhere.
    constexpr Duration period = 200ms;
    const UtcTime lost = begin + 7h + 13min;
    for (UtcTime time = begin; time < begin + 24h;) {
        Batch batch;
        batch.source = id;
        batch.first_sequence = next;
        batch.receive_time = begin + 24h;
        for (; batch.size() < 4000 && time < begin + 24h; time = time + period) {
            if (time >= lost && time < lost + 137 * period) continue;
            batch.add(tag, time, ValueType::Double, 0, Quality::good);
        }
        next += batch.size();
        store().offer(batch);
        shard_set->run();
    }
    clock.advance(25h);
    const Completeness answer = ask(begin, begin + 24h);
    EXPECT_EQ(answer.samples, 5u * 86'400 - 137);
    EXPECT_EQ(answer.expected, 5u * 86'400);
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing[0].from, lost);
    EXPECT_EQ(answer.missing[0].to, lost + 137 * period);
    EXPECT_EQ(answer.missing[0].samples, 137u);
    EXPECT_TRUE(answer.missing[0].is_exact);
}

TEST_F(CompletenessTest, ASilentTagLacksAll) {
    send(60);
    const UtcTime from = clock.utc_now();
    shard_set->advance(1h);
    const Completeness answer = ask(from, clock.utc_now());
    EXPECT_EQ(answer.samples, 0u);
    ASSERT_EQ(answer.missing.size(), 1u);
    EXPECT_EQ(answer.missing_time, Duration(1h));
}

TEST_F(CompletenessTest, QualitySeesMissingStuckAndOutOfRange) {
    for (int i = 0; i < 1200; ++i) {
        Batch batch;
        batch.source = id;
        batch.first_sequence = next++;
        batch.receive_time = clock.utc_now();
        const double value = i < 600 ? i % 50 : 99;  // Then it sticks.
        batch.add(tag, clock.utc_now() - 3s, value, Quality::good);
        store().offer(batch);
        shard_set->advance(1s);
    }
    const TagQuality quality = judge(begin, clock.utc_now(), 90.0);
    EXPECT_EQ(quality.missing, 0u);
    ASSERT_TRUE(quality.stuck);
    EXPECT_GE(*quality.stuck, Duration(9min));
    EXPECT_NEAR(quality.out_of_range_share, 0.5, 0.1);
    EXPECT_EQ(quality.clock_skew, Duration(3s));
    EXPECT_EQ(quality.late_share, 0.0);
}

TEST_F(CompletenessTest, HoursAndSourcesAddUpOverAKill) {
    send(100);
    shard_set->run();
    kill();
    clock.advance(2h);
    start();
    send(50);
    shard_set->run();
    std::vector<LedgerSource> all;
    ledgers().post_sources(shard_set->at(0), "mqtt/", [&](std::vector<LedgerSource> s) { all = std::move(s); });
    LedgerHours hours;
    ledgers().post_hours(shard_set->at(0), source, begin, clock.utc_now(),
                         [&](Result<LedgerHours> h) { hours = *std::move(h); });
    shard_set->run();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_TRUE(all[0].is_complete());
    EXPECT_EQ(all[0].complete_to, 150u);
    ASSERT_EQ(hours.hours.size(), 2u);
    EXPECT_EQ(hours.hours[0].stored, 100u);
    EXPECT_EQ(hours.hours[1].stored, 50u);
    EXPECT_EQ(hours.hours[1].ranges, (std::vector<SequenceRange>{{101, 150}}));
}

}  // namespace
}  // namespace lineshaft::store
