#include "app/sim/sim.h"

#include <CLI/CLI.hpp>

#include "app/cli/command.h"

namespace lineshaft::cli {
namespace {

/// "HOST:PORT" into the endpoint behind an option.
auto endpoint_into(Endpoint& target) {
    return [&target](const std::string& text) {
        auto endpoint = parse_endpoint(text);
        if (!endpoint) throw CLI::ValidationError(endpoint.error().detail());
        target = *endpoint;
    };
}

void add_broker(CLI::App& command, sim::BrokerOptions& broker) {
    command.add_option_function<std::string>("--broker,--mqtt", endpoint_into(broker.address),
                                             "Broker to publish to [127.0.0.1:1883]");
    command.add_option("--user", broker.user, "MQTT user name");
    command.add_option("--token", broker.password, "Token, as the MQTT password")->envname("LINESHAFT_TOKEN");
    command.add_option("--client-id", broker.client_id, "MQTT client id");
}

void add_plant(CLI::App& sim, Action& action) {
    auto options = std::make_shared<sim::PlantOptions>();
    options->broker = sim::BrokerOptions();
    CLI::App* command =
        sim.add_subcommand("plant", "A bottling line: filler and capper as Modbus TCP, sensors as MQTT");
    add_broker(*command, *options->broker);
    command->add_option("--host", options->host, "Where the two PLCs listen")->capture_default_str();
    command->add_option("--filler-port", options->filler_port, "Modbus port of the filler; 0: any")
        ->capture_default_str();
    command->add_option("--capper-port", options->capper_port, "Modbus port of the capper; 0: any")
        ->capture_default_str();
    command->add_option("--root", options->root, "Topic of the line")->capture_default_str();
    command->add_option("--seed", options->seed, "The same seed has the same faults")->capture_default_str();
    command->add_option("--speed", options->speed, "Simulated seconds per second")->capture_default_str();
    command->callback(
        [options, &action] { action = [options] { return static_cast<Exit>(sim::run_plant(*options)); }; });
}

void add_replay(CLI::App& sim, Action& action) {
    auto options = std::make_shared<sim::ReplayOptions>();
    auto period = std::make_shared<std::string>();
    auto shape = std::make_shared<std::string>();
    CLI::App* command = sim.add_subcommand("replay", "Play a recorded data set as live MQTT devices");
    command->add_option("files", options->files, "CSV or text tables; .gz and .zst are unpacked")
        ->required()
        ->check(CLI::ExistingFile);
    add_broker(*command, options->broker);
    command->add_option("--device", options->device, "Device name [Replay/FILE]");
    command->add_option("--speed", options->speed, "60: an hour in a minute; 0: as fast as it is taken")
        ->capture_default_str();
    command->add_flag("--loop", options->loop, "Begin again at the end");
    command->add_flag("--original-time", options->original_time, "Keep the times of the file");
    command->add_option("--shape", *shape, "rows; cycles: a row is one cycle of one tag; transposed: a row is a tag")
        ->check(CLI::IsMember({"rows", "cycles", "transposed"}));
    command->add_option("--period", *period, "Between rows without a time column, like 3m");
    command->add_option("--columns", options->columns, "Names instead of those in the file")->delimiter(',');
    command->add_option("--rows", options->rows_max, "At most so many rows; 0: all");
    command->add_option("--time-column", options->table.time_column, "Name or number of the time column, or none");
    command->callback([options, period, shape, &action] {
        action = [options, period, shape] {
            if (*shape == "cycles") options->shape = sim::Shape::Cycles;
            if (*shape == "transposed") options->shape = sim::Shape::Transposed;
            if (!period->empty()) {
                const auto duration = parse_duration(*period);
                if (!duration) return report(duration.error());
                options->period = *duration;
            }
            return static_cast<Exit>(sim::run_replay(*options));
        };
    });
}

void add_modbus(CLI::App& sim, Action& action) {
    auto options = std::make_shared<sim::ModbusServerOptions>();
    auto delay = std::make_shared<std::string>();
    CLI::App* command = sim.add_subcommand("modbus", "A Modbus TCP server that can be told to misbehave");
    command->add_option_function<std::string>("--listen", endpoint_into(options->address), "[127.0.0.1:15020]");
    command->add_option("--registers", options->registers, "Of each table; beyond is an illegal address")
        ->capture_default_str();
    command->add_option("--exceptions", options->exception_share,
                        "Share of requests answered by an exception, 0 to 1");
    command->add_option("--silence", options->silence_share, "Share of requests not answered");
    command->add_option("--wrong-ids", options->wrong_id_share, "Share answered with another transaction id");
    command->add_option("--short", options->short_share, "Share answered with half a frame");
    command->add_option("--delay", *delay, "Before each answer, like 50ms");
    command->add_flag("--split", options->split, "Answers leave in two pieces");
    command->add_option("--seed", options->seed, "The same seed misbehaves the same way");
    command->callback([options, delay, &action] {
        action = [options, delay] {
            if (!delay->empty()) {
                const auto duration = parse_duration(*delay);
                if (!duration) return report(duration.error());
                options->delay = *duration;
            }
            return static_cast<Exit>(sim::run_modbus_server(*options));
        };
    });
}

}  // namespace

void add_sim(CLI::App& app, Action& action) {
    CLI::App* sim = app.add_subcommand("sim", "Simulated devices and recorded data, each a process of its own");
    sim->require_subcommand(1);
    add_plant(*sim, action);
    add_replay(*sim, action);
    add_modbus(*sim, action);
}

}  // namespace lineshaft::cli
