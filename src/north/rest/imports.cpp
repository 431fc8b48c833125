#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/call.h"
#include "transfer/transfers.h"

namespace lineshaft::rest {
namespace {

using transfer::Import;
namespace dump = wire::dump;
namespace table = wire::table;

Result<std::vector<std::string>> names_field(const Json& body, const char* name) {
    std::vector<std::string> names;
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return names;
    if (!at->is_array() || !std::ranges::all_of(*at, [](const Json& item) { return item.is_string(); }))
        return fail(ErrorCode::InvalidArgument, fmt::format("'{}' must be a list of strings", name));
    return at->get<std::vector<std::string>>();
}

Result<dump::Options> options_of(const Json& body, UtcTime now) {
    dump::Options options;
    const auto format = TRY(text_field(body, "format")), precision = TRY(text_field(body, "precision"));
    options.format = TRY(dump::format_from_text(format.value_or("auto")));
    options.device = TRY(text_field(body, "device")).value_or("");
    options.precision = TRY(wire::line_protocol::precision_from_text(precision.value_or("ns")));
    options.tag_columns = TRY(names_field(body, "tag_columns"));
    const auto skipped = TRY(names_field(body, "skip_columns"));
    options.skipped.insert(skipped.begin(), skipped.end());
    options.table.time_column = TRY(text_field(body, "time_column")).value_or("");
    const std::string order = TRY(text_field(body, "date_order")).value_or("");
    if (order == "dmy") options.table.date_order = table::DateOrder::DayFirst;
    if (order == "mdy") options.table.date_order = table::DateOrder::MonthFirst;
    if (!order.empty() && order != "dmy" && order != "mdy")
        return fail(ErrorCode::InvalidArgument, fmt::format("date_order '{}' is neither dmy nor mdy", order));
    if (const auto offset = TRY(text_field(body, "utc_offset"))) {
        // Read as the offset of a time at midnight.
        const auto time = parse_rfc3339("2000-01-01T00:00:00" + *offset);
        if (!time)
            return fail(ErrorCode::InvalidArgument, fmt::format("utc_offset '{}': write it like +01:00", *offset));
        options.table.utc_offset = TRY(parse_rfc3339("2000-01-01")) - *time;
    }
    if (const auto time = TRY(text_field(body, "time"))) options.time = TRY(parse_time(*time, now));
    return options;
}

Json import_json(const Import& one) {
    Json refusals = Json::array(), tags = Json::array();
    for (const transfer::ImportRefusal& refusal : one.refusals)
        refusals.push_back({{"line", refusal.line ? Json(refusal.line) : Json()}, {"reason", refusal.reason}});
    for (const transfer::ImportedTag& tag : one.tags)
        tags.push_back({{"tag", tag.device + "/" + tag.address},
                        {"device", tag.device},
                        {"address", tag.address},
                        {"type", to_text(tag.type)},
                        {"points", tag.points},
                        {"first", time_json(tag.first)},
                        {"last", time_json(tag.last)}});
    const double share =
        one.received > 0 ? static_cast<double>(one.read_bytes) / static_cast<double>(one.received) : 0;
    return {{"id", id_text(one.id)},
            {"name", one.name},
            {"state", transfer::to_text(one.state)},
            {"error", one.error.empty() ? Json() : Json(one.error)},
            {"by", one.by},
            {"dry_run", one.dry_run},
            {"format", dump::to_text(one.options.format)},
            {"created", time_json(one.created)},
            {"finished", time_json(one.finished)},
            {"expires", time_json(one.expires)},
            {"bytes", one.bytes},
            {"received", one.received},
            {"read_bytes", one.read_bytes},
            {"percent", one.state == transfer::ImportState::Done ? 100 : share * 100},
            {"points", one.points},
            {"refused", one.refused},
            {"refusals", std::move(refusals)},
            {"tag_count", one.tag_count},
            {"tags", std::move(tags)},
            {"first", time_json(one.first)},
            {"last", time_json(one.last)}};
}

Result<Import> new_import(const Call& call) {
    const Json body = TRY(call.body());
    Import wanted;
    wanted.tenant = call.tenant();
    wanted.by = call.principal.actor();
    wanted.name = TRY(required_text(body, "name"));
    if (wanted.name.size() > 200) return fail(ErrorCode::InvalidArgument, "'name' must be shorter than 200 bytes");
    wanted.options = TRY(options_of(body, call.services->shard.utc_now()));
    const double bytes = TRY(number_field(body, "bytes")).value_or(0);
    if (!(bytes >= 0 && bytes < 1e15))
        return fail(ErrorCode::InvalidArgument, "'bytes' must be the size of the file");
    wanted.bytes = static_cast<std::uint64_t>(bytes);
    return wanted;
}

void show(Call& call, const Result<Import>& one, unsigned status = 200) {
    if (!one) return call.answer(one.error());
    call.answer(import_json(*one), status);
}

/// Writes down who did it, then does it.
void audited(Call call, const char* action, std::string target, std::string detail,
             std::move_only_function<void(std::unique_ptr<Call>)> work) {
    Services& services = *call.services;
    const registry::Actor actor = call.actor();
    audit::Entry entry;
    entry.tenant = call.tenant();
    entry.actor = actor.name;
    entry.address = actor.address;
    entry.action = action;
    entry.target = std::move(target);
    entry.detail = std::move(detail);
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_record(services.shard, std::move(entry),
                               [held = std::move(held), work = std::move(work)](Result<std::uint64_t> kept) mutable {
                                   if (!kept) return held->answer(kept.error());
                                   work(std::move(held));
                               });
}

void create_import(Call call) {
    auto wanted = new_import(call);
    if (!wanted) return call.answer(wanted.error());
    std::string target = "import " + wanted->name;
    audited(std::move(call), "import.create", std::move(target), "{}",
            [wanted = *std::move(wanted)](std::unique_ptr<Call> held) mutable {
                Services& services = *held->services;
                services.transfers->imports.post_create(
                    services.shard, std::move(wanted),
                    [held = std::move(held)](const Result<Import>& made) { show(*held, made, 201); });
            });
}

void append_import(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    std::uint64_t offset = 0;
    const std::string text = call.parameter("offset", "0");
    if (std::sscanf(text.c_str(), "%lu", &offset) != 1)
        return call.answer(Error(ErrorCode::InvalidArgument, fmt::format("offset '{}' is not a number", text)));
    if (call.request.body.empty()) return call.answer(Error(ErrorCode::InvalidArgument, "the piece is empty"));
    Services& services = *call.services;
    const auto tenant = call.tenant();
    std::string bytes = std::move(call.request.body);
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->imports.post_append(
        services.shard, tenant, *id, offset, std::move(bytes),
        [held = std::move(held)](const Result<Import>& one) { show(*held, one); });
}

void start_import(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    bool dry_run = false;
    if (!call.request.body.empty()) {
        const auto body = call.body();
        if (!body) return call.answer(body.error());
        const auto wanted = bool_field(*body, "dry_run");
        if (!wanted) return call.answer(wanted.error());
        dry_run = wanted->value_or(false);
    }
    audited(std::move(call), "import.start", fmt::format("import {}", *id), Json{{"dry_run", dry_run}}.dump(),
            [id = *id, dry_run](std::unique_ptr<Call> held) {
                Services& services = *held->services;
                const auto tenant = held->tenant();
                services.transfers->imports.post_start(
                    services.shard, tenant, id, dry_run,
                    [held = std::move(held)](const Result<Import>& one) { show(*held, one, 202); });
            });
}

void list_imports(Call call) {
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->imports.post_list(services.shard, tenant,
                                          [held = std::move(held)](const std::vector<Import>& all) {
                                              Json items = Json::array();
                                              for (const Import& one : all) {
                                                  Json item = import_json(one);
                                                  item.erase("tags");
                                                  item.erase("refusals");
                                                  items.push_back(std::move(item));
                                              }
                                              held->answer(Json{{"items", std::move(items)}, {"next", nullptr}});
                                          });
}

void get_import(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->imports.post_get(services.shard, tenant, *id,
                                         [held = std::move(held)](const Result<Import>& one) { show(*held, one); });
}

void remove_import(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    audited(std::move(call), "import.remove", fmt::format("import {}", *id), "{}",
            [id = *id](std::unique_ptr<Call> held) {
                Services& services = *held->services;
                const auto tenant = held->tenant();
                services.transfers->imports.post_remove(services.shard, tenant, id,
                                                        [held = std::move(held)](const Result<Import>& one) {
                                                            if (!one) return held->answer(one.error());
                                                            held->answer_nothing();
                                                        });
            });
}

void get_refused(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    services.transfers->imports.post_refused(
        services.shard, tenant, *id, [held = std::move(held)](Result<std::string> text) {
            if (!text) return held->answer(text.error());
            net::HttpResponse response;
            response.headers = {{"Content-Type", "text/csv; charset=utf-8"}, {"Cache-Control", "no-store"}};
            response.body = *std::move(text);
            held->answer(std::move(response));
        });
}

}  // namespace

std::vector<Route> import_routes() {
    using access::Action;
    return {{"POST", "/api/v1/imports", Action::ImportData, create_import},
            {"GET", "/api/v1/imports", Action::ImportData, list_imports},
            {"GET", "/api/v1/imports/{}", Action::ImportData, get_import},
            {"DELETE", "/api/v1/imports/{}", Action::ImportData, remove_import},
            {"PUT", "/api/v1/imports/{}/file", Action::ImportData, append_import},
            {"POST", "/api/v1/imports/{}:start", Action::ImportData, start_import},
            {"GET", "/api/v1/imports/{}/refused", Action::ImportData, get_refused}};
}

}  // namespace lineshaft::rest
