#include "registry/internal/schema.h"

#include <fmt/format.h>

#include "registry/internal/rows.h"
#include "registry/registry.h"

namespace lineshaft::registry {
namespace {

// Ids are never given twice (AUTOINCREMENT): the history of a deleted object stays its own. Times are ns since 1970, UTC.
constexpr std::string_view version_1 = R"sql(
CREATE TABLE tenants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER REFERENCES tenants (id),
    name TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE assets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    parent INTEGER REFERENCES assets (id),
    level INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (tenant, parent, name)
) STRICT;
CREATE INDEX assets_parent ON assets (parent);

CREATE TABLE devices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    asset INTEGER REFERENCES assets (id),
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    protocol TEXT NOT NULL,
    settings TEXT NOT NULL,
    state INTEGER NOT NULL,
    first_heard INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;
CREATE INDEX devices_asset ON devices (asset);

CREATE TABLE tags (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    device INTEGER NOT NULL REFERENCES devices (id),
    path TEXT NOT NULL,
    address TEXT NOT NULL,
    type INTEGER NOT NULL,
    unit TEXT NOT NULL,
    description TEXT NOT NULL,
    scale REAL NOT NULL,
    "offset" REAL NOT NULL,
    deadband REAL NOT NULL,
    range_low REAL,
    range_high REAL,
    writable INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (tenant, path),
    UNIQUE (device, address)
) STRICT;

CREATE TABLE rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    tag INTEGER NOT NULL REFERENCES tags (id),
    name TEXT NOT NULL,
    limits TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    consequence TEXT NOT NULL,
    action TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX rules_tag ON rules (tag);

CREATE TABLE history (
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    actor TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (kind, id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counters (name, value) VALUES ('tag_ids', 0);
)sql";

constexpr Migration migrations[] = {{1, version_1}};

}  // namespace

std::span<const Migration> registry_migrations() { return migrations; }

std::string database_path(const std::string& data_directory) { return data_directory + "/registry.db"; }

Result<std::unique_ptr<Database>> open_database(const std::string& path, UtcTime now) {
    auto database = TRY(Database::open(path));
    TRY_VOID(database->migrate(room_name, migrations));
    auto transaction = TRY(database->begin());
    {
        auto count = TRY(database->prepare("SELECT count(*) FROM tenants"));
        const bool found = TRY(count.step());
        if (found && count.integer(0) > 0) return database;
    }
    Tenant first;
    first.id = TenantId(1);
    first.name = "default";
    first.version = 1;
    TRY_VOID(insert_row(*database, first));
    TRY_VOID(insert_history(*database, first, {.valid_from = now, .recorded = now, .actor = "first start"}));
    TRY_VOID(transaction.commit());
    return database;
}

}  // namespace lineshaft::registry
