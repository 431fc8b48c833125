/// Everything the registry does on the SQL pool.
///
/// Threads: SQL pool; create may run elsewhere before it is used.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry/internal/edit.h"
#include "registry/registry.h"

namespace lineshaft::registry {

class Writer {
public:
    /// Opens the file and reads all of it.
    static Result<std::unique_ptr<Writer>> create(const std::string& path, audit::Log* audit_log,
                                                  DeviceState discovery, UtcTime now);

    Result<Changed> change(TenantId tenant, const Change& change, const Actor& actor, UtcTime now);
    /// Takes what it can in one transaction. Errors: LimitExceeded and InvalidArgument when some were not taken.
    Result<void> discover(std::vector<DiscoveredTag> tags, UtcTime now);
    Result<TagIdRange> reserve_tag_ids(std::uint64_t count);
    Result<std::vector<HistoryEntry>> history(TenantId tenant, ObjectKind kind, std::uint64_t id);
    Result<Tag> tag_at(TenantId tenant, TagId id, UtcTime at);

    /// The newest snapshot, if it has not been asked for before; null otherwise.
    SnapshotOf<Snapshot> take_unseen();
    const SnapshotOf<Snapshot>& newest() const { return newest_; }
    Database& database() { return *database_; }

private:
    struct Discovery;
    Writer(std::unique_ptr<Database> database, audit::Log* audit_log, DeviceState discovery)
        : database_(std::move(database)), audit_log_(audit_log), discovery_(discovery) {}
    Result<void> load();
    SnapshotBuilder::Seen seen() const { return seen_ ? SnapshotBuilder::Seen::Yes : SnapshotBuilder::Seen::No; }
    void advance(Edit& edit);
    Result<bool> has_history(ObjectKind kind, std::uint64_t id);
    Result<void> discover_one(Edit& edit, DiscoveredTag& tag, Discovery& so_far);

    std::unique_ptr<Database> database_;
    audit::Log* const audit_log_;
    const DeviceState discovery_;
    SnapshotOf<Snapshot> newest_;
    bool seen_ = false;
    std::size_t devices_discovered_ = 0;  // In the inbox.
};

}  // namespace lineshaft::registry
