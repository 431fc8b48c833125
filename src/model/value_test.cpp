#include "model/value.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"

namespace lineshaft {
namespace {

Value text(std::string_view string) { return std::string(string); }

TEST(Value, TypesAreReadBackByName) {
    for (const ValueType type : {ValueType::Bool, ValueType::Int, ValueType::Double, ValueType::String}) {
        EXPECT_EQ(*value_type_from_text(to_text(type)), type);
    }
    EXPECT_EQ(value_type_from_text("float").error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(type_of(Value(true)), ValueType::Bool);
    EXPECT_EQ(type_of(Value(std::int64_t{1})), ValueType::Int);
    EXPECT_EQ(type_of(Value(1.0)), ValueType::Double);
    EXPECT_EQ(type_of(text("1")), ValueType::String);
}

TEST(Value, TextSaysExactlyTheValue) {
    EXPECT_EQ(to_text(Value(true)), "true");
    EXPECT_EQ(to_text(Value(std::int64_t{INT64_MIN})), "-9223372036854775808");
    EXPECT_EQ(to_text(Value(0.1)), "0.1");
    EXPECT_EQ(to_text(Value(21.5)), "21.5");
    EXPECT_EQ(to_text(Value(std::numeric_limits<double>::quiet_NaN())), "nan");
    EXPECT_EQ(to_text(Value(-std::numeric_limits<double>::infinity())), "-inf");
    EXPECT_EQ(to_text(text("a \"b\"")), "a \"b\"");
}

TEST(Value, EveryDoubleComesBackFromItsText) {
    Random random(7);
    for (int i = 0; i < 20'000; ++i) {
        const auto number = std::bit_cast<double>(random.next());
        if (std::isnan(number)) continue;
        const auto back = convert(Value(to_text(Value(number))), ValueType::Double);
        ASSERT_TRUE(back) << to_text(Value(number));
        ASSERT_EQ(std::get<double>(*back), number);
    }
}

TEST(Value, ConvertsWhereNothingIsLost) {
    EXPECT_EQ(*convert(Value(std::int64_t{21}), ValueType::Double), Value(21.0));
    EXPECT_EQ(*convert(Value(21.0), ValueType::Int), Value(std::int64_t{21}));
    EXPECT_EQ(*convert(Value(std::int64_t{1}), ValueType::Bool), Value(true));
    EXPECT_EQ(*convert(Value(0.0), ValueType::Bool), Value(false));
    EXPECT_EQ(*convert(Value(true), ValueType::Int), Value(std::int64_t{1}));
    EXPECT_EQ(*convert(Value(true), ValueType::Double), Value(1.0));
    EXPECT_EQ(*convert(text("-7"), ValueType::Int), Value(std::int64_t{-7}));
    EXPECT_EQ(*convert(text("1e3"), ValueType::Double), Value(1000.0));
    EXPECT_EQ(*convert(text("ON"), ValueType::Bool), Value(true));
    EXPECT_EQ(*convert(text("false"), ValueType::Bool), Value(false));
    EXPECT_EQ(*convert(Value(0.5), ValueType::String), text("0.5"));
    EXPECT_EQ(*convert(text("x"), ValueType::String), text("x"));
}

TEST(Value, RefusesWhereSomethingWouldBeLost) {
    const std::pair<Value, ValueType> refused[] = {
        {Value(21.5), ValueType::Int},
        {Value(1e19), ValueType::Int},
        {Value(std::nan("")), ValueType::Int},
        {Value(std::nan("")), ValueType::Bool},
        {Value(std::int64_t{2}), ValueType::Bool},
        {Value(0.5), ValueType::Bool},
        {text("warm"), ValueType::Double},
        {text("21.5"), ValueType::Int},
        {text("21 "), ValueType::Double},
        {text(""), ValueType::Int},
        {text("maybe"), ValueType::Bool},
        {text("9223372036854775808"), ValueType::Int},
    };
    for (const auto& [value, type] : refused) {
        const auto converted = convert(value, type);
        ASSERT_FALSE(converted) << to_text(value) << " as " << to_text(type);
        EXPECT_EQ(converted.error().code(), ErrorCode::TagType);
    }
}

TEST(Value, AsNumbersBoolsAreZeroAndOneAndStringsAreNone) {
    EXPECT_EQ(to_double(Value(true)), 1.0);
    EXPECT_EQ(to_double(Value(std::int64_t{-3})), -3.0);
    EXPECT_TRUE(std::isnan(to_double(text("3"))));
}

}  // namespace
}  // namespace lineshaft
