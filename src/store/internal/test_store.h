/// For tests: one historian, everything by hand, everything in memory.
///
///   Store store;
///   ASSERT_TRUE(store.offer(batch));
///   store.die();  store.disk.lose_power();  store.open();
#pragma once

#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "store/historian.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"

namespace lineshaft::store {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShard;

inline constexpr std::int64_t second = 1'000'000'000;
inline constexpr std::int64_t day = 86'400 * second;
inline constexpr std::int64_t epoch = ManualClock::start.ns();
inline constexpr UtcTime always_from{INT64_MIN / 2};
inline constexpr UtcTime always_to{INT64_MAX / 2};

class Store {
public:
    explicit Store(Options wanted = {}) : options(std::move(wanted)) {
        options.path = "/data/shard-0";
        open();
    }
    ~Store() {
        if (historian) close();
    }

    Result<void> try_open() {
        shard = std::make_unique<ManualShard>(clock);
        auto made = Historian::create(*shard, disk, *pool, *pool, options);
        if (!made) return std::unexpected(made.error());
        historian = *std::move(made);
        return {};
    }
    void open() {
        const auto opened = try_open();
        ASSERT_TRUE(opened) << opened.error().message();
    }
    void close() {
        bool done = false;
        historian->close([&done] { done = true; });
        shard->run();
        ASSERT_TRUE(done);
        historian.reset();
        shard.reset();
    }
    void reopen() {
        close();
        open();
    }
    /// Everything in memory is gone; the disk stays, or loses what was not synced.
    void die() {
        historian.reset();
        shard.reset();
    }

    Result<void> offer(const Batch& batch) {
        Result<void> outcome = fail(ErrorCode::Timeout);
        historian->offer(batch);
        historian->when_durable([&outcome](Result<void> settled) { outcome = std::move(settled); });
        shard->run();
        return outcome;
    }
    Result<void> flush() {
        Result<void> outcome = fail(ErrorCode::Timeout);
        historian->flush([&outcome](Result<void> done) { outcome = std::move(done); });
        shard->run();
        return outcome;
    }
    Chunk rows(TagId tag, UtcTime from = always_from, UtcTime to = always_to) {
        Chunk all;
        auto scan = historian->scan(tag, from, to);
        if (!scan) return all;
        Chunk part;
        while (scan->next(part)) all.append(part, 0, part.size());
        return all;
    }

    ManualClock clock;
    ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    Options options;
    std::unique_ptr<ManualShard> shard;
    std::unique_ptr<Historian> historian;
};

}  // namespace lineshaft::store
