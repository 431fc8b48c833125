#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/cli/command.h"
#include "app/cli/import_dump.h"
#include "app/cli/import_file.h"
#include "runtime/clock.h"

namespace lineshaft::cli {
namespace {

std::atomic<bool> interrupted{false};

struct ImportWords {
    ImportOptions options;
    std::string start, period, date_order, utc_offset, delimiter, shape = "rows";
    std::string format = "auto", precision = "ns", time;
    std::vector<std::string> columns, skipped, tag_columns;
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

/// The file, or all files of a folder in the order of their names.
Result<std::vector<std::string>> files_of(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::is_directory(path, error)) return std::vector{path};
    std::vector<std::string> files;
    for (auto at = fs::recursive_directory_iterator(path, error); at != fs::recursive_directory_iterator();
         at.increment(error)) {
        if (error) return fail(ErrorCode::Io, fmt::format("{}: {}", path, error.message()));
        if (at->is_regular_file(error) && !at->path().filename().string().starts_with('.'))
            files.push_back(at->path());
    }
    if (files.empty()) return fail(ErrorCode::NotFound, fmt::format("the folder {} holds no file", path));
    std::ranges::sort(files);
    return files;
}

Result<Exit> import_other(const Client& client, const ServerOptions& server, const ImportWords& words,
                          wire::dump::Format format) {
    DumpOptions options;
    options.file = words.options.file;
    options.rejected = words.options.rejected;
    options.dry_run = words.options.dry_run;
    options.resume = words.options.resume;
    options.quiet = server.output.quiet;
    options.read.format = format;
    options.read.device = words.options.device;
    if (!options.read.device.empty() && !options.read.device.ends_with('/')) options.read.device += '/';
    options.read.tag_columns = words.tag_columns;
    options.read.skipped = words.options.skipped;
    options.read.table = words.options.table;
    options.read.precision = TRY(wire::line_protocol::precision_from_text(words.precision));
    if (!words.time.empty()) options.read.time = TRY(parse_time(words.time, system_clock().utc_now()));
    options.utc_offset = words.utc_offset;
    options.date_order = words.date_order;
    options.precision = words.precision;
    options.time = words.time;
    Json report = TRY(import_dump(client, options, interrupted));
    report["file"] = options.file;
    if (server.output.is_json() || report.contains("interrupted"))
        print_object(report, {{"state", "state"}}, server.output);
    else
        print_items(report["tags"],
                    {{"tag", "tag"}, {"type", "type"}, {"points", "points"}, {"first", "first"}, {"last", "last"}},
                    server.output);
    for (std::size_t i = 0; i < std::min<std::size_t>(20, report["refusals"].size()); ++i)
        std::fprintf(stderr, "line %s refused: %s\n", report["refusals"][i]["line"].dump().c_str(),
                     report["refusals"][i].value("reason", "").c_str());
    const auto refused = report.value("refused", std::uint64_t{0});
    if (report.contains("interrupted")) {
        hint(server.output, fmt::format("interrupted; go on with: lineshaft import '{}' --resume", options.file));
        return Exit::Interrupted;
    }
    hint(server.output,
         fmt::format("{} ({}): {} points of {} tags, {} lines refused{}", options.file, report.value("format", ""),
                     report.value("points", std::uint64_t{0}), report.value("tag_count", std::uint64_t{0}), refused,
                     options.dry_run ? "; nothing was stored: leave out --dry-run to import" : ""));
    return refused > 0 ? Exit::Partial : Exit::Ok;
}

Result<Exit> import_table(const Client& client, const ServerOptions& server, ImportWords& words);

Result<Exit> import(const ServerOptions& server, ImportWords& words) {
    TRY_VOID(read_words(words));
    const Client client = words.options.dry_run ? Client() : TRY(Client::create(server));
    std::signal(SIGINT, [](int) { interrupted = true; });
    std::signal(SIGTERM, [](int) { interrupted = true; });
    const auto wanted = TRY(wire::dump::format_from_text(words.format));
    const bool is_special = words.options.shape != sim::Shape::Rows || !words.options.start.is_none();
    Exit worst = Exit::Ok;
    for (const std::string& file : TRY(files_of(words.options.file))) {
        words.options.file = file;
        auto format = wanted;
        if (format == wire::dump::Format::Auto && !words.tag_columns.empty()) format = wire::dump::Format::Postgres;
        if (format == wire::dump::Format::Auto)
            format = is_special ? wire::dump::Format::Table : TRY(format_of_file(file));
        const Exit one = format == wire::dump::Format::Table ? TRY(import_table(client, server, words))
                                                             : TRY(import_other(client, server, words, format));
        if (one == Exit::Interrupted) return one;
        if (one != Exit::Ok) worst = one;
    }
    return worst;
}

Result<Exit> import_table(const Client& client, const ServerOptions& server, ImportWords& words) {
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
    CLI::App* command = app.add_subcommand(
        "import", "Load files of other stores, or tables, into the history; .gz and .zst are unpacked");
    command->add_option("file", words->options.file, "A file, or a folder of files")->required();
    command->add_option("--format", words->format,
                        "csv, jsonl, line-protocol, influx-csv, prometheus, postgres or table [by the content]");
    command->add_option("--tag-column", words->tag_columns, "PostgreSQL: a column that names the device; repeat it");
    command->add_option("--precision", words->precision, "Line protocol: ns, us, ms, s")->capture_default_str();
    command->add_option("--time", words->time, "Prometheus: time of samples that carry none");
    command->add_option("--device", words->options.device,
                        "Tables: the device [the file's name]; else what stands before each device");
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
