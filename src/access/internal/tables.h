/// Users, passwords, sessions and tokens in SQL.
///
/// Threads: SQL pool (or a program of its own beside the server).
/// Formats: docs/formats/registry.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/internal/directory.h"
#include "registry/database.h"

namespace lineshaft::access {

using registry::Database;

Result<void> migrate(Database& database);

/// Everything; sessions that have ended are left out. The times of last use in `before` are carried on where newer.
Result<std::shared_ptr<const Directory>> read_directory(Database& database, const Directory* before, UtcTime now);

struct UserRow {
    User user;
    std::string password;  // Encoded.
};
/// By name, ASCII letters in any case. Null when there is none.
Result<std::optional<UserRow>> find_user(Database& database, std::string_view name);
Result<std::optional<UserRow>> find_user(Database& database, UserId id);
/// Errors: Conflict (the name is taken).
Result<UserId> insert_user(Database& database, const UserRow& row);
Result<void> update_user(Database& database, const UserRow& row, UtcTime now);
Result<void> delete_user(Database& database, UserId id);
Result<void> save_sign_in(Database& database, UserId id, UtcTime now);
Result<std::int64_t> count_administrators(Database& database, TenantId tenant);

Result<void> insert_session(Database& database, const Hash& hash, UserId user, const std::string& address,
                            UtcTime now);
/// Ends those idle longest so that at most `count` are left.
Result<void> keep_newest_sessions(Database& database, UserId user, int count);
Result<void> delete_session(Database& database, const Hash& hash);
Result<void> delete_sessions_of(Database& database, UserId user);
Result<void> delete_old_sessions(Database& database, UtcTime now);
Result<void> save_last_uses(Database& database, const Directory& directory);

Result<std::uint64_t> insert_token(Database& database, const Hash& hash, const Token& token, const std::string& by);
Result<void> delete_token(Database& database, std::uint64_t id);

/// What the command line did beside a server, which alone may write the audit log: left here for it.
struct Note {
    UtcTime time;
    std::string action;
    std::string target;
    std::string detail;
};
Result<void> insert_note(Database& database, const Note& note);
Result<std::vector<Note>> read_notes(Database& database);
Result<void> delete_notes(Database& database, std::size_t count);

/// JSON for the audit log; nothing secret.
std::string to_json(const User& user);
std::string to_json(const Token& token);

}  // namespace lineshaft::access
