/// The registry's Modbus devices on the adapters of their home shards, and commands to them.
///
/// Threads: see each call. One object for the house.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "registry/registry.h"
#include "route/command_router.h"
#include "south/modbus/modbus.h"

namespace lineshaft::app {

class ModbusDevices final : public route::CommandTarget {
public:
    ModbusDevices(Shards& shards, flow::SourceLedger* ledger)
        : shards_(shards), ledger_(ledger), adapters_(shards.count()), parsed_(shards.count()) {}

    /// On shard `index`, once.
    Result<void> start(std::size_t index, Network& network, flow::ReadingSink& sink);
    /// On shard `index`, before it stops.
    void stop(std::size_t index) { adapters_[index].reset(); }

    /// On `shard`: makes its adapter poll the accepted devices whose home it is.
    void apply(Shard& shard, const registry::Snapshot& snapshot);

    modbus::Adapter& adapter(const Shard& shard) { return *adapters_[shard.id().value()]; }
    /// The state of a device as its home adapter sees it; `done` on `caller`.
    void post_status(Shard& caller, const registry::Device& device,
                     std::move_only_function<void(std::optional<modbus::DeviceStatus>)> done);

    void post_write(Shard& caller, const registry::Device& device, const registry::Tag& tag, Command command,
                    flow::CommandSink::Done done) override;

private:
    /// Settings are parsed once, not at every new snapshot.
    struct Parsed {
        std::string text;
        std::optional<modbus::DeviceSettings> settings;
    };

    const std::optional<modbus::DeviceSettings>& settings_of(std::size_t shard, const registry::Device& device);

    Shards& shards_;
    flow::SourceLedger* const ledger_;
    std::vector<std::unique_ptr<modbus::Adapter>> adapters_;    // Each touched by its shard only.
    std::vector<std::unordered_map<DeviceId, Parsed>> parsed_;  // The same.
};

}  // namespace lineshaft::app
