#include "wire/modbus/modbus.h"

#include <gtest/gtest.h>

using namespace lineshaft;
using namespace lineshaft::wire::modbus;

namespace {

Bytes hex(std::string_view text) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size();) {
        if (text[i] == ' ') {
            ++i;
            continue;
        }
        bytes.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
        i += 2;
    }
    return bytes;
}

/// The one frame in `bytes`; they must outlive it.
class OneFrame {
public:
    explicit OneFrame(const Bytes& bytes) {
        reader_.add(bytes);
        auto frame = reader_.next();
        EXPECT_TRUE(frame && *frame);
        if (frame && *frame) frame_ = **frame;
    }
    const Frame& operator*() const { return frame_; }

private:
    FrameReader reader_;
    Frame frame_;
};

Request request_of(const Bytes& bytes) {
    const OneFrame frame(bytes);
    const auto request = decode_request(*frame);
    EXPECT_TRUE(request);
    return request.value_or(Request{});
}

Exception refusal_of(std::string_view text) {
    const Bytes bytes = hex(text);
    const OneFrame frame(bytes);
    const auto request = decode_request(*frame);
    EXPECT_FALSE(request);
    return request ? Exception{} : request.error().exception;
}

Result<Response> answer(const Request& request, std::string_view text) {
    const Bytes bytes = hex(text);
    const OneFrame frame(bytes);
    return decode_response(*frame, request);
}

void expect_bytes(const Bytes& got, std::string_view expected) { EXPECT_EQ(got, hex(expected)); }

}  // namespace

// The examples are those of MODBUS Application Protocol V1.1b3, chapter 6, with a header of transaction 0x1501, unit 0x11.

TEST(ModbusCodec, ReadCoils) {
    const Request request{
        .transaction = 0x1501, .unit = 0x11, .function = Function::ReadCoils, .address = 0x13, .count = 0x13};
    expect_bytes(encode_request(request), "15 01 00 00 00 06 11 01 00 13 00 13");
    EXPECT_EQ(request_of(encode_request(request)), request);
    const auto response = answer(request, "15 01 00 00 00 06 11 01 03 CD 6B 05");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->bits, (std::vector<std::uint8_t>{1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1}));
    expect_bytes(encode_response(request, *response), "15 01 00 00 00 06 11 01 03 CD 6B 05");
}

TEST(ModbusCodec, ReadDiscreteInputs) {
    const Request request{
        .transaction = 1, .unit = 1, .function = Function::ReadDiscreteInputs, .address = 0xC4, .count = 0x16};
    expect_bytes(encode_request(request), "00 01 00 00 00 06 01 02 00 C4 00 16");
    const auto response = answer(request, "00 01 00 00 00 06 01 02 03 AC DB 35");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->bits.size(), 0x16U);
    EXPECT_EQ(response->bits[2], 1);
    expect_bytes(encode_response(request, *response), "00 01 00 00 00 06 01 02 03 AC DB 35");
}

TEST(ModbusCodec, ReadHoldingRegisters) {
    const Request request{
        .transaction = 1, .unit = 1, .function = Function::ReadHoldingRegisters, .address = 0x6B, .count = 3};
    expect_bytes(encode_request(request), "00 01 00 00 00 06 01 03 00 6B 00 03");
    const auto response = answer(request, "00 01 00 00 00 09 01 03 06 02 2B 00 00 00 64");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->registers, (std::vector<std::uint16_t>{0x022B, 0, 0x64}));
    expect_bytes(encode_response(request, *response), "00 01 00 00 00 09 01 03 06 02 2B 00 00 00 64");
}

TEST(ModbusCodec, ReadInputRegisters) {
    const Request request{.transaction = 1, .function = Function::ReadInputRegisters, .address = 8, .count = 1};
    expect_bytes(encode_request(request), "00 01 00 00 00 06 01 04 00 08 00 01");
    const auto response = answer(request, "00 01 00 00 00 05 01 04 02 00 0A");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->registers, (std::vector<std::uint16_t>{10}));
}

TEST(ModbusCodec, WriteSingleCoil) {
    const Request request{.transaction = 1, .function = Function::WriteSingleCoil, .address = 0xAC, .bits = {1}};
    expect_bytes(encode_request(request), "00 01 00 00 00 06 01 05 00 AC FF 00");
    EXPECT_EQ(request_of(encode_request(request)), request);
    expect_bytes(encode_response(request, {}), "00 01 00 00 00 06 01 05 00 AC FF 00");
    EXPECT_TRUE(answer(request, "00 01 00 00 00 06 01 05 00 AC FF 00"));
    EXPECT_FALSE(answer(request, "00 01 00 00 00 06 01 05 00 AC 00 00"));
    EXPECT_FALSE(answer(request, "00 01 00 00 00 06 01 05 00 AD FF 00"));
}

TEST(ModbusCodec, WriteSingleRegister) {
    const Request request{
        .transaction = 1, .function = Function::WriteSingleRegister, .address = 1, .registers = {3}};
    expect_bytes(encode_request(request), "00 01 00 00 00 06 01 06 00 01 00 03");
    EXPECT_EQ(request_of(encode_request(request)), request);
    EXPECT_TRUE(answer(request, "00 01 00 00 00 06 01 06 00 01 00 03"));
    EXPECT_FALSE(answer(request, "00 01 00 00 00 06 01 06 00 01 00 04"));
    EXPECT_FALSE(answer(request, "00 01 00 00 00 05 01 06 00 01 00"));
}

TEST(ModbusCodec, WriteMultipleCoils) {
    const Request request{.transaction = 1,
                          .function = Function::WriteMultipleCoils,
                          .address = 0x13,
                          .bits = {1, 0, 1, 1, 0, 0, 1, 1, 1, 0}};
    expect_bytes(encode_request(request), "00 01 00 00 00 09 01 0F 00 13 00 0A 02 CD 01");
    EXPECT_EQ(request_of(encode_request(request)), request);
    EXPECT_TRUE(answer(request, "00 01 00 00 00 06 01 0F 00 13 00 0A"));
    EXPECT_FALSE(answer(request, "00 01 00 00 00 06 01 0F 00 13 00 09"));
}

TEST(ModbusCodec, WriteMultipleRegisters) {
    const Request request{
        .transaction = 1, .function = Function::WriteMultipleRegisters, .address = 1, .registers = {10, 0x102}};
    expect_bytes(encode_request(request), "00 01 00 00 00 0B 01 10 00 01 00 02 04 00 0A 01 02");
    EXPECT_EQ(request_of(encode_request(request)), request);
    EXPECT_TRUE(answer(request, "00 01 00 00 00 06 01 10 00 01 00 02"));
}

TEST(ModbusCodec, ReadWriteMultipleRegisters) {
    const Request request{.transaction = 1,
                          .function = Function::ReadWriteMultipleRegisters,
                          .address = 3,
                          .count = 6,
                          .write_address = 14,
                          .registers = {0xFF, 0xFF, 0xFF}};
    expect_bytes(encode_request(request), "00 01 00 00 00 11 01 17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF");
    EXPECT_EQ(request_of(encode_request(request)), request);
    const auto response = answer(request, "00 01 00 00 00 0F 01 17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->registers, (std::vector<std::uint16_t>{0xFE, 0xACD, 1, 3, 13, 0xFF}));
}

TEST(ModbusCodec, EveryExceptionOfEveryFunction) {
    for (const int function : {1, 2, 3, 4, 5, 6, 15, 16, 23}) {
        for (const int code : {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 99}) {
            Request request{.transaction = 9, .unit = 3, .function = static_cast<Function>(function), .count = 1};
            request.bits = {1};
            request.registers = {1};
            const Bytes bytes = encode_response(request, {.exception = static_cast<Exception>(code)});
            ASSERT_EQ(bytes.size(), header_bytes + 2);
            const OneFrame frame(bytes);
            const auto response = decode_response(*frame, request);
            ASSERT_TRUE(response);
            EXPECT_EQ(response->exception, static_cast<Exception>(code));
            EXPECT_NE(to_text(static_cast<Exception>(code)), "");
        }
    }
}

TEST(ModbusCodec, AnAnswerMustMatchItsRequest) {
    const Request request{.transaction = 7, .unit = 2, .function = Function::ReadHoldingRegisters, .count = 2};
    EXPECT_TRUE(answer(request, "00 07 00 00 00 07 02 03 04 00 01 00 02"));
    const char* wrong[] = {
        "00 08 00 00 00 07 02 03 04 00 01 00 02",        // Another transaction.
        "00 07 00 00 00 07 03 03 04 00 01 00 02",        // Another unit.
        "00 07 00 00 00 07 02 04 04 00 01 00 02",        // Another function.
        "00 07 00 00 00 05 02 03 02 00 01",              // Fewer registers, consistently.
        "00 07 00 00 00 09 02 03 06 00 01 00 02 00 03",  // More registers, consistently.
        "00 07 00 00 00 07 02 03 05 00 01 00 02",        // Announces more than it has.
        "00 07 00 00 00 06 02 03 04 00 01 00",           // Has less than it announces.
        "00 07 00 00 00 02 02 03",                       // Nothing.
        "00 07 00 00 00 02 02 83",                       // An exception without a code.
        "00 07 00 00 00 03 02 83 00",                    // Exception zero.
        "00 07 00 00 00 03 02 84 02",                    // An exception of another function.
    };
    for (const char* bytes : wrong) {
        const auto response = answer(request, bytes);
        ASSERT_FALSE(response) << bytes;
        EXPECT_EQ(response.error().code(), ErrorCode::Malformed) << bytes;
    }
}

TEST(ModbusCodec, AServerRefusesWhatTheSpecificationRefuses) {
    EXPECT_EQ(refusal_of("00 01 00 00 00 06 01 07 00 00 00 01"), Exception::IllegalFunction);
    EXPECT_EQ(refusal_of("00 01 00 00 00 06 01 03 00 00 00 00"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 06 01 03 00 00 00 7E"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 06 01 01 00 00 07 D1"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 06 01 05 00 00 12 34"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 09 01 10 00 00 00 02 04 00 01"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 09 01 10 00 00 00 01 04 00 01"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 08 01 0F 00 00 00 09 01 FF"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 07 01 03 00 00 00 01 00"), Exception::IllegalDataValue);
    EXPECT_EQ(refusal_of("00 01 00 00 00 03 01 03 00"), Exception::IllegalDataValue);
}

TEST(ModbusCodec, FramesMayComeSplitOrTogether) {
    const Bytes two = hex("00 01 00 00 00 05 01 04 02 00 0A 00 02 00 00 00 03 01 84 02");
    for (std::size_t cut = 0; cut <= two.size(); ++cut) {
        FrameReader reader;
        std::vector<std::uint16_t> seen;
        const auto take_all = [&] {
            while (true) {
                const auto frame = reader.next();
                ASSERT_TRUE(frame);
                if (!*frame) return;
                seen.push_back((*frame)->transaction);
            }
        };
        reader.add(ByteView(two).first(cut));
        take_all();
        reader.add(ByteView(two).subspan(cut));
        take_all();
        EXPECT_EQ(seen, (std::vector<std::uint16_t>{1, 2})) << cut;
    }
}

TEST(ModbusCodec, AStreamThatIsNotModbusIsNoticed) {
    for (const char* bytes :
         {"48 54 54 50 2F 31 2E 31", "00 01 00 00 00 01 01", "00 01 00 00 00 FF 01", "00 01 00 00 FF FF 01"}) {
        FrameReader reader;
        reader.add(hex(bytes));
        const auto frame = reader.next();
        ASSERT_FALSE(frame) << bytes;
        EXPECT_EQ(frame.error().code(), ErrorCode::Malformed);
    }
}

TEST(ModbusCodec, TheLargestFramesFit) {
    Request request{.function = Function::WriteMultipleRegisters,
                    .registers = std::vector<std::uint16_t>(123, 0xABCD)};
    EXPECT_EQ(request_of(encode_request(request)), request);
    Request bits{.function = Function::WriteMultipleCoils, .bits = std::vector<std::uint8_t>(1968, 1)};
    EXPECT_EQ(request_of(encode_request(bits)), bits);
    Request read{.function = Function::ReadHoldingRegisters, .count = 125};
    const Bytes bytes = encode_response(read, {.registers = std::vector<std::uint16_t>(125, 1)});
    EXPECT_EQ(bytes.size(), 259U);
    const OneFrame frame(bytes);
    EXPECT_TRUE(decode_response(*frame, read));
}
