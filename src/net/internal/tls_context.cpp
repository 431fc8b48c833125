#include "net/internal/tls_context.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/assert.h"

namespace lineshaft::net {
namespace {

using Bio = std::unique_ptr<BIO, OpenSslRelease<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, OpenSslRelease<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslRelease<EVP_PKEY_free>>;

constexpr const char* tls12_suites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* tls13_suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

Bio read_from(const std::string& pem) {
    Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    ASSERT(bio);
    return bio;
}

/// Instead of OpenSSL's own, which would ask on the terminal.
int no_password(char*, int, int, void*) { return -1; }

std::unexpected<Error> refuse(const char* what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", what, openssl_error()));
}

/// Calls `take` for each certificate in `pem`; the count, or -1 when one is broken.
template <class Take>
int each_certificate(const std::string& pem, Take take) {
    const Bio bio = read_from(pem);
    int count = 0;
    for (;; ++count) {
        Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
        if (!certificate) break;
        if (!take(std::move(certificate))) return -1;
    }
    // The loop ends with "no start line" when nothing but text is left; anything else is a broken block.
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return -1;
    ERR_clear_error();
    return count;
}

Result<void> use_identity(SSL_CTX& context, const TlsIdentity& identity) {
    int index = 0;
    const int count = each_certificate(identity.certificate_chain, [&](Certificate certificate) {
        if (index++ == 0) return SSL_CTX_use_certificate(&context, certificate.get()) == 1;
        return SSL_CTX_add1_chain_cert(&context, certificate.get()) == 1;
    });
    if (count < 1) return refuse("the certificate chain is not PEM");
    const Bio bio = read_from(identity.private_key);
    const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
    if (!key) return refuse("the private key is not PEM, or has a password");
    if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1 || SSL_CTX_check_private_key(&context) != 1) {
        return refuse("the private key does not belong to the certificate");
    }
    return {};
}

Result<void> trust(SSL_CTX& context, const std::string& pem) {
    X509_STORE* store = SSL_CTX_get_cert_store(&context);
    const int count = each_certificate(
        pem, [&](Certificate certificate) { return X509_STORE_add_cert(store, certificate.get()) == 1; });
    if (count < 1) return refuse("the trusted certificates are not PEM");
    return {};
}

/// Tells a client that can speak several protocols which one this is; a client that names none is fine too.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1\x04mqtt";
    unsigned char* found = nullptr;
    const int result = SSL_select_next_proto(&found, chosen_size, ours, sizeof ours - 1, offered, offered_size);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Result<SslContext> make_context(const SSL_METHOD* method) {
    ERR_clear_error();
    SslContext context(SSL_CTX_new(method));
    ASSERT(context);
    ASSERT(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
    ASSERT(SSL_CTX_set_cipher_list(context.get(), tls12_suites) == 1);
    ASSERT(SSL_CTX_set_ciphersuites(context.get(), tls13_suites) == 1);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Idle connections then hold no record buffers (about 34 KB each).
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    return context;
}

}  // namespace

Result<SslContext> make_server_context(const TlsIdentity& identity) {
    SslContext context = TRY(make_context(TLS_server_method()));
    TRY_VOID(use_identity(*context, identity));
    SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
    static constexpr unsigned char session_domain[] = "lineshaft";
    ASSERT(SSL_CTX_set_session_id_context(context.get(), session_domain, sizeof session_domain - 1) == 1);
    if (identity.client_ca.empty()) return context;

    TRY_VOID(trust(*context, identity.client_ca));
    each_certificate(identity.client_ca, [&](Certificate certificate) {  // Named to the client, so it can choose.
        return SSL_CTX_add_client_CA(context.get(), certificate.get()) == 1;
    });
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, nullptr);
    return context;
}

Result<SslContext> make_client_context(const TlsIdentity& identity, const std::string& trusted_ca) {
    SslContext context = TRY(make_context(TLS_client_method()));
    if (trusted_ca.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
    } else {
        TRY_VOID(trust(*context, trusted_ca));
    }
    if (!identity.certificate_chain.empty()) TRY_VOID(use_identity(*context, identity));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
}

Result<void> expect_host(SSL& engine, const std::string& host) {
    unsigned char address[sizeof(in6_addr)];
    const bool is_address = ::inet_pton(AF_INET, host.c_str(), address) == 1 ||  //
                            ::inet_pton(AF_INET6, host.c_str(), address) == 1;
    bool ok = false;
    if (is_address) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&engine), host.c_str()) == 1;
    } else {
        SSL_set_hostflags(&engine, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(&engine, host.c_str()) == 1 && SSL_set_tlsext_host_name(&engine, host.c_str()) == 1;
    }
    if (!ok) return refuse("the host name cannot be verified");
    return {};
}

std::string verified_subject(const SSL& engine) {
    const Certificate certificate(SSL_get1_peer_certificate(&engine));
    if (!certificate || SSL_get_verify_result(&engine) != X509_V_OK) return {};
    const Bio bio(BIO_new(BIO_s_mem()));
    ASSERT(bio);
    X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

std::string openssl_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "no reason given";
    const char* reason = ERR_reason_error_string(code);
    return reason ? reason : fmt::format("OpenSSL error {:08x}", code);
}

}  // namespace lineshaft::net
