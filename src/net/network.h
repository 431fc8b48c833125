/// The real network: TCP and TLS on Boost.Asio and OpenSSL.
///
/// Flow:    a TLS network is a plain one with an engine around each stream, so every protocol runs on both.
/// Threads: one network per shard, own shard only; its streams and listeners may outlive it, not the shard.
/// Errors:  see runtime/stream.h; TLS failures end a connection with Malformed or, connecting, Unreachable.
/// Limits:  NetworkOptions. An idle TCP stream costs about a kilobyte: it has no buffer until bytes wait.
#pragma once

#include <memory>
#include <string>

#include "base/limits.h"
#include "net/http_server.h"
#include "runtime/stream.h"

namespace lineshaft::net {

struct NetworkOptions {
    std::size_t unsent_bytes_max = limits::stream_unsent_bytes_max;
    Duration close_timeout = 5s;        // For what is queued at close().
    Duration handshake_timeout = 10s;   // TLS, accepting.
    std::size_t handshakes_max = 1024;  // Unfinished ones per listener; more are refused.
};

/// Plain TCP, SO_REUSEPORT (so every shard may listen on the same port), TCP_NODELAY.
std::unique_ptr<Network> make_tcp_network(Shard& shard, const NetworkOptions& options = {});

class TlsNetwork : public Network {
public:
    /// For handshakes from now on; streams that are up go on. Errors: InvalidArgument (bad PEM; the old one stays).
    virtual Result<void> set_identity(const TlsIdentity& identity) = 0;
};

/// TLS 1.2/1.3, AEAD suites only. Listening needs `identity`; connecting verifies against `trusted_ca`
/// (PEM; empty: the system's) and the host's name or address. An identity without certificate can only connect.
/// With client_ca a client may show a certificate; a bad one is refused, none is for the door above to judge.
/// Errors: InvalidArgument (bad PEM, key does not fit).
Result<std::unique_ptr<TlsNetwork>> make_tls_network(Shard& shard, const TlsIdentity& identity,
                                                     std::string trusted_ca, const NetworkOptions& options = {});

/// Whether nobody listens at `at`. SO_REUSEPORT would let a second process share the port in silence: ask this once,
/// before the first shard listens. Blocks for microseconds. Errors: PortTaken, Forbidden, InvalidArgument.
Result<void> check_port_free(const Endpoint& at);

/// Carries a stream to another shard: bytes read on `from` are posted to `to` and the other way round, bounded by
/// limits::stream_unsent_bytes_max. The result lives on `to`; `done` runs there.
void hand_over(std::unique_ptr<Stream> stream, Shard& from, Shard& to,
               std::move_only_function<void(std::unique_ptr<Stream>)> done);

}  // namespace lineshaft::net
