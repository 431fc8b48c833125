#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

constexpr UtcTime start{1'700'000'000'000'000'000};

class TransferApiTest : public TestHouse {
protected:
    /// As ask, with the pieces of the answer put together.
    Answer whole(std::string method, std::string_view target, std::string_view token, std::string range = {}) {
        net::HttpRequest made = request(std::move(method), target);
        made.headers.emplace_back("authorization", "Bearer " + std::string(token));
        if (!range.empty()) made.headers.emplace_back("range", std::move(range));
        Answer answer;
        std::optional<net::HttpResponse> got;
        api->handle(std::move(made), [&](net::HttpResponse response) { got = std::move(response); });
        shards.run();
        if (!got) return answer;
        answer.status = got->status;
        for (auto& [name, value] : got->headers) answer.headers[name] = value;
        answer.body = std::move(got->body);
        while (got->pieces) {
            const auto piece = got->pieces();
            if (!piece || !*piece) break;
            answer.body += **piece;
            if ((*piece)->empty()) got->when_more([] {});
            shards.run();
        }
        return answer;
    }
    TagId filled(int samples) {
        const TagId tag = make_tag("Line/Pump", "speed");
        for (int i = 0; i < samples; ++i) record(tag, Value(i / 2.0), start + Duration(i * 1'000'000'000LL));
        return tag;
    }
};

TEST_F(TransferApiTest, AStreamHasTheRowsOfWhatWasAskedFor) {
    filled(3);
    const Answer csv = whole("GET", "/api/v1/export?tags=Line/Pump/speed", viewer);
    EXPECT_EQ(csv.status, 200u);
    EXPECT_EQ(csv.headers.at("Content-Type"), "text/csv; charset=utf-8");
    EXPECT_EQ(std::ranges::count_if(csv.body, [](char c) { return c == '\n'; }), 4);
    EXPECT_EQ(whole("GET", "/api/v1/export?prefix=Line&format=jsonl", viewer).body.substr(0, 9), R"({"time":")");
    EXPECT_EQ(whole("GET", "/api/v1/export?prefix=Line&format=parquet", viewer).body.substr(0, 4), "PAR1");
    EXPECT_EQ(get("/api/v1/export").status, 422u);
    EXPECT_EQ(get("/api/v1/export?tags=nothing").status, 404u);
    EXPECT_EQ(get("/api/v1/export?prefix=Line&format=xls").status, 422u);
    EXPECT_EQ(get("/api/v1/export?prefix=Line&resolution=often").status, 422u);
}

TEST_F(TransferApiTest, AJobIsListedLoadedInPartsAndRemoved) {
    filled(100);
    const Answer made = ask("POST", "/api/v1/exports", viewer, R"({"prefix":"Line","name":"week 1"})");
    EXPECT_EQ(made.status, 202u);
    const std::string id = made.json()["id"];
    const Json job = get("/api/v1/exports/" + id).json();
    EXPECT_EQ(job["state"], "done");
    EXPECT_EQ(job["rows"], 100);
    EXPECT_EQ(job["files"][0]["name"], "week-1.csv");
    EXPECT_EQ(get("/api/v1/exports").json()["items"].size(), 1u);
    const std::string path = "/api/v1/exports/" + id + "/file";
    const Answer all = whole("GET", path, viewer);
    EXPECT_EQ(all.status, 200u);
    EXPECT_EQ(all.body.size(), job["files"][0]["bytes"].get<std::size_t>());
    const Answer part = whole("GET", path, viewer, "bytes=5-9");
    EXPECT_EQ(part.status, 206u);
    EXPECT_EQ(part.body, all.body.substr(5, 5));
    EXPECT_EQ(part.headers.at("Content-Range"), fmt::format("bytes 5-9/{}", all.body.size()));
    EXPECT_EQ(whole("GET", path, viewer, "bytes=-7").body, all.body.substr(all.body.size() - 7));
    EXPECT_EQ(whole("GET", path, viewer, "bytes=999999-").status, 416u);
    EXPECT_EQ(ask("DELETE", "/api/v1/exports/" + id, viewer).status, 204u);
    EXPECT_EQ(get("/api/v1/exports/" + id).status, 404u);
}

TEST_F(TransferApiTest, AFileIsUploadedTriedAndImported) {
    const std::string text = "time,tag,value\n2023-11-14T22:13:20Z,Line/Pump/speed,1\nnever,Line/Pump/speed,1\n";
    const std::string wish = fmt::format(R"({{"name":"a.csv","bytes":{}}})", text.size());
    const std::string id = ask("POST", "/api/v1/imports", engineer, wish).json()["id"];
    const std::string path = "/api/v1/imports/" + id;
    EXPECT_EQ(ask("POST", path + ":start", engineer, "{}").status, 409u);
    EXPECT_EQ(ask("PUT", path + "/file?offset=0", engineer, text.substr(0, 20)).json()["received"], 20);
    EXPECT_EQ(ask("PUT", path + "/file?offset=0", engineer, text).status, 409u);
    EXPECT_EQ(ask("PUT", path + "/file?offset=20", engineer, text.substr(20)).json()["received"], text.size());
    EXPECT_EQ(ask("POST", path + ":start", engineer, R"({"dry_run":true})").status, 202u);
    const Json tried = ask("GET", path, engineer).json();
    EXPECT_EQ(tried["state"], "done");
    EXPECT_EQ(tried["format"], "csv");
    EXPECT_EQ(tried["points"], 1);
    EXPECT_EQ(tried["refusals"][0]["line"], 3);
    EXPECT_EQ(tried["tags"][0]["tag"], "Line/Pump/speed");
    EXPECT_TRUE(readings.lines.empty());
    EXPECT_EQ(ask("POST", path + ":start", engineer, "{}").status, 202u);
    EXPECT_EQ(ask("GET", path, engineer).json()["points"], 1);
    EXPECT_EQ(readings.lines, std::vector<std::string>{"Line/Pump|speed"});
    EXPECT_EQ(ask("GET", path + "/refused", engineer).body, "line,reason\n3,\"'never' is not a time\"\n");
    EXPECT_EQ(ask("DELETE", path, engineer).status, 204u);
    EXPECT_EQ(ask("GET", path, engineer).status, 404u);
}

}  // namespace
}  // namespace lineshaft::rest
