/// What a server keeps for each connection, and what a connection may ask of its server.
///
/// Threads: own shard only.
#pragma once

#include <memory>

#include "net/http_server.h"

namespace lineshaft::net {

class Session {
public:
    virtual ~Session() = default;
    /// The server closes: finish what is in work, then end.
    virtual void close_soon() = 0;
};

class SessionHost {
public:
    virtual ~SessionHost() = default;
    virtual Shard& shard() = 0;
    virtual const HttpOptions& options() const = 0;
    virtual HttpHandler& handler() = 0;
    /// "Fri, 20 Nov 2026 10:00:00 GMT", made once a second.
    virtual std::string_view date() = 0;
    /// True once the server closes: no connection is kept for a further request.
    virtual bool is_closing() const = 0;
    /// Destroys `session` after the current task.
    virtual void ended(Session& session) = 0;
    /// As ended, with `by` (an upgraded connection) in its place.
    virtual void replaced(Session& session, std::unique_ptr<Session> by) = 0;
};

}  // namespace lineshaft::net
