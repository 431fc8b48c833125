#include "store/life.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace lineshaft::store {
namespace {

TEST(PathMatches, SubtreesNamesAndSingleLevels) {
    EXPECT_TRUE(path_matches("**", "Acme/Lyon/Line3/temperature"));
    EXPECT_TRUE(path_matches("Acme/**", "Acme/Lyon/Line3/temperature"));
    EXPECT_TRUE(path_matches("Acme/**", "Acme"));
    EXPECT_FALSE(path_matches("Acme/**", "Acme2/Lyon"));
    EXPECT_TRUE(path_matches("**/temperature", "Acme/Lyon/Line3/temperature"));
    EXPECT_TRUE(path_matches("**/temperature", "temperature"));
    EXPECT_FALSE(path_matches("**/temperature", "Acme/temperature2"));
    EXPECT_TRUE(path_matches("Acme/*/Line?/temp*", "Acme/Lyon/Line3/temperature"));
    EXPECT_FALSE(path_matches("Acme/*/temperature", "Acme/Lyon/Line3/temperature"));
    EXPECT_TRUE(path_matches("Acme/**/temperature", "Acme/temperature"));
    EXPECT_TRUE(path_matches("Acme/**/temperature", "Acme/a/b/c/temperature"));
    EXPECT_TRUE(path_matches("a*b*c", "aXbYbZc"));
    EXPECT_FALSE(path_matches("a*b*c", "aXbYbZ"));
    EXPECT_TRUE(path_matches("", ""));
    EXPECT_FALSE(path_matches("", "a"));
}

TEST(RuleFor, TheFirstThatMatchesIsTheRule) {
    const std::vector<RetentionRule> rules{{.id = 1, .tenant = TenantId(2), .match = "**"},
                                           {.id = 2, .match = "Acme/Lyon/**"},
                                           {.id = 3, .match = "Acme/**"}};
    EXPECT_EQ(rule_for(rules, TenantId(1), "Acme/Lyon/x"), 1U);
    EXPECT_EQ(rule_for(rules, TenantId(1), "Acme/Paris/x"), 2U);
    EXPECT_EQ(rule_for(rules, TenantId(2), "Acme/Lyon/x"), 0U);
    EXPECT_FALSE(rule_for(rules, TenantId(1), "Other/x"));
}

TEST(ForecastOfTheDisk, GoesOnAsInTheRecentPast) {
    const UtcTime now = testing::ManualClock::start;
    const std::int64_t hour = now.ns() / 3'600'000'000'000;
    std::vector<HourUse> hours;
    EXPECT_FALSE(forecast(hours, now, 0, 1'000'000, {}).full_at);
    for (std::int64_t i = 24 * 7; i >= 1; --i) hours.push_back({hour - i, 10, 1000});
    const Forecast grown = forecast(hours, now, 168'000, 24'000 * 10, {});
    EXPECT_NEAR(grown.bytes_per_day, 24'000, 1);
    ASSERT_TRUE(grown.full_at);
    EXPECT_NEAR(static_cast<double>((*grown.full_at - now).count()), 10 * 86'400e9, 1e12);
    // Everything leaves after 12 days: then it never is.
    EXPECT_FALSE(forecast(hours, now, 168'000, 24'000 * 10, 12 * 24h).full_at);
    EXPECT_TRUE(forecast(hours, now, 168'000, 24'000 * 10, 24h * 100).full_at);
    // What grew ten times larger three days ago counts more than what was before.
    for (std::size_t i = hours.size() - 72; i < hours.size(); ++i) hours[i].bytes = 10'000;
    EXPECT_GT(forecast(hours, now, 168'000, 24'000 * 10, {}).bytes_per_day, 24 * 5'500);
}

}  // namespace
}  // namespace lineshaft::store
