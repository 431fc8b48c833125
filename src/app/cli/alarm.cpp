#include <charconv>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

const std::vector<Column> alarm_columns = {{"id", "id"},          {"priority", "priority"}, {"state", "state"},
                                           {"name", "name"},      {"limit", "limit"},       {"tag", "tag_path"},
                                           {"value", "value"},    {"raised", "raised"},     {"by", "acknowledged_by"},
                                           {"comment", "comment"}};

/// "H=80,deadband=2,on-delay=5s,off-delay=10s,priority=2". Errors: InvalidArgument.
Result<Json> limit_from(const std::string& text) {
    Json limit = Json::object();
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
        const auto equals = part.find('=');
        const auto bad = [&] {
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("limit '{}': write it like H=80,deadband=2,on-delay=5s,priority=2", part));
        };
        if (equals == std::string_view::npos) return bad();
        const std::string name(part.substr(0, equals)), value(part.substr(equals + 1));
        if (name == "on-delay" || name == "off-delay") {
            const auto duration = TRY(parse_duration(value));
            limit[name == "on-delay" ? "on_delay_s" : "off_delay_s"] = static_cast<double>(duration.count()) / 1e9;
            continue;
        }
        double number = 0;
        const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (code != std::errc{} || end != value.data() + value.size()) return bad();
        if (name == "HH" || name == "H" || name == "L" || name == "LL") {
            limit["kind"] = name;
            limit["threshold"] = number;
        } else if (name == "deadband" || name == "priority") {
            limit[name] = number;
        } else {
            return bad();
        }
    }
    return limit;
}

struct RuleWords {
    std::string tag, name, consequence, operator_action, id;
    std::vector<std::string> limits;
};

Result<Exit> add_rule(const ServerOptions& server, const RuleWords& words) {
    Json body = {{"tag_path", words.tag},
                 {"limits", Json::array()},
                 {"consequence", words.consequence},
                 {"action", words.operator_action}};
    if (!words.name.empty()) body["name"] = words.name;
    for (const std::string& limit : words.limits) body["limits"].push_back(TRY(limit_from(limit)));
    const Client client = TRY(Client::create(server));
    const Json preview =
        TRY(client.post("/api/v1/alarm-rules:preview", {{"tag_path", words.tag}, {"limits", body["limits"]}}));
    const Json rule = TRY(client.post("/api/v1/alarm-rules", body));
    print_object(rule, {{"id", "id"}, {"name", "name"}, {"tag", "tag_path"}, {"limits", "limits"}}, server.output);
    hint(server.output, fmt::format("it would have fired {} times in the last day", preview.value("fired", 0)));
    return Exit::Ok;
}

void add_rule_commands(CLI::App& alarm, const std::shared_ptr<ServerOptions>& server, Action& action) {
    auto words = std::make_shared<RuleWords>();
    CLI::App* rule = alarm.add_subcommand("rule", "Alarm rules: add, remove");
    rule->require_subcommand(1);
    CLI::App* add = rule->add_subcommand("add", "Limits of a tag that raise alarms");
    add->add_option("tag", words->tag, "Path of the tag")->required();
    add->add_option("--limit", words->limits, "Like H=80,deadband=2,on-delay=5s,priority=2; repeat for HH, L, LL")
        ->required();
    add->add_option("--name", words->name, "What the alarm says");
    add->add_option("--consequence", words->consequence, "What happens if nobody acts");
    add->add_option("--action", words->operator_action, "What the operator shall do");
    add_server_options(*add, *server);
    add->callback([=, &action] { action = [=] { return finish([&] { return add_rule(*server, *words); }); }; });

    CLI::App* remove = rule->add_subcommand("remove", "Remove a rule");
    remove->add_option("id", words->id, "Id, from `lineshaft alarm rules`")->required();
    add_server_options(*remove, *server);
    when_chosen(*remove, server, action, [=](const Client& client) -> Result<Exit> {
        TRY(client.remove("/api/v1/alarm-rules/" + words->id));
        return Exit::Ok;
    });

    CLI::App* rules = alarm.add_subcommand("rules", "All alarm rules");
    add_server_options(*rules, *server);
    when_chosen(*rules, server, action, [=](const Client& client) -> Result<Exit> {
        print_items(
            TRY(client.list("/api/v1/alarm-rules")),
            {{"id", "id"}, {"name", "name"}, {"tag", "tag_path"}, {"enabled", "enabled"}, {"limits", "limits"}},
            server->output);
        return Exit::Ok;
    });
}

}  // namespace

void add_alarm(CLI::App& app, Action& action) {
    CLI::App* alarm = app.add_subcommand("alarm", "Alarms: list, acknowledge, journal, rules");
    alarm->require_subcommand(1);
    auto server = std::make_shared<ServerOptions>();
    struct Words {
        bool all = false;
        std::vector<std::string> ids;
        std::string comment, from, tag;
    };
    auto words = std::make_shared<Words>();

    CLI::App* list = alarm->add_subcommand("list", "Alarms that are active or not acknowledged");
    list->add_flag("--all", words->all, "Also those that ended a short while ago");
    add_server_options(*list, *server);
    when_chosen(*list, server, action, [=](const Client& client) -> Result<Exit> {
        print_items(TRY(client.list(words->all ? "/api/v1/alarms?state=all" : "/api/v1/alarms")), alarm_columns,
                    server->output);
        return Exit::Ok;
    });

    CLI::App* ack = alarm->add_subcommand("ack", "Acknowledge alarms");
    ack->add_option("id", words->ids, "Ids, from `lineshaft alarm list`")->required();
    ack->add_option("--comment", words->comment, "What you know about it");
    add_server_options(*ack, *server);
    when_chosen(*ack, server, action, [=](const Client& client) -> Result<Exit> {
        for (const std::string& id : words->ids)
            TRY(client.post("/api/v1/alarms/" + percent_encoded(id) + ":ack", {{"comment", words->comment}}));
        hint(server->output, fmt::format("{} acknowledged", words->ids.size()));
        return Exit::Ok;
    });

    CLI::App* journal = alarm->add_subcommand("journal", "What happened, newest first");
    journal->add_option("--from", words->from, "From when, like now-8h");
    journal->add_option("--tag", words->tag, "Path of a tag");
    add_server_options(*journal, *server);
    when_chosen(*journal, server, action, [=](const Client& client) -> Result<Exit> {
        const std::string query = "/api/v1/alarm-journal?limit=1000&from=" + percent_encoded(words->from) +
                                  "&tag=" + percent_encoded(words->tag);
        print_items(TRY(client.list(query)),
                    {{"time", "time"},
                     {"event", "event"},
                     {"priority", "priority"},
                     {"name", "name"},
                     {"limit", "limit"},
                     {"tag", "tag_path"},
                     {"value", "value"},
                     {"by", "by"},
                     {"comment", "comment"}},
                    server->output);
        return Exit::Ok;
    });
    add_rule_commands(*alarm, server, action);
}

}  // namespace lineshaft::cli
