/// X.509 certificates and their keys, without I/O. No OpenSSL type passes this door.
///
/// Threads: any.
/// Errors:  Corrupt (no certificate, no key, or not a pair).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::access {

struct KeyPair {
    std::string certificate_pem;
    std::string key_pem;
};

struct CertificateFacts {
    std::vector<std::string> names;  // DNS names and addresses, sorted.
    UtcTime expires;
    std::string fingerprint;  // SHA-256, hex with colons.
};

/// An authority that may sign server certificates but no further authorities. EC P-256.
Result<KeyPair> make_authority(const std::string& name, UtcTime now, Duration good_for);
/// A server certificate signed by `authority`. Names that are neither DNS names nor addresses are left out.
Result<KeyPair> make_server(const KeyPair& authority, const std::vector<std::string>& names, UtcTime now,
                            UtcTime expires);
/// Of the first certificate. Errors: Corrupt, also when the key is not the certificate's.
Result<CertificateFacts> read_pair(const KeyPair& pair);
bool is_signed_by(const std::string& certificate_pem, const std::string& authority_pem);
/// Fit to stand in a certificate: a DNS name or an address.
bool is_certificate_name(const std::string& name);
/// An address in the form that certificates are read back in; DNS names in small letters.
std::string canonical_name(const std::string& name);

}  // namespace lineshaft::access
