/// The engine within, and one query on its way through it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "fleet/engine.h"
#include "fleet/internal/keys.h"
#include "fleet/internal/plan.h"
#include "fleet/internal/unit.h"

namespace lineshaft::fleet {

struct Finished {
    Answer answer;
    std::string text;  // When a form was asked for.
};

class Engine::Body {
public:
    Body(Shards& shards, registry::Registry& registry, store::Historians& store, WorkerPool& pool);

    void ask(Shard& caller, TenantId tenant, Query query, std::optional<Form> form,
             std::move_only_function<void(Result<Finished>)> done);
    void close(Shard& caller, Task done);

    // For queries.
    SnapshotOf<Keys> cached(Shard& shard, TenantId tenant, std::uint64_t version, const std::string& patterns);
    void keep(Shard& shard, TenantId tenant, std::uint64_t version, std::string patterns, SnapshotOf<Keys> keys);
    bool is_closing() const { return closing_.load(std::memory_order_relaxed); }
    void ended(Shard& caller);

    Shards& shards;
    registry::Registry& registry;
    store::Historians& store;
    WorkerPool& pool;

private:
    struct Cached {
        TenantId tenant;
        std::uint64_t version = 0;
        std::string patterns;
        SnapshotOf<Keys> keys;
    };
    /// Of one shard, touched by it alone.
    struct Desk {
        std::vector<Cached> cache;  // The newest first.
        std::size_t running = 0;
    };
    void leave();

    std::vector<std::unique_ptr<Desk>> desks_;
    std::atomic<bool> closing_{false};
    std::atomic<std::size_t> alive_{1};  // Queries, and one until close.
    Shard* close_caller_ = nullptr;
    Task closed_;
};

}  // namespace lineshaft::fleet
