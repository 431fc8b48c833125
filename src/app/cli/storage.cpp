#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "base/time.h"

namespace lineshaft::cli {
namespace {

const std::vector<Column> fields = {{"state", "state"},
                                    {"series", "series"},
                                    {"samples", "samples"},
                                    {"bytes", "bytes"},
                                    {"bytes a value", "bytes_per_value"},
                                    {"values a second", "write_rate"},
                                    {"log bytes", "wal_bytes"},
                                    {"oldest", "oldest"},
                                    {"newest", "newest"},
                                    {"merging", "compaction/running"},
                                    {"merge backlog", "compaction/backlog"},
                                    {"written per byte", "compaction/write_amplification"},
                                    {"cold path", "cold/path"},
                                    {"cold bytes", "cold/bytes"},
                                    {"cold files missing", "cold/segments_missing"},
                                    {"disk free", "disk/free"},
                                    {"bytes a day", "disk/bytes_per_day"},
                                    {"disk full", "disk/full_at"}};

const std::vector<Column> day_columns = {{"from", "from"},       {"to", "to"},       {"segments", "segments"},
                                         {"samples", "samples"}, {"bytes", "bytes"}, {"damaged", "damaged_blocks"},
                                         {"cold", "cold"}};

const std::vector<Column> rule_columns = {
    {"id", "id"},       {"position", "position"},      {"name", "name"},
    {"match", "match"}, {"raw, seconds", "raw_age_s"}, {"raw, bytes", "raw_bytes"},
    {"tiers", "tiers"}};

const std::vector<Column> effect_columns = {
    {"rule", "rule"}, {"series", "series"}, {"samples", "samples"}, {"bytes", "bytes"}};

Result<Exit> show(const ServerOptions& server, bool days) {
    const Client client = TRY(Client::create(server));
    const Json answer = TRY(client.get("/api/v1/storage"));
    if (days)
        print_items(answer.value("days", Json::array()), day_columns, server.output);
    else
        print_object(answer, fields, server.output);
    if (format_of(server.output) != "table") return Exit::Ok;
    for (const Json& damage : answer.value("damage", Json::array())) {
        std::fprintf(stderr, "damaged: %s %s from %s to %s: %s\n", damage.value("file", "").c_str(),
                     damage["tag_path"].is_string() ? damage["tag_path"].get<std::string>().c_str() : "",
                     damage["from"].is_string() ? damage["from"].get<std::string>().c_str() : "?",
                     damage["to"].is_string() ? damage["to"].get<std::string>().c_str() : "?",
                     damage.value("why", "").c_str());
    }
    return Exit::Ok;
}

struct RuleOptions {
    std::string id, name, match, raw_age;
    double raw_bytes = 0;
    int position = 100;
    std::vector<std::string> tiers;
};

Result<double> seconds_of(const std::string& text) {
    return static_cast<double>(TRY(parse_duration(text)).count()) / 1e9;
}

/// "1m", or "1h=1825d": that resolution, for that long.
Result<Json> tier_of(const std::string& text) {
    const std::size_t at = text.find('=');
    Json tier = {{"resolution_s", TRY(seconds_of(text.substr(0, at)))}, {"age_s", nullptr}};
    if (at != std::string::npos) tier["age_s"] = TRY(seconds_of(text.substr(at + 1)));
    return tier;
}

Result<Json> rule_of(const RuleOptions& options) {
    Json rule = {{"match", options.match}, {"position", options.position}, {"tiers", Json::array()}};
    if (!options.name.empty()) rule["name"] = options.name;
    if (!options.raw_age.empty()) rule["raw_age_s"] = TRY(seconds_of(options.raw_age));
    if (options.raw_bytes > 0) rule["raw_bytes"] = options.raw_bytes;
    for (const std::string& tier : options.tiers) rule["tiers"].push_back(TRY(tier_of(tier)));
    return rule;
}

Result<Exit> list_rules(const ServerOptions& server) {
    const Client client = TRY(Client::create(server));
    const Json answer = TRY(client.get("/api/v1/retention-rules"));
    print_items(answer["items"], rule_columns, server.output);
    return Exit::Ok;
}

Result<Exit> add_rule(const ServerOptions& server, const RuleOptions& options) {
    const Client client = TRY(Client::create(server));
    const Json rule = TRY(rule_of(options));
    const Json answer = TRY(client.post("/api/v1/retention-rules", rule));
    print_object(answer, rule_columns, server.output);
    return Exit::Ok;
}

Result<Exit> preview_rule(const ServerOptions& server, const RuleOptions& options) {
    const Client client = TRY(Client::create(server));
    Json body = Json::object();
    if (!options.match.empty()) body = TRY(rule_of(options));
    const Json answer = TRY(client.post("/api/v1/retention-rules:preview", body));
    print_items(answer["items"], effect_columns, server.output);
    return Exit::Ok;
}

Result<Exit> delete_rule(const ServerOptions& server, const RuleOptions& options) {
    const Client client = TRY(Client::create(server));
    TRY(client.remove("/api/v1/retention-rules/" + options.id));
    return Exit::Ok;
}

struct EraseOptions {
    std::vector<std::string> tags;
    std::string match, from, to, reason;
    bool yes = false;
};

Result<Exit> erase(const ServerOptions& server, const EraseOptions& options) {
    if (!options.yes)
        return fail(ErrorCode::Usage, "erasing cannot be taken back: add --yes when this is what you want");
    Json body = {{"from", options.from}, {"to", options.to}, {"reason", options.reason}};
    if (!options.tags.empty()) body["tags"] = options.tags;
    if (!options.match.empty()) body["match"] = options.match;
    const Client client = TRY(Client::create(server));
    const Json answer = TRY(client.post("/api/v1/history:erase", body));
    print_object(answer, {{"series", "series"}, {"samples", "samples"}}, server.output);
    return Exit::Ok;
}

void add_rule_options(CLI::App& command, RuleOptions& options) {
    command.add_option("match", options.match,
                       "Tag paths: Acme/Lyon/** is a subtree, **/temperature a name anywhere");
    command.add_option("--name", options.name, "For people");
    command.add_option("--raw", options.raw_age, "How long samples stay, like 730d; for ever without it");
    command.add_option("--raw-bytes", options.raw_bytes, "How much room they may take together");
    command.add_option("--tier", options.tiers, "What stays longer: 1s, 1m, 1h or 1d, for ever or as 1m=3650d");
    command.add_option("--position", options.position, "The first rule that matches counts; lower ones come first");
}

}  // namespace

void add_storage(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto rule = std::make_shared<RuleOptions>();
    auto erasing = std::make_shared<EraseOptions>();
    auto days = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand("storage", "The room that history takes, and what leaves when");
    command->add_flag("--days", *days, "Day by day");
    add_server_options(*command, *server);
    command->callback([=, &action] {
        if (command->get_subcommands().empty()) action = [=] { return finish([&] { return show(*server, *days); }); };
    });

    CLI::App* retention = command->add_subcommand("retention", "Rules: what stays how long");
    retention->require_subcommand(1);
    const auto add = [&](CLI::App& parent, const char* name, const char* help, auto work) {
        CLI::App* sub = parent.add_subcommand(name, help);
        add_server_options(*sub, *server);
        sub->callback([work, &action] { action = [work] { return finish(work); }; });
        return sub;
    };
    add(*retention, "list", "The rules, in their order", [=] { return list_rules(*server); });
    CLI::App* created = add(*retention, "add", "A new rule", [=] { return add_rule(*server, *rule); });
    add_rule_options(*created, *rule);
    created->get_option("match")->required();
    CLI::App* preview = add(*retention, "preview", "What the rules, and one more, would free now",
                            [=] { return preview_rule(*server, *rule); });
    add_rule_options(*preview, *rule);
    CLI::App* removed = add(*retention, "delete", "Take a rule away", [=] { return delete_rule(*server, *rule); });
    removed->add_option("id", rule->id, "Of the rule")->required();

    CLI::App* gone =
        add(*command, "erase", "Take the samples of a range away for good", [=] { return erase(*server, *erasing); });
    gone->add_option("tags", erasing->tags, "Paths or ids");
    gone->add_option("--match", erasing->match, "Or a pattern over paths");
    gone->add_option("--from", erasing->from, "First source time")->required();
    gone->add_option("--to", erasing->to, "End, not included")->required();
    gone->add_option("--reason", erasing->reason, "Why: kept in the audit log")->required();
    gone->add_flag("--yes", erasing->yes, "I mean it");
}

}  // namespace lineshaft::cli
