#include "access/internal/tables.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lineshaft::access {
namespace {

using Json = nlohmann::ordered_json;
using Statement = Database::Statement;

constexpr std::string_view version_1 = R"sql(
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    role INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_sign_in INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    secret TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (user, kind)
) STRICT;

CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user);

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    scopes INTEGER NOT NULL,
    device TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    last_used INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
)sql";

constexpr registry::Migration migrations[] = {{1, version_1}};
constexpr int password_kind = 1;  // On disk. Append only.

constexpr std::string_view user_columns =
    "users.id, users.tenant, users.name, users.role, users.created, users.last_sign_in, credentials.secret";

UserRow user_at(const Statement& s) {
    UserRow row;
    row.user.id = UserId(static_cast<std::uint64_t>(s.integer(0)));
    row.user.tenant = TenantId(static_cast<std::uint32_t>(s.integer(1)));
    row.user.name = s.text(2);
    row.user.role = static_cast<Role>(s.integer(3));
    row.user.created = UtcTime(s.integer(4));
    row.user.last_sign_in = UtcTime(s.integer(5));
    row.password = s.text(6);
    return row;
}

std::string select_users(std::string_view rest) {
    return fmt::format(
        "SELECT {} FROM users LEFT JOIN credentials ON credentials.user = users.id AND "
        "credentials.kind = 1 {}",
        user_columns, rest);
}

Hash hash_at(const Statement& s, int column) {
    Hash hash{};
    const Bytes bytes = s.blob(column);
    if (bytes.size() == hash.size()) std::copy(bytes.begin(), bytes.end(), hash.begin());
    return hash;
}

template <class Entries, class Key>
UtcTime newer_use(const Entries* before, const Key& key, UtcTime saved) {
    if (!before) return saved;
    const auto found = before->find(key);
    return found == before->end() ? saved : std::max(saved, found->second->used.at());
}

Result<void> read_sessions(Database& database, const Directory* before, UtcTime now, Directory& directory) {
    auto s = TRY(database.prepare("SELECT hash, user, created, last_used, address FROM sessions"));
    while (TRY(s.step())) {
        const Hash hash = hash_at(s, 0);
        const UtcTime saved(s.integer(3));
        const UtcTime used = newer_use(before ? &before->sessions : nullptr, hash, saved);
        auto entry = std::shared_ptr<const SessionEntry>(
            new SessionEntry{hash, UserId(static_cast<std::uint64_t>(s.integer(1))), UtcTime(s.integer(2)), s.text(4),
                             LastUse(used), saved});
        if (is_alive(*entry, now)) directory.sessions.emplace(hash, std::move(entry));
    }
    return {};
}

Result<void> read_tokens(Database& database, const Directory* before, Directory& directory) {
    auto s =
        TRY(database.prepare("SELECT id, hash, tenant, name, role, scopes, device, created, expires, last_used "
                             "FROM tokens"));
    while (TRY(s.step())) {
        Token token;
        token.id = static_cast<std::uint64_t>(s.integer(0));
        const Hash hash = hash_at(s, 1);
        token.tenant = TenantId(static_cast<std::uint32_t>(s.integer(2)));
        token.name = s.text(3);
        token.role = static_cast<Role>(s.integer(4));
        token.scopes = Scopes(static_cast<std::uint32_t>(s.integer(5)));
        token.device = s.text(6);
        token.created = UtcTime(s.integer(7));
        token.expires = UtcTime(s.integer(8));
        token.last_used = UtcTime(s.integer(9));
        const UtcTime used = newer_use(before ? &before->tokens : nullptr, hash, token.last_used);
        auto entry = std::shared_ptr<const TokenEntry>(new TokenEntry{hash, std::move(token), LastUse(used)});
        directory.tokens_by_id.emplace(entry->token.id, entry);
        directory.tokens.emplace(hash, std::move(entry));
    }
    return {};
}

Result<std::optional<UserRow>> only_user(Statement& s) {
    if (!TRY(s.step())) return std::optional<UserRow>();
    return std::optional<UserRow>(user_at(s));
}

Result<void> save_password(Database& database, UserId id, const std::string& encoded, UtcTime now) {
    auto s =
        TRY(database.prepare("INSERT INTO credentials (user, kind, secret, changed) VALUES (?, ?, ?, ?) "
                             "ON CONFLICT (user, kind) DO UPDATE SET secret = excluded.secret, "
                             "changed = excluded.changed WHERE secret <> excluded.secret"));
    return s.bind(1, id.value()).bind(2, password_kind).bind(3, encoded).bind(4, now.ns()).run();
}

Error say_name_taken(Error error, const std::string& name) {
    if (error.code() != ErrorCode::Conflict) return error;
    return Error(ErrorCode::Conflict, fmt::format("there is a user '{}' already: choose another name", name));
}

}  // namespace

Result<void> migrate(Database& database) { return database.migrate("access", migrations); }

Result<std::shared_ptr<const Directory>> read_directory(Database& database, const Directory* before, UtcTime now) {
    auto directory = std::make_shared<Directory>();
    auto s = TRY(database.prepare(select_users("")));
    while (TRY(s.step())) {
        auto user = std::make_shared<const User>(user_at(s).user);
        directory->claimed = directory->claimed || user->role == Role::Administrator;
        directory->users.emplace(user->id, user);
    }
    TRY_VOID(read_sessions(database, before, now, *directory));
    TRY_VOID(read_tokens(database, before, *directory));
    return std::shared_ptr<const Directory>(std::move(directory));
}

Result<std::optional<UserRow>> find_user(Database& database, std::string_view name) {
    auto s = TRY(database.prepare(select_users("WHERE users.name = ?")));
    s.bind(1, name);
    return only_user(s);
}

Result<std::optional<UserRow>> find_user(Database& database, UserId id) {
    auto s = TRY(database.prepare(select_users("WHERE users.id = ?")));
    s.bind(1, id.value());
    return only_user(s);
}

Result<UserId> insert_user(Database& database, const UserRow& row) {
    auto s =
        TRY(database.prepare("INSERT INTO users (tenant, name, role, created, last_sign_in) VALUES (?, ?, ?, ?, ?)"));
    s.bind(1, row.user.tenant.value()).bind(2, row.user.name).bind(3, static_cast<int>(row.user.role));
    s.bind(4, row.user.created.ns()).bind(5, row.user.last_sign_in.ns());
    const auto inserted = s.run();
    if (!inserted) return std::unexpected(say_name_taken(inserted.error(), row.user.name));
    const UserId id(static_cast<std::uint64_t>(database.last_row_id()));
    TRY_VOID(save_password(database, id, row.password, row.user.created));
    return id;
}

Result<void> update_user(Database& database, const UserRow& row, UtcTime now) {
    auto s = TRY(database.prepare("UPDATE users SET name = ?2, role = ?3 WHERE id = ?1"));
    s.bind(1, row.user.id.value()).bind(2, row.user.name).bind(3, static_cast<int>(row.user.role));
    const auto updated = s.run();
    if (!updated) return std::unexpected(say_name_taken(updated.error(), row.user.name));
    return save_password(database, row.user.id, row.password, now);
}

Result<void> delete_user(Database& database, UserId id) {
    auto s = TRY(database.prepare("DELETE FROM users WHERE id = ?"));
    return s.bind(1, id.value()).run();
}

Result<void> save_sign_in(Database& database, UserId id, UtcTime now) {
    auto s = TRY(database.prepare("UPDATE users SET last_sign_in = ?2 WHERE id = ?1"));
    return s.bind(1, id.value()).bind(2, now.ns()).run();
}

Result<std::int64_t> count_administrators(Database& database, TenantId tenant) {
    auto s = TRY(database.prepare("SELECT count(*) FROM users WHERE tenant = ? AND role = ?"));
    s.bind(1, tenant.value()).bind(2, static_cast<int>(Role::Administrator));
    const bool found = TRY(s.step());
    return found ? s.integer(0) : 0;
}

Result<void> insert_session(Database& database, const Hash& hash, UserId user, const std::string& address,
                            UtcTime now) {
    auto s = TRY(
        database.prepare("INSERT INTO sessions (hash, user, created, last_used, address) VALUES (?, ?, ?, ?, ?)"));
    return s.bind(1, ByteView(hash)).bind(2, user.value()).bind(3, now.ns()).bind(4, now.ns()).bind(5, address).run();
}

Result<void> keep_newest_sessions(Database& database, UserId user, int count) {
    auto s =
        TRY(database.prepare("DELETE FROM sessions WHERE user = ?1 AND hash NOT IN (SELECT hash FROM sessions "
                             "WHERE user = ?1 ORDER BY last_used DESC LIMIT ?2)"));
    return s.bind(1, user.value()).bind(2, count).run();
}

Result<void> delete_session(Database& database, const Hash& hash) {
    auto s = TRY(database.prepare("DELETE FROM sessions WHERE hash = ?"));
    return s.bind(1, ByteView(hash)).run();
}

Result<void> delete_sessions_of(Database& database, UserId user) {
    auto s = TRY(database.prepare("DELETE FROM sessions WHERE user = ?"));
    return s.bind(1, user.value()).run();
}

Result<void> delete_old_sessions(Database& database, UtcTime now) {
    auto s = TRY(database.prepare("DELETE FROM sessions WHERE created <= ? OR last_used <= ?"));
    return s.bind(1, (now - session_age_max).ns()).bind(2, (now - session_idle_max).ns()).run();
}

Result<void> save_last_uses(Database& database, const Directory& directory) {
    auto session = TRY(database.prepare("UPDATE sessions SET last_used = ?2 WHERE hash = ?1 AND last_used < ?2"));
    for (const auto& [hash, entry] : directory.sessions) {
        if (entry->used.at() == entry->used_saved) continue;
        TRY_VOID(session.bind(1, ByteView(hash)).bind(2, entry->used.at().ns()).run());
    }
    auto token = TRY(database.prepare("UPDATE tokens SET last_used = ?2 WHERE id = ?1 AND last_used < ?2"));
    for (const auto& [id, entry] : directory.tokens_by_id) {
        if (entry->used.at() == entry->token.last_used) continue;
        TRY_VOID(token.bind(1, id).bind(2, entry->used.at().ns()).run());
    }
    return {};
}

Result<std::uint64_t> insert_token(Database& database, const Hash& hash, const Token& token, const std::string& by) {
    auto s =
        TRY(database.prepare("INSERT INTO tokens (hash, tenant, name, role, scopes, device, created, created_by, "
                             "expires, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"));
    s.bind(1, ByteView(hash)).bind(2, token.tenant.value()).bind(3, token.name).bind(4, static_cast<int>(token.role));
    s.bind(5, token.scopes.bits()).bind(6, token.device).bind(7, token.created.ns()).bind(8, by);
    TRY_VOID(s.bind(9, token.expires.ns()).run());
    return static_cast<std::uint64_t>(database.last_row_id());
}

Result<void> delete_token(Database& database, std::uint64_t id) {
    auto s = TRY(database.prepare("DELETE FROM tokens WHERE id = ?"));
    return s.bind(1, id).run();
}

Result<void> insert_note(Database& database, const Note& note) {
    auto s = TRY(database.prepare("INSERT INTO audit_notes (time, action, target, detail) VALUES (?, ?, ?, ?)"));
    return s.bind(1, note.time.ns()).bind(2, note.action).bind(3, note.target).bind(4, note.detail).run();
}

Result<std::vector<Note>> read_notes(Database& database) {
    auto s = TRY(database.prepare("SELECT time, action, target, detail FROM audit_notes ORDER BY id"));
    std::vector<Note> notes;
    while (TRY(s.step())) notes.push_back({UtcTime(s.integer(0)), s.text(1), s.text(2), s.text(3)});
    return notes;
}

Result<void> delete_notes(Database& database, std::size_t count) {
    auto s =
        TRY(database.prepare("DELETE FROM audit_notes WHERE id IN (SELECT id FROM audit_notes ORDER BY id LIMIT ?)"));
    return s.bind(1, count).run();
}

std::string to_json(const User& user) {
    const Json json = {{"name", user.name}, {"role", to_text(user.role)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Token& token) {
    const Json json = {{"name", token.name},
                       {"role", to_text(token.role)},
                       {"scopes", to_text(token.scopes)},
                       {"device", token.device},
                       {"expires", token.expires.is_none() ? Json(nullptr) : Json(to_rfc3339(token.expires))}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lineshaft::access
