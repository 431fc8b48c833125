/// MQTT 3.1.1 and 5.0 control packets: bytes to packets and back. Client and server side.
///
/// Flow:    next_frame finds a packet in what has come; decode_… reads it in place: nothing is copied, views point
///          into the frame. encode appends to `out`.
/// Threads: any; pure: no I/O, no clock.
/// Errors:  Refusal with the v5 reason code. 3.1.1 has no codes: close the connection.
/// Limits:  packet size given by the caller; limits::mqtt_topic_bytes_max, mqtt_topic_levels_max.
/// Formats: OASIS MQTT 3.1.1 and 5.0; the numbers in brackets in refusals are chapters of 5.0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "wire/mqtt/properties.h"
#include "wire/mqtt/reason.h"

namespace lineshaft::wire::mqtt {

enum class Version : std::uint8_t { V311 = 4, V5 = 5 };
enum class Qos : std::uint8_t { AtMostOnce = 0, AtLeastOnce = 1, ExactlyOnce = 2 };

enum class PacketType : std::uint8_t {
    Connect = 1,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
};

/// A packet found in a run of bytes.
struct Frame {
    PacketType type = PacketType::PingReq;
    std::uint8_t flags = 0;
    ByteView body;
    std::size_t frame_bytes = 0;  // Fixed header and body: how far to go on.
};

/// The packet at the begin of `bytes`, or nothing while it is not whole. Decides as early as the bytes allow.
/// Errors: PacketTooLarge beyond `packet_bytes_max`, Malformed.
Decoded<std::optional<Frame>> next_frame(ByteView bytes, std::size_t packet_bytes_max);

struct Will {
    std::string_view topic;
    ByteView payload;
    Qos qos = Qos::AtMostOnce;
    bool retain = false;
    Properties properties;
};

struct Connect {
    Version version = Version::V5;
    std::string_view client_id;
    bool clean_start = true;
    std::uint16_t keep_alive_s = 0;
    std::optional<Will> will;
    std::optional<std::string_view> user_name;
    std::optional<ByteView> password;
    Properties properties;
};

struct ConnAck {
    bool session_present = false;
    Reason reason = Reason::Success;
    Properties properties;
};

struct Publish {
    std::string_view topic;  // Empty: the alias stands for it.
    ByteView payload;
    std::uint16_t packet_id = 0;
    Qos qos = Qos::AtMostOnce;
    bool retain = false;
    bool duplicate = false;
    Properties properties;
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct PubAck {
    PacketType type = PacketType::PubAck;
    std::uint16_t packet_id = 0;
    Reason reason = Reason::Success;
    Properties properties;
};

struct Subscription {
    std::string_view filter;
    Qos qos = Qos::AtMostOnce;
    bool no_local = false;
    bool retain_as_published = false;
    std::uint8_t retain_handling = 0;  // 0: send retained, 1: when the subscription is new, 2: never.
};

struct Subscribe {
    std::uint16_t packet_id = 0;
    std::vector<Subscription> subscriptions;
    Properties properties;
};

struct Unsubscribe {
    std::uint16_t packet_id = 0;
    std::vector<std::string_view> filters;
    Properties properties;
};

/// SUBACK, UNSUBACK.
struct SubAck {
    PacketType type = PacketType::SubAck;
    std::uint16_t packet_id = 0;
    std::vector<Reason> reasons;  // UNSUBACK of 3.1.1 has none.
    Properties properties;
};

struct PingReq {};
struct PingResp {};

struct Disconnect {
    Reason reason = Reason::Success;
    Properties properties;
};

struct Auth {
    Reason reason = Reason::Success;
    Properties properties;
};

/// A CONNECT of an unknown protocol level is refused with UnsupportedProtocolVersion; protocol_level then tells which.
Decoded<Connect> decode_connect(const Frame& frame);
/// The level byte of a CONNECT, 0 when there is none.
std::uint8_t protocol_level(const Frame& frame);
Decoded<ConnAck> decode_conn_ack(const Frame& frame, Version version);
Decoded<Publish> decode_publish(const Frame& frame, Version version);
Decoded<PubAck> decode_pub_ack(const Frame& frame, Version version);
/// Filters are checked for UTF-8 and presence; whether each is valid is for its own reason code in SUBACK.
Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version);
Decoded<SubAck> decode_sub_ack(const Frame& frame, Version version);
Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version);
Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version);
Decoded<Auth> decode_auth(const Frame& frame, Version version);
/// PINGREQ and PINGRESP: nothing but the header.
Decoded<void> decode_ping(const Frame& frame);

using Packet = std::variant<Connect, ConnAck, Publish, PubAck, Subscribe, SubAck, Unsubscribe, PingReq, PingResp,
                            Disconnect, Auth>;
/// Any packet. `version` is ignored for CONNECT, which says it itself.
Decoded<Packet> decode(const Frame& frame, Version version);

void encode(const Connect& packet, Bytes& out);
void encode(const ConnAck& packet, Version version, Bytes& out);
void encode(const Publish& packet, Version version, Bytes& out);
void encode(const PubAck& packet, Version version, Bytes& out);
void encode(const Subscribe& packet, Version version, Bytes& out);
void encode(const SubAck& packet, Version version, Bytes& out);
void encode(const Unsubscribe& packet, Version version, Bytes& out);
void encode(const Disconnect& packet, Version version, Bytes& out);
void encode(const Auth& packet, Bytes& out);
void encode(PingReq, Bytes& out);
void encode(PingResp, Bytes& out);
void encode_any(const Packet& packet, Version version, Bytes& out);

/// A PUBLISH without its payload, for senders that share one payload among many receivers: `properties` are already
/// encoded (without their length; ignored for 3.1.1).
struct PublishHead {
    std::string_view topic;
    std::uint16_t packet_id = 0;
    Qos qos = Qos::AtMostOnce;
    bool retain = false;
    bool duplicate = false;
    ByteView own_properties;        // Message expiry, subscription identifiers, alias: of this delivery.
    ByteView forwarded_properties;  // Of the message.
    std::size_t payload_bytes = 0;
};
void encode_publish_head(const PublishHead& head, Version version, Bytes& out);
/// Bytes of the whole packet, to be held against the receiver's Maximum Packet Size.
std::size_t publish_packet_bytes(const PublishHead& head, Version version);

}  // namespace lineshaft::wire::mqtt
