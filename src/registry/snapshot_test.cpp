#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "registry/snapshot_builder.h"

namespace lineshaft::registry {
namespace {

constexpr TenantId tenant{1};

Tag tag(std::uint64_t id, std::string path, DeviceId device = DeviceId(1)) {
    Tag made;
    made.id = TagId(id);
    made.tenant = tenant;
    made.device = device;
    made.path = std::move(path);
    return made;
}

std::vector<std::string> paths(const std::vector<const Tag*>& tags) {
    std::vector<std::string> list;
    for (const Tag* one : tags) list.push_back(one->path);
    return list;
}

TEST(Snapshot, FindsWhatLiesBelowAPath) {
    SnapshotBuilder builder;
    std::uint64_t id = 1;
    for (const char* path : {"a/b", "a/b-c", "a/b/x", "a/b/y/z", "a/bc", "b"}) builder.put(tag(id++, path));
    Tag foreign = tag(99, "a/b/secret");
    foreign.tenant = TenantId(2);
    builder.put(foreign);
    const auto snapshot = builder.build();
    EXPECT_EQ(paths(snapshot->tags_below(tenant, "a/b")), (std::vector<std::string>{"a/b", "a/b/x", "a/b/y/z"}));
    EXPECT_EQ(paths(snapshot->tags_below(tenant, "a/b/")), (std::vector<std::string>{"a/b", "a/b/x", "a/b/y/z"}));
    EXPECT_EQ(snapshot->tags_below(tenant, "").size(), 6u);
    EXPECT_TRUE(snapshot->tags_below(tenant, "none").empty());
    EXPECT_EQ(snapshot->tag_at(tenant, "a/bc")->id, TagId(5));
    EXPECT_EQ(snapshot->tag_at(tenant, "a"), nullptr);
    EXPECT_EQ(snapshot->tag_at(TenantId(2), "a/bc"), nullptr);
}

TEST(Snapshot, AnOlderVersionStaysAsItWas) {
    SnapshotBuilder first;
    first.put(tag(1, "a")).put(tag(2, "b"));
    const auto before = first.build();
    SnapshotBuilder second(*before);
    second.put(tag(1, "renamed")).remove(TagId(2)).put(tag(3, "c"));
    const auto after = second.build();
    EXPECT_EQ(before->tag_at(tenant, "a")->id, TagId(1));
    EXPECT_EQ(before->tags.size(), 2u);
    EXPECT_EQ(before->tags_of(DeviceId(1)), (std::vector<TagId>{TagId(1), TagId(2)}));
    EXPECT_EQ(after->tag_at(tenant, "a"), nullptr);
    EXPECT_EQ(after->tag_at(tenant, "renamed")->id, TagId(1));
    EXPECT_EQ(after->tags_of(DeviceId(1)), (std::vector<TagId>{TagId(1), TagId(3)}));
    EXPECT_EQ(after->changed_tags, (std::vector<TagId>{TagId(1), TagId(2), TagId(3)}));
    EXPECT_EQ(after->version, before->version + 1);
}

/// A plain model: what must be true after any changes.
struct Model {
    std::map<TagId, Tag> tags;
    std::map<RuleId, TagId> rules;
};

void expect_same(const Snapshot& snapshot, const Model& model) {
    ASSERT_EQ(snapshot.tags.size(), model.tags.size());
    std::map<std::string, TagId> by_path;
    std::map<DeviceId, std::set<TagId>> by_device;
    for (const auto& [id, one] : model.tags) {
        by_path[one.path] = id;
        by_device[one.device].insert(id);
        ASSERT_TRUE(snapshot.tag(id));
        ASSERT_EQ(snapshot.tag(id)->path, one.path);
    }
    std::size_t walked = 0;
    for (const auto& [id, one] : snapshot.tags) {
        ASSERT_TRUE(model.tags.contains(id));
        ++walked;
    }
    ASSERT_EQ(walked, model.tags.size());
    std::vector<std::string> sorted;
    for (const auto& [path, id] : by_path) {
        ASSERT_EQ(snapshot.tag_at(tenant, path)->id, id);
        sorted.push_back(path);
    }
    ASSERT_EQ(paths(snapshot.tags_below(tenant, "")), sorted);
    for (std::uint64_t device = 1; device <= 7; ++device) {
        const auto& list = snapshot.tags_of(DeviceId(device));
        ASSERT_EQ(std::set<TagId>(list.begin(), list.end()), by_device[DeviceId(device)]);
        ASSERT_EQ(list.size(), by_device[DeviceId(device)].size());
    }
    std::map<TagId, std::set<RuleId>> by_tag;
    for (const auto& [rule, on] : model.rules) by_tag[on].insert(rule);
    for (std::uint64_t id = 1; id <= 50; ++id) {
        const auto& list = snapshot.rules_of(TagId(id));
        ASSERT_EQ(std::set<RuleId>(list.begin(), list.end()), by_tag[TagId(id)]);
    }
}

TEST(Snapshot, AgreesWithASimpleModelAfterRandomChanges) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Random random(seed);
        Model model;
        SnapshotOf<Snapshot> newest = SnapshotBuilder().build();
        std::vector<std::pair<SnapshotOf<Snapshot>, Model>> kept;
        for (int version = 0; version < 40; ++version) {
            SnapshotBuilder builder(*newest);
            for (std::uint64_t n = random.below(120); n > 0; --n) {
                const TagId id(1 + random.below(1500));
                const auto path = fmt::format("p{}/{}", random.below(9), id.value() * 3 + random.below(3));
                if (random.below(4) == 0) {
                    builder.remove(id);
                    model.tags.erase(id);
                } else {
                    Tag made = tag(id.value(), path, DeviceId(1 + random.below(7)));
                    model.tags[id] = made;
                    builder.put(std::move(made));
                }
                AlarmRule rule;
                rule.id = RuleId(1 + random.below(30));
                rule.tag = TagId(1 + random.below(50));
                if (random.below(3) == 0) {
                    builder.remove(rule.id);
                    model.rules.erase(rule.id);
                } else {
                    model.rules[rule.id] = rule.tag;
                    builder.put(std::move(rule));
                }
            }
            newest = builder.build();
            expect_same(*newest, model);
            if (version % 8 == 0) kept.emplace_back(newest, model);
        }
        for (const auto& [snapshot, then] : kept) expect_same(*snapshot, then);
        if (HasFatalFailure()) FAIL() << "seed " << seed;
    }
}

}  // namespace
}  // namespace lineshaft::registry
