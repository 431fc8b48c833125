#include "store/historians.h"

#include <atomic>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t epoch = testing::ManualClock::start.ns();

Batch rows_of(TagId tag, std::int64_t count) {
    Batch batch;
    batch.receive_time = UtcTime(epoch);
    for (std::int64_t i = 0; i < count; ++i)
        batch.add(tag, UtcTime(epoch + i * second), static_cast<double>(i), Quality::good);
    return batch;
}

TEST(Historians, AnswerOnTheCallersShardWhatTheHomeShardKeeps) {
    testing::ManualClock clock;
    testing::ManualShards shards(3, clock);
    testing::ForgetfulDisk disk;
    const auto pool = make_inline_pool();
    Options options;
    options.path = "/data/store";
    auto all = *Historians::create(shards, disk, *pool, *pool, options);
    const ShardId home(2);
    all->at(home).register_series(TagId(7), {"a/b", "bar", ValueType::Double, "a"});
    all->at(home).offer(rows_of(TagId(7), 5000));
    Shard& caller = shards.at(0);

    std::size_t answers = 0;
    all->post_last(caller, home, {TagId(7), TagId(8)}, [&](std::vector<std::optional<LastValue>> values) {
        ++answers;
        ASSERT_EQ(values.size(), 2U);
        EXPECT_EQ(std::get<double>(values[0]->value), 4999.0);
        EXPECT_FALSE(values[1]);
    });
    all->post_flush(caller, [&](Result<void> outcome) {
        ++answers;
        EXPECT_TRUE(outcome);
    });
    shards.run();
    all->post_scan(caller, home, TagId(7), UtcTime(epoch), UtcTime(epoch + 100 * second), 10,
                   [&](Result<Chunk> rows) {
                       ++answers;
                       ASSERT_TRUE(rows);
                       EXPECT_EQ(rows->size(), 10U);
                       EXPECT_TRUE(rows->more);
                   });
    all->post_reduce(caller, home, TagId(7), UtcTime(epoch), UtcTime(epoch + 5000 * second), 1h,
                     [&](Result<Reduction> reduction) {
                         ++answers;
                         ASSERT_TRUE(reduction);
                         ASSERT_EQ(reduction->buckets.size(), 2U);
                         EXPECT_EQ(reduction->buckets[0].count, 3600U);
                         EXPECT_EQ(reduction->buckets[1].max, 4999.0);
                     });
    all->post_reduce(caller, home, TagId(99), UtcTime(epoch), UtcTime(epoch + second), 1h,
                     [&](Result<Reduction> reduction) {
                         ++answers;
                         EXPECT_EQ(reduction.error().code(), ErrorCode::NotFound);
                     });
    all->post_stats(caller, [&](Stats stats) {
        ++answers;
        EXPECT_EQ(stats.samples, 5000U);
        EXPECT_EQ(stats.series, 1U);
        EXPECT_EQ(stats.oldest.ns(), epoch);
    });
    all->post_series(caller, [&](std::vector<Series> series) {
        ++answers;
        ASSERT_EQ(series.size(), 1U);
        EXPECT_EQ(series[0].info.path, "a/b");
    });
    shards.run();
    EXPECT_EQ(answers, 7U);
    bool closed = false;
    all->close(caller, [&closed] { closed = true; });
    shards.run();
    EXPECT_TRUE(closed);
}

/// With real threads, a real disk and readers beside the writers: what the thread sanitizer looks at.
TEST(Historians, RealThreadsWriteFlushCompactAndReadTogether) {
    const auto path = std::filesystem::temp_directory_path() / ("lineshaft-store-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path);
    const auto disk = make_system_disk();
    const auto log_pool = WorkerPool::create("test-log", 1);
    const auto disk_pool = WorkerPool::create("test-disk", 2);
    Options options;
    options.path = path.string();
    options.memtable_bytes = 300'000;
    options.segments_per_day_max = 2;
    constexpr int rounds = 60;
    for (int start = 0; start < 2; ++start) {
        const auto shards = Shards::create(2, system_clock());
        auto all = *Historians::create(*shards, *disk, *log_pool, *disk_pool, options);
        shards->start();
        std::atomic<int> durable = 0;
        std::atomic<int> read = 0;
        for (int round = 0; round < rounds; ++round) {
            for (std::uint16_t home = 0; home < 2; ++home) {
                shards->must_run(home, [&, home] {
                    // Not ready is not a reason to lose the batch here: the bound is soft by one batch.
                    Batch batch = rows_of(TagId(1 + home), 1000);
                    for (UtcTime& time : batch.source_times) time = time + Duration(round * 500 * second);
                    all->at(ShardId(home)).offer(batch);
                    all->at(ShardId(home)).when_durable([&durable](Result<void> settled) {
                        durable += settled.has_value();
                    });
                });
                all->post_reduce(shards->at(std::size_t{0}), ShardId(home), TagId(1 + home), UtcTime(epoch),
                                 UtcTime(epoch + 86'400 * second), 10min, [&read](Result<Reduction> reduction) {
                                     if (reduction && !reduction->buckets.empty()) ++read;
                                 });
            }
        }
        std::atomic<bool> flushed = false;
        all->post_flush(shards->at(std::size_t{0}), [&flushed](Result<void> outcome) {
            flushed = outcome.has_value();
            flushed.notify_one();
        });
        flushed.wait(false);
        std::atomic<bool> closed = false;
        all->close(shards->at(std::size_t{0}), [&closed] {
            closed = true;
            closed.notify_one();
        });
        closed.wait(false);
        shards->stop();
        EXPECT_EQ(durable, 2 * rounds);
        EXPECT_EQ(read, 2 * rounds);
        const Stats stats = all->at(ShardId(0)).stats();
        EXPECT_EQ(stats.damaged_blocks + stats.damaged_files, 0U);
        auto rows = all->at(ShardId(0)).scan(TagId(1), UtcTime(epoch), UtcTime(epoch + 86'400 * second), 100'000);
        ASSERT_TRUE(rows);
        EXPECT_EQ(rows->size(), 500U * (rounds - 1) + 1000);
    }
    std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace lineshaft::store
