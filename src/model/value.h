/// What a sample says: bool, int64, double or string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace lineshaft {

/// On disk and on the wire of our own formats. Append only.
enum class ValueType : std::uint8_t { Bool = 1, Int = 2, Double = 3, String = 4 };

using Value = std::variant<bool, std::int64_t, double, std::string>;

inline ValueType type_of(const Value& value) { return static_cast<ValueType>(value.index() + 1); }

/// "bool", "int", "double", "string".
std::string_view to_text(ValueType type);
/// Errors: InvalidArgument (names the four).
Result<ValueType> value_type_from_text(std::string_view text);

/// true/false, integers, shortest round-trip doubles ("nan", "inf"), strings as they are.
std::string to_text(const Value& value);

/// Bools as 0 and 1; NaN for strings.
double to_double(const Value& value);

/// `value` as `type` where nothing is lost: int → double, integral double → int, 0/1 → bool, bool →
/// int/double, a number in a string → number, anything → string. Errors: TagType.
Result<Value> convert(const Value& value, ValueType type);

}  // namespace lineshaft
