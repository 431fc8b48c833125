#include "fleet/engine.h"

#include <fmt/format.h>

#include "fleet/internal/body.h"
#include "fleet/internal/run.h"

namespace lineshaft::fleet {
namespace {

constexpr std::size_t cache_entries_max = 32;  // Per shard.

}  // namespace

std::unique_ptr<Engine> Engine::create(Shards& shards, registry::Registry& registry, store::Historians& store,
                                       WorkerPool& pool) {
    return std::unique_ptr<Engine>(new Engine(std::make_unique<Body>(shards, registry, store, pool)));
}

Engine::Engine(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Engine::~Engine() = default;

void Engine::post_ask(Shard& caller, TenantId tenant, Query query, Done done) {
    body_->ask(caller, tenant, std::move(query), std::nullopt, [done = std::move(done)](Result<Finished> it) mutable {
        if (!it) return done(std::unexpected(it.error()));
        done(std::move(it->answer));
    });
}

void Engine::post_text(Shard& caller, TenantId tenant, Query query, Form form, TextDone done) {
    body_->ask(caller, tenant, std::move(query), form, [done = std::move(done)](Result<Finished> it) mutable {
        if (!it) return done(std::unexpected(it.error()));
        done(std::move(it->text));
    });
}

void Engine::close(Shard& caller, Task done) { body_->close(caller, std::move(done)); }

Engine::Body::Body(Shards& all_shards, registry::Registry& the_registry, store::Historians& the_store,
                   WorkerPool& the_pool)
    : shards(all_shards), registry(the_registry), store(the_store), pool(the_pool) {
    for (std::size_t i = 0; i < shards.count(); ++i) desks_.push_back(std::make_unique<Desk>());
}

void Engine::Body::ask(Shard& caller, TenantId tenant, Query query, std::optional<Form> form,
                       std::move_only_function<void(Result<Finished>)> done) {
    if (is_closing()) return done(fail(ErrorCode::Closed, "fleet queries"));
    Desk& desk = *desks_[caller.id().value()];
    if (desk.running >= queries_max)
        return done(fail(ErrorCode::Overloaded, fmt::format("{} fleet queries run already", queries_max)));
    ++desk.running;
    alive_.fetch_add(1);
    Run::start(*this, caller, tenant, std::move(query), form, std::move(done));
}

void Engine::Body::ended(Shard& caller) {
    --desks_[caller.id().value()]->running;
    leave();
}

void Engine::Body::leave() {
    if (alive_.fetch_sub(1) == 1) close_caller_->post(std::move(closed_));
}

void Engine::Body::close(Shard& caller, Task done) {
    close_caller_ = &caller;
    closed_ = std::move(done);
    closing_ = true;
    leave();
}

SnapshotOf<Keys> Engine::Body::cached(Shard& shard, TenantId tenant, std::uint64_t version,
                                      const std::string& patterns) {
    for (const Cached& one : desks_[shard.id().value()]->cache) {
        if (one.version == version && one.tenant == tenant && one.patterns == patterns) return one.keys;
    }
    return nullptr;
}

void Engine::Body::keep(Shard& shard, TenantId tenant, std::uint64_t version, std::string patterns,
                        SnapshotOf<Keys> keys) {
    auto& cache = desks_[shard.id().value()]->cache;
    std::erase_if(cache, [version](const Cached& one) { return one.version != version; });
    if (cache.size() == cache_entries_max) cache.pop_back();
    cache.insert(cache.begin(), {tenant, version, std::move(patterns), std::move(keys)});
}

}  // namespace lineshaft::fleet
