/// The REST API under /api/v1, /health and /metrics: what people and programs may ask and change.
///
/// Flow:    request -> who is it (token, or session with CSRF token) -> may they -> handler -> rooms' front doors ->
///          JSON, CSV or binary columns. Every change goes through registry, access or alarms, which audit it.
/// Threads: one Api per shard, own shard only.
/// Errors:  application/problem+json with code, detail and remedy from api/errors.toml.
/// Limits:  page_items_max, history_points_max, tags_per_request_max.
/// Formats: api/openapi.yaml, docs/formats/columns.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "access/access.h"
#include "alarms/board.h"
#include "audit/log.h"
#include "backup/service.h"
#include "fleet/engine.h"
#include "flow/sample_sink.h"
#include "net/http_server.h"
#include "registry/registry.h"
#include "store/historians.h"
#include "transfer/transfers.h"

namespace lineshaft::rest {

inline constexpr std::size_t page_items_max = 10'000;
inline constexpr std::size_t page_items_default = 1'000;
inline constexpr std::size_t tags_per_request_max = 1'000;
inline constexpr std::size_t history_points_max = 1'000'000;

/// Answers that other rooms give in their own words, as JSON text. Called on the Api's shard; `done` runs on it.
class Extras {
public:
    using Done = std::move_only_function<void(Result<std::string>)>;
    virtual ~Extras() = default;
    /// Parts of GET /status that only the whole house knows: {"ports":…,"mqtt":…,"ingest":…,"warnings":[…],…}.
    virtual void status(Shard& caller, Done done) = 0;
    /// The connection of a device as its adapter sees it; an empty text when it has none.
    virtual void connection(Shard& caller, const registry::Device& device, Done done) = 0;
    /// Checks settings of an adapter before they are kept, and names the tags that they make.
    virtual Result<std::vector<registry::NewTag>> check_settings(const std::string& protocol,
                                                                 const std::string& json) = 0;
    /// {"address","unit"} -> {"ok","latency_ms","detail","tried"}.
    virtual void modbus_test(Shard& caller, const std::string& json, Done done) = 0;
    /// {"address","unit","registers":[…]} -> {"items":[…]}.
    virtual void modbus_read(Shard& caller, const std::string& json, Done done) = 0;
    /// The register map of settings as CSV, and CSV into settings. `errors` is a JSON array of {"line","message"}.
    virtual Result<std::string> registers_csv(const std::string& settings) = 0;
    struct CsvMerge {
        std::string settings;
        std::size_t rows = 0;
        std::string errors;
    };
    virtual Result<CsvMerge> merge_csv(const std::string& settings, const std::string& csv) = 0;
};

struct Services {
    Shard& shard;
    Shards& shards;
    registry::Registry& registry;
    access::Access& access;
    store::Historians& store;
    alarms::Board& alarms;
    audit::Log& audit;
    flow::CommandSink& commands;
    Extras& extras;
    std::string version;
    std::string openapi_json;  // api/openapi.yaml, compiled in.
    std::string openapi_yaml;
    backup::Service* backup = nullptr;         // None: a house without backups.
    fleet::Engine* fleet = nullptr;            // None: a house that answers no fleet queries.
    transfer::Transfers* transfers = nullptr;  // Exports and imports.
};

class Api {
public:
    explicit Api(Services services);
    ~Api();

    /// True for /api/…, /health and /metrics.
    static bool handles(const net::HttpRequest& request);
    void handle(net::HttpRequest request, net::HttpReply reply);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// GET /alarms as text, for the live socket too.
std::string alarms_text(const alarms::AlarmList& list, TenantId tenant);

/// problem+json of `error`; `status` where it is not the error's own.
net::HttpResponse problem(const Error& error, std::optional<unsigned> status = std::nullopt);

using Identified = std::move_only_function<void(Result<access::Principal>)>;
/// Who sends `request`: bearer, basic or `u`/`p`/`token` credentials, else the session cookie (with its CSRF token when
/// the method changes something). `done` runs now or later on `shard`. Errors: Unauthenticated, Forbidden (CSRF).
void identify(Shard& shard, access::Access& access, const net::HttpRequest& request, Identified done);

/// As identify, without the second look for tokens just made by another process: answers at once.
Result<access::Principal> identify_now(Shard& shard, access::Access& access, const net::HttpRequest& request);

}  // namespace lineshaft::rest
