#include "store/ledger.h"

#include <algorithm>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

Json ranges_json(const std::vector<store::SequenceRange>& ranges) {
    Json all = Json::array();
    for (const store::SequenceRange& range : ranges) all.push_back({range.first, range.last});
    return all;
}

/// How a tenant's sources are named in the store.
std::string stored_prefix(TenantId tenant) {
    return tenant == TenantId(1) ? std::string() : std::to_string(tenant.value()) + ":";
}

/// The name as its tenant knows it; none for a source of another tenant.
std::optional<std::string> shown_name(TenantId tenant, const std::string& name) {
    const std::string prefix = stored_prefix(tenant);
    if (!prefix.empty()) return name.starts_with(prefix) ? std::optional(name.substr(prefix.size())) : std::nullopt;
    // "2:mqtt/a" belongs to tenant 2.
    const std::size_t digits = name.find_first_not_of("0123456789");
    if (digits > 0 && digits != std::string::npos && name[digits] == ':') return std::nullopt;
    return name;
}

Json own_json(const store::OwnNumbers& own) {
    return {{"device", own.device},   {"since", time_json(own.since)}, {"complete_to", own.complete_to},
            {"highest", own.highest}, {"missing", own.missing},        {"holes", ranges_json(own.holes)}};
}

Json stream_json(const store::LedgerSource& source) {
    Json own = Json::array();
    for (const store::OwnNumbers& numbers : source.own) own.push_back(own_json(numbers));
    return {{"shard", source.shard.value()},     {"assigned_to", source.assigned_to},
            {"complete_to", source.complete_to}, {"holes", ranges_json(source.holes)},
            {"holes_more", source.holes_more},   {"own", std::move(own)}};
}

/// One source with its streams, one a shard.
Json source_json(const std::string& name, std::span<const store::LedgerSource> streams) {
    Json list = Json::array();
    bool complete = true;
    std::uint64_t assigned = 0, refused = 0, own_missing = 0;
    UtcTime heard, since;
    store::Presence presence = store::Presence::Unknown;
    for (const store::LedgerSource& stream : streams) {
        complete &= stream.is_complete();
        assigned += stream.assigned_to;
        refused += stream.refused;
        heard = std::max(heard, stream.last_heard);
        if (stream.presence_since >= since && stream.presence != store::Presence::Unknown) {
            presence = stream.presence;
            since = stream.presence_since;
        }
        for (const store::OwnNumbers& own : stream.own) own_missing += own.missing;
        if (stream.assigned_to > 0 || !stream.own.empty()) list.push_back(stream_json(stream));
    }
    return {{"source", name},
            {"complete", complete},
            {"samples", assigned},
            {"last_heard", time_json(heard)},
            {"presence", store::to_text(presence)},
            {"presence_since", time_json(since)},
            {"refused", refused},
            {"own_missing", own_missing},
            {"streams", std::move(list)}};
}

void get_sources(Call call) {
    const auto limit = call.limit();
    if (!limit) return call.answer(limit.error());
    Services& services = *call.services;
    const std::string prefix = stored_prefix(call.tenant()) + call.parameter("prefix");
    auto held = std::make_unique<Call>(std::move(call));
    store::Ledgers(services.shards, services.store)
        .post_sources(services.shard, prefix,
                      [held = std::move(held), limit = *limit](const std::vector<store::LedgerSource>& all) {
                          const std::string after = held->parameter("cursor"), part = held->parameter("q");
                          Json items = Json::array(), next;
                          for (std::size_t first = 0; first < all.size();) {
                              std::size_t end = first + 1;
                              while (end < all.size() && all[end].name == all[first].name) ++end;
                              const auto name = shown_name(held->tenant(), all[first].name);
                              const std::span streams(all.data() + first, end - first);
                              first = end;
                              if (!name || *name <= after || !contains(*name, part)) continue;
                              if (items.size() == limit) {
                                  next = items.back()["source"];
                                  break;
                              }
                              items.push_back(source_json(*name, streams));
                          }
                          held->answer({{"items", std::move(items)}, {"next", std::move(next)}});
                      });
}

Json refused_json(const std::vector<store::Refused>& all) {
    Json list = Json::array();
    for (const store::Refused& refused : all) {
        list.push_back({{"device", refused.device},
                        {"reason", refused.reason},
                        {"count", refused.count},
                        {"first", time_json(refused.first)},
                        {"last", time_json(refused.last)}});
    }
    return list;
}

Json hours_json(const store::LedgerHours& hours, TenantId tenant) {
    Json items = Json::array();
    for (const store::LedgerHour& hour : hours.hours) {
        const auto name = shown_name(tenant, hour.source);
        if (!name) continue;
        items.push_back({{"hour", time_json(hour.hour)},
                         {"source", *name},
                         {"shard", hour.shard.value()},
                         {"assigned", hour.assigned},
                         {"stored", hour.stored},
                         {"ranges", ranges_json(hour.ranges)},
                         {"refused", refused_json(hour.refused)}});
    }
    return items;
}

Json up_times_json(const std::vector<store::UpTime>& times) {
    Json list = Json::array();
    for (const store::UpTime& up : times)
        list.push_back({{"from", time_json(up.from)}, {"until", time_json(up.until)}, {"closed", up.closed}});
    return list;
}

void get_hours(Call call) {
    const UtcTime now = call.services->shard.utc_now();
    const auto from = call.time("from", now - 24h), to = call.time("to", now + 1ns);
    if (!from) return call.answer(from.error());
    if (!to) return call.answer(to.error());
    if (const auto span = Call::check_span(*from, *to); !span) return call.answer(span.error());
    std::string source = call.parameter("source");
    if (!source.empty()) source = stored_prefix(call.tenant()) + source;
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    store::Ledgers(services.shards, services.store)
        .post_hours(services.shard, std::move(source), *from, *to,
                    [held = std::move(held), from = *from, to = *to](Result<store::LedgerHours> hours) mutable {
                        if (!hours) return held->answer(hours.error());
                        Services& all = *held->services;
                        store::Ledgers(all.shards, all.store)
                            .post_up_times(all.shard, from, to,
                                           [held = std::move(held), from, to,
                                            hours = *std::move(hours)](const Result<std::vector<store::UpTime>>& up) {
                                               if (!up) return held->answer(up.error());
                                               held->answer({{"from", time_json(from)},
                                                             {"to", time_json(to)},
                                                             {"items", hours_json(hours, held->tenant())},
                                                             {"more", hours.more},
                                                             {"up", up_times_json(*up)}});
                                           });
                    });
}

}  // namespace

std::vector<Route> ledger_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/ledger", ReadData, get_hours}, {"GET", "/api/v1/ledger/sources", ReadData, get_sources}};
}

}  // namespace lineshaft::rest
