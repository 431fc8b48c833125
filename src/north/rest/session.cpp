#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

Json session_json(const Call& call, const access::Session* session) {
    const registry::Snapshot& snapshot = call.snapshot();
    Json json = {{"user", nullptr},
                 {"csrf", nullptr},
                 {"claimed", call.services->access.is_claimed(call.services->shard)},
                 {"version", call.services->version},
                 {"tenant", nullptr}};
    if (!session) return json;
    json["user"] = {{"id", id_text(session->principal.user.value())},
                    {"name", session->principal.name},
                    {"role", access::to_text(session->principal.role)}};
    json["csrf"] = session->csrf;
    const auto tenant = snapshot.tenants.find(session->principal.tenant);
    json["tenant"] = {{"id", id_text(session->principal.tenant.value())},
                      {"name", tenant == snapshot.tenants.end() ? "" : tenant->second->name}};
    return json;
}

std::string cookie_text(const Call& call, std::string_view secret, std::string_view more) {
    return fmt::format("ls_session={}; Path=/; HttpOnly; SameSite=Strict{}{}", secret,
                       call.request.peer.encrypted ? "; Secure" : "", more);
}

void answer_signed_in(Call& call, Result<access::SignedIn> signed_in) {
    if (!signed_in) return call.answer(signed_in.error());
    net::HttpResponse response;
    response.status = 201;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    response.headers.emplace_back("Set-Cookie", cookie_text(call, signed_in->secret, "; Max-Age=604800"));
    response.body = session_json(call, &signed_in->session).dump();
    call.answer(std::move(response));
}

void get_session(Call call) {
    const auto session = call.services->access.check_session(call.services->shard, call.request.cookie("ls_session"));
    if (session) return call.answer(session_json(call, &*session));
    if (call.request.header("authorization").empty()) return call.answer(session_json(call, nullptr));
    // A program asks who its token is.
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    const net::HttpRequest& request = held->request;
    identify(services.shard, services.access, request, [held = std::move(held)](Result<access::Principal> principal) {
        if (!principal) return held->answer(principal.error());
        access::Session session;
        session.principal = *principal;
        Json json = session_json(*held, &session);
        json["csrf"] = nullptr;
        held->answer(json);
    });
}

struct Credentials {
    std::string name, password;
};

Result<Credentials> credentials_of(const Json& body) {
    return Credentials{TRY(required_text(body, "name")), TRY(required_text(body, "password"))};
}

void post_claim(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto token = required_text(*body, "token");
    auto who = credentials_of(*body);
    if (!token) return call.answer(token.error());
    if (!who) return call.answer(who.error());
    Services& services = *call.services;
    std::string address = call.request.peer.address.host;
    auto held = std::make_unique<Call>(std::move(call));
    services.access.post_claim(services.shard, *std::move(token), std::move(who->name), std::move(who->password),
                               std::move(address), [held = std::move(held)](Result<access::SignedIn> signed_in) {
                                   answer_signed_in(*held, std::move(signed_in));
                               });
}

void post_session(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto who = credentials_of(*body);
    if (!who) return call.answer(who.error());
    Services& services = *call.services;
    std::string address = call.request.peer.address.host;
    auto held = std::make_unique<Call>(std::move(call));
    services.access.post_sign_in(services.shard, std::move(who->name), std::move(who->password), std::move(address),
                                 [held = std::move(held)](Result<access::SignedIn> signed_in) {
                                     answer_signed_in(*held, std::move(signed_in));
                                 });
}

void delete_session(Call call) {
    Services& services = *call.services;
    // Signing out is a change: it takes the CSRF token like every other one.
    if (auto who = identify_now(services.shard, services.access, call.request); !who) return call.answer(who.error());
    std::string secret(call.request.cookie("ls_session"));
    std::string address = call.request.peer.address.host;
    auto held = std::make_unique<Call>(std::move(call));
    services.access.post_sign_out(
        services.shard, std::move(secret), std::move(address), [held = std::move(held)](Result<void> done) {
            if (!done) return held->answer(done.error());
            net::HttpResponse response;
            response.status = 204;
            response.headers.emplace_back("Set-Cookie", cookie_text(*held, "", "; Max-Age=0"));
            held->answer(std::move(response));
        });
}

}  // namespace

std::vector<Route> session_routes() {
    return {{"GET", "/api/v1/session", std::nullopt, get_session},
            {"POST", "/api/v1/claim", std::nullopt, post_claim},
            {"POST", "/api/v1/session", std::nullopt, post_session},
            {"DELETE", "/api/v1/session", std::nullopt, delete_session}};
}

}  // namespace lineshaft::rest
