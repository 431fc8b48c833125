#include "north/rest/rest.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/counters.h"
#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

Counter refused_total{"lineshaft_api_refused_total", "", "API requests answered with an error"};

std::vector<std::string_view> levels_of(std::string_view path) {
    std::vector<std::string_view> levels;
    while (!path.empty()) {
        const auto slash = path.find('/', 1);
        levels.push_back(path.substr(1, slash == std::string_view::npos ? slash : slash - 1));
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
    }
    return levels;
}

/// Matches one level against "word", "{}" or "{}:verb".
bool match_level(std::string_view pattern, std::string_view level, std::vector<std::string>& arguments) {
    if (!pattern.starts_with("{}")) return pattern == level;
    const std::string_view verb = pattern.substr(2);
    if (level.size() <= verb.size() || !level.ends_with(verb)) return false;
    const std::string_view argument = level.substr(0, level.size() - verb.size());
    if (verb.empty() && argument.find(':') != std::string_view::npos) return false;
    arguments.emplace_back(argument);
    return true;
}

struct CompiledRoute {
    Route route;
    std::vector<std::string_view> levels;
};

bool match(const CompiledRoute& route, const std::vector<std::string_view>& levels,
           std::vector<std::string>& arguments) {
    if (route.levels.size() != levels.size()) return false;
    arguments.clear();
    for (std::size_t i = 0; i < levels.size(); ++i) {
        if (!match_level(route.levels[i], levels[i], arguments)) return false;
    }
    return true;
}

}  // namespace

net::HttpResponse problem(const Error& error, std::optional<unsigned> status) {
    refused_total.add();
    const ErrorText& text = error.text();
    const auto number = static_cast<unsigned>(error.code());
    const Json json = {{"type", fmt::format("/docs/errors#LS-{}", number)},
                       {"title", text.says},
                       {"status", status.value_or(text.http_status)},
                       {"code", fmt::format("LS-{}", number)},
                       {"detail", error.detail()},
                       {"remedy", text.remedy}};
    net::HttpResponse response;
    response.status = status.value_or(text.http_status);
    response.headers = {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}};
    if (text.http_status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"lineshaft\"");
    if (text.retry && text.http_status >= 429) response.headers.emplace_back("Retry-After", "2");
    response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return response;
}

class Api::Impl {
public:
    explicit Impl(Services services) : services_(std::move(services)) {
        for (const auto& routes :
             {session_routes(), account_routes(), asset_routes(), device_routes(), tag_routes(), value_routes(),
              history_routes(), ledger_routes(), quality_routes(), fleet_routes(), alarm_routes(), rule_routes(),
              modbus_routes(), system_routes(), backup_routes(), export_routes(), import_routes(), storage_routes(),
              retention_routes()}) {
            for (const Route& route : routes) routes_.push_back({route, levels_of(route.path)});
        }
    }

    void handle(net::HttpRequest request, net::HttpReply reply) {
        Call call(services_, std::move(request), std::move(reply));
        const auto levels = levels_of(call.request.path);
        std::string allowed;
        for (const CompiledRoute& route : routes_) {
            if (!match(route, levels, call.arguments)) continue;
            if (route.route.method == call.request.method) return run(route.route, std::move(call));
            allowed += allowed.empty() ? "" : ", ";
            allowed += route.route.method;
        }
        if (allowed.empty()) {
            return call.answer(Error(ErrorCode::NotFound,
                                     fmt::format("there is no {}: see /api/v1/openapi.json", call.request.path)));
        }
        auto response =
            problem(Error(ErrorCode::NotSupported, fmt::format("{} takes {}", call.request.path, allowed)), 405);
        response.headers.emplace_back("Allow", allowed);
        call.answer(std::move(response));
    }

private:
    void run(const Route& route, Call call) {
        if (!route.action) return route.handler(std::move(call));
        auto held = std::make_unique<Call>(std::move(call));
        const net::HttpRequest& request = held->request;
        identify(services_.shard, services_.access, request,
                 [held = std::move(held), &route](Result<access::Principal> principal) mutable {
                     if (!principal) return held->answer(principal.error());
                     held->principal = *std::move(principal);
                     if (const auto may = access::check(held->principal, *route.action); !may)
                         return held->answer(may.error());
                     route.handler(std::move(*held));
                 });
    }

    Services services_;
    std::vector<CompiledRoute> routes_;
};

Api::Api(Services services) : impl_(std::make_unique<Impl>(std::move(services))) {}
Api::~Api() = default;

bool Api::handles(const net::HttpRequest& request) {
    return request.path.starts_with("/api/") || request.path == "/health" || request.path == "/metrics";
}

void Api::handle(net::HttpRequest request, net::HttpReply reply) {
    impl_->handle(std::move(request), std::move(reply));
}

}  // namespace lineshaft::rest
