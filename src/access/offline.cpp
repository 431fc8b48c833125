// What the command line does in the file itself, whether a server has it open or not. The server notices within two
// seconds, or as soon as a token that it does not know arrives.
#include <fmt/format.h>

#include "access/access.h"
#include "access/internal/state.h"

namespace lineshaft::access {
namespace {

Result<std::unique_ptr<Database>> open_file(const std::string& path, UtcTime now) {
    auto database = TRY(registry::open_database(path, now));
    TRY_VOID(migrate(*database));
    return database;
}

}  // namespace

Result<MadeToken> create_token_offline(const std::string& database_path, NewToken wanted, UtcTime now) {
    TRY_VOID(check_new_token(wanted, now));
    auto database = TRY(open_file(database_path, now));
    Token token = token_from(wanted, TenantId(1), now);
    MadeToken made;
    made.secret = make_token_secret();
    auto transaction = TRY(database->begin());
    made.id = TRY(insert_token(*database, hash_of(made.secret), token, "local"));
    TRY_VOID(insert_note(*database, {now, "token.create", fmt::format("token {} {}", made.id, token.name),
                                     fmt::format(R"({{"before":null,"after":{}}})", to_json(token))}));
    TRY_VOID(transaction.commit());
    return made;
}

Result<User> set_password_offline(const std::string& database_path, std::string name, Role role, std::string password,
                                  UtcTime now) {
    TRY_VOID(check_user_name(name));
    TRY_VOID(check_password(name, password));
    auto database = TRY(open_file(database_path, now));
    const std::string encoded = must_hash_password(password, {});
    auto transaction = TRY(database->begin());
    auto known = TRY(find_user(*database, name));
    UserRow row;
    if (known) {
        row = std::move(*known);
        row.password = encoded;
        TRY_VOID(update_user(*database, row, now));
        TRY_VOID(delete_sessions_of(*database, row.user.id));
    } else {
        row.user.name = std::move(name);
        row.user.role = role;
        row.user.created = now;
        row.password = encoded;
        row.user.id = TRY(insert_user(*database, row));
    }
    TRY_VOID(insert_note(*database, {now, known ? "user.set_password" : "user.create",
                                     fmt::format("user {} {}", row.user.id.value(), row.user.name),
                                     fmt::format(R"({{"after":{}}})", to_json(row.user))}));
    TRY_VOID(transaction.commit());
    return row.user;
}

}  // namespace lineshaft::access
