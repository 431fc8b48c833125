#include "route/router.h"

#include <gtest/gtest.h>

namespace lineshaft::route {
namespace {

class FakeStore final : public flow::DurableSink {
public:
    bool is_ready() const override { return ready; }
    void offer(const Batch& batch) override { rows += batch.size(); }
    void when_durable(flow::Settled settled) override { settled({}); }
    void when_ready(Task task) override { task(); }
    bool ready = true;
    std::size_t rows = 0;
};

class FakeSink final : public flow::SampleSink {
public:
    bool is_ready() const override { return ready; }
    void offer(const Batch& batch) override { rows += batch.size(); }
    bool ready = true;
    std::size_t rows = 0;
};

Batch two_samples() {
    Batch batch;
    batch.add(TagId(1), UtcTime(1), 1.0, {});
    batch.add(TagId(2), UtcTime(1), 2.0, {});
    return batch;
}

TEST(Router, EverySinkGetsEveryBatch) {
    FakeStore store;
    FakeSink rules;
    FakeSink live;
    Router router(store, {&rules, &live});
    router.offer(two_samples());
    EXPECT_EQ(store.rows, 2u);
    EXPECT_EQ(rules.rows, 2u);
    EXPECT_EQ(live.rows, 2u);
}

TEST(Router, OnlyTheStoreSlowsTheSources) {
    FakeStore store;
    FakeSink rules;
    FakeSink live;
    Router router(store, {&rules, &live});
    live.ready = false;
    EXPECT_TRUE(router.is_ready());
    router.offer(two_samples());
    EXPECT_EQ(rules.rows, 2u);
    EXPECT_EQ(live.rows, 0u);
    EXPECT_EQ(router.missed(1), 1u);
    store.ready = false;
    EXPECT_FALSE(router.is_ready());
}

TEST(Router, ReceiptsAreTheStores) {
    FakeStore store;
    Router router(store, {});
    bool is_settled = false;
    router.when_durable([&](Result<void> result) { is_settled = result.has_value(); });
    EXPECT_TRUE(is_settled);
}

}  // namespace
}  // namespace lineshaft::route
