#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"
#include "app/house.h"
#include "backup/data_directory.h"
#include "backup/restore.h"
#include "runtime/clock.h"

namespace lineshaft::cli {
namespace {

constexpr auto look_period = std::chrono::milliseconds(200);

struct BackupOptions {
    ServerOptions server;
    std::string directory, passphrase_file, to, snapshot = "latest", keep, data;
    bool unencrypted = false, set_aside = false;
};

std::string whole_path(const std::string& path) {
    if (path.empty()) return path;
    std::string whole = std::filesystem::absolute(path).lexically_normal().string();
    while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
    return whole;
}

std::string shown_bytes(std::uint64_t bytes) {
    if (bytes < 10'000) return fmt::format("{} B", bytes);
    if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
    if (bytes < 10'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
    return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

/// One line that is written over.
void show_progress(std::uint64_t files, std::uint64_t files_all, std::uint64_t bytes, std::uint64_t bytes_all) {
    if (!is_interactive()) return;
    const std::string of_files = files_all > 0 ? fmt::format(" of {}", files_all) : "";
    const std::string of_bytes = bytes_all > 0 ? fmt::format(" of {}", shown_bytes(bytes_all)) : "";
    std::fprintf(stderr, "\r\033[K%llu%s files, %s%s", static_cast<unsigned long long>(files), of_files.c_str(),
                 shown_bytes(bytes).c_str(), of_bytes.c_str());
}

void end_progress() {
    if (is_interactive()) std::fprintf(stderr, "\r\033[K");
}

/// Shows how far a piece of work is, from a thread of its own, until it dies.
class Watch {
public:
    explicit Watch(const backup::Progress& progress)
        : thread_([this, &progress] {
              std::unique_lock lock(mutex_);
              while (!ended_.wait_for(lock, look_period, [this] { return done_; }))
                  show_progress(progress.files, progress.files_all, progress.bytes, progress.bytes_all);
          }) {}
    ~Watch() {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        ended_.notify_all();
        thread_.join();
        end_progress();
    }

private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool done_ = false;
    std::thread thread_;
};

std::string data_directory_of(const BackupOptions& options) {
    const char* named = std::getenv("LINESHAFT_DATA");
    if (!options.server.data.empty()) return whole_path(options.server.data);
    return whole_path(named && *named ? named : app::default_data_directory());
}

void print_snapshot(const Json& snapshot, const Output& output) {
    print_object(snapshot,
                 {{"snapshot", "id"},
                  {"files", "files"},
                  {"bytes", "bytes"},
                  {"new bytes", "added_bytes"},
                  {"stored bytes", "stored_bytes"},
                  {"seconds", "duration_s"}},
                 output);
}

/// Of a house that does not run; nobody can start it meanwhile.
Result<Exit> create_offline(const BackupOptions& options, Disk& disk, const std::string& data) {
    if (options.directory.empty())
        return fail(ErrorCode::Usage, "the house does not run: name a directory with --to");
    const auto passphrase = TRY(backup::read_passphrase(disk, options.passphrase_file));
    const auto repository = TRY(backup::Repository::ensure(
        disk, whole_path(options.directory), passphrase,
        options.unencrypted ? backup::Repository::Unencrypted::Yes : backup::Repository::Unencrypted::No));
    const auto lock = TRY(repository->lock());
    backup::Sources sources = TRY(backup::gather(disk, data));
    backup::Progress progress;
    backup::Throttle throttle(system_clock(), 0, [](Duration) {});
    const auto info = [&] {
        const Watch watch(progress);
        return backup::take(disk, *repository, sources, system_clock(), app::version(), throttle, progress);
    }();
    if (!info) return std::unexpected(info.error());
    print_snapshot(Json::parse(backup::to_json(*info)), options.server.output);
    return Exit::Ok;
}

/// Of a house that runs: it does the work, we look on.
Result<Exit> create_online(const BackupOptions& options) {
    const Client client = TRY(Client::create(options.server));
    Json body = Json::object();
    if (!options.directory.empty()) body["path"] = whole_path(options.directory);
    if (!options.passphrase_file.empty()) body["passphrase_file"] = whole_path(options.passphrase_file);
    if (options.unencrypted) body["unencrypted"] = true;
    const Json begun = TRY(client.post("/api/v1/backups", body));
    const auto number = begun["job"].value("number", std::uint64_t{0});
    while (true) {
        std::this_thread::sleep_for(look_period);
        const Json report = TRY(client.get("/api/v1/backups"));
        const Json job = report.value("job", Json());
        if (!job.is_object() || job.value("number", std::uint64_t{0}) != number)
            return fail(ErrorCode::NotFound, "the house does not know the backup any more: has it been restarted?");
        if (job.value("state", "") == "running") {
            show_progress(job.value("files", 0ULL), job.value("files_all", 0ULL), job.value("bytes", 0ULL),
                          job.value("bytes_all", 0ULL));
            continue;
        }
        end_progress();
        if (job.value("state", "") == "failed") {
            std::fprintf(stderr, "%s\n", job.value("error", "").c_str());
            return Exit::Failed;
        }
        Json shown = job;
        shown["id"] = job.value("snapshot", "");
        const auto ended = parse_rfc3339(job.value("ended", "")), started = parse_rfc3339(job.value("started", ""));
        if (ended && started) shown["duration_s"] = static_cast<double>((*ended - *started).count()) / 1e9;
        print_snapshot(shown, options.server.output);
        return Exit::Ok;
    }
}

Result<Exit> create(const BackupOptions& options) {
    if (!options.server.server.empty() || std::getenv("LINESHAFT_SERVER")) return create_online(options);
    const auto disk = make_system_disk();
    const std::string data = data_directory_of(options);
    if (!disk->exists(data + "/house.json")) return fail(ErrorCode::NotFound, data + " is no data directory");
    const auto lock = disk->lock(data + "/lock");
    if (lock) return create_offline(options, *disk, data);
    if (lock.error().code() != ErrorCode::Locked) return std::unexpected(lock.error());
    BackupOptions online = options;
    online.server.data = data;
    return create_online(online);
}

Result<std::unique_ptr<backup::Repository>> open(Disk& disk, const BackupOptions& options) {
    const auto passphrase = TRY(backup::read_passphrase(disk, options.passphrase_file));
    return backup::Repository::open(disk, whole_path(options.directory), passphrase);
}

Result<Exit> list(const BackupOptions& options) {
    Json items = Json::array();
    if (options.directory.empty()) {
        const Client client = TRY(Client::create(options.server));
        items = TRY(client.get("/api/v1/backups"))["items"];
    } else {
        const auto disk = make_system_disk();
        const auto repository = TRY(open(*disk, options));
        for (const backup::SnapshotInfo& info : TRY(repository->snapshots()))
            items.insert(items.begin(), Json::parse(backup::to_json(info)));
    }
    print_items(items,
                {{"snapshot", "id"},
                 {"time", "time"},
                 {"files", "files"},
                 {"bytes", "bytes"},
                 {"new bytes", "added_bytes"},
                 {"version", "version"},
                 {"host", "host"}},
                options.server.output);
    return Exit::Ok;
}

Result<Exit> prune(const BackupOptions& options) {
    const backup::KeepRule rule = TRY(backup::parse_keep(options.keep));
    const auto disk = make_system_disk();
    const auto repository = TRY(open(*disk, options));
    const auto lock = TRY(repository->lock());
    const backup::Repository::Pruned pruned = TRY(repository->prune(rule));
    for (const std::string& id : pruned.removed) std::printf("%s\n", id.c_str());
    hint(options.server.output,
         fmt::format("{} snapshots removed, {} freed", pruned.removed.size(), shown_bytes(pruned.bytes)));
    return Exit::Ok;
}

Exit print_verdict(const backup::Verdict& verdict, const Output& output) {
    for (const backup::Finding& finding : verdict.findings)
        std::printf("%s: %s\n", finding.path.c_str(), finding.why.c_str());
    hint(output, fmt::format("{} files, {}: {}", verdict.files, shown_bytes(verdict.bytes),
                             verdict.ok() ? "all is well" : fmt::format("{} findings", verdict.findings.size())));
    return verdict.ok() ? Exit::Ok : Exit::Failed;
}

Result<Exit> verify(const BackupOptions& options) {
    if (options.directory.empty() == options.data.empty())
        return fail(ErrorCode::Usage, "name either a directory with backups, or a data directory with --data");
    const auto disk = make_system_disk();
    backup::Progress progress;
    const auto verdict = [&]() -> Result<backup::Verdict> {
        const Watch watch(progress);
        if (!options.data.empty()) return backup::verify_data(*disk, whole_path(options.data), progress);
        const auto passphrase = TRY(backup::read_passphrase(*disk, options.passphrase_file));
        return backup::verify_repository(*disk, whole_path(options.directory), passphrase,
                                         options.set_aside ? backup::Damaged::SetAside : backup::Damaged::Leave,
                                         progress);
    }();
    if (!verdict) return std::unexpected(verdict.error());
    return print_verdict(*verdict, options.server.output);
}

Result<Exit> restore(const BackupOptions& options) {
    const auto disk = make_system_disk();
    const auto repository = TRY(open(*disk, options));
    backup::Progress progress;
    const std::string to = whole_path(options.to);
    const auto info = [&] {
        const Watch watch(progress);
        return backup::restore(*repository, *disk, options.snapshot, to, progress);
    }();
    if (!info) return std::unexpected(info.error());
    print_snapshot(Json::parse(backup::to_json(*info)), options.server.output);
    hint(options.server.output, fmt::format("start it with  lineshaft run --data {}", to));
    return Exit::Ok;
}

using Options = std::shared_ptr<BackupOptions>;

void when_chosen(CLI::App* command, const Options& options, Action& action,
                 Result<Exit> (*work)(const BackupOptions&)) {
    command->callback(
        [options, work, &action] { action = [options, work] { return finish([&] { return work(*options); }); }; });
}

void add_passphrase(CLI::App* command, const Options& options) {
    command->add_option("--passphrase-file", options->passphrase_file, "File that holds the passphrase");
}

void add_create(CLI::App& above, Action& action) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = above.add_subcommand("create", "Take a backup, whether the house runs or not");
    command->add_option("--to", options->directory, "Directory of the backups [backup.path of the running house]");
    add_passphrase(command, options);
    command->add_flag("--unencrypted", options->unencrypted, "Make new backups that anybody can read");
    add_server_options(*command, options->server);
    when_chosen(command, options, action, create);
}

void add_list(CLI::App& above, Action& action) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = above.add_subcommand("list", "Snapshots, newest first");
    command->add_option("--from", options->directory, "Directory of the backups [those of the running house]");
    add_passphrase(command, options);
    add_server_options(*command, options->server);
    when_chosen(command, options, action, list);
}

void add_prune(CLI::App& above, Action& action) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = above.add_subcommand("prune", "Remove old snapshots, and what only they needed");
    command->add_option("--from", options->directory, "Directory of the backups")->required();
    command->add_option("--keep", options->keep, "Like last=3,daily=7,weekly=5,monthly=12")->required();
    command->add_flag_callback("--yes", [] {}, "Do not ask");
    add_passphrase(command, options);
    add_output_options(*command, options->server.output);
    when_chosen(command, options, action, prune);
}

}  // namespace

void add_backup(CLI::App& app, Action& action) {
    CLI::App* command = app.add_subcommand("backup", "Backups of everything the house keeps");
    command->require_subcommand(1);
    add_create(*command, action);
    add_list(*command, action);
    add_prune(*command, action);
}

void add_verify(CLI::App& app, Action& action) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = app.add_subcommand("verify", "Read backups, or a data directory, to the last byte");
    command->add_option("directory", options->directory, "Directory of backups");
    command->add_option("--data", options->data, "A data directory instead, of a house that runs or not");
    command->add_flag("--set-aside", options->set_aside,
                      "Rename damaged pieces, so that the next backup replaces them");
    add_passphrase(command, options);
    add_output_options(*command, options->server.output);
    when_chosen(command, options, action, verify);
}

void add_restore(CLI::App& app, Action& action) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = app.add_subcommand("restore", "Make a data directory from a backup");
    command->add_option("--from", options->directory, "Directory of the backups")->required();
    command->add_option("--to", options->to, "New directory; one with anything in it is refused")->required();
    command->add_option("--snapshot", options->snapshot, "Its id, or how it begins [latest]");
    add_passphrase(command, options);
    add_output_options(*command, options->server.output);
    when_chosen(command, options, action, restore);
}

}  // namespace lineshaft::cli
