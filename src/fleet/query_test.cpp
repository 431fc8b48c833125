#include "fleet/query.h"

#include <cmath>

#include <gtest/gtest.h>

namespace lineshaft::fleet {
namespace {

constexpr UtcTime now{1'767'225'600'000'000'000};

double value_of(std::string_view text, std::vector<double> values = {}) {
    const auto expression = Expression::parse(text);
    EXPECT_TRUE(expression) << text;
    return expression ? expression->evaluate(values.data()) : 0;
}

bool is_refused(std::string_view text) { return !Expression::parse(text); }

TEST(Expression, KnowsWhatBindsTighter) {
    EXPECT_EQ(value_of("1 + 2 * 3"), 7);
    EXPECT_EQ(value_of("(1 + 2) * 3"), 9);
    EXPECT_EQ(value_of("10 - 2 - 3"), 5);
    EXPECT_EQ(value_of("-2 * -3"), 6);
    EXPECT_EQ(value_of("1 < 2 and 3 < 2 or 5 == 5"), 1);
    EXPECT_EQ(value_of("not 1 > 2 and 1"), 1);
    EXPECT_EQ(value_of("max(abs(-3), floor(2.9)) + min(1, 2)"), 4);
    EXPECT_EQ(value_of("2e3 >= 1.5"), 1);
}

TEST(Expression, TakesNamesInTheirOrder) {
    const auto expression = Expression::parse("load / capacity > load_limit");
    ASSERT_TRUE(expression);
    EXPECT_EQ(expression->names(), (std::vector<std::string>{"load", "capacity", "load_limit"}));
    const double values[] = {90, 100, 0.8};
    EXPECT_EQ(expression->evaluate(values), 1);
}

TEST(Expression, HoldsNothingForFalse) {
    const double nothing = std::nan("");
    EXPECT_EQ(value_of("a > 1", {nothing}), 0);
    EXPECT_EQ(value_of("a != 1", {nothing}), 0);
    EXPECT_EQ(value_of("not a", {nothing}), 1);
    EXPECT_TRUE(std::isnan(value_of("1 / 0")));
    EXPECT_TRUE(std::isnan(value_of("a + 1", {nothing})));
}

TEST(Expression, RefusesWhatIsNone) {
    for (const char* text :
         {"", "1 +", "(1", "1)", "a b", "sqrt(2)", "min(1)", "1 < ", "and 1", "'a'", "nan", "1..2"}) {
        if (std::string_view(text) == "nan") continue;  // A name like any other.
        EXPECT_TRUE(is_refused(text)) << text;
    }
    EXPECT_TRUE(is_refused(std::string(40, '(') + "1" + std::string(40, ')')));
    EXPECT_TRUE(is_refused(std::string(100, '-') + "1"));
    std::string sum = "1";
    for (int i = 0; i < 300; ++i) sum += "+1";
    EXPECT_TRUE(is_refused(sum));
}

TEST(Expression, SaysTheSameForRowsAndColumns) {
    const auto expression = Expression::parse("(a * 2 - b) / 3 > 1 or a == b");
    ASSERT_TRUE(expression);
    std::vector<double> a, b;
    for (int i = 0; i < 1000; ++i) {
        a.push_back(i % 17 == 0 ? std::nan("") : i % 7);
        b.push_back(i % 5);
    }
    std::vector<double> all(a.size());
    const double* columns[] = {a.data(), b.data()};
    expression->evaluate(columns, a.size(), all.data());
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double row[] = {a[i], b[i]};
        EXPECT_EQ(all[i], expression->evaluate(row)) << i;
    }
}

std::string caught(std::string_view pattern, std::string_view path) {
    const auto parsed = PathPattern::parse(pattern);
    if (!parsed) return "refused";
    std::vector<std::string_view> texts;
    if (!parsed->match(path, texts)) return "no";
    std::string all;
    for (const auto text : texts) all += (all.empty() ? "" : ",") + std::string(text);
    return "yes:" + all;
}

TEST(PathPattern, CatchesLevels) {
    EXPECT_EQ(caught("a/{x}/c", "a/b/c"), "yes:b");
    EXPECT_EQ(caught("a/{x}/c", "a/b/d"), "no");
    EXPECT_EQ(caught("a/{x}/c", "a/b/c/d"), "no");
    EXPECT_EQ(caught("a/{x}/c", "a/b"), "no");
    EXPECT_EQ(caught("{x}/{y}", "a/b"), "yes:a,b");
    EXPECT_EQ(caught("a/*/c", "a/anything/c"), "yes:");
    EXPECT_EQ(caught("truck_*/v", "truck_12/v"), "yes:");
    EXPECT_EQ(caught("truck_*/v", "car_12/v"), "no");
    EXPECT_EQ(caught("{t:truck_*}/v", "truck_12/v"), "yes:truck_12");
    EXPECT_EQ(caught("a/{f:East|West}/v", "a/West/v"), "yes:West");
    EXPECT_EQ(caught("a/{f:East|West}/v", "a/North/v"), "no");
}

TEST(PathPattern, PassesOverAnyNumberOfLevels) {
    EXPECT_EQ(caught("a/**/v", "a/v"), "yes:");
    EXPECT_EQ(caught("a/**/v", "a/b/c/v"), "yes:");
    EXPECT_EQ(caught("a/**/v", "a/b/c/w"), "no");
    EXPECT_EQ(caught("**", "a/b/c"), "yes:");
    EXPECT_EQ(caught("**/{fleet:East|West}/{model}/v", "x/y/East/H-2/v"), "yes:East,H-2");
    EXPECT_EQ(caught("**/{last}", "a/b/c"), "yes:c");
    std::string deep, path;
    for (int i = 0; i < 30; ++i) deep += "**/a/";
    for (int i = 0; i < 60; ++i) path += "a/";
    EXPECT_EQ(caught(deep + "b", path + "c"), "no");  // And soon.
}

TEST(PathPattern, KnowsWhereToBegin) {
    EXPECT_EQ(PathPattern::parse("plant/line1/{m}/temperature")->prefix(), "plant/line1");
    EXPECT_EQ(PathPattern::parse("plant/line*/x")->prefix(), "plant");
    EXPECT_EQ(PathPattern::parse("{x}/y")->prefix(), "");
}

TEST(PathPattern, RefusesWhatIsNone) {
    for (const char* text : {"", "/a", "a/", "a//b", "{x", "a/{x}b", "{}", "{1x}", "{x}/{x}", "{a b}"})
        EXPECT_EQ(caught(text, "a"), "refused") << text;
}

constexpr const char* whole = R"({
  "select": [{"name": "v", "tags": "r/{fleet}/{truck}/velocity"},
             {"name": "s", "tags": "r/{fleet}/{truck}/status", "aggregate": "max", "value": "s == 0", "when": "v > 1"}],
  "from": "2026-01-01T00:00:00Z", "to": 1767400000, "bucket": "10m", "where": "v > 1 and s >= 0",
  "per": {"bucket": "1d", "values": [{"name": "n", "aggregate": "count"}, {"name": "m", "aggregate": "mean", "of": "v*2"}]},
  "group": {"by": ["fleet", "time"], "values": [{"name": "hours", "aggregate": "mean", "of": "n / 6"}]},
  "having": "hours > 1", "order_by": ["-hours", "fleet"], "limit": 5, "time_limit": "5s"})";

TEST(Query, ReadsAllOfIt) {
    const auto query = parse_query(whole, now);
    ASSERT_TRUE(query) << query.error().message();
    EXPECT_EQ(query->select.size(), 2u);
    EXPECT_EQ(query->bucket, Duration(10min));
    EXPECT_EQ(query->per_bucket, Duration(24h));
    EXPECT_EQ(query->group_by, (std::vector<std::string>{"fleet", "time"}));
    EXPECT_TRUE(query->order_by[0].descending);
    EXPECT_EQ(query->limit, 5u);
    EXPECT_EQ(query->to, UtcTime(1'767'400'000'000'000'000));
}

std::string refusal(std::string json) {
    const auto query = parse_query(json, now);
    if (query) return "taken";
    return query.error().detail();
}

/// `whole` with `from` replaced.
std::string with(std::string_view from, std::string_view to) {
    std::string json = whole;
    const auto at = json.find(from);
    EXPECT_NE(at, std::string::npos);
    return json.replace(at, from.size(), to);
}

TEST(Query, NamesWhatIsWrong) {
    EXPECT_EQ(refusal("{"), "the body is not JSON");
    EXPECT_NE(refusal("{}").find("select"), std::string::npos);
    EXPECT_NE(refusal(with("\"bucket\"", "\"buckets\"")).find("buckets"), std::string::npos);
    EXPECT_NE(refusal(with("v > 1 and", "w > 1 and")).find("'w'"), std::string::npos);
    EXPECT_NE(refusal(with("{fleet}/{truck}/status", "{fleet}/{lorry}/status")).find("catches"), std::string::npos);
    EXPECT_NE(refusal(with("\"max\"", "\"median\"")).find("median"), std::string::npos);
    EXPECT_NE(refusal(with("\"max\"", "\"longest_run\"")).find("per"), std::string::npos);
    EXPECT_NE(refusal(with("\"-hours\"", "\"-hour\"")).find("hour"), std::string::npos);
    EXPECT_NE(refusal(with("\"1d\"", "\"1m\"")).find("coarser"), std::string::npos);
    EXPECT_NE(refusal(with("\"limit\": 5", "\"limit\": 0")).find("limit"), std::string::npos);
    EXPECT_NE(refusal(with("1767400000", "1")).find("later"), std::string::npos);
    EXPECT_NE(refusal(with("\"name\": \"s\"", "\"name\": \"v\"")).find("named 'v'"), std::string::npos);
    EXPECT_NE(refusal(with("\"n / 6\"", "\"v / 6\"")).find("'v'"), std::string::npos);
}

TEST(Query, TellsLastValuesFromARange) {
    const char* last = R"({"select":[{"name":"f","tags":"d/{t}/fuel"}],"values":"last","where":"f < 0.1"})";
    const auto query = parse_query(last, now);
    ASSERT_TRUE(query) << query.error().message();
    EXPECT_TRUE(query->is_last);
    EXPECT_NE(refusal(R"({"select":[{"name":"f","tags":"d/{t}/fuel"}]})").find("from"), std::string::npos);
    EXPECT_NE(refusal(R"({"select":[{"name":"f","tags":"d/{t}/fuel"}],"values":"last","bucket":"1m"})").find("last"),
              std::string::npos);
}

TEST(Query, IsBounded) {
    EXPECT_FALSE(parse_query(std::string(query_bytes_max + 1, ' '), now));
    EXPECT_FALSE(parse_query(std::string(100, '['), now));
}

}  // namespace
}  // namespace lineshaft::fleet
