// The claim, signing in and out.
#include <algorithm>

#include <fmt/format.h>

#include "access/access.h"
#include "access/internal/state.h"
#include "base/counters.h"
#include "base/utf8.h"

namespace lineshaft::access {
namespace {

Counter refused_total{"lineshaft_access_sign_ins_refused_total", "",
                      "Attempts to sign in that failed or were put off"};

/// Names differ by more than the case of their letters (as SQLite's NOCASE has it).
std::string account_of(std::string_view name) {
    std::string account(name);
    std::transform(account.begin(), account.end(), account.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return account;
}

/// What somebody typed, fit for the log: a password typed into the name field must not fill it.
std::string said_name(std::string_view name) {
    if (name.size() > name_bytes_max || !is_printable_utf8(name)) return "user ?";
    return "user " + std::string(name);
}

struct Attempt {
    Shard* caller;
    std::string name;
    std::string password;
    std::string address;
    Done<SignedIn> done;

    void answer(Result<SignedIn> result) {
        caller->post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    }
};

Result<SignedIn> open_session(Database& database, User user, const std::string& address, UtcTime now) {
    SignedIn made;
    made.secret = must_make_secret();
    TRY_VOID(insert_session(database, hash_of(made.secret), user.id, address, now));
    TRY_VOID(keep_newest_sessions(database, user.id, sessions_per_user_max));
    TRY_VOID(save_sign_in(database, user.id, now));
    made.session.principal = principal_of(user);
    made.session.csrf = csrf_of(made.secret);
    made.session.expires = now + session_idle_max;
    return made;
}

Error wrong() { return Error(ErrorCode::Unauthenticated, "name or password is wrong"); }

/// The ones after the hash pool has spoken; on shard 0.
template <class State>
void refuse(State& state, Attempt attempt) {
    refused_total.add();
    audit::Entry entry = make_entry(TenantId(1), {said_name(attempt.name), attempt.address}, "session.create", "");
    state.record_refusal(state.home(), std::move(entry),
                         [attempt = std::move(attempt)]() mutable { attempt.answer(std::unexpected(wrong())); });
}

template <class State>
void let_in(State& state, Attempt attempt, UserRow row) {
    state.attempts.succeed(account_of(attempt.name), source_of(attempt.address));
    audit::Entry entry = make_entry(row.user.tenant, {"user " + row.user.name, attempt.address}, "session.create",
                                    fmt::format("user {} {}", row.user.id.value(), row.user.name));
    Shard& caller = *attempt.caller;
    state.template post_write<SignedIn>(
        caller, std::move(entry),
        [&state, row = std::move(row), address = attempt.address](Database& database,
                                                                  audit::Entry&) -> Result<SignedIn> {
            // The password may have been changed, or the user deleted, while it was being checked.
            const auto still = TRY(find_user(database, row.user.id));
            if (!still || still->password != row.password) return std::unexpected(wrong());
            return open_session(database, still->user, address, state.utc_now());
        },
        std::move(attempt.done));
}

template <class State>
void check_password_of(State& state, Attempt attempt, std::optional<UserRow> row) {
    const std::string encoded = row && !row->password.empty() ? row->password : state.nobodys_password;
    std::string password = attempt.password;
    state.hash_pool.run(
        state.home(), [password = std::move(password), encoded] { return is_password(password, encoded); },
        [&state, attempt = std::move(attempt), row = std::move(row)](bool is_right) mutable {
            --state.hashing;
            if (is_right && row && !row->password.empty()) return let_in(state, std::move(attempt), std::move(*row));
            refuse(state, std::move(attempt));
        });
}

/// On shard 0: may this one try now? Counts the attempt.
template <class State>
Result<void> begin_attempt(State& state, const std::string& account, const std::string& address) {
    if (state.closing) return fail(ErrorCode::Closed);
    if (state.hashing >= passwords_at_once_max) {
        refused_total.add();
        return fail(ErrorCode::TooManyAttempts, "many sign in at this moment: try again in 5 s");
    }
    const auto begun = state.attempts.begin(account, source_of(address), state.home().now());
    if (!begun) {
        refused_total.add();
        return begun;
    }
    ++state.hashing;
    return {};
}

}  // namespace

void Access::post_sign_in(Shard& caller, std::string name, std::string password, std::string address,
                          Done<SignedIn> done) {
    Attempt attempt{&caller, std::move(name), std::move(password), std::move(address), std::move(done)};
    state_->home().post([state = state_.get(), attempt = std::move(attempt)]() mutable {
        attempt.name.resize(std::min(attempt.name.size(), name_bytes_max + 1));
        attempt.password.resize(std::min(attempt.password.size(), password_bytes_max + 1));
        const auto begun = begin_attempt(*state, account_of(attempt.name), attempt.address);
        if (!begun) return attempt.answer(std::unexpected(begun.error()));
        const std::string wanted = attempt.name;
        state->registry.post_sql(
            state->home(), [wanted](Database& database) { return find_user(database, wanted); },
            [state, attempt = std::move(attempt)](Result<std::optional<UserRow>> row) mutable {
                if (!row) {
                    --state->hashing;
                    return attempt.answer(std::unexpected(row.error()));
                }
                check_password_of(*state, std::move(attempt), std::move(*row));
            });
    });
}

void Access::post_claim(Shard& caller, std::string secret, std::string name, std::string password,
                        std::string address, Done<SignedIn> done) {
    Attempt attempt{&caller, std::move(name), std::move(password), std::move(address), std::move(done)};
    state_->home().post([state = state_.get(), attempt = std::move(attempt), secret = std::move(secret)]() mutable {
        const std::string account = "\nclaim";
        if (state->directory(state->home()).claimed) {
            return attempt.answer(fail(ErrorCode::Conflict, "there is an administrator already: sign in"));
        }
        const auto begun = begin_attempt(*state, account, attempt.address);
        if (!begun) return attempt.answer(std::unexpected(begun.error()));
        if (!is_equal_in_constant_time(hash_of(secret), hash_of(state->claim_secret))) {
            --state->hashing;
            audit::Entry entry =
                make_entry(TenantId(1), {said_name(attempt.name), attempt.address}, "user.claim", "");
            return state->record_refusal(state->home(), std::move(entry), [attempt = std::move(attempt)]() mutable {
                attempt.answer(fail(ErrorCode::Unauthenticated,
                                    "this link is not valid: use the one that the last start has printed"));
            });
        }
        state->attempts.succeed(account, source_of(attempt.address));
        auto acceptable = check_user_name(attempt.name);
        if (acceptable) acceptable = check_password(attempt.name, attempt.password);
        if (!acceptable) {
            --state->hashing;
            return attempt.answer(std::unexpected(acceptable.error()));
        }
        std::string chosen = attempt.password;
        const Argon2Cost cost = state->cost();
        state->hash_pool.run(
            state->home(), [chosen = std::move(chosen), cost] { return must_hash_password(chosen, cost); },
            [state, attempt = std::move(attempt)](std::string encoded) mutable {
                --state->hashing;
                Shard& asker = *attempt.caller;
                UserRow row;
                row.user.name = attempt.name;
                row.user.role = Role::Administrator;
                row.user.created = state->utc_now();
                row.password = std::move(encoded);
                audit::Entry entry =
                    make_entry(TenantId(1), {"user " + attempt.name, attempt.address}, "user.claim", "");
                state->post_write<SignedIn>(
                    asker, std::move(entry),
                    [row = std::move(row), address = attempt.address](
                        Database& database, audit::Entry& told) mutable -> Result<SignedIn> {
                        if (TRY(count_administrators(database, row.user.tenant)) > 0) {
                            return fail(ErrorCode::Conflict, "there is an administrator already: sign in");
                        }
                        row.user.id = TRY(insert_user(database, row));
                        told.target = fmt::format("user {} {}", row.user.id.value(), row.user.name);
                        told.detail = fmt::format(R"({{"before":null,"after":{}}})", to_json(row.user));
                        return open_session(database, row.user, address, row.user.created);
                    },
                    std::move(attempt.done));
            });
    });
}

void Access::post_sign_out(Shard& caller, std::string secret, std::string address, Done<void> done) {
    const auto session = state_->session(caller, secret);
    if (!session) {  // It has ended already: that is what was wanted.
        return caller.post([done = std::move(done)]() mutable { done({}); });
    }
    audit::Entry entry = make_entry(session->principal.tenant, {session->principal.actor(), std::move(address)},
                                    "session.delete", session->principal.actor());
    state_->post_write<void>(
        caller, std::move(entry),
        [hash = hash_of(secret)](Database& database, audit::Entry&) { return delete_session(database, hash); },
        std::move(done));
}

}  // namespace lineshaft::access
