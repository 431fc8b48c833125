/// Who may speak MQTT, as the broker asks it. The application answers from access/.
///
/// Threads: authenticate is called on the shard that accepted the connection; `done` runs there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong.h"
#include "runtime/shard.h"
#include "runtime/stream.h"

namespace lineshaft::mqtt {

/// What a CONNECT says about its sender.
struct Credentials {
    std::string client_id;  // Empty: the broker will assign one.
    std::optional<std::string> user_name;
    std::optional<std::string> password;  // Bytes; a token in most cases.
    Peer peer;
};

enum class Access : std::uint8_t {
    Publish,    // Asked for every message from the client, and for its will.
    Subscribe,  // Asked with the filter ("a/+/#", without $share/<group>/).
    Receive,    // Asked again for every message on its way to the client, so withdrawn rights act at once.
};

/// Whom the credentials belong to.
struct Identity {
    TenantId tenant{1};
    std::string actor;   // "token telegraf", "user anna", "anonymous". A session is never inherited across actors.
    std::string device;  // The device a device credential is bound to; empty for others.
    /// Any thread; called for every message, so it must be quick. Empty: nothing is allowed.
    std::function<bool(Access, std::string_view topic)> may;
};

class Authenticator {
public:
    using Done = std::move_only_function<void(Result<Identity>)>;
    virtual ~Authenticator() = default;
    /// Answers once, later or at once, on `caller`. Errors reach the client as their mqtt reason code
    /// (Unauthenticated, Forbidden, TooManyAttempts, Overloaded, …).
    virtual void authenticate(Shard& caller, Credentials credentials, Done done) = 0;
};

}  // namespace lineshaft::mqtt
