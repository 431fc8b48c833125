// BrokerShard: SUBSCRIBE and UNSUBSCRIBE, and what the other shards are told of them.
//
// A SUBACK leaves when every shard knows of the filter and, for a session that outlives its connection, when the
// subscription is durable: from then on no message passes it by.
#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"

namespace lineshaft::mqtt {

void BrokerShard::subscribe(Session& session, const wire::Subscribe& subscribe) {
    const std::uint64_t pending_no = ++sub_ack_no_last_;
    PendingSubAck& pending = sub_acks_[pending_no];
    pending.session_no = session.no;
    pending.connection_no = session.connection->no();
    pending.packet_id = subscribe.packet_id;
    pending.waiting = 1;  // This function itself.
    const std::uint32_t id = subscribe.properties.number(wire::Property::SubscriptionId, 0);
    for (const wire::Subscription& one : subscribe.subscriptions) {
        pending.reasons.push_back(subscribe_one(session, one, id, pending, pending_no));
    }
    if (session.is_persistent()) {
        ++pending.waiting;
        journal_.when_durable([this, pending_no](const Result<void>& result) { sub_ack_part(pending_no, result); });
    }
    sub_ack_part(pending_no, {});
}

wire::Reason BrokerShard::subscribe_one(Session& session, const wire::Subscription& subscription, std::uint32_t id,
                                        PendingSubAck& pending, std::uint64_t pending_no) {
    const auto shared = wire::parse_shared(subscription.filter);
    if (!shared || !wire::is_valid_filter(shared->filter)) return wire::Reason::TopicFilterInvalid;
    if (!session.identity.may(Access::Subscribe, shared->filter)) {
        counters::refused_acl.add();
        return wire::Reason::NotAuthorized;
    }
    const std::string filter(subscription.filter);
    const bool is_new = !session.subscriptions.contains(filter);
    if (is_new && session.subscriptions.size() >= limits::mqtt_subscriptions_per_session_max) {
        counters::refused_limit.add();
        return wire::Reason::QuotaExceeded;
    }
    const SubscriptionOptions options{subscription.qos, subscription.no_local, subscription.retain_as_published, id};
    session.subscriptions[filter] = options;
    if (is_new) ++subscription_count_;
    add_to_tree(session, filter, options, pending_no);
    if (session.is_journalled && session.is_persistent()) journal_.write().subscribed(session.no, filter, options);
    pending.filters.push_back(filter);
    const bool wants_retained = subscription.retain_handling == 0 || (subscription.retain_handling == 1 && is_new);
    if (shared->group.empty() && wants_retained) pending.retained.push_back({filter, options});
    return static_cast<wire::Reason>(subscription.qos);
}

void BrokerShard::add_to_tree(Session& session, const std::string& filter, const SubscriptionOptions& options,
                              std::uint64_t pending_no) {
    TopicTree& tree = tenant(session.tenant).tree;
    const auto shared = wire::parse_shared(filter);
    if (shared->group.empty()) {
        if (tree.subscribe(filter, session, options) == Change::First) {
            tell_interest(session.tenant, filter, true, pending_no);
        }
        return;
    }
    const SharedGroup& group = tree.join(shared->group, shared->filter, session, options);
    session.shared = count_shared(session);
    tell_members(session.tenant, group.name, group.filter, pending_no);
}

std::uint32_t BrokerShard::count_shared(const Session& session) {
    const auto is_shared = [](const auto& one) { return one.first.starts_with("$share/"); };
    return static_cast<std::uint32_t>(std::ranges::count_if(session.subscriptions, is_shared));
}

void BrokerShard::unsubscribe(Session& session, const wire::Unsubscribe& unsubscribe) {
    std::vector<wire::Reason> reasons;
    for (const std::string_view filter : unsubscribe.filters) {
        const auto at = session.subscriptions.find(filter);
        if (at == session.subscriptions.end()) {
            reasons.push_back(wire::Reason::NoSubscriptionExisted);
            continue;
        }
        drop_subscription(session, at->first);
        reasons.push_back(wire::Reason::Success);
    }
    const std::uint16_t packet_id = unsubscribe.packet_id;
    if (!session.is_persistent()) {
        return session.connection->send_sub_ack(wire::PacketType::UnsubAck, packet_id, std::move(reasons));
    }
    journal_.when_durable([this, no = session.no, connection_no = session.connection->no(), packet_id,
                           reasons = std::move(reasons)](const Result<void>&) mutable {
        Session* found = find(no);
        if (!found || !found->connection || found->connection->no() != connection_no) return;
        found->connection->send_sub_ack(wire::PacketType::UnsubAck, packet_id, std::move(reasons));
    });
}

void BrokerShard::drop_subscription(Session& session, const std::string& filter) {
    const auto node = session.subscriptions.extract(filter);
    if (node.empty()) return;
    --subscription_count_;
    remove_from_tree(session, node.key());
    if (session.is_journalled) journal_.write().unsubscribed(session.no, node.key());
}

void BrokerShard::remove_from_tree(Session& session, const std::string& filter) {
    TopicTree& tree = tenant(session.tenant).tree;
    const auto shared = wire::parse_shared(filter);
    ASSERT(shared);
    if (shared->group.empty()) {
        if (tree.unsubscribe(filter, session) == Change::Last) tell_interest(session.tenant, filter, false, 0);
        return;
    }
    const std::string group(shared->group);
    tree.leave(group, shared->filter, session);
    session.shared = count_shared(session);
    tell_members(session.tenant, group, std::string(shared->filter), 0);
}

void BrokerShard::forget_subscriptions(Session& session) {
    const auto subscriptions = std::exchange(session.subscriptions, {});
    subscription_count_ -= subscriptions.size();
    for (const auto& [filter, options] : subscriptions) remove_from_tree(session, filter);
}

/// Posts a task to every other shard; `make` is told which. With a pending SUBACK, that waits for them all.
void BrokerShard::post_to_others(std::uint64_t pending_no, const std::function<Task(BrokerShard&)>& make) {
    for (const auto& other : *context_.all) {
        if (other.get() == this) continue;
        if (pending_no != 0) ++sub_acks_.at(pending_no).waiting;
        other->shard_.post([this, pending_no, task = make(*other)]() mutable {
            task();
            if (pending_no != 0) shard_.post([this, pending_no] { sub_ack_part(pending_no, {}); });
        });
    }
}

void BrokerShard::tell_interest(TenantId tenant_id, const std::string& filter, bool interested,
                                std::uint64_t pending_no) {
    post_to_others(pending_no, [&](BrokerShard& other) -> Task {
        return [&other, tenant_id, filter, interested, shard = static_cast<std::uint16_t>(index_)] {
            other.tenant(tenant_id).tree.set_remote(filter, shard, interested);
        };
    });
}

RemoteMembers BrokerShard::members_here(const SharedGroup& group) const {
    RemoteMembers members{static_cast<std::uint16_t>(index_), 0, 0};
    members.total = static_cast<std::uint32_t>(group.members.size());
    for (const Subscriber& one : group.members) members.online += one.session->connection ? 1 : 0;
    return members;
}

void BrokerShard::tell_members(TenantId tenant_id, const std::string& group, const std::string& filter,
                               std::uint64_t pending_no) {
    RemoteMembers members{static_cast<std::uint16_t>(index_), 0, 0};
    if (const SharedGroup* found = tenant(tenant_id).tree.find_group(group, filter)) members = members_here(*found);
    post_to_others(pending_no, [&](BrokerShard& other) -> Task {
        return [&other, tenant_id, group, filter, members] {
            other.tenant(tenant_id).tree.set_remote_members(group, filter, members);
        };
    });
}

/// A member has come online or gone offline.
void BrokerShard::tell_all_members(Session& session) {
    for (const auto& [full, options] : session.subscriptions) {
        const auto shared = wire::parse_shared(full);
        if (!shared->group.empty()) {
            tell_members(session.tenant, std::string(shared->group), std::string(shared->filter), 0);
        }
    }
}

void BrokerShard::share_interests() {
    for (const auto& [key, session] : sessions_) {
        for (const auto& [full, options] : session->subscriptions) {
            const auto shared = wire::parse_shared(full);
            for (const auto& other : *context_.all) {
                if (other.get() == this) continue;
                TopicTree& tree = other->tenant(session->tenant).tree;
                if (shared->group.empty()) {
                    tree.set_remote(full, static_cast<std::uint16_t>(index_), true);
                    continue;
                }
                const SharedGroup* group = tenant(session->tenant).tree.find_group(shared->group, shared->filter);
                tree.set_remote_members(shared->group, shared->filter, members_here(*group));
            }
        }
    }
}

void BrokerShard::sub_ack_part(std::uint64_t pending_no, const Result<void>& result) {
    PendingSubAck& pending = sub_acks_.at(pending_no);
    if (!result && !pending.error) pending.error = result.error();
    if (--pending.waiting > 0) return;
    PendingSubAck done = std::move(pending);
    sub_acks_.erase(pending_no);
    Session* session = find(done.session_no);
    if (!session || !session->connection || session->connection->no() != done.connection_no) return;
    if (done.error) {
        // Not durable: the client must not rely on it.
        for (wire::Reason& reason : done.reasons) {
            if (!wire::is_failure(reason)) reason = wire::Reason::Unspecified;
        }
        for (const std::string& filter : done.filters) drop_subscription(*session, filter);
        done.retained.clear();
    }
    session->connection->send_sub_ack(wire::PacketType::SubAck, done.packet_id, std::move(done.reasons));
    for (const auto& wanted : done.retained) send_retained(*session, wanted.filter, wanted.options);
}

void BrokerShard::send_retained(Session& session, const std::string& filter, const SubscriptionOptions& options) {
    std::vector<MessagePtr> found;
    tenant(session.tenant).retained.match(filter, [&](const MessagePtr& message) {
        const bool own = options.no_local && message->publisher == session.publisher;
        if (!own && !message->is_expired(now())) found.push_back(message);
    });
    for (const MessagePtr& message : found) {
        Delivery delivery;
        delivery.message = message;
        delivery.qos = std::min(message->qos, options.qos);
        delivery.retain = true;
        if (options.id != 0) delivery.subscription_ids.push_back(options.id);
        chosen_.clear();
        chosen_.push_back({&session, std::move(delivery)});
        deliver_chosen(message);
    }
}

}  // namespace lineshaft::mqtt
