#include "south/modbus/internal/register_rules.h"

#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::modbus {
namespace {

constexpr std::array<std::pair<Table, std::string_view>, 4> tables{
    {{Table::Holding, "holding"}, {Table::Input, "input"}, {Table::Coil, "coil"}, {Table::Discrete, "discrete"}}};
constexpr std::array<std::pair<RegisterType, std::string_view>, 8> types{{{RegisterType::Bool, "bool"},
                                                                          {RegisterType::Int16, "int16"},
                                                                          {RegisterType::UInt16, "uint16"},
                                                                          {RegisterType::Int32, "int32"},
                                                                          {RegisterType::UInt32, "uint32"},
                                                                          {RegisterType::Int64, "int64"},
                                                                          {RegisterType::Float32, "float32"},
                                                                          {RegisterType::Float64, "float64"}}};
constexpr std::array<std::pair<Order, std::string_view>, 2> orders{{{Order::Big, "big"}, {Order::Little, "little"}}};

template <class Names>
auto find_name(const Names& names, std::string_view text) -> std::optional<decltype(names[0].first)> {
    for (const auto& [value, name] : names) {
        if (name == text) return value;
    }
    return std::nullopt;
}

template <class Names, class T>
std::string_view name_of(const Names& names, T wanted) {
    for (const auto& [value, name] : names) {
        if (value == wanted) return name;
    }
    return "?";
}

std::unexpected<Error> wrong(std::string detail) { return fail(ErrorCode::InvalidArgument, std::move(detail)); }

Result<void> check_name(std::string_view name) {
    if (name.empty()) return wrong("name: is empty");
    if (name.size() > name_bytes_max) return wrong(fmt::format("name: is longer than {} bytes", name_bytes_max));
    if (name.front() == '/' || name.back() == '/') return wrong("name: begins or ends with '/'");
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return wrong("name: has a control character");
    }
    return {};
}

}  // namespace

std::string_view to_text(Table table) { return name_of(tables, table); }
std::string_view to_text(RegisterType type) { return name_of(types, type); }
std::string_view to_text(Order order) { return name_of(orders, order); }

std::optional<Table> table_from_text(std::string_view text) { return find_name(tables, text); }
std::optional<RegisterType> type_from_text(std::string_view text) { return find_name(types, text); }
std::optional<Order> order_from_text(std::string_view text) { return find_name(orders, text); }

std::uint16_t words_of(RegisterType type) {
    switch (type) {
        case RegisterType::Bool:
        case RegisterType::Int16:
        case RegisterType::UInt16: return 1;
        case RegisterType::Int32:
        case RegisterType::UInt32:
        case RegisterType::Float32: return 2;
        case RegisterType::Int64:
        case RegisterType::Float64: return 4;
    }
    std::unreachable();
}

bool is_bit_table(Table table) { return table == Table::Coil || table == Table::Discrete; }

ValueType value_type_of(const Register& reg) {
    if (reg.type == RegisterType::Bool) return ValueType::Bool;
    const bool is_float = reg.type == RegisterType::Float32 || reg.type == RegisterType::Float64;
    return is_float || reg.scale != 1 || reg.offset != 0 ? ValueType::Double : ValueType::Int;
}

Result<void> check_poll(Duration poll) {
    if (poll >= poll_min && poll <= poll_max) return {};
    return wrong(fmt::format("poll_ms: {} is not 50 to 86400000", poll / 1ms));
}

Result<void> check_register(const Register& reg) {
    TRY_VOID(check_name(reg.name));
    if (is_bit_table(reg.table) != (reg.type == RegisterType::Bool) && is_bit_table(reg.table)) {
        return wrong(fmt::format("type: table {} holds bits, so the type is bool and not {}", to_text(reg.table),
                                 to_text(reg.type)));
    }
    if (reg.address + std::uint32_t{words_of(reg.type)} > 65536) {
        return wrong(fmt::format("address: a {} at {} reaches beyond 65535", to_text(reg.type), reg.address));
    }
    if (!std::isfinite(reg.scale) || reg.scale == 0) return wrong("scale: must be a number other than 0");
    if (!std::isfinite(reg.offset)) return wrong("offset: must be a number");
    if (reg.type == RegisterType::Bool && (reg.scale != 1 || reg.offset != 0)) {
        return wrong("scale: a bool has no scale and no offset");
    }
    if (reg.writable && (reg.table == Table::Input || reg.table == Table::Discrete)) {
        return wrong(fmt::format("writable: table {} can only be read", to_text(reg.table)));
    }
    if (reg.unit.size() > 64) return wrong("unit: is longer than 64 bytes");
    if (reg.poll) TRY_VOID(check_poll(*reg.poll));
    return {};
}

}  // namespace lineshaft::modbus
