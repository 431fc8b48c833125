/// One request on its way: what every handler of the API works with.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "north/rest/rest.h"

namespace lineshaft::rest {

using Json = nlohmann::json;

/// A request with its answer. Move-only; whoever holds it must answer it once.
class Call {
public:
    Call(Services& services, net::HttpRequest request, net::HttpReply reply)
        : services(&services), request(std::move(request)), reply_(std::move(reply)) {}

    Services* services;
    net::HttpRequest request;
    access::Principal principal;
    std::vector<std::string> arguments;  // What stood at {…} in the path.

    TenantId tenant() const { return principal.tenant; }
    const registry::Snapshot& snapshot() const { return *services->registry.snapshot(services->shard); }
    registry::Actor actor() const { return {principal.actor(), request.peer.address.host}; }

    /// The body as a JSON object. Errors: Malformed, InvalidArgument.
    Result<Json> body() const;
    /// The id in the path. Errors: NotFound.
    Result<std::uint64_t> id(std::size_t argument = 0) const;
    std::string parameter(std::string_view name, std::string_view otherwise = {}) const;
    /// Errors: InvalidArgument.
    Result<std::size_t> limit(std::size_t otherwise = page_items_default) const;
    Result<UtcTime> time(std::string_view name, UtcTime otherwise) const;
    /// That [from, to) is a stretch of time whose length is a Duration. Errors: InvalidArgument.
    static Result<void> check_span(UtcTime from, UtcTime to);
    bool accepts(std::string_view media_type) const;

    void answer(net::HttpResponse response) { reply_(std::move(response)); }
    void answer(const Json& json, unsigned status = 200);
    void answer(const Error& error) { reply_(problem(error)); }
    void answer_nothing() { reply_({.status = 204, .headers = {}, .body = {}, .static_body = {}, .pieces = {}}); }

private:
    net::HttpReply reply_;
};

using Handler = void (*)(Call call);

struct Route {
    std::string_view method;
    std::string_view path;                 // "/api/v1/tags/{}:write"; {} is one level.
    std::optional<access::Action> action;  // None: anybody, also without credentials.
    Handler handler;
};

// Each resource in a file of its own.
std::vector<Route> session_routes();
std::vector<Route> account_routes();
std::vector<Route> asset_routes();
std::vector<Route> device_routes();
std::vector<Route> tag_routes();
std::vector<Route> value_routes();
std::vector<Route> history_routes();
std::vector<Route> ledger_routes();
std::vector<Route> quality_routes();
std::vector<Route> fleet_routes();
std::vector<Route> alarm_routes();
std::vector<Route> rule_routes();
std::vector<Route> modbus_routes();
std::vector<Route> system_routes();
std::vector<Route> export_routes();
std::vector<Route> import_routes();
std::vector<Route> backup_routes();
std::vector<Route> storage_routes();
std::vector<Route> retention_routes();

// Pieces that several resources share.
std::string id_text(std::uint64_t id);
Json time_json(UtcTime time);  // RFC 3339, or null for none.
Json value_json(const Value& value);
Json number_json(double value);  // null for NaN and infinities.
/// A field of a request's body. Errors: InvalidArgument (names field and type).
Result<std::optional<std::string>> text_field(const Json& body, const char* name);
Result<std::optional<double>> number_field(const Json& body, const char* name);
Result<std::optional<bool>> bool_field(const Json& body, const char* name);
Result<std::optional<std::uint64_t>> id_field(const Json& body, const char* name);
Result<std::string> required_text(const Json& body, const char* name);

/// The tags of ?tags=a,b and ?tag=a&tag=b (paths with commas), in that order. Errors: NotFound.
Result<std::vector<const registry::Tag*>> tags_named(const Call& call, const registry::Snapshot& snapshot);
/// Whether `part` stands in `text`, letter case ignored. An empty part stands everywhere.
bool contains(std::string_view text, std::string_view part);

ShardId home_of(const Call& call, const registry::Tag& tag);

/// The last values of `tags`, from all their home shards.
using LastValues = std::unordered_map<TagId, store::LastValue>;
void gather_last(Services& services, const registry::Snapshot& snapshot,
                 const std::vector<const registry::Tag*>& tags, std::move_only_function<void(LastValues)> done);

/// Sends `changed` as the answer with what `show` makes of it, or the error.
template <class Show>
void change(Call call, registry::Change what, Show show) {
    Services& services = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    auto held = std::make_unique<Call>(std::move(call));
    services.registry.post_change(
        services.shard, tenant, std::move(what), std::move(actor),
        [held = std::move(held), show = std::move(show)](Result<registry::Changed> changed) mutable {
            if (!changed) return held->answer(changed.error());
            show(std::move(*held), *changed);
        });
}

Json tag_json(const registry::Snapshot& snapshot, const registry::Tag& tag);
Json alarm_json(const alarms::Alarm& alarm);
Json limits_json(const std::vector<registry::Limit>& limits);
/// Errors: InvalidArgument.
Result<std::vector<registry::Limit>> limits_from(const Json& body);

}  // namespace lineshaft::rest
