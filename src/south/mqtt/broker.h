/// The MQTT broker: 3.1.1 and 5.0, over any byte stream. A publish reaches other clients and becomes readings.
///
///   listener --> accept --> CONNECT, who is it? --> home shard of the session --> readings --> flow::Ingress
///                                                        |                                       | durable
///                                                        '--> subscribers, offline queues        v
///                                                             (journal, durable) -----------> PUBACK / PUBREC
///
/// An acknowledgement leaves when the readings of the message are durable in the store and the message itself is
/// durable in the journal wherever it must outlive us: retained, or on its way to a session that outlives its
/// connection.
///
/// Flow:    takes Streams from listeners; gives ReadingBatches, one per connection and read, to each shard's sink.
/// Threads: accept on the shard of its index; post_… and stats from any thread; create and the destructor while no
///          shard runs broker code (before start, after close).
/// Errors:  those of Disk, Corrupt, VersionUnknown. Clients are answered in their protocol and counted.
/// Limits:  limits::mqtt_*, and Options.
/// Formats: docs/formats/mqtt-journal.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/time.h"
#include "flow/reading_sink.h"
#include "flow/source_ledger.h"
#include "model/reading.h"
#include "runtime/disk.h"
#include "runtime/stream.h"
#include "runtime/worker_pool.h"
#include "south/mqtt/authenticator.h"

namespace lineshaft::mqtt {

/// One message as the payload decoder sees it.
struct Publication {
    std::string_view topic;
    std::string_view device;  // Of the credential, else the client id: for topics that say "me".
    ByteView payload;
    UtcTime now;
};

/// Turns a message into readings; what it adds refers to texts kept by the batch. False (and nothing added): not
/// telemetry; it is counted and goes to subscribers all the same.
using PayloadDecoder = std::function<bool(const Publication& publication, ReadingBatch& batch)>;

class Broker {
public:
    /// What the broker is given on one shard. Everything outlives the broker.
    struct Door {
        Shard* shard = nullptr;
        flow::ReadingSink* readings = nullptr;
        PayloadDecoder decode;
        flow::SourceLedger* ledger = nullptr;  // Hears who connects and who goes; null: nobody does.
    };
    struct Options {
        std::vector<Door> doors;    // One per shard, in the order of shards.
        std::string directory;      // Of the journals; made when absent.
        std::string version = "0";  // Shown in $SYS/broker/version.
        std::uint64_t seed = 1;     // For assigned client ids; from the system's randomness in production.
        Duration connect_timeout = 10s;
        Duration session_expiry_max = std::chrono::hours(24 * 30);
        std::size_t connections_max = 100'000;  // Per shard, those that have not sent CONNECT included.
        std::size_t queued_messages_max = limits::mqtt_queued_messages_max;  // Per session.
        std::size_t queued_bytes_max = limits::mqtt_queued_bytes_max;        // Per session.
        std::size_t queued_bytes_total_max = 512 * 1024 * 1024;              // Per shard.
        std::size_t journal_bytes_min =
            16 * 1024 * 1024;       // A journal is rewritten beyond twice its live content, and this.
        Duration sys_period = 10s;  // Of $SYS; zero: none.
    };

    /// Reads the journals under `options.directory` and rebuilds sessions, queues and retained messages.
    /// Damaged records are skipped and logged; the bytes behind the last good one are kept beside it (….cut).
    static Result<std::unique_ptr<Broker>> create(Options options, Disk& disk, WorkerPool& pool,
                                                  Authenticator& authenticator);
    ~Broker();

    /// Starts timers, and publishes the wills of clients that were connected when the process ended. Any thread.
    void start();

    /// Takes a connection accepted on shard `shard_index`, on that shard.
    void accept(std::size_t shard_index, std::unique_ptr<Stream> stream);

    /// A message from inside (alarms, commands). QoS and retain as given; it does not become readings. Any thread.
    void post_publish(TenantId tenant, std::string topic, std::string payload, unsigned qos, bool retain);

    /// Cuts connections whose identity has this actor; their sessions are kept. For withdrawn credentials. Any thread.
    void post_disconnect(TenantId tenant, std::string actor);

    struct Stats {
        std::uint64_t connections = 0;
        std::uint64_t sessions = 0;  // Connected and kept.
        std::uint64_t subscriptions = 0;
        std::uint64_t retained = 0;
        std::uint64_t queued_messages = 0;
        std::uint64_t queued_bytes = 0;
        std::uint64_t messages_in = 0;  // PUBLISH packets since start.
        std::uint64_t messages_out = 0;
        std::uint64_t journal_bytes = 0;
        bool journal_failed = false;  // Nothing that needs it is acknowledged.
    };
    /// Summed over the shards; a little behind. Any thread.
    Stats stats() const;

    /// Tells the clients (v5: 0x8B), cuts them, syncs the journals. `done` runs on shard 0. Any thread.
    void post_close(Task done);

private:
    class Parts;
    explicit Broker(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace lineshaft::mqtt
