#include "app/openapi.h"

#include <charconv>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "app/internal/yaml_json.h"
#include "base/assert.h"

extern "C" {
extern const char lineshaft_openapi_begin[];
extern const char lineshaft_openapi_end[];
}

namespace lineshaft::app {
namespace {

using Json = nlohmann::ordered_json;

/// YAML 1.2 core schema: plain scalars are null, booleans, numbers or else strings; quoted ones are strings.
Json scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") return text;
    if (text == "null" || text == "~" || text.empty()) return nullptr;
    if (text == "true") return true;
    if (text == "false") return false;
    std::int64_t integer = 0;
    const char* end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc{} && read.ptr == end)
        return integer;
    // "nan" and "infinity" are words here; only .nan and .inf would be numbers, and JSON has none of them.
    const bool has_digit = text.find_first_of("0123456789") != std::string::npos;
    double number = 0;
    if (const auto read = std::from_chars(text.data(), end, number);
        has_digit && read.ec == std::errc{} && read.ptr == end)
        return number;
    return text;
}

Json to_json(const YAML::Node& node) {
    if (node.IsMap()) {
        Json object = Json::object();
        for (const auto& entry : node) object[entry.first.Scalar()] = to_json(entry.second);
        return object;
    }
    if (node.IsSequence()) {
        Json array = Json::array();
        for (const auto& item : node) array.push_back(to_json(item));
        return array;
    }
    return node.IsScalar() ? scalar(node) : Json();
}

}  // namespace

std::string yaml_to_json(const std::string& yaml) { return to_json(YAML::Load(yaml)).dump(); }

std::string_view openapi_yaml() {
    return {lineshaft_openapi_begin, static_cast<std::size_t>(lineshaft_openapi_end - lineshaft_openapi_begin)};
}

const std::string& openapi_json() {
    static const std::string text = yaml_to_json(std::string(openapi_yaml()));
    return text;
}

}  // namespace lineshaft::app
