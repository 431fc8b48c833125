#include "north/websocket/live_hub.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace lineshaft::live {

LiveHub::LiveHub(Shard& shard, Shards& shards, store::Historian& store)
    : shard_(shard), shards_(shards), store_(store) {}

void LiveHub::connect(std::vector<LiveDesk*> desks) { desks_ = std::move(desks); }

void LiveHub::offer(const Batch& batch) {
    if (watched_.empty()) return;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        const auto at = watched_.find(batch.tags[row]);
        if (at == watched_.end()) continue;
        Watched& watched = at->second;
        // Late samples change the past, not what is shown as now.
        if (batch.source_times[row] < watched.newest.time) continue;
        watched.newest = {batch.tags[row], batch.source_times[row], batch.value_at(row), batch.qualities[row]};
        if (!std::exchange(watched.is_dirty, true)) dirty_.push_back(batch.tags[row]);
    }
    if (!dirty_.empty() && !timer_.is_set()) timer_ = shard_.after(publish_period, [this] { publish(); });
}

void LiveHub::publish() {
    timer_.cancel();
    std::vector<std::vector<LiveValue>> by_viewer(shards_.count());
    for (const TagId tag : std::exchange(dirty_, {})) {
        const auto at = watched_.find(tag);
        // A tag that was left and watched again in the meantime may stand here twice.
        if (at == watched_.end() || !std::exchange(at->second.is_dirty, false)) continue;
        for (const std::uint16_t viewer : at->second.viewers) by_viewer[viewer].push_back(at->second.newest);
    }
    for (std::size_t viewer = 0; viewer < by_viewer.size(); ++viewer) {
        if (!by_viewer[viewer].empty()) desks_[viewer]->post_values(std::move(by_viewer[viewer]));
    }
}

void LiveHub::post_watch(ShardId viewer, std::vector<TagId> tags) {
    shard_.post([this, viewer, tags = std::move(tags)] { watch(viewer, tags); });
}

void LiveHub::post_unwatch(ShardId viewer, std::vector<TagId> tags) {
    shard_.post([this, viewer, tags = std::move(tags)] { unwatch(viewer, tags); });
}

void LiveHub::watch(ShardId viewer, const std::vector<TagId>& tags) {
    std::vector<LiveValue> now;
    for (const TagId tag : tags) {
        Watched& watched = watched_[tag];
        if (std::ranges::find(watched.viewers, viewer.value()) == watched.viewers.end()) {
            watched.viewers.push_back(viewer.value());
        }
        auto last = store_.last(tag);
        if (!last) continue;
        if (last->source_time >= watched.newest.time) {
            watched.newest = {tag, last->source_time, std::move(last->value), last->quality};
        }
        now.push_back(watched.newest);
    }
    if (!now.empty()) desks_[viewer.value()]->post_values(std::move(now));
}

void LiveHub::unwatch(ShardId viewer, const std::vector<TagId>& tags) {
    for (const TagId tag : tags) {
        const auto at = watched_.find(tag);
        if (at == watched_.end()) continue;
        std::erase(at->second.viewers, viewer.value());
        if (at->second.viewers.empty()) watched_.erase(at);
    }
}

std::uint64_t LiveDesk::open(Deliver deliver) {
    sockets_.emplace(next_socket_, Socket{std::move(deliver), {}});
    return next_socket_++;
}

void LiveDesk::close(std::uint64_t socket) {
    const auto at = sockets_.find(socket);
    if (at == sockets_.end()) return;
    for (const TagId tag : std::vector<TagId>(at->second.tags.begin(), at->second.tags.end())) unwatch(socket, tag);
    sockets_.erase(socket);
}

void LiveDesk::watch(std::uint64_t socket, TagId tag, ShardId home) {
    if (!sockets_.at(socket).tags.insert(tag).second) return;
    Watched& watched = watched_[tag];
    watched.home = home;
    watched.sockets.push_back(socket);
    // Asked for anew by each socket: the hub answers with the value of now.
    to_watch_.emplace_back(home, tag);
    want_posting();
}

void LiveDesk::unwatch(std::uint64_t socket, TagId tag) {
    if (sockets_.at(socket).tags.erase(tag) == 0) return;
    const auto at = watched_.find(tag);
    ASSERT(at != watched_.end());
    std::erase(at->second.sockets, socket);
    if (!at->second.sockets.empty()) return;
    to_unwatch_.emplace_back(at->second.home, tag);
    watched_.erase(at);
    want_posting();
}

void LiveDesk::want_posting() {
    if (std::exchange(posting_wanted_, true)) return;
    shard_.defer([this] { post_changes(); });
}

void LiveDesk::post_changes() {
    posting_wanted_ = false;
    std::vector<std::vector<TagId>> watch(hubs_.size()), unwatch(hubs_.size());
    for (const auto& [home, tag] : std::exchange(to_unwatch_, {})) {
        // Watched again in the same breath: keep it.
        if (!watched_.contains(tag)) unwatch[home.value()].push_back(tag);
    }
    for (const auto& [home, tag] : std::exchange(to_watch_, {})) {
        if (watched_.contains(tag)) watch[home.value()].push_back(tag);
    }
    for (std::size_t i = 0; i < hubs_.size(); ++i) {
        if (!unwatch[i].empty()) hubs_[i]->post_unwatch(shard_.id(), std::move(unwatch[i]));
        if (!watch[i].empty()) hubs_[i]->post_watch(shard_.id(), std::move(watch[i]));
    }
}

void LiveDesk::post_values(std::vector<LiveValue> values) {
    shard_.post([this, values = std::move(values)] { deliver(values); });
}

void LiveDesk::deliver(const std::vector<LiveValue>& values) {
    std::unordered_map<std::uint64_t, std::vector<LiveValue>> by_socket;
    for (const LiveValue& value : values) {
        const auto at = watched_.find(value.tag);
        if (at == watched_.end()) continue;
        for (const std::uint64_t socket : at->second.sockets) by_socket[socket].push_back(value);
    }
    for (auto& [id, list] : by_socket) {
        // A socket may close another one only through the loop, so looking it up again is all the care that is needed.
        if (const auto at = sockets_.find(id); at != sockets_.end()) at->second.deliver(list);
    }
}

}  // namespace lineshaft::live
