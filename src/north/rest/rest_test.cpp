#include "north/rest/rest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

class RestTest : public TestHouse {
protected:
    Answer history(const std::string& query, const char* accept = "") {
        net::HttpRequest made = request("GET", "/api/v1/history?" + query);
        made.headers.emplace_back("authorization", "Bearer " + viewer);
        if (*accept) made.headers.emplace_back("accept", accept);
        return ask(std::move(made));
    }
    static std::string id_path(const char* kind, TagId id) { return fmt::format("/api/v1/{}/{}", kind, id.value()); }
    void raise_alarm(TagId tag, std::uint64_t rule = 1, bool active = true) {
        ConditionEvent event;
        event.rule = RuleId(rule);
        event.tag = tag;
        event.priority = Priority::High;
        event.active = active;
        event.time = clock.utc_now();
        event.value = 85;
        event.threshold = 80;
        board->post_event(event);
        shards.advance(100ms);
    }
};

TEST_F(RestTest, WhatDoesNotExistIsNotFoundAndWhatIsNotTakenIsSaid) {
    EXPECT_EQ(get("/api/v1/nothing").status, 404u);
    EXPECT_EQ(get("/api/v1").status, 404u);
    EXPECT_EQ(get("/api/v1/tags/").status, 404u);
    EXPECT_EQ(get("/api/v1/tags/1/2").status, 404u);
    const Answer put = ask("PUT", "/api/v1/tags", viewer);
    EXPECT_EQ(put.status, 405u);
    EXPECT_EQ(put.headers.at("Allow"), "GET");
    const Answer verb = get("/api/v1/alarms/7:ack");
    EXPECT_EQ(verb.status, 405u);
    EXPECT_EQ(verb.headers.at("Allow"), "POST");
    EXPECT_EQ(ask("POST", "/api/v1/alarms/:ack", admin).status, 404u);
    EXPECT_EQ(ask("POST", "/api/v1/devices/7:explode", admin).status, 404u);
}

TEST_F(RestTest, ItHandlesItsOwnPathsOnly) {
    EXPECT_TRUE(Api::handles(request("GET", "/api/v1/x")));
    EXPECT_TRUE(Api::handles(request("GET", "/health")));
    EXPECT_TRUE(Api::handles(request("GET", "/metrics")));
    EXPECT_FALSE(Api::handles(request("GET", "/")));
    EXPECT_FALSE(Api::handles(request("GET", "/healthy")));
}

TEST_F(RestTest, AProblemSaysWhatWhyAndWhatToDo) {
    const Answer answer = get("/api/v1/history?tags=no/such");
    EXPECT_EQ(answer.status, 404u);
    EXPECT_EQ(answer.headers.at("Content-Type"), "application/problem+json");
    const Json json = answer.json();
    EXPECT_EQ(json["code"], "LS-1003");
    EXPECT_EQ(json["type"], "/docs/errors#LS-1003");
    EXPECT_EQ(json["status"], 404);
    EXPECT_NE(json["detail"].get<std::string>().find("no/such"), std::string::npos);
    EXPECT_FALSE(json["title"].get<std::string>().empty());
    EXPECT_FALSE(json["remedy"].get<std::string>().empty());
    const net::HttpResponse busy = problem(Error(ErrorCode::Overloaded));
    EXPECT_NE(std::ranges::find(busy.headers, std::pair<std::string, std::string>("Retry-After", "2")),
              busy.headers.end());
}

TEST_F(RestTest, ABodyThatIsNoJsonObjectIsRefused) {
    EXPECT_EQ(ask("POST", "/api/v1/assets", engineer, "").status, 400u);
    EXPECT_EQ(ask("POST", "/api/v1/assets", engineer, "{").status, 400u);
    EXPECT_EQ(ask("POST", "/api/v1/assets", engineer, "[]").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/assets", engineer, R"({"name":7})").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/assets", engineer, R"({"name":""})").status, 422u);
}

TEST_F(RestTest, ABodyNestedTooDeepIsRefused) {
    for (const std::size_t depth : {std::size_t{100}, std::size_t{1'000'000}}) {
        const std::string body = R"({"name":"d","protocol":"modbus","settings":{"a":)" + std::string(depth, '[') +
                                 std::string(depth, ']') + "}}";
        EXPECT_EQ(ask("POST", "/api/v1/devices", engineer, body).status, 400u) << depth;
    }
}

TEST_F(RestTest, AssetsAreMadeMovedRenamedAndRemoved) {
    const auto make = [&](const Json& body) { return ask("POST", "/api/v1/assets", engineer, body.dump()); };
    const Answer lyon = make({{"name", "Lyon"}, {"level", "site"}});
    ASSERT_EQ(lyon.status, 201u);
    const std::string site = lyon.json()["id"];
    const Answer line = make({{"name", "Line3"}, {"level", "line"}, {"parent", site}});
    ASSERT_EQ(line.status, 201u);
    EXPECT_EQ(line.json()["path"], "Lyon/Line3");
    EXPECT_EQ(line.json()["parent"], site);
    const std::string path = "/api/v1/assets/" + line.json()["id"].get<std::string>();

    EXPECT_EQ(make({{"name", "Lyon"}}).status, 409u);
    EXPECT_EQ(make({{"name", "x"}, {"level", "galaxy"}}).status, 422u);
    EXPECT_EQ(make({{"name", "x"}, {"parent", "999"}}).status, 404u);
    EXPECT_EQ(ask("DELETE", "/api/v1/assets/" + site, engineer).status, 409u);

    EXPECT_EQ(ask("PATCH", path, engineer, R"({"name":"Line4"})").json()["path"], "Lyon/Line4");
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"parent":null})").json()["path"], "Line4");
    EXPECT_EQ(column(get("/api/v1/assets").json(), "path"), (std::vector<std::string>{"Line4", "Lyon"}));
    EXPECT_EQ(ask("DELETE", path, engineer).status, 204u);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"name":"x"})").status, 404u);
    EXPECT_EQ(ask("PATCH", "/api/v1/assets/abc", engineer, R"({"name":"x"})").status, 404u);
}

TEST_F(RestTest, DevicesAreMadeWithTheTagsOfTheirSettings) {
    const Json body = {{"name", "Line3/Filler"}, {"protocol", "modbus"}, {"settings", {{"tags", {"level", "temp"}}}}};
    const Answer made = ask("POST", "/api/v1/devices", engineer, body.dump());
    ASSERT_EQ(made.status, 201u) << made.body;
    EXPECT_EQ(made.json()["state"], "accepted");
    EXPECT_EQ(made.json()["tag_count"], 2);
    EXPECT_EQ(made.json()["settings"], body["settings"]);
    EXPECT_EQ(made.json()["connection"]["state"], "connected");
    EXPECT_TRUE(made.json()["good_share"].is_null());
    const std::string path = "/api/v1/devices/" + made.json()["id"].get<std::string>();
    EXPECT_EQ(column(get("/api/v1/tags?device=Line3/Filler").json(), "path"),
              (std::vector<std::string>{"Line3/Filler/level", "Line3/Filler/temp"}));

    EXPECT_EQ(ask("POST", "/api/v1/devices", engineer, body.dump()).status, 409u);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"settings":{"bad":1}})").status, 422u);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"settings":[]})").status, 422u);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"settings":{"tags":["level","flow"]}})").json()["tag_count"], 3);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"title":"Filler 3"})").json()["title"], "Filler 3");
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"state":"ignored"})").json()["state"], "ignored");
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"state":"new"})").status, 422u);

    EXPECT_EQ(get(path + "/registers.csv").body, "address,name\r\n1,a\r\n");
    EXPECT_EQ(ask("PUT", path + "/registers.csv", engineer, "bad").status, 422u);
    EXPECT_EQ(ask("PUT", path + "/registers.csv?dry_run=true", engineer, "ok").json()["rows"], 1);
    EXPECT_EQ(get(path).json()["tag_count"], 3);
    EXPECT_EQ(ask("PUT", path + "/registers.csv", engineer, "ok").json()["tag_count"], 4);

    EXPECT_EQ(ask("DELETE", path, engineer).status, 204u);
    EXPECT_EQ(get(path).status, 404u);
    EXPECT_TRUE(get("/api/v1/tags").json()["items"].empty());
}

TEST_F(RestTest, DiscoveredDevicesAreAcceptedOneByOneOrTogether) {
    std::vector<registry::DiscoveredTag> heard;
    for (int i = 1; i <= 3; ++i) {
        registry::DiscoveredTag tag;
        tag.id = TagId(static_cast<std::uint64_t>(1000 + i));
        tag.device = fmt::format("pump-{}", i);
        tag.protocol = "mqtt";
        tag.address = "flow";
        tag.first_time = clock.utc_now();
        heard.push_back(std::move(tag));
    }
    registry->post_discovered(shards.at(1), std::move(heard), {});
    shards.advance(1s);
    const Json found = get("/api/v1/devices?state=discovered").json();
    ASSERT_EQ(column(found, "name"), (std::vector<std::string>{"pump-1", "pump-2", "pump-3"}));
    const auto ids = column(found, "id");
    EXPECT_EQ(ask("POST", "/api/v1/devices/" + ids[0] + ":accept", engineer).json()["state"], "accepted");
    const Json both =
        ask("POST", "/api/v1/devices:ignore", engineer, Json{{"ids", {ids[1], "987654"}}}.dump()).json();
    EXPECT_EQ(both["items"][0]["ok"], true);
    EXPECT_EQ(both["items"][1]["ok"], false);
    EXPECT_EQ(column(get("/api/v1/devices?state=discovered").json(), "name"), std::vector<std::string>{"pump-3"});
    EXPECT_EQ(ask("POST", "/api/v1/devices:accept", engineer, "{}").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/devices/987654:accept", engineer).status, 404u);
}

TEST_F(RestTest, ListsComeInPagesThatAddUp) {
    for (int i = 0; i < 7; ++i) make_tag(fmt::format("pump-{}", i), "flow");
    for (const std::string list : {"/api/v1/devices", "/api/v1/tags"}) {
        std::vector<std::string> all;
        std::string cursor;
        int pages = 0;
        for (;;) {
            const Json page = get(list + "?limit=3&cursor=" + cursor).json();
            for (const std::string& id : column(page, "id")) all.push_back(id);
            ++pages;
            if (page["next"].is_null()) break;
            cursor = page["next"];
        }
        EXPECT_EQ(pages, 3) << list;
        EXPECT_EQ(all, column(get(list).json(), "id"));
        EXPECT_EQ(all.size(), 7u);
        EXPECT_EQ(get(list + "?limit=0").status, 422u);
        EXPECT_EQ(get(list + "?limit=many").status, 422u);
        EXPECT_EQ(get(list + "?q=PUMP-3").json()["items"].size(), 1u);
    }
}

TEST_F(RestTest, NoListIsLongerThanAPageMayBe) {
    std::vector<registry::DiscoveredTag> heard;
    for (std::size_t i = 0; i <= page_items_max; ++i) {
        registry::DiscoveredTag tag;
        tag.id = TagId(1000 + i);
        tag.device = fmt::format("pump-{}", i);
        tag.protocol = "mqtt";
        tag.address = "flow";
        heard.push_back(std::move(tag));
    }
    registry->post_discovered(shards.at(1), std::move(heard), {});
    shards.advance(1s);
    for (const std::string list : {"/api/v1/devices", "/api/v1/tags"}) {
        const Json page = get(list + "?limit=1000000").json();
        EXPECT_EQ(page["items"].size(), page_items_max) << list;
        EXPECT_FALSE(page["next"].is_null());
    }
}

TEST_F(RestTest, TagsAreShownAndChanged) {
    const TagId id = make_tag("Line3/Filler", "temp");
    const std::string path = id_path("tags", id);
    const Json change = {{"unit", "Cel"}, {"scale", 0.1}, {"range", {0, nullptr}}, {"description", "Sump"}};
    const Answer changed = ask("PATCH", path, engineer, change.dump());
    ASSERT_EQ(changed.status, 200u) << changed.body;
    const Json tag = get(path).json();
    EXPECT_EQ(tag["unit"], "Cel");
    EXPECT_EQ(tag["scale"], 0.1);
    EXPECT_EQ(tag["range"], Json::array({0.0, nullptr}));
    EXPECT_EQ(tag["device"], "Line3/Filler");
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"range":null})").json()["range"], nullptr);
    for (const char* wrong : {R"({"range":[1]})", R"({"range":[1,"2"]})", R"({"type":"float"})", R"({"scale":"1"})",
                              R"({"writable":1})", R"({"path":""})", R"({"range":[5,1]})"}) {
        EXPECT_EQ(ask("PATCH", path, engineer, wrong).status, 422u) << wrong;
    }
    EXPECT_EQ(get("/api/v1/tags/987654").status, 404u);
    EXPECT_EQ(get("/api/v1/tags/x").status, 404u);
}

TEST_F(RestTest, ACommandIsAuditedGivenAndAnswered) {
    const TagId id = make_tag("Line3/Filler", "speed");
    const std::string path = id_path("tags", id) + ":write";
    EXPECT_EQ(ask("POST", path, oper, R"({"value":7})").code(), "LS-2105");
    ask("PATCH", id_path("tags", id), engineer, R"({"writable":true})");
    const Answer written = ask("POST", path, oper, R"({"value":7.5,"idempotency_key":"k1"})");
    ASSERT_EQ(written.status, 200u);
    EXPECT_EQ(written.json()["outcome"], "written");
    ASSERT_EQ(commands.given.size(), 1u);
    EXPECT_EQ(commands.given[0].tag, id);
    EXPECT_EQ(commands.given[0].value, Value(7.5));
    EXPECT_EQ(commands.given[0].idempotency_key, "k1");
    EXPECT_EQ(commands.given[0].actor, "token token-2");
    const auto audited = column(ask("GET", "/api/v1/audit?action=command.", admin).json(), "action");
    EXPECT_EQ(audited, (std::vector<std::string>{"command.outcome", "command.write"}));
    EXPECT_EQ(ask("POST", path, oper, "{}").status, 422u);
    EXPECT_EQ(ask("POST", path, oper, R"({"value":null})").status, 422u);
    EXPECT_EQ(ask("POST", path, oper, R"({"value":[1]})").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/tags/987654:write", oper, R"({"value":1})").status, 404u);
}

TEST_F(RestTest, ACommandWithANumberThatFitsNoIntegerIsRefusedNotTurnedIntoAnother) {
    const TagId id = make_tag("Line3/Filler", "speed");
    ask("PATCH", id_path("tags", id), engineer, R"({"writable":true})");
    const Answer answer = ask("POST", id_path("tags", id) + ":write", oper, R"({"value":18446744073709551615})");
    EXPECT_EQ(answer.status, 422u);
    EXPECT_TRUE(commands.given.empty());
}

TEST_F(RestTest, ValuesShowTheNewestSampleOfEachTagFromEveryShard) {
    const TagId temp = make_tag("Line3/Filler", "temp");
    const TagId state = make_tag("Line3/Capper", "state", ValueType::String);
    make_tag("Line3/Labeller", "count", ValueType::Int);
    record(temp, 21.0, clock.utc_now() - 2s);
    record(temp, 21.5, clock.utc_now() - 1s, Quality::uncertain);
    record(state, std::string("running"), clock.utc_now());
    raise_alarm(temp);
    const Json items = get("/api/v1/values").json()["items"];
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(items[0]["path"], "Line3/Capper/state");
    EXPECT_EQ(items[0]["value"], "running");
    EXPECT_EQ(items[0]["alarm"], nullptr);
    EXPECT_EQ(items[1]["value"], 21.5);
    EXPECT_EQ(items[1]["quality"], "Uncertain");
    EXPECT_EQ(items[1]["quality_code"], 0x40000000);
    EXPECT_EQ(items[1]["time"], "2025-12-31T23:59:59Z");
    EXPECT_EQ(items[1]["alarm"], 2);
    EXPECT_EQ(items[1]["device"], "Line3/Filler");
    EXPECT_EQ(items[2]["value"], nullptr);
    EXPECT_EQ(items[2]["quality"], "Bad");
    EXPECT_EQ(items[2]["time"], nullptr);

    EXPECT_EQ(get("/api/v1/values?prefix=Line3/Filler").json()["items"].size(), 1u);
    EXPECT_EQ(get("/api/v1/values?tags=Line3/Filler/temp,Line3/Capper/state").json()["items"].size(), 2u);
    EXPECT_EQ(get("/api/v1/values?tag=Line3/Filler/temp&tag=Line3/Capper/state").json()["items"].size(), 2u);
    EXPECT_EQ(get("/api/v1/values?tags=none").status, 404u);
}

TEST_F(RestTest, NobodySeesAnotherTenantsThings) {
    const TenantId other(must(registry::CreateTenant{.name = "Other"}).id);
    const DeviceId device(must(registry::CreateDevice{.name = "secret", .protocol = "mqtt"}, other).id);
    const TagId tag = must(registry::SetDeviceTags{.device = device, .tags = {{.address = "x"}}}, other).tags.at(0);
    EXPECT_TRUE(get("/api/v1/devices").json()["items"].empty());
    EXPECT_TRUE(get("/api/v1/tags").json()["items"].empty());
    EXPECT_TRUE(get("/api/v1/values").json()["items"].empty());
    EXPECT_EQ(get("/api/v1/values?tags=secret/x").status, 404u);
    EXPECT_EQ(get(id_path("tags", tag)).status, 404u);
    EXPECT_EQ(ask("PATCH", id_path("tags", tag), engineer, R"({"unit":"s"})").status, 404u);
    EXPECT_EQ(get(fmt::format("/api/v1/devices/{}", device.value())).status, 404u);
    EXPECT_EQ(ask("DELETE", fmt::format("/api/v1/devices/{}", device.value()), engineer).status, 404u);
    const Json rule = {{"tag", id_text(tag.value())}, {"limits", {{{"kind", "H"}, {"threshold", 1}}}}};
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules", engineer, rule.dump()).status, 404u);
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules:preview", engineer, rule.dump()).status, 404u);
    EXPECT_EQ(get(fmt::format("/api/v1/alarm-journal?tag={}", tag.value())).status, 404u);
}

TEST_F(RestTest, FewSamplesAreGivenAsTheyAreManyAreReduced) {
    const TagId temp = make_tag("Filler", "temp");
    for (int i = 0; i < 100; ++i) record(temp, i * 1.0, clock.utc_now() - 100s + i * 1s);
    const Json raw = history("tags=Filler/temp&from=-1h&width=50").json();
    const Json& series = raw["series"][0];
    EXPECT_EQ(series["kind"], "raw");
    EXPECT_EQ(series["values"].size(), 100u);
    EXPECT_EQ(series["values"][99], 99.0);
    EXPECT_EQ(series["times"][0], (clock.utc_now() - 100s).ns() / 1'000'000);
    EXPECT_EQ(series["qualities"][0], 0);
    EXPECT_EQ(series["more"], false);
    EXPECT_EQ(series["completeness"]["samples"], 100);
    EXPECT_EQ(series["completeness"]["good"], 1.0);

    const Json reduced = history("tags=Filler/temp&from=-1h&width=20").json()["series"][0];
    EXPECT_EQ(reduced["kind"], "reduced");
    EXPECT_EQ(reduced["completeness"]["samples"], 100);
    double least = 1e9, most = -1e9;
    for (const Json& value : reduced["min"]) least = std::min(least, value.get<double>());
    for (const Json& value : reduced["max"]) most = std::max(most, value.get<double>());
    EXPECT_EQ(least, 0);
    EXPECT_EQ(most, 99);

    const Json fixed = history("tags=Filler/temp&from=-1h&resolution=10s").json();
    EXPECT_EQ(fixed["resolution"], "10s");
    EXPECT_EQ(fixed["series"][0]["count"], Json::array({10, 10, 10, 10, 10, 10, 10, 10, 10, 10}));
    EXPECT_EQ(fixed["series"][0]["mean"][0], 4.5);
    const Json cut = history("tags=Filler/temp&from=-1h&resolution=raw&limit=7").json()["series"][0];
    EXPECT_EQ(cut["values"].size(), 7u);
    EXPECT_EQ(cut["more"], true);
}

TEST_F(RestTest, ATagWithoutSamplesIsAnEmptySeries) {
    make_tag("Filler", "temp");
    for (const char* resolution : {"auto", "raw", "1m"}) {
        const Answer answer = history(fmt::format("tags=Filler/temp&resolution={}", resolution));
        ASSERT_EQ(answer.status, 200u) << answer.body;
        EXPECT_TRUE(answer.json()["series"][0]["times"].empty());
        EXPECT_TRUE(answer.json()["series"][0]["completeness"]["good"].is_null());
    }
}

TEST_F(RestTest, AQuestionAboutThePastThatMakesNoSenseIsRefused) {
    record(make_tag("Filler", "temp"), 1.0, clock.utc_now());
    for (const char* query : {"", "tags=", "tags=Filler/temp&from=tomorrow", "tags=Filler/temp&from=now&to=now-1h",
                              "tags=Filler/temp&resolution=fine", "tags=Filler/temp&resolution=0s",
                              "tags=Filler/temp&width=0", "tags=Filler/temp&width=1000000",
                              "tags=Filler/temp&limit=-1", "tags=Filler/temp&from=1700-01-01&resolution=1ms"}) {
        EXPECT_EQ(history(query).status, 422u) << query;
    }
    EXPECT_EQ(history("tags=none").status, 404u);
    EXPECT_EQ(history("tags=Filler/temp&from=1678-01-01&to=2261-12-31").status, 422u);
    EXPECT_EQ(history("tags=Filler/temp&from=1970-01-01&to=2261-12-31").status, 200u);
}

TEST_F(RestTest, HistoryAsCsvIsWhatASpreadsheetReads) {
    const TagId temp = make_tag("a, b", "temp");
    const TagId state = make_tag("a, b", "say", ValueType::String);
    record(temp, 1.5, clock.utc_now() - 2s);
    record(temp, std::numeric_limits<double>::quiet_NaN(), clock.utc_now() - 1s, Quality::bad_no_communication);
    record(state, std::string("say \"hi\",\nthen go"), clock.utc_now() - 1s);
    net::HttpRequest made = request("GET", "/api/v1/history?from=-1h&resolution=raw");
    made.query.emplace_back("tag", "a, b/temp");
    made.query.emplace_back("tag", "a, b/say");
    made.headers = {{"authorization", "Bearer " + viewer}, {"accept", "text/csv"}};
    const Answer csv = ask(std::move(made));
    EXPECT_EQ(csv.headers.at("Content-Type"), "text/csv; charset=utf-8");
    EXPECT_EQ(csv.body,
              "time,tag,value,quality\r\n"
              "2025-12-31T23:59:58Z,\"a, b/temp\",1.5,Good\r\n"
              "2025-12-31T23:59:59Z,\"a, b/temp\",,BadNoCommunication\r\n"
              "2025-12-31T23:59:59Z,\"a, b/say\",\"say \"\"hi\"\",\nthen go\",Good\r\n");
    const TagId plain = make_tag("c", "x");
    record(plain, 2.0, clock.utc_now() - 1s);
    EXPECT_EQ(history("tags=c/x&from=-1h&resolution=1m&format=csv").body,
              "time,tag,min,max,first,last,mean,count\r\n2025-12-31T23:59:00Z,c/x,2,2,2,2,2,1\r\n");
}

TEST_F(RestTest, HistoryAsColumnsIsTheExampleOfItsDocument) {
    const TagId id = make_tag("a", "b");
    record(id, 1.5, UtcTime(1'000'000'000));
    const Answer answer =
        history("tags=a/b&from=1970-01-01&to=1970-01-02&resolution=raw", "application/vnd.lineshaft.columns");
    EXPECT_EQ(answer.headers.at("Content-Type"), "application/vnd.lineshaft.columns");
    constexpr unsigned char expected[] = {0x4c, 0x53, 0x43, 0x31, 0x01, 0,    0,    0,     // "LSC1", 1 series.
                                          0x03, 0,    0,    0,    0x61, 0x2f, 0x62,        // Path.
                                          0x01, 0x03, 0,    0,    0x01, 0,    0,    0,     // Raw, double, n = 1.
                                          0,    0,    0,    0,    0,    0,    0,    0,     // Resolution.
                                          0,                                               // Pad to 32.
                                          0,    0,    0,    0,    0,    0x40, 0x8f, 0x40,  // 1000.0 ms.
                                          0,    0,    0,    0,    0,    0,    0xf8, 0x3f,  // 1.5.
                                          0,    0,    0,    0,    0,    0,    0,    0};    // Quality, pad.
    EXPECT_EQ(answer.body, std::string(reinterpret_cast<const char*>(expected), sizeof expected));
}

TEST_F(RestTest, EveryColumnBeginsAtAMultipleOfEight) {
    const TagId longer = make_tag("longer", "name");
    const TagId state = make_tag("s", "t", ValueType::String);
    for (int i = 0; i < 5; ++i) record(longer, i * 1.0, UtcTime(1'000'000'000LL * (i + 1)));
    record(longer, 9.0, UtcTime(61'000'000'000), Quality::bad);
    record(state, std::string("x"), UtcTime(5));
    const std::string body = history("tags=s/t,longer/name&from=1970-01-01&to=1970-01-02&resolution=1m",
                                     "application/vnd.lineshaft.columns")
                                 .body;
    ASSERT_EQ(body.size() % 8, 0u);
    ByteReader reader(as_bytes(body));
    const auto pad = [&] {
        while (reader.offset() % 8 != 0) EXPECT_EQ(reader.u8(), 0);
    };
    EXPECT_EQ(reader.text(4), "LSC1");
    ASSERT_EQ(reader.le<std::uint32_t>(), 2u);
    const auto head = [&](std::string_view path, ValueType type, std::uint32_t rows) {
        EXPECT_EQ(reader.text(reader.le<std::uint32_t>()), path);
        EXPECT_EQ(reader.u8(), 2);
        EXPECT_EQ(reader.u8(), static_cast<int>(type));
        EXPECT_EQ(reader.le<std::uint16_t>(), 0);
        EXPECT_EQ(reader.le<std::uint32_t>(), rows);
        EXPECT_EQ(reader.le<std::int64_t>(), 60'000'000'000);
        pad();
    };
    head("s/t", ValueType::String, 1);
    EXPECT_EQ(reader.le<double>(), 0);
    for (int column = 0; column < 5; ++column) EXPECT_TRUE(std::isnan(reader.le<double>()));
    EXPECT_EQ(reader.le<std::uint32_t>(), 1u);
    pad();
    EXPECT_EQ(reader.le<std::uint32_t>(), 1u);
    pad();
    head("longer/name", ValueType::Double, 2);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double columns[6][2] = {{0, 60'000}, {0, nan}, {4, nan}, {0, nan}, {4, nan}, {2, nan}};
    for (const auto& column : columns) {
        for (const double value : column) {
            const auto got = reader.le<double>();
            EXPECT_TRUE(got == value || (std::isnan(got) && std::isnan(value))) << got << " is not " << value;
        }
    }
    for (const std::uint32_t count : {5u, 1u}) EXPECT_EQ(reader.le<std::uint32_t>(), count);
    pad();
    for (const std::uint32_t good : {5u, 0u}) EXPECT_EQ(reader.le<std::uint32_t>(), good);
    pad();
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.left(), 0u);
}

TEST_F(RestTest, AlarmsAreListedAcknowledgedAndWrittenDown) {
    const TagId temp = make_tag("Boiler", "temp");
    raise_alarm(temp, 1);
    raise_alarm(temp, 2);
    const Json open = get("/api/v1/alarms").json();
    ASSERT_EQ(open["items"].size(), 2u);
    EXPECT_EQ(open["counts"]["2"], 2);
    EXPECT_EQ(open["counts"]["unacknowledged"], 2);
    EXPECT_EQ(open["items"][0]["state"], "B");
    EXPECT_EQ(open["items"][0]["tag_path"], "Boiler/temp");
    const auto ids = column(open, "id");
    const std::string path = "/api/v1/alarms/" + ids[0] + ":ack";
    EXPECT_EQ(ask("POST", path, oper, R"({"comment":"seen"})").status, 200u);
    EXPECT_EQ(ask("POST", path, oper).status, 409u);
    EXPECT_EQ(ask("POST", "/api/v1/alarms/987654:ack", oper).status, 404u);
    const Json many = ask("POST", "/api/v1/alarms:ack", oper, Json{{"ids", {ids[0], ids[1]}}}.dump()).json()["items"];
    EXPECT_EQ(many[0]["ok"], false);
    EXPECT_EQ(many[1]["ok"], true);
    EXPECT_EQ(ask("POST", "/api/v1/alarms:ack", oper, "{}").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/alarms:ack", oper, R"({"ids":["x"]})").status, 422u);
    raise_alarm(temp, 1, false);
    EXPECT_EQ(get("/api/v1/alarms").json()["items"].size(), 1u);
    EXPECT_EQ(get("/api/v1/alarms?state=all").json()["items"].size(), 2u);
    EXPECT_EQ(get("/api/v1/alarms?state=old").status, 422u);

    std::vector<std::string> story;
    std::string cursor;
    for (;;) {
        const Json page = get("/api/v1/alarm-journal?limit=2&tag=Boiler/temp&cursor=" + cursor).json();
        for (const std::string& event : column(page, "event")) story.push_back(event);
        if (page["next"].is_null()) break;
        cursor = page["next"];
    }
    EXPECT_EQ(story, (std::vector<std::string>{"cleared", "acknowledged", "acknowledged", "raised", "raised"}));
    EXPECT_EQ(get("/api/v1/alarm-journal?cursor=x").status, 422u);
    EXPECT_EQ(get("/api/v1/alarm-journal?cursor=7x").status, 422u);
    EXPECT_EQ(get("/api/v1/alarm-journal?tag=none").status, 404u);
    EXPECT_EQ(get("/api/v1/alarm-journal?from=soon").status, 422u);
}

TEST_F(RestTest, RulesAreMadeChangedAndRemoved) {
    make_tag("Boiler", "temp");
    const Json body = {
        {"tag_path", "Boiler/temp"},
        {"limits", {{{"kind", "H"}, {"threshold", 80}, {"deadband", 2}, {"on_delay_s", 1.5}, {"priority", 1}}}}};
    const Answer made = ask("POST", "/api/v1/alarm-rules", engineer, body.dump());
    ASSERT_EQ(made.status, 201u) << made.body;
    const Json rule = made.json();
    EXPECT_EQ(rule["name"], "Boiler/temp");
    EXPECT_EQ(rule["enabled"], true);
    EXPECT_EQ(rule["limits"][0], (Json{{"kind", "H"},
                                       {"threshold", 80.0},
                                       {"deadband", 2.0},
                                       {"on_delay_s", 1.5},
                                       {"off_delay_s", 0.0},
                                       {"priority", 1}}));
    const std::string path = "/api/v1/alarm-rules/" + rule["id"].get<std::string>();
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"enabled":false,"name":"Hot"})").json()["name"], "Hot");
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"limits":[]})").status, 422u);
    EXPECT_EQ(get("/api/v1/alarm-rules?tag=Boiler/temp").json()["items"].size(), 1u);
    EXPECT_EQ(get("/api/v1/alarm-rules?tag=other").json()["items"].size(), 0u);
    EXPECT_EQ(ask("DELETE", path, engineer).status, 204u);
    EXPECT_EQ(ask("DELETE", path, engineer).status, 404u);
}

TEST_F(RestTest, LimitsThatMakeNoSenseAreRefused) {
    make_tag("Boiler", "temp");
    make_tag("Boiler", "state", ValueType::String);
    const auto status = [&](const std::string& limits, const char* tag = "Boiler/temp") {
        return ask("POST", "/api/v1/alarm-rules", engineer, fmt::format(R"({{"tag":"{}","limits":{}}})", tag, limits))
            .status;
    };
    const std::string good = R"([{"kind":"H","threshold":80}])";
    for (const char* limits :
         {"[]", "{}", "[1]", R"([{"kind":"X","threshold":80}])", R"([{"kind":"H"}])",
          R"([{"kind":"H","threshold":"8"}])", R"([{"kind":"H","threshold":80,"deadband":-1}])",
          R"([{"kind":"H","threshold":80,"on_delay_s":-1}])", R"([{"kind":"H","threshold":80,"off_delay_s":86401}])",
          R"([{"kind":"H","threshold":80,"priority":5}])", R"([{"kind":"H","threshold":80,"priority":1.5}])",
          R"([{"kind":"H","threshold":80},{"kind":"H","threshold":90}])",
          R"([{"kind":"H","threshold":80},{"kind":"HH","threshold":70}])"}) {
        EXPECT_EQ(status(limits), 422u) << limits;
    }
    EXPECT_EQ(status(good, "Boiler/state"), 422u);
    EXPECT_EQ(status(good, "Boiler/none"), 404u);
    EXPECT_EQ(status(good), 201u);
}

TEST_F(RestTest, APreviewTellsWhatWouldHaveFired) {
    const TagId temp = make_tag("Boiler", "temp");
    const UtcTime begin = clock.utc_now() - 100s;
    for (int i = 0; i < 100; ++i) record(temp, i % 50 < 10 ? 90.0 : 20.0, begin + i * 1s);
    Json body = {{"tag", "Boiler/temp"}, {"limits", {{{"kind", "H"}, {"threshold", 80}}}}, {"from", "-100s"}};
    const Json fired = ask("POST", "/api/v1/alarm-rules:preview", viewer, body.dump()).json();
    EXPECT_EQ(fired["fired"], 2);
    EXPECT_EQ(fired["samples"], 100);
    EXPECT_DOUBLE_EQ(fired["active_share"].get<double>(), 0.2);
    EXPECT_EQ(fired["episodes"].size(), 2u);
    EXPECT_EQ(fired["episodes"][0]["start"], to_rfc3339(begin));
    EXPECT_EQ(fired["episodes"][0]["end"], to_rfc3339(begin + 10s));
    body["limits"][0]["on_delay_s"] = 15;
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules:preview", viewer, body.dump()).json()["fired"], 0);
    body["from"] = "now";
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules:preview", viewer, body.dump()).status, 422u);
    body["from"] = "1678-01-01";
    body["to"] = "2261-12-31";
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules:preview", viewer, body.dump()).status, 422u);
    body["from"] = "someday";
    EXPECT_EQ(ask("POST", "/api/v1/alarm-rules:preview", viewer, body.dump()).status, 400u);
}

TEST_F(RestTest, TheStatusJoinsWhatAllRoomsSay) {
    const Json status = get("/api/v1/status").json();
    EXPECT_EQ(status["version"], "9.9.9");
    EXPECT_EQ(status["shards"], 2);
    EXPECT_EQ(status["ports"], Json::array({1883}));
    EXPECT_EQ(status["store"]["extra"], true);
    EXPECT_EQ(status["store"]["series"], 0);
}

TEST_F(RestTest, TheAuditLogIsReadInPagesAndChecked) {
    for (int i = 0; i < 5; ++i) ask("POST", "/api/v1/assets", engineer, fmt::format(R"({{"name":"a{}"}})", i));
    const Json first = ask("GET", "/api/v1/audit?limit=3&action=asset.", admin).json();
    EXPECT_EQ(first["items"].size(), 3u);
    EXPECT_EQ(first["items"][0]["actor"], "token token-3");
    EXPECT_EQ(first["items"][0]["address"], "10.0.0.7");
    const Json second =
        ask("GET", "/api/v1/audit?limit=3&action=asset.&cursor=" + first["next"].get<std::string>(), admin).json();
    EXPECT_EQ(second["items"].size(), 2u);
    EXPECT_EQ(ask("GET", "/api/v1/audit?cursor=x", admin).status, 422u);
    EXPECT_EQ(ask("GET", "/api/v1/audit?cursor=7x", admin).status, 422u);
    EXPECT_EQ(ask("GET", "/api/v1/audit:verify", admin).json()["ok"], true);
}

TEST_F(RestTest, AdaptersAnswerInTheirOwnWords) {
    EXPECT_EQ(ask("POST", "/api/v1/modbus:test", engineer, "{}").body, R"({"ok":true})");
    EXPECT_EQ(ask("POST", "/api/v1/modbus:test", engineer, "").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/modbus:read", engineer, "{}").body, R"({"items":[]})");
}

}  // namespace
}  // namespace lineshaft::rest
