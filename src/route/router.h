/// Which sample goes to which sinks: to the store always, to rules, live subscribers and others as they can take it.
///
/// Flow:    flow::DurableSink for the normaliser; gives each batch to the store first, then to the others.
/// Threads: one Router per shard, own shard only.
/// Limits:  only the store slows the sources. Another sink that is full misses the batch; that is counted
///          (lineshaft_route_missed_total) and it can read from the store what it missed.
#pragma once

#include <vector>

#include "flow/sample_sink.h"

namespace lineshaft::route {

class Router final : public flow::DurableSink {
public:
    /// The store and the sinks outlive the router.
    Router(flow::DurableSink& store, std::vector<flow::SampleSink*> others);

    bool is_ready() const override { return store_.is_ready(); }
    void offer(const Batch& batch) override;
    void when_durable(flow::Settled settled) override { store_.when_durable(std::move(settled)); }
    void when_ready(Task task) override { store_.when_ready(std::move(task)); }

    /// Batches that sink `index` of `others` missed.
    std::uint64_t missed(std::size_t index) const { return missed_.at(index); }

private:
    flow::DurableSink& store_;
    const std::vector<flow::SampleSink*> others_;
    std::vector<std::uint64_t> missed_;
};

}  // namespace lineshaft::route
