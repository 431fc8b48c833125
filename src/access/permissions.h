/// Who may do what: one table, no exceptions elsewhere.
///
/// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong.h"

namespace lineshaft::access {

/// On disk. Append only. Each role may do what the ones before it may.
enum class Role : std::uint8_t { Viewer = 1, Operator = 2, Engineer = 3, Administrator = 4 };
std::string_view to_text(Role role);
/// Errors: InvalidArgument (names the four).
Result<Role> role_from_text(std::string_view text);

enum class Action : std::uint8_t {
    ReadData,           // Values, history, live.
    ReadConfiguration,  // Assets, devices, tags, rules, status.
    ReadAlarms,
    AcknowledgeAlarms,
    WriteCommands,  // Set-points to devices.
    EditAssets,
    EditDevices,  // Accept and ignore too.
    EditTags,
    EditRules,
    TestAdapters,    // Connection tests and previews: they make the server open connections.
    ImportData,      // Samples of the past from a file or a script.
    WriteTelemetry,  // Samples of one's own: what devices and collectors do.
    Broker,          // Other MQTT topics than one's own telemetry.
    EditUsers,       // Read too.
    EditTokens,      // Read too.
    ReadAudit,
    ManageBackups,
    EditTenants,
};
inline constexpr std::size_t action_count = static_cast<std::size_t>(Action::EditTenants) + 1;
std::string_view to_text(Action action);

/// Narrows a token to some actions. On disk as bits. Append only.
enum class Scope : std::uint32_t {
    TelemetryWrite = 1u << 0,  // "telemetry:write". Also grants it, whatever the role.
    DataRead = 1u << 1,        // "data:read"
    CommandWrite = 1u << 2,    // "command:write"
    AlarmWrite = 1u << 3,      // "alarm:write"
    ConfigWrite = 1u << 4,     // "config:write"
    Admin = 1u << 5,           // "admin": all that the role may.
};

/// A set of scopes; empty: all that the role may.
class Scopes {
public:
    constexpr Scopes() = default;
    constexpr explicit Scopes(std::uint32_t bits) : bits_(bits) {}
    constexpr void add(Scope scope) { bits_ |= static_cast<std::uint32_t>(scope); }
    constexpr bool has(Scope scope) const { return (bits_ & static_cast<std::uint32_t>(scope)) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr std::uint32_t bits() const { return bits_; }
    friend constexpr bool operator==(Scopes, Scopes) = default;

private:
    std::uint32_t bits_ = 0;
};
/// "data:read telemetry:write".
std::string to_text(Scopes scopes);
/// One scope. Errors: InvalidArgument (names them all).
Result<Scope> scope_from_text(std::string_view text);

bool allowed(Role role, Action action);

/// On whose behalf something is done.
struct Principal {
    enum class Kind : std::uint8_t {
        User,       // A person with a session.
        Token,      // A program.
        Device,     // A device's token: its own telemetry, nothing else.
        Anonymous,  // Unencrypted loopback without credentials, where policy lets it in: as a device.
    };
    TenantId tenant{1};
    Kind kind = Kind::Anonymous;
    UserId user;              // Of a user; none otherwise.
    std::uint64_t token = 0;  // Of a token; 0 otherwise.
    std::string name;         // Of the user or the token.
    Role role = Role::Viewer;
    Scopes scopes;
    std::string device;  // The token may speak for this device only; empty: any.

    /// "user anna", "token telegraf", "device Line3/Filler", "anonymous".
    std::string actor() const;
};

bool allowed(const Principal& principal, Action action);
/// As allowed, with the words. Errors: Forbidden (names the role or scope that would do).
Result<void> check(const Principal& principal, Action action);

}  // namespace lineshaft::access
