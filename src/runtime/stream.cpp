#include "runtime/stream.h"

#include <charconv>

#include <fmt/format.h>

namespace lineshaft {
namespace {

/// "127.x.x.x" with four numbers; a host name such as "127.evil.example" is not an address.
bool is_ipv4_loopback(std::string_view host) {
    if (!host.starts_with("127.")) return false;
    int dots = 0;
    for (const char c : host) {
        if (c == '.') {
            ++dots;
        } else if (c < '0' || c > '9') {
            return false;
        }
    }
    return dots == 3;
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
    const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", endpoint.host, is_ipv6 ? "]" : "", endpoint.port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto refuse = [text] {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}' is not an address: write HOST:PORT, [IPV6]:PORT or :PORT", text));
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse();
    std::string_view host = text.substr(0, colon);
    const std::string_view port_text = text.substr(colon + 1);

    if (host.starts_with('[')) {
        if (!host.ends_with(']') || host.size() < 4) return refuse();
        host = host.substr(1, host.size() - 2);
        if (host.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos) return refuse();
    } else if (host.find_first_of(":[] /@\t") != std::string_view::npos) {
        return refuse();
    }
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
    if (error != std::errc() || end != port_text.data() + port_text.size() || port_text.empty()) return refuse();
    return Endpoint{std::string(host), port};
}

bool is_loopback(const Endpoint& endpoint) {
    std::string_view host = endpoint.host;
    if (host.starts_with("::ffff:")) host.remove_prefix(7);  // An IPv4 peer on an IPv6 socket.
    return is_ipv4_loopback(host) || host == "::1" || host == "localhost";
}

}  // namespace lineshaft
