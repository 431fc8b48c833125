#include "access/permissions.h"

#include <array>

#include <fmt/format.h>

namespace lineshaft::access {
namespace {

constexpr std::array<std::string_view, 5> role_texts = {"", "viewer", "operator", "engineer", "administrator"};

/// One row an action: the least role that may do it, and the scopes of which a narrowed token needs one (besides Admin).
struct Rule {
    Action action;
    std::string_view text;
    Role least;
    std::uint32_t scopes;
};

constexpr std::uint32_t bit(Scope scope) { return static_cast<std::uint32_t>(scope); }
constexpr std::uint32_t none = 0;

constexpr std::array<Rule, action_count> rules = {{
    {Action::ReadData, "read data", Role::Viewer, bit(Scope::DataRead)},
    {Action::ReadConfiguration, "read the configuration", Role::Viewer,
     bit(Scope::DataRead) | bit(Scope::ConfigWrite)},
    {Action::ReadAlarms, "read alarms", Role::Viewer, bit(Scope::DataRead) | bit(Scope::AlarmWrite)},
    {Action::AcknowledgeAlarms, "acknowledge alarms", Role::Operator, bit(Scope::AlarmWrite)},
    {Action::WriteCommands, "write to devices", Role::Operator, bit(Scope::CommandWrite)},
    {Action::EditAssets, "edit assets", Role::Engineer, bit(Scope::ConfigWrite)},
    {Action::EditDevices, "edit devices", Role::Engineer, bit(Scope::ConfigWrite)},
    {Action::EditTags, "edit tags", Role::Engineer, bit(Scope::ConfigWrite)},
    {Action::EditRules, "edit alarm rules", Role::Engineer, bit(Scope::ConfigWrite)},
    {Action::TestAdapters, "test adapters", Role::Engineer, bit(Scope::ConfigWrite)},
    {Action::ImportData, "import data", Role::Engineer, bit(Scope::TelemetryWrite)},
    {Action::WriteTelemetry, "write telemetry", Role::Engineer, bit(Scope::TelemetryWrite)},
    {Action::Broker, "use the broker's other topics", Role::Operator,
     bit(Scope::TelemetryWrite) | bit(Scope::DataRead)},
    {Action::EditUsers, "edit users", Role::Administrator, none},
    {Action::EditTokens, "edit tokens", Role::Administrator, none},
    {Action::ReadAudit, "read the audit log", Role::Administrator, none},
    {Action::ManageBackups, "see and take backups", Role::Administrator, none},
    {Action::EditTenants, "edit tenants", Role::Administrator, none},
}};

constexpr bool rows_stand_in_order() {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (static_cast<std::size_t>(rules[i].action) != i) return false;
    }
    return true;
}
static_assert(rows_stand_in_order());

const Rule& rule_of(Action action) { return rules[static_cast<std::size_t>(action)]; }

struct ScopeText {
    Scope scope;
    std::string_view text;
};
constexpr std::array<ScopeText, 6> scope_texts = {{{Scope::TelemetryWrite, "telemetry:write"},
                                                   {Scope::DataRead, "data:read"},
                                                   {Scope::CommandWrite, "command:write"},
                                                   {Scope::AlarmWrite, "alarm:write"},
                                                   {Scope::ConfigWrite, "config:write"},
                                                   {Scope::Admin, "admin"}}};

bool scopes_allow(Scopes scopes, Action action) {
    return scopes.empty() || scopes.has(Scope::Admin) || (scopes.bits() & rule_of(action).scopes) != 0;
}

}  // namespace

std::string_view to_text(Role role) { return role_texts[static_cast<std::size_t>(role)]; }

Result<Role> role_from_text(std::string_view text) {
    for (std::size_t i = 1; i < role_texts.size(); ++i) {
        if (text == role_texts[i]) return static_cast<Role>(i);
    }
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' is no role: use administrator, engineer, operator or viewer", text));
}

std::string_view to_text(Action action) { return rule_of(action).text; }

std::string to_text(Scopes scopes) {
    std::string text;
    for (const ScopeText& one : scope_texts) {
        if (!scopes.has(one.scope)) continue;
        if (!text.empty()) text += ' ';
        text += one.text;
    }
    return text;
}

Result<Scope> scope_from_text(std::string_view text) {
    std::string known;
    for (const ScopeText& one : scope_texts) {
        if (text == one.text) return one.scope;
        if (!known.empty()) known += ", ";
        known += one.text;
    }
    return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no scope: use {}", text, known));
}

bool allowed(Role role, Action action) { return role >= rule_of(action).least; }

std::string Principal::actor() const {
    switch (kind) {
        case Kind::User: return "user " + name;
        case Kind::Token: return "token " + name;
        case Kind::Device: return "device " + (device.empty() ? name : device);
        case Kind::Anonymous: break;
    }
    return "anonymous";
}

bool allowed(const Principal& principal, Action action) {
    switch (principal.kind) {
        case Principal::Kind::Anonymous: return action == Action::WriteTelemetry || action == Action::Broker;
        case Principal::Kind::Device: return action == Action::WriteTelemetry;
        case Principal::Kind::User:
        case Principal::Kind::Token: break;
    }
    // The one scope that gives: a collector needs no role to write what it collects.
    if (action == Action::WriteTelemetry && principal.scopes.has(Scope::TelemetryWrite)) return true;
    return allowed(principal.role, action) && scopes_allow(principal.scopes, action);
}

Result<void> check(const Principal& principal, Action action) {
    if (allowed(principal, action)) return {};
    const Rule& rule = rule_of(action);
    if (principal.kind == Principal::Kind::Device || principal.kind == Principal::Kind::Anonymous) {
        return fail(ErrorCode::Forbidden,
                    fmt::format("{} may not {}: use an API token", principal.actor(), rule.text));
    }
    if (!allowed(principal.role, action)) {
        return fail(ErrorCode::Forbidden, fmt::format("{} has the role {}; to {} takes {}", principal.actor(),
                                                      to_text(principal.role), rule.text, to_text(rule.least)));
    }
    const std::string scopes = rule.scopes == none ? "admin" : to_text(Scopes(rule.scopes));
    return fail(ErrorCode::Forbidden,
                fmt::format("{} lacks the scope to {}: one of {}", principal.actor(), rule.text, scopes));
}

}  // namespace lineshaft::access
