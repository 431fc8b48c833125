#include <algorithm>

#include "base/assert.h"
#include "wire/mqtt/packet.h"

namespace lineshaft::wire::mqtt {
namespace {

void append_text(std::string_view text, Bytes& out) {
    ASSERT(text.size() <= 0xFFFF);
    ByteWriter writer(out);
    writer.be(static_cast<std::uint16_t>(text.size()));
    writer.text(text);
}

void append_head(PacketType type, std::uint8_t flags, std::size_t length, Bytes& out) {
    out.push_back(static_cast<std::byte>(static_cast<unsigned>(type) << 4 | flags));
    append_variable_int(static_cast<std::uint32_t>(length), out);
}

void append_packet(PacketType type, std::uint8_t flags, const Bytes& body, Bytes& out) {
    append_head(type, flags, body.size(), out);
    out.insert(out.end(), body.begin(), body.end());
}

void append_properties(const Properties& properties, Version version, Bytes& out) {
    if (version == Version::V5) encode_properties(properties, out);
}

std::size_t property_bytes(const PublishHead& head) {
    return head.own_properties.size() + head.forwarded_properties.size();
}

std::size_t publish_length(const PublishHead& head, Version version) {
    std::size_t length = 2 + head.topic.size() + head.payload_bytes;
    if (head.qos != Qos::AtMostOnce) length += 2;
    if (version == Version::V5) {
        const std::size_t bytes = property_bytes(head);
        length += variable_int_bytes(static_cast<std::uint32_t>(bytes)) + bytes;
    }
    return length;
}

std::uint8_t publish_flags(Qos qos, bool retain, bool duplicate) {
    return static_cast<std::uint8_t>((duplicate ? 8 : 0) | static_cast<unsigned>(qos) << 1 | (retain ? 1 : 0));
}

/// Body of DISCONNECT and AUTH: nothing, the code, or code and properties.
void append_reason(Reason reason, const Properties& properties, Bytes& body) {
    if (reason == Reason::Success && properties.empty()) return;
    body.push_back(static_cast<std::byte>(reason));
    encode_properties(properties, body);
}

}  // namespace

void encode(const Connect& packet, Bytes& out) {
    Bytes body;
    append_text("MQTT", body);
    ByteWriter writer(body);
    writer.u8(static_cast<std::uint8_t>(packet.version));
    unsigned flags = packet.clean_start ? 0x02 : 0;
    if (packet.will) flags |= 0x04 | static_cast<unsigned>(packet.will->qos) << 3 | (packet.will->retain ? 0x20 : 0);
    if (packet.password) flags |= 0x40;
    if (packet.user_name) flags |= 0x80;
    writer.u8(static_cast<std::uint8_t>(flags));
    writer.be(packet.keep_alive_s);
    append_properties(packet.properties, packet.version, body);
    append_text(packet.client_id, body);
    if (packet.will) {
        append_properties(packet.will->properties, packet.version, body);
        append_text(packet.will->topic, body);
        append_text(as_text(packet.will->payload), body);
    }
    if (packet.user_name) append_text(*packet.user_name, body);
    if (packet.password) append_text(as_text(*packet.password), body);
    append_packet(PacketType::Connect, 0, body, out);
}

void encode(const ConnAck& packet, Version version, Bytes& out) {
    Bytes body;
    body.push_back(static_cast<std::byte>(packet.session_present ? 1 : 0));
    body.push_back(version == Version::V5 ? static_cast<std::byte>(packet.reason)
                                          : static_cast<std::byte>(connect_return_code(packet.reason)));
    append_properties(packet.properties, version, body);
    append_packet(PacketType::ConnAck, 0, body, out);
}

void encode(const Publish& packet, Version version, Bytes& out) {
    Bytes body;
    append_text(packet.topic, body);
    if (packet.qos != Qos::AtMostOnce) ByteWriter(body).be(packet.packet_id);
    append_properties(packet.properties, version, body);
    body.insert(body.end(), packet.payload.begin(), packet.payload.end());
    append_packet(PacketType::Publish, publish_flags(packet.qos, packet.retain, packet.duplicate), body, out);
}

void encode(const PubAck& packet, Version version, Bytes& out) {
    const std::uint8_t flags = packet.type == PacketType::PubRel ? 2 : 0;
    if (version == Version::V311 || (packet.reason == Reason::Success && packet.properties.empty())) {
        append_head(packet.type, flags, 2, out);
        ByteWriter(out).be(packet.packet_id);
        return;
    }
    Bytes body;
    ByteWriter(body).be(packet.packet_id);
    body.push_back(static_cast<std::byte>(packet.reason));
    if (!packet.properties.empty()) encode_properties(packet.properties, body);
    append_packet(packet.type, flags, body, out);
}

void encode(const Subscribe& packet, Version version, Bytes& out) {
    Bytes body;
    ByteWriter(body).be(packet.packet_id);
    append_properties(packet.properties, version, body);
    for (const Subscription& subscription : packet.subscriptions) {
        append_text(subscription.filter, body);
        unsigned options = static_cast<unsigned>(subscription.qos);
        if (subscription.no_local) options |= 4;
        if (subscription.retain_as_published) options |= 8;
        options |= static_cast<unsigned>(subscription.retain_handling) << 4;
        body.push_back(static_cast<std::byte>(options));
    }
    append_packet(PacketType::Subscribe, 2, body, out);
}

void encode(const SubAck& packet, Version version, Bytes& out) {
    Bytes body;
    ByteWriter(body).be(packet.packet_id);
    append_properties(packet.properties, version, body);
    for (Reason reason : packet.reasons) {
        // 3.1.1 knows one failure only, 0x80 (3.9.3 of 3.1.1).
        if (version == Version::V311 && is_failure(reason)) reason = Reason::Unspecified;
        if (version == Version::V5 || packet.type == PacketType::SubAck)
            body.push_back(static_cast<std::byte>(reason));
    }
    append_packet(packet.type, 0, body, out);
}

void encode(const Unsubscribe& packet, Version version, Bytes& out) {
    Bytes body;
    ByteWriter(body).be(packet.packet_id);
    append_properties(packet.properties, version, body);
    for (std::string_view filter : packet.filters) append_text(filter, body);
    append_packet(PacketType::Unsubscribe, 2, body, out);
}

void encode(const Disconnect& packet, Version version, Bytes& out) {
    Bytes body;
    if (version == Version::V5) append_reason(packet.reason, packet.properties, body);
    append_packet(PacketType::Disconnect, 0, body, out);
}

void encode(const Auth& packet, Bytes& out) {
    Bytes body;
    append_reason(packet.reason, packet.properties, body);
    append_packet(PacketType::Auth, 0, body, out);
}

void encode(PingReq, Bytes& out) { append_head(PacketType::PingReq, 0, 0, out); }
void encode(PingResp, Bytes& out) { append_head(PacketType::PingResp, 0, 0, out); }

void encode_any(const Packet& packet, Version version, Bytes& out) {
    std::visit(
        [&](const auto& one) {
            if constexpr (requires { encode(one, version, out); }) {
                encode(one, version, out);
            } else {
                encode(one, out);
            }
        },
        packet);
}

void encode_publish_head(const PublishHead& head, Version version, Bytes& out) {
    append_head(PacketType::Publish, publish_flags(head.qos, head.retain, head.duplicate),
                publish_length(head, version), out);
    append_text(head.topic, out);
    if (head.qos != Qos::AtMostOnce) ByteWriter(out).be(head.packet_id);
    if (version != Version::V5) return;
    append_variable_int(static_cast<std::uint32_t>(property_bytes(head)), out);
    ByteWriter writer(out);
    writer.bytes(head.own_properties);
    writer.bytes(head.forwarded_properties);
}

std::size_t publish_packet_bytes(const PublishHead& head, Version version) {
    const std::size_t length = publish_length(head, version);
    return 1 + variable_int_bytes(static_cast<std::uint32_t>(length)) + length;
}

std::uint8_t connect_return_code(Reason reason) {
    switch (reason) {
        case Reason::Success: return 0;
        case Reason::UnsupportedProtocolVersion: return 1;
        case Reason::ClientIdNotValid: return 2;
        case Reason::BadUserNameOrPassword: return 4;
        case Reason::NotAuthorized:
        case Reason::Banned:
        case Reason::BadAuthenticationMethod: return 5;
        default: return 3;
    }
}

}  // namespace lineshaft::wire::mqtt
