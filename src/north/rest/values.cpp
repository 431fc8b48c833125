#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

/// The tags that the request names, or those below ?prefix=. Errors: NotFound, LimitExceeded.
Result<std::vector<const registry::Tag*>> tags_asked(const Call& call, std::size_t tags_max) {
    std::vector<const registry::Tag*> tags = TRY(tags_named(call, call.snapshot()));
    const bool named = call.request.parameter("tags") || call.request.parameter("tag");
    if (!named) tags = call.snapshot().tags_below(call.tenant(), call.parameter("prefix"));
    if (tags.size() > tags_max) {
        return fail(ErrorCode::LimitExceeded,
                    fmt::format("{} tags asked for, at most {} at a time: narrow it by prefix or tags", tags.size(),
                                tags_max));
    }
    return tags;
}

/// The highest priority (smallest number) of each tag's active alarms.
std::unordered_map<TagId, int> active_priorities(const Call& call) {
    std::unordered_map<TagId, int> priorities;
    for (const alarms::Alarm& alarm : call.services->alarms.list(call.services->shard)->alarms) {
        if (!alarm.is_active() || alarm.tenant != call.tenant()) continue;
        int& priority = priorities.emplace(alarm.tag, 9).first->second;
        priority = std::min(priority, static_cast<int>(alarm.priority));
    }
    return priorities;
}

void get_values(Call call) {
    auto tags = tags_asked(call, 50'000);
    if (!tags) return call.answer(tags.error());
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    gather_last(services, *snapshot, *tags,
                [held = std::move(held), snapshot, tags = *tags](const LastValues& values) {
                    const auto priorities = active_priorities(*held);
                    Json items = Json::array();
                    for (const registry::Tag* tag : tags) {
                        const auto at = values.find(tag->id);
                        const registry::Device* device = snapshot->device(tag->device);
                        const auto priority = priorities.find(tag->id);
                        Json item = {{"path", tag->path},
                                     {"id", id_text(tag->id.value())},
                                     {"unit", tag->unit},
                                     {"type", to_text(tag->type)},
                                     {"device", device ? device->name : ""},
                                     {"alarm", priority == priorities.end() ? Json() : Json(priority->second)}};
                        if (at == values.end()) {
                            item.update({{"value", nullptr},
                                         {"quality", "Bad"},
                                         {"quality_code", Quality::bad.code()},
                                         {"time", nullptr},
                                         {"receive_time", nullptr}});
                        } else {
                            const store::LastValue& last = at->second;
                            item.update({{"value", value_json(last.value)},
                                         {"quality", to_text(last.quality)},
                                         {"quality_code", last.quality.code()},
                                         {"time", time_json(last.source_time)},
                                         {"receive_time", time_json(last.receive_time)}});
                        }
                        items.push_back(std::move(item));
                    }
                    held->answer({{"time", time_json(held->services->shard.utc_now())}, {"items", std::move(items)}});
                });
}

}  // namespace

std::vector<Route> value_routes() { return {{"GET", "/api/v1/values", access::Action::ReadData, get_values}}; }

}  // namespace lineshaft::rest
