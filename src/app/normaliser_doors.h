/// What the normaliser of a shard asks for, answered by registry and store.
///
/// Threads: own shard only.
#pragma once

#include <memory>
#include <vector>

#include "flow/source_ledger.h"
#include "normalise/doors.h"
#include "registry/registry.h"
#include "registry/tag_ids.h"
#include "store/historian.h"
#include "store/ledger.h"

namespace lineshaft::app {

/// The shard's block of tag ids. When it is used up, those who wait are called again as soon as there are more.
class BlockIds final : public normalise::TagIdSource {
public:
    BlockIds(Shard& shard, std::unique_ptr<registry::TagIds> block) : shard_(shard), block_(std::move(block)) {}
    TagId next() override { return block_->take().value_or(TagId()); }
    void when_available(Task task) override;

private:
    Shard& shard_;
    std::unique_ptr<registry::TagIds> block_;
    std::vector<Task> waiting_;
    Timer look_;
};

class StoreNames final : public normalise::SeriesRegistrar, public normalise::SourceRegistrar {
public:
    explicit StoreNames(store::Historian& store) : store_(store) {}
    void register_series(const normalise::Series& series) override;
    Source source_named(TenantId tenant, std::string_view name) override;
    void refused(SourceId source, std::string_view device, std::string_view reason, UtcTime receive_time) override;

private:
    store::Historian& store_;
};

/// What doors know of their sources, for the ledgers of all shards.
class DoorLedger final : public flow::SourceLedger {
public:
    explicit DoorLedger(store::Ledgers ledgers) : ledgers_(ledgers) {}
    void connected(TenantId tenant, std::string_view source) override;
    void disconnected(TenantId tenant, std::string_view source) override;
    void refused(TenantId tenant, std::string_view source, std::string_view device, std::string_view reason,
                 std::uint64_t count) override;

private:
    store::Ledgers ledgers_;
};

class Inbox final : public normalise::DiscoverySink {
public:
    Inbox(Shard& shard, registry::Registry& registry) : shard_(shard), registry_(registry) {}
    void discovered(std::vector<normalise::Discovery> tags) override;

private:
    Shard& shard_;
    registry::Registry& registry_;
};

}  // namespace lineshaft::app
