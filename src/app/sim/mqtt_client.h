/// A small MQTT 3.1.1 client that only publishes, with QoS 1: what a sensor has inside.
///
/// Flow:    publish() queues; up to in_flight_max wait for their PUBACK; a message leaves the queue with it.
/// Threads: own shard only.
/// Errors:  reconnects for ever (0.5 s, doubling to 10 s); what was not acknowledged is sent again.
/// Limits:  queued_max messages; beyond it the oldest is dropped and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/sim/sim.h"
#include "runtime/shard.h"
#include "runtime/stream.h"

namespace lineshaft::sim {

class MqttClient {
public:
    static constexpr std::size_t queued_max = 20'000;
    static constexpr std::size_t in_flight_max = 500;

    /// Begins to connect at once.
    static std::unique_ptr<MqttClient> create(Shard& shard, Network& network, BrokerOptions options);
    virtual ~MqttClient() = default;

    virtual void publish(std::string topic, std::string payload) = 0;
    virtual bool is_connected() const = 0;
    /// Not yet acknowledged.
    virtual std::size_t queued() const = 0;
    virtual std::uint64_t acknowledged() const = 0;
    virtual std::uint64_t dropped() const = 0;
    /// Why the last connection failed; empty while connected.
    virtual const std::string& trouble() const = 0;
    /// Says goodbye to the broker; no further attempt.
    virtual void close() = 0;
};

}  // namespace lineshaft::sim
