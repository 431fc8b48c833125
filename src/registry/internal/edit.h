/// One transaction on the plant: rows, their history, the next snapshot and the audit entry, all or nothing.
///
/// Threads: SQL pool.
#pragma once

#include <string>
#include <vector>

#include "audit/log.h"
#include "registry/change.h"
#include "registry/internal/rows.h"
#include "registry/snapshot_builder.h"

namespace lineshaft::registry {

class Edit {
public:
    Edit(Database& database, const Snapshot& before, SnapshotBuilder::Seen seen, TenantId tenant, const Actor& actor,
         UtcTime now)
        : database_(database), builder_(before, seen), tenant_(tenant), actor_(actor), now_(now) {}

    /// The plant with the changes so far.
    const Snapshot& view() const { return builder_.view(); }
    TenantId tenant() const { return tenant_; }
    UtcTime now() const { return now_; }
    Database& database() { return database_; }

    /// Writes a new row, version 1. Returns it with its id. `valid_from` none: now.
    template <class Row>
    Result<Row> create(Row row, UtcTime valid_from = {}) {
        row.version = 1;
        const std::uint64_t id = TRY(insert_row(database_, row));
        row.id = decltype(row.id)(static_cast<decltype(row.id.value())>(id));
        const HistoryNote note{
            .valid_from = valid_from.is_none() ? now_ : valid_from, .recorded = now_, .actor = actor_.name};
        TRY_VOID(insert_history(database_, row, note));
        tell(row, std::string(), to_json(row));
        builder_.put(row);
        return row;
    }

    /// Writes the next version of a row; what is the same as before is left as it is. Returns it with its version.
    template <class Row>
    Result<Row> update(const Row& before, Row row) {
        const std::string was = to_json(before);
        const std::string is = to_json(row);
        if (was == is) return row;
        row.version = before.version + 1;
        TRY_VOID(update_row(database_, row));
        const UtcTime from = TRY(end_history(database_, kind_of(row), row.id.value(), before.version, now_));
        TRY_VOID(insert_history(database_, row, {.valid_from = from, .recorded = now_, .actor = actor_.name}));
        tell(row, was, is);
        builder_.put(row);
        return row;
    }

    template <class Row>
    Result<void> remove(Row row) {  // By value: the builder drops the one it came from.
        TRY_VOID(delete_row(database_, kind_of(row), row.id.value()));
        const UtcTime ended = TRY(end_history(database_, kind_of(row), row.id.value(), row.version, now_));
        tell(row, to_json(row), std::string());
        ++row.version;
        TRY_VOID(insert_history(
            database_, row,
            {.valid_from = ended, .valid_to = ended, .recorded = now_, .actor = actor_.name, .deleted = true}));
        builder_.remove(row.id);
        return {};
    }

    /// Shows a row with another derived field (an asset's path); no new version.
    void show(Asset asset) { builder_.put(std::move(asset)); }

    /// True when nothing was written.
    bool is_empty() const { return told_ == 0; }
    audit::Entry audit_entry(std::string_view action) const;
    SnapshotOf<Snapshot> build() { return builder_.build(); }

private:
    template <class Row>
    void tell(const Row& row, std::string before, std::string after) {
        ++told_;
        last_ = {kind_of(row), row.id.value(), name_of(row), std::move(before), std::move(after)};
        if (items_.size() < items_max) items_.push_back(last_);
    }

    // A bulk change's entry names this many objects and counts the rest; the history has them all.
    static constexpr std::size_t items_max = 200;
    struct Item {
        ObjectKind kind = ObjectKind::Tag;
        std::uint64_t id = 0;
        std::string name;
        std::string before;  // JSON; empty: was not there.
        std::string after;   // JSON; empty: is gone.
    };

    Database& database_;
    SnapshotBuilder builder_;
    const TenantId tenant_;
    const Actor& actor_;
    const UtcTime now_;
    std::vector<Item> items_;
    Item last_;  // What was asked for: what depends on it is written before.
    std::size_t told_ = 0;
};

/// What Changes do. Each checks, then writes through the edit; after an error the edit is thrown away.
Result<Changed> apply(Edit& edit, const CreateTenant& change);
Result<Changed> apply(Edit& edit, const UpdateTenant& change);
Result<Changed> apply(Edit& edit, const CreateAsset& change);
Result<Changed> apply(Edit& edit, const UpdateAsset& change);
Result<Changed> apply(Edit& edit, const DeleteAsset& change);
Result<Changed> apply(Edit& edit, const CreateDevice& change);
Result<Changed> apply(Edit& edit, const UpdateDevice& change);
Result<Changed> apply(Edit& edit, const DeleteDevice& change);
Result<Changed> apply(Edit& edit, const SetDeviceStates& change);
Result<Changed> apply(Edit& edit, const SetDeviceTags& change);
Result<Changed> apply(Edit& edit, const UpdateTag& change);
Result<Changed> apply(Edit& edit, const DeleteTag& change);
Result<Changed> apply(Edit& edit, const CreateRule& change);
Result<Changed> apply(Edit& edit, const UpdateRule& change);
Result<Changed> apply(Edit& edit, const DeleteRule& change);

/// "device.update": for the audit log.
std::string_view action_of(const Change& change);

/// Takes ids from the persisted high-water mark, within the edit's transaction or one of its own.
Result<TagIdRange> take_tag_ids(Database& database, std::uint64_t count);

/// The path of a new tag: device name, slash, address; with "~2", "~3", … when it is taken.
std::string free_path(const Snapshot& view, TenantId tenant, const std::string& device, const std::string& address);

}  // namespace lineshaft::registry
