#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {

Json tag_json(const registry::Snapshot& snapshot, const registry::Tag& tag) {
    const registry::Device* device = snapshot.device(tag.device);
    Json range;
    if (tag.range_low || tag.range_high) {
        range = Json::array(
            {tag.range_low ? Json(*tag.range_low) : Json(), tag.range_high ? Json(*tag.range_high) : Json()});
    }
    return {{"id", id_text(tag.id.value())},
            {"path", tag.path},
            {"device", device ? device->name : ""},
            {"device_id", id_text(tag.device.value())},
            {"address", tag.address},
            {"type", to_text(tag.type)},
            {"unit", tag.unit},
            {"description", tag.description},
            {"scale", tag.scale},
            {"offset", tag.offset},
            {"deadband", tag.deadband},
            {"range", std::move(range)},
            {"writable", tag.writable}};
}

namespace {

void get_tags(Call call) {
    const auto limit = call.limit();
    if (!limit) return call.answer(limit.error());
    const registry::Snapshot& snapshot = call.snapshot();
    const std::string q = call.parameter("q"), cursor = call.parameter("cursor"), device = call.parameter("device");
    Json items = Json::array(), next;
    for (const registry::Tag* tag : snapshot.tags_below(call.tenant(), call.parameter("prefix"))) {
        if (!cursor.empty() && tag->path <= cursor) continue;
        if (!contains(tag->path, q) && !contains(tag->description, q)) continue;
        const registry::Device* of = snapshot.device(tag->device);
        if (!device.empty() && (!of || (of->name != device && id_text(of->id.value()) != device))) continue;
        if (items.size() == std::min(*limit, page_items_max)) {
            next = items.back()["path"];
            break;
        }
        items.push_back(tag_json(snapshot, *tag));
    }
    call.answer({{"items", std::move(items)}, {"next", std::move(next)}});
}

void answer_tag(Call call, TagId id) {
    const registry::Tag* tag = call.snapshot().tag(id);
    if (!tag || tag->tenant != call.tenant()) {
        return call.answer(Error(ErrorCode::NotFound, fmt::format("there is no tag {}", id.value())));
    }
    call.answer(tag_json(call.snapshot(), *tag));
}

void get_tag(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    answer_tag(std::move(call), TagId(*id));
}

/// "range": [low, high] with null for open ends, or null for none.
Result<void> read_range(const Json& body, registry::UpdateTag& what) {
    const auto range = body.find("range");
    if (range == body.end()) return {};
    what.range_low = what.range_high = std::optional<double>();
    if (range->is_null()) return {};
    const auto fits = [](const Json& end) { return end.is_null() || end.is_number(); };
    if (!range->is_array() || range->size() != 2 || !fits((*range)[0]) || !fits((*range)[1])) {
        return fail(ErrorCode::InvalidArgument, "'range' must be [low, high], with null for an open end, or null");
    }
    if ((*range)[0].is_number()) what.range_low = (*range)[0].get<double>();
    if ((*range)[1].is_number()) what.range_high = (*range)[1].get<double>();
    return {};
}

Result<registry::UpdateTag> tag_update(TagId id, const Json& body) {
    registry::UpdateTag what;
    what.id = id;
    what.path = TRY(text_field(body, "path"));
    if (const auto type = TRY(text_field(body, "type"))) what.type = TRY(value_type_from_text(*type));
    what.unit = TRY(text_field(body, "unit"));
    what.description = TRY(text_field(body, "description"));
    what.scale = TRY(number_field(body, "scale"));
    what.offset = TRY(number_field(body, "offset"));
    what.deadband = TRY(number_field(body, "deadband"));
    what.writable = TRY(bool_field(body, "writable"));
    TRY_VOID(read_range(body, what));
    return what;
}

void patch_tag(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto what = tag_update(TagId(*id), *body);
    if (!what) return call.answer(what.error());
    change(std::move(call), *std::move(what),
           [](Call answer, const registry::Changed& changed) { answer_tag(std::move(answer), TagId(changed.id)); });
}

std::string_view outcome_text(CommandOutcome outcome) {
    switch (outcome) {
        case CommandOutcome::Written: return "written";
        case CommandOutcome::Refused: return "refused";
        case CommandOutcome::Failed: return "failed";
        case CommandOutcome::TimedOut: return "timed_out";
    }
    return "failed";
}

Result<Value> value_field(const Json& body) {
    const auto at = body.find("value");
    if (at == body.end()) return fail(ErrorCode::InvalidArgument, "'value' is missing");
    if (at->is_boolean()) return Value(at->get<bool>());
    if (at->is_number_unsigned() && at->get<std::uint64_t>() > INT64_MAX)
        return fail(ErrorCode::InvalidArgument, "'value' is beyond 64 bits: send it with a decimal point");
    if (at->is_number_integer()) return Value(at->get<std::int64_t>());
    if (at->is_number()) return Value(at->get<double>());
    if (at->is_string()) return Value(at->get<std::string>());
    return fail(ErrorCode::InvalidArgument, "'value' must be a number, true, false or a string");
}

/// Audited before and after: a command whose intent cannot be written down is not given.
void give_command(std::unique_ptr<Call> held, Command command, const std::string& path) {
    Services& services = *held->services;
    audit::Entry entry;
    entry.tenant = command.tenant;
    entry.actor = held->principal.actor();
    entry.address = held->request.peer.address.host;
    entry.action = "command.write";
    entry.target = "tag " + path;
    entry.detail = Json{{"value", value_json(command.value)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    audit::Entry after = entry;
    services.audit.post_record(
        services.shard, std::move(entry),
        [held = std::move(held), command = std::move(command),
         after = std::move(after)](Result<std::uint64_t> kept) mutable {
            if (!kept) return held->answer(kept.error());
            Services& s = *held->services;
            s.commands.post_command(
                s.shard, std::move(command),
                [held = std::move(held), after = std::move(after)](CommandResult result) mutable {
                    after.action = "command.outcome";
                    after.outcome =
                        result.outcome == CommandOutcome::Written ? audit::Outcome::Done : audit::Outcome::Failed;
                    after.detail = Json{{"outcome", outcome_text(result.outcome)}, {"detail", result.detail}}.dump(
                        -1, ' ', false, Json::error_handler_t::replace);
                    Services& services_ = *held->services;
                    services_.audit.post_record(services_.shard, std::move(after),
                                                [](const Result<std::uint64_t>&) {});
                    held->answer({{"outcome", outcome_text(result.outcome)}, {"detail", result.detail}});
                });
        });
}

void write_tag(Call call) {
    const auto id = call.id();
    const auto body = call.body();
    if (!id) return call.answer(id.error());
    if (!body) return call.answer(body.error());
    const registry::Tag* tag = call.snapshot().tag(TagId(*id));
    if (!tag || tag->tenant != call.tenant())
        return call.answer(Error(ErrorCode::NotFound, fmt::format("there is no tag {}", *id)));
    if (!tag->writable) return call.answer(Error(ErrorCode::NotWritable, tag->path));
    auto value = value_field(*body);
    auto key = text_field(*body, "idempotency_key");
    if (!value) return call.answer(value.error());
    if (!key) return call.answer(key.error());
    Command command;
    command.tenant = call.tenant();
    command.tag = tag->id;
    command.value = *std::move(value);
    command.idempotency_key = std::move(*key).value_or(std::string(call.request.header("idempotency-key")));
    command.actor = call.principal.actor();
    command.deadline = call.services->shard.now() + 10s;
    const std::string path = tag->path;
    give_command(std::make_unique<Call>(std::move(call)), std::move(command), path);
}

}  // namespace

std::vector<Route> tag_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/tags", ReadConfiguration, get_tags},
            {"GET", "/api/v1/tags/{}", ReadConfiguration, get_tag},
            {"PATCH", "/api/v1/tags/{}", EditTags, patch_tag},
            {"POST", "/api/v1/tags/{}:write", WriteCommands, write_tag}};
}

}  // namespace lineshaft::rest
