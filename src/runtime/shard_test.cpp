#include "runtime/shard.h"

#include <algorithm>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/worker_pool.h"

namespace lineshaft {
namespace {

/// Real shards. A test waits for what a shard says, never for the clock.
class ShardTest : public ::testing::Test {
protected:
    ShardTest() { shards->start(); }
    ~ShardTest() override { shards->stop(); }

    Shard& shard(std::size_t index = 0) { return shards->at(index); }

    std::unique_ptr<Shards> shards = Shards::create(2, system_clock());
};

TEST_F(ShardTest, TasksRunInTheOrderOfPosting) {
    std::vector<int> seen;
    for (int i = 0; i < 1000; ++i) shard().post([&seen, i] { seen.push_back(i); });
    shards->must_run(0, [] {});
    ASSERT_EQ(seen.size(), 1000u);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST_F(ShardTest, TasksOfOneThreadKeepTheirOrderAmongThoseOfOthers) {
    std::vector<std::pair<int, int>> seen;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; ++i) shard().post([&seen, t, i] { seen.emplace_back(t, i); });
        });
    }
    for (std::thread& thread : threads) thread.join();
    shards->must_run(0, [] {});
    ASSERT_EQ(seen.size(), 2000u);
    std::vector<int> next(4, 0);
    for (const auto& [t, i] : seen) ASSERT_EQ(i, next[static_cast<std::size_t>(t)]++);
}

TEST_F(ShardTest, EachShardKnowsItsOwnThread) {
    EXPECT_FALSE(shard(0).is_current());
    shards->must_run(0, [&] {
        EXPECT_TRUE(shard(0).is_current());
        EXPECT_FALSE(shard(1).is_current());
        EXPECT_EQ(shard(0).id(), ShardId(0));
    });
}

TEST_F(ShardTest, WhatIsDeferredRunsAfterTheTaskThatDefersIt) {
    std::promise<void> done;
    std::vector<std::string> seen;
    shard().post([&] {
        shard().defer([&] {
            seen.emplace_back("deferred");
            done.set_value();
        });
        seen.emplace_back("task");
    });
    done.get_future().wait();
    shards->must_run(0, [] {});
    EXPECT_EQ(seen, (std::vector<std::string>{"task", "deferred"}));
}

TEST_F(ShardTest, TimersFireInTheOrderOfTheirDelays) {
    std::promise<void> last;
    std::vector<int> seen;
    std::vector<Timer> timers;
    shards->must_run(0, [&] {
        timers.push_back(shard().after(3ms, [&] {
            seen.push_back(3);
            last.set_value();
        }));
        timers.push_back(shard().after(1ms, [&] { seen.push_back(1); }));
        timers.push_back(shard().after(0ms, [&] { seen.push_back(0); }));
    });
    last.get_future().wait();
    shards->must_run(0, [&] { timers.clear(); });
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 3}));
}

TEST_F(ShardTest, ATimerThatIsCancelledOrDiesNeverFires) {
    std::promise<void> later;
    bool fired = false;
    Timer cancelled, witness;
    shards->must_run(0, [&] {
        cancelled = shard().after(0ms, [&] { fired = true; });
        EXPECT_TRUE(cancelled.is_set());
        cancelled.cancel();
        EXPECT_FALSE(cancelled.is_set());
        {
            const Timer dies = shard().after(0ms, [&] { fired = true; });
        }
        Timer replaced = shard().after(0ms, [&] { fired = true; });
        replaced = shard().after(1h, [&] { fired = true; });
        witness = shard().after(2ms, [&] { later.set_value(); });
    });
    later.get_future().wait();
    shards->must_run(0, [&] { witness.cancel(); });
    EXPECT_FALSE(fired);
}

TEST_F(ShardTest, ATimerMayCancelOrReplaceItselfWhileItFires) {
    std::promise<void> done;
    Timer timer;
    int fired = 0;
    shards->must_run(0, [&] {
        timer = shard().after(0ms, [&, state = std::make_unique<int>(7)] {
            timer = shard().every(1ms, [&, own = std::make_unique<int>(5)] {
                if (++fired < 3) return;
                timer.cancel();
                EXPECT_EQ(*own, 5);  // What the task holds outlives the timer.
                done.set_value();
            });
            EXPECT_EQ(*state, 7);
        });
    });
    done.get_future().wait();
    shards->must_run(0, [] {});
    EXPECT_EQ(fired, 3);
}

TEST_F(ShardTest, DataIsRefusedWhenTheMailboxIsFullAndControlIsNot) {
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    shard().post([gone] { gone.wait(); });
    int ran = 0;
    std::size_t taken = 0;
    Task task = [&ran] { ++ran; };
    while (shard().try_post(task)) {
        ++taken;
        task = [&ran] { ++ran; };
        ASSERT_LE(taken, limits::mailbox_tasks_max);
    }
    EXPECT_EQ(taken, limits::mailbox_tasks_max);
    EXPECT_TRUE(static_cast<bool>(task));  // Untouched.
    shard().post([&ran] { ++ran; });
    go.set_value();
    shards->must_run(0, [] {});
    EXPECT_EQ(ran, static_cast<int>(taken) + 1);
    EXPECT_TRUE(shard().try_post(task));
    shards->must_run(0, [] {});
}

TEST_F(ShardTest, StoppingRunsWhatWasPostedBefore) {
    int ran = 0;
    for (int i = 0; i < 100; ++i) shard(1).post([&ran] { ++ran; });
    shards->stop();
    EXPECT_EQ(ran, 100);
}

TEST(Shards, TasksPostedBeforeTheStartWaitForItAndKnowTheirShard) {
    for (int round = 0; round < 50; ++round) {
        const auto shards = Shards::create(1, system_clock());
        bool own = false;
        shards->at(0).post([&] { own = shards->at(0).is_current(); });
        shards->start();
        shards->stop();
        ASSERT_TRUE(own);
    }
}

TEST(Shards, MayStopWithoutEverHavingStarted) {
    const auto shards = Shards::create(2, system_clock());
    shards->at(0).post([] { FAIL(); });
    shards->stop();
}

TEST(HomeShard, NeverChangesAsStoresAreCutByIt) {
    EXPECT_EQ(home_shard(TenantId(1), "Line3/Filler", 1), ShardId(0));
    // Written down once; a different number here would look for recorded data on the wrong shard.
    const std::vector<std::uint16_t> expected{0, 2, 5, 1, 5, 6, 5, 1, 4, 3};
    std::vector<std::uint16_t> found;
    for (const char* device : {"Line3/Filler", "Line3/Capper", "cpu/a/b", "", "Öfen/1"}) {
        found.push_back(home_shard(TenantId(1), device, 7).value());
        found.push_back(home_shard(TenantId(2), device, 7).value());
    }
    EXPECT_EQ(found, expected);
}

TEST(HomeShard, SpreadsDevicesEvenly) {
    for (const std::size_t shards : {2u, 3u, 8u}) {
        std::vector<int> counts(shards);
        for (int i = 0; i < 8000; ++i)
            ++counts[home_shard(TenantId(1), "plant/line" + std::to_string(i), shards).value()];
        for (const int count : counts) EXPECT_NEAR(count, 8000.0 / static_cast<double>(shards), 400.0);
    }
}

TEST(WorkerPool, DoesWorkOnItsOwnThreadAndAnswersOnTheShard) {
    const auto shards = Shards::create(1, system_clock());
    shards->start();
    {
        const auto pool = WorkerPool::create("test-pool", 2);
        std::promise<std::string> answered;
        pool->run(
            shards->at(0), [&] { return shards->at(0).is_current() ? "shard" : "pool"; },
            [&](const char* where) {
                EXPECT_TRUE(shards->at(0).is_current());
                answered.set_value(where);
            });
        EXPECT_EQ(answered.get_future().get(), "pool");
    }
    shards->stop();
}

TEST(WorkerPool, OneThreadWorksInTheOrderOfPosting) {
    std::vector<int> seen;
    {
        const auto pool = WorkerPool::create("a name longer than fifteen bytes", 1);
        for (int i = 0; i < 1000; ++i) pool->post([&seen, i] { seen.push_back(i); });
    }  // Finishes what was posted.
    ASSERT_EQ(seen.size(), 1000u);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(WorkerPool, TheInlineOneWorksAtOnce) {
    const auto pool = make_inline_pool();
    bool worked = false;
    pool->post([&] { worked = true; });
    EXPECT_TRUE(worked);
}

}  // namespace
}  // namespace lineshaft
