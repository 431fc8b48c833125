#include "wire/line_protocol/line_protocol.h"

#include <bit>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace lineshaft::wire::line_protocol {
namespace {

double real(const Field& field) { return std::bit_cast<double>(field.bits); }

/// The one line of `text`, which must be good.
struct OneLine {
    explicit OneLine(std::string_view text, Precision precision = Precision::Nanoseconds) : parser(text, precision) {
        line = parser.next();
    }
    std::string error() const { return parser.errors().empty() ? "" : parser.errors()[0].message; }
    Parser parser;
    const Line* line;
};

TEST(LineProtocol, ALineHasKeyFieldsAndTime) {
    OneLine one(
        "weather,location=us-midwest,season=summer temperature=82.5,humidity=71i,ok=t,note=\"fine\" "
        "1465839830100400200");
    ASSERT_TRUE(one.line);
    EXPECT_EQ(one.line->key, "weather,location=us-midwest,season=summer");
    EXPECT_EQ(one.line->time.ns(), 1465839830100400200);
    ASSERT_EQ(one.line->fields.size(), 4u);
    const auto& f = one.line->fields;
    EXPECT_EQ(f[0].name, "temperature");
    EXPECT_EQ(f[0].type, ValueType::Double);
    EXPECT_EQ(real(f[0]), 82.5);
    EXPECT_EQ(f[1].type, ValueType::Int);
    EXPECT_EQ(f[1].bits, 71u);
    EXPECT_EQ(f[2].type, ValueType::Bool);
    EXPECT_EQ(f[2].bits, 1u);
    EXPECT_EQ(f[3].type, ValueType::String);
    EXPECT_EQ(f[3].text, "fine");
    EXPECT_FALSE(one.parser.next());
    EXPECT_EQ(one.parser.refused_count(), 0u);
}

TEST(LineProtocol, TimeIsOptionalAndHasAPrecision) {
    EXPECT_TRUE(OneLine("m a=1").line->time.is_none());
    EXPECT_TRUE(OneLine("m a=1 ").line->time.is_none());
    EXPECT_EQ(OneLine("m a=1 5", Precision::Seconds).line->time.ns(), 5'000'000'000);
    EXPECT_EQ(OneLine("m a=1 5", Precision::Milliseconds).line->time.ns(), 5'000'000);
    EXPECT_EQ(OneLine("m a=1 5", Precision::Microseconds).line->time.ns(), 5'000);
    EXPECT_EQ(OneLine("m a=1 2", Precision::Hours).line->time.ns(), 7'200'000'000'000);
    EXPECT_EQ(OneLine("m a=1 -1").line->time.ns(), -1);
    EXPECT_FALSE(OneLine("m a=1 1465839830100400200", Precision::Seconds).line);
    EXPECT_FALSE(OneLine("m a=1 12x").line);
    EXPECT_FALSE(OneLine("m a=1 1.5").line);
    EXPECT_FALSE(OneLine("m a=1 5 6").line);
}

TEST(LineProtocol, IntegersAreSixtyFourBits) {
    EXPECT_EQ(std::bit_cast<std::int64_t>(OneLine("m a=-9223372036854775808i").line->fields[0].bits), INT64_MIN);
    EXPECT_EQ(OneLine("m a=9223372036854775807u").line->fields[0].bits, INT64_MAX);
    EXPECT_EQ(OneLine("m a=+5i").line->fields[0].bits, 5u);
    for (const char* bad :
         {"m a=9223372036854775808i", "m a=9223372036854775808u", "m a=-1u", "m a=1.5i", "m a=i", "m a=+-1i"})
        EXPECT_FALSE(OneLine(bad).line) << bad;
}

TEST(LineProtocol, BooleansHaveTenSpellings) {
    for (const char* word : {"t", "T", "true", "True", "TRUE"})
        EXPECT_EQ(OneLine(std::string("m a=") + word).line->fields[0].bits, 1u) << word;
    for (const char* word : {"f", "F", "false", "False", "FALSE"}) {
        const std::string text = std::string("m a=") + word;
        OneLine one(text);
        EXPECT_EQ(one.line->fields[0].bits, 0u) << word;
        EXPECT_EQ(one.line->fields[0].type, ValueType::Bool);
    }
    EXPECT_FALSE(OneLine("m a=tRUE").line);
}

TEST(LineProtocol, NumbersThatAreNoneAreRefused) {
    for (const char* bad :
         {"m a=nan", "m a=NaN", "m a=inf", "m a=1e999", "m a=0x1p3", "m a=--1", "m a=1_000", "m a="})
        EXPECT_FALSE(OneLine(bad).line) << bad;
}

TEST(LineProtocol, EscapesStayUntilAskedFor) {
    OneLine one(R"(my\ m\,x,tag\ k=va\=l\,u\ e fie\=ld="a \"b\" \\ c" 1)");
    ASSERT_TRUE(one.line) << one.error();
    EXPECT_EQ(*device_name(one.line->key), "my m,x/va=l,u e");
    const Field& field = one.line->fields[0];
    EXPECT_TRUE(field.name_escaped);
    EXPECT_EQ(unescape_name(field.name), "fie=ld");
    EXPECT_TRUE(field.text_escaped);
    EXPECT_EQ(unescape_text(field.text), R"(a "b" \ c)");
    EXPECT_EQ(unescape_name(R"(C:\temp\x)"), R"(C:\temp\x)");
    EXPECT_EQ(unescape_text(R"(C:\temp)"), R"(C:\temp)");
}

TEST(LineProtocol, TextMayHoldDelimiters) {
    OneLine one("m a=\"x,y=1 2 # not a comment\",b=2");
    ASSERT_TRUE(one.line);
    EXPECT_EQ(one.line->fields[0].text, "x,y=1 2 # not a comment");
    EXPECT_EQ(real(one.line->fields[1]), 2);
    EXPECT_EQ(OneLine("m a=\"\"").line->fields[0].text, "");
}

TEST(LineProtocol, CommentsAndEmptyLinesAreSkippedButCounted) {
    Parser parser("# head\n\n  \r\nm a=1\r\n#x\nm a=2", Precision::Nanoseconds);
    const Line* line = parser.next();
    ASSERT_TRUE(line);
    EXPECT_EQ(line->number, 4u);
    line = parser.next();
    ASSERT_TRUE(line);
    EXPECT_EQ(line->number, 6u);
    EXPECT_EQ(real(line->fields[0]), 2);
    EXPECT_FALSE(parser.next());
    EXPECT_EQ(parser.refused_count(), 0u);
}

TEST(LineProtocol, ABadLineDoesNotSpoilItsNeighbours) {
    Parser parser("m a=1\nm\nm a=\"open\nm a=1x\nm a=2\n", Precision::Nanoseconds, 101);
    EXPECT_EQ(real(parser.next()->fields[0]), 1);
    EXPECT_EQ(real(parser.next()->fields[0]), 2);
    EXPECT_FALSE(parser.next());
    ASSERT_EQ(parser.errors().size(), 3u);
    EXPECT_EQ(parser.errors()[0].number, 102u);
    EXPECT_EQ(parser.errors()[1].number, 103u);
    EXPECT_EQ(parser.errors()[2].number, 104u);
}

TEST(LineProtocol, WhatIsNoLineIsRefused) {
    for (const char* bad :
         {"m", "m ", "m a", "m =1", "m a=1,", "m a=1,,b=2", "m a,b=1", "m a=1b=2", "m a=\"x\"y", "m ,a=1"})
        EXPECT_FALSE(OneLine(bad).line) << bad;
    EXPECT_FALSE(OneLine("m a=\"\xFF\"").line);
    EXPECT_FALSE(OneLine("m a=\"" + std::string(limits::string_value_bytes_max + 1, 'x') + "\"").line);
}

TEST(LineProtocol, OnlyTheFirstErrorsAreExplained) {
    std::string body;
    for (int i = 0; i < 100; ++i) body += "bad\n";
    Parser parser(body, Precision::Nanoseconds);
    EXPECT_FALSE(parser.next());
    EXPECT_EQ(parser.refused_count(), 100u);
    EXPECT_EQ(parser.errors().size(), errors_kept_max);
}

TEST(LineProtocol, TheDeviceIsMeasurementAndTagValuesInTagOrder) {
    EXPECT_EQ(*device_name("cpu"), "cpu");
    EXPECT_EQ(*device_name("cpu,region=b,host=a"), "cpu/a/b");
    EXPECT_EQ(*device_name("cpu,host=a,region=b"), "cpu/a/b");
    for (const char* bad :
         {"", ",a=b", "cpu,", "cpu,a", "cpu,a=", "cpu,=b", "cpu,a=b,", "cpu,a=b=c", "cpu,a=b,a=c", "cpu,a=\x01"})
        EXPECT_FALSE(device_name(bad)) << bad;
    EXPECT_EQ(device_name("m,t=" + std::string(600, 'x')).error().code(), ErrorCode::TooLarge);
}

TEST(LineProtocol, PrecisionsHaveNames) {
    EXPECT_EQ(*precision_from_text(""), Precision::Nanoseconds);
    EXPECT_EQ(*precision_from_text("u"), Precision::Microseconds);
    EXPECT_EQ(*precision_from_text("ms"), Precision::Milliseconds);
    EXPECT_FALSE(precision_from_text("fortnight"));
}

}  // namespace
}  // namespace lineshaft::wire::line_protocol
