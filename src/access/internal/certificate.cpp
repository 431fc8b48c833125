#include "access/internal/certificate.h"

#include <algorithm>
#include <ctime>
#include <memory>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/assert.h"

namespace lineshaft::access {
namespace {

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

std::unexpected<Error> openssl_failure(ErrorCode code, std::string_view what) {
    char text[256] = "";
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return fail(code, fmt::format("{}: {}", what, text));
}

std::string text_of(BIO* bio) {
    const char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(length));
}

Result<Certificate> certificate_from(const std::string& pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) return openssl_failure(ErrorCode::Corrupt, "not a certificate in PEM");
    return certificate;
}

Result<Key> key_from(const std::string& pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return openssl_failure(ErrorCode::Corrupt, "not a private key in PEM");
    return key;
}

Result<KeyPair> to_pem(X509* certificate, EVP_PKEY* key) {
    const Bio certificate_bio(BIO_new(BIO_s_mem()));
    const Bio key_bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
        PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_failure(ErrorCode::Internal, "writing a certificate");
    }
    return KeyPair{text_of(certificate_bio.get()), text_of(key_bio.get())};
}

void set_time(ASN1_TIME* field, UtcTime time) {
    ASN1_TIME_set(field, static_cast<time_t>(time.ns() / 1'000'000'000));
}

void set_name(X509_NAME* name, const std::string& common) {
    const auto add = [name](const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0);
    };
    add("O", "Lineshaft");
    add("CN", common.substr(0, 64));  // X.520: at most 64 characters.
}

/// 127 random bits: unguessable and positive (RFC 5280, 4.1.2.2).
Result<void> set_random_serial(X509* certificate) {
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return openssl_failure(ErrorCode::Internal, "a serial number");
    bytes[0] &= 0x7F;
    bytes[0] |= 0x01;
    BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
    ASSERT(number);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return {};
}

Result<void> add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
        return openssl_failure(ErrorCode::Internal, "an extension of a certificate");
    }
    return {};
}

struct Unsigned {
    Key key;
    Certificate certificate;
};

Result<Unsigned> begin(const std::string& name, UtcTime from, UtcTime to) {
    Unsigned made{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
    if (!made.key || !made.certificate) return openssl_failure(ErrorCode::Internal, "a key");
    X509* certificate = made.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    TRY_VOID(set_random_serial(certificate));
    set_time(X509_getm_notBefore(certificate), from);
    set_time(X509_getm_notAfter(certificate), to);
    X509_set_pubkey(certificate, made.key.get());
    set_name(X509_get_subject_name(certificate), name);
    return made;
}

bool is_address(const std::string& name) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

std::string address_text(const ASN1_OCTET_STRING* address) {
    char text[INET6_ADDRSTRLEN] = "";
    const int family = address->length == 4 ? AF_INET : AF_INET6;
    if (address->length == 4 || address->length == 16) ::inet_ntop(family, address->data, text, sizeof text);
    return text;
}

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> names;
    const Names list(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
        if (name->type == GEN_DNS) {
            names.emplace_back(reinterpret_cast<const char*>(name->d.dNSName->data),
                               static_cast<std::size_t>(name->d.dNSName->length));
        } else if (name->type == GEN_IPADD) {
            names.push_back(address_text(name->d.iPAddress));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

bool is_certificate_name(const std::string& name) {
    if (is_address(name)) return true;
    if (name.empty() || name.size() > 253 || name.front() == '.' || name.front() == '-') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_';
    });
}

std::string canonical_name(const std::string& name) {
    unsigned char bytes[16];
    char text[INET6_ADDRSTRLEN] = "";
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, name.c_str(), bytes) == 1) return ::inet_ntop(family, bytes, text, sizeof text);
    }
    std::string lower(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return lower;
}

Result<KeyPair> make_authority(const std::string& name, UtcTime now, Duration good_for) {
    auto made = TRY(begin(name, now - 1h, now + good_for));
    X509* certificate = made.certificate.get();
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    TRY_VOID(add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY_VOID(add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TRY_VOID(add_extension(certificate, certificate, NID_subject_key_identifier, "hash"));
    if (X509_sign(certificate, made.key.get(), EVP_sha256()) == 0) {
        return openssl_failure(ErrorCode::Internal, "signing");
    }
    return to_pem(certificate, made.key.get());
}

Result<KeyPair> make_server(const KeyPair& authority, const std::vector<std::string>& names, UtcTime now,
                            UtcTime expires) {
    const auto issuer = TRY(certificate_from(authority.certificate_pem));
    const auto issuer_key = TRY(key_from(authority.key_pem));
    std::string alternatives;
    for (const std::string& name : names) {
        if (!is_certificate_name(name)) continue;
        alternatives +=
            fmt::format("{}{}:{}", alternatives.empty() ? "" : ",", is_address(name) ? "IP" : "DNS", name);
    }
    // An hour back: clocks on a plant differ.
    auto made = TRY(begin(names.empty() ? "localhost" : names.front(), now - 1h, expires));
    X509* certificate = made.certificate.get();
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer.get()));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_key_usage, "critical,digitalSignature"));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_ext_key_usage, "serverAuth"));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_subject_key_identifier, "hash"));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_authority_key_identifier, "keyid:always"));
    TRY_VOID(add_extension(certificate, issuer.get(), NID_subject_alt_name, alternatives));
    if (X509_sign(certificate, issuer_key.get(), EVP_sha256()) == 0) {
        return openssl_failure(ErrorCode::Internal, "signing");
    }
    return to_pem(certificate, made.key.get());
}

Result<CertificateFacts> read_pair(const KeyPair& pair) {
    const auto certificate = TRY(certificate_from(pair.certificate_pem));
    const auto key = TRY(key_from(pair.key_pem));
    if (X509_check_private_key(certificate.get(), key.get()) != 1) {
        return openssl_failure(ErrorCode::Corrupt, "the key is not the certificate's");
    }
    CertificateFacts facts;
    facts.names = names_of(certificate.get());
    std::tm expires{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &expires) != 1) {
        return openssl_failure(ErrorCode::Corrupt, "the certificate's expiry is not readable");
    }
    facts.expires = UtcTime(std::int64_t{::timegm(&expires)} * 1'000'000'000);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    X509_digest(certificate.get(), EVP_sha256(), digest, &length);
    for (unsigned i = 0; i < length; ++i) facts.fingerprint += fmt::format("{}{:02X}", i ? ":" : "", digest[i]);
    return facts;
}

bool is_signed_by(const std::string& certificate_pem, const std::string& authority_pem) {
    const auto certificate = certificate_from(certificate_pem);
    const auto authority = certificate_from(authority_pem);
    if (!certificate || !authority) return false;
    const bool good = X509_verify(certificate->get(), X509_get0_pubkey(authority->get())) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace lineshaft::access
