/// The command line: one file a command, all registered in one table that help and completion are made from.
///
/// Errors:  printed with code, detail and remedy on stderr; exit codes below.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace lineshaft::cli {

/// docs/user/command-line.md; stable.
enum class Exit : int {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    Conflict = 5,
    Unreachable = 6,
    Partial = 7,
    Interrupted = 130,
};

/// What a chosen command does; set by the callbacks of CLI11, run after parsing.
using Action = std::function<Exit()>;

/// Adds its command below `app`; when it is chosen, `action` becomes what to run.
void add_run(CLI::App& app, Action& action);
void add_demo(CLI::App& app, Action& action);
void add_sim(CLI::App& app, Action& action);
void add_token(CLI::App& app, Action& action);
void add_tag(CLI::App& app, Action& action);
void add_device(CLI::App& app, Action& action);
void add_alarm(CLI::App& app, Action& action);
void add_user(CLI::App& app, Action& action);
void add_query(CLI::App& app, Action& action);
void add_ledger(CLI::App& app, Action& action);
void add_quality(CLI::App& app, Action& action);
void add_fleet(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_storage(CLI::App& app, Action& action);
void add_backup(CLI::App& app, Action& action);
void add_restore(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
/// help, version, completion: they need the whole table, so they come last.
void add_help(CLI::App& app, Action& action);

/// Prints "error[LS-…]: …" with the remedy and gives the exit code that fits.
Exit report(const Error& error);

/// Runs `work`; an error is reported.
template <class Work>
Exit finish(Work work) {
    const Result<Exit> result = work();
    return result ? *result : report(result.error());
}

/// Parses and runs; the whole of main().
int run_command_line(int argc, char** argv);

}  // namespace lineshaft::cli
