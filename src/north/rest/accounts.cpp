#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

Json user_json(const access::User& user) {
    return {{"id", id_text(user.id.value())},
            {"name", user.name},
            {"role", access::to_text(user.role)},
            {"created", time_json(user.created)},
            {"last_sign_in", time_json(user.last_sign_in)}};
}

Json token_json(const access::Token& token) {
    Json scopes = Json::array();
    const std::string text = access::to_text(token.scopes);
    for (std::size_t at = 0; at < text.size();) {
        const auto space = text.find(' ', at);
        scopes.push_back(text.substr(at, space - at));
        at = space == std::string::npos ? text.size() : space + 1;
    }
    return {{"id", id_text(token.id)},
            {"name", token.name},
            {"role", access::to_text(token.role)},
            {"scopes", std::move(scopes)},
            {"device", token.device.empty() ? Json() : Json(token.device)},
            {"created", time_json(token.created)},
            {"expires", time_json(token.expires)},
            {"last_used", time_json(token.last_used)}};
}

/// Answers `done`'s value through `show`, or the error.
template <class T, class Show>
auto answering(Call call, Show show) {
    return [held = std::make_unique<Call>(std::move(call)), show](Result<T> result) {
        if (!result) return held->answer(result.error());
        show(*held, *std::move(result));
    };
}

auto nothing(Call call) {
    return [held = std::make_unique<Call>(std::move(call))](Result<void> result) {
        if (!result) return held->answer(result.error());
        held->answer_nothing();
    };
}

void get_users(Call call) {
    Services& s = *call.services;
    const auto tenant = call.tenant();
    s.access.post_users(s.shard, tenant,
                        answering<std::vector<access::User>>(
                            std::move(call), [](Call& answer, const std::vector<access::User>& users) {
                                Json items = Json::array();
                                for (const access::User& user : users) items.push_back(user_json(user));
                                answer.answer({{"items", std::move(items)}, {"next", nullptr}});
                            }));
}

Result<std::optional<access::Role>> role_field(const Json& body) {
    const auto text = TRY(text_field(body, "role"));
    if (!text) return std::nullopt;
    return TRY(access::role_from_text(*text));
}

void post_user(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto name = required_text(*body, "name");
    auto password = required_text(*body, "password");
    auto role = role_field(*body);
    if (!name) return call.answer(name.error());
    if (!password) return call.answer(password.error());
    if (!role) return call.answer(role.error());
    Services& s = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    s.access.post_create_user(s.shard, tenant, *std::move(name), role->value_or(access::Role::Viewer),
                              *std::move(password), std::move(actor),
                              answering<access::User>(std::move(call), [](Call& answer, const access::User& user) {
                                  answer.answer(user_json(user), 201);
                              }));
}

Result<access::UserChange> user_change(const Json& body) {
    access::UserChange change;
    change.name = TRY(text_field(body, "name"));
    change.password = TRY(text_field(body, "password"));
    change.role = TRY(role_field(body));
    return change;
}

void patch_user(Call call) {
    const auto body = call.body();
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    if (!body) return call.answer(body.error());
    auto change = user_change(*body);
    if (!change) return call.answer(change.error());
    Services& s = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    s.access.post_update_user(s.shard, tenant, UserId(*id), *std::move(change), std::move(actor),
                              answering<access::User>(std::move(call), [](Call& answer, const access::User& user) {
                                  answer.answer(user_json(user));
                              }));
}

void delete_user(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& s = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    s.access.post_delete_user(s.shard, tenant, UserId(*id), std::move(actor), nothing(std::move(call)));
}

void get_tokens(Call call) {
    Services& s = *call.services;
    const auto tenant = call.tenant();
    s.access.post_tokens(s.shard, tenant,
                         answering<std::vector<access::Token>>(
                             std::move(call), [](Call& answer, const std::vector<access::Token>& tokens) {
                                 Json items = Json::array();
                                 for (const access::Token& token : tokens) items.push_back(token_json(token));
                                 answer.answer({{"items", std::move(items)}, {"next", nullptr}});
                             }));
}

Result<access::NewToken> new_token(const Json& body, UtcTime now) {
    access::NewToken token;
    token.name = TRY(required_text(body, "name"));
    token.role = TRY(role_field(body)).value_or(access::Role::Viewer);
    token.device = TRY(text_field(body, "device")).value_or("");
    if (const auto expires = TRY(text_field(body, "expires"))) token.expires = TRY(parse_time(*expires, now));
    if (const auto scopes = body.find("scopes"); scopes != body.end() && !scopes->is_null()) {
        if (!scopes->is_array()) return fail(ErrorCode::InvalidArgument, "'scopes' must be an array of strings");
        for (const Json& scope : *scopes) {
            if (!scope.is_string()) return fail(ErrorCode::InvalidArgument, "'scopes' must be an array of strings");
            token.scopes.add(TRY(access::scope_from_text(scope.get<std::string>())));
        }
    }
    // A device's token speaks for its device and does nothing else, unless more is asked for.
    if (!token.device.empty() && token.scopes.empty()) token.scopes.add(access::Scope::TelemetryWrite);
    return token;
}

void post_token(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto token = new_token(*body, call.services->shard.utc_now());
    if (!token) return call.answer(token.error());
    if (static_cast<int>(token->role) > static_cast<int>(call.principal.role)) {
        return call.answer(Error(ErrorCode::Forbidden, "a token cannot have a higher role than its maker"));
    }
    Services& s = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    s.access.post_create_token(
        s.shard, tenant, *std::move(token), std::move(actor),
        answering<access::MadeToken>(std::move(call), [](Call& answer, const access::MadeToken& made) {
            answer.answer({{"id", id_text(made.id)}, {"token", made.secret}}, 201);
        }));
}

void delete_token(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    Services& s = *call.services;
    const auto tenant = call.tenant();
    auto actor = call.actor();
    s.access.post_delete_token(s.shard, tenant, *id, std::move(actor), nothing(std::move(call)));
}

}  // namespace

std::vector<Route> account_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/users", EditUsers, get_users},
            {"POST", "/api/v1/users", EditUsers, post_user},
            {"PATCH", "/api/v1/users/{}", EditUsers, patch_user},
            {"DELETE", "/api/v1/users/{}", EditUsers, delete_user},
            {"GET", "/api/v1/tokens", EditTokens, get_tokens},
            {"POST", "/api/v1/tokens", EditTokens, post_token},
            {"DELETE", "/api/v1/tokens/{}", EditTokens, delete_token}};
}

}  // namespace lineshaft::rest
