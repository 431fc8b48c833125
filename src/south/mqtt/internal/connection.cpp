#include "south/mqtt/internal/connection.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::mqtt {
namespace {

/// One and a half times what the client promised [MQTT-3.1.2-22].
Duration patience(std::uint16_t keep_alive_s) { return std::chrono::seconds(keep_alive_s) * 3 / 2; }

/// More readings in one message than a batch may hold: parts, with their own copies of the texts.
void split(const ReadingBatch& whole, const std::function<void(ReadingBatch)>& each) {
    for (std::size_t at = 0; at < whole.size(); at += limits::batch_samples_max) {
        ReadingBatch part;
        part.tenant = whole.tenant;
        part.source = whole.source;
        part.receive_time = whole.receive_time;
        const std::size_t end = std::min(whole.size(), at + limits::batch_samples_max);
        for (std::size_t i = at; i < end; ++i) {
            Reading reading = whole.readings[i];
            reading.device = part.keep(reading.device);
            reading.address = part.keep(reading.address);
            reading.unit = part.keep(reading.unit);
            reading.text = part.keep(reading.text);
            part.readings.push_back(reading);
        }
        each(std::move(part));
    }
}

}  // namespace

Connection::Connection(BrokerShard& owner, std::uint64_t no, std::unique_ptr<Stream> stream, Session& session,
                       const Hello& hello)
    : owner_(owner),
      no_(no),
      stream_(std::move(stream)),
      session_(&session),
      version_(hello.connect.version),
      source_("mqtt/" + session.client_id),
      keep_alive_(patience(hello.connect.keep_alive_s)),
      heard_at_(owner.now()) {
    const wire::Properties& properties = hello.connect.properties;
    constexpr auto receive_maximum = static_cast<std::uint32_t>(limits::mqtt_receive_maximum);
    in_flight_max_ = std::min(properties.number(wire::Property::ReceiveMaximum, receive_maximum), receive_maximum);
    packet_bytes_max_ = properties.number(wire::Property::MaximumPacketBytes, UINT32_MAX);
    wants_reasons_ = properties.number(wire::Property::RequestProblemInformation, 1) == 1;
    session_expiry_asked_ = properties.number(wire::Property::SessionExpiry, 0);
}

void Connection::forget_input() {
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(input_.size()));
    input_ = Bytes();
}

void Connection::start(bool session_present, const Hello& hello) {
    wire::ConnAck ack;
    ack.session_present = session_present;
    if (is_v5()) {
        ack.properties.set(wire::Property::ReceiveMaximum, limits::mqtt_receive_maximum);
        ack.properties.set(wire::Property::MaximumPacketBytes, limits::mqtt_packet_bytes_max);
        ack.properties.set(wire::Property::TopicAliasMaximum, limits::mqtt_topic_alias_max);
        if (hello.connect.client_id.empty()) {
            ack.properties.set(wire::Property::AssignedClientId, std::string_view(session_->client_id));
        }
        if (session_->expiry_s != session_expiry_asked_) {
            ack.properties.set(wire::Property::SessionExpiry, session_->expiry_s);
        }
    }
    Bytes out;
    wire::encode(ack, version_, out);
    send(out);
    stream_->start(*this);
}

void Connection::send(const Bytes& bytes) { stream_->send(bytes); }

void Connection::on_data(ByteView bytes) {
    if (!session_) return;
    heard_at_ = owner_.now();
    if (input_.empty() && !paused_ && !sink_full_) return read_packets(bytes);
    // The rest of a packet, or what a stream still had when it was paused.
    if (!owner_.take_input_bytes(static_cast<std::ptrdiff_t>(bytes.size()))) {
        counters::refused_limit.add();
        return end(wire::Reason::QuotaExceeded, "too many bytes wait", SendWill::Yes);
    }
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    if (!paused_ && !sink_full_) read_input();
}

/// Works through what waits, once it begins with a whole packet: a large one is not copied with every part of it.
void Connection::read_input() {
    if (input_.empty()) return;
    if (const auto frame = wire::next_frame(input_, limits::mqtt_packet_bytes_max); frame && !*frame) return;
    const Bytes kept = std::exchange(input_, {});
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(kept.size()));
    read_packets(kept);
}

void Connection::read_packets(ByteView bytes) {
    reading_ = true;
    while (!paused_) {
        const auto frame = wire::next_frame(bytes, limits::mqtt_packet_bytes_max);
        if (!frame) {
            protocol_broken(frame.error());
            break;
        }
        if (!*frame) break;
        if (!handle(**frame)) break;
        bytes = bytes.subspan((*frame)->frame_bytes);
        if (qos1_unacked_ + qos2_unacked_ > limits::mqtt_receive_maximum)
            paused_ = true;  // 3.1.1 has no other bound.
    }
    reading_ = false;
    if (!session_) return;
    if (!bytes.empty()) {
        if (!owner_.take_input_bytes(static_cast<std::ptrdiff_t>(bytes.size()))) {
            counters::refused_limit.add();
            return end(wire::Reason::QuotaExceeded, "too many bytes of unfinished packets wait", SendWill::Yes);
        }
        input_.assign(bytes.begin(), bytes.end());
    }
    finish_read();
    if (session_) pause_or_resume();
}

bool Connection::handle(const wire::Frame& frame) {
    switch (frame.type) {
        case wire::PacketType::Publish: return on_publish(frame);
        case wire::PacketType::PubAck:
        case wire::PacketType::PubRec:
        case wire::PacketType::PubRel:
        case wire::PacketType::PubComp: return on_ack(frame);
        case wire::PacketType::Subscribe: return on_subscribe(frame);
        case wire::PacketType::Unsubscribe: return on_unsubscribe(frame);
        case wire::PacketType::PingReq: {
            if (const auto ping = wire::decode_ping(frame); !ping) return protocol_broken(ping.error());
            Bytes out;
            wire::encode(wire::PingResp{}, out);
            send(out);
            return true;
        }
        case wire::PacketType::Disconnect: return on_disconnect(frame);
        case wire::PacketType::Connect:
            return protocol_broken({wire::Reason::ProtocolError, "a second CONNECT (3.1)"});
        case wire::PacketType::Auth:
            return protocol_broken({wire::Reason::ProtocolError, "AUTH without an authentication method (4.12)"});
        default: return protocol_broken({wire::Reason::ProtocolError, "a packet that only servers send"});
    }
}

bool Connection::on_publish(const wire::Frame& frame) {
    auto publish = wire::decode_publish(frame, version_);
    if (!publish) return protocol_broken(publish.error());
    counters::messages_in.add();
    owner_.gauges.messages_in.fetch_add(1, std::memory_order_relaxed);
    if (!resolve_alias(*publish)) return false;
    return take_publish(*publish);
}

bool Connection::resolve_alias(wire::Publish& publish) {
    if (!publish.properties.has(wire::Property::TopicAlias)) return true;
    const auto alias = static_cast<std::uint16_t>(publish.properties.number(wire::Property::TopicAlias, 0));
    if (alias > limits::mqtt_topic_alias_max) {
        return protocol_broken({wire::Reason::TopicAliasInvalid, "beyond the Topic Alias Maximum of CONNACK"});
    }
    if (!publish.topic.empty()) {
        aliases_[alias] = publish.topic;
        return true;
    }
    const auto known = aliases_.find(alias);
    if (known == aliases_.end()) return protocol_broken({wire::Reason::ProtocolError, "an unknown topic alias"});
    publish.topic = known->second;
    return true;
}

bool Connection::take_publish(wire::Publish& publish) {
    if (publish.qos != Qos::AtMostOnce) {
        const auto known = session_->incoming.find(publish.packet_id);
        if (publish.qos == Qos::ExactlyOnce && known != session_->incoming.end()) {
            // Sent again: taken once already.
            if (known->second.settled) {
                send_ack(wire::PacketType::PubRec, publish.packet_id);
            } else {
                known->second.asked_again = true;
            }
            return true;
        }
        const std::size_t unacked = qos1_unacked_ + session_->incoming.size();
        const std::size_t unacked_max = limits::mqtt_receive_maximum * (is_v5() ? 1 : 8);
        if (unacked >= unacked_max) {
            return protocol_broken(
                {wire::Reason::ReceiveMaximumExceeded, "more unacknowledged messages than allowed"});
        }
    }
    if (publish.topic.starts_with("$SYS/") || publish.topic.starts_with("$share/")) {
        return refuse_publish(publish, wire::Reason::NotAuthorized, "this topic is the broker's own");
    }
    if (!session_->identity.may(Access::Publish, publish.topic)) {
        counters::refused_acl.add();
        return refuse_publish(publish, wire::Reason::NotAuthorized, "you may not publish to this topic");
    }
    if (publish.properties.number(wire::Property::PayloadFormat, 0) == 1 && !is_utf8(as_text(publish.payload))) {
        return refuse_publish(publish, wire::Reason::PayloadFormatInvalid, "the payload is not UTF-8 as announced");
    }
    if (!publish.topic.starts_with('$')) decode(publish);
    const wire::Reason reason = owner_.publish(*session_, publish, &journal_touched_, &shards_touched_);
    if (wire::is_failure(reason)) return refuse_publish(publish, reason, "no more retained messages are kept");
    if (publish.qos == Qos::AtMostOnce) return true;

    if (publish.qos == Qos::AtLeastOnce) ++qos1_unacked_;
    if (publish.qos == Qos::ExactlyOnce) {
        ++qos2_unacked_;
        session_->incoming.emplace(publish.packet_id, Incoming{});
        if (session_->is_persistent()) {
            // Behind the message in the journal: the id alone would make its repetition vanish.
            owner_.journal().write().incoming_taken(session_->no, publish.packet_id);
            journal_touched_ = true;
        }
    }
    settlement_.acks.push_back({publish.packet_id, publish.qos, wire::Reason::Success, {}});
    return true;
}

bool Connection::refuse_publish(const wire::Publish& publish, wire::Reason reason, std::string_view why) {
    if (publish.qos == Qos::AtMostOnce) return true;  // Counted; QoS 0 has no answer.
    if (!is_v5()) {
        // 3.1.1 cannot say no: a false acknowledgement would be a silent loss.
        log_info("mqtt: '{}' publishes to '{}': {}", session_->client_id, publish.topic, why);
        return protocol_broken({reason, why});
    }
    if (publish.qos == Qos::AtLeastOnce) ++qos1_unacked_;
    if (publish.qos == Qos::ExactlyOnce) ++qos2_unacked_;
    settlement_.acks.push_back({publish.packet_id, publish.qos, reason, why});
    return true;
}

void Connection::decode(const wire::Publish& publish) {
    if (batch_.empty()) {
        batch_.tenant = session_->tenant;
        batch_.source = source_;
        batch_.receive_time = owner_.shard().utc_now();
        batch_bytes_ = 0;
    }
    const std::string& device = session_->identity.device.empty() ? session_->client_id : session_->identity.device;
    if (!owner_.decode({publish.topic, device, publish.payload, batch_.receive_time}, batch_)) return;
    batch_bytes_ += publish.payload.size();
    if (batch_.size() >= batch_readings_goal || batch_bytes_ >= batch_bytes_goal) close_batch();
}

void Connection::close_batch() {
    if (batch_.empty()) return;
    ReadingBatch whole = std::exchange(batch_, {});
    if (whole.size() <= limits::batch_samples_max) {
        batches_.push_back({std::move(whole), 0});
    } else {
        split(whole, [&](ReadingBatch part) { batches_.push_back({std::move(part), 0}); });
    }
}

/// Ties what this read must wait for to one settlement, and offers its readings.
void Connection::finish_read() {
    close_batch();
    Settlement settlement = std::exchange(settlement_, {});
    const bool journal_touched = std::exchange(journal_touched_, false);
    const std::vector<std::uint16_t> shards = std::exchange(shards_touched_, {});
    if (!settlement.acks.empty()) {
        settlement.no = ++session_->settlement_no_last;
        settlement.connection_no = no_;
        settlement.waiting = (journal_touched ? 1 : 0) + static_cast<int>(shards.size());
        for (Offered& offered : batches_) {
            if (offered.settlement_no != 0) continue;
            offered.settlement_no = settlement.no;
            ++settlement.waiting;
        }
        const Waiter waiter{session_->no, settlement.no};
        if (journal_touched) {
            owner_.journal().when_durable([&owner = owner_, waiter](const Result<void>& result) {
                owner.settle(waiter.session_no, waiter.settlement_no, result);
            });
        }
        for (const std::uint16_t shard : shards) owner_.wait_for_shard(shard, waiter);
        session_->settlements.push_back(std::move(settlement));
    }
    offer_batches();
    owner_.release_settlements(*session_);
}

void Connection::offer_batches() {
    while (!batches_.empty() && !sink_full_) {
        Offered& next = batches_.front();
        const Waiter waiter{session_ ? session_->no : 0, next.settlement_no};
        flow::Settled settled = [&owner = owner_, waiter](const Result<void>& result) {
            if (!result) counters::refused_store.add();
            if (waiter.settlement_no != 0) owner.settle(waiter.session_no, waiter.settlement_no, result);
        };
        if (owner_.offer(next.batch, settled) == flow::Took::None) {
            sink_full_ = true;
            owner_.when_sink_ready(no_);
        } else {
            batches_.pop_front();
        }
    }
}

/// The connection is gone before the sink had room: nobody must wait for these for ever.
void Connection::give_up_batches() {
    for (Offered& offered : std::exchange(batches_, {})) {
        counters::dropped_busy.add();
        if (offered.settlement_no == 0 || !session_) continue;
        owner_.shard().post([&owner = owner_, session_no = session_->no, no = offered.settlement_no] {
            owner.settle(session_no, no, fail(ErrorCode::Overloaded));
        });
    }
}

void Connection::resume() {
    sink_full_ = false;
    offer_batches();
    if (session_) pause_or_resume();
}

void Connection::acked(Qos qos) {
    std::size_t& unacked = qos == Qos::AtLeastOnce ? qos1_unacked_ : qos2_unacked_;
    ASSERT(unacked > 0);
    --unacked;
    if (paused_ && !reading_ && qos1_unacked_ + qos2_unacked_ <= limits::mqtt_receive_maximum / 2) {
        owner_.shard().defer([&owner = owner_, no = no_] { owner.resume_connection(no); });
    }
}

void Connection::pause_or_resume() {
    paused_ = qos1_unacked_ + qos2_unacked_ > limits::mqtt_receive_maximum;
    if (paused_ || sink_full_) return stream_->pause_reading();
    stream_->resume_reading();
    if (session_) read_input();
}

bool Connection::on_ack(const wire::Frame& frame) {
    const auto ack = wire::decode_pub_ack(frame, version_);
    if (!ack) return protocol_broken(ack.error());
    if (ack->type == wire::PacketType::PubRel) {
        owner_.take_release(*session_, ack->packet_id);
    } else {
        owner_.take_ack(*session_, *ack);
    }
    return session_ != nullptr;
}

bool Connection::on_subscribe(const wire::Frame& frame) {
    const auto subscribe = wire::decode_subscribe(frame, version_);
    if (!subscribe) return protocol_broken(subscribe.error());
    owner_.subscribe(*session_, *subscribe);
    return session_ != nullptr;
}

bool Connection::on_unsubscribe(const wire::Frame& frame) {
    const auto unsubscribe = wire::decode_unsubscribe(frame, version_);
    if (!unsubscribe) return protocol_broken(unsubscribe.error());
    owner_.unsubscribe(*session_, *unsubscribe);
    return session_ != nullptr;
}

bool Connection::on_disconnect(const wire::Frame& frame) {
    const auto disconnect = wire::decode_disconnect(frame, version_);
    if (!disconnect) return protocol_broken(disconnect.error());
    if (disconnect->properties.has(wire::Property::SessionExpiry)) {
        const std::uint32_t asked = disconnect->properties.number(wire::Property::SessionExpiry, 0);
        if (session_expiry_asked_ == 0 && asked != 0) {
            return protocol_broken(
                {wire::Reason::ProtocolError, "a Session Expiry after none in CONNECT (3.14.2.2.2)"});
        }
        session_->expiry_s = std::min(asked, owner_.session_expiry_max_s());
    }
    const bool with_will = disconnect->reason != wire::Reason::Success;
    end(wire::Reason::Success, {}, with_will ? SendWill::Yes : SendWill::No);
    return false;
}

bool Connection::protocol_broken(wire::Refusal refusal) {
    if (session_) {
        counters::refused_malformed.add();
        log_debug("mqtt: '{}' at {}: {}", session_->client_id, to_text(stream_->peer().address), refusal.why);
    }
    end(refusal.reason, refusal.why, SendWill::Yes);
    return false;
}

void Connection::end(wire::Reason reason, std::string_view why, SendWill will) {
    if (!session_) return;
    if (!settlement_.acks.empty() || !batch_.empty() || !batches_.empty()) finish_read();
    if (!session_) return;  // Ended by what it had gathered.
    if (reason != wire::Reason::Success && is_v5()) {
        wire::Disconnect disconnect;
        disconnect.reason = reason;
        if (wants_reasons_ && !why.empty()) disconnect.properties.set(wire::Property::ReasonString, why);
        Bytes out;
        wire::encode(disconnect, version_, out);
        send(out);
    }
    give_up_batches();
    Session& session = *std::exchange(session_, nullptr);
    stream_->resume_reading();
    stream_->close();
    owner_.detach(session, will);
}

void Connection::say_shutting_down() {
    if (!session_) return;
    if (is_v5()) {
        Bytes out;
        wire::encode(wire::Disconnect{wire::Reason::ServerShuttingDown, {}}, version_, out);
        send(out);
    }
    session_->connection = nullptr;
    session_ = nullptr;
    stream_->close();
}

void Connection::on_drained() {
    if (session_) owner_.pump(*session_);
}

void Connection::on_closed(const Error&) {
    end(wire::Reason::Success, {}, SendWill::Yes);
    owner_.retire(no_);
}

bool Connection::send_publish(const Delivery& delivery, bool duplicate) {
    const Message& message = *delivery.message;
    Bytes own;
    if (is_v5()) {
        if (!message.expires_at.is_none()) {
            const auto left = std::chrono::ceil<std::chrono::seconds>(message.expires_at - owner_.now()).count();
            own.push_back(static_cast<std::byte>(wire::Property::MessageExpiry));
            ByteWriter(own).be(static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0)));
        }
        for (const std::uint32_t id : delivery.subscription_ids) {
            own.push_back(static_cast<std::byte>(wire::Property::SubscriptionId));
            wire::append_variable_int(id, own);
        }
    }
    wire::PublishHead head;
    head.topic = message.topic();
    head.packet_id = delivery.packet_id;
    head.qos = delivery.qos;
    head.retain = delivery.retain;
    head.duplicate = duplicate;
    head.own_properties = own;
    head.forwarded_properties = message.properties();
    head.payload_bytes = message.payload().size();
    if (wire::publish_packet_bytes(head, version_) > packet_bytes_max_) {
        counters::dropped_too_large.add();
        return false;
    }
    Bytes& out = owner_.scratch();
    out.clear();
    wire::encode_publish_head(head, version_, out);
    stream_->send(out);
    stream_->send(message.payload());
    counters::messages_out.add();
    owner_.gauges.messages_out.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void Connection::send_ack(wire::PacketType type, std::uint16_t packet_id, wire::Reason reason, std::string_view why) {
    wire::PubAck ack;
    ack.type = type;
    ack.packet_id = packet_id;
    ack.reason = reason;
    if (is_v5() && wants_reasons_ && !why.empty()) ack.properties.set(wire::Property::ReasonString, why);
    Bytes& out = owner_.scratch();
    out.clear();
    wire::encode(ack, version_, out);
    stream_->send(out);
}

void Connection::send_sub_ack(wire::PacketType type, std::uint16_t packet_id, std::vector<wire::Reason> reasons) {
    Bytes out;
    wire::encode(wire::SubAck{type, packet_id, std::move(reasons), {}}, version_, out);
    send(out);
}

}  // namespace lineshaft::mqtt
