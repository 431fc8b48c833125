#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

struct QueryWords {
    std::vector<std::string> tags;
    std::string from = "now-1h", to, resolution = "auto", aggregates, known_at, fill, interpolate, modulus;
    std::size_t width = 0, limit = 0;
};

std::string query_of(const QueryWords& words) {
    std::string query =
        "/api/v1/history?from=" + percent_encoded(words.from) + "&resolution=" + percent_encoded(words.resolution);
    if (!words.to.empty()) query += "&to=" + percent_encoded(words.to);
    if (words.width > 0) query += fmt::format("&width={}", words.width);
    if (words.limit > 0) query += fmt::format("&limit={}", words.limit);
    const auto add = [&query](std::string_view name, const std::string& value) {
        if (!value.empty()) query += fmt::format("&{}={}", name, percent_encoded(value));
    };
    add("aggregates", words.aggregates);
    add("known_at", words.known_at);
    add("fill", words.fill);
    add("interpolate", words.interpolate);
    add("modulus", words.modulus);
    for (const std::string& tag : words.tags) query += "&tag=" + percent_encoded(tag);
    return query;
}

std::string time_text(const Json& ms) { return to_rfc3339(UtcTime(ms.get<std::int64_t>() * 1'000'000)); }

/// What was asked for by name, in that order; `states` as text.
void print_aggregates(const Json& answer, const std::string& names, const Output& output) {
    std::vector<Column> columns = {{"time", "time"}, {"tag", "tag"}};
    for (std::size_t at = 0; at < names.size();) {
        const std::size_t end = std::min(names.find(',', at), names.size());
        const std::string name = names.substr(at, end - at);
        if (!name.empty()) columns.push_back({name, name});
        at = end + 1;
    }
    Json rows = Json::array();
    for (const Json& series : answer["series"]) {
        for (std::size_t i = 0; i < series["times"].size(); ++i) {
            Json row = {{"time", time_text(series["times"][i])}, {"tag", series["path"]}};
            for (std::size_t column = 2; column < columns.size(); ++column) {
                const std::string& name = columns[column].key;
                if (!series.contains(name)) continue;
                const Json& value = series[name][i];
                row[name] = value.is_array() ? Json(value.dump()) : value;
            }
            rows.push_back(std::move(row));
        }
    }
    print_items(rows, columns, output);
}

void print_series(const Json& answer, const Output& output) {
    Json rows = Json::array();
    bool reduced = false;
    for (const Json& series : answer["series"]) {
        const Json& times = series["times"];
        reduced = series["kind"] == "reduced";
        for (std::size_t i = 0; i < times.size(); ++i) {
            Json row = {{"time", time_text(times[i])}, {"tag", series["path"]}, {"unit", series["unit"]}};
            if (!reduced) {
                row["value"] = series["values"][i];
                row["quality"] = series["qualities"][i] == 0 ? Json("Good") : series["qualities"][i];
            } else {
                for (const char* name : {"min", "max", "first", "last", "mean", "count"}) row[name] = series[name][i];
            }
            rows.push_back(std::move(row));
        }
    }
    if (!reduced)
        return print_items(
            rows, {{"time", "time"}, {"tag", "tag"}, {"value", "value"}, {"unit", "unit"}, {"quality", "quality"}},
            output);
    print_items(rows,
                {{"time", "time"},
                 {"tag", "tag"},
                 {"min", "min"},
                 {"max", "max"},
                 {"first", "first"},
                 {"last", "last"},
                 {"mean", "mean"},
                 {"unit", "unit"},
                 {"count", "count"}},
                output);
}

void print_completeness(const Json& answer, const Output& output) {
    for (const Json& series : answer["series"]) {
        const Json& part = series["completeness"];
        if (!part["good"].is_number() || (part["good"] == 1 && part["damaged_blocks"] == 0)) continue;
        hint(output,
             fmt::format("{}: {} samples, {:.1f} % good, {:.1f} % uncertain, {:.1f} % bad", series.value("path", ""),
                         part["samples"].get<std::uint64_t>(), part["good"].get<double>() * 100,
                         part["uncertain"].get<double>() * 100, part["bad"].get<double>() * 100));
    }
}

Result<Exit> query(const ServerOptions& server, const QueryWords& words) {
    const Client client = TRY(Client::create(server));
    const std::string format = format_of(server.output);
    if (format == "csv") {
        const std::string csv = TRY(client.text("GET", query_of(words), "", "", "text/csv"));
        std::fwrite(csv.data(), 1, csv.size(), stdout);
        return Exit::Ok;
    }
    const Json answer = TRY(client.get(query_of(words)));
    if (format == "json") {
        std::printf("%s\n", answer.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
        return Exit::Ok;
    }
    if (!words.aggregates.empty() && words.interpolate.empty())
        print_aggregates(answer, words.aggregates, server.output);
    else
        print_series(answer, server.output);
    print_completeness(answer, server.output);
    return Exit::Ok;
}

}  // namespace

void add_query(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto words = std::make_shared<QueryWords>();
    CLI::App* command = app.add_subcommand("query", "History of tags as table, CSV or JSON");
    command->add_option("tag", words->tags, "Paths of tags")->required();
    command->add_option("--from", words->from, "RFC 3339, epoch, now-8h")->capture_default_str();
    command->add_option("--to", words->to, "The same [now]");
    command->add_option("--resolution", words->resolution, "raw, auto or a duration like 10s")->capture_default_str();
    command->add_option("--width", words->width, "With auto: at most about so many rows");
    command->add_option("--limit", words->limit, "At most so many samples of each tag");
    command->add_option("--aggregates", words->aggregates,
                        "Of each bucket: min,max,mean,twa,sum,count,std,first,last,delta,increase,rate,states,p95,…");
    command->add_option("--known-at", words->known_at, "As it was known at that time");
    command->add_option("--fill", words->fill, "Buckets without samples: none, null, previous or linear");
    command->add_option("--interpolate", words->interpolate, "Values at whole multiples: step or linear");
    command->add_option("--modulus", words->modulus, "With increase and rate: where the counter begins anew");
    add_server_options(*command, *server);
    command->footer(
        "Examples:\n  lineshaft query Line1/Filler/level --from now-8h --resolution 1m\n"
        "  lineshaft query Line1/Filler/bottles --from now-7d --resolution 1h --aggregates increase,rate\n"
        "  lineshaft query Line1/Filler/level --resolution raw --output csv > level.csv");
    command->callback([=, &action] { action = [=] { return finish([&] { return query(*server, *words); }); }; });
}

}  // namespace lineshaft::cli
