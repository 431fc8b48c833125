#include "south/modbus/register_map.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "south/modbus/internal/plan.h"
#include "south/modbus/internal/poller.h"
#include "south/modbus/register_value.h"

using namespace lineshaft;
using namespace lineshaft::modbus;

namespace {

Register make(RegisterType type, std::uint16_t address = 0) {
    return {.name = "r" + std::to_string(address), .address = address, .type = type};
}

std::vector<std::string> messages_of(const CsvRegisters& parsed) {
    std::vector<std::string> messages;
    for (const CsvError& error : parsed.errors) messages.push_back(std::to_string(error.line) + " " + error.message);
    return messages;
}

constexpr std::string_view settings_text = R"({"address":"10.0.0.5:1502","unit":7,"poll_ms":500,"timeout_ms":250,
    "requests_per_second_max":12.5,"gap_max":4,"registers":[
    {"name":"temperature","table":"holding","address":10,"type":"int16","scale":0.1,"offset":-5,"unit":"Cel","writable":true},
    {"name":"energy","table":"input","address":20,"type":"float64","word_order":"little","byte_order":"little","poll_ms":60000},
    {"name":"running","table":"coil","address":3}]})";

}  // namespace

TEST(ModbusSettings, ReadsAllKeys) {
    const auto settings = parse_settings(settings_text);
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->address, (Endpoint{"10.0.0.5", 1502}));
    EXPECT_EQ(settings->unit, 7);
    EXPECT_EQ(settings->poll, 500ms);
    EXPECT_EQ(settings->timeout, 250ms);
    EXPECT_EQ(settings->requests_per_second_max, 12.5);
    ASSERT_EQ(settings->registers.size(), 3U);
    EXPECT_EQ(settings->registers[0].scale, 0.1);
    EXPECT_EQ(settings->registers[1].word_order, Order::Little);
    EXPECT_EQ(settings->registers[1].poll, 60s);
    EXPECT_EQ(settings->registers[2].type, RegisterType::Bool);
}

TEST(ModbusSettings, ComesBackFromItsJson) {
    const auto settings = parse_settings(settings_text);
    ASSERT_TRUE(settings);
    const auto again = parse_settings(to_json(*settings));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*again, *settings);
}

TEST(ModbusSettings, ThePortOf502NeedNotBeSaid) {
    EXPECT_EQ(parse_settings(R"({"address":"plc"})")->address.port, 502);
}

TEST(ModbusSettings, NamesTheKeyThatIsWrong) {
    const std::pair<const char*, const char*> wrong[] = {
        {"{}", "address: is missing"},
        {R"({"address":"a:1","unit":256})", "unit:"},
        {R"({"address":"a:1","poll_ms":10})", "poll_ms:"},
        {R"({"address":"a:1","timeout_ms":"1s"})", "timeout_ms: must be a number"},
        {R"({"address":"a:1","requests_per_second_max":0})", "requests_per_second_max:"},
        {R"({"address":"a:x"})", "address:"},
        {R"({"address":"a:1","adress":"b"})", "adress: there is no such key"},
        {R"({"address":"a:1","registers":{}})", "registers: must be a list"},
        {R"({"address":"a:1","registers":[{"name":"x"}]})", "registers[0].address: is missing"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1.5}]})",
         "registers[0].address: must be a whole number"},
        {R"({"address":"a:1","registers":[{"name":"","address":1}]})", "registers[0].name: is empty"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1,"type":"int8"}]})",
         "registers[0].type: 'int8' is not one of"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1,"table":"coil","type":"int16"}]})",
         "registers[0].type:"},
        {R"({"address":"a:1","registers":[{"name":"x","address":65535,"type":"int32"}]})", "registers[0].address:"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1,"scale":0}]})", "registers[0].scale:"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1,"table":"input","writable":true}]})",
         "registers[0].writable:"},
        {R"({"address":"a:1","registers":[{"name":"x","address":1},{"name":"x","address":2}]})",
         "registers[1].name: 'x' is used twice"},
    };
    for (const auto& [json, detail] : wrong) {
        const auto settings = parse_settings(json);
        ASSERT_FALSE(settings) << json;
        EXPECT_EQ(settings.error().code(), ErrorCode::InvalidArgument);
        EXPECT_TRUE(settings.error().detail().starts_with(detail)) << settings.error().detail();
    }
    EXPECT_EQ(parse_settings("nonsense").error().code(), ErrorCode::Malformed);
    EXPECT_EQ(parse_settings("[]").error().code(), ErrorCode::InvalidArgument);
}

TEST(ModbusCsv, ReadsARegisterMap) {
    const CsvRegisters parsed = parse_register_csv(
        "name,table,address,type,word_order,byte_order,scale,offset,unit,writable\n"
        "temperature,holding,0x0A,int16,,,0.1,-5,Cel,yes\n"
        "\"motor, current\",input,20,FLOAT32,little,big,,,A,\n"
        "running,coil,3,,,,,,,true\n");
    EXPECT_TRUE(parsed.errors.empty()) << messages_of(parsed)[0];
    ASSERT_EQ(parsed.registers.size(), 3U);
    EXPECT_EQ(parsed.registers[0].address, 10);
    EXPECT_EQ(parsed.registers[0].scale, 0.1);
    EXPECT_TRUE(parsed.registers[0].writable);
    EXPECT_EQ(parsed.registers[1].name, "motor, current");
    EXPECT_EQ(parsed.registers[1].type, RegisterType::Float32);
    EXPECT_EQ(parsed.registers[2].type, RegisterType::Bool);
    const CsvRegisters again = parse_register_csv(to_csv(parsed.registers));
    EXPECT_EQ(again.registers, parsed.registers);
}

TEST(ModbusCsv, ReadsWhatASpreadsheetWritesInEurope) {
    const CsvRegisters parsed = parse_register_csv("Name;Address;Type;Scale\r\na;1;int16;0,1\r\nb;2;uint16;10\r\n");
    EXPECT_TRUE(parsed.errors.empty());
    ASSERT_EQ(parsed.registers.size(), 2U);
    EXPECT_EQ(parsed.registers[0].scale, 0.1);
}

TEST(ModbusCsv, NamesTheLineOfEachError) {
    const CsvRegisters parsed = parse_register_csv(
        "name,table,address,type\n"
        "good,holding,1,int16\n"
        "bad,holding,70000,int16\n"
        "\n"
        "worse,holdin,1,int16\n"
        "short,holding\n"
        "good,holding,2,int16\n"
        "last,holding,3,int16\n");
    EXPECT_EQ(parsed.registers.size(), 2U);
    EXPECT_EQ(messages_of(parsed),
              (std::vector<std::string>{"3 address: '70000' is not 0 to 65535 (counted from 0, as in the frame)",
                                        "5 table: 'holdin' is not one of holding, input, coil, discrete",
                                        "6 has 2 values, expected 4", "7 name: 'good' is already on line 2"}));
    EXPECT_EQ(messages_of(parse_register_csv("name,adress\na,1\n")).size(), 2U);
    EXPECT_EQ(parse_register_csv("").errors.size(), 1U);
    EXPECT_EQ(parse_register_csv("name,address").registers.size(), 0U);
}

TEST(ModbusValue, EveryTypeInEveryOrder) {
    struct Case {
        RegisterType type;
        std::vector<std::uint16_t> words;  // Big, big.
        Value value;
    };
    const std::uint64_t pi = std::bit_cast<std::uint64_t>(3.25);
    const Case cases[] = {
        {RegisterType::Bool, {1}, true},
        {RegisterType::Int16, {0xFFFE}, std::int64_t{-2}},
        {RegisterType::UInt16, {0xFFFE}, std::int64_t{65534}},
        {RegisterType::Int32, {0xFFFF, 0xFFFE}, std::int64_t{-2}},
        {RegisterType::UInt32, {0x0001, 0x0203}, std::int64_t{0x00010203}},
        {RegisterType::Int64, {0x8000, 0, 0, 1}, std::int64_t{INT64_MIN + 1}},
        {RegisterType::Float32, {0x4048, 0xF5C3}, static_cast<double>(3.14F)},
        {RegisterType::Float64,
         {static_cast<std::uint16_t>(pi >> 48), static_cast<std::uint16_t>(pi >> 32),
          static_cast<std::uint16_t>(pi >> 16), static_cast<std::uint16_t>(pi)},
         3.25},
    };
    for (const Case& one : cases) {
        for (const Order word_order : {Order::Big, Order::Little}) {
            for (const Order byte_order : {Order::Big, Order::Little}) {
                Register reg = make(one.type);
                reg.word_order = word_order;
                reg.byte_order = byte_order;
                std::vector<std::uint16_t> words = one.words;
                if (word_order == Order::Little) std::ranges::reverse(words);
                if (byte_order == Order::Little)
                    std::ranges::transform(words, words.begin(), [](std::uint16_t w) { return std::byteswap(w); });
                EXPECT_EQ(decode_value(reg, words), one.value) << to_text(one.type);
                const auto back = encode_value(reg, one.value);
                ASSERT_TRUE(back) << to_text(one.type);
                EXPECT_EQ(*back, words) << to_text(one.type);
            }
        }
    }
}

TEST(ModbusValue, ScalesWithoutCrumbs) {
    Register reg = make(RegisterType::Int16);
    reg.scale = 0.1;
    EXPECT_EQ(decode_value(reg, std::vector<std::uint16_t>{3}), Value(0.3));
    reg.offset = -5;
    EXPECT_EQ(decode_value(reg, std::vector<std::uint16_t>{250}), Value(20.0));
    EXPECT_EQ(encode_value(reg, 20.04), (std::vector<std::uint16_t>{250}));
    reg.scale = 3;
    EXPECT_EQ(decode_value(reg, std::vector<std::uint16_t>{2}), Value(1.0));
    EXPECT_EQ(value_type_of(reg), ValueType::Double);
}

TEST(ModbusValue, RefusesWhatDoesNotFit) {
    const Register reg = make(RegisterType::Int16);
    EXPECT_TRUE(encode_value(reg, std::int64_t{32767}));
    EXPECT_FALSE(encode_value(reg, std::int64_t{32768}));
    EXPECT_FALSE(encode_value(reg, -32769.0));
    EXPECT_FALSE(encode_value(reg, std::nan("")));
    EXPECT_FALSE(encode_value(reg, std::string("warm")));
    EXPECT_TRUE(encode_value(reg, std::string("12")));
    EXPECT_FALSE(encode_value(make(RegisterType::UInt16), -1.0));
    EXPECT_FALSE(encode_value(make(RegisterType::Float32), 1e39));
    EXPECT_FALSE(encode_value(make(RegisterType::Bool), 2.0));
    EXPECT_EQ(encode_value(make(RegisterType::Int64), std::int64_t{INT64_MAX}),
              (std::vector<std::uint16_t>{0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF}));
}

TEST(ModbusPlan, JoinsNeighboursAndSmallGaps) {
    const std::vector<Register> registers{make(RegisterType::UInt16, 0), make(RegisterType::Float32, 1),
                                          make(RegisterType::UInt16, 6), make(RegisterType::UInt16, 20)};
    const auto plan = make_plan(registers, 1s, 3);
    ASSERT_EQ(plan.size(), 2U);
    EXPECT_EQ(plan[0].address, 0);
    EXPECT_EQ(plan[0].count, 7);
    EXPECT_EQ(plan[0].registers, (std::vector<std::uint32_t>{0, 1, 2}));
    EXPECT_EQ(plan[1].count, 1);
    EXPECT_EQ(make_plan(registers, 1s, 0).size(), 3U);
}

TEST(ModbusPlan, KeepsTablesAndPeriodsApart) {
    std::vector<Register> registers{make(RegisterType::UInt16, 0), make(RegisterType::UInt16, 1),
                                    make(RegisterType::UInt16, 2)};
    registers[1].table = Table::Input;
    registers[2].poll = 10s;
    EXPECT_EQ(make_plan(registers, 1s, 8).size(), 3U);
}

TEST(ModbusPlan, NeverAsksForMoreThanTheProtocolAllows) {
    std::vector<Register> registers;
    for (std::uint16_t i = 0; i < 1000; ++i)
        registers.push_back(make(RegisterType::Float32, static_cast<std::uint16_t>(i * 2)));
    const auto plan = make_plan(registers, 1s, 8);
    EXPECT_EQ(plan.size(), 17U);  // 62 float32 a request.
    std::size_t covered = 0;
    for (const Block& block : plan) {
        EXPECT_LE(block.count, 125);
        covered += block.registers.size();
    }
    EXPECT_EQ(covered, registers.size());
    std::vector<Register> coils;
    for (std::uint16_t i = 0; i < 4001; ++i) {
        coils.push_back({.name = std::to_string(i), .table = Table::Coil, .address = i, .type = RegisterType::Bool});
    }
    const auto bits = make_plan(coils, 1s, 0);
    ASSERT_EQ(bits.size(), 3U);
    EXPECT_EQ(bits[0].count, 2000);
}

TEST(ModbusPlan, SplitsUntilOneIsLeft) {
    const std::vector<Register> registers{make(RegisterType::UInt16, 0), make(RegisterType::UInt16, 4),
                                          make(RegisterType::UInt16, 5)};
    const auto [first, second] = split(make_plan(registers, 1s, 8)[0], registers);
    EXPECT_EQ(first.count, 1);
    EXPECT_EQ(second.address, 4);
    EXPECT_EQ(second.count, 2);
}

TEST(ModbusPoller, AsksOnItsGridAndCountsWhatItMisses) {
    Poller poller(1000);
    poller.add(1s, Instant(5));
    EXPECT_FALSE(poller.due(Instant(4)));
    EXPECT_EQ(poller.due(Instant(5)), 0U);
    poller.serve(0, Instant(5));
    EXPECT_EQ(poller.next_due(), Instant(1'000'000'005));
    poller.serve(0, Instant(3'500'000'000));
    EXPECT_EQ(poller.missed(), 2U);
    EXPECT_EQ(poller.next_due(), Instant(4'000'000'005));
}

TEST(ModbusPoller, TheLongestWaitingGoesFirst) {
    Poller poller(1000);
    poller.add(1s, Instant(300));
    poller.add(1s, Instant(100));
    poller.add(1s, Instant(200));
    EXPECT_EQ(poller.due(Instant(400)), 1U);
    EXPECT_EQ(poller.all_due(Instant(200)), (std::vector<std::size_t>{1, 2}));
}

TEST(ModbusPoller, NoSecondHoldsMoreThanTheCeiling) {
    Poller poller(7);
    std::vector<Instant> asked;
    for (Instant now(0); now < Instant(10'000'000'000); now = now + 1ms) {
        if (!poller.may_ask(now)) continue;
        poller.note_request(now);
        asked.push_back(now);
    }
    for (const Instant begin : asked) {
        const auto count = std::ranges::count_if(asked, [&](Instant at) { return at >= begin && at < begin + 1s; });
        EXPECT_LE(count, 7);
    }
    EXPECT_GE(asked.size(), 69U);
}
