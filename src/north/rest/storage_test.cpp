#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

class StorageTest : public TestHouse {
protected:
    static constexpr std::string_view rule =
        R"({"match":"Lyon/**","raw_age_s":63072000,"tiers":[{"resolution_s":60}]})";
};

TEST_F(StorageTest, TellsTheRoomThatHistoryTakes) {
    const TagId tag = make_tag("Lyon/Filler", "temp");
    for (int i = 0; i < 10; ++i) record(tag, 1.0 * i, clock.utc_now() + i * 1s);
    const Json storage = get("/api/v1/storage").json();
    EXPECT_EQ(storage.at("series"), 1);
    EXPECT_EQ(storage.at("samples"), 10);
    EXPECT_TRUE(storage.at("disk").contains("full_at"));
    EXPECT_TRUE(storage.at("compaction").contains("write_amplification"));
}

TEST_F(StorageTest, RulesAreKeptVersionedAndAudited) {
    EXPECT_EQ(ask("POST", "/api/v1/retention-rules", viewer, std::string(rule)).status, 403U);
    const Answer made = ask("POST", "/api/v1/retention-rules", engineer, std::string(rule));
    ASSERT_EQ(made.status, 201U) << made.body;
    const std::string id = made.json().at("id");
    EXPECT_EQ(made.json().at("tiers").at(0).at("age_s"), nullptr);
    const std::string path = "/api/v1/retention-rules/" + id;
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"raw_age_s":3600})").status, 200U);
    EXPECT_EQ(ask("PATCH", path, engineer, R"({"raw_age_s":7200,"version":1})").status, 409U);
    EXPECT_EQ(get("/api/v1/retention-rules").json().at("items").at(0).at("raw_age_s"), 3600);
    EXPECT_EQ(ask("POST", "/api/v1/retention-rules:preview", viewer).status, 200U);
    EXPECT_EQ(ask("DELETE", path, engineer).status, 204U);
    EXPECT_EQ(ask("DELETE", path, engineer).status, 404U);
    const Json audited = ask("GET", "/api/v1/audit?action=retention.", admin).json();
    EXPECT_EQ(column(audited, "action"),
              (std::vector<std::string>{"retention.delete", "retention.update", "retention.create"}));
}

TEST_F(StorageTest, RefusesRulesThatMeanNothing) {
    for (const char* body : {R"({})", R"({"match":""})", R"({"match":"a","raw_age_s":1})",
                             R"({"match":"a","tiers":[{"resolution_s":5}]})", R"({"match":"**/**/**/**/**"})",
                             R"({"match":"a","raw_age_s":7200,"tiers":[{"resolution_s":60,"age_s":3600}]})"})
        EXPECT_EQ(ask("POST", "/api/v1/retention-rules", engineer, body).code(), "LS-1001") << body;
}

TEST_F(StorageTest, ErasesAndCorrectsWithAReasonAndAnAudit) {
    const TagId tag = make_tag("Lyon/Filler", "temp");
    for (int i = 0; i < 10; ++i) record(tag, 1.0 * i, UtcTime(1'767'225'600'000'000'000) + i * 1s);
    const std::string range = R"("from":"2026-01-01T00:00:02Z","to":"2026-01-01T00:00:05Z")";
    const std::string whole = "{\"tags\":[\"Lyon/Filler/temp\"]," + range;
    EXPECT_EQ(ask("POST", "/api/v1/history:erase", engineer, whole + "}").status, 422U);
    EXPECT_EQ(ask("POST", "/api/v1/history:erase", oper, whole + R"(,"reason":"test bench"})").status, 403U);
    const Answer erased = ask("POST", "/api/v1/history:erase", engineer, whole + R"(,"reason":"test bench"})");
    ASSERT_EQ(erased.status, 200U) << erased.body;
    EXPECT_EQ(erased.json().at("samples"), 3);
    EXPECT_EQ(home_of(tag).completeness(tag, utc_time_min, utc_time_max)->samples, 7U);
    const Answer corrected = ask("POST", "/api/v1/history:correct", engineer,
                                 R"({"tag":"Lyon/Filler/temp","reason":"sensor was off by ten","samples":[
                                     {"time":"2026-01-01T00:00:06Z","value":60},{"time":"2026-01-01T00:00:03Z","value":1}]})");
    ASSERT_EQ(corrected.status, 200U) << corrected.body;
    EXPECT_EQ(corrected.json().at("replaced"), 1);
    EXPECT_EQ(corrected.json().at("added"), 1);
    const Json audited = ask("GET", "/api/v1/audit?action=history.", admin).json();
    EXPECT_EQ(column(audited, "action"),
              (std::vector<std::string>{"history.correct", "history.erased", "history.erase"}));
    EXPECT_EQ(audited.at("items").at(1).at("detail").at("samples"), 3);
}

}  // namespace
}  // namespace lineshaft::rest
