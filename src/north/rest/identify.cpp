#include <algorithm>

#include "north/rest/rest.h"

namespace lineshaft::rest {
namespace {

constexpr std::string_view session_cookie = "ls_session";

/// RFC 4648; stops at the first character that is none.
std::string from_base64(std::string_view text) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto at = alphabet.find(c);
        if (at == std::string_view::npos) break;
        bits = bits << 6 | static_cast<unsigned>(at);
        count += 6;
        if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
    }
    return out;
}

/// The token of a request: "Authorization: Bearer x", "Token x", Basic (as the password), or the parameters of
/// InfluxDB 1 clients. Empty when there is none.
std::string token_of(const net::HttpRequest& request) {
    const std::string_view header = request.header("authorization");
    for (const std::string_view scheme : {"Bearer ", "Token ", "bearer ", "token "}) {
        if (header.starts_with(scheme)) return std::string(header.substr(scheme.size()));
    }
    if (header.starts_with("Basic ")) {
        const std::string pair = from_base64(header.substr(6));
        const auto colon = pair.find(':');
        return colon == std::string::npos ? pair : pair.substr(colon + 1);
    }
    for (const std::string_view name : {"p", "token"}) {
        if (const auto value = request.parameter(name)) return std::string(*value);
    }
    return {};
}

bool is_change(std::string_view method) { return method != "GET" && method != "HEAD" && method != "OPTIONS"; }

bool same_secret(std::string_view a, std::string_view b) {
    // Compares every byte, so that the time tells nothing about where they differ.
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
}

Result<access::Principal> from_session(Shard& shard, access::Access& access, const net::HttpRequest& request) {
    const std::string_view cookie = request.cookie(session_cookie);
    if (cookie.empty()) return fail(ErrorCode::Unauthenticated, "send a token or sign in");
    auto session = access.check_session(shard, cookie);
    if (!session) return std::unexpected(session.error());
    if (is_change(request.method) && !same_secret(request.header("x-csrf-token"), session->csrf)) {
        return fail(ErrorCode::Forbidden, "the header X-CSRF-Token does not match the session: reload the page");
    }
    return session->principal;
}

}  // namespace

void identify(Shard& shard, access::Access& access, const net::HttpRequest& request, Identified done) {
    std::string token = token_of(request);
    if (token.empty()) return done(from_session(shard, access, request));
    auto principal = access.check_token(shard, token);
    if (principal) return done(std::move(principal));
    access.post_check_token(shard, std::move(token), std::move(done));
}

Result<access::Principal> identify_now(Shard& shard, access::Access& access, const net::HttpRequest& request) {
    const std::string token = token_of(request);
    if (token.empty()) return from_session(shard, access, request);
    return access.check_token(shard, token);
}

}  // namespace lineshaft::rest
