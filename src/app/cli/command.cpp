#include "app/cli/command.h"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/config.h"
#include "app/house.h"

namespace lineshaft::cli {
namespace {

Exit exit_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::Usage:
        case ErrorCode::ConfigUnknownKey:
        case ErrorCode::ConfigInvalid: return Exit::Usage;
        case ErrorCode::NotFound: return Exit::NotFound;
        case ErrorCode::Unauthenticated:
        case ErrorCode::Forbidden:
        case ErrorCode::NotWritable:
        case ErrorCode::TooManyAttempts: return Exit::NotAllowed;
        case ErrorCode::Conflict:
        case ErrorCode::Locked: return Exit::Conflict;
        case ErrorCode::Unreachable:
        case ErrorCode::Timeout: return Exit::Unreachable;
        default: return Exit::Failed;
    }
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(command->get_name());
    }
    return names;
}

}  // namespace

Exit report(const Error& error) {
    std::fprintf(stderr, "%s\n  try  %s\n", error.message().c_str(), std::string(error.text().remedy).c_str());
    return exit_of(error.code());
}

int run_command_line(int argc, char** argv) {
    CLI::App app("Lineshaft: connects machines, keeps and judges what they say, shows it.", "lineshaft");
    app.require_subcommand(1);
    app.set_version_flag("--version", "lineshaft " + app::version());
    Action action;
    add_run(app, action);
    add_demo(app, action);
    add_status(app, action);
    add_doctor(app, action);
    add_query(app, action);
    add_ledger(app, action);
    add_quality(app, action);
    add_fleet(app, action);
    add_import(app, action);
    add_export(app, action);
    add_tag(app, action);
    add_device(app, action);
    add_alarm(app, action);
    add_user(app, action);
    add_token(app, action);
    add_config(app, action);
    add_sim(app, action);
    add_storage(app, action);
    add_backup(app, action);
    add_restore(app, action);
    add_verify(app, action);
    add_help(app, action);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& e) {
        return app.exit(e);
    } catch (const CLI::CallForVersion& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        const auto names = command_names(app);
        const bool is_unknown = argc > 1 && argv[1][0] != '-' && std::ranges::find(names, argv[1]) == names.end();
        const std::string what = is_unknown ? fmt::format("there is no command '{}'", argv[1]) : e.what();
        std::fprintf(stderr, "error[LS-%u]: %s\n", static_cast<unsigned>(ErrorCode::Usage), what.c_str());
        const auto near = is_unknown ? app::nearest(argv[1], names) : std::nullopt;
        if (near) std::fprintf(stderr, "  did you mean  lineshaft %s\n", near->c_str());
        std::fprintf(stderr, "  try  lineshaft --help\n");
        return static_cast<int>(Exit::Usage);
    }
    return static_cast<int>(action ? action() : Exit::Usage);
}

}  // namespace lineshaft::cli
