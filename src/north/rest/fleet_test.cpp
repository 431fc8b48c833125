#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

constexpr const char* low_fuel =
    R"({"select":[{"name":"fuel","tags":"d/{fleet}/{truck}/fuel"}],"values":"last","where":"fuel < 0.1"})";

class FleetQueryTest : public TestHouse {
protected:
    FleetQueryTest() {
        record(make_tag("d/East/t1", "fuel"), 0.05, UtcTime(1'767'225'600'000'000'000));
        record(make_tag("d/West/t2", "fuel"), 0.5, UtcTime(1'767'225'600'000'000'000));
    }
    Answer post(const std::string& body) { return ask("POST", "/api/v1/fleet-query", viewer, body); }
};

TEST_F(FleetQueryTest, AnswersAViewer) {
    const Answer answer = post(low_fuel);
    ASSERT_EQ(answer.status, 200u) << answer.body;
    EXPECT_EQ(answer.json()["columns"], (Json{"fleet", "truck", "time", "fuel"}));
    EXPECT_EQ(answer.json()["rows"], Json::parse(R"([["East","t1",1767225600000,0.05]])"));
    EXPECT_EQ(answer.json()["completeness"]["series"], 2);
}

TEST_F(FleetQueryTest, GivesCsv) {
    net::HttpRequest made = request("POST", "/api/v1/fleet-query", low_fuel);
    made.headers.emplace_back("authorization", "Bearer " + viewer);
    made.headers.emplace_back("accept", "text/csv");
    EXPECT_EQ(ask(std::move(made)).body, "fleet,truck,time,fuel\r\nEast,t1,2026-01-01T00:00:00Z,0.05\r\n");
}

TEST_F(FleetQueryTest, SaysWhatIsWrong) {
    EXPECT_EQ(post("{").status, 400u);
    EXPECT_EQ(post(R"({"select":[]})").status, 422u);
    EXPECT_EQ(post(R"({"select":[{"name":"f","tags":"none/{t}/x"}],"values":"last"})").status, 404u);
    EXPECT_EQ(ask("POST", "/api/v1/fleet-query", "", low_fuel).status, 401u);
    access::Scopes scopes;
    scopes.add(access::Scope::TelemetryWrite);
    EXPECT_EQ(ask("POST", "/api/v1/fleet-query", token(access::Role::Viewer, scopes), low_fuel).status, 403u);
}

}  // namespace
}  // namespace lineshaft::rest
