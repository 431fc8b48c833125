// Aggregates by name, values between samples, and what was known then, as clients ask for them.
#include "north/rest/internal/aggregates.h"
#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

class HistoryTest : public TestHouse {
protected:
    Answer history(const std::string& query, const char* accept = "") {
        net::HttpRequest made = request("GET", "/api/v1/history?completeness=counts&" + query);
        made.headers.emplace_back("authorization", "Bearer " + viewer);
        if (*accept) made.headers.emplace_back("accept", accept);
        return ask(std::move(made));
    }
    Json series(const std::string& query) { return history(query).json()["series"][0]; }
};

TEST_F(HistoryTest, AggregatesComeUnderTheirNames) {
    const TagId temp = make_tag("Filler", "temp");
    const UtcTime t0(0);
    const double values[] = {1, 3, 2, 6};
    for (int i = 0; i < 4; ++i) record(temp, values[i], t0 + i * 15s);
    const Json got = series(
        "tags=Filler/temp&from=1970-01-01&to=1970-01-01T00:01:00Z&resolution=1m"
        "&aggregates=mean,twa,std,delta,increase,rate,p50,median,covered,count,states");
    EXPECT_EQ(got["mean"], Json::array({3.0}));
    EXPECT_EQ(got["twa"], Json::array({3.0}));
    EXPECT_NEAR(got["std"][0].get<double>(), 2.160246899469287, 1e-12);
    EXPECT_EQ(got["delta"], Json::array({5.0}));
    EXPECT_EQ(got["increase"], Json::array({8.0}));  // 2 up, a reset to 2, 4 up.
    EXPECT_EQ(got["rate"][0], 8.0 / 60);
    EXPECT_EQ(got["p50"], Json::array({2.5}));
    EXPECT_EQ(got["median"], got["p50"]);
    EXPECT_EQ(got["covered"], Json::array({1.0}));
    EXPECT_EQ(got["count"], Json::array({4}));
    EXPECT_EQ(got["percentile_error"], 0);
    EXPECT_EQ(got["states"][0].size(), 4u);
    EXPECT_EQ(got["states"][0][0]["seconds"], 15.0);
    EXPECT_FALSE(got.contains("min"));
}

TEST_F(HistoryTest, AModulusTellsWhereACounterBeginsAnew) {
    const TagId count = make_tag("Filler", "bottles");
    record(count, 250.0, UtcTime(0));
    record(count, 4.0, UtcTime(0) + 1s);
    const std::string query = "tags=Filler/bottles&from=1970-01-01&to=1970-01-01T00:01:00Z&resolution=1m";
    EXPECT_EQ(series(query + "&aggregates=increase")["increase"][0], 4.0);
    EXPECT_EQ(series(query + "&aggregates=increase&modulus=256")["increase"][0], 10.0);
}

TEST_F(HistoryTest, GapsAreFilledAsAsked) {
    const TagId temp = make_tag("Filler", "temp");
    record(temp, 10.0, UtcTime(0) + 60s);
    record(temp, 40.0, UtcTime(0) + 240s);
    const std::string query = "tags=Filler/temp&from=1970-01-01&to=1970-01-01T00:06:00Z&resolution=1m";
    EXPECT_EQ(series(query)["times"].size(), 2u);
    const Json nothing = series(query + "&fill=null");
    EXPECT_EQ(nothing["count"], Json::array({0, 1, 0, 0, 1, 0}));
    EXPECT_EQ(nothing["last"], Json::array({nullptr, 10.0, nullptr, nullptr, 40.0, nullptr}));
    EXPECT_EQ(series(query + "&fill=previous")["last"], Json::array({nullptr, 10.0, 10.0, 10.0, 40.0, 40.0}));
    EXPECT_EQ(series(query + "&fill=linear&aggregates=mean")["mean"],
              Json::array({nullptr, 10.0, 20.0, 30.0, 40.0, nullptr}));
}

TEST_F(HistoryTest, ValuesBetweenSamplesAreInterpolated) {
    const TagId temp = make_tag("Filler", "temp");
    record(temp, 10.0, UtcTime(0) + 5s);
    record(temp, 20.0, UtcTime(0) + 15s);
    const std::string query = "tags=Filler/temp&from=1970-01-01&to=1970-01-01T00:00:21Z&resolution=10s";
    const Json line = series(query + "&interpolate=linear");
    EXPECT_EQ(line["kind"], "points");
    EXPECT_EQ(line["times"], Json::array({0, 10'000, 20'000}));
    EXPECT_EQ(line["values"], Json::array({nullptr, 15.0, 20.0}));
    EXPECT_EQ(line["qualities"][1], 0);
    EXPECT_EQ(series(query + "&interpolate=step")["values"], Json::array({nullptr, 10.0, 20.0}));
}

TEST_F(HistoryTest, CsvAndColumnsHaveTheAggregatesToo) {
    const TagId temp = make_tag("c", "x");
    record(temp, 1.5, UtcTime(0));
    const std::string query = "tags=c/x&from=1970-01-01&to=1970-01-01T00:01:00Z&resolution=1m&aggregates=max,count";
    EXPECT_EQ(history(query + "&format=csv").body, "time,tag,max,count\r\n1970-01-01T00:00:00Z,c/x,1.5,1\r\n");
    const std::string body = history(query, "application/vnd.lineshaft.columns").body;
    EXPECT_EQ(body.substr(0, 4), "LSC1");
    EXPECT_EQ(body[8 + 4 + 3], 3);
    EXPECT_EQ(body.size() % 8, 0u);
}

TEST_F(HistoryTest, WhatMakesNoSenseIsSaid) {
    make_tag("Filler", "temp");
    for (const char* query :
         {"aggregates=mode", "aggregates=p101", "aggregates=p", "fill=some", "modulus=0", "interpolate=cubic",
          "resolution=raw&aggregates=mean", "resolution=raw&interpolate=step", "known_at=then"})
        EXPECT_EQ(history(std::string("tags=Filler/temp&") + query).status, 422u) << query;
}

}  // namespace
}  // namespace lineshaft::rest
