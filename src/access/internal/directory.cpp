#include "access/internal/directory.h"

#include <algorithm>

namespace lineshaft::access {

UtcTime expiry_of(const SessionEntry& session) {
    return std::min(session.created + session_age_max, session.used.at() + session_idle_max);
}

bool is_alive(const SessionEntry& session, UtcTime now) { return now < expiry_of(session); }

bool is_alive(const TokenEntry& token, UtcTime now) {
    return token.token.expires.is_none() || now < token.token.expires;
}

Principal principal_of(const User& user) {
    Principal principal;
    principal.tenant = user.tenant;
    principal.kind = Principal::Kind::User;
    principal.user = user.id;
    principal.name = user.name;
    principal.role = user.role;
    return principal;
}

Principal principal_of(const Token& token) {
    Principal principal;
    principal.tenant = token.tenant;
    principal.kind = token.device.empty() ? Principal::Kind::Token : Principal::Kind::Device;
    principal.token = token.id;
    principal.name = token.name;
    principal.role = token.role;
    principal.scopes = token.scopes;
    principal.device = token.device;
    return principal;
}

}  // namespace lineshaft::access
