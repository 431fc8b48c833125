// One program for all loads, so that every peer gets the same bytes from the same sender.
#include <CLI/CLI.hpp>

#include "load/load.h"

namespace {

using namespace lineshaft::bench;

/// What the commands were told; it outlives the parsing.
struct Told {
    LinesOptions lines;
    SendRowsOptions send;
    WriteRowsOptions write;
    SubstationOptions substation;
    MqttOptions mqtt;
    TableOptions table;
    std::uint16_t null_port = 0;
};

void add_lines(CLI::App& app, LinesOptions& lines) {
    CLI::App* command = app.add_subcommand("lines", "Line protocol over HTTP");
    command->add_option("--port", lines.port)->required();
    command->add_option("--path", lines.path);
    command->add_option("--header", lines.headers);
    command->add_option("--connections", lines.connections);
    command->add_option("--requests", lines.requests);
    command->add_option("--lines", lines.lines_per_request);
    command->add_option("--trucks", lines.trucks);
    command->add_option("--late", lines.late_share);
    command->add_option("--end", lines.end_s)->required();
    command->callback([&] { send_lines(lines); });
}

void add_rows(CLI::App* to, RowsOptions& rows) {
    to->add_option("--set", rows.set)->check(CLI::IsMember({"tsbs", "plant"}));
    to->add_option("--machines", rows.machines);
    to->add_option("--hours", rows.hours);
    to->add_option("--period", rows.period_s);
    to->add_option("--start", rows.start_s);
    to->add_option("--seed", rows.seed);
    to->add_option("--jitter", rows.jitter_ms);
    to->add_flag("!--in-order", rows.disorder);
    to->add_flag("!--whole-names", rows.missing_names);
}

void add_send(CLI::App& app, SendRowsOptions& send) {
    CLI::App* command = app.add_subcommand("send", "Rows of trucks or of a plant as line protocol over HTTP");
    add_rows(command, send.rows);
    command->add_option("--port", send.port)->required();
    command->add_option("--path", send.path);
    command->add_option("--form", send.form)->check(CLI::IsMember({"lines", "tabs"}));
    command->add_option("--header", send.headers);
    command->add_option("--connections", send.connections);
    command->add_option("--lines", send.lines_per_request);
    command->add_flag("--stream", send.stream);
    command->add_option("--rate", send.values_per_s, "values/s; only with --stream");
    command->callback([&] { send_rows(send); });
}

void add_write(CLI::App& app, WriteRowsOptions& write) {
    CLI::App* command = app.add_subcommand("write", "The same rows as text on stdout");
    add_rows(command, write.rows);
    command->add_option("--form", write.form)->check(CLI::IsMember({"lines", "tabs", "tabs-iso"}));
    command->add_option("--table", write.table);
    command->callback([&] { write_rows(write); });
}

void add_substation(CLI::App& app, SubstationOptions& substation) {
    CLI::App* command = app.add_subcommand("substation", "Long texts of many sensors, and scans meanwhile");
    command->add_option("--port", substation.port)->required();
    command->add_option("--path", substation.path);
    command->add_option("--scan", substation.scan)->required();
    command->add_option("--header", substation.headers);
    command->add_option("--producers", substation.producers);
    command->add_option("--sensors", substation.sensors);
    command->add_option("--inserts", substation.inserts);
    command->callback([&] { send_substation(substation); });
}

void add_mqtt(CLI::App& app, MqttOptions& mqtt) {
    CLI::App* command = app.add_subcommand("mqtt", "Publishers");
    command->add_option("--port", mqtt.port)->required();
    command->add_option("--connections", mqtt.connections);
    command->add_option("--messages", mqtt.messages);
    command->add_option("--window", mqtt.window);
    command->add_option("--qos", mqtt.qos)->check(CLI::Range(0, 1));
    command->add_option("--end", mqtt.end_s)->required();
    command->callback([&] { send_mqtt(mqtt); });
}

void add_table(CLI::App& app, TableOptions& table) {
    CLI::App* command = app.add_subcommand("table", "Writes a CSV file");
    command->add_option("file", table.file)->required();
    command->add_option("--rows", table.rows);
    command->add_option("--start", table.start_s)->required();
    command->callback([&] { write_table(table); });
}

void add_null_sinks(CLI::App& app, std::uint16_t& port) {
    CLI::App* command = app.add_subcommand("null-http", "Answers 204 and keeps nothing");
    command->add_option("--port", port)->required();
    command->callback([&] { run_null_http(port); });
    command = app.add_subcommand("null-mqtt", "Acknowledges and keeps nothing");
    command->add_option("--port", port)->required();
    command->callback([&] { run_null_mqtt(port); });
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Sends the load of the macro benchmarks; see bench/README.md");
    app.require_subcommand(1);
    Told told;
    add_lines(app, told.lines);
    add_send(app, told.send);
    add_write(app, told.write);
    add_substation(app, told.substation);
    add_mqtt(app, told.mqtt);
    add_table(app, told.table);
    add_null_sinks(app, told.null_port);
    CLI11_PARSE(app, argc, argv);
    return 0;
}
