#include "south/modbus/register_value.h"

#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::modbus {
namespace {

bool is_scaled(const Register& reg) { return reg.scale != 1 || reg.offset != 0; }

/// A scale of 0.1 is meant as a tenth, and 3 / 10 is 0.3 where 3 * 0.1 is 0.30000000000000004: shorter to read and to
/// store.
double apply_scale(const Register& reg, double raw) {
    const double divisor = std::round(1 / reg.scale);
    const bool is_fraction = std::abs(reg.scale) < 1 && 1 / divisor == reg.scale;
    return (is_fraction ? raw / divisor : raw * reg.scale) + reg.offset;
}

std::uint64_t join(const Register& reg, std::span<const std::uint16_t> words) {
    std::uint64_t raw = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::uint16_t wire = words[reg.word_order == Order::Big ? i : words.size() - 1 - i];
        const std::uint16_t word = reg.byte_order == Order::Big ? wire : std::byteswap(wire);
        raw = raw << 16 | word;
    }
    return raw;
}

std::vector<std::uint16_t> cut(const Register& reg, std::uint64_t raw) {
    std::vector<std::uint16_t> words(words_of(reg.type));
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto word = static_cast<std::uint16_t>(raw >> (16 * (words.size() - 1 - i)));
        const std::uint16_t wire = reg.byte_order == Order::Big ? word : std::byteswap(word);
        words[reg.word_order == Order::Big ? i : words.size() - 1 - i] = wire;
    }
    return words;
}

Value integer_value(const Register& reg, std::int64_t raw) {
    if (!is_scaled(reg)) return raw;
    return apply_scale(reg, static_cast<double>(raw));
}

struct Range {
    double least;
    double most;
};

Range range_of(RegisterType type) {
    switch (type) {
        case RegisterType::Int16: return {-32768, 32767};
        case RegisterType::UInt16: return {0, 65535};
        case RegisterType::Int32: return {-2147483648.0, 2147483647};
        case RegisterType::UInt32: return {0, 4294967295};
        // The largest doubles that still fit.
        case RegisterType::Int64: return {-9223372036854775808.0, 9223372036854774784.0};
        case RegisterType::Float32: return {-3.4028234663852886e38, 3.4028234663852886e38};
        default: return {std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};
    }
}

Result<std::vector<std::uint16_t>> encode_number(const Register& reg, double value) {
    if (!std::isfinite(value)) return fail(ErrorCode::InvalidArgument, fmt::format("{} is not a number", value));
    double raw = (value - reg.offset) / reg.scale;
    const bool is_float = reg.type == RegisterType::Float32 || reg.type == RegisterType::Float64;
    if (!is_float) raw = std::round(raw);
    const Range range = range_of(reg.type);
    if (!(raw >= range.least && raw <= range.most)) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} does not fit register '{}': {} takes {} to {}", value, reg.name,
                                to_text(reg.type), apply_scale(reg, range.least), apply_scale(reg, range.most)));
    }
    if (reg.type == RegisterType::Float32) return cut(reg, std::bit_cast<std::uint32_t>(static_cast<float>(raw)));
    if (reg.type == RegisterType::Float64) return cut(reg, std::bit_cast<std::uint64_t>(raw));
    return cut(reg, static_cast<std::uint64_t>(static_cast<std::int64_t>(raw)));
}

}  // namespace

Value decode_value(const Register& reg, std::span<const std::uint16_t> words) {
    ASSERT(words.size() == words_of(reg.type));
    const std::uint64_t raw = join(reg, words);
    switch (reg.type) {
        case RegisterType::Bool: return raw != 0;
        case RegisterType::Int16: return integer_value(reg, static_cast<std::int16_t>(raw));
        case RegisterType::UInt16: return integer_value(reg, static_cast<std::int64_t>(raw));
        case RegisterType::Int32: return integer_value(reg, static_cast<std::int32_t>(raw));
        case RegisterType::UInt32: return integer_value(reg, static_cast<std::int64_t>(raw));
        case RegisterType::Int64: return integer_value(reg, static_cast<std::int64_t>(raw));
        case RegisterType::Float32: {
            const float value = std::bit_cast<float>(static_cast<std::uint32_t>(raw));
            return apply_scale(reg, static_cast<double>(value));
        }
        case RegisterType::Float64: return apply_scale(reg, std::bit_cast<double>(raw));
    }
    std::unreachable();
}

Result<std::vector<std::uint16_t>> encode_value(const Register& reg, const Value& value) {
    if (reg.type == RegisterType::Bool) {
        const auto flag = convert(value, ValueType::Bool);
        if (!flag)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("'{}' is not true or false", lineshaft::to_text(value)));
        const std::uint16_t word = std::get<bool>(*flag) ? 1 : 0;
        return std::vector<std::uint16_t>{reg.byte_order == Order::Big ? word : std::byteswap(word)};
    }
    // Through a double an int64 would lose its last digits.
    if (reg.type == RegisterType::Int64 && !is_scaled(reg)) {
        const auto whole = convert(value, ValueType::Int);
        if (whole) return cut(reg, static_cast<std::uint64_t>(std::get<std::int64_t>(*whole)));
    }
    const auto number = convert(value, ValueType::Double);
    if (!number)
        return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is not a number", lineshaft::to_text(value)));
    return encode_number(reg, std::get<double>(*number));
}

std::string raw_text(std::span<const std::uint16_t> words) {
    std::string text = "0x";
    for (const std::uint16_t word : words) text += fmt::format("{:04X}", word);
    return text;
}

}  // namespace lineshaft::modbus
