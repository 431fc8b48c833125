/// Who is this? Users with passwords, sessions, API and device tokens; the claim of the first administrator.
///
/// Secrets are made from 256 random bits; only their SHA-256 is kept, so a stolen database opens no door. Passwords are
/// kept as Argon2id (19 MiB, 2 passes). An unknown name costs as much time as a wrong password.
///
/// Flow:    tokens and sessions are checked on the door's shard against a snapshot, without waiting. What is not in it
///          may have been made a moment ago by the command line: post_check_token asks the file once more, if that was written.
/// Threads: check_… and is_claimed on the named shard; post_… from any shard, `done` on it. Argon2 runs on the hash
///          pool, SQL on the registry's.
/// Errors:  Unauthenticated, Forbidden, TooManyAttempts, InvalidArgument, NotFound, Conflict; Io, DiskFull, Closed.
/// Limits:  below. Every change is in the audit log before it is answered, or it is refused.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/permissions.h"
#include "audit/log.h"
#include "base/time.h"
#include "registry/registry.h"

namespace lineshaft::access {

inline constexpr std::size_t password_bytes_min = 8;
inline constexpr std::size_t password_bytes_max = 1024;
inline constexpr std::size_t name_bytes_max = 64;
inline constexpr int attempts_per_account_max = 10;
inline constexpr int sessions_per_user_max = 20;  // One more ends the one that is idle longest.
inline constexpr int passwords_at_once_max = 64;  // Waiting to be checked; each takes 19 MiB and some 30 ms.
inline constexpr Duration session_idle_max = 12h;
inline constexpr Duration session_age_max = 7 * 24h;

using registry::Actor;
template <class T>
using Done = std::move_only_function<void(Result<T>)>;

struct User {
    UserId id;
    TenantId tenant{1};
    std::string name;
    Role role = Role::Viewer;
    UtcTime created;
    UtcTime last_sign_in;  // None: never.
};

struct Token {
    std::uint64_t id = 0;
    TenantId tenant{1};
    std::string name;
    Role role = Role::Viewer;
    Scopes scopes;
    std::string device;  // Empty: any.
    UtcTime created;
    UtcTime expires;    // None: never.
    UtcTime last_used;  // To the minute.
};

struct NewToken {
    std::string name;
    Role role = Role::Viewer;
    Scopes scopes;
    std::string device;
    UtcTime expires;
};
struct MadeToken {
    std::uint64_t id = 0;
    std::string secret;  // "ls_…", shown this once.
};

/// A session as its owner sees it.
struct Session {
    Principal principal;
    std::string csrf;
    UtcTime expires;
};
struct SignedIn {
    std::string secret;  // For the cookie, shown this once.
    Session session;
};

struct UserChange {
    std::optional<std::string> name;
    std::optional<Role> role;
    std::optional<std::string> password;
};

class Access {
public:
    struct Options {
        std::uint32_t argon2_kib = 19 * 1024;  // Tests take less.
        std::uint32_t argon2_passes = 2;
    };

    /// Opens the tables in the registry's file. `registry`, `hash_pool` and the registry's log outlive it. Blocks;
    /// before the shards start, or on shard 0.
    static Result<std::unique_ptr<Access>> create(registry::Registry& registry, WorkerPool& hash_pool,
                                                  Options options);
    ~Access();

    /// The secret of the one-time link, made anew at each start; empty once there is an administrator.
    const std::string& claim_secret() const { return claim_secret_; }
    bool is_claimed(const Shard& shard) const;
    /// Makes the first administrator. `address` is the client's, without port. Errors: Conflict when claimed already.
    void post_claim(Shard& caller, std::string secret, std::string name, std::string password, std::string address,
                    Done<SignedIn> done);

    /// Errors: Unauthenticated, TooManyAttempts (says how long to wait).
    void post_sign_in(Shard& caller, std::string name, std::string password, std::string address,
                      Done<SignedIn> done);
    void post_sign_out(Shard& caller, std::string secret, std::string address, Done<void> done);
    /// A request with a session cookie. Keeps the session from idling out. Errors: Unauthenticated.
    Result<Session> check_session(const Shard& shard, std::string_view secret) const;

    /// A request with a token. Errors: Unauthenticated (unknown, revoked or expired).
    Result<Principal> check_token(const Shard& shard, std::string_view secret) const;
    /// As check_token; when the token is unknown, looks whether it has just been made by another process.
    void post_check_token(Shard& caller, std::string secret, Done<Principal> done);

    // The callers have checked Action::EditUsers or EditTokens; a user may change the own password.
    void post_users(Shard& caller, TenantId tenant, Done<std::vector<User>> done);
    void post_create_user(Shard& caller, TenantId tenant, std::string name, Role role, std::string password,
                          Actor actor, Done<User> done);
    /// A new password or role ends the user's sessions. Errors: Conflict for the last administrator's role.
    void post_update_user(Shard& caller, TenantId tenant, UserId id, UserChange change, Actor actor, Done<User> done);
    void post_delete_user(Shard& caller, TenantId tenant, UserId id, Actor actor, Done<void> done);
    void post_tokens(Shard& caller, TenantId tenant, Done<std::vector<Token>> done);
    void post_create_token(Shard& caller, TenantId tenant, NewToken token, Actor actor, Done<MadeToken> done);
    void post_delete_token(Shard& caller, TenantId tenant, std::uint64_t id, Actor actor, Done<void> done);

    /// Calls `changed` on `shard` when a token or user has gone or changed, so that a door can cut live connections:
    /// it asks is_valid(principal) for each. Lives as long as Access.
    void on_change(const Shard& shard, std::function<void()> changed);
    /// Whether the user or token behind `principal` still exists with that role. Own shard.
    bool is_valid(const Shard& shard, const Principal& principal) const;

    /// Writes out when sessions and tokens were last used; `done` runs on `shard`.
    void close(Shard& shard, std::move_only_function<void()> done);

private:
    class State;
    explicit Access(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
    std::string claim_secret_;
};

/// Makes a token in the file of a data directory, whether the server runs or not. Blocks. For the command line.
Result<MadeToken> create_token_offline(const std::string& database_path, NewToken token, UtcTime now);

/// The same for a person who has lost the password: sets a new one, or makes the user. Ends the sessions. Blocks.
Result<User> set_password_offline(const std::string& database_path, std::string name, Role role, std::string password,
                                  UtcTime now);

}  // namespace lineshaft::access
