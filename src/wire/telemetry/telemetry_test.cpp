#include "wire/telemetry/telemetry.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace lineshaft::wire::telemetry {
namespace {

constexpr std::int64_t some_ms = 1'700'000'000'123;
constexpr std::int64_t some_ns = some_ms * 1'000'000;

std::string value_text(const Reading& r) {
    switch (r.type) {
        case ValueType::Bool: return r.bits ? "true" : "false";
        case ValueType::Double: return fmt::format("{}", std::bit_cast<double>(r.bits));
        case ValueType::Int: return fmt::format("{}i", r.bits);
        case ValueType::String: return fmt::format("'{}'", r.text);
    }
    return "?";
}

/// "device|address=value" of every reading.
std::vector<std::string> lines(const ReadingBatch& batch) {
    std::vector<std::string> out;
    for (const Reading& r : batch.readings)
        out.push_back(fmt::format("{}|{}={}", r.device, r.address, value_text(r)));
    return out;
}

using Lines = std::vector<std::string>;

struct Mqtt {
    Mqtt(std::string_view topic, std::string_view payload, std::string_view self = "client-1")
        : result(Decoder().decode_mqtt(topic, as_bytes(payload), self, batch)) {}
    ReadingBatch batch;
    Result<Decoded> result;
};

struct Http {
    explicit Http(std::string_view body, std::string_view self = "")
        : result(Decoder().decode_http(body, self, batch)) {}
    ReadingBatch batch;
    Result<Decoded> result;
};

TEST(Telemetry, ABareValueIsTheLastLevelOfItsTopic) {
    EXPECT_EQ(lines(Mqtt("plant/filler/temperature", "20.5").batch), Lines{"plant/filler|temperature=20.5"});
    EXPECT_EQ(lines(Mqtt("plant/filler/running", "true").batch), Lines{"plant/filler|running=true"});
    EXPECT_EQ(lines(Mqtt("plant/filler/running", "False").batch), Lines{"plant/filler|running=false"});
    EXPECT_EQ(lines(Mqtt("plant/filler/state", "Execute").batch), Lines{"plant/filler|state='Execute'"});
    EXPECT_EQ(lines(Mqtt("plant/filler/state", "\"Exe cute\"").batch), Lines{"plant/filler|state='Exe cute'"});
    EXPECT_EQ(lines(Mqtt("plant/filler/state", "[INFO] started").batch),
              Lines{"plant/filler|state='[INFO] started'"});
    EXPECT_EQ(lines(Mqtt("temperature", " 20\n").batch), Lines{"temperature|value=20"});
    EXPECT_EQ(lines(Mqtt("/a/b/", std::string_view("7\0", 2)).batch), Lines{"a|b=7"});
}

TEST(Telemetry, NoValueIsABadReading) {
    for (const char* payload :
         {"null", "nan", "NaN", "-inf", R"({"value":null})", R"({"value":null,"quality":"bad"})"}) {
        Mqtt m("a/b", payload);
        ASSERT_EQ(m.batch.readings.size(), 1u) << payload;
        EXPECT_TRUE(std::isnan(std::bit_cast<double>(m.batch.readings[0].bits))) << payload;
        EXPECT_TRUE(m.batch.readings[0].quality.is_bad()) << payload;
    }
}

TEST(Telemetry, AWrappedScalarHasItsCircumstances) {
    for (const char* payload : {R"({"value":20.5,"timestamp":1700000000123,"quality":"uncertain","unit":"Cel"})",
                                R"({"val":20.5,"ts":1700000000.123,"q":64,"unit":"Cel"})",
                                R"({"v":20.5,"time":"2023-11-14T22:13:20.123Z","quality":"Uncertain","u":"Cel"})",
                                R"({"v":20.5,"t":1700000000123000,"q":64,"u":"Cel"})",
                                R"({"v":20.5,"t":1700000000123000000,"q":64,"u":"Cel"})",
                                R"({"v":20.5,"t":"1700000000123","q":64,"u":"Cel"})"}) {
        Mqtt m("a/b/temperature", payload);
        ASSERT_EQ(lines(m.batch), Lines{"a/b|temperature=20.5"}) << payload;
        const Reading& r = m.batch.readings[0];
        EXPECT_NEAR(static_cast<double>(r.source_time.ns() - some_ns), 0, 200) << payload;
        EXPECT_EQ(r.quality, Quality::uncertain) << payload;
        EXPECT_EQ(r.unit, "Cel") << payload;
    }
}

TEST(Telemetry, NanosecondsStayExact) {
    EXPECT_EQ(Mqtt("a/b", R"({"value":1,"ts":1700000000123456789})").batch.readings[0].source_time.ns(),
              1700000000123456789);
    EXPECT_EQ(Mqtt("a/b", R"({"value":1,"ts":1700000000})").batch.readings[0].source_time.ns(), 1700000000000000000);
}

TEST(Telemetry, AnObjectWithOtherKeysIsAMap) {
    EXPECT_EQ(lines(Mqtt("a/b", R"({"value":1,"speed":2})").batch), (Lines{"a/b|value=1", "a/b|speed=2"}));
    // A time that cannot be one is a value.
    EXPECT_EQ(lines(Mqtt("a/b", R"({"v":3,"t":12.5})").batch), (Lines{"a/b|v=3", "a/b|t=12.5"}));
}

TEST(Telemetry, AMapIsFlattened) {
    Mqtt m("plant/filler", R"({"motor":{"current":1.2,"phases":[1,2],"ok":true},"state":"run","ts":1700000000123})");
    EXPECT_EQ(lines(m.batch),
              (Lines{"plant/filler|motor/current=1.2", "plant/filler|motor/phases/0=1",
                     "plant/filler|motor/phases/1=2", "plant/filler|motor/ok=true", "plant/filler|state='run'"}));
    for (const Reading& r : m.batch.readings) EXPECT_EQ(r.source_time.ns(), some_ns);
}

TEST(Telemetry, AMapMayHoldWrappedScalars) {
    Mqtt m("d", R"({"ts":1700000000123,"a":{"value":1,"unit":"bar"},"b":{"value":2,"ts":1700000001000}})");
    EXPECT_EQ(lines(m.batch), (Lines{"d|a=1", "d|b=2"}));
    EXPECT_EQ(m.batch.readings[0].source_time.ns(), some_ns);
    EXPECT_EQ(m.batch.readings[0].unit, "bar");
    EXPECT_EQ(m.batch.readings[1].source_time.ns(), 1'700'000'001'000'000'000);
}

TEST(Telemetry, ThingsBoardFormsAreUnderstood) {
    Mqtt m("v1/devices/me/telemetry", R"([{"ts":1700000000123,"values":{"t":1,"u":2}},{"x":3}])", "filler-1");
    EXPECT_EQ(lines(m.batch), (Lines{"filler-1|t=1", "filler-1|u=2", "filler-1|x=3"}));
    EXPECT_EQ(m.batch.readings[1].source_time.ns(), some_ns);
    EXPECT_TRUE(m.batch.readings[2].source_time.is_none());
    EXPECT_EQ(
        lines(Mqtt("v1/gateway/telemetry", R"({"A":[{"ts":1700000000123,"values":{"t":1}}],"B":[{"t":2}]})").batch),
        (Lines{"A|t=1", "B|t=2"}));
    EXPECT_FALSE(Mqtt("a", R"({"ts":"yesterday","values":{"t":1}})").result);
}

TEST(Telemetry, AnArrayOfMessagesIsOneAfterTheOther) {
    Mqtt m("a/b", R"([{"value":1,"ts":1700000000123},{"value":2,"ts":1700000001123}])");
    EXPECT_EQ(lines(m.batch), (Lines{"a|b=1", "a|b=2"}));
    EXPECT_EQ(lines(Mqtt("a/b", "[1,2,[3,true]]").batch), (Lines{"a/b|0=1", "a/b|1=2", "a/b|2/0=3", "a/b|2/1=true"}));
}

TEST(Telemetry, ALongArrayIsSkippedAndCounted) {
    std::string wave = "[0";
    for (std::size_t i = 0; i < array_values_max; ++i) wave += ",1";
    Mqtt m("a", R"({"x":1,"wave":)" + wave + "]}");
    ASSERT_TRUE(m.result);
    EXPECT_EQ(m.result->readings, 1u);
    EXPECT_EQ(m.result->skipped, 1u);
}

TEST(Telemetry, HttpNamesItsDevice) {
    EXPECT_EQ(lines(Http(R"({"device":"d","ts":1700000000123,"values":{"a":1,"b":{"c":2}}})").batch),
              (Lines{"d|a=1", "d|b/c=2"}));
    EXPECT_EQ(lines(Http(R"({"device":"d","temperature":1})").batch), Lines{"d|temperature=1"});
    EXPECT_EQ(lines(Http(R"({"device":"d","value":1})").batch), Lines{"d|value=1"});
    EXPECT_EQ(lines(Http(R"({"temperature":1})", "own").batch), Lines{"own|temperature=1"});
    EXPECT_EQ(lines(Http(R"([{"device":"d","a":1},{"device":"e","a":2}])").batch), (Lines{"d|a=1", "e|a=2"}));
    EXPECT_EQ(Http(R"({"temperature":1})").result.error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(Http(R"({"device":"","a":1})").result.error().code(), ErrorCode::InvalidArgument);
    for (const char* bad : {"", "1", "[1]", "{", R"({"device":"d","a":})", "[{\"device\":\"d\",\"a\":1},"})
        EXPECT_EQ(Http(bad).result.error().code(), ErrorCode::Malformed) << bad;
}

TEST(Telemetry, WhatFailsLeavesTheBatchAsItWas) {
    ReadingBatch batch;
    Decoder decoder;
    ASSERT_TRUE(decoder.decode_http(R"({"device":"d","a":1})", "", batch));
    EXPECT_FALSE(decoder.decode_http(R"([{"device":"d","b":1},{"b":2}])", "", batch));
    EXPECT_EQ(lines(batch), Lines{"d|a=1"});
}

TEST(Telemetry, LimitsHold) {
    std::string deep;
    for (std::size_t i = 0; i <= limits::json_depth_max; ++i) deep += R"({"a":)";
    deep += "1" + std::string(limits::json_depth_max + 1, '}');
    EXPECT_EQ(Mqtt("a", deep).result.error().code(), ErrorCode::TooLarge);
    EXPECT_FALSE(Mqtt("a/b", std::string(limits::string_value_bytes_max + 1, 'x')).result);
    EXPECT_FALSE(Mqtt("a/b", "\xFF\xFE").result);
    EXPECT_FALSE(Mqtt("a/b", "\x01\x02\x03").result);
    EXPECT_FALSE(Mqtt("a/b", R"({"cut":1)").result);
    EXPECT_FALSE(Mqtt("///", "1").result);
    EXPECT_EQ(Mqtt("a/b", "").result->readings, 0u);
    EXPECT_FALSE(
        Http(fmt::format(R"({{"device":"d","{}":1}})", std::string(limits::tag_path_bytes_max, 'k'))).result);
    std::string many = "[";
    for (std::size_t i = 0; i <= limits::json_values_max; ++i) many += R"({"device":"d","a":1},)";
    many.back() = ']';
    EXPECT_EQ(Http(many).result.error().code(), ErrorCode::TooLarge);
}

TEST(Telemetry, ADecoderIsUsedAgain) {
    Decoder decoder;
    ReadingBatch batch;
    EXPECT_FALSE(decoder.decode_mqtt("a", as_bytes("{"), "", batch));
    ASSERT_TRUE(decoder.decode_mqtt("a", as_bytes("{\"x\":1}"), "", batch));
    ASSERT_TRUE(decoder.decode_mqtt("a", as_bytes("{\"x\":2}"), "", batch));
    EXPECT_EQ(lines(batch), (Lines{"a|x=1", "a|x=2"}));
}

}  // namespace
}  // namespace lineshaft::wire::telemetry
