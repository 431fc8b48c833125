#include "transfer/internal/export_job.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lineshaft::transfer {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t day_ns = 86'400'000'000'000;
constexpr std::size_t parts_max = 20'000;

std::int64_t day_of(UtcTime time) { return time.ns() >= 0 ? time.ns() / day_ns : -((-(time.ns() + 1)) / day_ns) - 1; }

/// Letters, digits and a few marks: a name that is a good file name everywhere.
std::string file_name(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 80)) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
        out += is_plain ? c : '-';
    }
    while (out.starts_with('.')) out.erase(0, 1);
    return out.empty() ? "export" : out;
}

Json question_json(const Job& job) {
    const Question& q = job.question;
    Json tags = Json::array(), aggregates = Json::array(), parts = Json::array();
    for (const ExportTag& tag : q.tags)
        tags.push_back(
            {tag.id.value(), tag.home.value(), tag.path, tag.device, tag.unit, static_cast<unsigned>(tag.type)});
    for (const Aggregate aggregate : q.aggregates) aggregates.push_back(to_text(aggregate));
    for (const Part& part : job.parts) parts.push_back({part.name, part.from.ns(), part.to.ns()});
    return {{"version", 1},
            {"id", job.info.id},
            {"tenant", job.info.tenant.value()},
            {"name", job.info.name},
            {"by", job.info.by},
            {"created", job.info.created.ns()},
            {"split", static_cast<unsigned>(job.info.split)},
            {"form", to_text(q.form)},
            {"packing", to_text(q.packing)},
            {"from", q.from.ns()},
            {"to", q.to.ns()},
            {"resolution", q.resolution.count()},
            {"receive_time", q.receive_time},
            {"aggregates", std::move(aggregates)},
            {"parts", std::move(parts)},
            {"tags", std::move(tags)}};
}

Result<void> read_question(const Json& json, Job& job) {
    Question& q = job.question;
    q.form = TRY(form_from_text(json.at("form").get<std::string>()));
    q.packing = TRY(packing_from_text(json.at("packing").get<std::string>()));
    q.from = UtcTime(json.at("from").get<std::int64_t>());
    q.to = UtcTime(json.at("to").get<std::int64_t>());
    q.resolution = Duration(json.at("resolution").get<std::int64_t>());
    q.receive_time = json.at("receive_time").get<bool>();
    q.aggregates.clear();
    for (const Json& name : json.at("aggregates"))
        q.aggregates.push_back(TRY(aggregate_from_text(name.get<std::string>())));
    for (const Json& part : json.at("parts"))
        job.parts.push_back(
            {part.at(0), UtcTime(part.at(1).get<std::int64_t>()), UtcTime(part.at(2).get<std::int64_t>())});
    for (const Json& tag : json.at("tags"))
        q.tags.push_back({TagId(tag.at(0).get<std::uint64_t>()), ShardId(tag.at(1).get<std::uint16_t>()), tag.at(2),
                          tag.at(3), tag.at(4), static_cast<ValueType>(tag.at(5).get<unsigned>())});
    Export& info = job.info;
    info.id = json.at("id");
    info.tenant = TenantId(json.at("tenant").get<decltype(info.tenant.value())>());
    info.name = json.at("name");
    info.by = json.at("by");
    info.created = UtcTime(json.at("created").get<std::int64_t>());
    info.split = static_cast<Split>(json.at("split").get<unsigned>());
    info.form = q.form;
    info.packing = q.packing;
    info.from = q.from;
    info.to = q.to;
    info.resolution = q.resolution;
    info.tags = q.tags.size();
    return {};
}

void read_state(const Json& json, Job& job) {
    Export& info = job.info;
    info.state = static_cast<JobState>(json.at("state").get<unsigned>());
    info.error = json.at("error");
    info.finished = UtcTime(json.at("finished").get<std::int64_t>());
    info.expires = UtcTime(json.at("expires").get<std::int64_t>());
    info.rows = json.at("rows");
    info.bytes = json.at("bytes");
    info.damaged_blocks = json.at("damaged_blocks");
    info.share = json.at("share");
    for (const Json& file : json.at("files")) info.files.push_back({file.at(0), file.at(1), file.at(2)});
    job.part = json.at("part");
    job.done_rows = json.at("done_rows");
    if (const auto at = json.find("progress"); at != json.end()) {
        Progress& progress = job.progress.emplace();
        progress.file_bytes = at->at("file_bytes");
        progress.place = {at->at("tag"), UtcTime(at->at("time").get<std::int64_t>())};
        progress.mark.group_count = at->at("groups");
        progress.mark.rows = at->at("rows");
    }
}

std::string groups_path(const std::string& folder, std::uint64_t count) {
    return fmt::format("{}/groups-{}", folder, count);
}

}  // namespace

std::string job_folder(const std::string& directory, std::uint64_t id) { return fmt::format("{}/{}", directory, id); }

Result<std::vector<Part>> parts_of(const NewExport& wanted) {
    const Question& q = wanted.question;
    const std::string ending = file_ending(q.form, q.packing), name = file_name(wanted.name);
    std::vector<Part> parts;
    if (wanted.split == Split::None) {
        parts.push_back({name + ending, q.from, q.to});
        return parts;
    }
    const std::int64_t first = day_of(q.from), last = day_of(UtcTime(q.to.ns() - 1));
    if (last - first >= static_cast<std::int64_t>(parts_max))
        return fail(ErrorCode::InvalidArgument, fmt::format("more than {} days: ask for a shorter time", parts_max));
    for (std::int64_t day = first; day <= last; ++day) {
        const UtcTime begin = std::max(q.from, UtcTime(day * day_ns)),
                      end = std::min(q.to, UtcTime((day + 1) * day_ns));
        parts.push_back(
            {fmt::format("{}-{}{}", name, to_rfc3339(UtcTime(day * day_ns)).substr(0, 10), ending), begin, end});
    }
    return parts;
}

Result<void> save_question(Disk& disk, const std::string& folder, const Job& job) {
    TRY_VOID(disk.make_directory(folder));
    TRY_VOID(disk.sync_directory(folder.substr(0, folder.rfind('/'))));
    const std::string text = question_json(job).dump(-1, ' ', false, Json::error_handler_t::replace);
    return disk.replace(folder + "/question.json", as_bytes(text));
}

Result<void> save_state(Disk& disk, const std::string& folder, const Export& info, std::size_t part,
                        const std::optional<Progress>& progress, std::uint64_t done_rows) {
    Json files = Json::array();
    for (const ExportFile& file : info.files) files.push_back({file.name, file.bytes, file.rows});
    Json json = {{"state", static_cast<unsigned>(info.state)},
                 {"error", info.error},
                 {"finished", info.finished.ns()},
                 {"expires", info.expires.ns()},
                 {"rows", info.rows},
                 {"bytes", info.bytes},
                 {"damaged_blocks", info.damaged_blocks},
                 {"share", info.share},
                 {"files", std::move(files)},
                 {"part", part},
                 {"done_rows", done_rows}};
    if (progress) {
        json["progress"] = {{"file_bytes", progress->file_bytes},
                            {"tag", progress->place.tag},
                            {"time", progress->place.time.ns()},
                            {"groups", progress->mark.group_count},
                            {"rows", progress->mark.rows}};
        // Under a name of its own, so that the state always finds the one that it was written with.
        if (progress->mark.group_count > 0)
            TRY_VOID(disk.replace(groups_path(folder, progress->mark.group_count), progress->mark.groups));
    }
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    TRY_VOID(disk.replace(folder + "/state.json", as_bytes(text)));
    for (const std::string& name : TRY(disk.list(folder))) {
        const bool is_current = progress && name == fmt::format("groups-{}", progress->mark.group_count);
        if (name.starts_with("groups-") && !is_current) TRY_VOID(disk.remove(folder + "/" + name));
    }
    return {};
}

Result<std::unique_ptr<Job>> load_job(Disk& disk, const std::string& folder) {
    const Bytes question = TRY(disk.read(folder + "/question.json"));
    const Bytes state = TRY(disk.read(folder + "/state.json"));
    auto job = std::make_unique<Job>();
    try {  // The JSON library speaks so; files of ours that do not fit are set aside as damaged.
        TRY_VOID(read_question(Json::parse(as_text(question)), *job));
        read_state(Json::parse(as_text(state)), *job);
    } catch (const Json::exception& e) {
        return fail(ErrorCode::Corrupt, fmt::format("{}: {}", folder, e.what()));
    }
    if (job->parts.empty() || job->part > job->parts.size())
        return fail(ErrorCode::Corrupt, fmt::format("{}: the parts do not fit", folder));
    if (job->progress && job->progress->mark.group_count > 0)
        job->progress->mark.groups = TRY(disk.read(groups_path(folder, job->progress->mark.group_count)));
    return job;
}

Result<void> remove_folder(Disk& disk, const std::string& folder) {
    if (!disk.exists(folder)) return {};
    // The state first: without it nobody takes the rest for a job.
    for (const char* name : {"/state.json", "/question.json"}) {
        if (disk.exists(folder + name)) TRY_VOID(disk.remove(folder + name));
    }
    for (const std::string& name : TRY(disk.list(folder))) TRY_VOID(disk.remove(folder + "/" + name));
    return disk.remove(folder);
}

}  // namespace lineshaft::transfer
