/// For tests: the API over real rooms, without threads, sockets or an adapter.
///
///   const Answer answer = ask("GET", "/api/v1/tags?q=temp", engineer);
///   EXPECT_EQ(answer.status, 200u);
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "north/rest/internal/call.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::rest {

/// An adapter "modbus" whose settings {"tags":["a","b"]} name its tags; {"bad":…} is refused.
class FakeExtras final : public Extras {
public:
    void status(Shard&, Done done) override { done(std::string(R"({"ports":[1883],"store":{"extra":true}})")); }
    void connection(Shard&, const registry::Device& device, Done done) override {
        done(std::string(device.protocol == "modbus" ? R"({"state":"connected"})" : ""));
    }
    Result<std::vector<registry::NewTag>> check_settings(const std::string&, const std::string& json) override {
        const Json settings = Json::parse(json, nullptr, false);
        if (!settings.is_object()) return std::vector<registry::NewTag>();
        if (settings.contains("bad")) return fail(ErrorCode::InvalidArgument, "bad");
        std::vector<registry::NewTag> tags;
        for (const Json& name : settings.value("tags", Json::array())) tags.push_back({.address = name});
        return tags;
    }
    void modbus_test(Shard&, const std::string& json, Done done) override {
        if (json.empty()) return done(fail(ErrorCode::InvalidArgument));
        done(std::string(R"({"ok":true})"));
    }
    void modbus_read(Shard&, const std::string&, Done done) override { done(std::string(R"({"items":[]})")); }
    Result<std::string> registers_csv(const std::string&) override { return std::string("address,name\r\n1,a\r\n"); }
    Result<CsvMerge> merge_csv(const std::string&, const std::string& csv) override {
        if (csv == "bad") return CsvMerge{"", 0, R"([{"line":1,"message":"bad"}])"};
        return CsvMerge{R"({"tags":["merged"]})", 1, "[]"};
    }
};

class FakeCommands final : public flow::CommandSink {
public:
    void post_command(Shard&, Command command, Done done) override {
        given.push_back(std::move(command));
        done({CommandOutcome::Written, "done"});
    }
    std::vector<Command> given;
};

/// Keeps the readings it is given and says at once that they are durable.
class FakeReadings final : public flow::ReadingSink {
public:
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        const ReadingBatch taken = std::move(batch);
        for (const Reading& r : taken.readings) lines.push_back(fmt::format("{}|{}", r.device, r.address));
        later.push_back([done = std::move(settled)]() mutable { done({}); });
        shard->post([this] {
            for (Task& task : std::exchange(later, {})) task();
        });
        return flow::Took::All;
    }
    void when_ready(Task task) override { shard->post(std::move(task)); }
    Shard* shard = nullptr;
    std::vector<std::string> lines;
    std::vector<Task> later;
};

struct Answer {
    unsigned status = 0;
    std::map<std::string, std::string> headers;
    std::string body;
    Json json() const { return Json::parse(body, nullptr, false); }
    std::string code() const { return json().value("code", ""); }
};

class TestHouse : public ::testing::Test {
protected:
    static constexpr TenantId tenant{1};

    TestHouse() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory = std::filesystem::path(::testing::TempDir()) / fmt::format("rest-{}-{}", info->name(), ::getpid());
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
        fleet = fleet::Engine::create(shards, *registry, *store, *pool);
        const transfer::ExportRooms transfer_rooms{shards, *store, *pool, disk};
        exports =
            transfer::Exports::create(transfer_rooms, shards.at(0), {.directory = "/exports", .disk_free_min = 0})
                .value();
        readings.shard = &shards.at(0);
        imports = transfer::Imports::create(disk, *pool, shards.at(0), readings,
                                            {.directory = "/imports", .disk_free_min = 0})
                      .value();
        transfers = std::make_unique<transfer::Transfers>(*exports, *imports, transfer_rooms);
        api = std::make_unique<Api>(Services{shards.at(1), shards, *registry, *access, *store, *board, *audit,
                                             commands, extras, "9.9.9", R"({"openapi":"3.1.0"})", "openapi: 3.1.0",
                                             nullptr, fleet.get(), transfers.get()});
        viewer = token(access::Role::Viewer);
        oper = token(access::Role::Operator);
        engineer = token(access::Role::Engineer);
        admin = token(access::Role::Administrator);
    }
    ~TestHouse() override {
        fleet->close(shards.at(0), [] {});
        store->close(shards.at(0), [] {});
        shards.run();
        api.reset();
        fleet.reset();
        store.reset();
        board.reset();
        access.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    std::string token(access::Role role, access::Scopes scopes = {}, std::string device = {}) {
        access::NewToken wanted;
        wanted.name = fmt::format("token-{}", ++tokens_made);
        wanted.role = role;
        wanted.scopes = scopes;
        wanted.device = std::move(device);
        std::string secret;
        access->post_create_token(shards.at(1), tenant, wanted, {"user anna", ""},
                                  [&](Result<access::MadeToken> made) { secret = made.value().secret; });
        shards.run();
        return secret;
    }
    registry::Changed must(registry::Change change, TenantId in = tenant) {
        std::optional<Result<registry::Changed>> answer;
        registry->post_change(shards.at(1), in, std::move(change), {"user anna", ""},
                              [&](Result<registry::Changed> result) { answer = std::move(result); });
        shards.run();
        return answer->value();
    }
    TagId make_tag(const std::string& device, const std::string& address, ValueType type = ValueType::Double) {
        const auto* known = registry->snapshot(shards.at(1))->device_named(tenant, device);
        const DeviceId id =
            known ? known->id : DeviceId(must(registry::CreateDevice{.name = device, .protocol = "mqtt"}).id);
        return must(registry::SetDeviceTags{.device = id, .tags = {{.address = address, .type = type}}}).tags.at(0);
    }
    store::Historian& home_of(TagId id) {
        const registry::Snapshot& snapshot = *registry->snapshot(shards.at(1));
        return store->at(home_shard(tenant, snapshot.device(snapshot.tag(id)->device)->name, shards.count()));
    }
    void record(TagId id, const Value& value, UtcTime time, Quality quality = Quality::good) {
        const registry::Tag& tag = *registry->snapshot(shards.at(1))->tag(id);
        home_of(id).register_series(id, {tag.path, tag.unit, tag.type, "", tenant});
        Batch batch;
        batch.receive_time = clock.utc_now();
        batch.add(id, time, value, quality);
        home_of(id).offer(batch);
        shards.run();
    }

    static net::HttpRequest request(std::string method, std::string_view target, std::string body = {}) {
        net::HttpRequest made;
        made.method = std::move(method);
        const auto mark = target.find('?');
        made.path = target.substr(0, mark);
        for (std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1); !rest.empty();) {
            const auto end = rest.find('&');
            const std::string_view pair = rest.substr(0, end);
            const auto equals = pair.find('=');
            made.query.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        }
        made.body = std::move(body);
        made.peer.address.host = "10.0.0.7";
        return made;
    }
    Answer ask(net::HttpRequest request) {
        std::optional<Answer> answer;
        int answers = 0;
        api->handle(std::move(request), [&](net::HttpResponse response) {
            ++answers;
            answer = Answer{response.status, {}, std::move(response.body)};
            for (auto& [name, value] : response.headers) answer->headers[name] = value;
        });
        shards.run();
        EXPECT_EQ(answers, 1);
        return answer.value_or(Answer());
    }
    Answer ask(std::string method, std::string_view target, std::string_view token = {}, std::string body = {}) {
        net::HttpRequest made = request(std::move(method), target, std::move(body));
        if (!token.empty()) made.headers.emplace_back("authorization", "Bearer " + std::string(token));
        return ask(std::move(made));
    }
    Answer get(std::string_view target) { return ask("GET", target, viewer); }
    /// The field `name` of each item of a list.
    static std::vector<std::string> column(const Json& list, const char* name) {
        std::vector<std::string> values;
        for (const Json& item : list.at("items")) values.push_back(item.at(name));
        return values;
    }

    testing::ManualClock clock;
    testing::ManualShards shards{2, clock};
    testing::ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    FakeExtras extras;
    FakeCommands commands;
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<access::Access> access;
    std::unique_ptr<alarms::Board> board;
    std::unique_ptr<store::Historians> store;
    std::unique_ptr<fleet::Engine> fleet;
    FakeReadings readings;
    std::unique_ptr<transfer::Exports> exports;
    std::unique_ptr<transfer::Imports> imports;
    std::unique_ptr<transfer::Transfers> transfers;
    std::unique_ptr<Api> api;
    int tokens_made = 0;
    std::string viewer, oper, engineer, admin;
};

}  // namespace lineshaft::rest
