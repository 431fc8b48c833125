/// A Modbus TCP server for simulators and tests: registers in memory, with faults on request.
///
/// Flow:    a connection --> requests --> RegisterBank --> answers, as the faults let them.
/// Threads: own shard only.
/// Limits:  connections_max.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "runtime/shard.h"
#include "runtime/stream.h"
#include "wire/modbus/modbus.h"

namespace lineshaft::sim {

/// What is behind the addresses. Anything beyond the vectors is an illegal data address.
struct RegisterBank {
    std::vector<std::uint8_t> coils;
    std::vector<std::uint8_t> discrete;
    std::vector<std::uint16_t> holding;
    std::vector<std::uint16_t> input;
};

/// The answer of a device with this memory; writes change it.
wire::modbus::Response answer(RegisterBank& bank, const wire::modbus::Request& request);

/// How to misbehave. Shares are of all requests, 0…1.
struct ModbusFaults {
    double exception_share = 0;
    double silence_share = 0;
    double wrong_id_share = 0;
    double short_share = 0;
    Duration delay{0};
    bool split = false;
};

class ModbusServer {
public:
    static constexpr std::size_t connections_max = 64;

    struct Options {
        Endpoint address;
        std::uint8_t unit = 0;  // 0: answers for every unit.
        ModbusFaults faults;
        std::uint64_t seed = 1;
    };
    /// `before_read` brings `bank` up to date; `after_write` takes what was written from it. Both may be empty.
    struct Hooks {
        std::function<void()> before_read;
        std::function<void()> after_write;
    };

    static Result<std::unique_ptr<ModbusServer>> create(Shard& shard, Network& network, RegisterBank& bank,
                                                        const Options& options, Hooks hooks);
    virtual ~ModbusServer() = default;
    virtual Endpoint endpoint() const = 0;
    virtual std::uint64_t requests() const = 0;
};

}  // namespace lineshaft::sim
