/// Decimal numbers as text, fast and exact.
///
/// Why not strtod: it is slow and follows the locale. Most numbers from machines have few digits; those are an integer
/// times a power of ten, both exact in a double, so one multiplication or division rounds correctly (Clinger 1990).
/// The rest goes to std::from_chars.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lineshaft::wire {

/// Reads the longest decimal number at the front of [at, end): sign, digits, '.', digits, exponent. Returns its end;
/// null when there is none or it is beyond the range of a double. Never nan, inf or hexadecimal.
const char* read_number(const char* at, const char* end, double& value);

/// The number that `text` is as a whole.
std::optional<double> number_from_text(std::string_view text);

}  // namespace lineshaft::wire
