#include "app/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lineshaft::app {
namespace {

class ConfigFile {
public:
    explicit ConfigFile(const std::string& text) {
        path_ = std::filesystem::temp_directory_path() / ("lineshaft-config-" + std::to_string(::getpid()) + ".yaml");
        std::ofstream(path_) << text;
    }
    ~ConfigFile() { std::filesystem::remove(path_); }
    std::string path() const { return path_; }

private:
    std::filesystem::path path_;
};

Result<Config> config_of(const ConfigSources& sources) { return make_config(TRY(gather_settings(sources))); }

TEST(Config, AnEmptyFileIsAValidConfiguration) {
    const ConfigFile file("");
    const auto config = config_of({{}, file.path(), {}});
    ASSERT_TRUE(config);
    EXPECT_EQ(config->http->port, 8080);
    EXPECT_FALSE(config->accept_discovered);
}

TEST(Config, FlagBeatsEnvironmentBeatsFile) {
    const ConfigFile file("listen:\n  http: 127.0.0.1:1\n  mqtt: 127.0.0.1:2\n  https: off\n");
    const auto settings =
        gather_settings({{{"listen.http", "127.0.0.1:3"}},
                         file.path(),
                         {{"LINESHAFT_LISTEN__HTTP", "127.0.0.1:4"}, {"LINESHAFT_LISTEN__MQTT", "127.0.0.1:5"}}});
    ASSERT_TRUE(settings);
    const auto config = make_config(*settings);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->http->port, 3);
    EXPECT_EQ(config->mqtt->port, 5);
    EXPECT_FALSE(config->https);
    EXPECT_EQ(settings->at("listen.http").from, "flag --http");
    EXPECT_EQ(settings->at("listen.mqtt").from, "environment LINESHAFT_LISTEN__MQTT");
    EXPECT_EQ(settings->at("listen.https").from, "file " + file.path() + ":4");
}

TEST(Config, AnUnknownKeyNamesLineAndNearestKey) {
    const ConfigFile file("listen:\n  htp: 127.0.0.1:1\n");
    const auto config = config_of({{}, file.path(), {}});
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code(), ErrorCode::ConfigUnknownKey);
    EXPECT_NE(config.error().detail().find(":2"), std::string::npos);
    EXPECT_NE(config.error().detail().find("listen.http"), std::string::npos);
}

TEST(Config, BadValuesSayWhereTheyCameFrom) {
    const auto config = config_of({{{"shards", "many"}}, "", {}});
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code(), ErrorCode::ConfigInvalid);
    EXPECT_NE(config.error().detail().find("--shards"), std::string::npos);
}

TEST(Config, PlainPortsStayOnLoopbackUnlessAllowed) {
    EXPECT_FALSE(config_of({{{"listen.http", "0.0.0.0:8080"}}, "", {}}));
    EXPECT_TRUE(config_of({{{"listen.http", "0.0.0.0:8080"}, {"access.plain_beyond_loopback", "true"}}, "", {}}));
}

TEST(Config, UnknownEnvironmentVariablesAreRefused) {
    EXPECT_FALSE(config_of({{}, "", {{"LINESHAFT_LISTN__HTTP", "off"}}}));
    EXPECT_TRUE(config_of({{}, "", {{"LINESHAFT_TOKEN", "ls_x"}}}));
}

TEST(Config, TheSchemaNamesEverySetting) {
    const auto schema = nlohmann::json::parse(config_schema());
    for (const Setting& setting : settings()) {
        std::string pointer = "/properties/" + std::string(setting.key);
        if (const auto dot = pointer.find('.'); dot != std::string::npos) pointer.replace(dot, 1, "/properties/");
        EXPECT_TRUE(schema.contains(nlohmann::json::json_pointer(pointer))) << setting.key;
    }
}

}  // namespace
}  // namespace lineshaft::app
