/// What a register may look like, whether it came as JSON or as CSV. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "south/modbus/register_map.h"

namespace lineshaft::modbus {

inline constexpr Duration poll_min = 50ms;
inline constexpr Duration poll_max = 24h;
inline constexpr std::size_t name_bytes_max = 256;

std::optional<Table> table_from_text(std::string_view text);
std::optional<RegisterType> type_from_text(std::string_view text);
std::optional<Order> order_from_text(std::string_view text);

/// What is wrong with one register by itself. Errors: InvalidArgument ("address: …").
Result<void> check_register(const Register& reg);
/// What is wrong with a poll period. Errors: InvalidArgument.
Result<void> check_poll(Duration poll);

}  // namespace lineshaft::modbus
