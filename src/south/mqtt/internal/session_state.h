/// What a session is made of, as far as it survives the process.
///
/// Threads: own shard only.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "south/mqtt/internal/message.h"

namespace lineshaft::mqtt {

struct SubscriptionOptions {
    Qos qos = Qos::AtMostOnce;
    bool no_local = false;
    bool retain_as_published = false;
    std::uint32_t id = 0;  // Subscription Identifier; 0: none.
    friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

/// One message for one session.
struct Delivery {
    MessagePtr message;
    std::uint64_t message_no = 0;  // In the journal; 0: not journalled.
    Qos qos = Qos::AtMostOnce;
    bool retain = false;
    bool released = false;        // QoS 2: PUBREC has come; PUBREL is to be answered.
    bool resend = false;          // In flight on an earlier connection, not yet sent on this one.
    std::uint16_t packet_id = 0;  // 0: not sent yet.
    std::vector<std::uint32_t> subscription_ids;
};

/// A QoS 2 message from the client, between PUBLISH and PUBREL.
struct Incoming {
    bool settled = false;      // Durable: PUBREC may be sent, again too.
    bool asked_again = false;  // The client repeated PUBLISH meanwhile.
};

struct StoredWill {
    MessagePtr message;
    std::uint32_t delay_s = 0;
    std::uint32_t expiry_s = 0;  // Of the message, from its publication; 0: never.
};

struct SessionState {
    std::uint64_t no = 0;  // In the journal of its shard.
    TenantId tenant{1};
    std::string client_id;
    std::string owner;           // Identity::actor: nobody else inherits the session.
    std::uint32_t expiry_s = 0;  // 0: ends with the connection.
    UtcTime disconnected_at;     // None: connected when last heard of.
    std::optional<StoredWill> will;
    std::map<std::string, SubscriptionOptions, std::less<>> subscriptions;
    std::list<Delivery> in_flight;  // In the order of sending.
    std::list<Delivery> queue;      // In the order of arrival.
    std::unordered_map<std::uint16_t, Incoming> incoming;

    /// Does it outlive the connection?
    bool is_persistent() const { return expiry_s > 0; }
};

}  // namespace lineshaft::mqtt
