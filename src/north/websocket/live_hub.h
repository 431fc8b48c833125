/// Live values: what passes on a tag's home shard goes to the shards where somebody is looking.
///
///   home shard: samples --> LiveHub: newest value of each watched tag --(≤ 10/s, one post a shard)--> LiveDesk
///   viewer's shard: LiveDesk --> the sockets that watch the tag
///
/// Only watched tags cost anything; a tag that changes a thousand times a second travels ten times.
///
/// Threads: one LiveHub and one LiveDesk per shard, own shard only, except post_….
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "flow/sample_sink.h"
#include "runtime/shard.h"
#include "store/historians.h"

namespace lineshaft::live {

inline constexpr Duration publish_period = 100ms;

struct LiveValue {
    TagId tag;
    UtcTime time;
    Value value;
    Quality quality;
};

class LiveDesk;

class LiveHub final : public flow::SampleSink {
public:
    /// `store` is this shard's historian: a new watcher gets the last value at once.
    LiveHub(Shard& shard, Shards& shards, store::Historian& store);

    /// `desks[i]` lives on shard i. Once, before the first watch.
    void connect(std::vector<LiveDesk*> desks);

    void offer(const Batch& batch) override;

    /// Begins or ends to send values of `tags` to the desk of `viewer`. Any shard.
    void post_watch(ShardId viewer, std::vector<TagId> tags);
    void post_unwatch(ShardId viewer, std::vector<TagId> tags);

private:
    struct Watched {
        std::vector<std::uint16_t> viewers;
        bool is_dirty = false;
        LiveValue newest;
    };

    void watch(ShardId viewer, const std::vector<TagId>& tags);
    void unwatch(ShardId viewer, const std::vector<TagId>& tags);
    void publish();

    Shard& shard_;
    Shards& shards_;
    store::Historian& store_;
    std::vector<LiveDesk*> desks_;
    std::unordered_map<TagId, Watched> watched_;
    std::vector<TagId> dirty_;
    Timer timer_;
};

/// Who watches what on this shard.
class LiveDesk {
public:
    using Deliver = std::function<void(const std::vector<LiveValue>&)>;

    LiveDesk(Shard& shard, std::vector<LiveHub*> hubs) : shard_(shard), hubs_(std::move(hubs)) {}

    /// A socket that will watch. `deliver` gets the values of its tags only.
    std::uint64_t open(Deliver deliver);
    void close(std::uint64_t socket);
    void watch(std::uint64_t socket, TagId tag, ShardId home);
    void unwatch(std::uint64_t socket, TagId tag);

    /// From a hub; any shard.
    void post_values(std::vector<LiveValue> values);

private:
    struct Socket {
        Deliver deliver;
        std::unordered_set<TagId> tags;
    };
    struct Watched {
        ShardId home;
        std::vector<std::uint64_t> sockets;
    };

    void deliver(const std::vector<LiveValue>& values);
    void want_posting();
    void post_changes();

    Shard& shard_;
    const std::vector<LiveHub*> hubs_;
    std::uint64_t next_socket_ = 1;
    std::unordered_map<std::uint64_t, Socket> sockets_;
    std::unordered_map<TagId, Watched> watched_;
    // Gathered during one task, so that a page of a thousand cells is one post to each home shard.
    std::vector<std::pair<ShardId, TagId>> to_watch_, to_unwatch_;
    bool posting_wanted_ = false;
};

}  // namespace lineshaft::live
