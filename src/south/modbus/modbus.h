/// Modbus TCP client: asks the devices of one shard, in time and within their ceilings, and writes when told to.
///
/// Flow:    apply(devices) --> one connection a device, plan of requests, polling --> ReadingBatch to the sink.
///          write() --> the device --> read back --> the outcome.
///          Silence becomes BadNoCommunication, exceptions become BadConfiguration or BadDeviceFailure, once a cycle.
/// Threads: one Adapter per shard, own shard only; a device is given to the Adapter of its home shard.
/// Errors:  a device that fails is retried for ever (0.5 s, doubling to 30 s) and says why in its status.
/// Limits:  DeviceSettings::requests_per_second_max; one request at a time to a device; commands_queued_max.
/// Formats: docs/formats/modbus-device.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flow/reading_sink.h"
#include "flow/sample_sink.h"
#include "flow/source_ledger.h"
#include "runtime/shard.h"
#include "runtime/stream.h"
#include "south/modbus/register_map.h"

namespace lineshaft::modbus {

inline constexpr std::size_t commands_queued_max = 64;

/// A device as the registry has it.
struct DeviceConfig {
    TenantId tenant{1};
    DeviceId device;
    std::string name;  // As readings name it.
    DeviceSettings settings;
    std::vector<TagId> tags;  // Parallel to settings.registers; 0 where the tag is not known yet.
    friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;
};

enum class DeviceState : std::uint8_t { Connecting, Connected, Failed };
/// "connecting", "connected", "failed".
std::string_view to_text(DeviceState state);

struct RegisterFault {
    std::string name;
    std::string detail;  // "illegal data address (2): check the address against the manual".
};

struct DeviceStatus {
    DeviceId device;
    std::string name;
    DeviceState state = DeviceState::Connecting;
    std::string detail;  // For people, with the remedy; empty when all is well.
    UtcTime since;
    Duration latency{0};             // Of the last answer.
    double requests_per_second = 0;  // Over the last full 10 s.
    std::uint64_t requests = 0;
    std::uint64_t responses = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t exceptions = 0;
    std::uint64_t malformed = 0;  // Answers that did not match their request.
    std::uint64_t strays = 0;     // Answers with an unknown transaction id: late or wrong; dropped.
    std::uint64_t connection_failures = 0;
    std::uint64_t cycles_missed = 0;    // The device or its ceiling is too slow for the poll period.
    std::vector<RegisterFault> faults;  // Registers the device refuses.
};

struct TestResult {
    bool ok = false;
    Duration latency{0};
    std::string detail;              // What happened and what to do.
    std::vector<std::string> tried;  // "connect 10.0.0.5:502: connected in 1.2 ms", …
};

struct PreviewValue {
    std::string name;
    std::optional<Value> value;
    std::string raw;    // "0x0102", "0x01020304"; empty when there is no answer.
    std::string error;  // Empty: none.
};

class Adapter {
public:
    /// `shard`, `network`, `sink` and `ledger` outlive the adapter. `ledger` hears who answers; null: nobody does.
    static Result<std::unique_ptr<Adapter>> create(Shard& shard, Network& network, flow::ReadingSink& sink,
                                                   flow::SourceLedger* ledger = nullptr);
    virtual ~Adapter() = default;  // Cuts all connections; waiting commands fail.

    /// Makes the running devices be exactly these: new ones start, missing ones stop, changed ones start anew, the
    /// others are not touched (new tag ids alone change nothing else). Device ids are unique.
    virtual void apply(std::vector<DeviceConfig> devices) = 0;

    /// Writes `value` (in the tag's unit) to the register of `tag`, reads it back and says how it went. Not replayed
    /// after a reconnect. `done` runs once on this shard, never from within.
    virtual void write(DeviceId device, TagId tag, Value value, Instant deadline, flow::CommandSink::Done done) = 0;

    virtual std::vector<DeviceStatus> status() const = 0;
    virtual std::optional<DeviceStatus> status(DeviceId device) const = 0;

    /// For people who set a device up: connects, asks for one register, says what came. Takes at most `timeout` twice.
    virtual void test_connection(Endpoint endpoint, std::uint8_t unit, Duration timeout,
                                 std::move_only_function<void(TestResult)> done) = 0;
    /// Reads each register once over one connection of its own. Values are parallel to `registers`.
    /// Errors: Unreachable, Timeout, InvalidArgument (more than 500 registers).
    virtual void read_once(Endpoint endpoint, std::uint8_t unit, Duration timeout, std::vector<Register> registers,
                           std::move_only_function<void(Result<std::vector<PreviewValue>>)> done) = 0;
};

}  // namespace lineshaft::modbus
