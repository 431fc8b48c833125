#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

const std::vector<Column> fields = {{"version", "version"},
                                    {"up, seconds", "uptime_s"},
                                    {"shards", "shards"},
                                    {"HTTP", "ports/http"},
                                    {"HTTPS", "ports/https"},
                                    {"MQTT", "ports/mqtt"},
                                    {"MQTTS", "ports/mqtts"},
                                    {"store", "store/state"},
                                    {"series", "store/series"},
                                    {"samples", "store/samples"},
                                    {"bytes on disk", "store/bytes"},
                                    {"bytes a sample", "store/bytes_per_sample"},
                                    {"log bytes", "store/wal_bytes"},
                                    {"disk free, bytes", "store/disk_free_bytes"},
                                    {"samples a second", "ingest/samples_per_second"},
                                    {"by protocol", "ingest/by_protocol"},
                                    {"MQTT connections", "mqtt/connections"},
                                    {"MQTT sessions", "mqtt/sessions"},
                                    {"subscriptions", "mqtt/subscriptions"},
                                    {"retained", "mqtt/retained"}};

Result<Exit> status(const ServerOptions& server) {
    const Client client = TRY(Client::create(server));
    const Json answer = TRY(client.get("/api/v1/status"));
    print_object(answer, fields, server.output);
    if (format_of(server.output) != "table") return Exit::Ok;
    if (answer.contains("refused") && !answer["refused"].empty()) {
        std::printf("\nrefused:\n");
        print_items(answer["refused"], {{"what", "what"}, {"reason", "reason"}, {"count", "count"}, {"last", "last"}},
                    server.output);
    }
    for (const Json& warning : answer.value("warnings", Json::array())) {
        std::fprintf(stderr, "warning: %s\n  try  %s\n", warning.value("text", "").c_str(),
                     warning.value("remedy", "").c_str());
    }
    return Exit::Ok;
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    CLI::App* command = app.add_subcommand("status", "Health, rates, what was refused and why");
    add_server_options(*command, *server);
    command->callback([=, &action] { action = [=] { return finish([&] { return status(*server); }); }; });
}

}  // namespace lineshaft::cli
