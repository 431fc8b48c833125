#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "north/rest/internal/call.h"
#include "transfer/transfers.h"

namespace lineshaft::rest {
namespace {

using transfer::Export;
using transfer::Form;
using transfer::Packing;
using transfer::Question;

/// What an export asks for, from the query or from a body.
struct Wish {
    std::vector<std::string> tags;
    std::optional<std::string> prefix;
    std::string from, to, format, resolution = "raw", compression, split = "none", name;
    std::vector<std::string> aggregates;
    bool receive_time = false;
};

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (comma > 0) words.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return words;
}

Wish wish_of_query(const Call& call) {
    Wish wish;
    for (const auto& [name, value] : call.request.query) {
        if (name == "tag") wish.tags.push_back(value);
        if (name == "tags") std::ranges::move(words_of(value), std::back_inserter(wish.tags));
    }
    if (const auto prefix = call.request.parameter("prefix")) wish.prefix = std::string(*prefix);
    wish.from = call.parameter("from");
    wish.to = call.parameter("to");
    wish.format = call.parameter("format", "csv");
    wish.resolution = call.parameter("resolution", "raw");
    wish.aggregates = words_of(call.parameter("aggregates"));
    wish.receive_time = call.parameter("receive_time") == "true";
    return wish;
}

Result<std::vector<std::string>> list_field(const Json& body, const char* name) {
    std::vector<std::string> list;
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return list;
    if (!at->is_array()) return fail(ErrorCode::InvalidArgument, fmt::format("'{}' must be a list", name));
    for (const Json& item : *at) {
        if (!item.is_string())
            return fail(ErrorCode::InvalidArgument, fmt::format("'{}' must be a list of strings", name));
        list.push_back(item.get<std::string>());
    }
    return list;
}

Result<Wish> wish_of_body(const Json& body) {
    Wish wish;
    wish.tags = TRY(list_field(body, "tags"));
    wish.prefix = TRY(text_field(body, "prefix"));
    wish.from = TRY(text_field(body, "from")).value_or("");
    wish.to = TRY(text_field(body, "to")).value_or("");
    wish.format = TRY(text_field(body, "format")).value_or("csv");
    wish.resolution = TRY(text_field(body, "resolution")).value_or("raw");
    wish.aggregates = TRY(list_field(body, "aggregates"));
    wish.compression = TRY(text_field(body, "compression")).value_or("");
    wish.split = TRY(text_field(body, "split")).value_or("none");
    wish.name = TRY(text_field(body, "name")).value_or("");
    wish.receive_time = TRY(bool_field(body, "receive_time")).value_or(false);
    return wish;
}

Result<void> add_tag(Question& question, const Call& call, const registry::Snapshot& snapshot,
                     const registry::Tag& tag) {
    if (question.tags.size() == transfer::export_tags_max)
        return fail(ErrorCode::LimitExceeded, fmt::format("at most {} tags at a time", transfer::export_tags_max));
    const registry::Device* device = snapshot.device(tag.device);
    question.tags.push_back(
        {tag.id, home_of(call, tag), tag.path, device ? device->name : std::string(), tag.unit, tag.type});
    return {};
}

Result<Question> question_of(const Call& call, const Wish& wish) {
    Question question;
    const SnapshotOf<registry::Snapshot> snapshot = call.services->registry.snapshot(call.services->shard);
    if (wish.tags.empty() && !wish.prefix)
        return fail(ErrorCode::InvalidArgument, "'tags' or 'prefix' is missing: say what to export");
    for (const std::string& path : wish.tags) {
        const registry::Tag* tag = snapshot->tag_at(call.tenant(), path);
        if (!tag) return fail(ErrorCode::NotFound, fmt::format("there is no tag '{}': see /api/v1/tags?q=", path));
        TRY_VOID(add_tag(question, call, *snapshot, *tag));
    }
    if (wish.prefix) {
        for (const registry::Tag* tag : snapshot->tags_below(call.tenant(), *wish.prefix))
            TRY_VOID(add_tag(question, call, *snapshot, *tag));
        if (question.tags.empty())
            return fail(ErrorCode::NotFound, fmt::format("no tag is below '{}'", *wish.prefix));
    }
    const UtcTime now = call.services->shard.utc_now();
    question.from = wish.from.empty() ? UtcTime(0) : TRY(parse_time(wish.from, now));
    question.to = wish.to.empty() ? now + 1ns : TRY(parse_time(wish.to, now));
    TRY_VOID(Call::check_span(question.from, question.to));
    question.form = TRY(transfer::form_from_text(wish.format));
    if (wish.resolution != "raw") {
        const auto duration = parse_duration(wish.resolution);
        if (!duration || *duration <= Duration::zero())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("resolution '{}' is neither raw nor a duration like 10s", wish.resolution));
        question.resolution = *duration;
    }
    if (!wish.aggregates.empty()) question.aggregates.clear();
    for (const std::string& name : wish.aggregates)
        question.aggregates.push_back(TRY(transfer::aggregate_from_text(name)));
    if (!wish.compression.empty()) question.packing = TRY(transfer::packing_from_text(wish.compression));
    question.receive_time = wish.receive_time;
    return question;
}

/// What the store holds bounds the question, so that nobody walks through decades of nothing.
void narrow(Question& question, const store::Stats& stats) {
    if (stats.oldest.is_none() || stats.newest < stats.oldest) return;
    const UtcTime end = stats.newest == utc_time_max ? stats.newest : stats.newest + 1ns;
    question.from = std::clamp(question.from, stats.oldest, std::max(stats.oldest, end));
    question.to = std::clamp(question.to, question.from, std::max(question.from, end));
}

audit::Entry audit_entry(const Call& call, const char* action, std::string target, const Question& question) {
    const registry::Actor actor = call.actor();
    audit::Entry entry;
    entry.tenant = call.tenant();
    entry.actor = actor.name;
    entry.address = actor.address;
    entry.action = action;
    entry.target = std::move(target);
    entry.detail = Json{{"tags", question.tags.size()},
                        {"first_tag", question.tags.empty() ? "" : question.tags.front().path},
                        {"from", to_rfc3339(question.from)},
                        {"to", to_rfc3339(question.to)},
                        {"format", transfer::to_text(question.form)}}
                       .dump(-1, ' ', false, Json::error_handler_t::replace);
    return entry;
}

std::string attachment(std::string_view name) { return fmt::format("attachment; filename=\"{}\"", name); }

/// Connects a stream with an answer. `pieces` owns it: whoever waits for more has them too.
void attach(net::HttpResponse& response, std::unique_ptr<transfer::ExportStream> stream) {
    response.when_more = [at = stream.get()](Task task) { at->when_more(std::move(task)); };
    response.pieces = [stream = std::move(stream)] { return stream->next(); };
}

void get_export(Call call) {
    auto question = question_of(call, wish_of_query(call));
    if (!question) return call.answer(question.error());
    if (question->form != Form::Parquet) {
        const std::string_view accepted = call.request.header("accept-encoding");
        if (accepted.find("zstd") != std::string_view::npos)
            question->packing = Packing::Zstd;
        else if (accepted.find("gzip") != std::string_view::npos)
            question->packing = Packing::Gzip;
    }
    Services& services = *call.services;
    auto entry = audit_entry(call, "export.read", "history", *question);
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_record(
        services.shard, std::move(entry),
        [held = std::move(held), question = *std::move(question)](Result<std::uint64_t> kept) mutable {
            if (!kept) return held->answer(kept.error());
            Services& rooms = *held->services;
            rooms.store.post_stats(rooms.shard, [held = std::move(held),
                                                 question = std::move(question)](const store::Stats& stats) mutable {
                narrow(question, stats);
                net::HttpResponse response;
                response.headers = {{"Content-Type", std::string(transfer::media_type(question.form))},
                                    {"Cache-Control", "no-store"},
                                    {"Vary", "Accept-Encoding"},
                                    {"Content-Disposition",
                                     attachment("export" + transfer::file_ending(question.form, Packing::None))}};
                if (question.packing != Packing::None)
                    response.headers.emplace_back("Content-Encoding", transfer::to_text(question.packing));
                attach(response, transfer::stream_export(held->services->transfers->rooms, held->services->shard,
                                                         std::move(question)));
                held->answer(std::move(response));
            });
        });
}

std::string resolution_text(Duration resolution) {
    if (resolution.count() == 0) return "raw";
    const auto ns = resolution.count();
    if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
    if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
    return ns % 1'000 == 0 ? fmt::format("{}us", ns / 1'000) : fmt::format("{}ns", ns);
}

Json export_json(const Export& one) {
    Json files = Json::array();
    for (const transfer::ExportFile& file : one.files)
        files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"rows", file.rows}});
    return {{"id", id_text(one.id)},
            {"name", one.name},
            {"state", transfer::to_text(one.state)},
            {"error", one.error.empty() ? Json() : Json(one.error)},
            {"by", one.by},
            {"created", time_json(one.created)},
            {"finished", time_json(one.finished)},
            {"expires", time_json(one.expires)},
            {"format", transfer::to_text(one.form)},
            {"compression", transfer::to_text(one.packing)},
            {"split", one.split == transfer::Split::Day ? "day" : "none"},
            {"from", to_rfc3339(one.from)},
            {"to", to_rfc3339(one.to)},
            {"resolution", resolution_text(one.resolution)},
            {"tags", one.tags},
            {"rows", one.rows},
            {"bytes", one.bytes},
            {"percent", one.share * 100},
            {"damaged_blocks", one.damaged_blocks},
            {"files", std::move(files)}};
}

Result<transfer::NewExport> new_export(const Call& call) {
    const Json body = TRY(call.body());
    const Wish wish = TRY(wish_of_body(body));
    transfer::NewExport wanted;
    wanted.question = TRY(question_of(call, wish));
    wanted.tenant = call.tenant();
    wanted.by = call.principal.actor();
    wanted.name = wish.name.empty() ? "export" : wish.name;
    if (wish.split != "none" && wish.split != "day")
        return fail(ErrorCode::InvalidArgument, fmt::format("split '{}' is neither none nor day", wish.split));
    wanted.split = wish.split == "day" ? transfer::Split::Day : transfer::Split::None;
    return wanted;
}

void create_export(Call call) {
    auto wanted = new_export(call);
    if (!wanted) return call.answer(wanted.error());
    Services& services = *call.services;
    auto entry = audit_entry(call, "export.create", "export " + wanted->name, wanted->question);
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_record(
        services.shard, std::move(entry),
        [held = std::move(held), wanted = *std::move(wanted)](Result<std::uint64_t> kept) mutable {
            if (!kept) return held->answer(kept.error());
            Services& rooms = *held->services;
            rooms.store.post_stats(
                rooms.shard, [held = std::move(held), wanted = std::move(wanted)](const store::Stats& stats) mutable {
                    narrow(wanted.question, stats);
                    Services& at = *held->services;
                    at.transfers->exports.post_create(at.shard, std::move(wanted),
                                                      [held = std::move(held)](Result<Export> made) {
                                                          if (!made) return held->answer(made.error());
                                                          held->answer(export_json(*made), 202);
                                                      });
                });
        });
}

void list_exports(Call call) {
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->exports.post_list(services.shard, tenant,
                                          [held = std::move(held)](const std::vector<Export>& all) {
                                              Json items = Json::array();
                                              for (const Export& one : all) items.push_back(export_json(one));
                                              held->answer(Json{{"items", std::move(items)}, {"next", nullptr}});
                                          });
}

void get_one(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->exports.post_get(services.shard, tenant, *id, [held = std::move(held)](Result<Export> one) {
        if (!one) return held->answer(one.error());
        held->answer(export_json(*one));
    });
}

void remove_export(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto entry = audit_entry(call, "export.remove", fmt::format("export {}", *id), {});
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_record(services.shard, std::move(entry),
                               [held = std::move(held), tenant, id = *id](Result<std::uint64_t> kept) mutable {
                                   if (!kept) return held->answer(kept.error());
                                   Services& rooms = *held->services;
                                   rooms.transfers->exports.post_remove(rooms.shard, tenant, id,
                                                                        [held = std::move(held)](Result<Export> one) {
                                                                            if (!one)
                                                                                return held->answer(one.error());
                                                                            held->answer_nothing();
                                                                        });
                               });
}

/// bytes=a-b, bytes=a- and bytes=-n; anything else is the whole file, as RFC 9110 lets us. None: it lies outside.
std::optional<std::pair<std::uint64_t, std::uint64_t>> range_of(std::string_view text, std::uint64_t size,
                                                                bool& is_part) {
    is_part = false;
    const std::pair whole(std::uint64_t{0}, size);
    if (!text.starts_with("bytes=") || text.find(',') != std::string_view::npos) return whole;
    text.remove_prefix(6);
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return whole;
    const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (code != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
        return value;
    };
    const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
    if (!first && !last) return whole;
    is_part = true;
    if (!first) {
        if (*last == 0) return std::nullopt;
        return std::pair(size - std::min(size, *last), size);
    }
    if (*first >= size || (last && *last < *first)) return std::nullopt;
    return std::pair(*first, last && *last < size - 1 ? *last + 1 : size);
}

void send_file(Call& call, const transfer::Exports::Opened& opened) {
    const std::uint64_t size = opened.content->size();
    bool is_part = false;
    const auto range = range_of(call.request.header("range"), size, is_part);
    net::HttpResponse response;
    if (!range) {
        response = problem(Error(ErrorCode::InvalidArgument, fmt::format("the file has {} bytes", size)), 416);
        response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
        return call.answer(std::move(response));
    }
    const auto [from, to] = *range;
    std::string type(transfer::media_type(opened.form));
    if (opened.file.name.ends_with(".gz")) type = "application/gzip";
    if (opened.file.name.ends_with(".zst")) type = "application/zstd";
    response.status = is_part ? 206 : 200;
    response.headers = {{"Content-Type", type},
                        {"Cache-Control", "no-store"},
                        {"Accept-Ranges", "bytes"},
                        {"Content-Disposition", attachment(opened.file.name)}};
    if (is_part) response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", from, to - 1, size));
    response.length = to - from;
    attach(response, transfer::stream_file(call.services->transfers->rooms.pool, call.services->shard, opened.content,
                                           from, to));
    call.answer(std::move(response));
}

void get_file(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& services = *call.services;
    const auto tenant = call.tenant();
    std::string name = call.parameter("name");
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->exports.post_open(services.shard, tenant, *id, std::move(name),
                                          [held = std::move(held)](Result<transfer::Exports::Opened> opened) {
                                              if (!opened) return held->answer(opened.error());
                                              send_file(*held, *opened);
                                          });
}

}  // namespace

std::vector<Route> export_routes() {
    using access::Action;
    return {{"GET", "/api/v1/export", Action::ReadData, get_export},
            {"POST", "/api/v1/exports", Action::ReadData, create_export},
            {"GET", "/api/v1/exports", Action::ReadData, list_exports},
            {"GET", "/api/v1/exports/{}", Action::ReadData, get_one},
            {"DELETE", "/api/v1/exports/{}", Action::ReadData, remove_export},
            {"GET", "/api/v1/exports/{}/file", Action::ReadData, get_file}};
}

}  // namespace lineshaft::rest
