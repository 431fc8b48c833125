#include "app/http_door.h"

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::app {
namespace {

using lineshaft::testing::ForgetfulDisk;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShards;

constexpr TenantId tenant{1};

class Readings final : public flow::ReadingSink {
public:
    explicit Readings(Shard& own) : shard(own) {}
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        count += batch.size();
        const ReadingBatch taken = std::move(batch);
        shard.post([settled = std::move(settled)]() mutable { settled({}); });
        return flow::Took::All;
    }
    void when_ready(Task) override {}
    Shard& shard;
    std::size_t count = 0;
};

class NoExtras final : public rest::Extras {
public:
    void status(Shard&, Done done) override { done(std::string("{}")); }
    void connection(Shard&, const registry::Device&, Done done) override { done(std::string()); }
    Result<std::vector<registry::NewTag>> check_settings(const std::string&, const std::string&) override {
        return std::vector<registry::NewTag>();
    }
    void modbus_test(Shard&, const std::string&, Done done) override { done(std::string("{}")); }
    void modbus_read(Shard&, const std::string&, Done done) override { done(std::string("{}")); }
    Result<std::string> registers_csv(const std::string&) override { return std::string(); }
    Result<CsvMerge> merge_csv(const std::string&, const std::string&) override { return CsvMerge(); }
};

class NoCommands final : public flow::CommandSink {
public:
    void post_command(Shard&, Command, Done done) override { done({}); }
};

class HttpDoorTest : public ::testing::Test {
protected:
    HttpDoorTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory = std::filesystem::path(::testing::TempDir()) / fmt::format("door-{}-{}", info->name(), ::getpid());
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
        hub = std::make_unique<live::LiveHub>(shards.at(0), shards, store->at(ShardId(0)));
        desk = std::make_unique<live::LiveDesk>(shards.at(0), std::vector{hub.get()});
        hub->connect({desk.get()});
        live = std::make_unique<live::Services>(
            live::Services{shards.at(0), shards, *registry, *access, *board, *desk, rest::alarms_text});
        api = std::make_unique<rest::Api>(rest::Services{shards.at(0), shards, *registry, *access, *store, *board,
                                                         *audit, commands, extras, "1", "{}", ""});
        const auto authenticate = [this](const net::HttpRequest& request) -> Result<south::Sender> {
            auto who = rest::identify_now(shards.at(0), *access, request);
            if (!who) return std::unexpected(who.error());
            return south::Sender{who->tenant, who->name, who->device, true};
        };
        ingest =
            std::make_unique<south::HttpIngest>(shards.at(0), readings, authenticate, south::HttpIngest::Options());
        door = std::make_unique<HttpDoor>(
            HttpDoor::Rooms{shards.at(0), *access, *ingest, *api, *live, [](std::unique_ptr<Stream>) {}});
        access::NewToken wanted;
        wanted.name = "telegraf";
        wanted.role = access::Role::Engineer;
        access->post_create_token(shards.at(0), tenant, wanted, {"user anna", ""},
                                  [&](Result<access::MadeToken> made) { secret = made.value().secret; });
        shards.run();
    }
    ~HttpDoorTest() override {
        store->close(shards.at(0), [] {});
        shards.run();
        door.reset();
        ingest.reset();
        api.reset();
        store.reset();
        board.reset();
        access.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    net::HttpRequest request(std::string method, std::string path, std::string body = {}) {
        net::HttpRequest made;
        made.method = std::move(method);
        made.path = std::move(path);
        made.body = std::move(body);
        made.headers = {{"host", "plant.example:8443"}, {"authorization", "Bearer " + secret}};
        return made;
    }
    net::HttpResponse ask(net::HttpRequest request) {
        std::optional<net::HttpResponse> answer;
        door->handle(std::move(request), [&](net::HttpResponse response) { answer = std::move(response); });
        shards.advance(1s);
        EXPECT_TRUE(answer.has_value());
        return answer ? std::move(*answer) : net::HttpResponse();
    }
    /// 101 when it is let in.
    unsigned upgrade(net::HttpRequest request) {
        const auto handler = door->upgrade(request);
        return handler ? 101 : handler.error().status;
    }
    net::HttpRequest from(const std::string& origin) {
        net::HttpRequest made = request("GET", "/api/v1/live");
        made.headers.emplace_back("origin", origin);
        return made;
    }
    static std::string header(const net::HttpResponse& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) return value;
        }
        return {};
    }

    ManualClock clock;
    ManualShards shards{1, clock};
    ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    NoExtras extras;
    NoCommands commands;
    Readings readings{shards.at(0)};
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<access::Access> access;
    std::unique_ptr<alarms::Board> board;
    std::unique_ptr<store::Historians> store;
    std::unique_ptr<live::LiveHub> hub;
    std::unique_ptr<live::LiveDesk> desk;
    std::unique_ptr<live::Services> live;
    std::unique_ptr<rest::Api> api;
    std::unique_ptr<south::HttpIngest> ingest;
    std::unique_ptr<HttpDoor> door;
    std::string secret;
};

TEST_F(HttpDoorTest, EachPathGoesToTheRoomThatAnswersIt) {
    EXPECT_EQ(ask(request("GET", "/api/v1/tags")).status, 200u);
    EXPECT_EQ(ask(request("GET", "/api/v1/nothing")).status, 404u);
    EXPECT_EQ(ask(request("POST", "/api/v1/telemetry", R"({"device":"d","values":{"x":1}})")).status, 204u);
    EXPECT_EQ(readings.count, 1u);
    EXPECT_EQ(ask(request("POST", "/write", "cpu,host=a value=1\n")).status, 204u);
    EXPECT_EQ(readings.count, 2u);
    EXPECT_EQ(ask(request("GET", "/")).status, 200u);
    EXPECT_EQ(ask(request("GET", "/trends/7")).status, 200u);
}

TEST_F(HttpDoorTest, AnswersOfTheApiForbidWhatABrowserMustNotDo) {
    EXPECT_EQ(header(ask(request("GET", "/api/v1/tags")), "X-Content-Type-Options"), "nosniff");
}

TEST_F(HttpDoorTest, TheLiveSocketTakesProgramsAndPagesOfItsOwnSite) {
    EXPECT_EQ(upgrade(request("GET", "/api/v1/live")), 101u);
    EXPECT_EQ(upgrade(from("https://plant.example:8443")), 101u);
    EXPECT_EQ(upgrade(from("http://plant.example:8443")), 101u);
}

TEST_F(HttpDoorTest, TheLiveSocketRefusesPagesOfOtherSites) {
    for (const char* origin : {"https://evil.example", "https://plant.example",
                               "https://plant.example:8443.evil.example", "https://evil.example/plant.example:8443",
                               "https://x@plant.example:8443", "null", "plant.example:8443", "https://"}) {
        EXPECT_EQ(upgrade(from(origin)), 403u) << origin;
    }
}

TEST_F(HttpDoorTest, TheLiveSocketTakesOnlyWhoMayReadAndOnlyItsPath) {
    net::HttpRequest stranger = request("GET", "/api/v1/live");
    stranger.headers.pop_back();
    EXPECT_EQ(upgrade(std::move(stranger)), 401u);
    EXPECT_EQ(upgrade(request("GET", "/api/v1/other")), 404u);
    access::NewToken wanted;
    wanted.name = "filler";
    wanted.device = "Line3/Filler";
    wanted.scopes.add(access::Scope::TelemetryWrite);
    access->post_create_token(shards.at(0), tenant, wanted, {"user anna", ""},
                              [&](Result<access::MadeToken> made) { secret = made.value().secret; });
    shards.run();
    EXPECT_EQ(upgrade(request("GET", "/api/v1/live")), 403u);
}

TEST_F(HttpDoorTest, MqttOverWebSocketIsForProgramsAndPagesOfItsOwnSite) {
    std::function<void(std::unique_ptr<Stream>)> accept;
    EXPECT_TRUE(door->upgrade_stream(request("GET", "/mqtt"), accept));
    EXPECT_TRUE(static_cast<bool>(accept));
    EXPECT_TRUE(door->upgrade_stream(from("https://plant.example:8443"), accept));
    EXPECT_FALSE(door->upgrade_stream(from("https://evil.example"), accept));
    HttpDoor closed(HttpDoor::Rooms{shards.at(0), *access, *ingest, *api, *live, {}});
    EXPECT_FALSE(closed.upgrade_stream(request("GET", "/mqtt"), accept));
}

}  // namespace
}  // namespace lineshaft::app
