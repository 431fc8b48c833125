#include "south/modbus/modbus.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "south/modbus/internal/device.h"
#include "south/modbus/internal/errand.h"

namespace lineshaft::modbus {
namespace {

Gauge devices_gauge{"lineshaft_modbus_devices", "", "Modbus devices that are polled"};

/// What matters for the running device; tag ids may be learnt later without disturbing it.
bool is_same_device(const DeviceConfig& a, const DeviceConfig& b) {
    return a.tenant == b.tenant && a.name == b.name && a.settings == b.settings;
}

class AdapterOfShard final : public Adapter {
public:
    AdapterOfShard(Shard& shard, Network& network, flow::ReadingSink& sink, flow::SourceLedger* ledger)
        : shard_(shard), network_(network), sink_(sink), ledger_(ledger) {}
    ~AdapterOfShard() override { devices_gauge.add(-static_cast<std::int64_t>(devices_.size())); }

    void apply(std::vector<DeviceConfig> wanted) override {
        std::unordered_set<DeviceId> ids;
        for (const DeviceConfig& config : wanted) ASSERT(ids.insert(config.device).second);
        devices_gauge.add(-static_cast<std::int64_t>(devices_.size()));
        std::erase_if(devices_, [&](const auto& entry) { return !ids.contains(entry.first); });
        for (DeviceConfig& config : wanted) apply_one(std::move(config));
        devices_gauge.add(static_cast<std::int64_t>(devices_.size()));
    }

    void write(DeviceId device, TagId tag, Value value, Instant deadline, flow::CommandSink::Done done) override {
        const auto found = devices_.find(device);
        if (found != devices_.end()) return found->second->write(tag, value, deadline, std::move(done));
        shard_.post([done = std::move(done)]() mutable {
            done({CommandOutcome::Refused, "this Modbus device is not running: accept it, or check its settings"});
        });
    }

    std::vector<DeviceStatus> status() const override {
        std::vector<DeviceStatus> all;
        for (const auto& [id, device] : devices_) all.push_back(device->status());
        return all;
    }
    std::optional<DeviceStatus> status(DeviceId id) const override {
        const auto found = devices_.find(id);
        return found == devices_.end() ? std::nullopt : std::optional(found->second->status());
    }

    void test_connection(Endpoint endpoint, std::uint8_t unit, Duration timeout,
                         std::move_only_function<void(TestResult)> done) override {
        const std::uint64_t id = ++last_errand_;
        auto ended = [this, id, done = std::move(done)](TestResult result) mutable {
            retire(id);
            done(std::move(result));
        };
        errands_[id] = start_test(shard_, network_, {std::move(endpoint), unit, timeout}, std::move(ended));
    }

    void read_once(Endpoint endpoint, std::uint8_t unit, Duration timeout, std::vector<Register> registers,
                   std::move_only_function<void(Result<std::vector<PreviewValue>>)> done) override {
        if (registers.size() > preview_registers_max) {
            shard_.post([done = std::move(done)]() mutable {
                done(fail(ErrorCode::InvalidArgument,
                          fmt::format("a preview shows at most {} registers", preview_registers_max)));
            });
            return;
        }
        const std::uint64_t id = ++last_errand_;
        auto ended = [this, id, done = std::move(done)](Result<std::vector<PreviewValue>> values) mutable {
            retire(id);
            done(std::move(values));
        };
        errands_[id] = start_read(shard_, network_, {std::move(endpoint), unit, timeout}, std::move(registers),
                                  std::move(ended));
    }

private:
    void apply_one(DeviceConfig config) {
        auto& device = devices_[config.device];
        if (device && is_same_device(device->config(), config)) return device->set_tags(std::move(config.tags));
        device.reset();  // The old one's connection ends before the new one begins: some devices allow only one.
        device = std::make_unique<Device>(shard_, network_, sink_, ledger_, std::move(config));
    }

    /// Destroys an errand a task later: it is still on the stack.
    void retire(std::uint64_t id) {
        shard_.post([this, id, life = std::weak_ptr(life_)] {
            if (!life.expired()) errands_.erase(id);
        });
    }

    Shard& shard_;
    Network& network_;
    flow::ReadingSink& sink_;
    flow::SourceLedger* const ledger_;
    std::unordered_map<DeviceId, std::unique_ptr<Device>> devices_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Errand>> errands_;
    std::uint64_t last_errand_ = 0;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace

std::string_view to_text(DeviceState state) {
    switch (state) {
        case DeviceState::Connecting: return "connecting";
        case DeviceState::Connected: return "connected";
        case DeviceState::Failed: return "failed";
    }
    std::unreachable();
}

Result<std::unique_ptr<Adapter>> Adapter::create(Shard& shard, Network& network, flow::ReadingSink& sink,
                                                 flow::SourceLedger* ledger) {
    return std::make_unique<AdapterOfShard>(shard, network, sink, ledger);
}

}  // namespace lineshaft::modbus
