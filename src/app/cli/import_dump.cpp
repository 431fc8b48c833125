#include "app/cli/import_dump.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "app/cli/progress.h"
#include "wire/table/decompress.h"

namespace lineshaft::cli {
namespace {

namespace dump = wire::dump;
namespace fs = std::filesystem;

constexpr std::size_t piece_bytes = 8 * 1024 * 1024;
constexpr std::size_t read_bytes = 1024 * 1024;
constexpr std::size_t shown_max = 100;

/// Where the number of the job that imports this very file into this very house is kept.
std::string note_of(const Client& client, const std::string& file) {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    const std::string folder =
        (cache && *cache ? std::string(cache) : std::string(home ? home : ".") + "/.cache") + "/lineshaft";
    std::error_code error;
    fs::create_directories(folder, error);
    const auto path = fs::absolute(file, error);
    const auto size = fs::file_size(file, error);
    return fmt::format("{}/import-job-{:016x}", folder,
                       std::hash<std::string>{}(fmt::format("{}|{}|{}", client.url(), path.string(), size)));
}

/// Feeds the file, unpacked, to `take` until that says false.
Result<void> read_file(const std::string& file, const std::function<Result<bool>(std::string_view)>& take) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::NotFound, fmt::format("the file {} cannot be read", file));
    std::string buffer(read_bytes, '\0');
    std::unique_ptr<wire::table::Decompressor> unpack;
    std::optional<Error> failed;
    bool more = true;
    const auto plain = [&](ByteView bytes) {
        if (failed || !more) return;
        const auto taken = take(as_text(bytes));
        if (taken)
            more = *taken;
        else
            failed = taken.error();
    };
    while (in && more) {
        in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        const std::string_view piece(buffer.data(), static_cast<std::size_t>(in.gcount()));
        if (piece.empty()) break;
        if (!unpack) unpack = wire::table::Decompressor::create(as_bytes(piece));
        TRY_VOID(unpack->feed(as_bytes(piece), plain));
        if (failed) return std::unexpected(*failed);
    }
    if (unpack && more) TRY_VOID(unpack->finish());
    return {};
}

/// What a dry run remembers.
class Seen final : public dump::Sink {
public:
    void on_point(const dump::Point& point) override {
        ++points;
        const std::string tag = fmt::format("{}/{}", point.device, point.address);
        auto [at, is_new] = tags.try_emplace(tag);
        if (is_new) {
            order.push_back(tag);
            at->second = {{"tag", tag},
                          {"device", point.device},
                          {"address", point.address},
                          {"type", lineshaft::to_text(point.type)},
                          {"points", 0},
                          {"first", to_rfc3339(point.time)}};
        }
        at->second["points"] = at->second["points"].get<std::uint64_t>() + 1;
        at->second["last"] = to_rfc3339(point.time);
    }
    void on_refused(std::uint64_t line, std::string reason) override {
        if (refused++ < shown_max) refusals.push_back({{"line", line}, {"reason", std::move(reason)}});
    }
    std::map<std::string, Json> tags;
    std::vector<std::string> order;
    Json refusals = Json::array();
    std::uint64_t points = 0, refused = 0;
};

Result<Json> dry_run(const DumpOptions& options) {
    dump::Reader reader(options.read);
    Seen seen;
    TRY_VOID(read_file(options.file, [&](std::string_view text) -> Result<bool> {
        TRY_VOID(reader.feed(text, seen));
        return true;
    }));
    TRY_VOID(reader.finish(seen));
    Json tags = Json::array();
    for (const std::string& tag : seen.order) tags.push_back(std::move(seen.tags[tag]));
    return Json{{"format", dump::to_text(reader.format())},
                {"dry_run", true},
                {"points", seen.points},
                {"refused", seen.refused},
                {"refusals", std::move(seen.refusals)},
                {"tag_count", tags.size()},
                {"tags", std::move(tags)}};
}

Json wish_of(const DumpOptions& options, std::uint64_t bytes) {
    const auto& read = options.read;
    Json body = {{"name", fs::path(options.file).filename().string()},
                 {"bytes", bytes},
                 {"format", dump::to_text(read.format)}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) body[name] = value;
    };
    add("device", read.device);
    add("time_column", read.table.time_column);
    add("utc_offset", options.utc_offset);
    add("date_order", options.date_order);
    add("time", options.time);
    add("precision", options.precision);
    if (!read.tag_columns.empty()) body["tag_columns"] = read.tag_columns;
    if (!read.skipped.empty()) body["skip_columns"] = read.skipped;
    return body;
}

Result<Json> upload(const Client& client, const DumpOptions& options, Json job, const std::string& path,
                    const std::atomic<bool>& interrupted) {
    std::ifstream in(options.file, std::ios::binary);
    const auto size = job.value("bytes", std::uint64_t{0});
    auto at = job.value("received", std::uint64_t{0});
    in.seekg(static_cast<std::streamoff>(at));
    std::string buffer;
    Progress progress(options.quiet);
    while (at < size && !interrupted) {
        buffer.resize(std::min<std::uint64_t>(piece_bytes, size - at));
        in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        if (static_cast<std::size_t>(in.gcount()) != buffer.size())
            return fail(ErrorCode::Io, fmt::format("{} has become shorter meanwhile", options.file));
        const std::string answer = TRY(client.text("PUT", fmt::format("{}/file?offset={}", path, at), buffer,
                                                   "application/octet-stream", "application/json", 120s));
        job = Json::parse(answer, nullptr, false);
        at = job.value("received", std::uint64_t{0});
        progress.show(static_cast<double>(at) / static_cast<double>(size) / 2,
                      fmt::format("{:.1f} MB sent", static_cast<double>(at) / 1e6));
    }
    progress.end();
    return job;
}

Result<Json> watch(const Client& client, Json job, const std::string& path, bool quiet,
                   const std::atomic<bool>& interrupted) {
    Progress progress(quiet);
    while (!interrupted) {
        const std::string state = job.value("state", "");
        if (state == "done") break;
        if (state == "failed")
            return fail(ErrorCode::Io, fmt::format("the import failed: {}", job.value("error", "")));
        std::this_thread::sleep_for(100ms);
        job = TRY(client.get(path));
        progress.show(job.value("percent", 0.0) / 100, fmt::format("{} points", job.value("points", 0ULL)));
    }
    progress.end();
    return job;
}

}  // namespace

Result<dump::Format> format_of_file(const std::string& file) {
    std::string head;
    TRY_VOID(read_file(file, [&](std::string_view text) -> Result<bool> {
        head += text.substr(0, dump::head_bytes);
        return head.size() < dump::head_bytes;
    }));
    return dump::detect(head);
}

Result<Json> import_dump(const Client& client, const DumpOptions& options, const std::atomic<bool>& interrupted) {
    if (options.dry_run) return dry_run(options);
    std::error_code error;
    const auto size = fs::file_size(options.file, error);
    if (error) return fail(ErrorCode::NotFound, fmt::format("the file {} cannot be read", options.file));
    const std::string note = note_of(client, options.file);
    Json job;
    if (std::string id; options.resume && std::ifstream(note) >> id) {
        // A job that has gone meanwhile begins anew: importing twice leaves every sample there once.
        if (auto known = client.get("/api/v1/imports/" + percent_encoded(id))) job = *std::move(known);
    }
    if (job.is_null()) job = TRY(client.post("/api/v1/imports", wish_of(options, size)));
    const std::string path = "/api/v1/imports/" + job.value("id", "");
    std::ofstream(note) << job.value("id", "") << "\n";
    if (job.value("state", "") == "uploading") job = TRY(upload(client, options, std::move(job), path, interrupted));
    const std::string state = job.value("state", "");
    if (!interrupted && (state == "uploading" || state == "failed"))
        job = TRY(client.post(path + ":start", Json::object()));
    if (!interrupted) job = TRY(watch(client, std::move(job), path, options.quiet, interrupted));
    if (interrupted) {
        job["interrupted"] = true;
        return job;
    }
    if (!options.rejected.empty()) {
        const std::string refused = TRY(client.text("GET", path + "/refused", "", "", "text/csv"));
        std::ofstream(options.rejected) << refused;
    }
    TRY_VOID(client.remove(path));
    fs::remove(note, error);
    return job;
}

}  // namespace lineshaft::cli
