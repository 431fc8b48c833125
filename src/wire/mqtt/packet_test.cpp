#include "wire/mqtt/packet.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::wire::mqtt {
namespace {

/// "10 0c 'MQTT' 04": hex bytes and quoted text, as the specification shows packets.
Bytes bytes(std::string_view text) {
    Bytes out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == ' ') {
            ++i;
        } else if (text[i] == '\'') {
            for (++i; text[i] != '\''; ++i) out.push_back(static_cast<std::byte>(text[i]));
            ++i;
        } else {
            out.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
            i += 2;
        }
    }
    return out;
}

Frame frame_of(const Bytes& packet) {
    const auto frame = next_frame(packet, 1 << 20);
    EXPECT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->frame_bytes, packet.size());
    return **frame;
}

/// The reason a packet is refused with, Success when it is not.
Reason verdict(std::string_view text, Version version = Version::V5) {
    const Bytes packet = bytes(text);
    const auto frame = next_frame(packet, 1 << 20);
    if (!frame) return frame.error().reason;
    EXPECT_TRUE(*frame) << "not whole: " << text;
    const auto decoded = decode(**frame, version);
    return decoded ? Reason::Success : decoded.error().reason;
}

TEST(Framing, WaitsForTheWholePacket) {
    const Bytes packet = bytes("30 05 0001 'a' 'hi'");
    for (std::size_t have = 0; have < packet.size(); ++have) {
        const auto frame = next_frame(ByteView(packet).first(have), 100);
        ASSERT_TRUE(frame);
        EXPECT_FALSE(*frame) << have;
    }
    EXPECT_TRUE(*next_frame(packet, 100));
}

TEST(Framing, RefusesGiantsFromTheirHeaderAlone) {
    EXPECT_EQ(next_frame(bytes("30 ffffff7f"), 1 << 20).error().reason, Reason::PacketTooLarge);
    EXPECT_TRUE(next_frame(bytes("30 7f"), 129));
    EXPECT_FALSE(next_frame(bytes("30 7f"), 128));
}

TEST(Framing, RefusesFiveByteAndLongFormLengths) {
    EXPECT_EQ(next_frame(bytes("30 80808080 01"), 1 << 20).error().reason, Reason::Malformed);
    EXPECT_EQ(next_frame(bytes("c0 8000"), 1 << 20).error().reason, Reason::Malformed);
    EXPECT_EQ(next_frame(bytes("00 00"), 1 << 20).error().reason, Reason::Malformed);
}

TEST(VariableInt, KeepsTheBoundariesOfTheSpecification) {
    for (const std::uint32_t value : {0u, 127u, 128u, 16'383u, 16'384u, 2'097'151u, 2'097'152u, variable_int_max}) {
        Bytes out;
        append_variable_int(value, out);
        EXPECT_EQ(out.size(), variable_int_bytes(value));
        ByteReader reader(out);
        EXPECT_EQ(read_variable_int(reader), value);
        EXPECT_TRUE(reader.ok() && reader.left() == 0);
    }
}

TEST(ConnectPacket, ReadsTheExampleOfVersion311) {
    // Figure 3.6 of 3.1.1 (flags 0xCE: user name, password, will QoS 1, clean session), keep alive 10.
    const Bytes packet =
        bytes("10 25 0004 'MQTT' 04 ce 000a 0002 'c1' 0004 'will' 0003 'bye' 0004 'anna' 0004 'open'");
    const auto connect = decode_connect(frame_of(packet));
    ASSERT_TRUE(connect) << connect.error().why;
    EXPECT_EQ(connect->version, Version::V311);
    EXPECT_EQ(connect->client_id, "c1");
    EXPECT_TRUE(connect->clean_start);
    EXPECT_EQ(connect->keep_alive_s, 10);
    ASSERT_TRUE(connect->will);
    EXPECT_EQ(connect->will->topic, "will");
    EXPECT_EQ(as_text(connect->will->payload), "bye");
    EXPECT_EQ(connect->will->qos, Qos::AtLeastOnce);
    EXPECT_FALSE(connect->will->retain);
    EXPECT_EQ(connect->user_name, "anna");
    EXPECT_EQ(as_text(*connect->password), "open");
    Bytes again;
    encode(*connect, again);
    EXPECT_EQ(again, packet);
}

TEST(ConnectPacket, ReadsPropertiesOfVersion5) {
    Connect connect;
    connect.keep_alive_s = 60;
    Bytes user;
    append_user("k", "v", user);
    connect.properties.set(Property::SessionExpiry, 3600);
    connect.properties.set(Property::ReceiveMaximum, 10);
    connect.properties.set(Property::TopicAliasMaximum, 5);
    connect.properties.set_encoded(user);
    Bytes encoded;
    encode(connect, encoded);
    const auto decoded = decode_connect(frame_of(encoded));
    ASSERT_TRUE(decoded) << decoded.error().why;
    EXPECT_EQ(decoded->properties.number(Property::SessionExpiry, 0), 3600u);
    EXPECT_EQ(decoded->properties.number(Property::ReceiveMaximum, 65'535), 10u);
    EXPECT_EQ(decoded->properties.number(Property::MaximumPacketBytes, 7), 7u);
    int users = 0;
    for_each_user(decoded->properties.raw(), [&](std::string_view name, std::string_view value) {
        ++users;
        EXPECT_EQ(name, "k");
        EXPECT_EQ(value, "v");
    });
    EXPECT_EQ(users, 1);
}

TEST(ConnectPacket, RefusesWhatTheSpecificationForbids) {
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 04 03 0000 0001 'a'"), Reason::Malformed);        // Reserved flag.
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 04 1a 0000 0001 'a'"), Reason::Malformed);        // Will QoS 3.
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 04 22 0000 0001 'a'"), Reason::Malformed);        // Retain without will.
    EXPECT_EQ(verdict("10 0f 0004 'MQTT' 04 42 0000 0001 'a' 0000"), Reason::Malformed);   // Password alone.
    EXPECT_EQ(verdict("10 10 0004 'MQTT' 05 42 0000 00 0001 'a' 0000"), Reason::Success);  // v5 allows it.
    EXPECT_EQ(verdict("11 0d 0004 'MQTT' 04 02 0000 0001 'a'"), Reason::Malformed);        // Header flags.
    EXPECT_EQ(verdict("10 0d 0004 'MQTX' 04 02 0000 0001 'a'"), Reason::Malformed);        // Name.
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 06 02 0000 0001 'a'"), Reason::UnsupportedProtocolVersion);
    EXPECT_EQ(verdict("10 0f 0006 'MQIsdp' 03 02 0000 0001 'a'"), Reason::UnsupportedProtocolVersion);
    EXPECT_EQ(verdict("10 0e 0004 'MQTT' 04 02 0000 0001 'a' 00"), Reason::Malformed);  // Trailing byte.
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 04 02 0000 0001 00"), Reason::Malformed);      // U+0000.
    EXPECT_EQ(verdict("10 0c 0004 'MQTT' 04 02 0000 0001"), Reason::Malformed);         // Cut short.
    EXPECT_EQ(verdict("10 12 0004 'MQTT' 05 02 0000 05 11 00000001 0000 "), Reason::Success);
    EXPECT_EQ(verdict("10 17 0004 'MQTT' 05 02 0000 0a 11 00000001 11 00000001 0000"), Reason::ProtocolError);
    EXPECT_EQ(verdict("10 10 0004 'MQTT' 05 02 0000 03 21 0000 0000"), Reason::ProtocolError);
    EXPECT_EQ(verdict("10 10 0004 'MQTT' 05 02 0000 03 23 0001 0000"), Reason::ProtocolError);  // Not in CONNECT.
    EXPECT_EQ(verdict("10 0f 0004 'MQTT' 05 02 0000 02 7e 01 0000"), Reason::Malformed);        // Unknown property.
    EXPECT_EQ(verdict("10 0f 0004 'MQTT' 05 02 0000 02 17 02 0000"), Reason::ProtocolError);    // Neither 0 nor 1.
    EXPECT_EQ(verdict("10 0d 0004 'MQTT' 05 02 0000 40 0000"), Reason::Malformed);              // Beyond the packet.
}

TEST(PublishPacket, ReadsInPlace) {
    const Bytes packet = bytes("3d 0a 0003 'a/b' 000a 'xyz'");
    const auto publish = decode_publish(frame_of(packet), Version::V311);
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->topic, "a/b");
    EXPECT_EQ(publish->topic.data(), reinterpret_cast<const char*>(packet.data()) + 4);
    EXPECT_EQ(publish->packet_id, 10);
    EXPECT_EQ(publish->qos, Qos::ExactlyOnce);
    EXPECT_TRUE(publish->retain);
    EXPECT_TRUE(publish->duplicate);
    EXPECT_EQ(as_text(publish->payload), "xyz");
}

TEST(PublishPacket, HeadAndPayloadEqualTheWholePacket) {
    Publish publish;
    publish.topic = "a/b";
    publish.payload = as_bytes("payload");
    publish.packet_id = 7;
    publish.qos = Qos::AtLeastOnce;
    Bytes forwarded;
    append_user("n", "v", forwarded);
    publish.properties.set_encoded(forwarded);
    for (const Version version : {Version::V311, Version::V5}) {
        Bytes whole;
        encode(publish, version, whole);
        PublishHead head;
        head.topic = publish.topic;
        head.packet_id = 7;
        head.qos = publish.qos;
        head.forwarded_properties = forwarded;
        head.payload_bytes = publish.payload.size();
        Bytes parts;
        encode_publish_head(head, version, parts);
        ByteWriter(parts).bytes(publish.payload);
        EXPECT_EQ(parts, whole);
        EXPECT_EQ(publish_packet_bytes(head, version), whole.size());
    }
}

TEST(PublishPacket, RefusesWhatTheSpecificationForbids) {
    EXPECT_EQ(verdict("36 06 0001 'a' 0001 00"), Reason::Malformed);      // QoS 3.
    EXPECT_EQ(verdict("38 04 0001 'a' 00"), Reason::Malformed);           // DUP with QoS 0.
    EXPECT_EQ(verdict("32 06 0001 'a' 0000 00"), Reason::ProtocolError);  // Packet identifier 0.
    EXPECT_EQ(verdict("30 04 0001 '#' 00"), Reason::TopicNameInvalid);
    EXPECT_EQ(verdict("30 06 0003 'a/+' 00"), Reason::TopicNameInvalid);
    EXPECT_EQ(verdict("30 03 0000 00"), Reason::ProtocolError);  // Neither topic nor alias.
    EXPECT_EQ(verdict("30 02 0000", Version::V311), Reason::Malformed);
    EXPECT_EQ(verdict("30 06 0000 03 23 0001"), Reason::Success);  // The alias alone.
    EXPECT_EQ(verdict("30 06 0000 03 23 0000"), Reason::TopicAliasInvalid);
    EXPECT_EQ(verdict("30 03 0001 ff", Version::V311), Reason::Malformed);  // Not UTF-8.
    EXPECT_EQ(verdict("30 01 00"), Reason::Malformed);
    EXPECT_EQ(verdict("30 09 0001 'a' 05 08 0002 'b' '#'"), Reason::ProtocolError);  // Response topic with wildcard.
}

TEST(PublishPacket, ForwardsWhatAServerMustAndNothingElse) {
    Properties properties;
    properties.set(Property::PayloadFormat, 1);
    properties.set(Property::MessageExpiry, 60);
    properties.set(Property::TopicAlias, 3);
    properties.set(Property::ContentType, "text");
    properties.set(Property::ResponseTopic, "r");
    properties.set(Property::CorrelationData, "\x01\x02");
    Bytes users;
    append_user("a", "1", users);
    append_user("a", "2", users);
    properties.set_encoded(users);
    Publish publish;
    publish.topic = "t";
    publish.properties = properties;
    Bytes packet;
    encode(publish, Version::V5, packet);
    const auto decoded = decode_publish(frame_of(packet), Version::V5);
    ASSERT_TRUE(decoded);
    Bytes forwarded;
    append_forwarded(decoded->properties.raw(), forwarded);
    Publish passed;
    passed.topic = "t";
    passed.properties.set_encoded(forwarded);
    Bytes sent;
    encode(passed, Version::V5, sent);
    const auto received = decode_publish(frame_of(sent), Version::V5);
    ASSERT_TRUE(received);
    const Properties& got = received->properties;
    EXPECT_EQ(got.number(Property::PayloadFormat, 0), 1u);
    EXPECT_FALSE(got.has(Property::MessageExpiry));
    EXPECT_FALSE(got.has(Property::TopicAlias));
    EXPECT_EQ(got.text(Property::ContentType), "text");
    EXPECT_EQ(got.text(Property::ResponseTopic), "r");
    EXPECT_EQ(got.text(Property::CorrelationData), "\x01\x02");
    std::string values;
    for_each_user(got.raw(), [&](std::string_view, std::string_view value) { values += value; });
    EXPECT_EQ(values, "12");
}

TEST(AckPackets, HaveShortAndLongForms) {
    const auto ack = decode_pub_ack(frame_of(bytes("40 02 1234")), Version::V5);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->packet_id, 0x1234);
    EXPECT_EQ(ack->reason, Reason::Success);
    EXPECT_EQ(decode_pub_ack(frame_of(bytes("40 03 1234 10")), Version::V5)->reason, Reason::NoMatchingSubscribers);
    EXPECT_EQ(verdict("40 04 1234 97 00"), Reason::Success);
    EXPECT_EQ(verdict("40 03 1234 01"), Reason::ProtocolError);  // Not a code of PUBACK.
    EXPECT_EQ(verdict("40 03 1234 00", Version::V311), Reason::Malformed);
    EXPECT_EQ(verdict("40 02 0000"), Reason::ProtocolError);
    EXPECT_EQ(verdict("60 02 0001"), Reason::Malformed);  // PUBREL needs flags 2.
    EXPECT_EQ(verdict("62 02 0001"), Reason::Success);
    EXPECT_EQ(verdict("70 03 0001 92"), Reason::Success);
}

TEST(SubscribePacket, ReadsOptionsOfVersion5) {
    const Bytes packet = bytes("82 0b 000a 02 0b 05 0003 'a/#' 2e");
    const auto subscribe = decode_subscribe(frame_of(packet), Version::V5);
    ASSERT_TRUE(subscribe);
    EXPECT_EQ(subscribe->properties.number(Property::SubscriptionId, 0), 5u);
    ASSERT_EQ(subscribe->subscriptions.size(), 1u);
    const Subscription& one = subscribe->subscriptions[0];
    EXPECT_EQ(one.filter, "a/#");
    EXPECT_EQ(one.qos, Qos::ExactlyOnce);
    EXPECT_TRUE(one.no_local);
    EXPECT_TRUE(one.retain_as_published);
    EXPECT_EQ(one.retain_handling, 2);
}

TEST(SubscribePacket, RefusesWhatTheSpecificationForbids) {
    EXPECT_EQ(verdict("82 02 000a", Version::V311), Reason::ProtocolError);          // No filter.
    EXPECT_EQ(verdict("80 06 000a 0001 'a' 00", Version::V311), Reason::Malformed);  // Flags.
    EXPECT_EQ(verdict("82 06 000a 0001 'a' 03", Version::V311), Reason::Malformed);  // QoS 3.
    EXPECT_EQ(verdict("82 06 000a 0001 'a' 04", Version::V311), Reason::Malformed);  // Reserved.
    EXPECT_EQ(verdict("82 07 000a 00 0001 'a' 30"), Reason::ProtocolError);          // Retain Handling 3.
    EXPECT_EQ(verdict("82 07 000a 00 0001 'a' 40"), Reason::Malformed);
    EXPECT_EQ(verdict("82 05 000a 0001 'a'", Version::V311), Reason::Malformed);      // No options.
    EXPECT_EQ(verdict("82 10 000a 00 000a '$share/g/a' 04"), Reason::ProtocolError);  // No Local, shared.
    EXPECT_EQ(verdict("82 09 000a 02 0b 00 0001 'a' 00"), Reason::ProtocolError);     // Identifier 0.
    EXPECT_EQ(verdict("a2 02 000a", Version::V311), Reason::ProtocolError);
    EXPECT_EQ(verdict("a2 05 000a 0001 'a'", Version::V311), Reason::Success);
}

TEST(OtherPackets, AreStrictToo) {
    EXPECT_EQ(verdict("c0 00"), Reason::Success);
    EXPECT_EQ(verdict("c0 01 00"), Reason::Malformed);
    EXPECT_EQ(verdict("c1 00"), Reason::Malformed);
    EXPECT_EQ(verdict("e0 00"), Reason::Success);
    EXPECT_EQ(verdict("e0 01 04"), Reason::Success);
    EXPECT_EQ(verdict("e0 01 01"), Reason::ProtocolError);
    EXPECT_EQ(verdict("e0 01 00", Version::V311), Reason::Malformed);
    EXPECT_EQ(verdict("f0 00", Version::V311), Reason::Malformed);
    EXPECT_EQ(verdict("f0 00"), Reason::Success);
    EXPECT_EQ(verdict("20 02 02 00", Version::V311), Reason::Malformed);
}

TEST(Answers, AreWrittenAsTheSpecificationShows) {
    Bytes out;
    encode(ConnAck{true, Reason::Success, {}}, Version::V311, out);
    EXPECT_EQ(out, bytes("20 02 01 00"));
    out.clear();
    encode(ConnAck{false, Reason::NotAuthorized, {}}, Version::V311, out);
    EXPECT_EQ(out, bytes("20 02 00 05"));
    out.clear();
    encode(ConnAck{false, Reason::NotAuthorized, {}}, Version::V5, out);
    EXPECT_EQ(out, bytes("20 03 00 87 00"));
    out.clear();
    encode(SubAck{PacketType::SubAck, 10, {Reason::GrantedQos1, Reason::NotAuthorized}, {}}, Version::V311, out);
    EXPECT_EQ(out, bytes("90 04 000a 01 80"));
    out.clear();
    encode(SubAck{PacketType::UnsubAck, 10, {Reason::Success}, {}}, Version::V311, out);
    EXPECT_EQ(out, bytes("b0 02 000a"));
    out.clear();
    encode(SubAck{PacketType::UnsubAck, 10, {Reason::NoSubscriptionExisted}, {}}, Version::V5, out);
    EXPECT_EQ(out, bytes("b0 04 000a 00 11"));
    out.clear();
    encode(PubAck{PacketType::PubAck, 1, Reason::Success, {}}, Version::V5, out);
    EXPECT_EQ(out, bytes("40 02 0001"));
    out.clear();
    encode(Disconnect{Reason::SessionTakenOver, {}}, Version::V5, out);
    EXPECT_EQ(out, bytes("e0 02 8e 00"));
    out.clear();
    encode(PingResp{}, out);
    EXPECT_EQ(out, bytes("d0 00"));
}

TEST(Utf8, FollowsTheRules) {
    EXPECT_TRUE(is_valid_utf8("plain text that is longer than eight bytes"));
    EXPECT_TRUE(is_valid_utf8("Temp\xC3\xA9rature \xE2\x82\xAC \xF0\x9F\x8F\xAD"));
    EXPECT_TRUE(is_valid_utf8(std::string_view("\xEF\xBB\xBF", 3)));  // The BOM is a character (1.5.4-3).
    EXPECT_FALSE(is_valid_utf8(std::string_view("a\0b", 3)));
    EXPECT_FALSE(is_valid_utf8(std::string_view("01234567\0", 9)));
    EXPECT_FALSE(
        is_valid_utf8(std::string_view("0123\0"
                                       "567",
                                       8)));
    EXPECT_FALSE(is_valid_utf8("\xC0\x80"));          // Overlong.
    EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));      // Surrogate.
    EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));  // Beyond U+10FFFF.
    EXPECT_FALSE(is_valid_utf8("\xE2\x82"));          // Cut short.
    EXPECT_FALSE(is_valid_utf8("\x80"));
}

TEST(Topics, WildcardsStandAlone) {
    for (const char* good : {"a", "/", "a/", "+", "#", "a/+/c", "+/+", "/+", "a/#", " "}) {
        EXPECT_TRUE(is_valid_filter(good)) << good;
    }
    for (const char* bad : {"", "a+", "a/b+", "#/a", "a#", "a/#/b", "+a/b"})
        EXPECT_FALSE(is_valid_filter(bad)) << bad;
    EXPECT_FALSE(is_valid_topic(""));
    EXPECT_TRUE(is_valid_topic(std::string(limits::mqtt_topic_bytes_max, 'x')));
    EXPECT_FALSE(is_valid_topic(std::string(limits::mqtt_topic_bytes_max + 1, 'x')));
    EXPECT_TRUE(is_valid_topic(std::string(limits::mqtt_topic_levels_max - 1, '/')));
    EXPECT_FALSE(is_valid_topic(std::string(limits::mqtt_topic_levels_max, '/')));
}

TEST(Topics, MatchAsChapter47Says) {
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    EXPECT_TRUE(matches("sport/#", "sport"));
    EXPECT_TRUE(matches("#", "a/b"));
    EXPECT_TRUE(matches("sport/tennis/+", "sport/tennis/player2"));
    EXPECT_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(matches("sport/+", "sport"));
    EXPECT_TRUE(matches("sport/+", "sport/"));
    EXPECT_TRUE(matches("+/+", "/finance"));
    EXPECT_TRUE(matches("/+", "/finance"));
    EXPECT_FALSE(matches("+", "/finance"));
    EXPECT_FALSE(matches("#", "$SYS/x"));
    EXPECT_FALSE(matches("+/x", "$SYS/x"));
    EXPECT_TRUE(matches("$SYS/#", "$SYS/x"));
    EXPECT_FALSE(matches("a/b", "a/B"));
}

TEST(Topics, SharedFiltersComeApart) {
    EXPECT_EQ(parse_shared("a/b")->group, "");
    EXPECT_EQ(parse_shared("$share/g/a/b")->group, "g");
    EXPECT_EQ(parse_shared("$share/g/a/b")->filter, "a/b");
    EXPECT_FALSE(parse_shared("$share/g"));
    EXPECT_FALSE(parse_shared("$share//a"));
    EXPECT_FALSE(parse_shared("$share/g+/a"));
    EXPECT_FALSE(parse_shared("$share/g/"));
}

}  // namespace
}  // namespace lineshaft::wire::mqtt
