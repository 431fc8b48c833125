#include "south/mqtt/internal/retained_tree.h"

namespace lineshaft::mqtt {

bool RetainedTree::contains(std::string_view topic) const {
    const Node* node = &root_;
    for (wire::LevelCut cut = wire::cut_level(topic);; cut = wire::cut_level(cut.rest)) {
        const auto at = node->children.find(cut.level);
        if (at == node->children.end()) return false;
        node = at->second.get();
        if (!cut.more) return node->message != nullptr;
    }
}

void RetainedTree::set(MessagePtr message) {
    Node* node = &root_;
    for (wire::LevelCut cut = wire::cut_level(message->topic());; cut = wire::cut_level(cut.rest)) {
        auto at = node->children.find(cut.level);
        if (at == node->children.end()) {
            at = node->children.emplace(std::string(cut.level), std::make_unique<Node>()).first;
        }
        node = at->second.get();
        if (!cut.more) break;
    }
    if (!node->message) ++size_;
    node->message = std::move(message);
}

void RetainedTree::erase(std::string_view topic) { erase(root_, topic, true, size_); }

bool RetainedTree::erase(Node& node, std::string_view rest, bool more, std::size_t& size) {
    if (more) {
        const wire::LevelCut cut = wire::cut_level(rest);
        const auto at = node.children.find(cut.level);
        if (at != node.children.end() && erase(*at->second, cut.rest, cut.more, size)) node.children.erase(at);
    } else if (node.message) {
        node.message.reset();
        --size;
    }
    return node.children.empty() && !node.message;
}

void RetainedTree::match(std::string_view filter, const std::function<void(const MessagePtr&)>& each) const {
    match(root_, filter, true, true, each);
}

void RetainedTree::for_each(const std::function<void(const MessagePtr&)>& each) const { below(root_, false, each); }

void RetainedTree::match(const Node& node, std::string_view rest, bool more, bool first,
                         const std::function<void(const MessagePtr&)>& each) {
    if (!more) {
        if (node.message) each(node.message);
        return;
    }
    const wire::LevelCut cut = wire::cut_level(rest);
    if (cut.level == "#") {
        if (node.message) each(node.message);  // "a/#" selects "a" too.
        return below(node, first, each);
    }
    if (cut.level == "+") {
        for (const auto& [level, child] : node.children) {
            if (!(first && level.starts_with('$'))) match(*child, cut.rest, cut.more, false, each);
        }
        return;
    }
    const auto at = node.children.find(cut.level);
    if (at != node.children.end()) match(*at->second, cut.rest, cut.more, false, each);
}

void RetainedTree::below(const Node& node, bool first, const std::function<void(const MessagePtr&)>& each) {
    for (const auto& [level, child] : node.children) {
        if (first && level.starts_with('$')) continue;
        if (child->message) each(child->message);
        below(*child, false, each);
    }
}

}  // namespace lineshaft::mqtt
