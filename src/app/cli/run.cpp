#include <csignal>
#include <cstdio>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/command.h"
#include "app/cli/demo_plant.h"
#include "app/config.h"
#include "app/house.h"
#include "base/log.h"

namespace lineshaft::cli {
namespace {

/// Options of `run` and `demo`: one flag for each setting that has one.
struct RunOptions {
    std::map<std::string, std::string> flags;  // By key.
    std::string file;
    bool plant = false;
};

void add_settings(CLI::App& command, RunOptions& options) {
    for (const app::Setting& setting : app::settings()) {
        if (setting.flag.empty()) continue;
        std::string help(setting.help);
        if (!setting.otherwise.empty()) help += fmt::format(" [{}]", setting.otherwise);
        command.add_option_function<std::string>(
            std::string(setting.flag),
            [&options, key = std::string(setting.key)](const std::string& value) { options.flags[key] = value; },
            help);
    }
    command.add_option("--config", options.file, "YAML file; see `lineshaft config schema`");
}

/// SIGINT and SIGTERM as something to wait for; blocked in every thread made after this.
sigset_t block_stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    return set;
}

void say(const std::string& line) {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
}

Exit run(const RunOptions& options) {
    const auto settings = app::gather_settings({options.flags, options.file, app::environment_variables()});
    if (!settings) return report(settings.error());
    const auto config = app::make_config(*settings);
    if (!config) return report(config.error());
    set_log(config->log_level, config->log_format);
    const sigset_t signals = block_stop_signals();

    auto house = app::House::create(*config);
    if (!house) return report(house.error());
    say((*house)->ready_line());
    if (config->http) say(fmt::format("open http://{}/", to_text(*config->http)));
    if (const std::string link = (*house)->claim_link(); !link.empty()) {
        say(fmt::format("claim this house (once): {}", link));
    }
    std::optional<DemoPlant> plant;
    if (options.plant) plant.emplace(*config);

    for (int signal = 0; signal != SIGINT && signal != SIGTERM;) ::sigwait(&signals, &signal);
    plant.reset();
    (*house)->stop();
    return Exit::Ok;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "Start the house: broker, historian, rules, API and web UI");
    add_settings(*command, *options);
    command->callback([options, &action] { action = [options] { return run(*options); }; });
}

void add_demo(CLI::App& app, Action& action) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("demo", "Start a house with a simulated bottling line");
    add_settings(*command, *options);
    command->callback([options, &action] {
        options->plant = true;
        action = [options] { return run(*options); };
    });
}

}  // namespace lineshaft::cli
