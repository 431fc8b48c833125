// BrokerShard: from a queue to a client, and acknowledgements in both directions.
//
//   enqueue --> queue --(window, not congested)--> in_flight --PUBACK / PUBREC, PUBCOMP--> gone
//
// What must not be lost or doubled by a crash is in the journal before the next step of the exchange leaves: a QoS 2
// packet identifier before its PUBLISH, a PUBREC before the PUBREL, a PUBREL before the PUBCOMP.
#include <algorithm>

#include "base/assert.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"

namespace lineshaft::mqtt {

/// What is in chosen_: QoS 0 at once, the rest through the queues.
void BrokerShard::deliver_chosen(const MessagePtr& message) {
    targets_.clear();
    pumped_.clear();
    for (Chosen& chosen : chosen_) {
        Session& session = *chosen.session;
        if (chosen.delivery.qos == Qos::AtMostOnce) {
            send_at_most_once(session, std::move(chosen.delivery));
            continue;
        }
        if (!enqueue(session, std::move(chosen.delivery))) continue;
        pumped_.push_back(&session);
        if (!session.is_persistent()) continue;
        if (targets_.empty()) ++message_no_last_;
        session.queue.back().message_no = message_no_last_;
        targets_.push_back({session.no, &session.queue.back()});
    }
    if (!targets_.empty()) {
        journal_.write().enqueued(message_no_last_, *message, targets_);
        journal_touched_ = true;
    }
    for (Session* session : pumped_) pump(*session);
}

/// False when it was dropped: the queue is full.
bool BrokerShard::enqueue(Session& session, Delivery delivery) {
    const std::size_t bytes = delivery.message->size_bytes();
    if (session.queue.size() + session.in_flight.size() >= options().queued_messages_max ||
        session.queued_bytes + bytes > options().queued_bytes_max ||
        queued_bytes_ + bytes > options().queued_bytes_total_max) {
        counters::dropped_queue_full.add();
        return false;
    }
    session.queued_bytes += bytes;
    queued_bytes_ += bytes;
    ++queued_messages_;
    session.queue.push_back(std::move(delivery));
    return true;
}

void BrokerShard::send_at_most_once(Session& session, Delivery delivery) {
    if (!session.connection) return;  // QoS 0 is for those who are there.
    if (!session.backlog.empty() || session.connection->is_congested()) {
        const std::size_t bytes = delivery.message->size_bytes();
        if (session.backlog.size() >= options().queued_messages_max ||
            session.backlog_bytes + bytes > options().queued_bytes_max) {
            counters::dropped_slow.add();
            return;
        }
        session.backlog_bytes += bytes;
        session.backlog.push_back(std::move(delivery));
        return;
    }
    send_now(session, delivery);
}

void BrokerShard::send_now(Session& session, const Delivery& delivery) {
    if (!session.identity.may(Access::Receive, delivery.message->topic())) {
        counters::dropped_rights.add();
        return;
    }
    session.connection->send_publish(delivery, false);
}

void BrokerShard::clear_backlog(Session& session) {
    counters::dropped_slow.add(static_cast<std::int64_t>(session.backlog.size()));
    session.backlog.clear();
    session.backlog_bytes = 0;
}

/// Sends what the window and the connection have room for.
void BrokerShard::pump(Session& session) {
    if (!session.connection) return;
    Connection& connection = *session.connection;
    while (!session.backlog.empty() && !connection.is_congested()) {
        const Delivery delivery = std::move(session.backlog.front());
        session.backlog.pop_front();
        session.backlog_bytes -= delivery.message->size_bytes();
        if (delivery.message->is_expired(now())) {
            counters::dropped_expired.add();
        } else {
            send_now(session, delivery);
        }
    }
    if (session.resend_left > 0) resend(session);
    while (session.resend_left == 0 && !session.queue.empty() && session.outstanding < connection.in_flight_max() &&
           !connection.is_congested()) {
        send_next(session);
    }
}

/// The first of the queue goes into flight, or is dropped.
void BrokerShard::send_next(Session& session) {
    const auto next = session.queue.begin();
    if (next->message->is_expired(now())) {
        counters::dropped_expired.add();
        return drop(session, session.queue, next);
    }
    if (!session.identity.may(Access::Receive, next->message->topic())) {
        counters::dropped_rights.add();
        return drop(session, session.queue, next);
    }
    next->packet_id = session.next_packet_id();
    session.in_flight.splice(session.in_flight.end(), session.queue, next);
    ++session.outstanding;
    const bool needs_journal = next->qos == Qos::ExactlyOnce && next->message_no != 0;
    if (!needs_journal && session.journal_waits == 0) {
        if (!session.connection->send_publish(*next, false)) drop(session, session.in_flight, next);
        return;
    }
    if (needs_journal) journal_.write().sent(session.no, next->message_no, next->packet_id);
    // What follows one that waits, waits with it: so all leave in the order of arrival. Should the journal fail they are
    // sent all the same: live values go on, at the price of a double after a crash.
    ++session.journal_waits;
    journal_.when_durable([this, no = session.no, connection_no = session.connection->no(),
                           packet_id = next->packet_id](const Result<void>&) {
        Session* found = find(no);
        if (!found || !found->connection || found->connection->no() != connection_no) return;
        --found->journal_waits;
        const auto at = std::ranges::find(found->in_flight, packet_id, &Delivery::packet_id);
        if (at == found->in_flight.end()) return;
        if (!found->connection->send_publish(*at, false)) drop(*found, found->in_flight, at);
    });
}

/// After a reconnection: what was in flight, again and in its order [MQTT-4.4.0-1].
void BrokerShard::resend(Session& session) {
    Connection& connection = *session.connection;
    for (auto at = session.in_flight.begin(); at != session.in_flight.end() && session.resend_left > 0;) {
        const auto current = at++;
        if (!current->resend) continue;
        if (session.outstanding >= connection.in_flight_max() || connection.is_congested()) return;
        if (current->released) {
            connection.send_ack(wire::PacketType::PubRel, current->packet_id);
        } else if (!session.identity.may(Access::Receive, current->message->topic())) {
            counters::dropped_rights.add();
            drop(session, session.in_flight, current);
            continue;
        } else if (!connection.send_publish(*current, true)) {
            drop(session, session.in_flight, current);
            continue;
        }
        current->resend = false;
        --session.resend_left;
        ++session.outstanding;
    }
}

void BrokerShard::drop(Session& session, std::list<Delivery>& list, std::list<Delivery>::iterator at) {
    const std::size_t bytes = at->message->size_bytes();
    session.queued_bytes -= bytes;
    queued_bytes_ -= bytes;
    --queued_messages_;
    if (&list == &session.in_flight) --(at->resend ? session.resend_left : session.outstanding);
    if (at->message_no != 0) journal_.write().done(session.no, at->message_no);
    list.erase(at);
}

void BrokerShard::take_ack(Session& session, const wire::PubAck& ack) {
    const auto at = std::ranges::find(session.in_flight, ack.packet_id, &Delivery::packet_id);
    const bool known = at != session.in_flight.end();
    const bool is_qos2 = known && at->qos == Qos::ExactlyOnce;
    Connection& connection = *session.connection;
    switch (ack.type) {
        case wire::PacketType::PubAck:
            if (known && !is_qos2) drop(session, session.in_flight, at);
            break;
        case wire::PacketType::PubRec:
            if (!is_qos2) {
                if (!wire::is_failure(ack.reason)) {
                    connection.send_ack(wire::PacketType::PubRel, ack.packet_id, wire::Reason::PacketIdNotFound);
                }
            } else if (wire::is_failure(ack.reason)) {
                drop(session, session.in_flight, at);
            } else {
                take_received(session, *at);
            }
            break;
        case wire::PacketType::PubComp:
            if (is_qos2 && at->released) drop(session, session.in_flight, at);
            break;
        default: ASSERT(false);
    }
    pump(session);
}

void BrokerShard::take_received(Session& session, Delivery& delivery) {
    if (delivery.released || delivery.message_no == 0) {
        delivery.released = true;
        return session.connection->send_ack(wire::PacketType::PubRel, delivery.packet_id);
    }
    delivery.released = true;
    journal_.write().received(session.no, delivery.message_no);
    journal_.when_durable([this, no = session.no, connection_no = session.connection->no(),
                           packet_id = delivery.packet_id](const Result<void>&) {
        Session* found = find(no);
        if (!found || !found->connection || found->connection->no() != connection_no) return;
        found->connection->send_ack(wire::PacketType::PubRel, packet_id);
    });
}

/// PUBREL: the client will not repeat the message any more.
void BrokerShard::take_release(Session& session, std::uint16_t packet_id) {
    const auto at = session.incoming.find(packet_id);
    if (at == session.incoming.end()) {
        return session.connection->send_ack(wire::PacketType::PubComp, packet_id, wire::Reason::PacketIdNotFound);
    }
    session.incoming.erase(at);
    if (!session.is_journalled || !session.is_persistent()) {
        return session.connection->send_ack(wire::PacketType::PubComp, packet_id);
    }
    journal_.write().incoming_released(session.no, packet_id);
    journal_.when_durable(
        [this, no = session.no, connection_no = session.connection->no(), packet_id](const Result<void>& result) {
            Session* found = find(no);
            if (!result || !found || !found->connection || found->connection->no() != connection_no) return;
            found->connection->send_ack(wire::PacketType::PubComp, packet_id);
        });
}

/// One part of what a read waits for is done, or has failed.
void BrokerShard::settle(std::uint64_t session_no, std::uint64_t settlement_no, const Result<void>& result) {
    Session* session = find(session_no);
    if (!session) return;
    const auto at = std::ranges::find(session->settlements, settlement_no, &Settlement::no);
    if (at == session->settlements.end()) return;
    if (!result && !at->error) at->error = result.error();
    --at->waiting;
    release_settlements(*session);
}

/// Sends the acknowledgements of the oldest reads that wait for nothing any more.
void BrokerShard::release_settlements(Session& released) {
    const std::uint64_t no = released.no;
    Session* session = &released;
    while (session && !session->settlements.empty() && session->settlements.front().waiting == 0) {
        const Settlement settlement = std::move(session->settlements.front());
        session->settlements.pop_front();
        for (const Settlement::Ack& ack : settlement.acks) {
            if (session) release(*session, settlement, ack);
            session = find(no);  // A 3.1.1 client whose message failed has been cut, its session perhaps with it.
        }
    }
}

void BrokerShard::release(Session& session, const Settlement& settlement, const Settlement::Ack& ack) {
    Connection* connection = session.connection;
    const bool same = connection && connection->no() == settlement.connection_no;
    if (same) connection->acked(ack.qos);
    wire::Reason reason = ack.reason;
    std::string why(ack.why);
    if (settlement.error && !wire::is_failure(reason)) {
        reason = publish_reason(*settlement.error);
        why = settlement.error->message();
    }
    if (ack.qos == Qos::ExactlyOnce && !wire::is_failure(ack.reason)) {
        const auto at = session.incoming.find(ack.packet_id);
        if (at == session.incoming.end()) return;
        const bool asked = same || at->second.asked_again;
        at->second.settled = true;
        if (wire::is_failure(reason)) forget_incoming(session, ack.packet_id);
        if (!asked) return;
    } else if (!same) {
        return;
    }
    if (!connection) return;
    if (wire::is_failure(reason) && !connection->is_v5()) {
        return connection->end(reason, why, SendWill::Yes);  // 3.1.1 cannot say no: it is asked to send again.
    }
    const auto type = ack.qos == Qos::AtLeastOnce ? wire::PacketType::PubAck : wire::PacketType::PubRec;
    connection->send_ack(type, ack.packet_id, reason, why);
}

void BrokerShard::forget_incoming(Session& session, std::uint16_t packet_id) {
    session.incoming.erase(packet_id);
    if (session.is_journalled) journal_.write().incoming_released(session.no, packet_id);
}

/// The reason codes that PUBACK and PUBREC may have (3.4.2.1).
wire::Reason BrokerShard::publish_reason(const Error& error) {
    const auto reason = static_cast<wire::Reason>(error.text().mqtt_reason);
    switch (reason) {
        case wire::Reason::NotAuthorized:
        case wire::Reason::TopicNameInvalid:
        case wire::Reason::QuotaExceeded:
        case wire::Reason::PayloadFormatInvalid:
        case wire::Reason::ImplementationSpecific: return reason;
        default: return wire::Reason::Unspecified;
    }
}

}  // namespace lineshaft::mqtt
