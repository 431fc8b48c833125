/// Rows of the registry's tables: to and from the values of a snapshot, and as JSON for history and audit.
///
/// Threads: SQL pool.
#pragma once

#include <string>
#include <vector>

#include "registry/change.h"
#include "registry/database.h"

namespace lineshaft::registry {

constexpr ObjectKind kind_of(const Tenant&) { return ObjectKind::Tenant; }
constexpr ObjectKind kind_of(const Asset&) { return ObjectKind::Asset; }
constexpr ObjectKind kind_of(const Device&) { return ObjectKind::Device; }
constexpr ObjectKind kind_of(const Tag&) { return ObjectKind::Tag; }
constexpr ObjectKind kind_of(const AlarmRule&) { return ObjectKind::Rule; }

inline TenantId tenant_of(const Tenant& row) { return row.id; }
template <class Row>
TenantId tenant_of(const Row& row) {
    return row.tenant;
}

/// What people call it: name or path.
inline const std::string& name_of(const Tenant& row) { return row.name; }
inline const std::string& name_of(const Asset& row) { return row.path; }
inline const std::string& name_of(const Device& row) { return row.name; }
inline const std::string& name_of(const Tag& row) { return row.path; }
inline const std::string& name_of(const AlarmRule& row) { return row.name; }

/// With the row's id; a none id lets the database choose. Returns the id.
Result<std::uint64_t> insert_row(Database& database, const Tenant& row);
Result<std::uint64_t> insert_row(Database& database, const Asset& row);
Result<std::uint64_t> insert_row(Database& database, const Device& row);
Result<std::uint64_t> insert_row(Database& database, const Tag& row);
Result<std::uint64_t> insert_row(Database& database, const AlarmRule& row);

Result<void> update_row(Database& database, const Tenant& row);
Result<void> update_row(Database& database, const Asset& row);
Result<void> update_row(Database& database, const Device& row);
Result<void> update_row(Database& database, const Tag& row);
Result<void> update_row(Database& database, const AlarmRule& row);

Result<void> delete_row(Database& database, ObjectKind kind, std::uint64_t id);

/// All of them, by id. Asset paths are empty: they follow from the parents.
Result<std::vector<Tenant>> read_tenants(Database& database);
Result<std::vector<Asset>> read_assets(Database& database);
Result<std::vector<Device>> read_devices(Database& database);
Result<std::vector<Tag>> read_tags(Database& database);
Result<std::vector<AlarmRule>> read_rules(Database& database);

std::string to_json(const Tenant& row);
std::string to_json(const Asset& row);
std::string to_json(const Device& row);
std::string to_json(const Tag& row);
std::string to_json(const AlarmRule& row);
/// Errors: Corrupt.
Result<Tag> tag_from_json(const std::string& json);

struct HistoryNote {
    UtcTime valid_from;
    UtcTime valid_to = utc_time_max;
    UtcTime recorded;
    std::string_view actor;
    bool deleted = false;
};
Result<void> insert_history_row(Database& database, ObjectKind kind, std::uint64_t id, std::uint64_t version,
                                TenantId tenant, const std::string& json, const HistoryNote& note);
template <class Row>
Result<void> insert_history(Database& database, const Row& row, const HistoryNote& note) {
    return insert_history_row(database, kind_of(row), row.id.value(), row.version, tenant_of(row), to_json(row),
                              note);
}
/// Ends the version that is valid; returns when: `now`, or later if that would be before its beginning.
Result<UtcTime> end_history(Database& database, ObjectKind kind, std::uint64_t id, std::uint64_t version,
                            UtcTime now);

}  // namespace lineshaft::registry
