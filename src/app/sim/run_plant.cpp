/// The bottling line as a process: the model in the middle, two PLCs and five MQTT devices around it.
#include <cstdio>

#include <fmt/format.h>

#include "app/sim/modbus_server.h"
#include "app/sim/mqtt_client.h"
#include "app/sim/plant_registers.h"
#include "app/sim/sim.h"
#include "app/sim/stop_signal.h"
#include "net/network.h"

namespace lineshaft::sim {
namespace {

constexpr Duration tick = 200ms;  // The vibration sensor speaks at 5 Hz, the others each second.
constexpr int ticks_per_second = 5;

class PlantProcess {
public:
    PlantProcess(Shard& shard, const PlantOptions& options)
        : shard_(shard),
          options_(options),
          network_(net::make_tcp_network(shard)),
          plant_(options.seed),
          filler_bank_(make_bank(Plc::Filler, plant_)),
          capper_bank_(make_bank(Plc::Capper, plant_)) {}

    Result<void> start() {
        filler_ = TRY(serve(Plc::Filler, filler_bank_, options_.filler_port));
        capper_ = TRY(serve(Plc::Capper, capper_bank_, options_.capper_port));
        if (options_.broker) {
            for (const std::string_view name : {"filler", "capper", "conveyor", "energy-meter", "environment"}) {
                BrokerOptions broker = *options_.broker;
                // Two plants on one broker must not throw each other out.
                broker.client_id = fmt::format("sim-{}-{}", filler_->endpoint().port, name);
                clients_.push_back(MqttClient::create(shard_, *network_, std::move(broker)));
            }
        }
        started_ = shard_.now();
        timer_ = shard_.every(tick, [this] { take_tick(); });
        return {};
    }

    std::string ready_line() const {
        return fmt::format("sim ready filler={} capper={} mqtt={}", to_text(filler_->endpoint()),
                           to_text(capper_->endpoint()), options_.broker ? to_text(options_.broker->address) : "off");
    }

    void stop() {
        timer_.cancel();
        for (auto& client : clients_) client->close();
    }

private:
    enum Device : std::size_t { Filler, Capper, Conveyor, Energy, Environment };

    Result<std::unique_ptr<ModbusServer>> serve(Plc plc, RegisterBank& bank, std::uint16_t port) {
        const ModbusServer::Options options{
            .address = {options_.host, port}, .unit = 0, .faults = {}, .seed = options_.seed};
        ModbusServer::Hooks hooks;
        hooks.after_write = [this, plc, &bank] { from_bank(plc, bank, plant_); };
        return ModbusServer::create(shard_, *network_, bank, options, std::move(hooks));
    }

    void take_tick() {
        // By the clock and not by ticks: a busy machine delays ticks, the line does not slow down.
        const Duration due((shard_.now() - started_).count());
        plant_.advance(Duration(static_cast<std::int64_t>(static_cast<double>(due.count()) * options_.speed)) -
                       moved_);
        moved_ = Duration(static_cast<std::int64_t>(static_cast<double>(due.count()) * options_.speed));
        to_bank(Plc::Filler, plant_, filler_bank_);
        to_bank(Plc::Capper, plant_, capper_bank_);
        if (clients_.empty()) return;
        send(Conveyor, "Conveyor/vibration", plant_.conveyor().vibration_mm_s, 3, "mm/s");
        if (++ticks_ % ticks_per_second == 0) send_slow();
    }

    void send_slow() {
        send_machine(Filler, "Filler", plant_.filler().state, plant_.filler().produced, plant_.filler().rejected);
        send_machine(Capper, "Capper", plant_.capper().state, plant_.capper().produced, plant_.capper().rejected);
        send(Conveyor, "Conveyor/speed", plant_.conveyor().speed_m_s, 3, "m/s");
        send(Conveyor, "Conveyor/bearing_temperature", plant_.conveyor().bearing_temperature_c, 1, "Cel");
        // A meter sends all it has in one object.
        const EnergyMeter& e = plant_.energy();
        publish(
            Energy, "EnergyMeter",
            fmt::format(
                R"({{"ts":{},"values":{{"power":{:.2f},"energy":{:.3f},"voltage":{:.1f},"current":{:.2f},"power_factor":{:.3f}}}}})",
                now_ms(), e.power_kw, e.energy_kwh, e.voltage_v, e.current_a, e.power_factor));
        send(Environment, "Environment/temperature", plant_.environment().temperature_c, 2, "Cel");
        send(Environment, "Environment/humidity", plant_.environment().humidity_pct, 1, "%");
    }

    void send_machine(Device device, std::string_view name, PackState state, std::uint32_t produced,
                      std::uint32_t rejected) {
        // Bare values, as small devices send them.
        publish(device, fmt::format("{}/state", name), fmt::format("{}", static_cast<unsigned>(state)));
        publish(device, fmt::format("{}/state_name", name), fmt::format("\"{}\"", to_text(state)));
        publish(device, fmt::format("{}/produced", name), fmt::format("{}", produced));
        publish(device, fmt::format("{}/rejected", name), fmt::format("{}", rejected));
    }

    void send(Device device, std::string_view topic, double value, int decimals, std::string_view unit) {
        publish(device, topic,
                fmt::format(R"({{"value":{:.{}f},"timestamp":{},"unit":"{}"}})", value, decimals, now_ms(), unit));
    }

    void publish(Device device, std::string_view topic, std::string payload) {
        clients_[device]->publish(fmt::format("{}/{}", options_.root, topic), std::move(payload));
    }

    std::int64_t now_ms() const { return shard_.utc_now().ns() / 1'000'000; }

    Shard& shard_;
    const PlantOptions options_;
    std::unique_ptr<Network> network_;
    PlantModel plant_;
    RegisterBank filler_bank_;
    RegisterBank capper_bank_;
    std::unique_ptr<ModbusServer> filler_;
    std::unique_ptr<ModbusServer> capper_;
    std::vector<std::unique_ptr<MqttClient>> clients_;
    Instant started_;
    Duration moved_{0};
    int ticks_ = 0;
    Timer timer_;
};

}  // namespace

int run_plant(const PlantOptions& options) {
    StopSignal signal;
    auto shards = Shards::create(1, system_clock());
    shards->start();
    std::unique_ptr<PlantProcess> plant;
    Result<void> started;
    shards->must_run(0, [&] {
        plant = std::make_unique<PlantProcess>(shards->at(0), options);
        started = plant->start();
    });
    if (started) {
        shards->must_run(0, [&] {
            std::puts(plant->ready_line().c_str());
            std::fflush(stdout);
        });
        const std::atomic<bool> never{false};
        signal.wait(never);
        shards->must_run(0, [&] { plant->stop(); });
    } else {
        fmt::print(stderr, "{}\n", started.error().message());
    }
    // Once more through the loop, so that the goodbyes leave.
    shards->must_run(0, [] {});
    shards->must_run(0, [&] { plant.reset(); });
    shards->stop();
    return started ? 0 : 1;
}

int run_modbus_server(const ModbusServerOptions& options) {
    StopSignal signal;
    auto shards = Shards::create(1, system_clock());
    shards->start();
    RegisterBank bank;
    std::unique_ptr<Network> network;
    std::unique_ptr<ModbusServer> server;
    std::optional<Error> failed;
    shards->must_run(0, [&] {
        for (std::uint16_t i = 0; i < options.registers; ++i) {
            bank.holding.push_back(i);
            bank.input.push_back(i);
            bank.coils.push_back(i % 2);
            bank.discrete.push_back(i % 3 == 0);
        }
        network = net::make_tcp_network(shards->at(0));
        const ModbusServer::Options server_options{.address = options.address,
                                                   .unit = 0,
                                                   .faults = {.exception_share = options.exception_share,
                                                              .silence_share = options.silence_share,
                                                              .wrong_id_share = options.wrong_id_share,
                                                              .short_share = options.short_share,
                                                              .delay = options.delay,
                                                              .split = options.split},
                                                   .seed = options.seed};
        auto created = ModbusServer::create(shards->at(0), *network, bank, server_options, {});
        if (!created) {
            failed = created.error();
            return;
        }
        server = *std::move(created);
        fmt::print("sim ready modbus={}\n", to_text(server->endpoint()));
        std::fflush(stdout);
    });
    if (failed) {
        fmt::print(stderr, "{}\n", failed->message());
    } else {
        const std::atomic<bool> never{false};
        signal.wait(never);
    }
    shards->must_run(0, [&] {
        server.reset();
        network.reset();
    });
    shards->stop();
    return failed ? 1 : 0;
}

}  // namespace lineshaft::sim
