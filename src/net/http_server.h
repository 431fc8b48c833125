/// HTTP/1.1 and WebSocket, on plain TCP or TLS. Knows framing, limits and timeouts; means nothing.
///
/// Flow:    a request comes whole (body within limits, gzip/zstd left as sent), the answer goes back by `reply`.
/// Threads: one HttpServer per shard; handlers are called on it and reply on it.
/// Errors:  malformed requests, oversized headers or bodies and slow senders are answered and counted here.
/// Limits:  HttpOptions; the defaults are limits::http_*, header time 10 s, idle 75 s.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/stream.h"

namespace lineshaft::net {

struct HttpRequest {
    std::string method;                                      // "GET"
    std::string path;                                        // Percent-decoded, without the query: "/api/v1/values".
    std::vector<std::pair<std::string, std::string>> query;  // Decoded, in order.
    std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
    std::string body;
    Peer peer;

    /// First header or query parameter of that name (lower case); empty view when absent.
    std::string_view header(std::string_view name) const;
    std::optional<std::string_view> parameter(std::string_view name) const;
    /// A cookie by name.
    std::string_view cookie(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    /// Instead of `body` for bytes that live as long as the program (embedded files).
    std::string_view static_body;
    /// Instead of both: pulled piece by piece and sent chunked, as fast as the peer reads; nullopt ends it.
    /// Runs on this shard. An Error cuts the connection, so the peer sees that the answer is not whole.
    std::move_only_function<Result<std::optional<std::string>>()> pieces;
    /// With `pieces`: how many bytes they are together. None: sent chunked. Fewer or more cut the connection.
    std::optional<std::uint64_t> length = std::nullopt;
    /// With `pieces`: an empty piece says that there is none yet. This keeps the task it is given and runs it, on this
    /// shard, when there is one; without it an empty piece is asked for again soon.
    std::move_only_function<void(Task)> when_more = nullptr;
};

/// Called exactly once, then or later, on the server's shard. Safe after the peer or the server is gone. Dropped
/// without a call, it answers 500, so a forgotten request never hangs.
using HttpReply = std::move_only_function<void(HttpResponse)>;

/// One WebSocket after the upgrade, message-wise. Pings, pongs and the close handshake are the server's work.
/// Good from on_open until on_closed; a server that is destroyed destroys its handlers without on_closed.
class WebSocket {
public:
    virtual ~WebSocket() = default;  // Cuts.
    virtual void send_text(std::string message) = 0;
    virtual void send_binary(std::string message) = 0;
    virtual std::size_t unsent_bytes() const = 0;
    virtual void close() = 0;
};

class WebSocketHandler {
public:
    virtual ~WebSocketHandler() = default;
    virtual void on_open(WebSocket& socket) = 0;
    virtual void on_text(std::string_view message) = 0;
    virtual void on_binary(std::string_view message) = 0;
    virtual void on_drained() {}
    /// Last call; the server destroys the handler after it.
    virtual void on_closed() = 0;
};

class HttpHandler {
public:
    virtual ~HttpHandler() = default;
    virtual void handle(HttpRequest request, HttpReply reply) = 0;
    /// For an upgrade to WebSocket: the handler for the new socket, or the refusal.
    virtual std::expected<std::unique_ptr<WebSocketHandler>, HttpResponse> upgrade(const HttpRequest& request) = 0;
    /// For an upgrade with sub-protocol "mqtt" on any path: takes the connection as a byte stream (binary frames);
    /// false refuses.
    virtual bool upgrade_stream(const HttpRequest& request, std::function<void(std::unique_ptr<Stream>)>& accept) = 0;
};

/// Certificates of a server, PEM. Replaced while running without cutting connections.
struct TlsIdentity {
    std::string certificate_chain;
    std::string private_key;
    std::string client_ca;  // Empty: client certificates are not asked for.
};

/// What a server bears. The defaults are for production; tests shorten the times.
struct HttpOptions {
    std::size_t header_bytes_max = limits::http_header_bytes_max;
    std::size_t body_bytes_max = limits::http_body_bytes_max;
    std::size_t connections_max = limits::http_connections_max;  // Per server, so per shard.
    std::size_t connections_per_host_max = 1024;                 // Not for loopback.
    std::size_t websocket_message_bytes_max = limits::websocket_message_bytes_max;
    Duration header_timeout = 10s;  // To the empty line, from a request's first byte; at first, from accepting.
    Duration body_timeout = 20s;    // Within each such span body_progress_bytes_min must come, or the rest.
    std::size_t body_progress_bytes_min = 1024;
    Duration idle_timeout = 75s;   // Between requests.
    Duration write_timeout = 60s;  // Without any byte taken by the peer.
    Duration ping_interval = 30s;  // WebSocket; silence of two intervals ends it.
    Duration close_timeout = 5s;   // WebSocket: for the peer's answer to our close frame.
};

class HttpServer {
public:
    virtual ~HttpServer() = default;  // Cuts every connection.
    virtual Endpoint endpoint() const = 0;
    virtual std::size_t connection_count() const = 0;
    /// New connections see the new certificates; the others go on.
    /// Errors: InvalidArgument (bad PEM; the old ones stay), NotSupported on a plain server.
    virtual Result<void> set_identity(const TlsIdentity& identity) = 0;
    /// Refuses new connections, lets requests in work be answered (at most `within`), closes the others. `done`
    /// runs on this shard when no connection is left.
    virtual void close(Duration within, std::move_only_function<void()> done) = 0;
};

/// Serves `handler` at `at`; it must outlive the server. Without `tls` plain HTTP.
/// Errors: PortTaken, Forbidden, InvalidArgument (bad PEM or address).
Result<std::unique_ptr<HttpServer>> serve_http(Shard& shard, const Endpoint& at, const TlsIdentity* tls,
                                               HttpHandler& handler, const HttpOptions& options = {});

/// The same on any network, for tests and simulation; `network` must outlive the server.
Result<std::unique_ptr<HttpServer>> serve_http(Shard& shard, Network& network, const Endpoint& at,
                                               HttpHandler& handler, const HttpOptions& options = {});

}  // namespace lineshaft::net
