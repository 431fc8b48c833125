#include "south/modbus/register_map.h"

#include <cmath>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "south/modbus/internal/register_rules.h"

namespace lineshaft::modbus {
namespace {

using Json = nlohmann::json;

std::unexpected<Error> wrong(const std::string& key, std::string_view what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", key, what));
}

Result<std::string> text_of(const Json& value, const std::string& key) {
    if (!value.is_string()) return wrong(key, "must be a string");
    return value.get<std::string>();
}

Result<double> number_of(const Json& value, const std::string& key, double least, double most) {
    if (!value.is_number()) return wrong(key, "must be a number");
    const double number = value.get<double>();
    if (!(number >= least && number <= most))
        return wrong(key, fmt::format("{} is not {} to {}", number, least, most));
    return number;
}

Result<std::int64_t> integer_of(const Json& value, const std::string& key, double least, double most) {
    const double number = TRY(number_of(value, key, least, most));
    if (number != std::floor(number)) return wrong(key, "must be a whole number");
    return static_cast<std::int64_t>(number);
}

Result<Duration> milliseconds_of(const Json& value, const std::string& key, Duration least, Duration most) {
    const double number =
        TRY(number_of(value, key, static_cast<double>(least / 1ms), static_cast<double>(most / 1ms)));
    return Duration(static_cast<std::int64_t>(number * 1e6));
}

template <class T>
Result<T> choice_of(const Json& value, const std::string& key, std::optional<T> (*from)(std::string_view),
                    std::string_view choices) {
    const std::string text = TRY(text_of(value, key));
    if (const auto found = from(text)) return *found;
    return wrong(key, fmt::format("'{}' is not one of {}", text, choices));
}

Result<void> set_register_key(Register& reg, const std::string& name, const Json& value, const std::string& key) {
    if (name == "name") {
        reg.name = TRY(text_of(value, key));
    } else if (name == "table") {
        reg.table = TRY(choice_of(value, key, table_from_text, "holding, input, coil, discrete"));
    } else if (name == "address") {
        reg.address = static_cast<std::uint16_t>(TRY(integer_of(value, key, 0, 65535)));
    } else if (name == "type") {
        constexpr auto types = "bool, int16, uint16, int32, uint32, int64, float32, float64";
        reg.type = TRY(choice_of(value, key, type_from_text, types));
    } else if (name == "word_order") {
        reg.word_order = TRY(choice_of(value, key, order_from_text, "big, little"));
    } else if (name == "byte_order") {
        reg.byte_order = TRY(choice_of(value, key, order_from_text, "big, little"));
    } else if (name == "scale") {
        reg.scale = TRY(number_of(value, key, -1e300, 1e300));
    } else if (name == "offset") {
        reg.offset = TRY(number_of(value, key, -1e300, 1e300));
    } else if (name == "unit") {
        reg.unit = TRY(text_of(value, key));
    } else if (name == "writable") {
        if (!value.is_boolean()) return wrong(key, "must be true or false");
        reg.writable = value.get<bool>();
    } else if (name == "poll_ms") {
        if (!value.is_null()) reg.poll = TRY(milliseconds_of(value, key, poll_min, poll_max));
    } else {
        return wrong(
            key,
            "there is no such key: a register has name, table, address, type, word_order, byte_order, scale, "
            "offset, unit, writable, poll_ms");
    }
    return {};
}

Result<Register> register_of(const Json& value, const std::string& key) {
    if (!value.is_object()) return wrong(key, "must be an object");
    Register reg;
    for (const auto& [name, item] : value.items()) TRY_VOID(set_register_key(reg, name, item, key + "." + name));
    if (is_bit_table(reg.table) && !value.contains("type")) reg.type = RegisterType::Bool;
    if (!value.contains("address")) return wrong(key + ".address", "is missing");
    if (const auto checked = check_register(reg); !checked) {
        return fail(ErrorCode::InvalidArgument, key + "." + checked.error().detail());
    }
    return reg;
}

Result<std::vector<Register>> registers_of(const Json& value, const std::string& key) {
    if (!value.is_array()) return wrong(key, "must be a list");
    if (value.size() > registers_max) return wrong(key, fmt::format("has more than {} entries", registers_max));
    std::vector<Register> registers;
    std::unordered_set<std::string> names;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string item = fmt::format("{}[{}]", key, i);
        registers.push_back(TRY(register_of(value[i], item)));
        if (!names.insert(registers.back().name).second) {
            return wrong(item + ".name", fmt::format("'{}' is used twice", registers.back().name));
        }
    }
    return registers;
}

Result<void> set_device_key(DeviceSettings& settings, const std::string& name, const Json& value) {
    if (name == "address") {
        std::string text = TRY(text_of(value, name));
        // A port is rarely said: 502 is the one that IANA gave to Modbus.
        if (text.find(':') == std::string::npos) text += ":502";
        const auto endpoint = parse_endpoint(text);
        if (!endpoint || endpoint->host.empty() || endpoint->port == 0) {
            return wrong(name, fmt::format("'{}' is not HOST or HOST:PORT", text));
        }
        settings.address = *endpoint;
    } else if (name == "unit") {
        settings.unit = static_cast<std::uint8_t>(TRY(integer_of(value, name, 0, 255)));
    } else if (name == "poll_ms") {
        settings.poll = TRY(milliseconds_of(value, name, poll_min, poll_max));
    } else if (name == "timeout_ms") {
        settings.timeout = TRY(milliseconds_of(value, name, 10ms, 60s));
    } else if (name == "requests_per_second_max") {
        settings.requests_per_second_max = TRY(number_of(value, name, 0.01, 10'000));
    } else if (name == "gap_max") {
        settings.gap_max = static_cast<std::uint16_t>(TRY(integer_of(value, name, 0, 100)));
    } else if (name == "registers") {
        settings.registers = TRY(registers_of(value, name));
    } else {
        return wrong(name,
                     "there is no such key: a Modbus device has address, unit, poll_ms, timeout_ms, "
                     "requests_per_second_max, gap_max, registers");
    }
    return {};
}

Result<Json> json_of(std::string_view text) {
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) return fail(ErrorCode::Malformed, "the Modbus settings are not JSON");
    return json;
}

double to_milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

/// Whole numbers as such: 1000 and not 1000.0.
Json number_json(double value) {
    if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
    return value;
}

Json register_json(const Register& reg) {
    Json json{{"name", reg.name},
              {"table", to_text(reg.table)},
              {"address", reg.address},
              {"type", to_text(reg.type)},
              {"word_order", to_text(reg.word_order)},
              {"byte_order", to_text(reg.byte_order)},
              {"scale", number_json(reg.scale)},
              {"offset", number_json(reg.offset)},
              {"unit", reg.unit},
              {"writable", reg.writable}};
    if (reg.poll) json["poll_ms"] = number_json(to_milliseconds(*reg.poll));
    return json;
}

}  // namespace

Result<DeviceSettings> parse_settings(std::string_view text) {
    const Json json = TRY(json_of(text));
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, "the Modbus settings must be a JSON object");
    DeviceSettings settings;
    for (const auto& [name, value] : json.items()) TRY_VOID(set_device_key(settings, name, value));
    if (settings.address.host.empty()) return wrong("address", "is missing");
    return settings;
}

std::string to_json(const DeviceSettings& settings) {
    Json registers = Json::array();
    for (const Register& reg : settings.registers) registers.push_back(register_json(reg));
    const Json json{{"address", to_text(settings.address)},
                    {"unit", settings.unit},
                    {"poll_ms", number_json(to_milliseconds(settings.poll))},
                    {"timeout_ms", number_json(to_milliseconds(settings.timeout))},
                    {"requests_per_second_max", number_json(settings.requests_per_second_max)},
                    {"gap_max", settings.gap_max},
                    {"registers", std::move(registers)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::vector<Register>> parse_registers(std::string_view text) {
    const Json json = TRY(json_of(text));
    return registers_of(json.is_object() ? Json::array({json}) : json, "registers");
}

}  // namespace lineshaft::modbus
