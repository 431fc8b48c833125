#include "south/mqtt/broker.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "south/mqtt/internal/test_bench.h"

namespace lineshaft::mqtt::testing {
namespace {

using Strings = std::vector<std::string>;

/// Every promise holds on one shard and on two, where clients are accepted in turn and mostly live elsewhere.
class BrokerTest : public ::testing::TestWithParam<int> {
protected:
    Bench bench{static_cast<std::size_t>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Shards, BrokerTest, ::testing::Values(1, 2, 3),
                         [](const auto& info) { return "On" + std::to_string(info.param); });

Client::Options v311(std::string id, bool clean = true) {
    Client::Options options;
    options.id = std::move(id);
    options.version = Version::V311;
    options.clean = clean;
    return options;
}

Client::Options lasting(std::string id, bool clean = false) {
    Client::Options options;
    options.id = std::move(id);
    options.clean = clean;
    options.expiry_s = 3600;
    return options;
}

// --- Connecting

TEST_P(BrokerTest, AcceptsBothVersions) {
    Client old(bench, v311("old"));
    EXPECT_EQ(old.connect_reason, Reason::Success);
    EXPECT_FALSE(old.session_present);
    Client fresh(bench, "new");
    EXPECT_EQ(fresh.connect_reason, Reason::Success);
    EXPECT_EQ(fresh.connack.number(Property::ReceiveMaximum, 0), limits::mqtt_receive_maximum);
    EXPECT_EQ(fresh.connack.number(Property::MaximumPacketBytes, 0), limits::mqtt_packet_bytes_max);
    EXPECT_EQ(fresh.connack.number(Property::TopicAliasMaximum, 0), limits::mqtt_topic_alias_max);
    EXPECT_FALSE(fresh.connack.has(Property::AssignedClientId));
    fresh.send(codec::PingReq{});
    fresh.take_one<codec::PingResp>();
}

TEST_P(BrokerTest, AssignsAClientId) {
    Client client(bench, "");
    EXPECT_FALSE(client.connack.text(Property::AssignedClientId).empty());
    Client other(bench, "");
    EXPECT_NE(client.connack.text(Property::AssignedClientId), other.connack.text(Property::AssignedClientId));
    Client old(bench, v311("", false));
    EXPECT_EQ(static_cast<int>(old.connect_reason), 2);  // 3.1.1: identifier rejected.
    EXPECT_TRUE(old.pipe->closed);
}

TEST_P(BrokerTest, RefusesWrongCredentialsInTheClientsOwnTongue) {
    Client::Options options{.id = "a", .user = "anna", .password = "wrong"};
    Client fresh(bench, options);
    EXPECT_EQ(fresh.connect_reason, Reason::BadUserNameOrPassword);
    EXPECT_FALSE(fresh.connack.text(Property::ReasonString).empty());
    EXPECT_TRUE(fresh.pipe->closed);
    options.version = Version::V311;
    Client old(bench, options);
    EXPECT_EQ(static_cast<int>(old.connect_reason), 4);
    EXPECT_TRUE(old.pipe->closed);
}

TEST_P(BrokerTest, CutsWhoSendsSomethingElseFirst) {
    for (const std::string_view first : {"GET / HTTP/1.1\r\n\r\n", "\xC0\x00", "\x10\xFF\xFF\x7F"}) {
        Pipe& pipe = bench.make_pipe(0);
        bench.broker->accept(0, pipe.make_stream());
        pipe.send(first[0] == '\xC0' ? ByteView(as_bytes(std::string_view("\xC0\x00", 2))) : as_bytes(first));
        bench.run();
        EXPECT_TRUE(pipe.closed) << first;
        EXPECT_TRUE(pipe.to_client.empty());
    }
}

TEST_P(BrokerTest, CutsWhoSendsNothing) {
    Pipe& pipe = bench.make_pipe(0);
    bench.broker->accept(0, pipe.make_stream());
    pipe.send(as_bytes("\x10"));
    bench.advance(9s);
    EXPECT_FALSE(pipe.closed);
    bench.advance(2s);
    EXPECT_TRUE(pipe.closed);
}

TEST_P(BrokerTest, AnswersAnUnknownProtocolLevel) {
    Pipe& pipe = bench.make_pipe(0);
    bench.broker->accept(0, pipe.make_stream());
    pipe.send(as_bytes(std::string_view("\x10\x0F\0\x06MQIsdp\x03\x02\0\0\0\x01x", 17)));
    bench.run();
    EXPECT_EQ(as_text(pipe.to_client), std::string_view("\x20\x02\0\x01", 4));
    EXPECT_TRUE(pipe.closed);
}

TEST_P(BrokerTest, TakesConnectByteByByteAndManyPacketsAtOnce) {
    codec::Connect connect;
    connect.client_id = "slow";
    Bytes bytes;
    codec::encode(connect, bytes);
    Pipe& pipe = bench.make_pipe(0);
    bench.broker->accept(0, pipe.make_stream());
    for (const std::byte byte : bytes) {
        pipe.send(ByteView(&byte, 1));
        bench.run();
    }
    EXPECT_FALSE(pipe.to_client.empty());

    // CONNECT, SUBSCRIBE, PUBLISH, DISCONNECT in one segment, as small tools send them.
    connect.client_id = "quick";
    bytes.clear();
    codec::encode(connect, bytes);
    codec::Publish publish;
    publish.topic = "line/speed";
    publish.payload = as_bytes("42");
    codec::encode(publish, Version::V5, bytes);
    codec::encode(codec::Disconnect{}, Version::V5, bytes);
    Pipe& quick = bench.make_pipe(0);
    bench.broker->accept(0, quick.make_stream());
    quick.send(bytes);
    bench.run();
    EXPECT_TRUE(quick.closed);
    EXPECT_EQ(bench.rows(), (std::vector<Row>{{"line", "speed", 42, "mqtt/quick"}}));
}

TEST_P(BrokerTest, TakesALargePacketInManyParts) {
    Client reader(bench, "reader");
    reader.subscribe("big");
    Client writer(bench, "writer");
    const std::string payload(3'000'000, 'x');
    codec::Publish publish;
    publish.topic = "big";
    publish.payload = as_bytes(payload);
    Bytes bytes;
    codec::encode(publish, Version::V5, bytes);
    codec::encode(codec::PingReq{}, bytes);
    for (std::size_t at = 0; at < bytes.size(); at += 60'000) {
        writer.send_bytes(ByteView(bytes).subspan(at, std::min<std::size_t>(60'000, bytes.size() - at)));
    }
    writer.take_one<codec::PingResp>();
    EXPECT_EQ(reader.take_one<codec::Publish>().payload.size(), payload.size());
}

TEST_P(BrokerTest, EndsTheConnectionOnAProtocolError) {
    Client client(bench, "bad");
    client.send_bytes(as_bytes(std::string_view("\x36\x03\0\x01x", 5)));  // QoS 3.
    EXPECT_EQ(client.take_one<codec::Disconnect>().reason, Reason::Malformed);
    EXPECT_TRUE(client.pipe->closed);
    Client again(bench, "bad");
    codec::Connect second;
    second.client_id = "bad";
    again.send(second);
    EXPECT_EQ(again.take_one<codec::Disconnect>().reason, Reason::ProtocolError);
    Client old(bench, v311("old"));
    old.send_bytes(as_bytes(std::string_view("\x36\x03\0\x01x", 5)));
    EXPECT_TRUE(old.take().empty());
    EXPECT_TRUE(old.pipe->closed);
}

TEST_P(BrokerTest, KeepAliveEndsAfterOneAndAHalfTimes) {
    Client::Options options{.id = "sleepy", .keep_alive_s = 10};
    Client client(bench, options);
    bench.advance(14s);
    client.send(codec::PingReq{});
    client.take_one<codec::PingResp>();
    bench.advance(14s);
    EXPECT_FALSE(client.pipe->closed);
    bench.advance(3s);
    EXPECT_EQ(client.take_one<codec::Disconnect>().reason, Reason::KeepAliveTimeout);
    EXPECT_TRUE(client.pipe->closed);
}

// --- Readings and their acknowledgement

TEST_P(BrokerTest, PubAckWaitsForTheStore) {
    bench.hold_receipts(true);
    Client client(bench, "press");
    client.publish("plant/press/force", "12.5", 1);
    EXPECT_EQ(bench.rows(), (std::vector<Row>{{"plant/press", "force", 12.5, "mqtt/press"}}));
    EXPECT_TRUE(client.take().empty());
    bench.settle();
    const auto ack = client.take_one<codec::PubAck>();
    EXPECT_EQ(ack.type, codec::PacketType::PubAck);
    EXPECT_EQ(ack.reason, Reason::Success);
}

TEST_P(BrokerTest, OneReadMakesOneBatch) {
    Client client(bench, "press");
    Bytes bytes;
    for (std::uint16_t i = 1; i <= 100; ++i) {
        codec::Publish publish;
        publish.topic = "press/force";
        publish.payload = as_bytes("1");
        publish.qos = Qos::AtLeastOnce;
        publish.packet_id = i;
        codec::encode(publish, Version::V5, bytes);
    }
    client.send_bytes(bytes);
    const auto acks = client.take_all<codec::PubAck>();
    ASSERT_EQ(acks.size(), 100u);
    for (std::uint16_t i = 0; i < 100; ++i) EXPECT_EQ(acks[i].packet_id, i + 1);  // In order [MQTT-4.6.0-2].
    std::size_t batches = 0;
    for (const auto& sink : bench.sinks) batches += sink->batches;
    EXPECT_EQ(batches, 1u);
}

TEST_P(BrokerTest, AcknowledgementsKeepTheirOrder) {
    bench.hold_receipts(true);
    Client client(bench, "press");
    client.publish("press/force", "1", 1, false, 1);
    client.publish("press/note", "no number", 1, false, 2);  // Waits for nothing of its own.
    EXPECT_TRUE(client.take().empty());
    bench.settle();
    const auto acks = client.take_all<codec::PubAck>();
    ASSERT_EQ(acks.size(), 2u);
    EXPECT_EQ(acks[0].packet_id, 1);
    EXPECT_EQ(acks[1].packet_id, 2);
}

TEST_P(BrokerTest, ARefusalOfTheStoreReachesTheClient) {
    Client fresh(bench, "fresh");
    Client old(bench, v311("old"));
    for (auto& sink : bench.sinks) sink->answer = fail(ErrorCode::DiskFull);
    fresh.publish("a/b", "1", 1);
    const auto ack = fresh.take_one<codec::PubAck>();
    EXPECT_EQ(ack.reason, Reason::QuotaExceeded);
    EXPECT_FALSE(ack.properties.text(Property::ReasonString).empty());
    EXPECT_FALSE(fresh.pipe->closed);
    fresh.publish("a/b", "1", 2);
    EXPECT_EQ(fresh.take_one<codec::PubAck>().reason, Reason::QuotaExceeded);
    old.publish("a/b", "1", 1);
    EXPECT_TRUE(old.take().empty());  // No acknowledgement, ever.
    EXPECT_TRUE(old.pipe->closed);
}

TEST_P(BrokerTest, AFullSinkPausesTheReader) {
    Client client(bench, "fast");
    for (auto& sink : bench.sinks) sink->full = true;
    client.publish("a/b", "1", 1, false, 1);
    EXPECT_TRUE(client.take().empty());
    client.publish("a/b", "2", 1, false, 2);
    client.publish("a/b", "3", 1, false, 3);
    EXPECT_TRUE(bench.rows().empty());
    for (auto& sink : bench.sinks) sink->make_room();
    bench.run();
    EXPECT_EQ(client.take_all<codec::PubAck>().size(), 3u);
    ASSERT_EQ(bench.rows().size(), 3u);
    EXPECT_EQ(bench.rows()[2].value, 3);
}

TEST_P(BrokerTest, AReaderThatLeavesWhileTheSinkIsFullBlocksNobody) {
    Client client(bench, lasting("fast"));
    for (auto& sink : bench.sinks) sink->full = true;
    client.publish("a/b", "1", 1, false, 1);
    client.cut();
    for (auto& sink : bench.sinks) sink->make_room();
    bench.run();
    Client back(bench, lasting("fast"));
    EXPECT_TRUE(back.session_present);
    back.publish("a/b", "1", 1, false, 1);
    EXPECT_EQ(back.take_one<codec::PubAck>().packet_id, 1);
}

TEST_P(BrokerTest, AMessageThatIsNoTelemetryStillReachesSubscribers) {
    Client reader(bench, "reader");
    reader.subscribe("notes/#");
    Client writer(bench, "writer");
    writer.publish("notes/shift", "all quiet", 1);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::Success);
    EXPECT_EQ(reader.messages(), (Strings{"notes/shift=all quiet"}));
    EXPECT_TRUE(bench.rows().empty());
}

TEST_P(BrokerTest, TheDecoderKnowsTheDeviceOfTheCredential) {
    Client bound(bench, Client::Options{.id = "x17", .user = "bound"});
    bound.publish("me/force", "1");
    Client plain(bench, "x18");
    plain.publish("me/force", "2");
    std::vector<std::string> devices;
    for (const Row& row : bench.rows()) devices.push_back(row.device);
    std::ranges::sort(devices);
    EXPECT_EQ(devices, (Strings{"press-7", "x18"}));
}

// --- QoS 2 from clients

TEST_P(BrokerTest, QosTwoIsTakenOnce) {
    Client reader(bench, "reader");
    reader.subscribe("a/#");
    Client writer(bench, lasting("writer"));
    writer.publish("a/b", "1", 2, false, 9);
    EXPECT_EQ(writer.take_one<codec::PubAck>().type, codec::PacketType::PubRec);
    codec::Publish again;
    again.topic = "a/b";
    again.payload = as_bytes("1");
    again.qos = Qos::ExactlyOnce;
    again.packet_id = 9;
    again.duplicate = true;
    writer.send(again);
    EXPECT_EQ(writer.take_one<codec::PubAck>().type, codec::PacketType::PubRec);
    writer.ack(codec::PacketType::PubRel, 9);
    EXPECT_EQ(writer.take_one<codec::PubAck>().type, codec::PacketType::PubComp);
    writer.ack(codec::PacketType::PubRel, 9);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::PacketIdNotFound);
    EXPECT_EQ(reader.messages(), (Strings{"a/b=1"}));
    EXPECT_EQ(bench.rows().size(), 1u);
}

TEST_P(BrokerTest, QosTwoSurvivesTheConnectionBeforeItsReceipt) {
    bench.hold_receipts(true);
    Client writer(bench, lasting("writer"));
    writer.publish("a/b", "1", 2, false, 9);
    writer.cut();
    Client back(bench, lasting("writer"));
    codec::Publish again;
    again.topic = "a/b";
    again.payload = as_bytes("1");
    again.qos = Qos::ExactlyOnce;
    again.packet_id = 9;
    again.duplicate = true;
    back.send(again);
    EXPECT_TRUE(back.take().empty());
    bench.settle();
    EXPECT_EQ(back.take_one<codec::PubAck>().type, codec::PacketType::PubRec);
    EXPECT_EQ(bench.rows().size(), 1u);
}

TEST_P(BrokerTest, QosTwoIdsSurviveAPowerCut) {
    Client writer(bench, lasting("writer"));
    writer.publish("a/b", "1", 2, false, 9);
    writer.take_one<codec::PubAck>();
    bench.crash(true);
    Client back(bench, lasting("writer"));
    EXPECT_TRUE(back.session_present);
    codec::Publish again;
    again.topic = "a/b";
    again.payload = as_bytes("1");
    again.qos = Qos::ExactlyOnce;
    again.packet_id = 9;
    again.duplicate = true;
    back.send(again);
    EXPECT_EQ(back.take_one<codec::PubAck>().type, codec::PacketType::PubRec);
    EXPECT_EQ(bench.rows().size(), 1u);
    back.ack(codec::PacketType::PubRel, 9);
    EXPECT_EQ(back.take_one<codec::PubAck>().type, codec::PacketType::PubComp);
    bench.crash(true);
    Client third(bench, lasting("writer"));
    third.publish("a/b", "2", 2, false, 9);  // The id is free again: this is a new message.
    EXPECT_EQ(bench.rows().size(), 2u);
}

// --- Subscriptions

TEST_P(BrokerTest, DeliversWithTheLowerQos) {
    Client zero(bench, "zero");
    zero.subscribe("t/#", 0);
    Client one(bench, "one");
    one.subscribe("t/+", 1);
    Client two(bench, "two");
    two.subscribe("t/x", 2);
    Client writer(bench, "writer");
    for (unsigned qos = 0; qos <= 2; ++qos) {
        writer.publish("t/x", "hi", qos, false, 5);
        EXPECT_EQ(zero.take_one<codec::Publish>().qos, Qos::AtMostOnce);
        const auto at_one = one.take_one<codec::Publish>();
        EXPECT_EQ(at_one.qos, static_cast<Qos>(std::min(qos, 1u)));
        if (qos > 0) one.ack(codec::PacketType::PubAck, at_one.packet_id);
        const auto at_two = two.take_one<codec::Publish>();
        EXPECT_EQ(at_two.qos, static_cast<Qos>(qos));
        if (qos == 1) two.ack(codec::PacketType::PubAck, at_two.packet_id);
        if (qos == 2) {
            two.ack(codec::PacketType::PubRec, at_two.packet_id);
            EXPECT_EQ(two.take_one<codec::PubAck>().type, codec::PacketType::PubRel);
            two.ack(codec::PacketType::PubComp, at_two.packet_id);
        }
    }
}

TEST_P(BrokerTest, OverlappingSubscriptionsDeliverOnceWithAllIdentifiers) {
    Client reader(bench, "reader");
    reader.subscribe({.filter = "t/#", .qos = Qos::AtMostOnce}, 3);
    reader.subscribe({.filter = "t/+", .qos = Qos::AtLeastOnce}, 4);
    reader.take();
    Client writer(bench, "writer");
    writer.publish("t/x", "hi", 1);
    const auto publish = reader.take_one<codec::Publish>();
    EXPECT_EQ(publish.qos, Qos::AtLeastOnce);
    std::vector<std::uint32_t> ids;
    codec::for_each_subscription_id(publish.properties.raw(), [&](std::uint32_t id) { ids.push_back(id); });
    std::ranges::sort(ids);
    EXPECT_EQ(ids, (std::vector<std::uint32_t>{3, 4}));
}

TEST_P(BrokerTest, WildcardsDoNotSelectTopicsWithADollar) {
    Client reader(bench, "reader");
    reader.subscribe("#");
    reader.subscribe("+/status");
    Client named(bench, "named");
    named.subscribe("$plant/#");
    Client writer(bench, "writer");
    writer.publish("$plant/status", "1");
    EXPECT_TRUE(reader.messages().empty());
    EXPECT_EQ(named.messages(), (Strings{"$plant/status=1"}));
    EXPECT_TRUE(bench.rows().empty());
}

TEST_P(BrokerTest, UnsubscribeEndsIt) {
    Client reader(bench, "reader");
    reader.subscribe("t/#");
    codec::Unsubscribe unsubscribe;
    unsubscribe.packet_id = 8;
    unsubscribe.filters = {"t/#", "u"};
    reader.send(unsubscribe);
    const auto ack = reader.take_one<codec::SubAck>();
    EXPECT_EQ(ack.reasons, (std::vector<Reason>{Reason::Success, Reason::NoSubscriptionExisted}));
    Client writer(bench, "writer");
    writer.publish("t/x", "hi");
    EXPECT_TRUE(reader.take().empty());
}

TEST_P(BrokerTest, SubAckNamesEachFailure) {
    bench.authenticator.denied = [](Access access, std::string_view topic) {
        return access == Access::Subscribe && topic == "secret/#";
    };
    Client reader(bench, "reader");
    codec::Subscribe subscribe;
    subscribe.packet_id = 1;
    for (const char* filter : {"ok", "a/#/b", "secret/#", "$share/g", "$share/g/secret/#"}) {
        subscribe.subscriptions.push_back({.filter = filter, .qos = Qos::AtLeastOnce});
    }
    reader.send(subscribe);
    EXPECT_EQ(reader.take_one<codec::SubAck>().reasons,
              (std::vector<Reason>{Reason::GrantedQos1, Reason::TopicFilterInvalid, Reason::NotAuthorized,
                                   Reason::TopicFilterInvalid, Reason::NotAuthorized}));
}

TEST_P(BrokerTest, NoLocalKeepsOwnMessagesAway) {
    Client both(bench, "both");
    both.subscribe({.filter = "t", .no_local = true});
    both.take();
    both.publish("t", "mine");
    EXPECT_TRUE(both.take().empty());
    Client other(bench, "other");
    other.publish("t", "yours");
    EXPECT_EQ(both.messages(), (Strings{"t=yours"}));
}

TEST_P(BrokerTest, PassesPropertiesOn) {
    Client reader(bench, "reader");
    reader.subscribe("t");
    Client writer(bench, "writer");
    codec::Publish publish;
    publish.topic = "t";
    publish.payload = as_bytes("{}");
    publish.properties.set(Property::PayloadFormat, 1);
    publish.properties.set(Property::ContentType, "application/json");
    publish.properties.set(Property::ResponseTopic, "answers/1");
    publish.properties.set(Property::CorrelationData, "abc");
    publish.properties.set(Property::MessageExpiry, 100);
    Bytes users;
    codec::append_user("shift", "early", users);
    publish.properties.set_encoded(users);
    writer.send(publish);
    const auto got = reader.take_one<codec::Publish>();
    EXPECT_EQ(got.properties.number(Property::PayloadFormat, 0), 1u);
    EXPECT_EQ(got.properties.text(Property::ContentType), "application/json");
    EXPECT_EQ(got.properties.text(Property::ResponseTopic), "answers/1");
    EXPECT_EQ(got.properties.text(Property::CorrelationData), "abc");
    EXPECT_EQ(got.properties.number(Property::MessageExpiry, 0), 100u);
    int users_seen = 0;
    codec::for_each_user(got.properties.raw(),
                         [&](auto name, auto value) { users_seen += name == "shift" && value == "early"; });
    EXPECT_EQ(users_seen, 1);
}

TEST_P(BrokerTest, RefusesAPayloadThatIsNotTheTextItClaims) {
    Client writer(bench, "writer");
    codec::Publish publish;
    publish.topic = "t";
    publish.payload = as_bytes("\xFF");
    publish.qos = Qos::AtLeastOnce;
    publish.packet_id = 1;
    publish.properties.set(Property::PayloadFormat, 1);
    writer.send(publish);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::PayloadFormatInvalid);
}

// --- Shared subscriptions

TEST_P(BrokerTest, ASharedGroupTakesTurns) {
    std::vector<std::unique_ptr<Client>> members;
    for (int i = 0; i < 4; ++i) {
        members.push_back(std::make_unique<Client>(bench, "member-" + std::to_string(i)));
        members.back()->subscribe("$share/g/jobs/#", 1);
    }
    Client plain(bench, "plain");
    plain.subscribe("jobs/#");
    Client writer(bench, "writer");
    for (int i = 0; i < 40; ++i)
        writer.publish("jobs/a", std::to_string(i), 1, false, static_cast<std::uint16_t>(i + 1));
    std::size_t sum = 0;
    for (auto& member : members) {
        const std::size_t count = member->messages().size();
        EXPECT_GE(count, 5u);
        sum += count;
    }
    EXPECT_EQ(sum, 40u);
    EXPECT_EQ(plain.messages().size(), 40u);
    for (int i = 1; i < 4; ++i) members[static_cast<std::size_t>(i)]->disconnect();
    for (int i = 0; i < 10; ++i) writer.publish("jobs/a", "x", 1, false, static_cast<std::uint16_t>(i + 1));
    EXPECT_EQ(members[0]->messages().size(), 10u);
}

TEST_P(BrokerTest, ASharedGroupThatSleepsKeepsItsMessages) {
    Client member(bench, lasting("member"));
    member.subscribe("$share/g/jobs/#", 1);
    member.cut();
    Client writer(bench, "writer");
    writer.publish("jobs/a", "1", 1);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::Success);
    Client back(bench, lasting("member"));
    EXPECT_EQ(back.messages(), (Strings{"jobs/a=1"}));
}

// --- Retained messages

TEST_P(BrokerTest, RetainedMessagesReachLaterSubscribers) {
    Client writer(bench, "writer");
    writer.publish("state/a", "1", 1, true);
    writer.publish("state/b", "2", 0, true);
    Client reader(bench, "reader");
    reader.subscribe("state/#", 1);
    const auto publishes = reader.take_all<codec::Publish>();
    ASSERT_EQ(publishes.size(), 2u);
    for (const auto& publish : publishes) EXPECT_TRUE(publish.retain);
    writer.publish("state/a", "3", 0, true);
    EXPECT_FALSE(reader.take_one<codec::Publish>().retain);  // A live message is not retained for this reader.
    writer.publish("state/a", "", 0, true);
    reader.take();
    Client late(bench, "late");
    late.subscribe("state/+");
    EXPECT_EQ(late.messages(), (Strings{"state/b=2"}));
}

TEST_P(BrokerTest, RetainHandlingAndRetainAsPublished) {
    Client writer(bench, "writer");
    writer.publish("state", "1", 0, true);
    Client reader(bench, "reader");
    reader.subscribe({.filter = "state", .retain_handling = 2});
    EXPECT_EQ(reader.take_all<codec::Publish>().size(), 0u);
    reader.subscribe({.filter = "state", .retain_handling = 1});  // It exists already.
    EXPECT_EQ(reader.take_all<codec::Publish>().size(), 0u);
    reader.subscribe({.filter = "state", .retain_as_published = true, .retain_handling = 0});
    EXPECT_EQ(reader.take_all<codec::Publish>().size(), 1u);
    writer.publish("state", "2", 0, true);
    EXPECT_TRUE(reader.take_one<codec::Publish>().retain);
    Client other(bench, "other");
    other.subscribe({.filter = "state", .retain_handling = 1});
    EXPECT_EQ(other.take_all<codec::Publish>().size(), 1u);
}

TEST_P(BrokerTest, RetainedMessagesSurviveAPowerCutOnceAcknowledged) {
    Client writer(bench, "writer");
    writer.publish("state/a", "1", 1, true);
    writer.publish("state/b", "2", 1, true, 2);
    writer.publish("state/b", "", 1, true, 3);
    EXPECT_EQ(writer.take_all<codec::PubAck>().size(), 3u);
    bench.crash(true);
    Client reader(bench, "reader");
    reader.subscribe("#");
    EXPECT_EQ(reader.messages(), (Strings{"state/a=1"}));
}

TEST_P(BrokerTest, TheNewestRetainedMessageWinsOnEveryShard) {
    std::vector<std::unique_ptr<Client>> writers;
    for (int i = 0; i < 6; ++i) writers.push_back(std::make_unique<Client>(bench, "w" + std::to_string(i)));
    for (std::size_t i = 0; i < 6; ++i) writers[i]->publish("state", std::to_string(i), 1, true);
    for (int i = 0; i < 6; ++i) {
        Client reader(bench, "r" + std::to_string(i));
        reader.subscribe("state");
        EXPECT_EQ(reader.messages(), (Strings{"state=5"}));
    }
}

// --- Wills

codec::Will will_of(std::string_view topic, std::string_view payload, Qos qos = Qos::AtMostOnce,
                    bool retain = false) {
    codec::Will will;
    will.topic = topic;
    will.payload = as_bytes(payload);
    will.qos = qos;
    will.retain = retain;
    return will;
}

TEST_P(BrokerTest, TheWillFollowsACutAndNotAGoodbye) {
    Client reader(bench, "reader");
    reader.subscribe("wills/#");
    Client polite(bench, Client::Options{.id = "polite", .will = will_of("wills/polite", "0")});
    polite.disconnect();
    EXPECT_TRUE(reader.messages().empty());
    Client cut(bench, Client::Options{.id = "cut", .will = will_of("wills/cut", "0", Qos::AtLeastOnce, true)});
    cut.cut();
    EXPECT_EQ(reader.messages(), (Strings{"wills/cut=0"}));
    EXPECT_EQ(bench.rows(), (std::vector<Row>{{"wills", "cut", 0, "mqtt/cut"}}));  // A will is a message as any.
    Client asked(bench, Client::Options{.id = "asked", .will = will_of("wills/asked", "0")});
    asked.disconnect(Reason::DisconnectWithWill);
    EXPECT_EQ(reader.messages(), (Strings{"wills/asked=0"}));
    Client late(bench, "late");
    late.subscribe("wills/#");
    EXPECT_EQ(late.messages(), (Strings{"wills/cut=0"}));
}

TEST_P(BrokerTest, TheWillWaitsForItsDelay) {
    Client reader(bench, "reader");
    reader.subscribe("wills/#");
    Client::Options options = lasting("device");
    options.will = will_of("wills/device", "0");
    options.will_delay_s = 30;
    {
        Client device(bench, options);
        device.cut();
    }
    bench.advance(20s);
    EXPECT_TRUE(reader.messages().empty());
    {
        Client device(bench, options);  // Back in time.
        bench.advance(60s);
        EXPECT_TRUE(reader.messages().empty());
        device.cut();
    }
    bench.advance(32s);
    EXPECT_EQ(reader.messages(), (Strings{"wills/device=0"}));
    bench.advance(60s);
    EXPECT_TRUE(reader.messages().empty());
}

TEST_P(BrokerTest, TheEndOfTheSessionBringsTheWillForward) {
    Client reader(bench, "reader");
    reader.subscribe("wills/#");
    Client::Options options = lasting("device");
    options.expiry_s = 10;
    options.will = will_of("wills/device", "0");
    options.will_delay_s = 300;
    Client device(bench, options);
    device.cut();
    bench.advance(12s);
    EXPECT_EQ(reader.messages(), (Strings{"wills/device=0"}));
}

TEST_P(BrokerTest, ACrashPublishesTheWillsOfThoseWhoWereConnected) {
    Client device(bench,
                  Client::Options{.id = "device", .will = will_of("wills/device", "0", Qos::AtLeastOnce, true)});
    Client polite(bench,
                  Client::Options{.id = "polite", .will = will_of("wills/polite", "0", Qos::AtLeastOnce, true)});
    polite.disconnect();
    Client flush(bench, lasting("flush"));
    flush.subscribe("x", 1);  // Its SUBACK says that the journal is on disk.
    bench.crash();
    bench.run();
    Client reader(bench, "reader");
    reader.subscribe("wills/#");
    EXPECT_EQ(reader.messages(), (Strings{"wills/device=0"}));
    bench.crash();
    Client again(bench, "again");
    again.subscribe("wills/#");
    EXPECT_EQ(again.messages(), (Strings{"wills/device=0"}));
}

// --- Sessions

TEST_P(BrokerTest, ASessionKeepsWhatComesWhileItSleeps) {
    Client reader(bench, lasting("reader"));
    EXPECT_FALSE(reader.session_present);
    reader.subscribe("t/#", 1);
    reader.cut();
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= 5; ++i) writer.publish("t/x", std::to_string(i), i % 2 ? 1 : 2, false, i);
    writer.publish("t/x", "lost", 0);
    Client back(bench, lasting("reader"));
    EXPECT_TRUE(back.session_present);
    EXPECT_EQ(back.messages(), (Strings{"t/x=1", "t/x=2", "t/x=3", "t/x=4", "t/x=5"}));
}

TEST_P(BrokerTest, VersionThreeKeepsSessionsToo) {
    Client reader(bench, v311("reader", false));
    reader.subscribe("t", 1);
    reader.disconnect();
    Client writer(bench, "writer");
    writer.publish("t", "1", 1);
    Client back(bench, v311("reader", false));
    EXPECT_TRUE(back.session_present);
    EXPECT_EQ(back.messages(), (Strings{"t=1"}));
    back.disconnect();
    Client clean(bench, v311("reader", true));
    EXPECT_FALSE(clean.session_present);
    clean.disconnect();
    Client last(bench, v311("reader", false));
    EXPECT_FALSE(last.session_present);
}

TEST_P(BrokerTest, ASessionExpires) {
    Client::Options options = lasting("reader");
    options.expiry_s = 100;
    {
        Client reader(bench, options);
        reader.subscribe("t", 1);
        reader.cut();
    }
    bench.advance(90s);
    {
        Client reader(bench, options);
        EXPECT_TRUE(reader.session_present);
        reader.cut();
    }
    bench.advance(102s);
    Client reader(bench, options);
    EXPECT_FALSE(reader.session_present);
}

TEST_P(BrokerTest, ExpiryIsAbsoluteOverACrash) {
    Client::Options options = lasting("reader");
    options.expiry_s = 100;
    {
        Client reader(bench, options);
        reader.subscribe("t", 1);
        reader.cut();
    }
    bench.advance(60s);
    bench.crash(true);
    bench.advance(50s);
    Client reader(bench, options);
    EXPECT_FALSE(reader.session_present);
}

TEST_P(BrokerTest, DisconnectMayShortenTheExpiry) {
    Client reader(bench, lasting("reader"));
    codec::Disconnect disconnect;
    disconnect.properties.set(Property::SessionExpiry, 0);
    reader.send(disconnect);
    Client back(bench, lasting("reader"));
    EXPECT_FALSE(back.session_present);
    Client brief(bench, "brief");
    disconnect.properties.set(Property::SessionExpiry, 10);
    brief.send(disconnect);
    EXPECT_EQ(brief.take_one<codec::Disconnect>().reason, Reason::ProtocolError);
}

TEST_P(BrokerTest, ASecondConnectionTakesOver) {
    Client first(bench, lasting("twin"));
    first.subscribe("t", 1);
    Client second(bench, lasting("twin"));
    EXPECT_EQ(first.take_one<codec::Disconnect>().reason, Reason::SessionTakenOver);
    EXPECT_TRUE(first.pipe->closed);
    EXPECT_TRUE(second.session_present);
    Client writer(bench, "writer");
    writer.publish("t", "1", 1);
    EXPECT_EQ(second.messages(), (Strings{"t=1"}));
    Client third(bench, "twin");  // Clean.
    EXPECT_FALSE(third.session_present);
    writer.publish("t", "2", 1);
    EXPECT_TRUE(third.messages().empty());
}

TEST_P(BrokerTest, AnotherCredentialDoesNotInheritASession) {
    Client::Options options = lasting("shared-id");
    options.user = "anna";
    {
        Client anna(bench, options);
        anna.subscribe("t", 1);
        anna.cut();
    }
    Client writer(bench, "writer");
    writer.publish("t", "for anna", 1);
    options.user = "bert";
    Client bert(bench, options);
    EXPECT_FALSE(bert.session_present);
    EXPECT_TRUE(bert.messages().empty());
}

TEST_P(BrokerTest, ResendsInOrderWithTheSameIds) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 2);
    Client writer(bench, "writer");
    writer.publish("t", "1", 1, false, 1);
    writer.publish("t", "2", 2, false, 2);
    writer.publish("t", "3", 2, false, 3);
    const auto sent = reader.take_all<codec::Publish>();
    ASSERT_EQ(sent.size(), 3u);
    const std::uint16_t received = sent[2].packet_id;
    reader.ack(codec::PacketType::PubRec, received);
    reader.cut();
    Client back(bench, lasting("reader"));
    const auto packets = back.take();
    ASSERT_EQ(packets.size(), 3u);
    const auto* first = std::get_if<codec::Publish>(&packets[0]);
    const auto* second = std::get_if<codec::Publish>(&packets[1]);
    const auto* third = std::get_if<codec::PubAck>(&packets[2]);
    ASSERT_TRUE(first && second && third);
    EXPECT_TRUE(first->duplicate && second->duplicate);
    EXPECT_EQ(first->packet_id, sent[0].packet_id);
    EXPECT_EQ(second->packet_id, sent[1].packet_id);
    EXPECT_EQ(third->type, codec::PacketType::PubRel);
    EXPECT_EQ(third->packet_id, received);
}

TEST_P(BrokerTest, TheQueueOfASleeperIsBounded) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 1);
    reader.cut();
    Client writer(bench, "writer");
    for (int i = 0; i < 1100; ++i) writer.publish("t", std::to_string(i), 1, false, 1);
    Client back(bench, lasting("reader"));
    EXPECT_EQ(back.messages().size(), 1000u);
}

// --- Limits of version 5

TEST_P(BrokerTest, TheClientsReceiveMaximumIsKept) {
    Client::Options options{.id = "narrow", .receive_maximum = 2};
    Client reader(bench, options);
    reader.subscribe("t", 1);
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= 5; ++i) writer.publish("t", std::to_string(i), 1, false, i);
    const auto first = reader.take_all<codec::Publish>();
    ASSERT_EQ(first.size(), 2u);
    reader.ack(codec::PacketType::PubAck, first[0].packet_id);
    EXPECT_EQ(reader.take_one<codec::Publish>().payload.size(), 1u);
}

TEST_P(BrokerTest, OurReceiveMaximumIsEnforced) {
    bench.hold_receipts(true);
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= limits::mqtt_receive_maximum; ++i) writer.publish("t/x", "1", 1, false, i);
    EXPECT_TRUE(writer.take().empty());
    writer.publish("t/x", "1", 1, false, 2000);
    EXPECT_EQ(writer.take_one<codec::Disconnect>().reason, Reason::ReceiveMaximumExceeded);
}

TEST_P(BrokerTest, AVersionThreePublisherIsSlowedInstead) {
    bench.hold_receipts(true);
    Client writer(bench, v311("writer"));
    for (std::uint16_t i = 1; i <= 1500; ++i) writer.publish("t/x", "1", 1, false, i);
    if (GetParam() == 1) EXPECT_TRUE(writer.pipe->is_paused());  // On more, the proxy between shards holds it back.
    EXPECT_FALSE(writer.pipe->closed);
    while (true) {
        bench.settle();
        if (std::ranges::all_of(bench.sinks, [](const auto& sink) { return sink->waiting.empty(); })) break;
    }
    EXPECT_EQ(writer.take_all<codec::PubAck>().size(), 1500u);
    EXPECT_FALSE(writer.pipe->is_paused());
}

TEST_P(BrokerTest, TopicAliasesStandForTopics) {
    Client reader(bench, "reader");
    reader.subscribe("long/#");
    Client writer(bench, "writer");
    codec::Publish publish;
    publish.topic = "long/topic";
    publish.payload = as_bytes("1");
    publish.properties.set(Property::TopicAlias, 7);
    writer.send(publish);
    publish.topic = "";
    publish.payload = as_bytes("2");
    writer.send(publish);
    EXPECT_EQ(reader.messages(), (Strings{"long/topic=1", "long/topic=2"}));
    publish.properties.set(Property::TopicAlias, 8);
    writer.send(publish);
    EXPECT_EQ(writer.take_one<codec::Disconnect>().reason, Reason::ProtocolError);
    Client greedy(bench, "greedy");
    publish.topic = "t";
    publish.properties.set(Property::TopicAlias, limits::mqtt_topic_alias_max + 1);
    greedy.send(publish);
    EXPECT_EQ(greedy.take_one<codec::Disconnect>().reason, Reason::TopicAliasInvalid);
}

TEST_P(BrokerTest, TheClientsMaximumPacketSizeIsKept) {
    Client::Options options{.id = "small", .packet_bytes_max = 50};
    Client reader(bench, options);
    reader.subscribe("t", 1);
    Client writer(bench, "writer");
    writer.publish("t", std::string(100, 'x'), 1, false, 1);
    writer.publish("t", "fits", 1, false, 2);
    EXPECT_EQ(reader.messages(), (Strings{"t=fits"}));
}

TEST_P(BrokerTest, MessagesExpireInTheQueue) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 1);
    reader.cut();
    Client writer(bench, "writer");
    codec::Publish publish;
    publish.topic = "t";
    publish.payload = as_bytes("old");
    publish.qos = Qos::AtLeastOnce;
    publish.packet_id = 1;
    publish.properties.set(Property::MessageExpiry, 10);
    writer.send(publish);
    publish.payload = as_bytes("new");
    publish.properties.set(Property::MessageExpiry, 100);
    writer.send(publish);
    bench.advance(30s);
    Client back(bench, lasting("reader"));
    const auto got = back.take_all<codec::Publish>();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(as_text(got[0].payload), "new");
    EXPECT_EQ(got[0].properties.number(Property::MessageExpiry, 0), 70u);
}

TEST_P(BrokerTest, ASlowReaderIsBoundedAndCatchesUp) {
    Client reader(bench, "reader");
    reader.subscribe("t", 0);
    reader.pipe->stalled = true;
    Client writer(bench, "writer");
    const std::string payload(2000, 'x');
    for (int i = 0; i < 1900; ++i) writer.publish("t", std::to_string(i) + payload);
    const std::size_t before = reader.messages().size();
    EXPECT_GT(before, 500u);  // What the connection itself holds.
    EXPECT_LT(before, 700u);
    reader.pipe->drain();
    bench.run();
    const auto after = reader.messages();
    EXPECT_EQ(after.size(), 1000u);  // What is kept beside it; the rest was dropped and counted.
    EXPECT_TRUE(after.front().starts_with("t=" + std::to_string(before) + "x"));
}

// --- Rights

TEST_P(BrokerTest, RightsAreAskedForEachMessage) {
    bench.authenticator.denied = [](Access access, std::string_view topic) {
        return access == Access::Publish && topic.starts_with("locked/");
    };
    Client reader(bench, "reader");
    reader.subscribe("#");
    Client fresh(bench, "fresh");
    fresh.publish("locked/x", "1", 1);
    EXPECT_EQ(fresh.take_one<codec::PubAck>().reason, Reason::NotAuthorized);
    fresh.publish("locked/x", "1", 2);
    const auto rec = fresh.take_one<codec::PubAck>();
    EXPECT_EQ(rec.type, codec::PacketType::PubRec);
    EXPECT_EQ(rec.reason, Reason::NotAuthorized);
    fresh.publish("locked/x", "1", 0);
    EXPECT_TRUE(fresh.take().empty());
    fresh.publish("$SYS/x", "1", 1);
    EXPECT_EQ(fresh.take_one<codec::PubAck>().reason, Reason::NotAuthorized);
    Client old(bench, v311("old"));
    old.publish("locked/x", "1", 1);
    EXPECT_TRUE(old.pipe->closed);
    Client willing(bench, Client::Options{.id = "willing", .will = will_of("locked/w", "0")});
    EXPECT_EQ(willing.connect_reason, Reason::NotAuthorized);
    EXPECT_TRUE(bench.rows().empty());
    EXPECT_TRUE(reader.messages().empty());
}

TEST_P(BrokerTest, WithdrawnRightsActOnWhatIsQueuedAndRetained) {
    Client writer(bench, "writer");
    writer.publish("t/r", "retained", 0, true);
    Client reader(bench, lasting("reader"));
    reader.subscribe("t/#", 1);
    reader.take();
    reader.cut();
    writer.publish("t/q", "queued", 1);
    bench.authenticator.denied = [](Access access, std::string_view) { return access == Access::Receive; };
    Client back(bench, lasting("reader"));
    EXPECT_TRUE(back.session_present);
    back.subscribe("t/#", 1);
    EXPECT_TRUE(back.messages().empty());
}

TEST_P(BrokerTest, TenantsDoNotMeet) {
    Client ours(bench, "twin");
    ours.subscribe("#");
    Client theirs(bench, Client::Options{.id = "twin", .user = "tenant2"});
    EXPECT_FALSE(ours.pipe->closed);
    theirs.subscribe("#");
    theirs.subscribe("$SYS/#");
    ours.publish("t", "ours", 0, true);
    EXPECT_EQ(ours.messages(), (Strings{"t=ours"}));
    bench.advance(30s);
    EXPECT_TRUE(theirs.messages().empty());
    theirs.publish("t", "theirs");
    EXPECT_EQ(theirs.messages(), (Strings{"t=theirs"}));
    EXPECT_TRUE(ours.messages().empty());
}

TEST_P(BrokerTest, AWithdrawnCredentialIsCut) {
    Client anna(bench, Client::Options{.id = "a", .user = "anna"});
    Client bert(bench, Client::Options{.id = "b", .user = "bert"});
    bench.broker->post_disconnect(TenantId(1), "anna");
    bench.run();
    EXPECT_EQ(anna.take_one<codec::Disconnect>().reason, Reason::AdministrativeAction);
    EXPECT_TRUE(anna.pipe->closed);
    EXPECT_FALSE(bert.pipe->closed);
}

// --- What survives

TEST_P(BrokerTest, AnAcknowledgedMessageForASleeperSurvivesAPowerCut) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t/#", 2);
    reader.subscribe({.filter = "t/+", .qos = Qos::AtLeastOnce}, 9);
    reader.take();
    reader.cut();
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= 20; ++i) writer.publish("t/x", std::to_string(i), 1 + i % 2, false, i);
    EXPECT_EQ(writer.take_all<codec::PubAck>().size(), 20u);
    bench.crash(true);
    Client back(bench, lasting("reader"));
    EXPECT_TRUE(back.session_present);
    const auto messages = back.messages();
    ASSERT_EQ(messages.size(), 20u);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(messages[i], "t/x=" + std::to_string(i + 1));
    Client other(bench, "other");
    other.publish("t/y", "after", 1);
    const auto publish = back.take_one<codec::Publish>();
    EXPECT_EQ(as_text(publish.payload), "after");  // The subscriptions came back with their options.
    EXPECT_EQ(publish.properties.number(Property::SubscriptionId, 0), 9u);
}

TEST_P(BrokerTest, WhatWasAcknowledgedByTheReaderDoesNotComeBack) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 2);
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= 4; ++i) writer.publish("t", std::to_string(i), 2, false, i);
    EXPECT_EQ(reader.messages().size(), 4u);
    Client flush(bench, lasting("flush"));
    flush.subscribe("x", 1);
    bench.crash();
    Client back(bench, lasting("reader"));
    EXPECT_TRUE(back.session_present);
    EXPECT_TRUE(back.messages().empty());
}

TEST_P(BrokerTest, QosTwoInFlightComesBackUnderItsIdAfterAPowerCut) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 2);
    Client writer(bench, "writer");
    for (std::uint16_t i = 1; i <= 3; ++i) writer.publish("t", std::to_string(i), 2, false, i);
    const auto sent = reader.take_all<codec::Publish>();
    ASSERT_EQ(sent.size(), 3u);
    reader.ack(codec::PacketType::PubRec, sent[0].packet_id);
    EXPECT_EQ(reader.take_one<codec::PubAck>().type, codec::PacketType::PubRel);
    bench.crash(true);
    Client back(bench, lasting("reader"));
    const auto packets = back.take();
    ASSERT_EQ(packets.size(), 3u);
    const auto* released = std::get_if<codec::PubAck>(&packets[0]);
    const auto* second = std::get_if<codec::Publish>(&packets[1]);
    ASSERT_TRUE(released && second);
    EXPECT_EQ(released->type, codec::PacketType::PubRel);
    EXPECT_EQ(released->packet_id, sent[0].packet_id);
    EXPECT_EQ(second->packet_id, sent[1].packet_id);
    EXPECT_TRUE(second->duplicate);
}

TEST_P(BrokerTest, SessionsMoveWhenTheNumberOfShardsChanges) {
    for (int i = 0; i < 5; ++i) {
        Client reader(bench, lasting("reader-" + std::to_string(i)));
        reader.subscribe("t/#", 1);
        reader.cut();
    }
    Client writer(bench, "writer");
    writer.publish("t/x", "1", 1, true, 1);
    writer.publish("t/x", "2", 1, false, 2);
    for (const std::size_t count : {3u, 1u, 2u}) {
        bench.crash(false, count);
        EXPECT_EQ(bench.broker->stats().sessions, 5u);
    }
    for (int i = 0; i < 5; ++i) {
        Client back(bench, lasting("reader-" + std::to_string(i)));
        EXPECT_TRUE(back.session_present);
        EXPECT_EQ(back.messages(), (Strings{"t/x=1", "t/x=2"}));
    }
    Client late(bench, "late");
    late.subscribe("t/x");
    EXPECT_EQ(late.messages(), (Strings{"t/x=1"}));
}

TEST_P(BrokerTest, TheJournalIsRewrittenWhenItHasGrown) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t", 1);
    Client writer(bench, "writer");
    const std::string payload(20'000, 'x');
    for (int i = 0; i < 300; ++i) {
        writer.publish("t", payload, 1, true);
        reader.messages();
    }
    bench.advance(2s);
    EXPECT_LT(bench.broker->stats().journal_bytes, bench.shards->count() * (bench.journal_bytes_min + 100'000));
    bench.crash(true);
    Client back(bench, lasting("reader"));
    EXPECT_TRUE(back.session_present);
    back.publish("t", "still here", 1, true);
    EXPECT_EQ(back.messages(), (Strings{"t=still here"}));
}

TEST_P(BrokerTest, ASickJournalAcknowledgesNothingAndRecovers) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t/#", 1);
    reader.cut();
    Client writer(bench, "writer");
    bench.disk.set_free_bytes(10);
    writer.publish("t/note", "lost?", 1, false, 1);
    EXPECT_TRUE(codec::is_failure(writer.take_one<codec::PubAck>().reason));
    writer.publish("t/note", "lost?", 1, false, 2);
    EXPECT_TRUE(codec::is_failure(writer.take_one<codec::PubAck>().reason));
    Client live(bench, "live");
    live.subscribe("live");
    writer.publish("live", "goes on", 1, false, 3);  // Needs no journal.
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::Success);
    EXPECT_EQ(live.messages(), (Strings{"live=goes on"}));
    bench.advance(5s);
    EXPECT_TRUE(bench.broker->stats().journal_failed);

    bench.disk.set_free_bytes(1 << 30);
    bench.advance(5s);
    EXPECT_FALSE(bench.broker->stats().journal_failed);
    writer.publish("t/note", "kept", 1, false, 4);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::Success);
    bench.crash(true);
    Client back(bench, lasting("reader"));
    const auto messages = back.messages();
    ASSERT_FALSE(messages.empty());
    EXPECT_EQ(messages.back(), "t/note=kept");
}

TEST_P(BrokerTest, AFailedSyncIsNeverTrustedAgain) {
    Client writer(bench, "writer");
    writer.publish("a", "1", 1, true, 1);
    writer.take();
    bench.disk.fail_sync_after(0);
    writer.publish("a", "2", 1, true, 2);
    EXPECT_TRUE(codec::is_failure(writer.take_one<codec::PubAck>().reason));
    bench.advance(3s);
    writer.publish("a", "3", 1, true, 3);
    EXPECT_EQ(writer.take_one<codec::PubAck>().reason, Reason::Success);
    bench.crash(true);
    Client reader(bench, "reader");
    reader.subscribe("a");
    EXPECT_EQ(reader.messages(), (Strings{"a=3"}));
}

TEST_P(BrokerTest, NothingAcknowledgedIsLostWhereverThePowerFails) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Bench one(static_cast<std::size_t>(GetParam()));
        Random random(seed);
        Client reader(one, lasting("reader"));
        reader.subscribe("t", 1 + static_cast<unsigned>(seed % 2));
        reader.cut();
        one.disk.lose_power_at_sync(random.below(30));
        Client writer(one, "writer");
        std::vector<std::string> acknowledged;
        for (std::uint16_t i = 1; i <= 30 && !one.disk.is_dark(); ++i) {
            writer.publish("t", std::to_string(i), 1, false, i);
            for (const auto& ack : writer.take_all<codec::PubAck>()) {
                if (ack.reason == Reason::Success) acknowledged.push_back("t=" + std::to_string(ack.packet_id));
            }
        }
        one.disk.lose_power(ForgetfulDisk::Tear::Random, &random);
        one.crash();
        Client back(one, lasting("reader"));
        EXPECT_TRUE(back.session_present);
        const auto messages = back.messages();
        ASSERT_GE(messages.size(), acknowledged.size()) << "seed " << seed;
        EXPECT_TRUE(std::equal(acknowledged.begin(), acknowledged.end(), messages.begin())) << "seed " << seed;
    }
}

// --- The broker's own

TEST_P(BrokerTest, SpeaksOfItself) {
    Client reader(bench, "reader");
    reader.subscribe("$SYS/#");
    bench.advance(25s);
    const auto messages = reader.messages();
    EXPECT_NE(std::ranges::find(messages, "$SYS/broker/version=1.2.3"), messages.end());
    EXPECT_NE(std::ranges::find(messages, "$SYS/broker/clients/connected=1"), messages.end());
    Client late(bench, "late");
    late.subscribe("$SYS/broker/version");
    EXPECT_EQ(late.messages(), (Strings{"$SYS/broker/version=1.2.3"}));
    EXPECT_TRUE(bench.rows().empty());
}

TEST_P(BrokerTest, PublishesFromInside) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("alarms/#", 1);
    bench.broker->post_publish(TenantId(1), "alarms/press", "12", 1, true);
    bench.run();
    EXPECT_EQ(reader.messages(), (Strings{"alarms/press=12"}));
    EXPECT_TRUE(bench.rows().empty());  // It came from us: it is no telemetry.
}

TEST_P(BrokerTest, ClosesInOrder) {
    Client fresh(bench, lasting("fresh"));
    fresh.subscribe("t", 1);
    Client old(bench, v311("old"));
    bool closed = false;
    bench.broker->post_close([&] { closed = true; });
    bench.run();
    EXPECT_TRUE(closed);
    EXPECT_EQ(fresh.take_one<codec::Disconnect>().reason, Reason::ServerShuttingDown);
    EXPECT_TRUE(fresh.pipe->closed && old.pipe->closed);
    Pipe& late = bench.make_pipe(0);
    bench.broker->accept(0, late.make_stream());
    EXPECT_TRUE(late.closed);
    bench.crash(true);
    Client back(bench, lasting("fresh"));
    EXPECT_TRUE(back.session_present);
}

TEST_P(BrokerTest, CountsWhatItHolds) {
    Client reader(bench, lasting("reader"));
    reader.subscribe("t/#", 1);
    reader.cut();
    Client writer(bench, "writer");
    writer.publish("t/a", "1", 1, true, 1);
    writer.publish("t/b", "1", 1, false, 2);
    bench.advance(2s);
    const Broker::Stats stats = bench.broker->stats();
    EXPECT_EQ(stats.connections, 1u);
    EXPECT_EQ(stats.sessions, 2u);
    EXPECT_EQ(stats.subscriptions, 1u);
    EXPECT_EQ(stats.retained, 1u);
    EXPECT_EQ(stats.queued_messages, 2u);
    EXPECT_EQ(stats.messages_in, 2u);
    EXPECT_FALSE(stats.journal_failed);
}

}  // namespace
}  // namespace lineshaft::mqtt::testing
