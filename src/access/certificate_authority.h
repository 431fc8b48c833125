/// Certificates for a house that has none: a local authority and a server certificate, made at first start.
///
/// The authority (EC P-256, ten years) signs only this house's server certificate (397 days, renewed when less than
/// 30 are left or a name is new). Keys never leave the directory, mode 0600.
///
/// Threads: one; blocks. Start-up and worker threads.
/// Errors:  Io, DiskFull, Corrupt (a file that is no certificate or key, or a pair that does not match).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/disk.h"

namespace lineshaft::access {

struct CertificateAuthorityOptions {
    std::string directory;           // DIR/pki: authority.pem, server.pem (key and certificate), authority.crt
    std::vector<std::string> names;  // Host names and addresses besides localhost and the loopback addresses.
};

struct ServerCertificate {
    std::string certificate_pem;  // The server's, then the authority's.
    std::string key_pem;
    std::string authority_pem;       // What clients must trust.
    std::string fingerprint;         // SHA-256 of the server certificate, hex with colons.
    std::vector<std::string> names;  // What it is good for.
    UtcTime expires;
    bool made_now = false;
};

/// Reads what lies in the directory, makes what is missing or about to expire.
Result<ServerCertificate> ensure_server_certificate(Disk& disk, const CertificateAuthorityOptions& options,
                                                    UtcTime now);

/// Host name and the addresses of this machine's interfaces, loopback left out.
std::vector<std::string> local_names();

}  // namespace lineshaft::access
