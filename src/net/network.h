/// The real network: TCP and TLS on Boost.Asio and OpenSSL.
///
/// Threads: one per shard, own shard only.
#pragma once

#include <memory>
#include <string>

#include "net/http_server.h"
#include "runtime/stream.h"

namespace lineshaft::net {

/// Plain TCP, SO_REUSEPORT (so every shard may listen on the same port), TCP_NODELAY.
std::unique_ptr<Network> make_tcp_network(Shard& shard);

/// TLS 1.2/1.3, AEAD suites only. Listening needs `identity`; connecting verifies against `trusted_ca`
/// (PEM; empty: the system's) and the host's name.
Result<std::unique_ptr<Network>> make_tls_network(Shard& shard, const TlsIdentity& identity, std::string trusted_ca);

/// Carries a stream to another shard: bytes read on `from` are posted to `to` and the other way round, bounded by
/// limits::stream_unsent_bytes_max. The result lives on `to`; `done` runs there.
void hand_over(std::unique_ptr<Stream> stream, Shard& from, Shard& to,
               std::move_only_function<void(std::unique_ptr<Stream>)> done);

}  // namespace lineshaft::net
