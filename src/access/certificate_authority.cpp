#include "access/certificate_authority.h"

#include <algorithm>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include "access/internal/certificate.h"
#include "base/log.h"

namespace lineshaft::access {
namespace {

constexpr Duration day = 24h;
constexpr Duration authority_good_for = 3653 * day;
constexpr Duration server_good_for = 397 * day;  // Browsers take no more.
constexpr Duration renewed_before = 30 * day;
constexpr std::size_t names_max = 64;

/// Key and certificate lie in one file, so that a renewal cut short leaves the old pair or the new one.
Result<std::optional<KeyPair>> read_file(Disk& disk, const std::string& path) {
    if (!disk.exists(path)) return std::optional<KeyPair>();
    const std::string whole(as_text(TRY(disk.read(path))));
    const std::size_t certificate = whole.find("-----BEGIN CERTIFICATE-----");
    if (certificate == std::string::npos) {
        return fail(ErrorCode::Corrupt,
                    fmt::format("{} holds no certificate: remove it to have a new one made", path));
    }
    return std::optional<KeyPair>(KeyPair{whole.substr(certificate), whole.substr(0, certificate)});
}

Result<void> write_file(Disk& disk, const std::string& path, const KeyPair& pair) {
    return disk.replace(path, as_bytes(pair.key_pem + pair.certificate_pem));
}

Result<CertificateFacts> facts_of(const KeyPair& pair, const std::string& path) {
    auto facts = read_pair(pair);
    if (facts) return facts;
    return fail(facts.error().code(),
                fmt::format("{}: {}; remove it to have a new one made", path, facts.error().detail()));
}

struct Authority {
    KeyPair pair;
    UtcTime expires;
};

Result<Authority> ensure_authority(Disk& disk, const std::string& directory, const std::string& host, UtcTime now) {
    const std::string path = directory + "/authority.pem";
    auto pair = TRY(read_file(disk, path));
    if (pair) {
        const auto facts = TRY(facts_of(*pair, path));
        if (facts.expires - now >= renewed_before) return Authority{std::move(*pair), facts.expires};
        log_warning("the local certificate authority ends at {}: a new one is made, which clients must trust anew",
                    to_rfc3339(facts.expires));
    }
    KeyPair made = TRY(make_authority(fmt::format("Lineshaft at {}", host), now, authority_good_for));
    TRY_VOID(write_file(disk, path, made));
    // The part that clients are given.
    TRY_VOID(disk.replace(directory + "/authority.crt", as_bytes(made.certificate_pem)));
    return Authority{std::move(made), now + authority_good_for};
}

std::vector<std::string> wanted_names(const std::vector<std::string>& more) {
    std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
    for (const std::string& name : more) {
        const std::string canonical = canonical_name(name);
        if (names.size() >= names_max || !is_certificate_name(canonical)) continue;
        if (std::find(names.begin(), names.end(), canonical) == names.end()) names.push_back(canonical);
    }
    return names;
}

bool is_good(const KeyPair& pair, const CertificateFacts& facts, const Authority& authority,
             const std::vector<std::string>& names, UtcTime now) {
    if (facts.expires - now < renewed_before) return false;
    for (const std::string& name : names) {
        if (std::find(facts.names.begin(), facts.names.end(), name) == facts.names.end()) return false;
    }
    return is_signed_by(pair.certificate_pem, authority.pair.certificate_pem);
}

}  // namespace

Result<ServerCertificate> ensure_server_certificate(Disk& disk, const CertificateAuthorityOptions& options,
                                                    UtcTime now) {
    TRY_VOID(disk.make_directory(options.directory));
    const auto names = wanted_names(options.names);
    const std::string& host = names.size() > 3 ? names[3] : names[0];
    const auto authority = TRY(ensure_authority(disk, options.directory, host, now));
    const std::string path = options.directory + "/server.pem";
    auto found = TRY(read_file(disk, path));
    ServerCertificate result;
    CertificateFacts facts;
    KeyPair server;
    if (found) {
        facts = TRY(facts_of(*found, path));
        server = std::move(*found);
    }
    if (!found || !is_good(server, facts, authority, names, now)) {
        server = TRY(make_server(authority.pair, names, now, std::min(now + server_good_for, authority.expires)));
        TRY_VOID(write_file(disk, path, server));
        facts = TRY(read_pair(server));
        result.made_now = true;
    }
    result.certificate_pem = server.certificate_pem + authority.pair.certificate_pem;
    result.key_pem = server.key_pem;
    result.authority_pem = authority.pair.certificate_pem;
    result.fingerprint = facts.fingerprint;
    result.names = facts.names;
    result.expires = facts.expires;
    return result;
}

std::vector<std::string> local_names() {
    std::vector<std::string> names;
    char host[256] = "";
    if (::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') names.emplace_back(host);
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return names;
    for (const ifaddrs* one = list; one; one = one->ifa_next) {
        if (!one->ifa_addr || (one->ifa_flags & IFF_LOOPBACK) || !(one->ifa_flags & IFF_UP)) continue;
        char text[INET6_ADDRSTRLEN] = "";
        if (one->ifa_addr->sa_family == AF_INET) {
            ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
            // A link-local address is nothing without the interface, which a certificate cannot name.
            if (!IN6_IS_ADDR_LINKLOCAL(&address)) ::inet_ntop(AF_INET6, &address, text, sizeof text);
        }
        if (text[0] != '\0') names.emplace_back(text);
    }
    ::freeifaddrs(list);
    return names;
}

}  // namespace lineshaft::access
