#include "registry/registry.h"

#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "registry/tag_ids.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::registry {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShards;

constexpr TenantId tenant{1};

class RegistryTest : public ::testing::Test {
protected:
    RegistryTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory =
            std::filesystem::path(::testing::TempDir()) / fmt::format("registry-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        reopen();
    }
    ~RegistryTest() override {
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    void reopen(DeviceState discovery = DeviceState::Discovered) {
        shards.run();
        registry.reset();
        log = audit::Log::open(disk, clock, *pool, {"audit"}).value();
        registry = Registry::create(shards, *pool, log.get(), {database_path(directory.string()), discovery}).value();
    }
    Result<Changed> change(Change change, TenantId in = tenant) {
        std::optional<Result<Changed>> answer;
        registry->post_change(shards.at(1), in, std::move(change), {"user anna", "10.0.0.7"},
                              [&](Result<Changed> result) { answer = std::move(result); });
        shards.run();
        return *answer;
    }
    std::uint64_t must(Change wanted, TenantId in = tenant) {
        const auto changed = change(std::move(wanted), in);
        EXPECT_TRUE(changed) << changed.error().message();
        return changed ? changed->id : 0;
    }
    ErrorCode code(Change wanted, TenantId in = tenant) {
        const auto changed = change(std::move(wanted), in);
        return changed ? ErrorCode{} : changed.error().code();
    }
    Result<void> discover(std::vector<DiscoveredTag> tags) {
        std::optional<Result<void>> answer;
        registry->post_discovered(shards.at(1), std::move(tags),
                                  [&](Result<void> result) { answer = std::move(result); });
        shards.run();
        return *answer;
    }
    std::vector<HistoryEntry> history(ObjectKind kind, std::uint64_t id) {
        std::vector<HistoryEntry> entries;
        registry->post_history(shards.at(0), tenant, kind, id, [&](auto found) { entries = found.value(); });
        shards.run();
        return entries;
    }
    Tag tag_at(TagId id, UtcTime at) {
        Tag tag;
        registry->post_tag_at(shards.at(0), tenant, id, at, [&](Result<Tag> found) { tag = found.value(); });
        shards.run();
        return tag;
    }
    DiscoveredTag found(std::uint64_t id, std::string device, std::string address) {
        DiscoveredTag tag;
        tag.id = TagId(id);
        tag.device = std::move(device);
        tag.protocol = "mqtt";
        tag.address = std::move(address);
        tag.first_time = clock.utc_now() - 5s;
        return tag;
    }
    DeviceId device(std::string name) {
        return DeviceId(must(CreateDevice{.name = std::move(name), .protocol = "modbus"}));
    }
    TagId tag_of(DeviceId owner, std::string address) {
        return change(SetDeviceTags{.device = owner, .tags = {{.address = std::move(address)}}})->tags.at(0);
    }
    const Snapshot& view(std::size_t shard = 0) { return *registry->snapshot(shards.at(shard)); }

    ManualClock clock;
    ManualShards shards{2, clock};
    ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<audit::Log> log;
    std::unique_ptr<Registry> registry;
};

TEST_F(RegistryTest, AFreshFileHasTheFirstTenantAndOnlyItsOwnerMayReadIt) {
    EXPECT_EQ(view().tenants.at(tenant)->name, "default");
    const auto mode = std::filesystem::status(database_path(directory.string())).permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(RegistryTest, KeepsEverythingAcrossReopening) {
    const AssetId site(must(CreateAsset{.level = AssetLevel::Site, .name = "Lyon"}));
    const AssetId line(must(CreateAsset{.parent = site, .level = AssetLevel::Line, .name = "Line3"}));
    const DeviceId filler(must(CreateDevice{.name = "Lyon/Filler",
                                            .title = "Füller",
                                            .protocol = "modbus",
                                            .settings = R"({"address":"10.0.0.5:502"})",
                                            .asset = line}));
    const auto tags = change(SetDeviceTags{
        .device = filler,
        .tags = {{.address = "temperature", .unit = "Cel", .scale = 0.1, .offset = -5}, {.address = "level"}}});
    const TagId temperature = tags->tags.at(0);
    must(UpdateTag{.id = temperature, .description = "in the bowl", .deadband = 0.5, .range_high = {{120.0}}});
    const RuleId rule(must(CreateRule{.tag = temperature,
                                      .name = "Bowl hot",
                                      .limits = {{LimitKind::High, 80, 2, 5s, 1s, Priority::High}},
                                      .consequence = "foam",
                                      .action = "open the valve"}));
    reopen();
    EXPECT_EQ(view().asset(line)->path, "Lyon/Line3");
    const Device& device = *view().device_named(tenant, "Lyon/Filler");
    EXPECT_EQ(device.id, filler);
    EXPECT_EQ(device.title, "Füller");
    EXPECT_EQ(device.settings, R"({"address":"10.0.0.5:502"})");
    EXPECT_EQ(device.asset, line);
    EXPECT_EQ(device.state, DeviceState::Accepted);
    const Tag& tag = *view().tag_at(tenant, "Lyon/Filler/temperature");
    EXPECT_EQ(tag.id, temperature);
    EXPECT_EQ(tag.scale, 0.1);
    EXPECT_EQ(tag.offset, -5);
    EXPECT_EQ(tag.deadband, 0.5);
    EXPECT_EQ(tag.range_high, 120.0);
    EXPECT_FALSE(tag.range_low);
    EXPECT_EQ(tag.description, "in the bowl");
    EXPECT_EQ(tag.version, 2u);
    EXPECT_EQ(view().tags_of(filler).size(), 2u);
    const AlarmRule& kept = *view().rules.at(rule);
    EXPECT_EQ(kept.limits, (std::vector<Limit>{{LimitKind::High, 80, 2, 5s, 1s, Priority::High}}));
    EXPECT_EQ(kept.action, "open the valve");
    EXPECT_EQ(view().rules_of(temperature), std::vector<RuleId>{rule});
}

TEST_F(RegistryTest, TheAskerSeesItsOwnChangeOnItsShardWhenItIsAnswered) {
    bool seen = false;
    registry->post_change(shards.at(1), tenant, CreateAsset{.name = "Lyon"}, {}, [&](Result<Changed> changed) {
        const auto& snapshot = registry->snapshot(shards.at(1));
        seen = snapshot->assets.contains(AssetId(changed->id)) && snapshot->version == changed->snapshot_version;
    });
    EXPECT_TRUE(view(1).assets.empty()) << "nothing happens within the call";
    shards.run();
    EXPECT_TRUE(seen);
}

TEST_F(RegistryTest, TellsEveryShardWhatHasChanged) {
    std::vector<std::vector<TagId>> heard(2);
    std::vector<Registry::Subscription> subscriptions;
    for (std::size_t i = 0; i < 2; ++i) {
        subscriptions.push_back(registry->on_change(
            shards.at(i), [&heard, i](const auto& snapshot) { heard[i] = snapshot->changed_tags; }));
    }
    const TagId tag = tag_of(device("a"), "x");
    EXPECT_EQ(heard[0], std::vector<TagId>{tag});
    EXPECT_EQ(heard[1], std::vector<TagId>{tag});
    must(CreateAsset{.name = "Lyon"});
    EXPECT_TRUE(heard[0].empty());
    subscriptions.clear();
    must(DeleteTag{.id = tag});
    EXPECT_TRUE(heard[0].empty()) << "nobody listens any more";
}

TEST_F(RegistryTest, AnUpdateOfAnOldVersionIsAConflict) {
    const TagId tag = tag_of(device("a"), "x");
    must(UpdateTag{.id = tag, .unit = "Cel", .version = 1});
    EXPECT_EQ(code(UpdateTag{.id = tag, .unit = "K", .version = 1}), ErrorCode::Conflict);
    EXPECT_EQ(view().tag(tag)->unit, "Cel");
    EXPECT_EQ(change(UpdateTag{.id = tag, .unit = "K", .version = 2})->version, 3u);
    EXPECT_EQ(change(UpdateTag{.id = tag, .unit = "K"})->version, 3u) << "the same again is no new version";
}

TEST_F(RegistryTest, RemembersTheUnitAndScalingValidWhenAValueWasRecorded) {
    const TagId tag = tag_of(device("a"), "x");
    const UtcTime before = clock.utc_now();
    clock.advance(1h);
    must(UpdateTag{.id = tag, .unit = "Cel", .scale = 0.1});
    clock.advance(1h);
    must(UpdateTag{.id = tag, .unit = "K"});
    EXPECT_EQ(tag_at(tag, before - 1h).unit, "") << "older than the tag: as it was first known";
    EXPECT_EQ(tag_at(tag, before + 59min).scale, 1);
    EXPECT_EQ(tag_at(tag, before + 1h).scale, 0.1);
    EXPECT_EQ(tag_at(tag, before + 1h).unit, "Cel");
    EXPECT_EQ(tag_at(tag, before + 5h).unit, "K");
    reopen();
    must(DeleteTag{.id = tag});
    const auto entries = history(ObjectKind::Tag, tag.value());
    ASSERT_EQ(entries.size(), 4u);
    EXPECT_TRUE(entries[0].deleted);
    EXPECT_EQ(entries[1].valid_to, clock.utc_now());
    EXPECT_EQ(entries[2].valid_from, before + 1h);
    EXPECT_EQ(entries[2].valid_to, before + 2h);
    EXPECT_EQ(entries[2].actor, "user anna");
    EXPECT_NE(entries[2].row.find(R"("unit":"Cel")"), std::string::npos);
    EXPECT_EQ(tag_at(tag, before + 5h).unit, "K") << "of a deleted tag too";
}

TEST_F(RegistryTest, AClockThatJumpsBackDoesNotBreakTheHistory) {
    const TagId tag = tag_of(device("a"), "x");
    const UtcTime made = clock.utc_now();
    clock.set_utc(made - 24h);
    must(UpdateTag{.id = tag, .unit = "K"});
    const auto entries = history(ObjectKind::Tag, tag.value());
    EXPECT_EQ(entries[0].valid_from, made);
    EXPECT_EQ(entries[0].recorded, made - 24h);
    EXPECT_LE(entries[1].valid_from, entries[1].valid_to);
}

TEST_F(RegistryTest, MovingAnAssetMovesWhatIsBelowIt) {
    const AssetId lyon(must(CreateAsset{.name = "Lyon"}));
    const AssetId hall(must(CreateAsset{.parent = lyon, .name = "Hall"}));
    const AssetId line(must(CreateAsset{.parent = hall, .name = "Line3"}));
    const AssetId acme(must(CreateAsset{.name = "Acme"}));
    must(UpdateAsset{.id = lyon, .parent = acme});
    EXPECT_EQ(view().asset(line)->path, "Acme/Lyon/Hall/Line3");
    must(UpdateAsset{.id = lyon, .parent = AssetId{}, .name = "Genève"});
    EXPECT_EQ(view().asset(line)->path, "Genève/Hall/Line3");
    EXPECT_EQ(code(UpdateAsset{.id = lyon, .parent = line}), ErrorCode::InvalidArgument) << "not below itself";
    EXPECT_EQ(code(UpdateAsset{.id = lyon, .parent = lyon}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(UpdateAsset{.id = acme, .name = "Genève"}), ErrorCode::Conflict);
    EXPECT_EQ(code(DeleteAsset{.id = hall}), ErrorCode::Conflict) << "something lies below";
    const DeviceId placed(must(CreateDevice{.name = "d", .protocol = "mqtt", .asset = line}));
    must(DeleteAsset{.id = line});
    EXPECT_EQ(view().device(placed)->asset, AssetId{});
    reopen();
    EXPECT_EQ(view().asset(hall)->path, "Genève/Hall");
}

TEST_F(RegistryTest, DeletingADeviceTakesItsTagsAndRules) {
    const DeviceId owner = device("a");
    const TagId tag = tag_of(owner, "x");
    const RuleId rule(must(CreateRule{.tag = tag, .name = "hot", .limits = {{LimitKind::High, 80}}}));
    must(DeleteDevice{.id = owner});
    EXPECT_TRUE(view().devices.empty());
    EXPECT_TRUE(view().tags.empty());
    EXPECT_TRUE(view().rules.empty());
    EXPECT_EQ(view().tag_at(tenant, "a/x"), nullptr);
    EXPECT_EQ(view().changed_rules, std::vector<RuleId>{rule});
    const DeviceId again = device("a");
    EXPECT_NE(again, owner) << "ids are never given twice";
    reopen();
    EXPECT_EQ(view().devices.size(), 1u);
}

TEST_F(RegistryTest, RefusesWhatMakesNoSense) {
    const DeviceId owner = device("a");
    const TagId tag = tag_of(owner, "x");
    EXPECT_EQ(code(CreateAsset{.name = "a/b"}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(CreateAsset{.name = ""}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(CreateAsset{.name = "\xff"}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(CreateAsset{.parent = AssetId(99), .name = "b"}), ErrorCode::NotFound);
    EXPECT_EQ(code(CreateDevice{.name = "a", .protocol = "mqtt"}), ErrorCode::Conflict);
    EXPECT_EQ(code(CreateDevice{.name = "/b", .protocol = "mqtt"}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(CreateDevice{.name = "b", .protocol = "mqtt", .settings = "[1]"}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(CreateDevice{.name = "b", .protocol = "mqtt", .settings = "{"}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(UpdateTag{.id = tag, .scale = 0.0}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(UpdateTag{.id = tag, .offset = std::nan("")}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(UpdateTag{.id = tag, .range_low = {{5.0}}, .range_high = {{5.0}}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(code(UpdateTag{.id = TagId(999), .unit = "K"}), ErrorCode::NotFound);
    EXPECT_EQ(code(SetDeviceTags{.device = owner, .tags = {{.address = "y"}, {.address = "y"}}}),
              ErrorCode::InvalidArgument);
    const auto rule = [&](std::vector<Limit> limits) {
        return code(CreateRule{.tag = tag, .name = "r", .limits = std::move(limits)});
    };
    EXPECT_EQ(rule({}), ErrorCode::InvalidArgument);
    EXPECT_EQ(rule({{LimitKind::High, 1}, {LimitKind::High, 2}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(rule({{LimitKind::Low, 5}, {LimitKind::High, 1}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(rule({{LimitKind::High, 1, -1}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(rule({{LimitKind::High, 1, 0, -1s}}), ErrorCode::InvalidArgument);
    EXPECT_EQ(view().tags.size(), 1u);
    EXPECT_EQ(view().rules.size(), 0u);
}

TEST_F(RegistryTest, AnotherTenantSeesAndChangesNothing) {
    const TenantId other(static_cast<std::uint32_t>(must(CreateTenant{.name = "Customer"})));
    const DeviceId mine = device("a");
    const TagId tag = tag_of(mine, "x");
    EXPECT_EQ(code(UpdateDevice{.id = mine, .title = "theirs"}, other), ErrorCode::NotFound);
    EXPECT_EQ(code(UpdateTag{.id = tag, .unit = "K"}, other), ErrorCode::NotFound);
    EXPECT_EQ(code(UpdateTenant{.id = tenant, .name = "taken"}, other), ErrorCode::NotFound);
    EXPECT_EQ(code(CreateRule{.tag = tag, .name = "r", .limits = {{LimitKind::High, 1}}}, other),
              ErrorCode::NotFound);
    must(CreateDevice{.name = "a", .protocol = "mqtt"}, other);
    EXPECT_EQ(view().device_named(tenant, "a")->id, mine);
    EXPECT_NE(view().device_named(other, "a")->id, mine);
    EXPECT_EQ(view().tenants.at(other)->parent, tenant);
}

TEST_F(RegistryTest, SetsTheTagsOfADeviceFromItsMap) {
    const DeviceId owner = device("a");
    const auto first = change(SetDeviceTags{
        .device = owner, .tags = {{.address = "x", .unit = "Cel"}, {.address = "y"}, {.address = "z"}}});
    must(UpdateTag{.id = first->tags[1], .description = "by hand", .deadband = 3.0});
    const auto second =
        change(SetDeviceTags{.device = owner,
                             .tags = {{.address = "new"}, {.address = "y", .type = ValueType::Int, .unit = "K"}},
                             .others = SetDeviceTags::Others::Remove});
    EXPECT_EQ(second->tags[1], first->tags[1]);
    EXPECT_EQ(view().tags.size(), 2u);
    const Tag& y = *view().tag(first->tags[1]);
    EXPECT_EQ(y.unit, "K");
    EXPECT_EQ(y.type, ValueType::Int);
    EXPECT_EQ(y.deadband, 3.0);
    EXPECT_EQ(y.description, "by hand");
    EXPECT_EQ(view().tag_at(tenant, "a/new")->id, second->tags[0]);
}

TEST_F(RegistryTest, RecordsDiscoveredDevicesInTheInbox) {
    ASSERT_TRUE(discover({found(101, "plant/pump", "speed"), found(102, "plant/pump", "motor/current")}));
    const Device& pump = *view().device_named(tenant, "plant/pump");
    EXPECT_EQ(pump.state, DeviceState::Discovered);
    EXPECT_EQ(pump.protocol, "mqtt");
    EXPECT_EQ(pump.first_heard, clock.utc_now() - 5s);
    EXPECT_EQ(view().tag_at(tenant, "plant/pump/motor/current")->id, TagId(102));
    EXPECT_EQ(history(ObjectKind::Tag, 101)[0].valid_from, clock.utc_now() - 5s);
    const auto changed = change(SetDeviceStates{.ids = {pump.id, DeviceId(99)}, .state = DeviceState::Accepted});
    ASSERT_EQ(changed->items.size(), 2u);
    EXPECT_FALSE(changed->items[0].error);
    EXPECT_EQ(changed->items[1].error->code(), ErrorCode::NotFound);
    reopen(DeviceState::Accepted);
    EXPECT_EQ(view().device_named(tenant, "plant/pump")->state, DeviceState::Accepted);
    ASSERT_TRUE(discover({found(201, "other", "x")}));
    EXPECT_EQ(view().device_named(tenant, "other")->state, DeviceState::Accepted) << "by policy";
}

TEST_F(RegistryTest, ATakenPathGetsASuffix) {
    // The tag "c" of "a/b" and the tag "b/c" of "a" would have the same path.
    ASSERT_TRUE(discover({found(1, "a/b", "c"), found(2, "a", "b/c")}));
    EXPECT_EQ(view().tag(TagId(1))->path, "a/b/c");
    EXPECT_EQ(view().tag(TagId(2))->path, "a/b/c~2");
    ASSERT_TRUE(discover({found(3, "a", "b/c")}));
    EXPECT_EQ(view().tags.size(), 2u) << "known already";
}

TEST_F(RegistryTest, TakesTheGoodDiscoveredTagsAndNamesTheBad) {
    const auto taken = discover({found(1, "", "x"), found(2, "a", "x"), found(3, "a", std::string(2000, 'y'))});
    EXPECT_EQ(taken.error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(view().tags.size(), 1u);
}

TEST_F(RegistryTest, TakesTenThousandNewTagsAtOnceAndShowsThemFewTimes) {
    int shown = 0;
    const auto subscription = registry->on_change(shards.at(0), [&](const auto&) { ++shown; });
    std::size_t answered = 0;
    auto ids = TagIds::create(*registry, shards.at(0)).value();
    for (int part = 0; part < 100; ++part) {
        std::vector<DiscoveredTag> tags;
        for (int n = 0; n < 100; ++n) {
            tags.push_back(found(ids->take()->value(), fmt::format("device-{}", part), fmt::format("value-{}", n)));
        }
        registry->post_discovered(shards.at(part % 2), std::move(tags), [&](Result<void> taken) {
            ASSERT_TRUE(taken);
            ++answered;
        });
        shards.run();
        shards.advance(10ms);
    }
    shards.advance(1s);
    EXPECT_EQ(answered, 100u);
    EXPECT_EQ(view().tags.size(), 10'000u);
    EXPECT_EQ(view(1).devices.size(), 100u);
    EXPECT_LE(shown, 7) << "one second of news, five times a second";
    EXPECT_EQ(view().tags_below(tenant, "device-7").size(), 100u);
}

TEST_F(RegistryTest, ChangesThatNobodyHasSeenYetAddUp) {
    std::vector<TagId> heard;
    const auto subscription = registry->on_change(shards.at(0), [&](const auto& snapshot) {
        heard.insert(heard.end(), snapshot->changed_tags.begin(), snapshot->changed_tags.end());
    });
    for (std::uint64_t id = 1; id <= 9; ++id) ASSERT_TRUE(discover({found(id, "a", fmt::format("x{}", id))}));
    shards.advance(200ms);
    EXPECT_EQ(heard.size(), 9u);
}

TEST_F(RegistryTest, NeverGivesATagIdTwice) {
    const auto first = registry->reserve_tag_ids(100).value();
    reopen();
    const auto second = registry->reserve_tag_ids(1).value();
    EXPECT_GE(second.first.value(), first.first.value() + 100);
    auto ids = TagIds::create(*registry, shards.at(0)).value();
    std::set<TagId> taken;
    for (std::uint64_t i = 0; i < 3 * TagIds::block_ids; ++i) {
        const auto id = ids->take();
        if (!id) FAIL() << "the refill came too late";
        EXPECT_TRUE(taken.insert(*id).second);
        shards.run();
    }
    EXPECT_GT(*taken.begin(), second.first);
}

TEST_F(RegistryTest, AChangeThatCannotBeAuditedIsNotDone) {
    disk.set_free_bytes(0);
    EXPECT_EQ(code(CreateAsset{.name = "Lyon"}), ErrorCode::DiskFull);
    EXPECT_TRUE(view().assets.empty());
    disk.set_free_bytes(1'000'000);
    must(CreateAsset{.name = "Lyon"});
    const auto page = log->list({}, {}, 10).value();
    ASSERT_EQ(page.items.size(), 1u);
    const audit::Entry& entry = page.items[0].entry;
    EXPECT_EQ(entry.action, "asset.create");
    EXPECT_EQ(entry.actor, "user anna");
    EXPECT_EQ(entry.address, "10.0.0.7");
    EXPECT_EQ(entry.target, "asset 1 Lyon");
    EXPECT_EQ(entry.detail, R"({"before":null,"after":{"parent":null,"level":"other","name":"Lyon","path":"Lyon"}})");
}

TEST_F(RegistryTest, AfterCloseItRefusesAndIsOnDisk) {
    bool closed = false;
    must(CreateAsset{.name = "Lyon"});
    registry->close(shards.at(0), [&] { closed = true; });
    shards.run();
    EXPECT_TRUE(closed);
    EXPECT_EQ(code(CreateAsset{.name = "Paris"}), ErrorCode::Closed);
}

TEST_F(RegistryTest, AFileOfANewerVersionIsRefused) {
    registry.reset();
    {
        auto database = Database::open(database_path(directory.string())).value();
        ASSERT_TRUE(database->execute("UPDATE schema_version SET version = 99"));
    }
    const auto opened = Registry::create(shards, *pool, nullptr, {database_path(directory.string())});
    EXPECT_EQ(opened.error().code(), ErrorCode::VersionUnknown);
}

/// Another process that thinks itself alone would, when it ends, take the log of the running house away.
TEST_F(RegistryTest, ASecondOpeningInTheSameProcessKeepsTheLocks) {
    must(CreateAsset{.name = "Lyon"});
    const std::string path = database_path(directory.string());
    // A lock of an open file description meets those of its own process too.
    const int probe = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(probe, 0);
    const auto is_locked = [probe] {
        struct flock lock{};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        EXPECT_EQ(::fcntl(probe, F_OFD_GETLK, &lock), 0);
        return lock.l_type != F_UNLCK;
    };
    EXPECT_TRUE(is_locked());
    ASSERT_TRUE(Database::open(path));
    EXPECT_TRUE(is_locked());
    ::close(probe);
}

}  // namespace
}  // namespace lineshaft::registry
