#include <csignal>
#include <cstdio>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cli/command.h"
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
    sigaddset(&set, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    return set;
}

/// `lineshaft sim plant` as a process of its own, ended with us.
pid_t start_plant(const app::Config& config, const std::string& token_variable) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    const std::string broker = to_text(config.mqtt.value_or(Endpoint{"127.0.0.1", 1883}));
    if (!token_variable.empty()) ::setenv("LINESHAFT_TOKEN", token_variable.c_str(), 1);
    ::execl("/proc/self/exe", "lineshaft", "sim", "plant", "--mqtt", broker.c_str(), nullptr);
    ::_exit(127);
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
    const pid_t plant = options.plant ? start_plant(*config, "") : 0;

    for (;;) {
        int signal = 0;
        if (::sigwait(&signals, &signal) != 0) continue;
        if (signal != SIGCHLD) break;
        int status = 0;
        if (plant > 0 && ::waitpid(plant, &status, WNOHANG) == plant) {
            log_warning("the simulated plant has ended; the house goes on without it");
        }
    }
    if (plant > 0) ::kill(plant, SIGTERM);
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
