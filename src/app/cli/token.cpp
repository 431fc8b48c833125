#include <cstdio>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "access/access.h"
#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"
#include "runtime/clock.h"
#include "runtime/disk.h"

namespace lineshaft::cli {
namespace {

struct TokenOptions {
    ServerOptions server;
    std::string name = "command line", role, device, expires;
    std::vector<std::string> scopes;
};

Result<access::NewToken> new_token(const TokenOptions& options) {
    access::NewToken token;
    token.name = options.name;
    token.device = options.device;
    if (!options.role.empty()) token.role = TRY(access::role_from_text(options.role));
    for (const std::string& scope : options.scopes) token.scopes.add(TRY(access::scope_from_text(scope)));
    if (!options.device.empty() && options.scopes.empty()) token.scopes.add(access::Scope::TelemetryWrite);
    if (!options.expires.empty()) token.expires = TRY(parse_time(options.expires, system_clock().utc_now()));
    return token;
}

Result<std::string> create(const TokenOptions& options) {
    const char* named = std::getenv("LINESHAFT_DATA");
    std::string data = options.server.data;
    if (data.empty()) data = named && *named ? named : app::default_data_directory();
    TRY_VOID(make_system_disk()->make_directory(data));
    auto token = TRY(new_token(options));
    return TRY(access::create_token_offline(registry::database_path(data), std::move(token),
                                            system_clock().utc_now()))
        .secret;
}

/// A house that was named by its address, and no directory: it makes the token itself.
bool is_elsewhere(const TokenOptions& options) {
    if (!options.server.data.empty()) return false;
    return !options.server.server.empty() || std::getenv("LINESHAFT_SERVER");
}

Result<std::string> ask_for(const TokenOptions& options) {
    const Client client = TRY(Client::create(options.server));
    Json body = {{"name", options.name}, {"scopes", options.scopes}};
    if (!options.role.empty()) body["role"] = options.role;
    if (!options.device.empty()) body["device"] = options.device;
    if (!options.expires.empty()) body["expires"] = options.expires;
    return TRY(client.post("/api/v1/tokens", body)).value("token", "");
}

}  // namespace

void add_token(CLI::App& app, Action& action) {
    CLI::App* token = app.add_subcommand("token", "API and device tokens");
    token->require_subcommand(1);
    auto options = std::make_shared<TokenOptions>();
    CLI::App* command = token->add_subcommand(
        "create", "Make a token: for the house in --data, whether it runs or not, or for the one at --server");
    add_server_options(*command, options->server);
    command->add_option("--name", options->name, "For whom or what");
    auto* role = command->add_option("--role", options->role, "administrator, engineer, operator or viewer");
    auto* device = command->add_option("--device", options->device, "A device: its own telemetry, nothing else");
    command->add_option("--scope", options->scopes, "Narrows it: data:read, telemetry:write, command:write, …");
    command->add_option("--expires", options->expires, "A time, or now+90d");
    command->callback([options, role, device, &action] {
        if (!*role && !*device) throw CLI::RequiredError("--role or --device");
        action = [options] {
            const auto secret = is_elsewhere(*options) ? ask_for(*options) : create(*options);
            if (!secret) return report(secret.error());
            std::printf("%s\n", secret->c_str());
            return Exit::Ok;
        };
    });

    auto server = std::make_shared<ServerOptions>();
    auto id = std::make_shared<std::string>();
    CLI::App* list = token->add_subcommand("list", "All tokens, without their secrets");
    add_server_options(*list, *server);
    when_chosen(*list, server, action, [=](const Client& client) -> Result<Exit> {
        print_items(TRY(client.list("/api/v1/tokens")),
                    {{"id", "id"},
                     {"name", "name"},
                     {"role", "role"},
                     {"scopes", "scopes"},
                     {"device", "device"},
                     {"expires", "expires"},
                     {"last used", "last_used"}},
                    server->output);
        return Exit::Ok;
    });
    CLI::App* remove = token->add_subcommand("remove", "Revoke a token");
    remove->add_option("id", *id, "Id, from `lineshaft token list`")->required();
    remove->add_flag_callback("--yes", [] {}, "Do not ask");
    add_server_options(*remove, *server);
    when_chosen(*remove, server, action, [=](const Client& client) -> Result<Exit> {
        TRY(client.remove("/api/v1/tokens/" + percent_encoded(*id)));
        hint(server->output, fmt::format("token {} revoked", *id));
        return Exit::Ok;
    });
}

}  // namespace lineshaft::cli
