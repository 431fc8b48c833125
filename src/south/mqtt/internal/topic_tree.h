/// Who wants which topic: subscriptions of one tenant, a tree by topic level.
///
///   a/+/c   a/#        root ── a ──┬── + ── c  (subscribers)
///                                  └── #       (subscribers)
///
/// A shard knows its own sessions by name and of the other shards only that somebody there has a filter; a message
/// crosses once and is matched again over there. Shared groups are known with the number of their members on each
/// shard, so that the publisher's shard can pick one.
///
/// Threads: own shard only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "south/mqtt/internal/session_state.h"

namespace lineshaft::mqtt {

class Session;

struct Subscriber {
    Session* session = nullptr;
    SubscriptionOptions options;
};

/// Members of a shared group on another shard.
struct RemoteMembers {
    std::uint16_t shard = 0;
    std::uint32_t online = 0;
    std::uint32_t total = 0;
};

/// $share/<name>/<filter>.
struct SharedGroup {
    std::string name;
    std::string filter;
    std::vector<Subscriber> members;
    std::vector<RemoteMembers> remote;
    std::size_t turn = 0;        // Over the shards.
    std::size_t local_turn = 0;  // Over the members here.
};

/// Filled by match; reused from call to call.
struct Matches {
    std::vector<Subscriber> subscribers;
    std::vector<std::uint16_t> shards;  // Each once.
    std::vector<SharedGroup*> groups;
    bool empty() const { return subscribers.empty() && shards.empty() && groups.empty(); }
    void clear() {
        subscribers.clear();
        shards.clear();
        groups.clear();
    }
};

enum class Change : std::uint8_t { None, First, Last, Other };

class TopicTree {
public:
    TopicTree();
    ~TopicTree();

    /// First: nobody on this shard had the filter before.
    Change subscribe(std::string_view filter, Session& session, const SubscriptionOptions& options);
    /// Last: nobody on this shard has it any more.
    Change unsubscribe(std::string_view filter, const Session& session);
    SharedGroup& join(std::string_view group, std::string_view filter, Session& session,
                      const SubscriptionOptions& options);
    /// Null when the group has gone with its last member.
    SharedGroup* leave(std::string_view group, std::string_view filter, const Session& session);
    SharedGroup* find_group(std::string_view group, std::string_view filter);

    void set_remote(std::string_view filter, std::uint16_t shard, bool interested);
    void set_remote_members(std::string_view group, std::string_view filter, const RemoteMembers& members);

    /// Appends to `out`, which the caller has cleared.
    void match(std::string_view topic, Matches& out) const;

private:
    struct Node;
    Node& ensure(std::string_view filter);
    Node* find(std::string_view filter) const;
    void prune(std::string_view filter);
    static bool prune(Node& node, std::string_view rest, bool more);
    static void match(const Node& node, std::string_view rest, bool more, bool wild, Matches& out);
    static void collect(const Node& node, Matches& out);

    std::unique_ptr<Node> root_;
};

}  // namespace lineshaft::mqtt
