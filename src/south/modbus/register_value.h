/// Registers to values and back: type, word and byte order, scale and offset. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "south/modbus/register_map.h"

namespace lineshaft::modbus {

/// `words`: the registers as they came; for bit tables one word, 0 or 1. A float that is not a number stays one.
Value decode_value(const Register& reg, std::span<const std::uint16_t> words);

/// The inverse, with the inverse of scale and offset, rounded to whole numbers for integer types.
/// Errors: InvalidArgument (not a number, outside the type's range).
Result<std::vector<std::uint16_t>> encode_value(const Register& reg, const Value& value);

/// "0x01020304": the words as they came.
std::string raw_text(std::span<const std::uint16_t> words);

}  // namespace lineshaft::modbus
