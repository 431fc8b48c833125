// BrokerShard: sessions come, are taken over, sleep and end.
#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"

namespace lineshaft::mqtt {

Session* BrokerShard::find(std::uint64_t session_no) {
    const auto at = sessions_by_no_.find(session_no);
    return at == sessions_by_no_.end() ? nullptr : at->second;
}

/// A session from the journal.
void BrokerShard::adopt(SessionState state) {
    auto session = std::make_unique<Session>();
    static_cast<SessionState&>(*session) = std::move(state);
    session_no_last_ = std::max(session_no_last_, session->no);
    session->publisher = (static_cast<std::uint64_t>(index_ + 1) << 48) + session->no;
    session->is_journalled = true;
    session->remember_ids();
    for (const std::list<Delivery>* list : {&session->in_flight, &session->queue}) {
        queued_messages_ += list->size();
        for (const Delivery& delivery : *list) session->queued_bytes += delivery.message->size_bytes();
    }
    queued_bytes_ += session->queued_bytes;
    for (const auto& [filter, options] : session->subscriptions) {
        ++subscription_count_;
        const auto shared = wire::parse_shared(filter);
        if (!shared) continue;
        if (shared->group.empty()) {
            tenant(session->tenant).tree.subscribe(filter, *session, options);
        } else {
            tenant(session->tenant).tree.join(shared->group, shared->filter, *session, options);
            ++session->shared;
        }
    }
    sessions_by_no_[session->no] = session.get();
    sessions_[{session->tenant, session->client_id}] = std::move(session);
}

std::uint32_t BrokerShard::expiry_of(const wire::Connect& connect) const {
    if (connect.version == wire::Version::V311) return connect.clean_start ? 0 : session_expiry_max_s();
    return std::min(connect.properties.number(wire::Property::SessionExpiry, 0), session_expiry_max_s());
}

void BrokerShard::open(Hello hello, std::unique_ptr<Stream> stream) {
    if (closing_) return;
    const SessionKey key{hello.identity.tenant, hello.client_id};
    const auto found = sessions_.find(key);
    Session* session = found == sessions_.end() ? nullptr : found->second.get();
    const bool resumes = session && !hello.connect.clean_start && session->owner == hello.identity.actor;
    if (session && session->connection) {
        counters::taken_over.add();
        // The same client again: a delayed will is not due when the session goes on.
        const bool will_waits = resumes && session->will && session->will->delay_s > 0;
        session->connection->end(wire::Reason::SessionTakenOver, "another connection has this client id",
                                 will_waits ? SendWill::No : SendWill::Yes);
        session = find_session(key);  // A session that does not outlive its connection is gone.
    }
    const bool present = session && resumes;
    if (session && !resumes) end_session(*session);
    if (!present) session = &create_session(hello);
    apply_connect(*session, hello);

    const std::uint64_t no = ++connection_no_last_;
    auto connection = std::make_unique<Connection>(*this, no, std::move(stream), *session, hello);
    Connection& opened = *connection;
    connections_.emplace(no, std::move(connection));
    counters::connections.add(1);
    counters::connects.add();
    session->connection = &opened;
    if (ledger_) ledger_->connected(session->tenant, "mqtt/" + session->client_id);
    session->outstanding = 0;
    session->resend_left = static_cast<std::uint32_t>(session->in_flight.size());
    for (Delivery& delivery : session->in_flight) delivery.resend = true;
    opened.start(present, hello);
    if (session->shared > 0) tell_all_members(*session);
    pump(*session);
    if (!hello.rest.empty()) opened.on_data(hello.rest);
}

Session* BrokerShard::find_session(const SessionKey& key) {
    const auto at = sessions_.find(key);
    return at == sessions_.end() ? nullptr : at->second.get();
}

Session& BrokerShard::create_session(const Hello& hello) {
    auto session = std::make_unique<Session>();
    session->no = ++session_no_last_;
    session->publisher = (static_cast<std::uint64_t>(index_ + 1) << 48) + session->no;
    session->tenant = hello.identity.tenant;
    session->client_id = hello.client_id;
    session->owner = hello.identity.actor;
    Session& created = *session;
    sessions_by_no_[created.no] = &created;
    sessions_[{created.tenant, created.client_id}] = std::move(session);
    return created;
}

void BrokerShard::apply_connect(Session& session, const Hello& hello) {
    session.identity = hello.identity;
    session.expiry_s = expiry_of(hello.connect);
    session.disconnected_at = UtcTime();
    session.expires_at = Instant();
    session.will_at = Instant();
    session.will.reset();
    if (hello.connect.will) {
        const wire::Will& will = *hello.connect.will;
        Bytes properties;
        wire::append_forwarded(will.properties.raw(), properties);
        Message::Parts parts;
        parts.tenant = session.tenant;
        parts.topic = will.topic;
        parts.properties = properties;
        parts.payload = will.payload;
        parts.qos = will.qos;
        parts.retain = will.retain;
        session.will = StoredWill{make_message(parts), will.properties.number(wire::Property::WillDelay, 0),
                                  will.properties.number(wire::Property::MessageExpiry, 0)};
    }
    // One that ends with its connection is written down for its will alone.
    if (!session.is_persistent() && !session.will && !session.is_journalled) return;
    session.is_journalled = true;
    journal_.write().session_opened(session);
}

void BrokerShard::detach(Session& session, SendWill send_will) {
    session.connection = nullptr;
    if (ledger_) ledger_->disconnected(session.tenant, "mqtt/" + session.client_id);
    session.outstanding = 0;
    session.resend_left = 0;
    session.journal_waits = 0;
    clear_backlog(session);
    if (session.shared > 0) tell_all_members(session);
    if (send_will == SendWill::No && session.will) {
        session.will.reset();
        if (session.is_journalled) journal_.write().will_removed(session.no);
    }
    if (!session.is_persistent()) return end_session(session);
    session.disconnected_at = shard_.utc_now();
    session.expires_at = now() + std::chrono::seconds(session.expiry_s);
    if (session.is_journalled) journal_.write().session_closed(session);
    if (session.will) {
        if (session.will->delay_s == 0) {
            publish_will(session);
        } else {
            session.will_at = now() + std::chrono::seconds(session.will->delay_s);
        }
    }
    schedule(session);
}

void BrokerShard::schedule(Session& session) {
    deadlines_.push({session.expires_at, session.no, DeadlineKind::Expiry});
    if (!session.will_at.is_none()) deadlines_.push({session.will_at, session.no, DeadlineKind::Will});
}

/// Deadlines are not taken back when a session wakes up; they find it changed and pass by.
void BrokerShard::check_deadlines() {
    while (!deadlines_.empty() && deadlines_.top().at <= now()) {
        const Deadline due = deadlines_.top();
        deadlines_.pop();
        Session* session = find(due.session_no);
        if (!session || session->connection) continue;
        if (due.kind == DeadlineKind::Will && session->will_at == due.at) publish_will(*session);
        if (due.kind == DeadlineKind::Expiry && session->expires_at == due.at) end_session(*session);
    }
}

void BrokerShard::publish_will(Session& session) {
    if (!session.will) return;
    const StoredWill will = *std::exchange(session.will, std::nullopt);
    session.will_at = Instant();
    if (session.is_journalled) journal_.write().will_removed(session.no);
    if (session.identity.may && !session.identity.may(Access::Publish, will.message->topic())) {
        counters::dropped_rights.add();
        return;
    }
    Message::Parts parts;
    parts.tenant = session.tenant;
    parts.topic = will.message->topic();
    parts.properties = will.message->properties();
    parts.payload = will.message->payload();
    parts.qos = will.message->qos;
    parts.retain = will.message->retain;
    if (will.expiry_s > 0) parts.expires_at = now() + std::chrono::seconds(will.expiry_s);
    publish_inside(parts);

    ReadingBatch batch;
    batch.tenant = session.tenant;
    batch.source = "mqtt/" + session.client_id;
    batch.receive_time = shard_.utc_now();
    const std::string& device = session.identity.device.empty() ? session.client_id : session.identity.device;
    if (parts.topic.starts_with('$') || !decode({parts.topic, device, parts.payload, batch.receive_time}, batch))
        return;
    flow::Settled settled = [](const Result<void>& result) {
        if (!result) counters::refused_store.add();
    };
    if (!batch.empty() && offer(batch, settled) == flow::Took::None) counters::dropped_busy.add();
}

void BrokerShard::end_session(Session& session) {
    ASSERT(!session.connection);
    publish_will(session);
    forget_subscriptions(session);
    queued_messages_ -= session.queue.size() + session.in_flight.size();
    queued_bytes_ -= session.queued_bytes;
    if (session.is_journalled) journal_.write().session_ended(session.no);
    sessions_by_no_.erase(session.no);
    sessions_.erase({session.tenant, session.client_id});
}

}  // namespace lineshaft::mqtt
