#include "app/broker_access.h"

namespace lineshaft::app {
namespace {

using access::Action;
using access::Principal;

bool is_below(std::string_view topic, std::string_view prefix) {
    return topic.starts_with(prefix) && (topic.size() == prefix.size() || topic[prefix.size()] == '/');
}

/// A token that was narrowed to other scopes: the broker's topics are for reading and writing, a scope is for one of them.
bool lacks(const Principal& who, access::Scope scope) {
    return !who.scopes.empty() && !who.scopes.has(access::Scope::Admin) && !who.scopes.has(scope);
}

/// The rights of a principal on topics. $SYS is for those who may read data, and nobody publishes there.
bool may(const Principal& who, bool is_anonymous, mqtt::Access wish, std::string_view topic) {
    if (topic.starts_with("$SYS"))
        return wish != mqtt::Access::Publish && (is_anonymous || allowed(who, Action::ReadData));
    const auto scope = wish == mqtt::Access::Publish ? access::Scope::TelemetryWrite : access::Scope::DataRead;
    if (is_anonymous || (allowed(who, Action::Broker) && !lacks(who, scope))) return true;
    const bool own = is_below(topic, "v1/devices/me") || (!who.device.empty() && is_below(topic, who.device));
    if (wish == mqtt::Access::Publish) return allowed(who, Action::WriteTelemetry) && (own || who.device.empty());
    return own || (who.device.empty() && allowed(who, Action::ReadData));
}

mqtt::Identity identity_of(const Principal& who, bool is_anonymous) {
    mqtt::Identity identity;
    identity.tenant = who.tenant;
    identity.actor = who.actor();
    identity.device = who.device;
    identity.may = [who, is_anonymous](mqtt::Access wish, std::string_view topic) {
        return may(who, is_anonymous, wish, topic);
    };
    return identity;
}

}  // namespace

void BrokerAccess::authenticate(Shard& caller, mqtt::Credentials credentials, Done done) {
    std::string token;
    if (credentials.password)
        token = *credentials.password;
    else if (credentials.user_name)
        token = *credentials.user_name;
    if (!credentials.password && !credentials.user_name) {
        const bool local = credentials.peer.loopback && !credentials.peer.encrypted;
        if (local && policy_.anonymous_on_loopback) return done(identity_of(Principal(), true));
        return done(
            fail(ErrorCode::Unauthenticated, "give a token as the password: `lineshaft token create` makes one"));
    }
    auto& known = known_[caller.id().value()];
    if (auto who = access_.check_token(caller, token)) {
        known[who->token] = *who;
        return done(identity_of(*who, false));
    }
    access_.post_check_token(caller, std::move(token),
                             [&known, done = std::move(done)](Result<Principal> who) mutable {
                                 if (!who) return done(std::unexpected(who.error()));
                                 known[who->token] = *who;
                                 done(identity_of(*who, false));
                             });
}

void BrokerAccess::watch(const Shard& shard, mqtt::Broker& broker) {
    access_.on_change(shard, [this, &shard, &broker] {
        std::erase_if(known_[shard.id().value()], [&](const auto& entry) {
            const access::Principal& who = entry.second;
            if (access_.is_valid(shard, who)) return false;
            // Others of the same name are cut as well; they are let in again.
            broker.post_disconnect(who.tenant, who.actor());
            return true;
        });
    });
}

}  // namespace lineshaft::app
