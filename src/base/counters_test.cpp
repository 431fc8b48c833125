#include "base/counters.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

Counter by_mqtt{"test_drops_total", "protocol=\"mqtt\"", "Things dropped"};
Counter by_http{"test_drops_total", "protocol=\"http\"", "Things dropped"};
Counter unused{"test_unused_drops_total", "", "Things that never happen"};
Gauge depth{"test_depth", "", "How deep"};

std::size_t times(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

TEST(Counters, AFamilyStandsTogetherUnderOneHead) {
    by_mqtt.add();
    by_http.add(41);
    depth.set(-3);
    const std::string text = metrics_text();
    EXPECT_EQ(times(text, "# TYPE test_drops_total counter\n"), 1u);
    EXPECT_EQ(times(text, "# HELP test_drops_total Things dropped\n"), 1u);
    const std::size_t head = text.find("# TYPE test_drops_total");
    const std::size_t next = text.find("# HELP", head);
    EXPECT_LT(text.find("test_drops_total{protocol=\"mqtt\"} 1\n"), next);
    EXPECT_LT(text.find("test_drops_total{protocol=\"http\"} 41\n"), next);
    EXPECT_NE(text.find("# TYPE test_depth gauge\ntest_depth -3\n"), std::string::npos);
    EXPECT_EQ(text.back(), '\n');
}

TEST(Counters, OnlyThoseThatCountedSomethingAreFoundByName) {
    by_mqtt.add();
    const auto found = counters_named("drops");
    ASSERT_FALSE(found.empty());
    for (const MetricValue& metric : found) {
        EXPECT_EQ(metric.name, "test_drops_total");
        EXPECT_GT(metric.value, 0);
    }
    EXPECT_TRUE(counters_named("test_depth").empty());  // A gauge.
}

}  // namespace
}  // namespace lineshaft
