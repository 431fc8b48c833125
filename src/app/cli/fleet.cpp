#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/client.h"
#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

constexpr Duration patience = 11min;  // A query's own time_limit is at most ten.

Result<std::string> read_question(const std::string& file) {
    if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::NotFound, fmt::format("{} cannot be read", file));
    return std::string(std::istreambuf_iterator<char>(in), {});
}

void print_rows(const Json& answer, const Output& output) {
    const Json& names = answer["columns"];
    std::vector<Column> columns;
    for (const Json& name : names) columns.push_back({name.get<std::string>(), name.get<std::string>()});
    Json rows = Json::array();
    for (const Json& row : answer["rows"]) {
        Json item = Json::object();
        for (std::size_t i = 0; i < names.size(); ++i) {
            const bool is_time = names[i] == "time" && row[i].is_number();
            item[names[i].get<std::string>()] =
                is_time ? Json(to_rfc3339(UtcTime(row[i].get<std::int64_t>() * 1'000'000))) : row[i];
        }
        rows.push_back(std::move(item));
    }
    print_items(rows, columns, output);
    const Json& part = answer["completeness"];
    hint(output, fmt::format("{} tags, {} samples, {:.1f} ms{}", part["series"].get<std::uint64_t>(),
                             part["samples"].get<std::uint64_t>(), answer["took_ms"].get<double>(),
                             answer["more"] == true ? "; there are more rows: raise 'limit'" : ""));
    if (part["damaged_blocks"] != 0)
        hint(output, fmt::format("{} damaged parts were left out", part["damaged_blocks"].get<std::uint64_t>()));
}

Result<Exit> ask(const ServerOptions& server, const std::string& file) {
    const std::string question = TRY(read_question(file));
    const Client client = TRY(Client::create(server));
    const std::string format = format_of(server.output);
    const char* accept = format == "csv" ? "text/csv" : "application/json";
    const std::string text =
        TRY(client.text("POST", "/api/v1/fleet-query", question, "application/json", accept, patience));
    if (format == "csv" || format == "json") {
        std::fwrite(text.data(), 1, text.size(), stdout);
        if (format == "json") std::fputc('\n', stdout);
        return Exit::Ok;
    }
    const Json answer = Json::parse(text, nullptr, false);
    if (answer.is_discarded()) return fail(ErrorCode::Malformed, "the answer is not JSON");
    print_rows(answer, server.output);
    return Exit::Ok;
}

}  // namespace

void add_fleet(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto file = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand("fleet", "A question over many tags at once");
    command->add_option("file", *file, "The question as JSON; - is stdin")->required();
    add_server_options(*command, *server);
    command->footer(
        "Example: the trucks of one fleet that are low on fuel\n"
        "  echo '{\"select\":[{\"name\":\"fuel\",\"tags\":\"diagnostics/{fleet:South}/{truck}/fuel_state\"}],\n"
        "         \"values\":\"last\",\"where\":\"fuel < 0.1\"}' | lineshaft fleet -");
    command->callback([=, &action] { action = [=] { return finish([&] { return ask(*server, *file); }); }; });
}

}  // namespace lineshaft::cli
