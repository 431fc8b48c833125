/// The retained messages of one tenant, a tree by topic level, so that a filter with wildcards visits what it selects.
///
/// Threads: own shard only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "south/mqtt/internal/message.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::mqtt {

class RetainedTree {
public:
    std::size_t size() const { return size_; }
    bool contains(std::string_view topic) const;
    void set(MessagePtr message);
    void erase(std::string_view topic);
    /// Every message that `filter` selects; `each` must not change the tree.
    void match(std::string_view filter, const std::function<void(const MessagePtr&)>& each) const;
    void for_each(const std::function<void(const MessagePtr&)>& each) const;

private:
    struct Node {
        std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
        MessagePtr message;
    };
    static bool erase(Node& node, std::string_view rest, bool more, std::size_t& size);
    static void match(const Node& node, std::string_view rest, bool more, bool first,
                      const std::function<void(const MessagePtr&)>& each);
    static void below(const Node& node, bool first, const std::function<void(const MessagePtr&)>& each);

    Node root_;
    std::size_t size_ = 0;
};

}  // namespace lineshaft::mqtt
