#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

const std::vector<Column> user_columns = {
    {"name", "name"}, {"role", "role"}, {"created", "created"}, {"last sign-in", "last_sign_in"}, {"id", "id"}};

/// From stdin, without echo on a terminal.
std::string read_password() {
    const bool terminal = ::isatty(STDIN_FILENO) != 0;
    termios before{};
    if (terminal) {
        std::fprintf(stderr, "password: ");
        ::tcgetattr(STDIN_FILENO, &before);
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    }
    std::string password;
    std::getline(std::cin, password);
    if (terminal) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
        std::fprintf(stderr, "\n");
    }
    return password;
}

Result<Json> user_named(const Client& client, const std::string& name) {
    for (const Json& user : TRY(client.list("/api/v1/users"))) {
        if (user.value("name", "") == name) return user;
    }
    return fail(ErrorCode::NotFound, fmt::format("there is no user '{}': see `lineshaft user list`", name));
}

}  // namespace

void add_user(CLI::App& app, Action& action) {
    CLI::App* user = app.add_subcommand("user", "Users: list, add, change, remove");
    user->require_subcommand(1);
    auto server = std::make_shared<ServerOptions>();
    struct Words {
        std::string name, role;
        bool password = false;
    };
    auto words = std::make_shared<Words>();

    CLI::App* list = user->add_subcommand("list", "All users");
    add_server_options(*list, *server);
    when_chosen(*list, server, action, [=](const Client& client) -> Result<Exit> {
        print_items(TRY(client.list("/api/v1/users")), user_columns, server->output);
        return Exit::Ok;
    });

    CLI::App* add = user->add_subcommand("add", "A new user; the password is asked for or read from stdin");
    add->add_option("name", words->name, "Name")->required();
    add->add_option("--role", words->role, "administrator, engineer, operator or viewer")->required();
    add->add_flag_callback("--password-stdin", [] {}, "Read the password from stdin");
    add_server_options(*add, *server);
    when_chosen(*add, server, action, [=](const Client& client) -> Result<Exit> {
        const Json body = {{"name", words->name}, {"role", words->role}, {"password", read_password()}};
        print_object(TRY(client.post("/api/v1/users", body)), user_columns, server->output);
        return Exit::Ok;
    });

    CLI::App* set = user->add_subcommand("set", "Change role or password");
    set->add_option("name", words->name, "Name")->required();
    set->add_option("--role", words->role, "administrator, engineer, operator or viewer");
    set->add_flag("--password-stdin", words->password, "Read a new password from stdin");
    add_server_options(*set, *server);
    when_chosen(*set, server, action, [=](const Client& client) -> Result<Exit> {
        const Json found = TRY(user_named(client, words->name));
        Json body = Json::object();
        if (!words->role.empty()) body["role"] = words->role;
        if (words->password) body["password"] = read_password();
        print_object(TRY(client.patch("/api/v1/users/" + found.value("id", ""), body)), user_columns, server->output);
        return Exit::Ok;
    });

    CLI::App* remove = user->add_subcommand("remove", "Remove a user and the sessions");
    remove->add_option("name", words->name, "Name")->required();
    remove->add_flag_callback("--yes", [] {}, "Do not ask");
    add_server_options(*remove, *server);
    when_chosen(*remove, server, action, [=](const Client& client) -> Result<Exit> {
        const Json found = TRY(user_named(client, words->name));
        TRY(client.remove("/api/v1/users/" + found.value("id", "")));
        hint(server->output, fmt::format("{} removed", words->name));
        return Exit::Ok;
    });
}

}  // namespace lineshaft::cli
