#include "app/modbus_devices.h"

#include "base/log.h"

namespace lineshaft::app {

Result<void> ModbusDevices::start(std::size_t index, Network& network, flow::ReadingSink& sink) {
    adapters_[index] = TRY(modbus::Adapter::create(shards_.at(index), network, sink, ledger_));
    return {};
}

const std::optional<modbus::DeviceSettings>& ModbusDevices::settings_of(std::size_t shard,
                                                                        const registry::Device& device) {
    Parsed& parsed = parsed_[shard][device.id];
    if (parsed.text == device.settings && !parsed.text.empty()) return parsed.settings;
    parsed.text = device.settings;
    auto settings = modbus::parse_settings(device.settings);
    if (settings)
        parsed.settings = *std::move(settings);
    else {
        parsed.settings.reset();
        log_error("Modbus device '{}' is not polled: {}", device.name, settings.error().message());
    }
    return parsed.settings;
}

void ModbusDevices::apply(Shard& shard, const registry::Snapshot& snapshot) {
    const std::size_t index = shard.id().value();
    if (!adapters_[index]) return;
    std::vector<modbus::DeviceConfig> configs;
    for (const auto& [id, device] : snapshot.devices) {
        if (device->protocol != "modbus" || device->state != registry::DeviceState::Accepted) continue;
        if (home_shard(device->tenant, device->name, shards_.count()) != shard.id()) continue;
        const auto& settings = settings_of(index, *device);
        if (!settings) continue;
        std::unordered_map<std::string_view, TagId> by_address;
        for (const TagId tag : snapshot.tags_of(id)) {
            if (const registry::Tag* known = snapshot.tag(tag)) by_address.emplace(known->address, tag);
        }
        modbus::DeviceConfig& config = configs.emplace_back();
        config.tenant = device->tenant;
        config.device = id;
        config.name = device->name;
        config.settings = *settings;
        for (const modbus::Register& reg : settings->registers) {
            const auto at = by_address.find(reg.name);
            config.tags.push_back(at == by_address.end() ? TagId() : at->second);
        }
    }
    adapters_[index]->apply(std::move(configs));
}

void ModbusDevices::post_status(Shard& caller, const registry::Device& device,
                                std::move_only_function<void(std::optional<modbus::DeviceStatus>)> done) {
    Shard& home = shards_.at(home_shard(device.tenant, device.name, shards_.count()));
    home.post([this, &caller, &home, id = device.id, done = std::move(done)]() mutable {
        const auto& adapter = adapters_[home.id().value()];
        caller.post([status = adapter ? adapter->status(id) : std::nullopt, done = std::move(done)]() mutable {
            done(std::move(status));
        });
    });
}

void ModbusDevices::post_write(Shard& caller, const registry::Device& device, const registry::Tag& tag,
                               Command command, flow::CommandSink::Done done) {
    Shard& home = shards_.at(home_shard(device.tenant, device.name, shards_.count()));
    home.post([this, &caller, &home, id = device.id, tag = tag.id, command = std::move(command),
               done = std::move(done)]() mutable {
        auto answer = [&caller, done = std::move(done)](CommandResult result) mutable {
            caller.post([result = std::move(result), done = std::move(done)]() mutable { done(std::move(result)); });
        };
        const auto& adapter = adapters_[home.id().value()];
        if (!adapter) return answer({CommandOutcome::Failed, "Lineshaft is shutting down"});
        adapter->write(id, tag, std::move(command.value), command.deadline, std::move(answer));
    });
}

}  // namespace lineshaft::app
