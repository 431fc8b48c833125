#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

struct Options {
    std::string source, prefix, from, to, by, asset;
    std::size_t limit = 100;
    bool hours = false;
};

const std::vector<Column> source_columns = {{"source", "source"},
                                            {"complete", "complete"},
                                            {"samples", "samples"},
                                            {"last heard", "last_heard"},
                                            {"presence", "presence"},
                                            {"refused", "refused"},
                                            {"lost on the way", "own_missing"}};
const std::vector<Column> hour_columns = {{"hour", "hour"},         {"source", "source"}, {"shard", "shard"},
                                          {"assigned", "assigned"}, {"stored", "stored"}, {"refused", "refused"}};
const std::vector<Column> quality_columns = {{"path", "path"},
                                             {"tags", "tags"},
                                             {"badness", "badness"},
                                             {"silent", "silent"},
                                             {"missing", "missing"},
                                             {"bad", "bad"},
                                             {"late", "late"},
                                             {"stuck", "stuck"},
                                             {"skew, s", "clock_skew_s"},
                                             {"out of range", "out_of_range"},
                                             {"refused", "refused"}};

void add_parameter(std::string& query, const char* name, const std::string& value) {
    if (value.empty()) return;
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, percent_encoded(value));
}

Result<Exit> sources(const Client& client, const Options& options, const Output& output) {
    std::string query;
    add_parameter(query, "prefix", options.prefix.empty() ? options.source : options.prefix);
    const Json items = TRY(client.list("/api/v1/ledger/sources" + query));
    print_items(items, source_columns, output);
    bool complete = true;
    for (const Json& item : items) complete &= item.value("complete", false);
    // Scripts ask "is everything stored?" and look at the exit code.
    return complete ? Exit::Ok : Exit::Partial;
}

Result<Exit> hours(const Client& client, const Options& options, const Output& output) {
    std::string query;
    add_parameter(query, "source", options.source);
    add_parameter(query, "from", options.from);
    add_parameter(query, "to", options.to);
    Json answer = TRY(client.get("/api/v1/ledger" + query));
    if (format_of(output) == "table") {
        for (Json& item : answer["items"]) {
            std::uint64_t count = 0;
            for (const Json& refused : item["refused"]) count += refused.value("count", std::uint64_t{0});
            item["refused"] = count;
        }
    }
    print_items(answer["items"], hour_columns, output);
    if (answer.value("more", false)) hint(output, "there are later hours: narrow it with --from, --to or a source");
    return Exit::Ok;
}

Result<Exit> quality(const Client& client, const Options& options, const Output& output) {
    std::string query;
    add_parameter(query, "prefix", options.prefix);
    add_parameter(query, "asset", options.asset);
    add_parameter(query, "by", options.by);
    add_parameter(query, "from", options.from);
    add_parameter(query, "to", options.to);
    add_parameter(query, "limit", std::to_string(options.limit));
    const Json answer = TRY(client.get("/api/v1/data-quality" + query));
    print_items(answer["items"], quality_columns, output);
    if (answer.value("items_more", 0) > 0)
        hint(output, fmt::format("{} more: raise --limit or drill down with a path", answer.value("items_more", 0)));
    return Exit::Ok;
}

}  // namespace

void add_ledger(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto options = std::make_shared<Options>();
    CLI::App* command =
        app.add_subcommand("ledger", "Is everything of a source stored? What came when, what was refused");
    command->add_option("source", options->source, "A source or the beginning of its name: mqtt/filler-1");
    command->add_flag("--hours", options->hours, "Hour by hour instead of all in all; the source's whole name");
    command->add_option("--from", options->from, "With --hours: first hour (now-24h)");
    command->add_option("--to", options->to, "With --hours: end");
    add_server_options(*command, *server);
    when_chosen(*command, server, action, [=](const Client& client) {
        return options->hours ? hours(client, *options, server->output) : sources(client, *options, server->output);
    });
}

void add_quality(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("quality", "Late, missing, stuck, out of range, skewed: worst first");
    command->add_option("path", options->prefix, "Only what lies below");
    command->add_option("--asset", options->asset, "The devices of an asset, by path or id");
    command->add_option("--by", options->by, "level, device or tag");
    command->add_option("--from", options->from, "now-24h, a time");
    command->add_option("--to", options->to, "now, a time");
    command->add_option("--limit", options->limit, "At most so many lines");
    add_server_options(*command, *server);
    when_chosen(*command, server, action,
                [=](const Client& client) { return quality(client, *options, server->output); });
}

}  // namespace lineshaft::cli
