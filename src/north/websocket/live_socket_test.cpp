#include "north/websocket/live_socket.h"

#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::live {
namespace {

using Json = nlohmann::json;
using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShards;

constexpr TenantId tenant{1};

class FakeWebSocket final : public net::WebSocket {
public:
    void send_text(std::string message) override { texts.push_back(Json::parse(message)); }
    void send_binary(std::string message) override { frames.push_back(std::move(message)); }
    std::size_t unsent_bytes() const override { return unsent; }
    void close() override { closed = true; }

    std::vector<Json> texts;
    std::vector<std::string> frames;
    std::size_t unsent = 0;
    bool closed = false;
};

class LiveSocketTest : public ::testing::Test {
protected:
    LiveSocketTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory = std::filesystem::path(::testing::TempDir()) / fmt::format("live-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        audit = audit::Log::open(disk, clock, *pool, {"audit"}).value();
        registry =
            registry::Registry::create(shards, *pool, audit.get(), {registry::database_path(directory.string())})
                .value();
        access = access::Access::create(*registry, *pool, {.argon2_kib = 64, .argon2_passes = 1}).value();
        board = alarms::Board::create(shards, *registry).value();
        store::Options options;
        options.path = "/store";
        store = store::Historians::create(shards, disk, *pool, *pool, options).value();
        for (std::size_t i = 0; i < 2; ++i) {
            const ShardId id(static_cast<std::uint16_t>(i));
            hubs.push_back(std::make_unique<LiveHub>(shards.at(i), shards, store->at(id)));
        }
        for (std::size_t i = 0; i < 2; ++i) {
            desks.push_back(std::make_unique<LiveDesk>(shards.at(i), std::vector{hubs[0].get(), hubs[1].get()}));
        }
        for (auto& hub : hubs) hub->connect({desks[0].get(), desks[1].get()});
        services = std::make_unique<Services>(Services{
            shards.at(0), shards, *registry, *access, *board, *desks[0],
            [](const alarms::AlarmList& list, TenantId) { return Json{{"items", list.alarms.size()}}.dump(); }});
        temp = make_tag("Line3/Filler", "temp", ValueType::Double);
        state = make_tag("Line3/Filler", "state", ValueType::String);
        on = make_tag("Line3/Capper", "on", ValueType::Bool);
        principal = make_token(access::Role::Viewer);
        connect();
    }
    ~LiveSocketTest() override {
        handler.reset();
        store->close(shards.at(0), [] {});
        shards.run();
        store.reset();
        board.reset();
        access.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    void connect() {
        handler = make_live_socket(*services, principal);
        handler->on_open(socket);
    }
    access::Principal make_token(access::Role role) {
        access::NewToken wanted;
        wanted.name = "screen";
        wanted.role = role;
        std::string secret;
        access->post_create_token(shards.at(0), tenant, wanted, {"user anna", ""},
                                  [&](Result<access::MadeToken> made) {
                                      token_id = made.value().id;
                                      secret = made.value().secret;
                                  });
        shards.run();
        return access->check_token(shards.at(0), secret).value();
    }
    registry::Changed must(registry::Change change) {
        std::optional<Result<registry::Changed>> answer;
        registry->post_change(shards.at(0), tenant, std::move(change), {"user anna", ""},
                              [&](Result<registry::Changed> result) { answer = std::move(result); });
        shards.run();
        return answer->value();
    }
    TagId make_tag(const std::string& device, const std::string& address, ValueType type) {
        const auto* known = registry->snapshot(shards.at(0))->device_named(tenant, device);
        const DeviceId id =
            known ? known->id : DeviceId(must(registry::CreateDevice{.name = device, .protocol = "mqtt"}).id);
        return must(
                   registry::SetDeviceTags{.device = id, .tags = {{.address = address, .type = type, .unit = "Cel"}}})
            .tags.at(0);
    }
    std::size_t home(TagId id) {
        const registry::Snapshot& snapshot = *registry->snapshot(shards.at(0));
        return home_shard(tenant, snapshot.device(snapshot.tag(id)->device)->name, shards.count()).value();
    }
    void sample(TagId id, const Value& value, UtcTime time, Quality quality = Quality::good) {
        Batch batch;
        batch.receive_time = clock.utc_now();
        batch.add(id, time, value, quality);
        auto& historian = store->at(ShardId(static_cast<std::uint16_t>(home(id))));
        historian.register_series(id, {fmt::format("tag {}", id.value()), "", type_of(value), "d"});
        historian.offer(batch);
        hubs[home(id)]->offer(batch);
        shards.advance(publish_period);
    }
    void say(const std::string& text) {
        handler->on_text(text);
        shards.run();
    }
    /// The newest text frame of that op.
    Json last(const std::string& op) {
        for (auto at = socket.texts.rbegin(); at != socket.texts.rend(); ++at) {
            if ((*at)["op"] == op) return *at;
        }
        return {};
    }
    struct Value24 {
        std::uint32_t index, quality;
        double time_ms, value;
    };
    static std::vector<Value24> decode(const std::string& frame) {
        ByteReader reader(as_bytes(frame));
        EXPECT_EQ(reader.text(4), "LSV1");
        std::vector<Value24> values(reader.le<std::uint32_t>());
        for (Value24& v : values) {
            v.index = reader.le<std::uint32_t>();
            v.quality = reader.le<std::uint32_t>();
            v.time_ms = reader.le<double>();
            v.value = reader.le<double>();
        }
        EXPECT_TRUE(reader.ok());
        EXPECT_EQ(reader.left(), 0u);
        return values;
    }

    ManualClock clock;
    ManualShards shards{2, clock};
    ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<access::Access> access;
    std::unique_ptr<alarms::Board> board;
    std::unique_ptr<store::Historians> store;
    std::vector<std::unique_ptr<LiveHub>> hubs;
    std::vector<std::unique_ptr<LiveDesk>> desks;
    std::unique_ptr<Services> services;
    TagId temp, state, on;
    std::uint64_t token_id = 0;
    access::Principal principal;
    FakeWebSocket socket;
    std::unique_ptr<net::WebSocketHandler> handler;
};

TEST_F(LiveSocketTest, NamesTheTagsBeforeTheirFirstValue) {
    sample(temp, 21.5, clock.utc_now());
    handler->on_text(R"({"op":"subscribe","tags":["Line3/Filler/temp"]})");
    ASSERT_EQ(socket.texts.size(), 1u);
    EXPECT_TRUE(socket.frames.empty());
    const Json tag = socket.texts[0]["tags"][0];
    EXPECT_EQ(tag, (Json{{"index", 0},
                         {"id", fmt::format("{}", temp.value())},
                         {"path", "Line3/Filler/temp"},
                         {"unit", "Cel"},
                         {"type", "double"}}));
    shards.run();
    ASSERT_EQ(socket.frames.size(), 1u);
    EXPECT_EQ(decode(socket.frames[0]).at(0).value, 21.5);
}

TEST_F(LiveSocketTest, AFrameIsTheExampleOfItsDocument) {
    say(R"({"op":"subscribe","tags":["Line3/Capper/on","Line3/Filler/state","Line3/Filler/temp"]})");
    sample(temp, 21.5, UtcTime(1'000'000'000));
    constexpr unsigned char expected[] = {0x4c, 0x53, 0x56, 0x31, 0x01, 0, 0, 0,    0x02, 0,   0,
                                          0,    0,    0,    0,    0,    0, 0, 0,    0,    0,   0x40,
                                          0x8f, 0x40, 0,    0,    0,    0, 0, 0x80, 0x35, 0x40};
    ASSERT_EQ(socket.frames.size(), 1u);
    EXPECT_EQ(socket.frames[0], std::string(reinterpret_cast<const char*>(expected), sizeof expected));
}

TEST_F(LiveSocketTest, APrefixSubscribesEverythingBelowIt) {
    say(R"({"op":"subscribe","prefix":"Line3/Filler"})");
    EXPECT_EQ(last("tags")["tags"].size(), 2u);
    say(R"({"op":"subscribe","prefix":""})");
    EXPECT_EQ(last("tags")["tags"].size(), 3u);
    say(R"({"op":"subscribe","prefix":"Line4"})");
    EXPECT_EQ(last("tags")["tags"].size(), 0u);
}

TEST_F(LiveSocketTest, AnUnknownTagIsToldAndTheOthersAreShown) {
    say(R"({"op":"subscribe","tags":["none",7,"Line3/Capper/on"]})");
    EXPECT_EQ(last("error")["code"], "LS-1003");
    EXPECT_NE(last("error")["detail"].get<std::string>().find("none"), std::string::npos);
    EXPECT_EQ(last("tags")["tags"].size(), 1u);
}

TEST_F(LiveSocketTest, SwitchesAreZeroAndOneTextsComeAsTextBadValuesAsNaN) {
    say(R"({"op":"subscribe","prefix":""})");
    sample(on, true, clock.utc_now());
    EXPECT_EQ(decode(socket.frames.at(0)).at(0).value, 1.0);
    sample(temp, std::nan(""), clock.utc_now(), Quality::bad_no_communication);
    const Value24 bad = decode(socket.frames.at(1)).at(0);
    EXPECT_TRUE(std::isnan(bad.value));
    EXPECT_EQ(bad.quality, Quality::bad_no_communication.code());
    const UtcTime now = clock.utc_now();
    sample(state, std::string("running"), now);
    EXPECT_EQ(socket.frames.size(), 2u);
    const Json item = last("strings")["items"][0];
    EXPECT_EQ(item["value"], "running");
    EXPECT_EQ(item["quality"], 0);
    EXPECT_EQ(item["time"], static_cast<double>(now.ns()) / 1e6);
}

TEST_F(LiveSocketTest, AnIndexNeverNamesAnotherTag) {
    say(R"({"op":"subscribe","tags":["Line3/Filler/temp"]})");
    say(R"({"op":"unsubscribe","tags":["Line3/Filler/temp"]})");
    say(R"({"op":"subscribe","tags":["Line3/Capper/on"]})");
    EXPECT_EQ(last("tags")["tags"][0]["index"], 1);
    say(R"({"op":"subscribe","tags":["Line3/Filler/temp"]})");
    EXPECT_EQ(last("tags")["tags"][0]["index"], 0);
}

TEST_F(LiveSocketTest, UnsubscribedTagsSendNothing) {
    say(R"({"op":"subscribe","prefix":""})");
    say(R"({"op":"unsubscribe","prefix":"Line3/Filler"})");
    sample(temp, 1.0, clock.utc_now());
    EXPECT_TRUE(socket.frames.empty());
    sample(on, true, clock.utc_now());
    EXPECT_EQ(socket.frames.size(), 1u);
}

TEST_F(LiveSocketTest, ASocketThatDoesNotReadSkipsValuesAndGetsTheNewestLater) {
    say(R"({"op":"subscribe","tags":["Line3/Filler/temp"]})");
    socket.unsent = 2 * 1024 * 1024;
    sample(temp, 1.0, clock.utc_now());
    sample(temp, 2.0, clock.utc_now());
    EXPECT_TRUE(socket.frames.empty());
    socket.unsent = 0;
    sample(temp, 3.0, clock.utc_now());
    ASSERT_EQ(socket.frames.size(), 1u);
    EXPECT_EQ(decode(socket.frames[0]).at(0).value, 3.0);
}

TEST_F(LiveSocketTest, TheLastValueBeforeASourceFellSilentIsNotLostToASlowSocket) {
    say(R"({"op":"subscribe","tags":["Line3/Filler/temp","Line3/Filler/state"]})");
    socket.unsent = 2 * 1024 * 1024;
    sample(temp, 1.0, clock.utc_now());
    sample(temp, 2.0, clock.utc_now());
    sample(state, std::string("stopped"), clock.utc_now());
    socket.unsent = 0;
    handler->on_drained();
    shards.advance(1s);
    ASSERT_EQ(socket.frames.size(), 1u);
    const auto values = decode(socket.frames[0]);
    ASSERT_EQ(values.size(), 1u);
    EXPECT_EQ(values[0].value, 2.0);
    EXPECT_EQ(last("strings")["items"][0]["value"], "stopped");
}

TEST_F(LiveSocketTest, AlarmsComeAtOnceAndWithEachChange) {
    say(R"({"op":"alarms"})");
    EXPECT_EQ(last("alarms")["items"], 0);
    say(R"({"op":"alarms"})");
    EXPECT_EQ(socket.texts.size(), 1u);
    ConditionEvent event;
    event.rule = RuleId(1);
    event.tag = temp;
    event.active = true;
    event.time = clock.utc_now();
    board->post_event(event);
    socket.unsent = 2 * 1024 * 1024;  // Alarms are not skipped.
    shards.advance(1s);
    EXPECT_EQ(last("alarms")["items"], 1);
}

TEST_F(LiveSocketTest, WhatItDoesNotUnderstandIsAnswered) {
    for (const char* text : {"", "hello", "[]", "{}", R"({"op":7})"}) {
        socket.texts.clear();
        say(text);
        EXPECT_EQ(last("error")["code"], "LS-1002") << text;
    }
    say(R"({"op":"dance"})");
    EXPECT_EQ(last("error")["code"], "LS-1001");
    handler->on_binary("x");
    EXPECT_EQ(last("error")["code"], "LS-1008");
    EXPECT_FALSE(last("error")["remedy"].get<std::string>().empty());
    EXPECT_FALSE(socket.closed);
}

TEST_F(LiveSocketTest, ARevokedTokenLosesTheSocketWithinSeconds) {
    access->post_delete_token(shards.at(0), tenant, token_id, {"user anna", ""}, [](const Result<void>&) {});
    shards.advance(5s);
    EXPECT_TRUE(socket.closed);
}

TEST_F(LiveSocketTest, AClosedSocketWatchesNothingAnyMore) {
    say(R"({"op":"subscribe","prefix":""})");
    say(R"({"op":"alarms"})");
    handler->on_closed();
    handler.reset();
    socket.texts.clear();
    sample(temp, 1.0, clock.utc_now());
    EXPECT_TRUE(socket.frames.empty());
    EXPECT_TRUE(socket.texts.empty());
    shards.advance(1min);
    EXPECT_FALSE(socket.closed);
}

TEST_F(LiveSocketTest, TagsOfAnotherTenantDoNotExist) {
    principal.tenant = TenantId(2);
    handler.reset();
    connect();
    say(R"({"op":"subscribe","tags":["Line3/Filler/temp"],"prefix":""})");
    EXPECT_EQ(last("tags")["tags"].size(), 0u);
    EXPECT_EQ(last("error")["code"], "LS-1003");
}

}  // namespace
}  // namespace lineshaft::live
