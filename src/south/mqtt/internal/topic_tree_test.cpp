#include "south/mqtt/internal/topic_tree.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/random.h"
#include "south/mqtt/internal/retained_tree.h"
#include "south/mqtt/internal/session.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::mqtt {
namespace {

/// Random filters and topics of few levels and few names, so that they meet often.
std::string random_path(Random& random, bool wild) {
    static constexpr std::string_view names[] = {"a", "b", "", "$s", "+"};
    std::string path;
    const std::uint64_t levels = 1 + random.below(4);
    for (std::uint64_t i = 0; i < levels; ++i) {
        if (i > 0) path += '/';
        path += names[random.below(wild ? 5 : 4)];
    }
    if (wild && random.below(3) == 0) path += path.empty() ? "#" : "/#";
    return path;
}

TEST(TopicTree, SelectsWhatTheRulesSelect) {
    Random random(7);
    for (int round = 0; round < 200; ++round) {
        TopicTree tree;
        Session session;
        std::vector<std::string> filters;
        for (int i = 0; i < 20; ++i) {
            const std::string filter = random_path(random, true);
            if (!wire::is_valid_filter(filter) || std::ranges::find(filters, filter) != filters.end()) continue;
            tree.subscribe(filter, session, {});
            filters.push_back(filter);
        }
        for (int i = 0; i < 5 && !filters.empty(); ++i) {  // Some leave again.
            EXPECT_EQ(tree.unsubscribe(filters.back(), session), Change::Last);
            filters.pop_back();
        }
        for (int i = 0; i < 50; ++i) {
            const std::string topic = random_path(random, false);
            if (!wire::is_valid_topic(topic)) continue;
            Matches matches;
            tree.match(topic, matches);
            const auto expected =
                std::ranges::count_if(filters, [&](const auto& one) { return wire::matches(one, topic); });
            EXPECT_EQ(matches.subscribers.size(), static_cast<std::size_t>(expected)) << topic;
        }
    }
}

TEST(TopicTree, KnowsTheFirstAndTheLastOfAFilter) {
    TopicTree tree;
    Session one;
    Session two;
    EXPECT_EQ(tree.subscribe("a/+", one, {}), Change::First);
    EXPECT_EQ(tree.subscribe("a/+", two, {}), Change::Other);
    EXPECT_EQ(tree.subscribe("a/+", two, {}), Change::Other);
    EXPECT_EQ(tree.unsubscribe("a/+", one), Change::Other);
    EXPECT_EQ(tree.unsubscribe("a/+", one), Change::None);
    EXPECT_EQ(tree.unsubscribe("a/+", two), Change::Last);
    EXPECT_EQ(tree.unsubscribe("a/+", two), Change::None);
}

TEST(TopicTree, NamesOtherShardsOnce) {
    TopicTree tree;
    tree.set_remote("a/#", 2, true);
    tree.set_remote("a/b", 2, true);
    tree.set_remote("a/+", 3, true);
    Matches matches;
    tree.match("a/b", matches);
    EXPECT_EQ(matches.shards.size(), 2u);
    tree.set_remote("a/+", 3, false);
    matches.clear();
    tree.match("a/b", matches);
    EXPECT_EQ(matches.shards, (std::vector<std::uint16_t>{2}));
}

TEST(RetainedTree, SelectsWhatTheRulesSelect) {
    Random random(11);
    for (int round = 0; round < 200; ++round) {
        RetainedTree tree;
        std::vector<std::string> topics;
        for (int i = 0; i < 30; ++i) {
            const std::string topic = random_path(random, false);
            if (!wire::is_valid_topic(topic)) continue;
            Message::Parts parts;
            parts.topic = topic;
            if (random.below(4) == 0) {
                tree.erase(topic);
                std::erase(topics, topic);
                continue;
            }
            tree.set(make_message(parts));
            if (std::ranges::find(topics, topic) == topics.end()) topics.push_back(topic);
        }
        EXPECT_EQ(tree.size(), topics.size());
        for (int i = 0; i < 30; ++i) {
            const std::string filter = random_path(random, true);
            if (!wire::is_valid_filter(filter)) continue;
            std::vector<std::string> found;
            tree.match(filter, [&](const MessagePtr& message) { found.emplace_back(message->topic()); });
            std::vector<std::string> expected;
            std::ranges::copy_if(topics, std::back_inserter(expected),
                                 [&](const auto& topic) { return wire::matches(filter, topic); });
            std::ranges::sort(found);
            std::ranges::sort(expected);
            EXPECT_EQ(found, expected) << filter;
        }
    }
}

TEST(Session, PacketIdsInFlightAreNotGivenTwice) {
    Session session;
    Delivery stuck;
    stuck.packet_id = session.next_packet_id();
    session.in_flight.push_back(std::move(stuck));
    for (int i = 0; i < 200'000; ++i) {
        const std::uint16_t id = session.next_packet_id();
        ASSERT_NE(id, 0);
        ASSERT_NE(id, 1);
    }
}

}  // namespace
}  // namespace lineshaft::mqtt
