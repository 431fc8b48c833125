#include "model/value.h"

#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace lineshaft {
namespace {

std::unexpected<Error> wrong_type(const Value& value, ValueType type) {
    return fail(ErrorCode::TagType, fmt::format("{} '{}' is not a {}", to_text(type_of(value)),
                                                to_text(value).substr(0, 60), to_text(type)));
}

template <class T>
bool parse_whole(std::string_view text, T& out) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    return code == std::errc{} && end == text.data() + text.size();
}

Result<Value> to_int(const Value& value) {
    if (const auto* b = std::get_if<bool>(&value)) return Value(std::int64_t{*b});
    if (const auto* d = std::get_if<double>(&value)) {
        if (std::nearbyint(*d) == *d && std::abs(*d) < 9.2e18) return Value(static_cast<std::int64_t>(*d));
    } else if (const auto* s = std::get_if<std::string>(&value)) {
        std::int64_t number = 0;
        if (parse_whole(*s, number)) return Value(number);
    }
    return wrong_type(value, ValueType::Int);
}

Result<Value> to_real(const Value& value) {
    if (const auto* s = std::get_if<std::string>(&value)) {
        double number = 0;
        if (parse_whole(*s, number)) return Value(number);
        return wrong_type(value, ValueType::Double);
    }
    return Value(to_double(value));
}

Result<Value> to_bool(const Value& value) {
    const double number = to_double(value);
    if (number == 0 || number == 1) return Value(number == 1);
    if (const auto* s = std::get_if<std::string>(&value)) {
        if (*s == "true" || *s == "True" || *s == "TRUE" || *s == "1" || *s == "on" || *s == "ON") return Value(true);
        if (*s == "false" || *s == "False" || *s == "FALSE" || *s == "0" || *s == "off" || *s == "OFF")
            return Value(false);
    }
    return wrong_type(value, ValueType::Bool);
}

}  // namespace

std::string_view to_text(ValueType type) {
    switch (type) {
        case ValueType::Bool: return "bool";
        case ValueType::Int: return "int";
        case ValueType::Double: return "double";
        case ValueType::String: return "string";
    }
    return "unknown";
}

Result<ValueType> value_type_from_text(std::string_view text) {
    for (const ValueType type : {ValueType::Bool, ValueType::Int, ValueType::Double, ValueType::String}) {
        if (to_text(type) == text) return type;
    }
    return fail(ErrorCode::InvalidArgument, fmt::format("type '{}' is none of bool, int, double, string", text));
}

std::string to_text(const Value& value) {
    if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
    if (const auto* i = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *i);
    if (const auto* d = std::get_if<double>(&value)) {
        char text[32];
        const auto [end, code] = std::to_chars(text, text + sizeof text, *d);
        return std::string(text, end);
    }
    return std::get<std::string>(value);
}

double to_double(const Value& value) {
    if (const auto* b = std::get_if<bool>(&value)) return *b ? 1.0 : 0.0;
    if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&value)) return *d;
    return std::numeric_limits<double>::quiet_NaN();
}

Result<Value> convert(const Value& value, ValueType type) {
    if (type_of(value) == type) return value;
    switch (type) {
        case ValueType::Bool: return to_bool(value);
        case ValueType::Int: return to_int(value);
        case ValueType::Double: return to_real(value);
        case ValueType::String: return Value(to_text(value));
    }
    return wrong_type(value, type);
}

}  // namespace lineshaft
