#include <cstdio>

#include <CLI/CLI.hpp>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"

namespace lineshaft::cli {
namespace {

Exit check(const std::string& file) {
    const auto settings = app::gather_settings({{}, file, {}});
    if (!settings) return report(settings.error());
    if (const auto config = app::make_config(*settings); !config) return report(config.error());
    std::printf("%s is a valid configuration\n", file.c_str());
    return Exit::Ok;
}

Exit show(const std::string& file, const Output& output) {
    const auto settings = app::gather_settings({{}, file, app::environment_variables()});
    if (!settings) return report(settings.error());
    Json rows = Json::array();
    for (const auto& [key, origin] : *settings)
        rows.push_back({{"key", key}, {"value", origin.value}, {"origin", origin.from}});
    print_items(rows, {{"key", "key"}, {"value", "value"}, {"origin", "origin"}}, output);
    return Exit::Ok;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
    CLI::App* config =
        app.add_subcommand("config", "Configuration: check a file, show what is in force and why, the schema");
    config->require_subcommand(1);
    auto file = std::make_shared<std::string>();
    auto output = std::make_shared<Output>();
    CLI::App* checking = config->add_subcommand("check", "Check a file without starting anything");
    checking->add_option("file", *file, "YAML file")->required();
    checking->callback([=, &action] { action = [=] { return check(*file); }; });
    CLI::App* showing = config->add_subcommand("show", "Every setting, its value and where it comes from");
    showing->add_option("--config", *file, "YAML file");
    showing->add_flag_callback("--origin", [] {}, "Origins are always shown");
    add_output_options(*showing, *output);
    showing->callback([=, &action] { action = [=] { return show(*file, *output); }; });
    CLI::App* schema = config->add_subcommand("schema", "JSON Schema of the file, for editors");
    schema->callback([&action] {
        action = [] {
            std::printf("%s\n", app::config_schema().c_str());
            return Exit::Ok;
        };
    });
}

}  // namespace lineshaft::cli
