/// A session that lives on this shard, connected or not.
///
/// Threads: own shard only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <vector>

#include "south/mqtt/authenticator.h"
#include "south/mqtt/internal/session_state.h"

namespace lineshaft::mqtt {

class Connection;

/// What one read of a connection waits for before its acknowledgements leave. They leave in the order of arrival
/// [MQTT-4.6.0-2], so a session keeps its settlements in a queue.
struct Settlement {
    struct Ack {
        std::uint16_t packet_id = 0;
        Qos qos = Qos::AtLeastOnce;
        wire::Reason reason = wire::Reason::Success;
        std::string_view why;  // Reason string for a v5 client; static.
    };
    std::uint64_t no = 0;
    std::uint64_t connection_no = 0;
    int waiting = 0;             // Parts under way: readings, journal, other shards.
    std::optional<Error> error;  // The first one.
    std::vector<Ack> acks;
};

class Session : public SessionState {
public:
    std::uint64_t publisher = 0;  // Unique over the shards; see Message::publisher.
    Connection* connection = nullptr;
    Identity identity;  // Of the last connection; empty after a restart.

    // Deadlines while disconnected; none: not set.
    Instant expires_at;
    Instant will_at;

    std::deque<Settlement> settlements;
    std::uint64_t settlement_no_last = 0;

    std::list<Delivery> backlog;  // QoS 0 for a connection that is slow to read.
    std::size_t backlog_bytes = 0;
    std::size_t queued_bytes = 0;     // queue and in_flight.
    std::uint32_t outstanding = 0;    // Of in_flight: sent on this connection.
    std::uint32_t resend_left = 0;    // Of in_flight: marked resend.
    std::uint32_t journal_waits = 0;  // Of in_flight: sent when the journal is durable.
    std::uint32_t shared = 0;         // Subscriptions to shared groups.
    bool is_journalled = false;       // The journal knows it.

    // Used by one routing run; meaningless between runs.
    std::uint64_t route_no = 0;
    std::size_t route_slot = 0;

    /// A packet identifier that no delivery in flight has.
    std::uint16_t next_packet_id() {
        do {
            if (++packet_id_last_ == 0) {
                packet_id_last_ = 1;
                remember_ids();
            }
        } while (std::binary_search(old_ids_.begin(), old_ids_.end(), packet_id_last_));
        return packet_id_last_;
    }
    /// After a restart: the ids in flight were given by an earlier life.
    void remember_ids() {
        // Ids rise, so only those in flight when the counter wraps can meet it again in the next round.
        old_ids_.clear();
        for (const Delivery& delivery : in_flight) old_ids_.push_back(delivery.packet_id);
        std::ranges::sort(old_ids_);
    }

private:
    std::uint16_t packet_id_last_ = 0;
    std::vector<std::uint16_t> old_ids_;
};

}  // namespace lineshaft::mqtt
