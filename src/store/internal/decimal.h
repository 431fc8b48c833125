/// Decimals as sensors speak them: 21.37 is the integer 2137 with two places. Shared by columns and statistics.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace lineshaft::store {

inline constexpr int scale_max = 17;
inline constexpr std::array<double, scale_max + 1> powers_of_ten = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};

/// On disk one byte: the exponent, and 0x80 when the value went through single precision.
struct Scale {
    int exponent = 0;
    bool single = false;
    std::uint8_t byte() const { return static_cast<std::uint8_t>(exponent | (single ? 0x80 : 0)); }
    static Scale from(std::uint8_t byte) { return {byte & 0x7F, (byte & 0x80) != 0}; }
};

/// Division, not multiplication by a reciprocal: it rounds correctly, so n / 10^e is the double nearest to the decimal.
inline double from_decimal(std::int64_t number, Scale scale) {
    const double value = static_cast<double>(number) / powers_of_ten[static_cast<std::size_t>(scale.exponent)];
    return scale.single ? static_cast<double>(static_cast<float>(value)) : value;
}

/// The integer nearest to value × 10^e; false when that is beyond what a double counts exactly, or no number.
inline bool round_decimal(double value, int exponent, std::int64_t& number) {
    const double scaled = value * powers_of_ten[static_cast<std::size_t>(exponent)];
    if (!(std::fabs(scaled) < 0x1p51)) return false;
    // Adding 1.5 × 2^52 leaves the rounded integer in the low bits, without a call.
    number = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(scaled + 0x1.8p52) -
                                       std::bit_cast<std::uint64_t>(0x1.8p52));
    return true;
}

/// False unless exactly this decimal gives exactly these bits.
inline bool to_decimal(std::uint64_t bits, Scale scale, std::int64_t& number) {
    if (!round_decimal(std::bit_cast<double>(bits), scale.exponent, number)) return false;
    return std::bit_cast<std::uint64_t>(from_decimal(number, scale)) == bits;
}

}  // namespace lineshaft::store
