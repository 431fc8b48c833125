#include <limits>

#include "base/assert.h"
#include "wire/mqtt/packet.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::wire::mqtt {
namespace {

/// As TRY of base/result.h: the value, or return the refusal.
#define TRY_DECODE(expression)                                      \
    __extension__({                                                 \
        auto try_decoded = (expression);                            \
        if (!try_decoded) [[unlikely]]                              \
            return std::unexpected(std::move(try_decoded).error()); \
        *std::move(try_decoded);                                    \
    })

Decoded<std::string_view> read_text(ByteReader& reader, std::string_view what) {
    const std::string_view text = reader.text(reader.be<std::uint16_t>());
    if (!reader.ok()) return malformed(what);
    if (!is_valid_utf8(text)) return malformed("a string is not valid UTF-8 (1.5.4)");
    return text;
}

Decoded<void> expect_flags(const Frame& frame, std::uint8_t flags) {
    if (frame.flags != flags) return malformed("the flags of the fixed header are reserved (2.1.3)");
    return {};
}

Decoded<void> expect_end(const ByteReader& reader) {
    if (!reader.ok()) return malformed("the packet is cut short");
    if (reader.left() != 0) return malformed("the packet is longer than its content");
    return {};
}

Decoded<std::uint16_t> read_packet_id(ByteReader& reader) {
    const auto id = reader.be<std::uint16_t>();
    if (!reader.ok()) return malformed("the packet identifier is missing");
    if (id == 0) return protocol_error("a packet identifier may not be 0 (2.2.1)");
    return id;
}

Decoded<Properties> read_properties(ByteReader& reader, Version version, PropertyPlace place) {
    if (version == Version::V311) return Properties{};
    return decode_properties(reader, place);
}

bool is_valid_reason(PacketType type, Reason reason) {
    using enum Reason;
    switch (type) {
        case PacketType::PubAck:
        case PacketType::PubRec:
            return reason == Success || reason == NoMatchingSubscribers || reason == Unspecified ||
                   reason == ImplementationSpecific || reason == NotAuthorized || reason == TopicNameInvalid ||
                   reason == PacketIdInUse || reason == QuotaExceeded || reason == PayloadFormatInvalid;
        case PacketType::PubRel:
        case PacketType::PubComp: return reason == Success || reason == PacketIdNotFound;
        case PacketType::Auth:
            return reason == Success || reason == ContinueAuthentication || reason == ReAuthenticate;
        default: return true;
    }
}

bool is_valid_disconnect(Reason reason) {
    switch (reason) {
        case Reason::Success:
        case Reason::DisconnectWithWill:
        case Reason::Unspecified:
        case Reason::Malformed:
        case Reason::ProtocolError:
        case Reason::ImplementationSpecific:
        case Reason::NotAuthorized: return true;
        default: return reason >= Reason::ServerBusy && reason <= Reason::WildcardSubscriptionsNotSupported;
    }
}

struct ConnectFlags {
    std::uint8_t bits;
    bool clean_start() const { return bits & 0x02; }
    bool will() const { return bits & 0x04; }
    std::uint8_t will_qos() const { return (bits >> 3) & 3; }
    bool will_retain() const { return bits & 0x20; }
    bool password() const { return bits & 0x40; }
    bool user_name() const { return bits & 0x80; }
};

Decoded<void> check_connect_flags(ConnectFlags flags, Version version) {
    if (flags.bits & 0x01) return malformed("the reserved connect flag is set (3.1.2.3)");
    if (flags.will_qos() == 3) return malformed("a will QoS of 3 (3.1.2.6)");
    if (!flags.will() && (flags.will_qos() != 0 || flags.will_retain())) {
        return malformed("will QoS or retain without a will (3.1.2.6)");
    }
    if (version == Version::V311 && flags.password() && !flags.user_name()) {
        return malformed("a password without a user name (3.1.2.9 of 3.1.1)");
    }
    return {};
}

Decoded<Will> read_will(ByteReader& reader, ConnectFlags flags, Version version) {
    Will will;
    will.qos = static_cast<Qos>(flags.will_qos());
    will.retain = flags.will_retain();
    will.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::Will));
    will.topic = TRY_DECODE(read_text(reader, "the will topic is cut short"));
    if (!is_valid_topic(will.topic)) return refuse(Reason::TopicNameInvalid, "the will topic is not a topic");
    will.payload = reader.bytes(reader.be<std::uint16_t>());
    if (!reader.ok()) return malformed("the will payload is cut short");
    return will;
}

Decoded<Version> read_protocol(ByteReader& reader) {
    const std::string_view name = reader.text(reader.be<std::uint16_t>());
    const std::uint8_t level = reader.u8();
    if (!reader.ok()) return malformed("the protocol name is cut short");
    if (name == "MQIsdp" && level == 3) {
        return refuse(Reason::UnsupportedProtocolVersion, "MQTT 3.1: use 3.1.1 or 5.0");
    }
    if (name != "MQTT") return malformed("the protocol name is not MQTT (3.1.2.1)");
    if (level != 4 && level != 5) return refuse(Reason::UnsupportedProtocolVersion, "use MQTT 3.1.1 or 5.0");
    return static_cast<Version>(level);
}

}  // namespace

Decoded<std::optional<Frame>> next_frame(ByteView bytes, std::size_t packet_bytes_max) {
    if (bytes.empty()) return std::optional<Frame>();
    const auto first = std::to_integer<std::uint8_t>(bytes[0]);
    if (first >> 4 == 0) return malformed("packet type 0 (2.1.2)");
    std::size_t length = 0;
    std::size_t at = 1;
    for (int shift = 0;; shift += 7) {
        if (shift == 28) return malformed("the remaining length has more than four bytes (1.5.5)");
        if (at == bytes.size()) return std::optional<Frame>();
        const auto byte = std::to_integer<std::uint8_t>(bytes[at++]);
        length |= static_cast<std::size_t>(byte & 0x7F) << shift;
        if (byte & 0x80) continue;
        if (byte == 0 && shift > 0) return malformed("the remaining length is not in its shortest form (1.5.5)");
        break;
    }
    if (at + length > packet_bytes_max)
        return refuse(Reason::PacketTooLarge, "the packet is larger than the maximum");
    if (bytes.size() - at < length) return std::optional<Frame>();
    return Frame{static_cast<PacketType>(first >> 4), static_cast<std::uint8_t>(first & 0x0F),
                 bytes.subspan(at, length), at + length};
}

std::uint8_t protocol_level(const Frame& frame) {
    ByteReader reader(frame.body);
    reader.bytes(reader.be<std::uint16_t>());
    return reader.u8();
}

Decoded<Connect> decode_connect(const Frame& frame) {
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    Connect connect;
    connect.version = TRY_DECODE(read_protocol(reader));
    const ConnectFlags flags{reader.u8()};
    connect.keep_alive_s = reader.be<std::uint16_t>();
    if (!reader.ok()) return malformed("the CONNECT is cut short");
    if (auto check = check_connect_flags(flags, connect.version); !check) return std::unexpected(check.error());
    connect.clean_start = flags.clean_start();
    connect.properties = TRY_DECODE(read_properties(reader, connect.version, PropertyPlace::Connect));
    if (connect.properties.has(Property::AuthData) && !connect.properties.has(Property::AuthMethod)) {
        return protocol_error("Authentication Data without a method (3.1.2.11.10)");
    }
    connect.client_id = TRY_DECODE(read_text(reader, "the client identifier is cut short"));
    if (flags.will()) connect.will = TRY_DECODE(read_will(reader, flags, connect.version));
    if (flags.user_name()) connect.user_name = TRY_DECODE(read_text(reader, "the user name is cut short"));
    if (flags.password()) connect.password = reader.bytes(reader.be<std::uint16_t>());
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return connect;
}

Decoded<ConnAck> decode_conn_ack(const Frame& frame, Version version) {
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    const std::uint8_t flags = reader.u8();
    ConnAck ack;
    ack.reason = static_cast<Reason>(reader.u8());
    if (flags > 1) return malformed("reserved CONNACK flags are set (3.2.2.1)");
    ack.session_present = flags == 1;
    ack.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::ConnAck));
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return ack;
}

Decoded<Publish> decode_publish(const Frame& frame, Version version) {
    ByteReader reader(frame.body);
    Publish publish;
    const unsigned qos = (frame.flags >> 1) & 3;
    if (qos == 3) return malformed("a PUBLISH with QoS 3 (3.3.1.2)");
    publish.qos = static_cast<Qos>(qos);
    publish.retain = frame.flags & 1;
    publish.duplicate = frame.flags & 8;
    if (publish.duplicate && qos == 0) return malformed("DUP with QoS 0 (3.3.1.1)");
    publish.topic = TRY_DECODE(read_text(reader, "the topic is cut short"));
    if (qos > 0) publish.packet_id = TRY_DECODE(read_packet_id(reader));
    publish.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::Publish));
    if (publish.topic.empty()) {
        if (version == Version::V311) return malformed("an empty topic (4.7.3)");
        if (!publish.properties.has(Property::TopicAlias)) return protocol_error("neither topic nor alias (3.3.2.1)");
    } else if (!is_valid_topic(publish.topic)) {
        return refuse(Reason::TopicNameInvalid, "the topic has wildcards, too many levels or is too long");
    }
    publish.payload = reader.bytes(reader.left());
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return publish;
}

Decoded<PubAck> decode_pub_ack(const Frame& frame, Version version) {
    const std::uint8_t flags = frame.type == PacketType::PubRel ? 2 : 0;
    if (auto check = expect_flags(frame, flags); !check) return std::unexpected(check.error());
    ByteReader reader(frame.body);
    PubAck ack;
    ack.type = frame.type;
    ack.packet_id = TRY_DECODE(read_packet_id(reader));
    if (version == Version::V5 && reader.left() > 0) {
        ack.reason = static_cast<Reason>(reader.u8());
        if (!is_valid_reason(frame.type, ack.reason))
            return protocol_error("a reason code that this packet cannot have");
        if (reader.left() > 0) ack.properties = TRY_DECODE(decode_properties(reader, PropertyPlace::PubAck));
    }
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return ack;
}

Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version) {
    if (auto flags = expect_flags(frame, 2); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    Subscribe subscribe;
    subscribe.packet_id = TRY_DECODE(read_packet_id(reader));
    subscribe.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::Subscribe));
    while (reader.left() > 0) {
        Subscription subscription;
        subscription.filter = TRY_DECODE(read_text(reader, "a filter is cut short"));
        const std::uint8_t options = reader.u8();
        if (!reader.ok()) return malformed("a filter has no options");
        if (options & (version == Version::V5 ? 0xC0 : 0xFC))
            return malformed("reserved subscription options are set");
        if ((options & 3) == 3) return malformed("a subscription with QoS 3 (3.8.3.1)");
        subscription.qos = static_cast<Qos>(options & 3);
        subscription.no_local = options & 4;
        subscription.retain_as_published = options & 8;
        subscription.retain_handling = (options >> 4) & 3;
        if (subscription.retain_handling == 3) return protocol_error("Retain Handling 3 (3.8.3.1)");
        if (subscription.no_local && subscription.filter.starts_with("$share/")) {
            return protocol_error("No Local on a shared subscription (3.8.3.1)");
        }
        subscribe.subscriptions.push_back(subscription);
    }
    if (subscribe.subscriptions.empty()) return protocol_error("a SUBSCRIBE without filters (3.8.3)");
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return subscribe;
}

Decoded<SubAck> decode_sub_ack(const Frame& frame, Version version) {
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    SubAck ack;
    ack.type = frame.type;
    ack.packet_id = TRY_DECODE(read_packet_id(reader));
    ack.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::PubAck));
    while (reader.left() > 0) ack.reasons.push_back(static_cast<Reason>(reader.u8()));
    const bool may_be_empty = frame.type == PacketType::UnsubAck && version == Version::V311;
    if (ack.reasons.empty() != may_be_empty)
        return malformed("SUBACK or UNSUBACK with the wrong number of reason codes");
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return ack;
}

Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version) {
    if (auto flags = expect_flags(frame, 2); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    Unsubscribe unsubscribe;
    unsubscribe.packet_id = TRY_DECODE(read_packet_id(reader));
    unsubscribe.properties = TRY_DECODE(read_properties(reader, version, PropertyPlace::Unsubscribe));
    while (reader.left() > 0) {
        unsubscribe.filters.push_back(TRY_DECODE(read_text(reader, "a filter is cut short")));
    }
    if (unsubscribe.filters.empty()) return protocol_error("an UNSUBSCRIBE without filters (3.10.3)");
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return unsubscribe;
}

Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version) {
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    Disconnect disconnect;
    if (version == Version::V5 && reader.left() > 0) {
        disconnect.reason = static_cast<Reason>(reader.u8());
        if (!is_valid_disconnect(disconnect.reason))
            return protocol_error("a reason code that DISCONNECT cannot have");
        if (reader.left() > 0)
            disconnect.properties = TRY_DECODE(decode_properties(reader, PropertyPlace::Disconnect));
    }
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return disconnect;
}

Decoded<Auth> decode_auth(const Frame& frame, Version version) {
    if (version == Version::V311) return malformed("AUTH is not a packet of 3.1.1");
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    ByteReader reader(frame.body);
    Auth auth;
    if (reader.left() > 0) {
        auth.reason = static_cast<Reason>(reader.u8());
        if (!is_valid_reason(frame.type, auth.reason)) return protocol_error("a reason code that AUTH cannot have");
        auth.properties = TRY_DECODE(decode_properties(reader, PropertyPlace::Auth));
    }
    if (auto end = expect_end(reader); !end) return std::unexpected(end.error());
    return auth;
}

Decoded<void> decode_ping(const Frame& frame) {
    if (auto flags = expect_flags(frame, 0); !flags) return std::unexpected(flags.error());
    return expect_end(ByteReader(frame.body));
}

Decoded<Packet> decode(const Frame& frame, Version version) {
    switch (frame.type) {
        case PacketType::Connect: return decode_connect(frame);
        case PacketType::ConnAck: return decode_conn_ack(frame, version);
        case PacketType::Publish: return decode_publish(frame, version);
        case PacketType::PubAck:
        case PacketType::PubRec:
        case PacketType::PubRel:
        case PacketType::PubComp: return decode_pub_ack(frame, version);
        case PacketType::Subscribe: return decode_subscribe(frame, version);
        case PacketType::Unsubscribe: return decode_unsubscribe(frame, version);
        case PacketType::SubAck:
        case PacketType::UnsubAck: return decode_sub_ack(frame, version);
        case PacketType::PingReq:
        case PacketType::PingResp: {
            if (auto ping = decode_ping(frame); !ping) return std::unexpected(ping.error());
            if (frame.type == PacketType::PingReq) return PingReq{};
            return PingResp{};
        }
        case PacketType::Disconnect: return decode_disconnect(frame, version);
        case PacketType::Auth: return decode_auth(frame, version);
    }
    return malformed("packet type 0 (2.1.2)");
}

}  // namespace lineshaft::wire::mqtt
