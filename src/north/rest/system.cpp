#include <charconv>

#include <fmt/format.h>

#include "base/counters.h"
#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

const UtcTime started = system_clock().utc_now();

double uptime_s(const Call& call) {
    return static_cast<double>((call.services->shard.utc_now() - started).count()) / 1e9;
}

/// /health and /metrics are open on loopback only: elsewhere they tell a stranger too much.
void on_loopback_or_identified(Call call, Handler handler) {
    if (call.request.peer.loopback) return handler(std::move(call));
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    const net::HttpRequest& request = held->request;
    identify(services.shard, services.access, request,
             [held = std::move(held), handler](Result<access::Principal> principal) {
                 if (!principal) return held->answer(principal.error());
                 held->principal = *std::move(principal);
                 handler(std::move(*held));
             });
}

void get_health(Call call) {
    on_loopback_or_identified(std::move(call), [](Call answer) {
        answer.answer({{"status", "ok"}, {"version", answer.services->version}, {"uptime_s", uptime_s(answer)}});
    });
}

void get_metrics(Call call) {
    on_loopback_or_identified(std::move(call), [](Call answer) {
        net::HttpResponse response;
        response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
        response.body = metrics_text();
        answer.answer(std::move(response));
    });
}

Json store_json(const store::Stats& stats) {
    return {{"series", stats.series},
            {"samples", stats.samples},
            {"bytes", stats.segment_bytes},
            {"bytes_per_sample", stats.bytes_per_sample()},
            {"segments", stats.segments},
            {"memory_bytes", stats.memory_bytes},
            {"wal_bytes", stats.wal_bytes},
            {"damaged_blocks", stats.damaged_blocks},
            {"damaged_files", stats.damaged_files},
            {"oldest", time_json(stats.oldest)},
            {"newest", time_json(stats.newest)},
            {"state", to_text(stats.state)},
            {"detail", stats.detail}};
}

void get_status(Call call) {
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    services.store.post_stats(services.shard, [held = std::move(held)](const store::Stats& stats) mutable {
        Services& s = *held->services;
        Json status = {{"version", s.version},
                       {"uptime_s", uptime_s(*held)},
                       {"shards", s.shards.count()},
                       {"store", store_json(stats)}};
        s.extras.status(s.shard,
                        [held = std::move(held), status = std::move(status)](Result<std::string> more) mutable {
                            if (!more) return held->answer(more.error());
                            Json parts = Json::parse(*more, nullptr, false);
                            if (parts.is_object()) status.update(parts, true);
                            held->answer(status);
                        });
    });
}

Json entry_json(const audit::Kept& kept) {
    Json detail = Json::parse(kept.entry.detail, nullptr, false);
    return {{"number", kept.number},
            {"time", time_json(kept.entry.time)},
            {"actor", kept.entry.actor},
            {"address", kept.entry.address},
            {"action", kept.entry.action},
            {"target", kept.entry.target},
            {"detail", detail.is_discarded() ? Json(kept.entry.detail) : std::move(detail)},
            {"outcome", audit::to_text(kept.entry.outcome)}};
}

void get_audit(Call call) {
    const auto limit = call.limit(100);
    if (!limit) return call.answer(limit.error());
    std::optional<std::uint64_t> cursor;
    if (const std::string text = call.parameter("cursor"); !text.empty()) {
        std::uint64_t number = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (code != std::errc{} || end != text.data() + text.size())
            return call.answer(Error(ErrorCode::InvalidArgument, "the cursor is not one of ours"));
        cursor = number;
    }
    audit::Filter filter;
    filter.tenant = call.tenant();
    filter.actor = call.parameter("actor");
    filter.action_prefix = call.parameter("action");
    filter.target_part = call.parameter("q");
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_list(
        services.shard, std::move(filter), cursor, std::min(*limit, audit::page_entries_max),
        [held = std::move(held)](Result<audit::Page> page) {
            if (!page) return held->answer(page.error());
            Json items = Json::array();
            for (const audit::Kept& kept : page->items) items.push_back(entry_json(kept));
            held->answer({{"items", std::move(items)}, {"next", page->next ? Json(id_text(*page->next)) : Json()}});
        });
}

void verify_audit(Call call) {
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_verify(services.shard, [held = std::move(held)](Result<audit::Verdict> verdict) {
        if (!verdict) return held->answer(verdict.error());
        held->answer({{"ok", verdict->ok},
                      {"entries", verdict->entries},
                      {"head", verdict->head},
                      {"detail", verdict->detail}});
    });
}

void answer_text(Call& call, const char* type, const std::string& text) {
    net::HttpResponse response;
    response.headers = {{"Content-Type", type}};
    response.body = text;
    call.answer(std::move(response));
}

void get_openapi_json(Call call) { answer_text(call, "application/json", call.services->openapi_json); }
void get_openapi_yaml(Call call) { answer_text(call, "application/yaml", call.services->openapi_yaml); }

}  // namespace

std::vector<Route> system_routes() {
    using enum access::Action;
    return {{"GET", "/health", std::nullopt, get_health},
            {"GET", "/metrics", std::nullopt, get_metrics},
            {"GET", "/api/v1/status", ReadConfiguration, get_status},
            {"GET", "/api/v1/audit", ReadAudit, get_audit},
            {"GET", "/api/v1/audit:verify", ReadAudit, verify_audit},
            {"GET", "/api/v1/openapi.json", std::nullopt, get_openapi_json},
            {"GET", "/api/v1/openapi.yaml", std::nullopt, get_openapi_yaml}};
}

}  // namespace lineshaft::rest
