// Users and tokens.
#include <algorithm>

#include <fmt/format.h>

#include "access/access.h"
#include "access/internal/state.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace lineshaft::access {
namespace {

std::string target_of(const User& user) { return fmt::format("user {} {}", user.id.value(), user.name); }
std::string target_of(const Token& token) { return fmt::format("token {} {}", token.id, token.name); }

template <class Row>
std::string detail_of(const Row* before, const Row* after) {
    return fmt::format(R"({{"before":{},"after":{}}})", before ? to_json(*before) : "null",
                       after ? to_json(*after) : "null");
}

template <class T>
void answer(Shard& caller, Done<T> done, Result<T> result) {
    caller.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

Result<void> check_role(Role role) {
    if (role >= Role::Viewer && role <= Role::Administrator) return {};
    return fail(ErrorCode::InvalidArgument, "a role is administrator, engineer, operator or viewer");
}

/// The user, if it is in the tenant.
Result<UserRow> find_in(Database& database, TenantId tenant, UserId id) {
    auto row = TRY(find_user(database, id));
    if (row && row->user.tenant == tenant) return std::move(*row);
    return fail(ErrorCode::NotFound, fmt::format("there is no user {}", id.value()));
}

/// Somebody must be able to let others in.
Result<void> check_administrator_left(Database& database, const User& leaving) {
    if (leaving.role != Role::Administrator) return {};
    if (TRY(count_administrators(database, leaving.tenant)) > 1) return {};
    return fail(ErrorCode::Conflict,
                fmt::format("'{}' is the last administrator: make another one first", leaving.name));
}

Result<User> apply_user_change(Database& database, audit::Entry& told, TenantId tenant, UserId id,
                               const UserChange& change, const std::string& encoded, UtcTime now) {
    UserRow row = TRY(find_in(database, tenant, id));
    const User before = row.user;
    if (change.name) row.user.name = *change.name;
    if (change.role) row.user.role = *change.role;
    if (change.role && *change.role != Role::Administrator) TRY_VOID(check_administrator_left(database, before));
    if (!encoded.empty()) row.password = encoded;
    TRY_VOID(update_user(database, row, now));
    // What was opened under the old password or with the old rights ends.
    if (!encoded.empty() || row.user.role != before.role) TRY_VOID(delete_sessions_of(database, id));
    told.target = target_of(row.user);
    told.detail = detail_of(&before, &row.user);
    if (!encoded.empty()) told.detail.insert(told.detail.size() - 1, R"(,"password":"changed")");
    return row.user;
}

}  // namespace

Result<void> check_user_name(std::string_view name) {
    if (name.empty() || name.size() > name_bytes_max) {
        return fail(ErrorCode::InvalidArgument, fmt::format("a name has 1 to {} bytes", name_bytes_max));
    }
    if (!is_printable_utf8(name) || name.front() == ' ' || name.back() == ' ' ||
        name.find(':') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument,
                    "a name is printable text without ':' and without spaces at its ends");
    }
    return {};
}

Result<void> check_new_token(const NewToken& token, UtcTime now) {
    TRY_VOID(check_user_name(token.name));
    TRY_VOID(check_role(token.role));
    if (token.device.size() > limits::device_name_bytes_max || !is_printable_utf8(token.device)) {
        return fail(ErrorCode::InvalidArgument, "the device is not a device's name");
    }
    if (!token.expires.is_none() && token.expires <= now) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("the token would have expired at {}", to_rfc3339(token.expires)));
    }
    return {};
}

Token token_from(const NewToken& wanted, TenantId tenant, UtcTime now) {
    Token token;
    token.tenant = tenant;
    token.name = wanted.name;
    token.role = wanted.role;
    token.scopes = wanted.scopes;
    token.device = wanted.device;
    token.created = now;
    token.expires = wanted.expires;
    return token;
}

std::string make_token_secret() { return "ls_" + must_make_secret(); }

void Access::post_users(Shard& caller, TenantId tenant, Done<std::vector<User>> done) {
    std::vector<User> users;
    for (const auto& [id, user] : state_->directory(caller).users) {
        if (user->tenant == tenant) users.push_back(*user);
    }
    std::sort(users.begin(), users.end(), [](const User& a, const User& b) { return a.id < b.id; });
    answer<std::vector<User>>(caller, std::move(done), std::move(users));
}

void Access::post_create_user(Shard& caller, TenantId tenant, std::string name, Role role, std::string password,
                              Actor actor, Done<User> done) {
    auto acceptable = check_user_name(name);
    if (acceptable) acceptable = check_role(role);
    if (acceptable) acceptable = check_password(name, password);
    if (!acceptable) return answer<User>(caller, std::move(done), std::unexpected(acceptable.error()));
    UserRow row;
    row.user.tenant = tenant;
    row.user.name = std::move(name);
    row.user.role = role;
    state_->hash_pool.run(
        caller,
        [password = std::move(password), cost = state_->cost()] { return must_hash_password(password, cost); },
        [state = state_.get(), &caller, row = std::move(row), actor = std::move(actor),
         done = std::move(done)](std::string encoded) mutable {
            row.password = std::move(encoded);
            row.user.created = state->utc_now();
            audit::Entry entry = make_entry(row.user.tenant, actor, "user.create", "");
            state->post_write<User>(
                caller, std::move(entry),
                [row = std::move(row)](Database& database, audit::Entry& told) mutable -> Result<User> {
                    row.user.id = TRY(insert_user(database, row));
                    told.target = target_of(row.user);
                    told.detail = detail_of<User>(nullptr, &row.user);
                    return row.user;
                },
                std::move(done));
        });
}

void Access::post_update_user(Shard& caller, TenantId tenant, UserId id, UserChange change, Actor actor,
                              Done<User> done) {
    Result<void> acceptable;
    if (change.name) acceptable = check_user_name(*change.name);
    if (acceptable && change.role) acceptable = check_role(*change.role);
    if (acceptable && change.password) {
        const auto& users = state_->directory(caller).users;
        const auto known = users.find(id);
        const std::string name = change.name ? *change.name : known == users.end() ? "" : known->second->name;
        acceptable = check_password(name, *change.password);
    }
    if (!acceptable) return answer<User>(caller, std::move(done), std::unexpected(acceptable.error()));
    const std::string password = change.password.value_or("");
    audit::Entry entry = make_entry(tenant, actor, "user.update", "");
    auto write = [state = state_.get(), &caller, tenant, id, change = std::move(change), entry = std::move(entry),
                  done = std::move(done)](std::string encoded) mutable {
        state->post_write<User>(
            caller, std::move(entry),
            [state, tenant, id, change = std::move(change), encoded = std::move(encoded)](Database& database,
                                                                                          audit::Entry& told) {
                return apply_user_change(database, told, tenant, id, change, encoded, state->utc_now());
            },
            std::move(done));
    };
    if (password.empty()) return write(std::string());
    state_->hash_pool.run(
        caller, [password, cost = state_->cost()] { return must_hash_password(password, cost); }, std::move(write));
}

void Access::post_delete_user(Shard& caller, TenantId tenant, UserId id, Actor actor, Done<void> done) {
    state_->post_write<void>(
        caller, make_entry(tenant, actor, "user.delete", ""),
        [tenant, id](Database& database, audit::Entry& told) -> Result<void> {
            const UserRow row = TRY(find_in(database, tenant, id));
            TRY_VOID(check_administrator_left(database, row.user));
            told.target = target_of(row.user);
            told.detail = detail_of<User>(&row.user, nullptr);
            return delete_user(database, id);
        },
        std::move(done));
}

void Access::post_tokens(Shard& caller, TenantId tenant, Done<std::vector<Token>> done) {
    std::vector<Token> tokens;
    for (const auto& [id, entry] : state_->directory(caller).tokens_by_id) {
        if (entry->token.tenant != tenant) continue;
        tokens.push_back(entry->token);
        tokens.back().last_used = entry->used.at();
    }
    std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) { return a.id < b.id; });
    answer<std::vector<Token>>(caller, std::move(done), std::move(tokens));
}

void Access::post_create_token(Shard& caller, TenantId tenant, NewToken wanted, Actor actor, Done<MadeToken> done) {
    const UtcTime now = caller.utc_now();
    const auto acceptable = check_new_token(wanted, now);
    if (!acceptable) return answer<MadeToken>(caller, std::move(done), std::unexpected(acceptable.error()));
    audit::Entry entry = make_entry(tenant, actor, "token.create", "");
    state_->post_write<MadeToken>(
        caller, std::move(entry),
        [token = token_from(wanted, tenant, now), by = actor.name](Database& database,
                                                                   audit::Entry& told) mutable -> Result<MadeToken> {
            MadeToken made;
            made.secret = make_token_secret();
            made.id = TRY(insert_token(database, hash_of(made.secret), token, by));
            token.id = made.id;
            told.target = target_of(token);
            told.detail = detail_of<Token>(nullptr, &token);
            return made;
        },
        std::move(done));
}

void Access::post_delete_token(Shard& caller, TenantId tenant, std::uint64_t id, Actor actor, Done<void> done) {
    const auto& tokens = state_->directory(caller).tokens_by_id;
    const auto found = tokens.find(id);
    if (found == tokens.end() || found->second->token.tenant != tenant) {
        return answer<void>(caller, std::move(done),
                            fail(ErrorCode::NotFound, fmt::format("there is no token {}", id)));
    }
    audit::Entry entry = make_entry(tenant, actor, "token.delete", target_of(found->second->token));
    entry.detail = detail_of<Token>(&found->second->token, nullptr);
    state_->post_write<void>(
        caller, std::move(entry), [id](Database& database, audit::Entry&) { return delete_token(database, id); },
        std::move(done));
}

}  // namespace lineshaft::access
