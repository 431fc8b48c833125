// The registry with real shards and a real pool: for the thread sanitizer.
#include <atomic>
#include <filesystem>
#include <future>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "registry/tag_ids.h"

namespace lineshaft::registry {
namespace {

TEST(RegistryThreads, ManyShardsChangeAndReadAtOnce) {
    const auto directory =
        std::filesystem::path(::testing::TempDir()) / fmt::format("registry-threads-{}", ::getpid());
    std::filesystem::create_directories(directory);
    constexpr std::size_t shard_count = 3;
    constexpr std::uint64_t rounds = 60;
    auto shards = Shards::create(shard_count, system_clock());
    auto pool = WorkerPool::create("sql", 1);
    auto registry = Registry::create(*shards, *pool, nullptr, {database_path(directory.string())}).value();
    std::vector<std::unique_ptr<TagIds>> ids;
    std::vector<std::size_t> tags_heard(shard_count);
    std::vector<Registry::Subscription> subscriptions;
    for (std::size_t i = 0; i < shard_count; ++i) {
        ids.push_back(TagIds::create(*registry, shards->at(i)).value());
        subscriptions.push_back(registry->on_change(shards->at(i), [&tags_heard, i](const auto& snapshot) {
            tags_heard[i] += snapshot->changed_tags.size();
        }));
    }
    shards->start();

    std::atomic<std::uint64_t> left{shard_count * rounds * 2};
    std::promise<void> answered;
    const auto one_less = [&] {
        if (--left == 0) answered.set_value();
    };
    for (std::size_t i = 0; i < shard_count; ++i) {
        shards->at(i).post([&, i] {
            Shard& shard = shards->at(i);
            for (std::uint64_t n = 0; n < rounds; ++n) {
                DiscoveredTag tag;
                tag.id = *ids[i]->take();
                tag.device = fmt::format("device-{}", i);
                tag.protocol = "mqtt";
                tag.address = fmt::format("value-{}", n);
                registry->post_discovered(shard, {tag}, [&](Result<void> taken) {
                    EXPECT_TRUE(taken);
                    one_less();
                });
                registry->post_change(shard, TenantId(1), CreateAsset{.name = fmt::format("asset {} {}", i, n)}, {},
                                      [&, i](Result<Changed> changed) {
                                          EXPECT_TRUE(registry->snapshot(shards->at(i))->asset(AssetId(changed->id)));
                                          one_less();
                                      });
            }
        });
    }
    answered.get_future().wait();
    std::promise<void> closed;
    registry->close(shards->at(0), [&] { closed.set_value(); });
    closed.get_future().wait();
    shards->stop();
    for (std::size_t i = 0; i < shard_count; ++i) {
        EXPECT_EQ(registry->snapshot(shards->at(i))->assets.size(), shard_count * rounds);
    }
    subscriptions.clear();
    ids.clear();
    pool.reset();
    registry.reset();
    std::filesystem::remove_all(directory);
}

// A million new tags keep the SQL thread busy for long; an id for the next one, or a person's change, must not wait for all.
TEST(RegistryThreads, IdsGetTheirTurnBetweenManyNewTags) {
    const auto directory = std::filesystem::path(::testing::TempDir()) / fmt::format("registry-turns-{}", ::getpid());
    std::filesystem::create_directories(directory);
    auto shards = Shards::create(1, system_clock());
    auto pool = WorkerPool::create("sql", 1);
    auto registry = Registry::create(*shards, *pool, nullptr, {database_path(directory.string())}).value();
    shards->start();
    Shard& shard = shards->at(std::size_t{0});
    std::string order;  // Of the shard's thread, until it has stopped.
    // Without a device's name they are refused, which is quick and takes the same way.
    const auto post_part = [&] {
        registry->post_discovered(shard, std::vector<DiscoveredTag>(8192), [&](Result<void> taken) {
            EXPECT_FALSE(taken);
            order += 't';
        });
    };
    std::promise<void> all_posted;
    pool->post([&] { all_posted.get_future().wait(); });
    for (int part = 0; part < 5; ++part) post_part();
    registry->post_reserve_tag_ids(shard, 1, [&](Result<TagIdRange> range) {
        EXPECT_TRUE(range);
        order += 'i';
    });
    std::promise<void> closed;
    registry->close(shard, [&] {
        order += 'c';
        closed.set_value();
    });
    all_posted.set_value();
    closed.get_future().wait();
    shards->stop();
    EXPECT_LT(order.find('i'), order.rfind('t')) << order;
    EXPECT_EQ(order.size(), 7U) << order;
    EXPECT_EQ(order.back(), 'c') << order;
    pool.reset();
    registry.reset();
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace lineshaft::registry
