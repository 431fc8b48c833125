#include "north/websocket/live_hub.h"

#include <gtest/gtest.h>

#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::live {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShards;

constexpr TagId temp{7};
constexpr TagId level{8};
constexpr ShardId home{1};

class LiveHubTest : public ::testing::Test {
protected:
    LiveHubTest() {
        store::Options options;
        options.path = "/store";
        store = store::Historians::create(shards, disk, *pool, *pool, options).value();
        for (std::size_t i = 0; i < 2; ++i) {
            const ShardId id(static_cast<std::uint16_t>(i));
            hubs.push_back(std::make_unique<LiveHub>(shards.at(i), shards, store->at(id)));
        }
        for (std::size_t i = 0; i < 2; ++i) {
            desks.push_back(std::make_unique<LiveDesk>(shards.at(i), std::vector{hubs[0].get(), hubs[1].get()}));
        }
        for (auto& hub : hubs) hub->connect({desks[0].get(), desks[1].get()});
        for (const TagId tag : {temp, level}) {
            store->at(home).register_series(tag, {std::to_string(tag.value()), "", ValueType::Double, "d"});
        }
    }
    ~LiveHubTest() override {
        store->close(shards.at(0), [] {});
        shards.run();
    }

    /// What a socket got: one list for each delivery.
    using Deliveries = std::vector<std::vector<LiveValue>>;
    std::uint64_t open(std::size_t shard, Deliveries& into) {
        return desks[shard]->open([&into](const std::vector<LiveValue>& values) { into.push_back(values); });
    }
    void sample(TagId tag, double value, UtcTime time) {
        Batch batch;
        batch.receive_time = clock.utc_now();
        batch.add(tag, time, Value(value), Quality::good);
        store->at(home).offer(batch);
        hubs[1]->offer(batch);
    }
    void sample(TagId tag, double value) { sample(tag, value, clock.utc_now()); }
    static std::string text(const Deliveries& deliveries) {
        std::string out;
        for (const auto& list : deliveries) {
            out += '[';
            for (const LiveValue& value : list) {
                out += std::to_string(value.tag.value()) + "=" + to_text(value.value) + " ";
            }
            out += ']';
        }
        return out;
    }

    ManualClock clock;
    ManualShards shards{2, clock};
    ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<store::Historians> store;
    std::vector<std::unique_ptr<LiveHub>> hubs;
    std::vector<std::unique_ptr<LiveDesk>> desks;
};

TEST_F(LiveHubTest, ANewWatcherOnAnyShardGetsTheLastValueAtOnce) {
    sample(temp, 21.5);
    for (const std::size_t shard : {0u, 1u}) {
        Deliveries got;
        const auto socket = open(shard, got);
        desks[shard]->watch(socket, temp, home);
        shards.run();
        ASSERT_EQ(text(got), "[7=21.5 ]");
        EXPECT_EQ(got[0][0].time, clock.utc_now());
        EXPECT_EQ(got[0][0].quality, Quality::good);
        desks[shard]->close(socket);
    }
}

TEST_F(LiveHubTest, ATagWithoutAValueIsSilentUntilItHasOne) {
    Deliveries got;
    desks[0]->watch(open(0, got), temp, home);
    shards.advance(1s);
    EXPECT_EQ(text(got), "");
    sample(temp, 1);
    shards.advance(publish_period);
    EXPECT_EQ(text(got), "[7=1 ]");
}

TEST_F(LiveHubTest, ManyChangesTravelAsTheNewestTenTimesASecond) {
    Deliveries got;
    const auto socket = open(0, got);
    desks[0]->watch(socket, temp, home);
    desks[0]->watch(socket, level, home);
    shards.run();
    for (int i = 1; i <= 1000; ++i) {
        sample(temp, i);
        sample(level, -i);
        shards.advance(1ms);
    }
    shards.advance(publish_period);
    EXPECT_GE(got.size(), 9u);
    EXPECT_LE(got.size(), 11u);
    for (const auto& list : got) EXPECT_EQ(list.size(), 2u);
    EXPECT_EQ(to_text(got.back()[0].value), "1000");
    const std::size_t before = got.size();
    shards.advance(1h);
    EXPECT_EQ(got.size(), before);  // Nothing new, nothing sent.
}

TEST_F(LiveHubTest, LateSamplesChangeThePastNotWhatIsShown) {
    Deliveries got;
    desks[0]->watch(open(0, got), temp, home);
    shards.run();
    sample(temp, 5, clock.utc_now());
    sample(temp, 4, clock.utc_now() - 1h);
    shards.advance(publish_period);
    EXPECT_EQ(text(got), "[7=5 ]");
    sample(temp, 3, clock.utc_now() - 1h);
    shards.advance(publish_period);
    EXPECT_EQ(got.size(), 1u);
    // The same source time again is a correction.
    sample(temp, 6, got[0][0].time);
    shards.advance(publish_period);
    EXPECT_EQ(text(got), "[7=5 ][7=6 ]");
}

TEST_F(LiveHubTest, WhatIsNotWatchedCostsNothing) {
    sample(temp, 1);
    EXPECT_GT(shards.at(1).next_timer(), clock.now() + publish_period);
    Deliveries got;
    const auto socket = open(0, got);
    desks[0]->watch(socket, level, home);
    shards.run();
    sample(temp, 2);
    EXPECT_GT(shards.at(1).next_timer(), clock.now() + publish_period);
    shards.advance(1s);
    EXPECT_EQ(text(got), "");
}

TEST_F(LiveHubTest, EachSocketGetsItsOwnTagsOnly) {
    Deliveries first, second;
    const auto a = open(0, first);
    const auto b = open(0, second);
    desks[0]->watch(a, temp, home);
    desks[0]->watch(a, level, home);
    desks[0]->watch(b, level, home);
    shards.run();
    sample(temp, 1);
    sample(level, 2);
    shards.advance(publish_period);
    EXPECT_EQ(text(first), "[7=1 8=2 ]");
    EXPECT_EQ(text(second), "[8=2 ]");
}

TEST_F(LiveHubTest, UnwatchingEndsItForThatSocketAlone) {
    Deliveries first, second;
    const auto a = open(0, first);
    const auto b = open(0, second);
    desks[0]->watch(a, temp, home);
    desks[0]->watch(b, temp, home);
    shards.run();
    desks[0]->unwatch(a, temp);
    desks[0]->unwatch(a, level);  // Never watched.
    shards.run();
    sample(temp, 1);
    shards.advance(publish_period);
    EXPECT_EQ(text(first), "");
    EXPECT_EQ(text(second), "[7=1 ]");
    desks[0]->close(b);
    shards.run();
    sample(temp, 2);
    EXPECT_GT(shards.at(1).next_timer(), clock.now() + publish_period);  // Nobody watches any more.
}

TEST_F(LiveHubTest, WatchingAgainInTheSameBreathKeepsTheTag) {
    Deliveries got;
    const auto socket = open(0, got);
    desks[0]->watch(socket, temp, home);
    shards.run();
    desks[0]->unwatch(socket, temp);
    desks[0]->watch(socket, temp, home);
    shards.run();
    sample(temp, 1);
    shards.advance(publish_period);
    EXPECT_EQ(text(got), "[7=1 ]");
}

TEST_F(LiveHubTest, LeavingAndComingBackBetweenTwoPublicationsTellsAValueOnce) {
    Deliveries got;
    const auto socket = open(0, got);
    desks[0]->watch(socket, temp, home);
    shards.run();
    sample(temp, 1);
    desks[0]->unwatch(socket, temp);
    shards.run();
    desks[0]->watch(socket, temp, home);
    shards.run();
    got.clear();  // The last value, as for every new watcher.
    sample(temp, 2);
    shards.advance(publish_period);
    EXPECT_EQ(text(got), "[7=2 ]");
}

TEST_F(LiveHubTest, APageOfManyTagsIsOnePostToTheirHome) {
    Deliveries got;
    const auto socket = open(0, got);
    for (std::uint64_t i = 100; i < 1100; ++i) desks[0]->watch(socket, TagId(i), home);
    EXPECT_EQ(shards.at(1).waiting(), 0u);
    shards.at(0).run();
    EXPECT_EQ(shards.at(1).waiting(), 1u);
}

TEST_F(LiveHubTest, ASocketThatIsGoneHearsNothing) {
    Deliveries got;
    const auto socket = open(0, got);
    desks[0]->watch(socket, temp, home);
    shards.run();
    sample(temp, 1);
    desks[0]->close(socket);
    desks[0]->close(socket);
    shards.advance(1s);
    EXPECT_EQ(text(got), "");
}

}  // namespace
}  // namespace lineshaft::live
