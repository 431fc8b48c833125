#include "flow/ingress.h"

#include <array>
#include <bit>
#include <deque>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/manual_shard.h"

namespace lineshaft::flow {
namespace {

using testing::ManualClock;
using testing::ManualShards;

/// A home that keeps what it gets and settles when it is told to.
class Home final : public ReadingSink {
public:
    Took offer(ReadingBatch& batch, Settled& settled) override {
        if (full) return Took::None;
        batches.push_back(std::move(batch));
        open.push_back(std::move(settled));
        return Took::All;
    }
    void when_ready(Task task) override { waiting.push_back(std::move(task)); }

    void settle(Result<void> result = {}) {
        Settled settled = std::move(open.front());
        open.pop_front();
        settled(std::move(result));
    }
    void drain() {
        full = false;
        for (Task& task : std::exchange(waiting, {})) task();
    }

    bool full = false;
    std::vector<ReadingBatch> batches;
    std::deque<Settled> open;
    std::vector<Task> waiting;
};

class IngressTest : public ::testing::Test {
protected:
    static constexpr std::size_t shard_count = 3;

    ~IngressTest() override {
        // Every receipt is owed an answer before the end.
        for (Home& home : homes) home.drain();
        shards.run();
        for (Home& home : homes) {
            while (!home.open.empty()) home.settle();
        }
        shards.run();
    }

    /// A device whose home is shard `index`.
    static std::string device_on(std::size_t index, int number = 0) {
        for (int i = number * 1000;; ++i) {
            std::string name = fmt::format("line/{}", i);
            if (home_shard(TenantId(1), name, shard_count).value() == index) return name;
        }
    }
    static ReadingBatch batch_for(const std::vector<std::size_t>& indices, double value = 1) {
        ReadingBatch batch;
        batch.source = "mqtt/filler-1";
        batch.receive_time = UtcTime(77);
        for (const std::size_t index : indices) {
            batch.add(device_on(index), "temp", value, UtcTime(5), Quality::good);
            batch.readings.back().unit = batch.keep("degC");
        }
        return batch;
    }
    Took offer(ReadingBatch batch) {
        Settled settled = [this](Result<void> result) { answers.push_back(std::move(result)); };
        const Took took = ingress.offer(batch, settled);
        if (took == Took::None) {
            EXPECT_TRUE(static_cast<bool>(settled));
            EXPECT_FALSE(batch.empty());
        }
        return took;
    }
    /// The first values of the batches that came home to shard `index`.
    std::vector<double> values_at(std::size_t index) {
        std::vector<double> values;
        for (const ReadingBatch& batch : homes[index].batches) {
            values.push_back(std::bit_cast<double>(batch.readings[0].bits));
        }
        return values;
    }

    ManualClock clock;
    ManualShards shards{shard_count, clock};
    std::array<Home, shard_count> homes;
    Ingress ingress{shards.at(0), shards, {&homes[0], &homes[1], &homes[2]}};
    std::vector<Result<void>> answers;
};

TEST_F(IngressTest, WhatIsAllAtHomeIsHandedOverAtOnce) {
    ASSERT_EQ(offer(batch_for({0, 0})), Took::All);
    ASSERT_EQ(homes[0].batches.size(), 1u);
    EXPECT_EQ(homes[0].batches[0].size(), 2u);
    homes[0].settle();
    EXPECT_EQ(answers.size(), 1u);
}

TEST_F(IngressTest, EachReadingComesToTheHomeOfItsDeviceWithEverythingItSays) {
    ReadingBatch batch = batch_for({1, 0, 2, 1});
    batch.add(device_on(2), "state", std::string("running"), UtcTime(6), Quality::uncertain);
    ASSERT_EQ(offer(std::move(batch)), Took::All);
    shards.run();
    ASSERT_EQ(homes[0].batches.size(), 1u);
    ASSERT_EQ(homes[1].batches.size(), 1u);
    ASSERT_EQ(homes[2].batches.size(), 1u);
    EXPECT_EQ(homes[0].batches[0].size(), 1u);
    EXPECT_EQ(homes[1].batches[0].size(), 2u);
    const ReadingBatch& part = homes[2].batches[0];
    ASSERT_EQ(part.size(), 2u);
    EXPECT_EQ(part.source, "mqtt/filler-1");
    EXPECT_EQ(part.receive_time, UtcTime(77));
    EXPECT_EQ(part.readings[0].device, device_on(2));
    EXPECT_EQ(part.readings[0].address, "temp");
    EXPECT_EQ(part.readings[0].unit, "degC");
    EXPECT_EQ(part.readings[1].text, "running");
    EXPECT_EQ(part.readings[1].source_time, UtcTime(6));
    EXPECT_EQ(part.readings[1].quality, Quality::uncertain);
}

TEST_F(IngressTest, AnswersOnceWhenTheLastPartIsDurable) {
    ASSERT_EQ(offer(batch_for({0, 1, 2})), Took::All);
    shards.run();
    homes[2].settle();
    homes[0].settle();
    shards.run();
    EXPECT_TRUE(answers.empty());
    homes[1].settle();
    shards.run();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_TRUE(answers[0]);
}

TEST_F(IngressTest, TheFirstErrorIsTheAnswer) {
    ASSERT_EQ(offer(batch_for({0, 1, 2})), Took::All);
    shards.run();
    homes[1].settle(fail(ErrorCode::DiskFull));
    shards.run();
    homes[0].settle(fail(ErrorCode::Io));
    homes[2].settle();
    shards.run();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].error().code(), ErrorCode::DiskFull);
}

TEST_F(IngressTest, NothingIsTakenWhenTheOwnPartIsRefused) {
    homes[0].full = true;
    EXPECT_EQ(offer(batch_for({0, 1})), Took::None);
    EXPECT_EQ(offer(batch_for({0})), Took::None);
    shards.run();
    EXPECT_TRUE(homes[1].batches.empty());
    bool ready = false;
    ingress.when_ready([&] { ready = true; });
    shards.run();
    EXPECT_FALSE(ready);
    homes[0].drain();
    EXPECT_TRUE(ready);
    EXPECT_EQ(offer(batch_for({0, 1})), Took::All);
}

TEST_F(IngressTest, AFullLaneRefusesAndSaysWhenThereIsRoomAgain) {
    homes[1].full = true;
    for (std::size_t i = 0; i < Ingress::parts_in_flight_max; ++i) {
        ASSERT_EQ(offer(batch_for({1}, static_cast<double>(i))), Took::All) << i;
        shards.run();
    }
    EXPECT_EQ(offer(batch_for({0, 1, 2})), Took::None);
    EXPECT_TRUE(homes[0].batches.empty());
    ReadingBatch whole = batch_for({1});
    whole.home = ShardId(1);
    EXPECT_EQ(offer(std::move(whole)), Took::None);
    bool ready = false;
    ingress.when_ready([&] { ready = true; });
    // Another shard's lane is not concerned.
    EXPECT_EQ(offer(batch_for({2})), Took::All);
    shards.run();
    EXPECT_FALSE(ready);
    homes[1].drain();
    EXPECT_FALSE(ready);  // Never from within the home's own task.
    shards.run();
    EXPECT_TRUE(ready);
    EXPECT_EQ(offer(batch_for({0, 1, 2})), Took::All);
}

TEST_F(IngressTest, BatchesOfOneSourceNeverOvertakeEachOther) {
    std::vector<double> expected;
    for (int i = 0; i < 100; ++i) {
        homes[1].full = i % 3 != 0;
        ASSERT_EQ(offer(batch_for({2, 1}, i)), Took::All);
        if (i % 5 == 0) shards.run();
        if (i % 7 == 0) homes[1].drain();
        expected.push_back(i);
    }
    homes[1].drain();
    shards.run();
    homes[1].drain();
    shards.run();
    EXPECT_EQ(values_at(1), expected);
    EXPECT_EQ(values_at(2), expected);
}

TEST_F(IngressTest, ABatchWhoseHomeIsKnownTravelsAsItIs) {
    ReadingBatch batch = batch_for({1, 1});
    batch.home = ShardId(1);
    const char* const text = batch.readings[0].device.data();
    ASSERT_EQ(offer(std::move(batch)), Took::All);
    shards.run();
    ASSERT_EQ(homes[1].batches.size(), 1u);
    EXPECT_EQ(homes[1].batches[0].readings[0].device.data(), text);
    EXPECT_TRUE(answers.empty());
    homes[1].settle();
    EXPECT_TRUE(answers.empty());  // The answer comes on the door's shard.
    shards.run();
    EXPECT_EQ(answers.size(), 1u);

    ReadingBatch own = batch_for({0});
    own.home = ShardId(0);
    ASSERT_EQ(offer(std::move(own)), Took::All);
    EXPECT_EQ(homes[0].batches.size(), 1u);
}

TEST(IngressAlone, AHouseWithOneShardHandsEverythingOverDirectly) {
    ManualClock clock;
    ManualShards shards(1, clock);
    Home home;
    Ingress ingress(shards.at(0), shards, {&home});
    ReadingBatch batch;
    batch.add("a", "x", 1.0, UtcTime(), Quality::good);
    batch.add("b", "x", 1.0, UtcTime(), Quality::good);
    Settled settled = [](Result<void>) {};
    EXPECT_EQ(ingress.offer(batch, settled), Took::All);
    ASSERT_EQ(home.batches.size(), 1u);
    EXPECT_EQ(home.batches[0].size(), 2u);
    EXPECT_EQ(shards.at(0).waiting(), 0u);
}

}  // namespace
}  // namespace lineshaft::flow
