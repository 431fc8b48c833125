#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/command.h"
#include "app/cli/import_file.h"
#include "runtime/clock.h"

namespace lineshaft::cli {
namespace {

std::atomic<bool> interrupted{false};

struct ImportWords {
    ImportOptions options;
    std::string start, period, date_order, utc_offset, delimiter, shape = "rows";
    std::vector<std::string> columns, skipped;
};

Result<void> read_words(ImportWords& words) {
    ImportOptions& options = words.options;
    if (!words.start.empty()) options.start = TRY(parse_time(words.start, system_clock().utc_now()));
    if (!words.period.empty()) options.period = TRY(parse_duration(words.period));
    if (words.date_order == "dmy") options.table.date_order = wire::table::DateOrder::DayFirst;
    if (words.date_order == "mdy") options.table.date_order = wire::table::DateOrder::MonthFirst;
    if (words.shape == "cycles") options.shape = sim::Shape::Cycles;
    if (words.shape == "transposed") options.shape = sim::Shape::Transposed;
    for (const auto& [name, delimiter] :
         {std::pair("comma", ','), std::pair("semicolon", ';'), std::pair("tab", '\t'), std::pair("bar", '|'),
          std::pair("blanks", wire::table::blanks)}) {
        if (words.delimiter == name) options.table.delimiter = delimiter;
    }
    if (!words.utc_offset.empty()) {
        // Read as the offset of a time at midnight.
        const auto time = parse_rfc3339("2000-01-01T00:00:00" + words.utc_offset);
        if (!time)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("--utc-offset '{}': write it like +01:00", words.utc_offset));
        options.table.utc_offset = TRY(parse_rfc3339("2000-01-01")) - *time;
    }
    for (const std::string& pair : words.columns) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos)
            return fail(ErrorCode::InvalidArgument, fmt::format("--column '{}': write it like NAME=TAG", pair));
        options.renamed[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    options.skipped.insert(words.skipped.begin(), words.skipped.end());
    return {};
}

Json report_json(const ImportOptions& options, const ImportReport& report) {
    Json columns = Json::array();
    for (std::size_t i = 0; i < report.layout.columns.size(); ++i) {
        if (i != report.layout.time_column) columns.push_back(report.layout.columns[i]);
    }
    return {
        {"file", options.file},
        {"device", report.device},
        {"dry_run", options.dry_run},
        {"rows", report.rows},
        {"values", report.values},
        {"refused", report.refused},
        {"delimiter", wire::table::delimiter_name(report.layout.delimiter)},
        {"time_column", report.layout.time_column ? Json(report.layout.columns[*report.layout.time_column]) : Json()},
        {"columns", std::move(columns)},
        {"first_time", report.first_time.is_none() ? Json() : Json(to_rfc3339(report.first_time))},
        {"last_time", report.last_time.is_none() ? Json() : Json(to_rfc3339(report.last_time))},
        {"resumed_at_line", report.resumed_at_line},
        {"seconds", report.seconds}};
}

Result<Exit> import(const ServerOptions& server, ImportWords& words) {
    TRY_VOID(read_words(words));
    const Client client = words.options.dry_run ? Client() : TRY(Client::create(server));
    std::signal(SIGINT, [](int) { interrupted = true; });
    std::signal(SIGTERM, [](int) { interrupted = true; });
    const ImportReport report = TRY(import_file(client, words.options, server.output.quiet, interrupted));
    print_object(report_json(words.options, report),
                 {{"device", "device"},
                  {"rows", "rows"},
                  {"values", "values"},
                  {"refused", "refused"},
                  {"columns", "columns"},
                  {"time column", "time_column"},
                  {"first", "first_time"},
                  {"last", "last_time"},
                  {"seconds", "seconds"}},
                 server.output);
    if (!report.layout.date_order_is_certain && report.layout.time_kind == wire::table::TimeKind::Calendar) {
        hint(server.output, "the order of day and month is a guess: say it with --date-order dmy or mdy");
    }
    if (report.interrupted) {
        hint(server.output, fmt::format("interrupted; go on with: lineshaft import '{}' --device '{}' --resume",
                                        words.options.file, report.device));
        return Exit::Interrupted;
    }
    if (words.options.dry_run)
        hint(server.output, "nothing was stored: leave out --dry-run to import");
    else
        hint(server.output, fmt::format("see it: lineshaft tag list --device '{}'", report.device));
    return report.refused > 0 ? Exit::Partial : Exit::Ok;
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
    auto server = std::make_shared<ServerOptions>();
    auto words = std::make_shared<ImportWords>();
    CLI::App* command =
        app.add_subcommand("import", "Load a CSV or text table into the history; .gz and .zst are unpacked");
    command->add_option("file", words->options.file, "The table")->required();
    command->add_option("--device", words->options.device, "Device that the columns belong to [the file's name]");
    command->add_flag("--dry-run", words->options.dry_run, "Read and check everything, store nothing");
    command->add_flag("--resume", words->options.resume, "Go on where an interrupted import of this file stopped");
    command->add_option("--time-column", words->options.table.time_column,
                        "Name or number of the column of times, or none");
    command->add_option("--start", words->start, "Time of the first row, for tables without times");
    command->add_option("--period", words->period, "Between rows, for tables without times");
    command->add_option("--date-order", words->date_order, "dmy or mdy, for dates like 1/2/2018")
        ->check(CLI::IsMember({"dmy", "mdy"}));
    command->add_option("--utc-offset", words->utc_offset, "Of times without zone, like +01:00 [UTC]");
    command->add_option("--delimiter", words->delimiter, "comma, semicolon, tab, bar or blanks [detected]")
        ->check(CLI::IsMember({"comma", "semicolon", "tab", "bar", "blanks"}));
    command
        ->add_option("--shape", words->shape,
                     "rows; cycles: a row is one cycle of one tag; transposed: a row is a tag")
        ->check(CLI::IsMember({"rows", "cycles", "transposed"}));
    command->add_option("--column", words->columns, "NAME=TAG: call the column's tag so");
    command->add_option("--skip-column", words->skipped, "Leave a column out");
    command->add_option("--rejected", words->options.rejected, "File for the refused rows and why");
    add_server_options(*command, *server);
    command->footer(
        "Examples:\n  lineshaft import pump.csv.gz --device Line1/Pump --dry-run\n"
        "  lineshaft import d01.dat --start 2024-01-01T00:00:00Z --period 3m");
    command->callback([=, &action] { action = [=] { return finish([&] { return import(*server, *words); }); }; });
}

}  // namespace lineshaft::cli
