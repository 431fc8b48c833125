/// Modbus TCP: bytes to requests and responses and back, for both sides. No I/O, no clock.
///
/// Flow:    FrameReader cuts the stream into frames; decode_… give them meaning; encode_… make bytes.
/// Errors:  Malformed. A response is checked against its request: transaction, unit, function, length, echo.
/// Limits:  frame_bytes_max, read_registers_max and the other ceilings of the specification.
/// Formats: MODBUS Messaging on TCP/IP V1.0b, MODBUS Application Protocol V1.1b3; big-endian:
///
///   frame := transaction:u16 protocol:u16=0 length:u16 unit:u8 pdu     length counts unit and pdu, 2…254
///   pdu   := function:u8 data | (function|0x80):u8 exception:u8
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft::wire::modbus {

inline constexpr std::size_t header_bytes = 7;
inline constexpr std::size_t frame_bytes_max = 260;
inline constexpr std::uint16_t read_bits_max = 2000;
inline constexpr std::uint16_t write_bits_max = 1968;
inline constexpr std::uint16_t read_registers_max = 125;
inline constexpr std::uint16_t write_registers_max = 123;
inline constexpr std::uint16_t exchange_write_registers_max = 121;

enum class Function : std::uint8_t {
    ReadCoils = 1,
    ReadDiscreteInputs = 2,
    ReadHoldingRegisters = 3,
    ReadInputRegisters = 4,
    WriteSingleCoil = 5,
    WriteSingleRegister = 6,
    WriteMultipleCoils = 15,
    WriteMultipleRegisters = 16,
    ReadWriteMultipleRegisters = 23,
};

enum class Exception : std::uint8_t {
    IllegalFunction = 1,
    IllegalDataAddress = 2,
    IllegalDataValue = 3,
    ServerDeviceFailure = 4,
    Acknowledge = 5,
    ServerDeviceBusy = 6,
    NegativeAcknowledge = 7,
    MemoryParityError = 8,
    GatewayPathUnavailable = 10,
    GatewayTargetSilent = 11,
};

/// "read holding registers (3)", "illegal data address (2)"; codes without a name as "exception (99)".
std::string_view to_text(Function function);
std::string to_text(Exception exception);

/// A request. Which fields count depends on the function:
///   1–4   address, count
///   5     address, bits[0]                6   address, registers[0]
///   15    address, bits                   16  address, registers
///   23    address, count (to read), write_address, registers (to write first)
struct Request {
    std::uint16_t transaction = 0;
    std::uint8_t unit = 1;
    Function function = Function::ReadHoldingRegisters;
    std::uint16_t address = 0;
    std::uint16_t count = 0;
    std::uint16_t write_address = 0;
    std::vector<std::uint8_t> bits;  // One byte a bit: 0 or 1.
    std::vector<std::uint16_t> registers;
    friend bool operator==(const Request&, const Request&) = default;
};

/// A response: data for reads, nothing for writes (the echo has been checked), or an exception.
struct Response {
    std::optional<Exception> exception;
    std::vector<std::uint8_t> bits;  // As many as were asked for.
    std::vector<std::uint16_t> registers;
    friend bool operator==(const Response&, const Response&) = default;
};

/// A frame without its framing.
struct Frame {
    std::uint16_t transaction = 0;
    std::uint8_t unit = 0;
    ByteView pdu;  // Into the reader's buffer; good until the next call.
};

/// Cuts a stream into frames, however it was split or joined on the way.
class FrameReader {
public:
    void add(ByteView bytes);
    /// The next whole frame, nullopt when there is none yet. After Malformed the stream has lost its beat: close it.
    Result<std::optional<Frame>> next();
    void clear();

private:
    Bytes buffer_;
    std::size_t start_ = 0;
};

/// The caller has kept the ceilings of the function; ASSERTs otherwise.
Bytes encode_request(const Request& request);
/// The answer of a server to `request`.
Bytes encode_response(const Request& request, const Response& response);
/// An exception for a function that may not be one of ours.
Bytes encode_exception(std::uint16_t transaction, std::uint8_t unit, std::uint8_t function, Exception exception);

/// For servers. `refusal`: what to answer when the request is well-framed but not acceptable.
struct RefusedRequest {
    std::uint8_t function = 0;
    Exception exception = Exception::IllegalFunction;
};
std::expected<Request, RefusedRequest> decode_request(const Frame& frame);

/// For clients: the response to `request`, strictly. The transaction id must be equal (the caller drops frames with
/// another one before). Errors: Malformed (says what does not match).
Result<Response> decode_response(const Frame& frame, const Request& request);

}  // namespace lineshaft::wire::modbus
