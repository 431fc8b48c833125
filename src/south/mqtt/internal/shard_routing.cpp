// BrokerShard: from a message to those who get it, here and on the other shards; retained messages.
//
// Retained messages are on every shard. Of two changes to one topic at the same time the topic's home shard decides which
// is the later one: it journals the change and tells the others, so all end with the same.
#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"

namespace lineshaft::mqtt {

wire::Reason BrokerShard::publish(Session& publisher, const wire::Publish& publish, bool* journal_touched,
                                  std::vector<std::uint16_t>* shards_touched) {
    Tenant& home = tenant(publisher.tenant);
    if (publish.retain && !publish.payload.empty() && home.retained.size() >= limits::mqtt_retained_max &&
        !home.retained.contains(publish.topic)) {
        counters::refused_limit.add();
        return wire::Reason::QuotaExceeded;
    }
    matches_.clear();
    home.tree.match(publish.topic, matches_);
    if (matches_.empty() && !publish.retain) return wire::Reason::Success;

    Bytes properties;
    wire::append_forwarded(publish.properties.raw(), properties);
    Message::Parts parts;
    parts.tenant = publisher.tenant;
    parts.topic = publish.topic;
    parts.properties = properties;
    parts.payload = publish.payload;
    parts.qos = publish.qos;
    parts.retain = publish.retain;
    parts.publisher = publisher.publisher;
    if (publish.properties.has(wire::Property::MessageExpiry)) {
        const std::uint32_t expiry_s = publish.properties.number(wire::Property::MessageExpiry, 0);
        parts.expires_at = now() + std::chrono::seconds(expiry_s);
    }
    journal_touched_ = false;
    const bool waits = publish.qos != Qos::AtMostOnce;
    const MessagePtr message = make_message(parts);
    if (publish.retain) retain(message, waits ? shards_touched : nullptr);
    route(message, waits ? shards_touched : nullptr);
    *journal_touched |= journal_touched_ && waits;
    return wire::Reason::Success;
}

void BrokerShard::publish_inside(const Message::Parts& parts) {
    const MessagePtr message = make_message(parts);
    if (parts.retain) retain(message, nullptr);
    matches_.clear();
    tenant(parts.tenant).tree.match(message->topic(), matches_);
    route(message, nullptr);
}

/// To those in matches_.
void BrokerShard::route(const MessagePtr& message, std::vector<std::uint16_t>* shards_touched) {
    choose_all(message);
    for (const std::uint16_t shard : matches_.shards) {
        cross(shard, {Crossing::Kind::Deliver, message, {}, {}}, shards_touched);
    }
    for (SharedGroup* group : matches_.groups) choose_member(message, *group, shards_touched);
    deliver_chosen(message);
}

/// One delivery a session, however many of its subscriptions match: with the highest QoS and all identifiers
/// [MQTT-3.3.4-2].
void BrokerShard::choose_all(const MessagePtr& message) {
    chosen_.clear();
    ++route_no_;
    for (const Subscriber& subscriber : matches_.subscribers) {
        Session& session = *subscriber.session;
        const SubscriptionOptions& options = subscriber.options;
        if (options.no_local && message->publisher == session.publisher) continue;
        const Qos qos = std::min(message->qos, options.qos);
        if (session.route_no != route_no_) {
            session.route_no = route_no_;
            session.route_slot = chosen_.size();
            chosen_.push_back({&session, {}});
            chosen_.back().delivery.message = message;
            chosen_.back().delivery.qos = qos;
        }
        Delivery& delivery = chosen_[session.route_slot].delivery;
        delivery.qos = std::max(delivery.qos, qos);
        delivery.retain |= options.retain_as_published && message->retain;
        if (options.id != 0) delivery.subscription_ids.push_back(options.id);
    }
}

/// One member of the group over all shards, in turn; those who are connected before those who are not.
void BrokerShard::choose_member(const MessagePtr& message, SharedGroup& group,
                                std::vector<std::uint16_t>* shards_touched) {
    const RemoteMembers here = members_here(group);
    std::uint32_t online = here.online;
    std::uint32_t total = here.total;
    for (const RemoteMembers& remote : group.remote) {
        online += remote.online;
        total += remote.total;
    }
    if (total == 0) return;
    const bool wake = online == 0;  // Nobody is connected: it waits for one.
    std::size_t pick = group.turn++ % (wake ? total : online);
    const std::uint32_t local = wake ? here.total : here.online;
    if (pick < local) return choose_local_member(message, group);
    pick -= local;
    for (const RemoteMembers& remote : group.remote) {
        const std::uint32_t there = wake ? remote.total : remote.online;
        if (pick < there) {
            return cross(remote.shard, {Crossing::Kind::DeliverShared, message, group.name, group.filter},
                         shards_touched);
        }
        pick -= there;
    }
}

void BrokerShard::choose_local_member(const MessagePtr& message, SharedGroup& group) {
    if (group.members.empty()) {
        counters::dropped_no_member.add();  // The last one left while the message was crossing.
        return;
    }
    const std::size_t count = group.members.size();
    const std::size_t first = group.local_turn++ % count;
    const Subscriber* member = &group.members[first];
    for (std::size_t i = 0; i < count; ++i) {
        const Subscriber& candidate = group.members[(first + i) % count];
        if (!candidate.session->connection) continue;
        member = &candidate;
        break;
    }
    Delivery delivery;
    delivery.message = message;
    delivery.qos = std::min(message->qos, member->options.qos);
    delivery.retain = member->options.retain_as_published && message->retain;
    if (member->options.id != 0) delivery.subscription_ids.push_back(member->options.id);
    chosen_.push_back({member->session, std::move(delivery)});
}

std::size_t BrokerShard::retain_home(TenantId tenant_id, std::string_view topic) const {
    return home_shard(tenant_id, topic, context_.all->size()).value();
}

void BrokerShard::retain(const MessagePtr& message, std::vector<std::uint16_t>* shards_touched) {
    apply_retain(message);  // At once, so that the publisher itself finds it.
    if (message->topic().starts_with("$SYS/")) {
        for (std::size_t shard = 0; shard < shard_count(); ++shard) {
            if (shard != index_) cross(shard, {Crossing::Kind::RetainCopy, message, {}, {}}, nullptr);
        }
        return;
    }
    const std::size_t home = retain_home(message->tenant, message->topic());
    if (home == index_) return retain_at_home(message);
    cross(home, {Crossing::Kind::RetainHome, message, {}, {}}, shards_touched);
}

void BrokerShard::apply_retain(const MessagePtr& message) {
    RetainedTree& retained = tenant(message->tenant).retained;
    if (message->payload().empty()) {
        retained.erase(message->topic());
    } else {
        retained.set(message);
    }
}

void BrokerShard::retain_at_home(const MessagePtr& message) {
    if (message->payload().empty()) {
        journal_.write().retained_removed(message->tenant, message->topic());
    } else {
        journal_.write().retained(*message);
    }
    journal_touched_ = true;
    for (std::size_t shard = 0; shard < shard_count(); ++shard) {
        if (shard != index_) cross(shard, {Crossing::Kind::RetainCopy, message, {}, {}}, nullptr);
    }
}

void BrokerShard::cross(std::size_t shard, Crossing crossing, std::vector<std::uint16_t>* shards_touched) {
    ASSERT(shard != index_);
    outboxes_[shard].crossings.push_back(std::move(crossing));
    if (shards_touched && std::ranges::find(*shards_touched, shard) == shards_touched->end()) {
        shards_touched->push_back(static_cast<std::uint16_t>(shard));
    }
    flush_outbox_soon(shard);
}

void BrokerShard::wait_for_shard(std::uint16_t shard, Waiter waiter) {
    outboxes_[shard].waiters.push_back(waiter);
    flush_outbox_soon(shard);
}

void BrokerShard::flush_outbox_soon(std::size_t shard) {
    if (std::exchange(outboxes_[shard].is_due, true)) return;
    shard_.defer([this, shard] { flush_outbox(shard); });
}

void BrokerShard::flush_outbox(std::size_t shard) {
    Outbox& outbox = outboxes_[shard];
    BrokerShard& other = at(shard);
    auto parcel = std::make_unique<Outbox>(std::move(outbox));
    Outbox* const contents = parcel.get();
    outbox = Outbox();
    Task task = [this, &other, held = std::move(parcel)] {
        other.arrived(index_, std::move(held->crossings), std::move(held->waiters));
    };
    if (other.shard_.try_post(task)) return;
    // The other shard is behind. What waits here is bounded by what publishers may have unacknowledged; QoS 0 is not.
    outbox = std::move(*contents);
    const std::size_t before = outbox.crossings.size();
    std::erase_if(outbox.crossings, [](const Crossing& one) {
        return one.kind == Crossing::Kind::Deliver && one.message->qos == Qos::AtMostOnce;
    });
    counters::dropped_busy.add(static_cast<std::int64_t>(before - outbox.crossings.size()));
    outbox.is_due = true;
    outbox_retries_[shard] = shard_.after(5ms, [this, shard] { flush_outbox(shard); });
}

void BrokerShard::arrived(std::size_t from, std::vector<Crossing> crossings, std::vector<Waiter> waiters) {
    journal_touched_ = false;
    for (const Crossing& crossing : crossings) {
        const MessagePtr& message = crossing.message;
        switch (crossing.kind) {
            case Crossing::Kind::RetainCopy: apply_retain(message); break;
            case Crossing::Kind::RetainHome:
                apply_retain(message);
                retain_at_home(message);
                break;
            case Crossing::Kind::Deliver:
                // Matched again: here are the sessions. The other shards and groups were served by the sender.
                matches_.clear();
                tenant(message->tenant).tree.match(message->topic(), matches_);
                choose_all(message);
                deliver_chosen(message);
                break;
            case Crossing::Kind::DeliverShared:
                chosen_.clear();
                if (SharedGroup* group = tenant(message->tenant).tree.find_group(crossing.group, crossing.filter)) {
                    choose_local_member(message, *group);
                } else {
                    counters::dropped_no_member.add();
                }
                deliver_chosen(message);
                break;
        }
    }
    if (waiters.empty()) return;
    BrokerShard& sender = at(from);
    auto answer = [&sender, waiters = std::move(waiters)](const Result<void>& result) mutable {
        sender.shard_.post([&sender, waiters = std::move(waiters), result] {
            for (const Waiter& waiter : waiters) sender.settle(waiter.session_no, waiter.settlement_no, result);
        });
    };
    if (!journal_touched_) return answer(Result<void>());
    journal_.when_durable(std::move(answer));
}

}  // namespace lineshaft::mqtt
