#include "app/openapi.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "app/internal/yaml_json.h"

namespace lineshaft::app {
namespace {

using Json = nlohmann::json;

Json converted(const std::string& yaml) { return Json::parse(yaml_to_json(yaml)); }

TEST(OpenApi, IsOneJsonDocumentWithTheSamePathsAsTheYaml) {
    const Json api = Json::parse(openapi_json());
    EXPECT_EQ(api["openapi"], "3.1.0");
    EXPECT_EQ(api["info"]["version"], "1");  // Quoted in the YAML: a text, not a number.
    ASSERT_TRUE(api["paths"].is_object());
    std::size_t paths = 0;
    for (std::size_t at = openapi_yaml().find("\n  /"); at != std::string_view::npos;
         at = openapi_yaml().find("\n  /", at + 1)) {
        ++paths;
    }
    EXPECT_EQ(api["paths"].size(), paths);
    EXPECT_GT(paths, 20u);
    EXPECT_EQ(&openapi_json(), &openapi_json());
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
    const Json api = Json::parse(openapi_json());
    std::set<std::string> references;
    const std::function<void(const Json&)> collect = [&](const Json& node) {
        if (node.is_object() && node.contains("$ref") && node["$ref"].is_string()) references.insert(node["$ref"]);
        if (node.is_structured()) {
            for (const Json& child : node) collect(child);
        }
    };
    collect(api);
    EXPECT_FALSE(references.empty());
    for (const std::string& reference : references) {
        ASSERT_TRUE(reference.starts_with("#/")) << reference;
        EXPECT_TRUE(api.contains(Json::json_pointer(reference.substr(1)))) << reference;
    }
}

TEST(YamlToJson, PlainScalarsAreOfTheCoreSchema) {
    EXPECT_EQ(converted("[1, -2, 2.5, 1e3, true, false, null, ~]"),
              Json::parse("[1, -2, 2.5, 1000.0, true, false, null, null]"));
    EXPECT_EQ(converted("[yes, on, 1.2.3, 12:30, nan, inf, -infinity, infinity, 0x, 1 bar]"),
              Json::array({"yes", "on", "1.2.3", "12:30", "nan", "inf", "-infinity", "infinity", "0x", "1 bar"}));
    EXPECT_EQ(converted("a:"), Json::parse(R"({"a":null})"));
}

TEST(YamlToJson, WhatIsQuotedIsText) {
    EXPECT_EQ(converted(R"(["1", '2', "true", "null", "", 'a''b'])"),
              Json::array({"1", "2", "true", "null", "", "a'b"}));
    EXPECT_EQ(converted("a: |\n  1\n"), Json::parse(R"({"a":"1\n"})"));
}

TEST(YamlToJson, KeysKeepTheirOrderAndAreTexts) {
    EXPECT_EQ(yaml_to_json("\"200\": {b: 1, a: [x]}\n404: {}"), R"({"200":{"b":1,"a":["x"]},"404":{}})");
}

}  // namespace
}  // namespace lineshaft::app
