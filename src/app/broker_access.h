/// Who may speak MQTT: the broker's questions answered by access/.
///
/// A token comes as the password with any user name, or as the user name alone (ThingsBoard's habit). Without
/// credentials a client is let in on unencrypted loopback only, when the policy says so; wrong ones are always refused.
///
/// Threads: authenticate on the caller's shard.
#pragma once

#include "access/access.h"
#include "south/mqtt/authenticator.h"

namespace lineshaft::app {

class BrokerAccess final : public mqtt::Authenticator {
public:
    struct Policy {
        bool anonymous_on_loopback = true;
    };
    BrokerAccess(access::Access& access, Policy policy) : access_(access), policy_(policy) {}

    void authenticate(Shard& caller, mqtt::Credentials credentials, Done done) override;

private:
    access::Access& access_;
    const Policy policy_;
};

}  // namespace lineshaft::app
