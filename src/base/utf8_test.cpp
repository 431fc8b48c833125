#include "base/utf8.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

TEST(Utf8, TextOfAllLengthsIsText) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("temperature"));
    EXPECT_TRUE(is_utf8("Öltemperatur °C"));
    EXPECT_TRUE(is_utf8("温度 𝛑 \xF4\x8F\xBF\xBF"));
}

TEST(Utf8, WhatIsNotWellFormedIsRefused) {
    EXPECT_FALSE(is_utf8("\x80"));
    EXPECT_FALSE(is_utf8("abcdefgh\xFF"));
    EXPECT_FALSE(is_utf8("\xC0\x80"));          // Overlong.
    EXPECT_FALSE(is_utf8("\xE0\x80\x80"));      // Overlong.
    EXPECT_FALSE(is_utf8("\xED\xA0\x80"));      // Surrogate.
    EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));  // Above U+10FFFF.
    EXPECT_FALSE(is_utf8("abc\xE6\xB8"));       // Cut.
}

TEST(Utf8, ControlCharactersAreNotPrintable) {
    EXPECT_TRUE(is_printable_utf8("Linie 3/Füller"));
    EXPECT_FALSE(is_printable_utf8("a\nb"));
    EXPECT_FALSE(is_printable_utf8(std::string_view("a\0b", 3)));
    EXPECT_FALSE(is_printable_utf8("a\x7F"));
}

}  // namespace
}  // namespace lineshaft
