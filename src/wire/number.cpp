#include "wire/number.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

namespace lineshaft::wire {
namespace {

constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int exact_power_max = 22;  // 5^22 < 2^53.
constexpr std::uint64_t exact_mantissa_max = 1ULL << 53;
constexpr std::ptrdiff_t mantissa_digits_max = 19;  // More could wrap a uint64.

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') <= 9; }

/// Many digits or a far exponent. `at` is a whole number without '+'.
const char* read_exactly(const char* at, const char* end, double& value) {
    const auto [stop, code] = std::from_chars(at, end, value);
    if (code == std::errc::result_out_of_range) value = std::strtod(std::string(at, end).c_str(), nullptr);
    return std::isfinite(value) ? end : nullptr;
}

/// Reads "e-5" at `at` into `exponent`; where it ends, or `at` when it is not a whole exponent.
const char* read_exponent(const char* at, const char* end, int& exponent) {
    const char* digit = at + 1;
    const bool negative = digit < end && *digit == '-';
    if (digit < end && (*digit == '-' || *digit == '+')) ++digit;
    if (digit == end || !is_digit(*digit)) return at;
    for (; digit < end && is_digit(*digit); ++digit) {
        if (exponent < 100'000) exponent = exponent * 10 + (*digit - '0');
    }
    if (negative) exponent = -exponent;
    return digit;
}

}  // namespace

const char* read_number(const char* at, const char* end, double& value) {
    const bool negative = at < end && *at == '-';
    const char* const start = at < end && *at == '+' ? at + 1 : at;
    if (negative)
        ++at;
    else
        at = start;

    const char* const whole = at;
    std::uint64_t mantissa = 0;
    for (; at < end && is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
    std::ptrdiff_t digits = at - whole;
    int power = 0;
    if (at < end && *at == '.') {
        const char* const fraction = ++at;
        for (; at < end && is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
        digits += at - fraction;
        power = static_cast<int>(std::min<std::ptrdiff_t>(at - fraction, 1'000'000));
        power = -power;
    }
    if (digits == 0) return nullptr;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int exponent = 0;
        at = read_exponent(at, end, exponent);
        power += exponent;
    }
    if (digits > mantissa_digits_max || mantissa > exact_mantissa_max || power < -exact_power_max ||
        power > exact_power_max)
        return read_exactly(start, at, value);
    const double exact = static_cast<double>(mantissa);
    const double size = power < 0 ? exact / powers_of_ten[-power] : exact * powers_of_ten[power];
    value = negative ? -size : size;
    return at;
}

std::optional<double> number_from_text(std::string_view text) {
    double value = 0;
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    if (text.empty() || read_number(begin, end, value) != end) return std::nullopt;
    return value;
}

}  // namespace lineshaft::wire
