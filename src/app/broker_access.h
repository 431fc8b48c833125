/// Who may speak MQTT: the broker's questions answered by access/.
///
/// A token comes as the password with any user name, or as the user name alone (ThingsBoard's habit). Without
/// credentials a client is let in on unencrypted loopback only, when the policy says so; wrong ones are always refused.
///
/// Threads: authenticate and watch on the shard they name.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "access/access.h"
#include "south/mqtt/authenticator.h"
#include "south/mqtt/broker.h"

namespace lineshaft::app {

class BrokerAccess final : public mqtt::Authenticator {
public:
    struct Policy {
        bool anonymous_on_loopback = true;
    };
    BrokerAccess(Shards& shards, access::Access& access, Policy policy)
        : access_(access), policy_(policy), known_(shards.count()) {}

    void authenticate(Shard& caller, mqtt::Credentials credentials, Done done) override;

    /// From now on cuts connections whose token was revoked, has expired or lost its rights. On `shard`, once.
    void watch(const Shard& shard, mqtt::Broker& broker);

private:
    access::Access& access_;
    const Policy policy_;
    std::vector<std::map<std::uint64_t, access::Principal>> known_;  // By shard, then token: who was let in.
};

}  // namespace lineshaft::app
