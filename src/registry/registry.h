/// What the plant consists of: tenants, assets, devices, tags, alarm rules; in SQLite, every version kept.
///
/// Flow:    changes come in by post_change and post_discovered, are checked and written on the SQL pool, and go out to
///          every shard as a snapshot that is read without waiting:
///
///            any shard --post_change--> SQL pool: check, audit, commit --> newest snapshot
///                                                                             |  posted to each shard,
///            any shard <--done--------------------------------------------<---'  then the answer
///
///          So whoever gets an answer sees its own change. Discovered tags are written in bulk and shown at most five
///          times a second.
/// Threads: post_… from any shard; snapshot and on_change for the shard they name; the rest says so.
/// Errors:  InvalidArgument, NotFound, Conflict, LimitExceeded; Io, DiskFull, Corrupt, Locked, VersionUnknown, Closed.
/// Limits:  limits::device_name_bytes_max, tag_path_bytes_max, devices_discovered_max, tags_discovered_per_device_max.
/// Formats: docs/formats/registry.md.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "audit/log.h"
#include "registry/change.h"
#include "registry/database.h"
#include "registry/snapshot.h"
#include "runtime/gate.h"
#include "runtime/shard.h"
#include "runtime/worker_pool.h"

namespace lineshaft::registry {

template <class T>
using Done = std::move_only_function<void(Result<T>)>;

/// The file below a data directory.
std::string database_path(const std::string& data_directory);

/// Opens the file and brings its tables up to date; makes tenant 1 in a new one. For programs that use it beside the
/// server; the registry does it by itself. Blocks. Errors: as Database::open.
Result<std::unique_ptr<Database>> open_database(const std::string& path, UtcTime now);

class Writer;
using OnChange = std::function<void(const SnapshotOf<Snapshot>&)>;

/// What one shard knows and whom it tells.
struct View {
    SnapshotOf<Snapshot> snapshot;
    std::map<std::uint64_t, OnChange> listeners;
    std::uint64_t next_listener = 1;
};

class Registry {
public:
    struct Options {
        std::string path;                                 // Of the SQLite file; its directory exists.
        DeviceState discovery = DeviceState::Discovered;  // What newly heard devices are.
        Duration show_discovered_every = 200ms;
    };

    /// Opens or creates the file. `sql_pool` has one thread. Shards, pool and log outlive the registry; `audit_log`
    /// null: changes are not audited (tests, tools). Before the shards start, or with shards that run: on shard 0.
    static Result<std::unique_ptr<Registry>> create(Shards& shards, WorkerPool& sql_pool, audit::Log* audit_log,
                                                    Options options);
    ~Registry();

    /// The newest snapshot that `shard` was told of; never null. Own shard, or before the shards start.
    const SnapshotOf<Snapshot>& snapshot(const Shard& shard) const { return views_[shard.id().value()]->snapshot; }

    /// Ends when it dies. Movable. Own shard.
    class Subscription {
    public:
        Subscription() = default;
        Subscription(Subscription&& other) noexcept { *this = std::move(other); }
        Subscription& operator=(Subscription&& other) noexcept;
        ~Subscription();

    private:
        friend class Registry;
        View* view_ = nullptr;
        std::uint64_t id_ = 0;
    };
    /// Calls `on_change` on `shard` for each new snapshot, none left out, so that its changed_… lists add up.
    [[nodiscard]] Subscription on_change(const Shard& shard, OnChange on_change);

    /// Checks, audits and commits `change` in `tenant`; `done` runs on `caller`, after its snapshot shows the change.
    /// What lies in another tenant is NotFound. When it cannot be audited it is not done.
    void post_change(Shard& caller, TenantId tenant, Change change, Actor actor, Done<Changed> done);

    /// Takes tags met for the first time, and their devices. `done` (may be empty) runs when they are committed. A path
    /// that is taken gets "~2"; an (device, address) that is known already is left as it is.
    void post_discovered(Shard& caller, std::vector<DiscoveredTag> tags, Done<void> done);

    /// Blocks; before the shards start. Errors: Io, DiskFull.
    Result<TagIdRange> reserve_tag_ids(std::uint64_t count);
    void post_reserve_tag_ids(Shard& caller, std::uint64_t count, Done<TagIdRange> done);

    /// All versions of an object, newest first; of deleted ones too.
    void post_history(Shard& caller, TenantId tenant, ObjectKind kind, std::uint64_t id,
                      Done<std::vector<HistoryEntry>> done);
    /// The tag as it was at `at`: the unit and scaling valid when a value was recorded. Errors: NotFound.
    void post_tag_at(Shard& caller, TenantId tenant, TagId id, UtcTime at, Done<Tag> done);

    /// Runs `work(Database&)` on the SQL pool in its own order, then `done` with its result on `caller`. For access.
    template <class Work, class DoneWork>
    void post_sql(Shard& caller, Work work, DoneWork done) {
        sql_pool_.run(caller, [this, work = std::move(work)]() mutable { return work(database()); }, std::move(done));
    }
    /// The same, blocking; before the shards start, and inside pool work.
    Database& database();
    WorkerPool& sql_pool() { return sql_pool_; }
    Shards& shards() { return shards_; }
    audit::Log* audit_log() { return audit_log_; }

    /// Refuses new work; `done` runs on `shard` when what was asked before is on disk and answered.
    void close(Shard& shard, std::move_only_function<void()> done);

private:
    struct Waiting;
    Registry(Shards& shards, WorkerPool& sql_pool, audit::Log* audit_log, Options options,
             std::unique_ptr<Writer> writer);
    void discover_waiting();
    bool discover_some();
    void show_discovered();
    void publish();

    // Set once.
    Shards& shards_;
    WorkerPool& sql_pool_;
    audit::Log* const audit_log_;
    const Options options_;
    std::vector<std::unique_ptr<View>> views_;  // views_[i] is touched by shard i only.
    // Any thread.
    std::unique_ptr<Waiting> waiting_;
    std::atomic<bool> closing_{false};
    // SQL pool only.
    std::unique_ptr<Writer> writer_;
    // Shard 0 only.
    Timer show_discovered_;
    Instant shown_discovered_;
};

}  // namespace lineshaft::registry
