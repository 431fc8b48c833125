#include "access/internal/attempts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lineshaft::access {
namespace {

constexpr Instant start{1'000'000'000};

TEST(Attempts, WaitsLongerAfterEachFailure) {
    Attempts attempts;
    Instant now = start;
    EXPECT_TRUE(attempts.begin("anna", "a", now));
    EXPECT_TRUE(attempts.begin("anna", "a", now));
    EXPECT_TRUE(attempts.begin("anna", "a", now));
    EXPECT_EQ(attempts.begin("anna", "a", now).error().code(), ErrorCode::TooManyAttempts);
    now = now + 1s;
    EXPECT_TRUE(attempts.begin("anna", "a", now));
    EXPECT_FALSE(attempts.begin("anna", "a", now + 1s));
    EXPECT_TRUE(attempts.begin("anna", "a", now + 2s));
}

TEST(Attempts, AllowsAtMostTenGuessesInAQuarterOfAnHour) {
    Attempts attempts;
    int tried = 0;
    for (Duration at = 0s; at < 15min; at += 100ms) {
        // Each time from another address: the account's own count must hold.
        if (attempts.begin("anna", fmt::format("{}", at.count()), start + at)) ++tried;
    }
    EXPECT_EQ(tried, 10);
}

TEST(Attempts, AllowsOneAddressAtMostTenGuessesOverAllAccounts) {
    Attempts attempts;
    int tried = 0;
    for (Duration at = 0s; at < 15min; at += 100ms) {
        if (attempts.begin(fmt::format("{}", at.count()), "a", start + at)) ++tried;
    }
    EXPECT_EQ(tried, 10);
}

TEST(Attempts, AnAttackerElsewhereDoesNotLockOutTheOwner) {
    Attempts attempts;
    ASSERT_TRUE(attempts.begin("anna", "office", start));
    attempts.succeed("anna", "office");
    for (int i = 0; i < 300; ++i) (void)attempts.begin("anna", fmt::format("bot {}", i), start + i * 1s);
    EXPECT_FALSE(attempts.begin("anna", "home", start + 300s));
    EXPECT_TRUE(attempts.begin("anna", "office", start + 300s));
}

TEST(Attempts, EvenAtAKnownAddressGuessingEnds) {
    Attempts attempts;
    attempts.trust("anna", "office");
    int tried = 0;
    for (Duration at = 0s; at < 15min; at += 100ms) {
        if (attempts.begin("anna", "office", start + at)) ++tried;
    }
    EXPECT_EQ(tried, 10);
}

TEST(Attempts, AnOwnAccountDoesNotBuyGuessesAtOthers) {
    Attempts attempts;
    int tried = 0;
    for (Duration at = 0s; at < 15min; at += 100ms) {
        if (attempts.begin("mallory", "a", start + at)) attempts.succeed("mallory", "a");
        if (attempts.begin("anna", "a", start + at)) ++tried;
    }
    EXPECT_LE(tried, 10);
}

TEST(Attempts, ForgetsAfterAQuarterOfAnHour) {
    Attempts attempts;
    for (int i = 0; i < 20; ++i) (void)attempts.begin("anna", "a", start + i * 70s);
    EXPECT_TRUE(attempts.begin("anna", "a", start + 20 * 70s + 15min));
}

TEST(Attempts, StaysBoundedUnderAFlood) {
    Attempts attempts;
    for (std::size_t i = 0; i < 3 * Attempts::keys_max; ++i) {
        (void)attempts.begin(fmt::format("{}", i), fmt::format("a{}", i), start + Duration(i));
    }
    EXPECT_TRUE(attempts.begin("anna", "office", start + 1s));
}

TEST(Attempts, TakesANetworkOfIpv6AsOneAddress) {
    EXPECT_EQ(source_of("2001:db8::1"), source_of("2001:db8:0:0:ffff::2"));
    EXPECT_NE(source_of("2001:db8::1"), source_of("2001:db8:0:1::1"));
    EXPECT_EQ(source_of("10.0.0.1"), "10.0.0.1");
}

}  // namespace
}  // namespace lineshaft::access
