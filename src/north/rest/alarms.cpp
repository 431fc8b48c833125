#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {

Json alarm_json(const alarms::Alarm& a) {
    return {{"id", id_text(a.id.value())},
            {"rule", id_text(a.rule.value())},
            {"tag", id_text(a.tag.value())},
            {"tag_path", a.tag_path},
            {"device", a.device},
            {"name", a.name},
            {"limit", to_text(a.limit)},
            {"priority", static_cast<int>(a.priority)},
            {"state", std::string(1, static_cast<char>(a.state))},
            {"active", a.is_active()},
            {"acknowledged", a.is_acknowledged()},
            {"raised", time_json(a.raised)},
            {"cleared", time_json(a.cleared)},
            {"acknowledged_at", time_json(a.acknowledged_at)},
            {"acknowledged_by", a.acknowledged_by},
            {"comment", a.comment},
            {"value", number_json(a.value)},
            {"threshold", number_json(a.threshold)},
            {"unit", a.unit},
            {"raises", a.raises},
            {"consequence", a.consequence},
            {"action", a.action}};
}

namespace {

enum class Which : std::uint8_t { Open, All };

Json alarms_json(const alarms::AlarmList& list, TenantId tenant, Which which) {
    Json items = Json::array();
    int by_priority[5] = {}, unacknowledged = 0;
    for (const alarms::Alarm& alarm : list.alarms) {
        if (alarm.tenant != tenant) continue;
        ++by_priority[std::clamp(static_cast<int>(alarm.priority), 1, 4)];
        unacknowledged += !alarm.is_acknowledged();
        items.push_back(alarm_json(alarm));
    }
    for (const alarms::Alarm& alarm : list.ended) {
        if (which == Which::All && alarm.tenant == tenant) items.push_back(alarm_json(alarm));
    }
    return {{"items", std::move(items)},
            {"counts",
             {{"1", by_priority[1]},
              {"2", by_priority[2]},
              {"3", by_priority[3]},
              {"4", by_priority[4]},
              {"unacknowledged", unacknowledged}}},
            {"next", nullptr}};
}

}  // namespace

std::string alarms_text(const alarms::AlarmList& list, TenantId tenant) {
    return alarms_json(list, tenant, Which::Open).dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {

void get_alarms(Call call) {
    const std::string state = call.parameter("state", "active");
    if (state != "all" && state != "active")
        return call.answer(Error(ErrorCode::InvalidArgument, "state must be active or all"));
    call.answer(alarms_json(*call.services->alarms.list(call.services->shard), call.tenant(),
                            state == "all" ? Which::All : Which::Open));
}

Result<std::vector<alarms::AlarmId>> ids_asked(const Call& call, const Json& body) {
    std::vector<alarms::AlarmId> ids;
    if (!call.arguments.empty()) {
        ids.push_back(alarms::AlarmId(TRY(call.id())));
        return ids;
    }
    const auto list = body.find("ids");
    if (list == body.end() || !list->is_array())
        return fail(ErrorCode::InvalidArgument, "'ids' must be an array of alarm ids");
    for (const Json& id : *list) {
        const Json one = {{"id", id}};
        ids.push_back(alarms::AlarmId(TRY(id_field(one, "id")).value_or(0)));
    }
    return ids;
}

void acknowledge(Call call) {
    Json body = Json::object();
    if (!call.request.body.empty()) {
        auto parsed = call.body();
        if (!parsed) return call.answer(parsed.error());
        body = *std::move(parsed);
    }
    auto ids = ids_asked(call, body);
    auto comment = text_field(body, "comment");
    if (!ids) return call.answer(ids.error());
    if (!comment) return call.answer(comment.error());
    const bool single = !call.arguments.empty();
    Services& services = *call.services;
    const auto tenant = call.tenant();
    std::string by = call.principal.name;
    auto held = std::make_unique<Call>(std::move(call));
    services.alarms.post_acknowledge(
        services.shard, tenant, *std::move(ids), std::move(by), std::move(*comment).value_or(""),
        [held = std::move(held), single](const std::vector<registry::ItemResult>& results) {
            if (single && results.at(0).error) return held->answer(*results[0].error);
            Json items = Json::array();
            for (const registry::ItemResult& item : results) {
                items.push_back({{"id", id_text(item.id)},
                                 {"ok", !item.error},
                                 {"detail", item.error ? item.error->message() : ""}});
            }
            held->answer({{"items", std::move(items)}});
        });
}

Json entry_json(const alarms::JournalEntry& e) {
    return {{"time", time_json(e.time)},
            {"alarm", id_text(e.alarm.value())},
            {"event", to_text(e.event)},
            {"by", e.by},
            {"comment", e.comment},
            {"value", number_json(e.value)},
            {"threshold", number_json(e.threshold)},
            {"priority", static_cast<int>(e.priority)},
            {"limit", to_text(e.limit)},
            {"tag", id_text(e.tag.value())},
            {"tag_path", e.tag_path},
            {"name", e.name}};
}

Result<alarms::Board::JournalQuery> journal_query(const Call& call) {
    alarms::Board::JournalQuery query;
    query.tenant = call.tenant();
    query.from = TRY(call.time("from", utc_time_min));
    query.to = TRY(call.time("to", utc_time_max));
    query.limit = std::min(TRY(call.limit(100)), page_items_max);
    if (const auto name = call.request.parameter("tag"); name && !name->empty()) {
        const registry::Tag* tag = call.snapshot().tag_at(call.tenant(), *name);
        std::uint64_t id = 0;
        const auto [end, code] = std::from_chars(name->data(), name->data() + name->size(), id);
        if (!tag && code == std::errc{} && end == name->data() + name->size()) tag = call.snapshot().tag(TagId(id));
        if (!tag || tag->tenant != call.tenant())
            return fail(ErrorCode::NotFound, fmt::format("there is no tag '{}'", *name));
        query.tag = tag->id;
    }
    if (const std::string cursor = call.parameter("cursor"); !cursor.empty()) {
        const auto [end, code] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), query.before);
        if (code != std::errc{} || end != cursor.data() + cursor.size() || query.before == 0)
            return fail(ErrorCode::InvalidArgument, "the cursor is not one of ours");
    }
    return query;
}

void get_journal(Call call) {
    const auto query = journal_query(call);
    if (!query) return call.answer(query.error());
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    services.alarms.post_journal(
        services.shard, *query,
        [held = std::move(held), limit = query->limit](Result<std::vector<alarms::JournalEntry>> entries) {
            if (!entries) return held->answer(entries.error());
            Json items = Json::array();
            for (const alarms::JournalEntry& entry : *entries) items.push_back(entry_json(entry));
            Json next = entries->size() < limit ? Json() : Json(id_text(entries->back().number));
            held->answer({{"items", std::move(items)}, {"next", std::move(next)}});
        });
}

}  // namespace

std::vector<Route> alarm_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/alarms", ReadAlarms, get_alarms},
            {"POST", "/api/v1/alarms:ack", AcknowledgeAlarms, acknowledge},
            {"POST", "/api/v1/alarms/{}:ack", AcknowledgeAlarms, acknowledge},
            {"GET", "/api/v1/alarm-journal", ReadAlarms, get_journal}};
}

}  // namespace lineshaft::rest
