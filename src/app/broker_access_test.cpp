#include "app/broker_access.h"

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/bytes.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"
#include "support/memory_network.h"

namespace lineshaft::app {
namespace {

using access::Role;
using access::Scope;
using lineshaft::testing::ForgetfulDisk;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShards;
using lineshaft::testing::MemoryNetwork;
using enum mqtt::Access;

constexpr TenantId tenant{1};
const Peer local_plain{.address = {"127.0.0.1", 1}, .loopback = true};

class Nowhere final : public flow::ReadingSink {
public:
    flow::Took offer(ReadingBatch&, flow::Settled&) override { return flow::Took::None; }
    void when_ready(Task) override {}
};

class BrokerAccessTest : public ::testing::Test {
protected:
    BrokerAccessTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory =
            std::filesystem::path(::testing::TempDir()) / fmt::format("broker-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        audit = audit::Log::open(disk, clock, *pool, {"audit"}).value();
        registry =
            registry::Registry::create(shards, *pool, audit.get(), {registry::database_path(directory.string())})
                .value();
        access = access::Access::create(*registry, *pool, {.argon2_kib = 64, .argon2_passes = 1}).value();
        door = std::make_unique<BrokerAccess>(shards, *access, BrokerAccess::Policy());
    }
    ~BrokerAccessTest() override {
        door.reset();
        access.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    access::MadeToken token(Role role, std::initializer_list<Scope> scopes = {}, std::string device = {},
                            std::string name = "telegraf") {
        access::NewToken wanted;
        wanted.name = std::move(name);
        wanted.role = role;
        for (const Scope scope : scopes) wanted.scopes.add(scope);
        wanted.device = std::move(device);
        access::MadeToken result;
        access->post_create_token(shards.at(0), tenant, wanted, {"user anna", ""},
                                  [&](Result<access::MadeToken> made) { result = made.value(); });
        shards.run();
        return result;
    }
    void revoke(std::uint64_t id) {
        access->post_delete_token(shards.at(0), tenant, id, {"user anna", ""}, [](const Result<void>&) {});
        shards.run();
    }
    Result<mqtt::Identity> authenticate(mqtt::Credentials credentials) {
        std::optional<Result<mqtt::Identity>> answer;
        door->authenticate(shards.at(0), std::move(credentials),
                           [&](Result<mqtt::Identity> identity) { answer = std::move(identity); });
        shards.run();
        return std::move(*answer);
    }
    mqtt::Identity with(const access::MadeToken& made) {
        return authenticate({.client_id = "c", .user_name = "any", .password = made.secret, .peer = {}}).value();
    }

    ManualClock clock;
    ManualShards shards{1, clock};
    ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<access::Access> access;
    std::unique_ptr<BrokerAccess> door;
};

TEST_F(BrokerAccessTest, ATokenIsThePasswordOrTheUserName) {
    const std::string secret = token(Role::Engineer).secret;
    EXPECT_EQ(authenticate({.client_id = "", .user_name = "x", .password = secret, .peer = {}})->actor,
              "token telegraf");
    EXPECT_EQ(authenticate({.client_id = "", .user_name = {}, .password = secret, .peer = {}})->actor,
              "token telegraf");
    EXPECT_EQ(authenticate({.client_id = "", .user_name = secret, .password = {}, .peer = {}})->actor,
              "token telegraf");
}

TEST_F(BrokerAccessTest, WrongCredentialsAreRefusedEvenOnLoopback) {
    const std::string secret = token(Role::Engineer).secret;
    for (const char* wrong : {"", "ls_wrong", "admin"}) {
        EXPECT_EQ(
            authenticate({.client_id = "", .user_name = "x", .password = wrong, .peer = local_plain}).error().code(),
            ErrorCode::Unauthenticated);
    }
    // The password decides: a token as the user name does not help a wrong one.
    EXPECT_FALSE(authenticate({.client_id = "", .user_name = secret, .password = "wrong", .peer = local_plain}));
}

TEST_F(BrokerAccessTest, WithoutCredentialsOnlyPlainLoopbackIsLetInAndOnlyByPolicy) {
    EXPECT_EQ(authenticate({.client_id = "", .user_name = {}, .password = {}, .peer = local_plain})->actor,
              "anonymous");
    Peer encrypted = local_plain;
    encrypted.encrypted = true;
    EXPECT_FALSE(authenticate({.client_id = "", .user_name = {}, .password = {}, .peer = encrypted}));
    EXPECT_FALSE(authenticate({.client_id = "", .user_name = {}, .password = {}, .peer = {}}));
    door = std::make_unique<BrokerAccess>(shards, *access, BrokerAccess::Policy{false});
    EXPECT_FALSE(authenticate({.client_id = "", .user_name = {}, .password = {}, .peer = local_plain}));
}

TEST_F(BrokerAccessTest, EachMayWhatItsRoleAndScopesSay) {
    const auto anonymous = *authenticate({.client_id = "", .user_name = {}, .password = {}, .peer = local_plain});
    const mqtt::Identity engineer = with(token(Role::Engineer));
    const mqtt::Identity viewer = with(token(Role::Viewer));
    const mqtt::Identity collector = with(token(Role::Viewer, {Scope::TelemetryWrite}));
    const mqtt::Identity reader = with(token(Role::Viewer, {Scope::DataRead}));
    const mqtt::Identity device = with(token(Role::Viewer, {Scope::TelemetryWrite}, "Line3/Filler"));
    const mqtt::Identity op_reader = with(token(Role::Operator, {Scope::DataRead}));
    const mqtt::Identity op_collector = with(token(Role::Operator, {Scope::TelemetryWrite}));
    EXPECT_EQ(device.device, "Line3/Filler");
    EXPECT_EQ(device.actor, "device Line3/Filler");

    struct Row {
        mqtt::Access wish;
        const char* topic;
        const char*
            may;  // Of anonymous, engineer, viewer, collector, reader, device, and operators who may only read or write.
    };
    const Row rows[] = {
        {Publish, "a/b", "yy-y---y"},
        {Publish, "Line3/Filler", "yy-y-y-y"},
        {Publish, "Line3/Filler/temp", "yy-y-y-y"},
        {Publish, "Line3/Filler2/temp", "yy-y---y"},
        {Publish, "v1/devices/me/telemetry", "yy-y-y-y"},
        {Publish, "v1/devices/mean", "yy-y---y"},
        {Publish, "$SYS/broker/version", "--------"},
        {Subscribe, "#", "yyy-y-y-"},
        {Subscribe, "a/+", "yyy-y-y-"},
        {Subscribe, "Line3/Filler/#", "yyy-yyy-"},
        {Subscribe, "Line3/+/temp", "yyy-y-y-"},
        {Subscribe, "v1/devices/me/rpc/request/+", "yyyyyyyy"},
        {Subscribe, "$SYS/#", "yyy-y-y-"},
        {Receive, "Line3/Filler/temp", "yyy-yyy-"},
        {Receive, "a/b", "yyy-y-y-"},
        {Receive, "$SYS/broker/version", "yyy-y-y-"},
    };
    const mqtt::Identity* all[] = {&anonymous, &engineer, &viewer,    &collector,
                                   &reader,    &device,   &op_reader, &op_collector};
    for (const Row& row : rows) {
        std::string may;
        for (const mqtt::Identity* identity : all) may += identity->may(row.wish, row.topic) ? 'y' : '-';
        EXPECT_EQ(may, row.may) << static_cast<int>(row.wish) << ' ' << row.topic;
    }
}

/// A client on the wire: just enough of MQTT 3.1.1 to be let in and cut.
class Client final : public StreamHandler {
public:
    Client(MemoryNetwork& network, ManualShards& shards, char id, const std::string& secret) {
        network.connect({"broker", 1883}, 1s, [this](Result<std::unique_ptr<Stream>> made) {
            stream = *std::move(made);
            stream->start(*this);
        });
        shards.run();
        Bytes body, packet;
        ByteWriter writer(body);
        writer.be(std::uint16_t{4});
        writer.text("MQTT");
        writer.u8(4);
        writer.u8(0xC2);
        writer.be(std::uint16_t{0});
        writer.be(std::uint16_t{1});
        writer.u8(static_cast<std::uint8_t>(id));
        writer.be(std::uint16_t{1});
        writer.text("u");
        writer.be(static_cast<std::uint16_t>(secret.size()));
        writer.text(secret);
        ByteWriter(packet).u8(0x10);
        ByteWriter(packet).varint(body.size());
        ByteWriter(packet).bytes(body);
        stream->send(packet);
        shards.run();
    }
    void on_data(ByteView bytes) override { got.insert(got.end(), bytes.begin(), bytes.end()); }
    void on_closed(const Error&) override { closed = true; }
    bool is_in() const { return !closed && got.size() >= 4 && got[0] == std::byte{0x20} && got[3] == std::byte{0}; }

    std::unique_ptr<Stream> stream;
    Bytes got;
    bool closed = false;
};

TEST_F(BrokerAccessTest, RevokingATokenCutsItsConnectionsAlsoWhenAnotherHasTheSameName) {
    Nowhere nowhere;
    mqtt::Broker::Options options;
    options.doors = {{&shards.at(0), &nowhere, [](const mqtt::Publication&, ReadingBatch&) { return false; }}};
    options.directory = "/mqtt";
    auto broker = mqtt::Broker::create(std::move(options), disk, *pool, *door).value();
    door->watch(shards.at(0), *broker);
    MemoryNetwork network(shards.at(0));
    const auto listener = network.listen(
        {"broker", 1883}, [&](std::unique_ptr<Stream> stream) { broker->accept(0, std::move(stream)); });

    const auto other = token(Role::Engineer, {}, {}, "other");
    const auto old = token(Role::Viewer, {Scope::TelemetryWrite}, "Line3/Filler", "old");
    Client first(network, shards, 'a', old.secret);
    const auto fresh = token(Role::Viewer, {Scope::TelemetryWrite}, "Line3/Filler", "new");
    Client second(network, shards, 'b', fresh.secret);
    Client third(network, shards, 'c', other.secret);
    ASSERT_TRUE(first.is_in() && second.is_in() && third.is_in());
    revoke(old.id);
    EXPECT_TRUE(first.closed);
    EXPECT_FALSE(third.closed);
    EXPECT_TRUE(Client(network, shards, 'b', fresh.secret).is_in());
    EXPECT_FALSE(Client(network, shards, 'a', old.secret).is_in());

    bool ended = false;
    broker->post_close([&] { ended = true; });
    shards.advance(10s);
    EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace lineshaft::app
