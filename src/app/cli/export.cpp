#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/cli/progress.h"
#include "transfer/question.h"

namespace lineshaft::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t part_bytes = 8 * 1024 * 1024;

std::atomic<bool> interrupted{false};

struct ExportWords {
    std::vector<std::string> tags, aggregates;
    std::string prefix, from, to, format, resolution = "raw", compression, split = "none", file;
    bool all = false, go_on = false, receive_time = false;
};

/// What the output is called says what it shall be, unless that was said.
void guess_form(ExportWords& words) {
    std::string name = words.file;
    for (const auto& [ending, packing] : {std::pair(".gz", "gzip"), std::pair(".zst", "zstd")}) {
        if (!name.ends_with(ending)) continue;
        name.resize(name.size() - std::string_view(ending).size());
        if (words.compression.empty()) words.compression = packing;
    }
    for (const char* form : {"csv", "jsonl", "parquet"}) {
        if (words.format.empty() && name.ends_with(fmt::format(".{}", form))) words.format = form;
    }
    if (words.format.empty()) words.format = "csv";
}

Json body_of(const ExportWords& words) {
    Json body = {{"format", words.format}, {"resolution", words.resolution}, {"split", words.split}};
    if (!words.tags.empty()) body["tags"] = words.tags;
    if (words.all || !words.prefix.empty()) body["prefix"] = words.prefix;
    if (!words.from.empty()) body["from"] = words.from;
    if (!words.to.empty()) body["to"] = words.to;
    if (!words.compression.empty()) body["compression"] = words.compression;
    if (!words.aggregates.empty()) body["aggregates"] = words.aggregates;
    if (words.receive_time) body["receive_time"] = true;
    if (!words.file.empty()) {
        std::string name = fs::path(words.file).filename();
        name = name.substr(0, name.find('.'));
        if (!name.empty()) body["name"] = name;
    }
    return body;
}

/// Where the number of the job stands while the export is not done.
std::string note_of(const ExportWords& words) { return words.file + ".export"; }

Result<Json> begin_job(const Client& client, const ExportWords& words) {
    if (words.go_on) {
        std::ifstream note(note_of(words));
        std::string id;
        if (!(note >> id))
            return fail(ErrorCode::NotFound,
                        fmt::format("no export into {} was interrupted: leave out --continue", words.file));
        return client.get("/api/v1/exports/" + percent_encoded(id));
    }
    Json job = TRY(client.post("/api/v1/exports", body_of(words)));
    if (!words.file.empty()) std::ofstream(note_of(words)) << job.value("id", "") << "\n";
    return job;
}

/// Until the house has made all files.
Result<Json> wait_for(const Client& client, Json job, bool quiet) {
    Progress progress(quiet);
    const std::string path = "/api/v1/exports/" + job.value("id", "");
    while (job.value("state", "") != "done") {
        if (job.value("state", "") == "failed")
            return fail(ErrorCode::Io, fmt::format("the export failed: {}", job.value("error", "")));
        if (interrupted) break;
        std::this_thread::sleep_for(100ms);
        job = TRY(client.get(path));
        progress.show(job.value("percent", 0.0) / 100,
                      fmt::format("{} rows  {:.1f} MB made", job.value("rows", 0ULL),
                                  static_cast<double>(job.value("bytes", 0ULL)) / 1e6));
    }
    progress.end();
    return job;
}

Result<void> download(const Client& client, const Json& job, const Json& file, const std::string& to, bool quiet) {
    const auto size = file.value("bytes", std::uint64_t{0});
    const std::string part = to + ".part", path = fmt::format("/api/v1/exports/{}/file?name={}", job.value("id", ""),
                                                              percent_encoded(file.value("name", "")));
    std::error_code error;
    if (fs::exists(to, error) && fs::file_size(to, error) == size && !fs::exists(part, error)) return {};
    std::uint64_t at = fs::exists(part, error) ? fs::file_size(part, error) : 0;
    if (at > size) at = 0;
    std::ofstream out(part, std::ios::binary | (at > 0 ? std::ios::app : std::ios::trunc));
    Progress progress(quiet);
    while (at < size && !interrupted) {
        const std::string bytes = TRY(client.part(path, at, std::min(size, at + part_bytes)));
        if (bytes.empty()) return fail(ErrorCode::Malformed, "the file ended early");
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        out.flush();
        if (!out) return fail(ErrorCode::DiskFull, fmt::format("{} cannot be written", part));
        at += bytes.size();
        progress.show(static_cast<double>(at) / static_cast<double>(size),
                      fmt::format("{:.1f} MB loaded", static_cast<double>(at) / 1e6));
    }
    progress.end();
    if (at < size) return {};
    out.close();
    fs::rename(part, to, error);
    if (error) return fail(ErrorCode::Io, fmt::format("{}: {}", to, error.message()));
    return {};
}

Result<void> print(const Client& client, const Json& job) {
    for (const Json& file : job["files"]) {
        const auto size = file.value("bytes", std::uint64_t{0});
        const std::string path = fmt::format("/api/v1/exports/{}/file?name={}", job.value("id", ""),
                                             percent_encoded(file.value("name", "")));
        for (std::uint64_t at = 0; at < size && !interrupted;) {
            const std::string bytes = TRY(client.part(path, at, std::min(size, at + part_bytes)));
            if (bytes.empty()) return fail(ErrorCode::Malformed, "the file ended early");
            if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size())
                return {};  // The reader has gone.
            at += bytes.size();
        }
    }
    return {};
}

Result<Exit> run_export(const ServerOptions& server, ExportWords words) {
    if (words.file == "-") words.file.clear();
    if (words.go_on && words.file.empty())
        return fail(ErrorCode::InvalidArgument, "--continue needs the --output it is about");
    guess_form(words);
    const Client client = TRY(Client::create(server));
    std::signal(SIGINT, [](int) { interrupted = true; });
    std::signal(SIGTERM, [](int) { interrupted = true; });
    const bool quiet = server.output.quiet;
    Json job = TRY(begin_job(client, words));
    job = TRY(wait_for(client, std::move(job), quiet));
    if (!interrupted) {
        if (words.file.empty()) {
            TRY_VOID(print(client, job));
        } else if (words.split == "day" || job["files"].size() > 1) {
            std::error_code error;
            fs::create_directories(words.file, error);
            for (const Json& file : job["files"])
                TRY_VOID(download(client, job, file, words.file + "/" + file.value("name", ""), quiet));
        } else {
            TRY_VOID(download(client, job, job["files"].at(0), words.file, quiet));
        }
    }
    if (interrupted) {
        if (words.file.empty())
            (void)client.remove("/api/v1/exports/" + job.value("id", ""));
        else
            hint(server.output,
                 fmt::format("interrupted; go on with: lineshaft export --output '{}' --continue", words.file));
        return Exit::Interrupted;
    }
    TRY_VOID(client.remove("/api/v1/exports/" + job.value("id", "")));
    std::error_code error;
    if (!words.file.empty()) fs::remove(note_of(words), error);
    hint(server.output, fmt::format("{} rows of {} tags in {} files, {} bytes", job.value("rows", 0ULL),
                                    job.value("tags", 0ULL), job["files"].size(), job.value("bytes", 0ULL)));
    if (job.value("damaged_blocks", 0ULL) > 0)
        hint(server.output,
             fmt::format("{} damaged blocks could not be read and are left out", job.value("damaged_blocks", 0ULL)));
    return job.value("damaged_blocks", 0ULL) > 0 ? Exit::Partial : Exit::Ok;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto words = std::make_shared<ExportWords>();
    CLI::App* command = app.add_subcommand("export", "History into a file: CSV, JSON lines or Parquet");
    command->add_option("--tags,--tag", words->tags, "Paths of tags")->delimiter(',');
    command->add_option("--prefix", words->prefix, "All tags below this path");
    command->add_flag("--all", words->all, "All tags");
    command->add_option("--from", words->from, "RFC 3339, epoch, now-30d [the oldest sample]");
    command->add_option("--to", words->to, "The same [now]");
    command->add_option("--format", words->format, "csv, jsonl or parquet [the file's ending, else csv]")
        ->check(CLI::IsMember({"csv", "jsonl", "parquet"}));
    command->add_option("--resolution", words->resolution, "raw or a duration like 1m")->capture_default_str();
    command
        ->add_option("--aggregates", words->aggregates, "With a resolution: min,max,mean,first,last,sum,count,good")
        ->delimiter(',');
    command->add_option("--compression", words->compression, "none, gzip or zstd [the file's ending]")
        ->check(CLI::IsMember({"none", "gzip", "zstd"}));
    command->add_option("--split", words->split, "day: a file for each UTC day, --output is a folder")
        ->check(CLI::IsMember({"none", "day"}))
        ->capture_default_str();
    command->add_flag("--receive-time", words->receive_time, "A column more: when the sample came");
    command->add_flag("--continue", words->go_on, "Go on with the export into this output that was interrupted");
    add_server_options(*command, *server);
    // --output is a file here: what a table looks like is no question.
    command->remove_option(command->get_option("--output"));
    command->add_option("-o,--output", words->file, "File or folder [stdout]");
    command->footer(
        "Examples:\n  lineshaft export --prefix Line1 --from now-30d --output line1.parquet\n"
        "  lineshaft export --tags Line1/Filler/level --resolution 1m --output level.csv.gz");
    command->callback([=, &action] { action = [=] { return finish([&] { return run_export(*server, *words); }); }; });
}

}  // namespace lineshaft::cli
