#include "route/command_router.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "registry/snapshot_builder.h"
#include "support/manual_shard.h"

namespace lineshaft::route {
namespace {

using testing::ManualClock;
using testing::ManualShards;

class FakeTarget final : public CommandTarget {
public:
    void post_write(Shard&, const registry::Device& device, const registry::Tag& tag, Command command,
                    flow::CommandSink::Done done) override {
        seen.push_back(fmt::format("{} {} = {}", device.name, tag.address, to_text(command.value)));
        answers.push_back(std::move(done));
    }
    std::vector<std::string> seen;
    std::vector<flow::CommandSink::Done> answers;
};

class CommandRouterTest : public ::testing::Test {
protected:
    CommandRouterTest() {
        registry::SnapshotBuilder builder;
        builder.put(
            registry::Device{.id = DeviceId(1), .tenant = TenantId(1), .name = "filler", .protocol = "modbus"});
        builder.put(registry::Device{.id = DeviceId(2), .tenant = TenantId(1), .name = "sensor", .protocol = "mqtt"});
        const auto tag = [&](std::uint64_t id, std::uint64_t device, std::string address, bool writable) {
            return registry::Tag{.id = TagId(id),
                                 .tenant = TenantId(1),
                                 .device = DeviceId(device),
                                 .path = "p/" + address,
                                 .address = address,
                                 .writable = writable};
        };
        builder.put(tag(1, 1, "speed", true)).put(tag(2, 1, "count", false)).put(tag(3, 2, "led", true));
        registry::Tag scaled = tag(4, 1, "level", true);
        scaled.scale = 0.1;
        scaled.offset = 5;
        scaled.range_low = 0;
        scaled.range_high = 50;
        builder.put(scaled);
        router.set_snapshot(builder.build());
        router.set_target("modbus", target);
    }

    void post(std::uint64_t tag, Value value, std::string key = "", Duration timeout = 5s) {
        Command command;
        command.tag = TagId(tag);
        command.value = std::move(value);
        command.idempotency_key = std::move(key);
        command.deadline = clock.now() + timeout;
        router.post_command(shards.at(1), std::move(command),
                            [this](CommandResult r) { results.push_back(std::move(r)); });
        shards.run();
    }
    void answer(std::size_t index, CommandOutcome outcome = CommandOutcome::Written) {
        target.answers.at(index)({outcome, "echo"});
        shards.run();
    }
    std::vector<CommandOutcome> outcomes() const {
        std::vector<CommandOutcome> out;
        for (const auto& r : results) out.push_back(r.outcome);
        return out;
    }
    using Outcomes = std::vector<CommandOutcome>;

    ManualClock clock;
    ManualShards shards{2, clock};
    FakeTarget target;
    CommandRouter router{shards.at(0)};
    std::vector<CommandResult> results;
};

TEST_F(CommandRouterTest, ACommandReachesItsDeviceAndTheOutcomeComesBack) {
    post(1, 12.5);
    EXPECT_EQ(target.seen, std::vector<std::string>{"filler speed = 12.5"});
    EXPECT_TRUE(results.empty());
    answer(0);
    EXPECT_EQ(outcomes(), Outcomes{CommandOutcome::Written});
    EXPECT_EQ(results[0].detail, "echo");
    shards.advance(10s);
    EXPECT_EQ(results.size(), 1u);
}

TEST_F(CommandRouterTest, TheScaleOfTheTagIsTakenOff) {
    post(4, 25.0);
    EXPECT_EQ(target.seen, std::vector<std::string>{"filler level = 200"});
}

TEST_F(CommandRouterTest, WhatCannotBeDoneIsRefused) {
    post(2, 1.0);                  // Not writable.
    post(9, 1.0);                  // No such tag.
    post(3, 1.0);                  // No adapter.
    post(1, std::string("fast"));  // No number.
    post(4, 51.0);                 // Out of range.
    EXPECT_EQ(outcomes(), Outcomes(5, CommandOutcome::Refused));
    EXPECT_TRUE(target.seen.empty());
}

TEST_F(CommandRouterTest, TagsOfAnotherTenantDoNotExist) {
    Command command;
    command.tenant = TenantId(2);
    command.tag = TagId(1);
    command.value = 1.0;
    command.deadline = clock.now() + 1s;
    router.post_command(shards.at(1), std::move(command),
                        [this](CommandResult r) { results.push_back(std::move(r)); });
    shards.run();
    EXPECT_EQ(outcomes(), Outcomes{CommandOutcome::Refused});
}

TEST_F(CommandRouterTest, AfterTheDeadlineNobodyWaits) {
    post(1, 1.0);
    shards.advance(5s);
    EXPECT_EQ(outcomes(), Outcomes{CommandOutcome::TimedOut});
    answer(0);
    EXPECT_EQ(results.size(), 1u);
    post(1, 1.0, "", -1s);
    EXPECT_EQ(results[1].outcome, CommandOutcome::TimedOut);
    EXPECT_EQ(target.seen.size(), 1u);
}

TEST_F(CommandRouterTest, TheSameKeyIsDoneOnce) {
    post(1, 1.0, "k");
    post(1, 1.0, "k");
    EXPECT_EQ(target.seen.size(), 1u);
    answer(0);
    EXPECT_EQ(outcomes(), Outcomes(2, CommandOutcome::Written));
    post(1, 1.0, "k");
    EXPECT_EQ(outcomes(), Outcomes(3, CommandOutcome::Written));
    EXPECT_EQ(target.seen.size(), 1u);
    post(1, 2.0, "k");
    EXPECT_EQ(results[3].outcome, CommandOutcome::Refused);
}

TEST_F(CommandRouterTest, AKeyLivesForADay) {
    post(1, 1.0, "k");
    answer(0);
    shards.advance(23h);
    post(1, 1.0, "k");
    EXPECT_EQ(target.seen.size(), 1u);
    shards.advance(2h);
    post(1, 1.0, "k");
    EXPECT_EQ(target.seen.size(), 2u);
}

TEST_F(CommandRouterTest, ALateAnswerCorrectsWhatTheKeySays) {
    post(1, 1.0, "k");
    shards.advance(5s);
    post(1, 1.0, "k");
    EXPECT_EQ(outcomes(), Outcomes(2, CommandOutcome::TimedOut));
    answer(0);
    post(1, 1.0, "k");
    EXPECT_EQ(results[2].outcome, CommandOutcome::Written);
    EXPECT_EQ(target.seen.size(), 1u);
}

TEST_F(CommandRouterTest, ARefusedCommandMayBeRepeatedUnderItsKey) {
    post(4, 51.0, "k");
    post(4, 50.0, "k");
    EXPECT_EQ(results[0].outcome, CommandOutcome::Refused);
    EXPECT_EQ(target.seen.size(), 1u);
}

}  // namespace
}  // namespace lineshaft::route
