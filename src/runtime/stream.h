/// A connection as protocols see it: bytes in, bytes out, closing. TCP, TLS, WebSocket or simulated.
///
/// Threads: own shard only.
/// Limits:  limits::stream_unsent_bytes_max; a peer that does not read is cut (LimitExceeded) unless the owner
///          watches unsent_bytes() and slows down first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/shard.h"

namespace lineshaft {

/// Where a server listens or a client connects: host and port. "127.0.0.1:1883", "[::1]:8080", ":8443" (all).
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
std::string to_text(const Endpoint& endpoint);
/// Errors: InvalidArgument.
Result<Endpoint> parse_endpoint(std::string_view text);
bool is_loopback(const Endpoint& endpoint);

/// What the other end is.
struct Peer {
    Endpoint address;
    bool loopback = false;
    bool encrypted = false;
    std::string certificate_subject;  // Of a verified client certificate; empty without one.
};

class StreamHandler {
public:
    virtual ~StreamHandler() = default;
    /// Bytes came. They are good during the call only: keep what is not a whole message yet.
    virtual void on_data(ByteView bytes) = 0;
    /// Everything queued has gone out to the system.
    virtual void on_drained() {}
    /// The connection has ended: by the other side, an error, or our close. Last call; the stream may be
    /// destroyed. Errors: Closed (orderly), Unreachable, Timeout, LimitExceeded, Malformed (TLS or WebSocket
    /// framing).
    virtual void on_closed(const Error& why) = 0;
};

class Stream {
public:
    /// Ends the connection at once; the handler hears nothing any more.
    virtual ~Stream() = default;
    /// Begins to deliver to `handler`, which must outlive the stream. A later call replaces the handler (an upgrade);
    /// inside on_data the bytes not yet looked at are the caller's to pass on.
    virtual void start(StreamHandler& handler) = 0;
    /// Queues `bytes` (copied). What is queued during one task goes out in one system call.
    virtual void send(ByteView bytes) = 0;
    virtual std::size_t unsent_bytes() const = 0;
    /// Back-pressure: nothing is read, the peer's window fills.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;
    /// Sends what is queued, then ends; on_closed follows.
    virtual void close() = 0;
    virtual const Peer& peer() const = 0;
};

using OnAccept = std::function<void(std::unique_ptr<Stream>)>;
using OnConnect = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;

class Listener {
public:
    virtual ~Listener() = default;  // Stops listening; accepted streams go on.
    /// With the real port when 0 was asked for.
    virtual Endpoint endpoint() const = 0;
};

/// Makes connections for one shard. The real one is in net/, a simulated one in tests/support.
class Network {
public:
    virtual ~Network() = default;
    /// Each shard may listen on the same endpoint; the system spreads the connections.
    /// Errors: PortTaken, InvalidArgument, Forbidden.
    virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, OnAccept accept) = 0;
    /// `done` runs later on this shard. Errors: Unreachable, Timeout.
    virtual void connect(const Endpoint& to, Duration timeout, OnConnect done) = 0;
};

}  // namespace lineshaft
