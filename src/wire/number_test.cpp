#include "wire/number.h"

#include <bit>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace lineshaft::wire {
namespace {

void expect_as_strtod(const std::string& text) {
    const auto read = number_from_text(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*read), std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr)))
        << text;
}

TEST(Number, PlainNumbersAreRead) {
    for (const char* text :
         {"0", "-0", "1", "+1", "-17", "20.5", ".5", "5.", "1e3", "1E-3", "1.5e+10", "0.1", "00012.50"})
        expect_as_strtod(text);
}

TEST(Number, TheEdgesOfADoubleAreExact) {
    for (const char* text : {"9007199254740992",
                             "9007199254740993",
                             "9007199254740993.0",
                             "18446744073709551615",
                             "18446744073709551616",
                             "123456789012345678901234567890",
                             "1.7976931348623157e308",
                             "2.2250738585072014e-308",
                             "4.9e-324",
                             "1e-400",
                             "2.4703282292062327e-324",
                             "2.4703282292062328e-324",
                             "0.000000000000000000000000000000001",
                             "1e22",
                             "1e23",
                             "8.41e21",
                             "9.5e-23",
                             "17976931348623158e292",
                             "7.2057594037927933e+16",
                             "0e999999999999"})
        expect_as_strtod(text);
}

TEST(Number, RandomNumbersAreReadAsStrtodReadsThem) {
    Random random(7);
    for (int i = 0; i < 20'000; ++i) {
        const double value = std::bit_cast<double>(random.next());
        if (value == value && value - value == 0) expect_as_strtod(fmt::format("{}", value));
        expect_as_strtod(fmt::format("{}.{}e{}", random.below(1'000'000'000), random.next(),
                                     static_cast<int>(random.below(600)) - 300));
        expect_as_strtod(fmt::format("{:.3f}", random.unit() * 1000));
    }
}

TEST(Number, WhatIsNoNumberIsRefused) {
    for (const char* text : {"", "-", "+", ".", "e5", "1e", "1e+", "0x10", "nan", "inf", "1 ", " 1", "1,5", "--1",
                             "+-1", "-+1", "1e400"})
        EXPECT_FALSE(number_from_text(text)) << text;
}

}  // namespace
}  // namespace lineshaft::wire
