#include "wire/modbus/modbus.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::wire::modbus {
namespace {

constexpr std::uint8_t exception_bit = 0x80;
constexpr std::uint16_t coil_on = 0xFF00;

constexpr std::size_t bytes_of_bits(std::size_t count) { return (count + 7) / 8; }

void write_bits(ByteWriter& out, const std::vector<std::uint8_t>& bits) {
    for (std::size_t first = 0; first < bits.size(); first += 8) {
        std::uint8_t byte = 0;
        for (std::size_t i = first; i < bits.size() && i < first + 8; ++i) {
            if (bits[i]) byte = static_cast<std::uint8_t>(byte | (1U << (i - first)));
        }
        out.u8(byte);
    }
}

std::vector<std::uint8_t> read_bits(ByteView bytes, std::size_t count) {
    ASSERT(bytes.size() >= bytes_of_bits(count));
    std::vector<std::uint8_t> bits(count);
    for (std::size_t i = 0; i < count; ++i) bits[i] = (static_cast<unsigned>(bytes[i / 8]) >> (i % 8)) & 1U;
    return bits;
}

void write_registers(ByteWriter& out, const std::vector<std::uint16_t>& registers) {
    for (const std::uint16_t value : registers) out.be(value);
}

std::vector<std::uint16_t> read_registers(ByteReader& in, std::size_t count) {
    std::vector<std::uint16_t> registers(count);
    for (std::uint16_t& value : registers) value = in.be<std::uint16_t>();
    return registers;
}

/// A frame whose length field is filled in by finish().
class FrameWriter {
public:
    FrameWriter(std::uint16_t transaction, std::uint8_t unit) : writer_(bytes_) {
        bytes_.reserve(frame_bytes_max);
        writer_.be(transaction);
        writer_.be(std::uint16_t{0});
        writer_.be(std::uint16_t{0});
        writer_.u8(unit);
    }
    ByteWriter& pdu() { return writer_; }
    Bytes finish() {
        ASSERT(bytes_.size() <= frame_bytes_max);
        store_be(bytes_.data() + 4, static_cast<std::uint16_t>(bytes_.size() - 6));
        return std::move(bytes_);
    }

private:
    Bytes bytes_;
    ByteWriter writer_;
};

bool in_range(std::size_t count, std::size_t most) { return count >= 1 && count <= most; }

void write_request_body(ByteWriter& out, const Request& request) {
    switch (request.function) {
        case Function::ReadCoils:
        case Function::ReadDiscreteInputs:
            ASSERT(in_range(request.count, read_bits_max));
            out.be(request.count);
            return;
        case Function::ReadHoldingRegisters:
        case Function::ReadInputRegisters:
            ASSERT(in_range(request.count, read_registers_max));
            out.be(request.count);
            return;
        case Function::WriteSingleCoil:
            ASSERT(request.bits.size() == 1);
            out.be(request.bits[0] ? coil_on : std::uint16_t{0});
            return;
        case Function::WriteSingleRegister:
            ASSERT(request.registers.size() == 1);
            out.be(request.registers[0]);
            return;
        case Function::WriteMultipleCoils:
            ASSERT(in_range(request.bits.size(), write_bits_max));
            out.be(static_cast<std::uint16_t>(request.bits.size()));
            out.u8(static_cast<std::uint8_t>(bytes_of_bits(request.bits.size())));
            write_bits(out, request.bits);
            return;
        case Function::WriteMultipleRegisters:
            ASSERT(in_range(request.registers.size(), write_registers_max));
            out.be(static_cast<std::uint16_t>(request.registers.size()));
            out.u8(static_cast<std::uint8_t>(request.registers.size() * 2));
            write_registers(out, request.registers);
            return;
        case Function::ReadWriteMultipleRegisters:
            ASSERT(in_range(request.count, read_registers_max));
            ASSERT(in_range(request.registers.size(), exchange_write_registers_max));
            out.be(request.count);
            out.be(request.write_address);
            out.be(static_cast<std::uint16_t>(request.registers.size()));
            out.u8(static_cast<std::uint8_t>(request.registers.size() * 2));
            write_registers(out, request.registers);
            return;
    }
    std::unreachable();
}

using Refusal = std::optional<Exception>;

/// The order of checks is the specification's (V1.1b3, figure 10 and following): count first, then length.
Refusal read_request_body(ByteReader& in, Request& request) {
    switch (request.function) {
        case Function::ReadCoils:
        case Function::ReadDiscreteInputs:
            request.count = in.be<std::uint16_t>();
            if (!in_range(request.count, read_bits_max)) return Exception::IllegalDataValue;
            break;
        case Function::ReadHoldingRegisters:
        case Function::ReadInputRegisters:
            request.count = in.be<std::uint16_t>();
            if (!in_range(request.count, read_registers_max)) return Exception::IllegalDataValue;
            break;
        case Function::WriteSingleCoil: {
            const auto value = in.be<std::uint16_t>();
            if (value != coil_on && value != 0) return Exception::IllegalDataValue;
            request.bits = {static_cast<std::uint8_t>(value == coil_on)};
            break;
        }
        case Function::WriteSingleRegister: request.registers = {in.be<std::uint16_t>()}; break;
        case Function::WriteMultipleCoils: {
            const auto count = in.be<std::uint16_t>();
            const std::size_t bytes = in.u8();
            if (!in_range(count, write_bits_max) || bytes != bytes_of_bits(count)) return Exception::IllegalDataValue;
            const ByteView data = in.bytes(bytes);
            if (in.ok()) request.bits = read_bits(data, count);
            break;
        }
        case Function::WriteMultipleRegisters:
        case Function::ReadWriteMultipleRegisters: {
            const bool exchange = request.function == Function::ReadWriteMultipleRegisters;
            if (exchange) {
                request.count = in.be<std::uint16_t>();
                request.write_address = in.be<std::uint16_t>();
                if (!in_range(request.count, read_registers_max)) return Exception::IllegalDataValue;
            }
            const auto count = in.be<std::uint16_t>();
            const std::size_t bytes = in.u8();
            const std::size_t most = exchange ? exchange_write_registers_max : write_registers_max;
            if (!in_range(count, most) || bytes != 2UL * count) return Exception::IllegalDataValue;
            request.registers = read_registers(in, count);
            break;
        }
    }
    if (!in.ok() || in.left() != 0) return Exception::IllegalDataValue;
    return std::nullopt;
}

bool is_known(std::uint8_t function) {
    return (function >= 1 && function <= 6) || function == 15 || function == 16 || function == 23;
}

/// The echo of a write: address, then the value or the count.
std::uint16_t echo_of(const Request& request) {
    switch (request.function) {
        case Function::WriteSingleCoil: return request.bits[0] ? coil_on : std::uint16_t{0};
        case Function::WriteSingleRegister: return request.registers[0];
        case Function::WriteMultipleCoils: return static_cast<std::uint16_t>(request.bits.size());
        default: return static_cast<std::uint16_t>(request.registers.size());
    }
}

bool reads_bits(Function function) {
    return function == Function::ReadCoils || function == Function::ReadDiscreteInputs;
}
bool reads_registers(Function function) {
    return function == Function::ReadHoldingRegisters || function == Function::ReadInputRegisters ||
           function == Function::ReadWriteMultipleRegisters;
}

Result<Response> read_response_body(ByteReader& in, const Request& request) {
    Response response;
    if (reads_bits(request.function) || reads_registers(request.function)) {
        const bool bits = reads_bits(request.function);
        const std::size_t expected = bits ? bytes_of_bits(request.count) : 2UL * request.count;
        const std::size_t announced = in.u8();
        if (announced != expected || in.left() != expected) {
            return fail(ErrorCode::Malformed, fmt::format("the answer announces {} and has {} bytes, expected {}",
                                                          announced, in.left(), expected));
        }
        if (bits) {
            response.bits = read_bits(in.bytes(expected), request.count);
        } else {
            response.registers = read_registers(in, request.count);
        }
        return response;
    }
    const auto address = in.be<std::uint16_t>();
    const auto echo = in.be<std::uint16_t>();
    if (!in.ok() || in.left() != 0 || address != request.address || echo != echo_of(request)) {
        return fail(ErrorCode::Malformed, "the answer does not repeat what was written");
    }
    return response;
}

}  // namespace

std::string_view to_text(Function function) {
    switch (function) {
        case Function::ReadCoils: return "read coils (1)";
        case Function::ReadDiscreteInputs: return "read discrete inputs (2)";
        case Function::ReadHoldingRegisters: return "read holding registers (3)";
        case Function::ReadInputRegisters: return "read input registers (4)";
        case Function::WriteSingleCoil: return "write single coil (5)";
        case Function::WriteSingleRegister: return "write single register (6)";
        case Function::WriteMultipleCoils: return "write multiple coils (15)";
        case Function::WriteMultipleRegisters: return "write multiple registers (16)";
        case Function::ReadWriteMultipleRegisters: return "read/write multiple registers (23)";
    }
    return "unknown function";
}

std::string to_text(Exception exception) {
    switch (exception) {
        case Exception::IllegalFunction: return "illegal function (1)";
        case Exception::IllegalDataAddress: return "illegal data address (2)";
        case Exception::IllegalDataValue: return "illegal data value (3)";
        case Exception::ServerDeviceFailure: return "server device failure (4)";
        case Exception::Acknowledge: return "acknowledge, still working (5)";
        case Exception::ServerDeviceBusy: return "server device busy (6)";
        case Exception::NegativeAcknowledge: return "negative acknowledge (7)";
        case Exception::MemoryParityError: return "memory parity error (8)";
        case Exception::GatewayPathUnavailable: return "gateway path unavailable (10)";
        case Exception::GatewayTargetSilent: return "gateway target device failed to respond (11)";
    }
    return fmt::format("exception ({})", static_cast<unsigned>(exception));
}

void FrameReader::add(ByteView bytes) {
    // What was handed out is good until here, so this is the place to move the rest to the front.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
    start_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> FrameReader::next() {
    const ByteView left = ByteView(buffer_).subspan(start_);
    if (left.size() < header_bytes) return std::nullopt;
    const auto protocol = load_be<std::uint16_t>(left.data() + 2);
    const std::size_t length = load_be<std::uint16_t>(left.data() + 4);
    if (protocol != 0) {
        return fail(ErrorCode::Malformed, fmt::format("protocol {} in the header is not Modbus (0)", protocol));
    }
    if (length < 2 || length > frame_bytes_max - 6) {
        return fail(ErrorCode::Malformed, fmt::format("length {} in the header is not 2…254", length));
    }
    if (left.size() < length + 6) return std::nullopt;
    start_ += length + 6;
    return Frame{.transaction = load_be<std::uint16_t>(left.data()),
                 .unit = static_cast<std::uint8_t>(left[6]),
                 .pdu = left.subspan(header_bytes, length - 1)};
}

void FrameReader::clear() {
    buffer_.clear();
    start_ = 0;
}

Bytes encode_request(const Request& request) {
    FrameWriter frame(request.transaction, request.unit);
    frame.pdu().u8(static_cast<std::uint8_t>(request.function));
    frame.pdu().be(request.address);
    write_request_body(frame.pdu(), request);
    return frame.finish();
}

Bytes encode_response(const Request& request, const Response& response) {
    const auto function = static_cast<std::uint8_t>(request.function);
    if (response.exception) {
        return encode_exception(request.transaction, request.unit, function, *response.exception);
    }
    FrameWriter frame(request.transaction, request.unit);
    ByteWriter& pdu = frame.pdu();
    pdu.u8(function);
    if (reads_bits(request.function)) {
        ASSERT(response.bits.size() == request.count);
        pdu.u8(static_cast<std::uint8_t>(bytes_of_bits(response.bits.size())));
        write_bits(pdu, response.bits);
    } else if (reads_registers(request.function)) {
        ASSERT(response.registers.size() == request.count);
        pdu.u8(static_cast<std::uint8_t>(response.registers.size() * 2));
        write_registers(pdu, response.registers);
    } else {
        pdu.be(request.address);
        pdu.be(echo_of(request));
    }
    return frame.finish();
}

Bytes encode_exception(std::uint16_t transaction, std::uint8_t unit, std::uint8_t function, Exception exception) {
    FrameWriter frame(transaction, unit);
    frame.pdu().u8(function | exception_bit);
    frame.pdu().u8(static_cast<std::uint8_t>(exception));
    return frame.finish();
}

std::expected<Request, RefusedRequest> decode_request(const Frame& frame) {
    ByteReader in(frame.pdu);
    const std::uint8_t function = in.u8();
    if (!in.ok() || !is_known(function)) return std::unexpected(RefusedRequest{function, Exception::IllegalFunction});
    Request request{
        .transaction = frame.transaction, .unit = frame.unit, .function = static_cast<Function>(function)};
    request.address = in.be<std::uint16_t>();
    if (const Refusal refusal = read_request_body(in, request)) {
        return std::unexpected(RefusedRequest{function, *refusal});
    }
    return request;
}

Result<Response> decode_response(const Frame& frame, const Request& request) {
    if (frame.transaction != request.transaction) {
        return fail(ErrorCode::Malformed, fmt::format("the answer has transaction {}, expected {}", frame.transaction,
                                                      request.transaction));
    }
    if (frame.unit != request.unit) {
        return fail(ErrorCode::Malformed,
                    fmt::format("unit {} answered, expected unit {}", frame.unit, request.unit));
    }
    ByteReader in(frame.pdu);
    const std::uint8_t function = in.u8();
    const auto asked = static_cast<std::uint8_t>(request.function);
    if (function == (asked | exception_bit)) {
        const std::uint8_t code = in.u8();
        if (!in.ok() || in.left() != 0 || code == 0) return fail(ErrorCode::Malformed, "the exception has no code");
        Response response;
        response.exception = static_cast<Exception>(code);
        return response;
    }
    if (function != asked) {
        return fail(ErrorCode::Malformed, fmt::format("function {} answered, expected {}", function, asked));
    }
    return read_response_body(in, request);
}

}  // namespace lineshaft::wire::modbus
