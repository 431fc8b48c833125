/// Certificates and rules of TLS, as OpenSSL keeps them.
///
/// Rules: TLS 1.2 and 1.3, forward secrecy and AEAD only, no compression, no renegotiation.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "net/http_server.h"

namespace lineshaft::net {

template <auto release>
struct OpenSslRelease {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};
using SslContext = std::unique_ptr<SSL_CTX, OpenSslRelease<SSL_CTX_free>>;
using SslEngine = std::unique_ptr<SSL, OpenSslRelease<SSL_free>>;

/// For accepting. Errors: InvalidArgument (bad PEM, key does not fit).
Result<SslContext> make_server_context(const TlsIdentity& identity);

/// For connecting; shows `identity` to servers that ask. Errors: InvalidArgument.
Result<SslContext> make_client_context(const TlsIdentity& identity, const std::string& trusted_ca);

/// Prepares `engine` to connect to `host`: its name goes out (SNI) and must be in the certificate. Errors: InvalidArgument.
Result<void> expect_host(SSL& engine, const std::string& host);

/// "CN=press-7,O=Plant" of the verified peer's certificate; empty without one.
std::string verified_subject(const SSL& engine);

/// The oldest error OpenSSL keeps for this thread, in words; forgets the others.
std::string openssl_error();

}  // namespace lineshaft::net
