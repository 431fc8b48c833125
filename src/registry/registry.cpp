#include "registry/registry.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "registry/internal/writer.h"

namespace lineshaft::registry {
namespace {
constexpr std::size_t tags_shown_at_full_pace = 20'000;
// Of newly met tags: more wait for the next one, so that ids and changes that people wait for get their turn between.
constexpr std::size_t transaction_tags_max = 16'384;
}  // namespace

/// Newly met tags on their way: what waits while a transaction runs goes into the next one together, up to a bound.
struct Registry::Waiting {
    struct Part {
        Shard* caller;
        std::vector<DiscoveredTag> tags;
        Done<void> done;
    };
    std::mutex mutex;  // A leaf: nothing is locked under it.
    std::deque<Part> parts;
    bool is_posted = false;  // A discover_waiting is in the pool's line.
};

Registry::Subscription& Registry::Subscription::operator=(Subscription&& other) noexcept {
    std::swap(view_, other.view_);
    std::swap(id_, other.id_);
    return *this;
}

Registry::Subscription::~Subscription() {
    if (view_) view_->listeners.erase(id_);
}

Registry::Registry(Shards& shards, WorkerPool& sql_pool, audit::Log* audit_log, Options options,
                   std::unique_ptr<Writer> writer)
    : shards_(shards),
      sql_pool_(sql_pool),
      audit_log_(audit_log),
      options_(std::move(options)),
      waiting_(std::make_unique<Waiting>()),
      writer_(std::move(writer)) {
    const auto first = writer_->take_unseen();
    for (std::size_t i = 0; i < shards_.count(); ++i) {
        views_.push_back(std::make_unique<View>());
        views_.back()->snapshot = first;
    }
}

Registry::~Registry() = default;

Result<std::unique_ptr<Registry>> Registry::create(Shards& shards, WorkerPool& sql_pool, audit::Log* audit_log,
                                                   Options options) {
    auto writer = TRY(Writer::create(options.path, audit_log, options.discovery, shards.at(0).utc_now()));
    return std::unique_ptr<Registry>(
        new Registry(shards, sql_pool, audit_log, std::move(options), std::move(writer)));
}

Registry::Subscription Registry::on_change(const Shard& shard, OnChange on_change) {
    View& view = *views_[shard.id().value()];
    Subscription subscription;
    subscription.view_ = &view;
    subscription.id_ = view.next_listener++;
    view.listeners.emplace(subscription.id_, std::move(on_change));
    return subscription;
}

void Registry::post_change(Shard& caller, TenantId tenant, Change change, Actor actor, Done<Changed> done) {
    if (closing_) {
        return caller.post([done = std::move(done)]() mutable { done(fail(ErrorCode::Closed)); });
    }
    sql_pool_.post([this, &caller, tenant, change = std::move(change), actor = std::move(actor),
                    done = std::move(done)]() mutable {
        auto changed = writer_->change(tenant, change, actor, shards_.at(0).utc_now());
        publish();  // Posted to the caller's shard before the answer: it sees its own change.
        caller.post([changed = std::move(changed), done = std::move(done)]() mutable { done(std::move(changed)); });
    });
}

void Registry::post_discovered(Shard& caller, std::vector<DiscoveredTag> tags, Done<void> done) {
    if (closing_) {
        return caller.post([done = std::move(done)]() mutable {
            if (done) done(fail(ErrorCode::Closed));
        });
    }
    {
        const std::lock_guard lock(waiting_->mutex);
        waiting_->parts.push_back({&caller, std::move(tags), std::move(done)});
        if (std::exchange(waiting_->is_posted, true)) return;
    }
    sql_pool_.post([this] { discover_waiting(); });
}

void Registry::discover_waiting() {
    if (discover_some()) return sql_pool_.post([this] { discover_waiting(); });
}

/// One transaction of them. True when more wait.
bool Registry::discover_some() {
    std::vector<Waiting::Part> parts;
    std::vector<DiscoveredTag> tags;
    bool more = false;
    {
        const std::lock_guard lock(waiting_->mutex);
        while (!waiting_->parts.empty() && tags.size() < transaction_tags_max) {
            Waiting::Part& part = parts.emplace_back(std::move(waiting_->parts.front()));
            waiting_->parts.pop_front();
            std::ranges::move(part.tags, std::back_inserter(tags));
        }
        more = waiting_->is_posted = !waiting_->parts.empty();
    }
    if (parts.empty()) return false;
    const auto taken = writer_->discover(std::move(tags), shards_.at(0).utc_now());
    if (!taken) log_warning("registry: {}", taken.error().message());
    for (Waiting::Part& part : parts) {
        if (!part.done) continue;
        part.caller->post([taken, done = std::move(part.done)]() mutable { done(std::move(taken)); });
    }
    shards_.at(0).post([this] { show_discovered(); });
    return more;
}

void Registry::show_discovered() {
    if (show_discovered_.is_set()) return;
    const Instant now = shards_.at(0).now();
    // Each version copies the maps that changed, all of them when many tags are new: the more there are, the rarer.
    const auto slower = static_cast<std::int64_t>(views_[0]->snapshot->tags.size() / tags_shown_at_full_pace) + 1;
    const Instant due = shown_discovered_ + options_.show_discovered_every * slower;
    if (now >= due) {
        shown_discovered_ = now;
        return sql_pool_.post([this] { publish(); });
    }
    show_discovered_ = shards_.at(0).after(due - now, [this] {
        show_discovered_.cancel();
        shown_discovered_ = shards_.at(0).now();
        sql_pool_.post([this] { publish(); });
    });
}

void Registry::publish() {
    const auto snapshot = writer_->take_unseen();
    if (!snapshot) return;
    for (std::size_t i = 0; i < shards_.count(); ++i) {
        shards_.at(i).post([&view = *views_[i], snapshot] {
            view.snapshot = snapshot;
            // A listener may end itself or another one, or add one.
            std::vector<std::uint64_t> ids;
            for (const auto& [id, listener] : view.listeners) ids.push_back(id);
            for (const std::uint64_t id : ids) {
                const auto listener = view.listeners.find(id);
                if (listener == view.listeners.end()) continue;
                const OnChange call = listener->second;
                call(snapshot);
            }
        });
    }
}

Result<TagIdRange> Registry::reserve_tag_ids(std::uint64_t count) { return writer_->reserve_tag_ids(count); }

void Registry::post_reserve_tag_ids(Shard& caller, std::uint64_t count, Done<TagIdRange> done) {
    sql_pool_.run(caller, [this, count] { return writer_->reserve_tag_ids(count); }, std::move(done));
}

void Registry::post_history(Shard& caller, TenantId tenant, ObjectKind kind, std::uint64_t id,
                            Done<std::vector<HistoryEntry>> done) {
    sql_pool_.run(caller, [this, tenant, kind, id] { return writer_->history(tenant, kind, id); }, std::move(done));
}

void Registry::post_tag_at(Shard& caller, TenantId tenant, TagId id, UtcTime at, Done<Tag> done) {
    sql_pool_.run(caller, [this, tenant, id, at] { return writer_->tag_at(tenant, id, at); }, std::move(done));
}

Database& Registry::database() { return writer_->database(); }

void Registry::close(Shard& shard, std::move_only_function<void()> done) {
    closing_ = true;
    shards_.at(0).post([this, &shard, done = std::move(done)]() mutable {
        show_discovered_.cancel();
        sql_pool_.post([this, &shard, done = std::move(done)]() mutable {
            while (discover_some()) {
            }
            // Behind a discover_waiting that was put in line meanwhile: it must not run when the registry is gone.
            sql_pool_.post([&shard, done = std::move(done)]() mutable { shard.post(std::move(done)); });
        });
    });
}

}  // namespace lineshaft::registry
