#include "south/mqtt/internal/topic_tree.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::mqtt {
namespace {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace

struct TopicTree::Node {
    std::unordered_map<std::string, std::unique_ptr<Node>, TextHash, std::equal_to<>> children;
    std::unique_ptr<Node> plus;
    std::unique_ptr<Node> hash;
    std::vector<Subscriber> subscribers;
    std::vector<std::uint16_t> shards;
    std::vector<std::unique_ptr<SharedGroup>> groups;

    std::unique_ptr<Node>* slot(std::string_view level) {
        if (level == "+") return &plus;
        if (level == "#") return &hash;
        const auto at = children.find(level);
        return at == children.end() ? nullptr : &at->second;
    }
    bool is_idle() const {
        return children.empty() && !plus && !hash && subscribers.empty() && shards.empty() && groups.empty();
    }
};

TopicTree::TopicTree() : root_(std::make_unique<Node>()) {}
TopicTree::~TopicTree() = default;

Change TopicTree::subscribe(std::string_view filter, Session& session, const SubscriptionOptions& options) {
    auto& subscribers = ensure(filter).subscribers;
    const auto at = std::ranges::find(subscribers, &session, &Subscriber::session);
    if (at != subscribers.end()) {
        at->options = options;
        return Change::Other;
    }
    subscribers.push_back({&session, options});
    return subscribers.size() == 1 ? Change::First : Change::Other;
}

Change TopicTree::unsubscribe(std::string_view filter, const Session& session) {
    Node* node = find(filter);
    if (!node) return Change::None;
    const auto at = std::ranges::find(node->subscribers, &session, &Subscriber::session);
    if (at == node->subscribers.end()) return Change::None;
    *at = node->subscribers.back();
    node->subscribers.pop_back();
    if (!node->subscribers.empty()) return Change::Other;
    prune(filter);
    return Change::Last;
}

SharedGroup& TopicTree::join(std::string_view group, std::string_view filter, Session& session,
                             const SubscriptionOptions& options) {
    Node& node = ensure(filter);
    SharedGroup* found = find_group(group, filter);
    if (!found) {
        node.groups.push_back(std::make_unique<SharedGroup>());
        found = node.groups.back().get();
        found->name = group;
        found->filter = filter;
    }
    const auto at = std::ranges::find(found->members, &session, &Subscriber::session);
    if (at != found->members.end()) {
        at->options = options;
    } else {
        found->members.push_back({&session, options});
    }
    return *found;
}

SharedGroup* TopicTree::leave(std::string_view group, std::string_view filter, const Session& session) {
    SharedGroup* found = find_group(group, filter);
    if (!found) return nullptr;
    std::erase_if(found->members, [&](const Subscriber& one) { return one.session == &session; });
    if (!found->members.empty() || !found->remote.empty()) return found;
    std::erase_if(find(filter)->groups, [&](const auto& one) { return one.get() == found; });
    prune(filter);
    return nullptr;
}

SharedGroup* TopicTree::find_group(std::string_view group, std::string_view filter) {
    Node* node = find(filter);
    if (!node) return nullptr;
    const auto at =
        std::ranges::find(node->groups, group, [](const auto& one) -> std::string_view { return one->name; });
    return at == node->groups.end() ? nullptr : at->get();
}

void TopicTree::set_remote(std::string_view filter, std::uint16_t shard, bool interested) {
    if (!interested) {
        if (Node* node = find(filter)) std::erase(node->shards, shard);
        return prune(filter);
    }
    auto& shards = ensure(filter).shards;
    if (std::ranges::find(shards, shard) == shards.end()) shards.push_back(shard);
}

void TopicTree::set_remote_members(std::string_view group, std::string_view filter, const RemoteMembers& members) {
    SharedGroup* found = find_group(group, filter);
    if (!found) {
        if (members.total == 0) return;
        Node& node = ensure(filter);
        node.groups.push_back(std::make_unique<SharedGroup>());
        found = node.groups.back().get();
        found->name = group;
        found->filter = filter;
    }
    std::erase_if(found->remote, [&](const RemoteMembers& one) { return one.shard == members.shard; });
    if (members.total > 0) found->remote.push_back(members);
    if (!found->members.empty() || !found->remote.empty()) return;
    std::erase_if(find(filter)->groups, [&](const auto& one) { return one.get() == found; });
    prune(filter);
}

void TopicTree::match(std::string_view topic, Matches& out) const {
    match(*root_, topic, true, !topic.starts_with('$'), out);
}

TopicTree::Node& TopicTree::ensure(std::string_view filter) {
    Node* node = root_.get();
    for (wire::LevelCut cut = wire::cut_level(filter);; cut = wire::cut_level(cut.rest)) {
        std::unique_ptr<Node>* slot = node->slot(cut.level);
        if (!slot) slot = &node->children[std::string(cut.level)];
        if (!*slot) *slot = std::make_unique<Node>();
        node = slot->get();
        if (!cut.more) return *node;
    }
}

TopicTree::Node* TopicTree::find(std::string_view filter) const {
    Node* node = root_.get();
    for (wire::LevelCut cut = wire::cut_level(filter);; cut = wire::cut_level(cut.rest)) {
        std::unique_ptr<Node>* slot = node->slot(cut.level);
        if (!slot || !*slot) return nullptr;
        node = slot->get();
        if (!cut.more) return node;
    }
}

void TopicTree::prune(std::string_view filter) { prune(*root_, filter, true); }

/// True when `node` holds nothing any more. Recursion is bounded by limits::mqtt_topic_levels_max.
bool TopicTree::prune(Node& node, std::string_view rest, bool more) {
    if (more) {
        const wire::LevelCut cut = wire::cut_level(rest);
        std::unique_ptr<Node>* slot = node.slot(cut.level);
        if (slot && *slot && prune(**slot, cut.rest, cut.more)) {
            slot->reset();
            if (cut.level != "+" && cut.level != "#") node.children.erase(node.children.find(cut.level));
        }
    }
    return node.is_idle();
}

void TopicTree::match(const Node& node, std::string_view rest, bool more, bool wild, Matches& out) {
    if (wild && node.hash) collect(*node.hash, out);
    if (!more) return collect(node, out);
    const wire::LevelCut cut = wire::cut_level(rest);
    if (!node.children.empty()) {
        const auto child = node.children.find(cut.level);
        if (child != node.children.end()) match(*child->second, cut.rest, cut.more, true, out);
    }
    if (wild && node.plus) match(*node.plus, cut.rest, cut.more, true, out);
}

void TopicTree::collect(const Node& node, Matches& out) {
    out.subscribers.insert(out.subscribers.end(), node.subscribers.begin(), node.subscribers.end());
    for (const std::uint16_t shard : node.shards) {
        if (std::ranges::find(out.shards, shard) == out.shards.end()) out.shards.push_back(shard);
    }
    for (const auto& group : node.groups) out.groups.push_back(group.get());
}

}  // namespace lineshaft::mqtt
