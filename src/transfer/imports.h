/// Imports: files of other stores, uploaded in pieces, read here and given to the same road as live data.
///
/// Flow:    create, append (as often as needed, also after a break), start; then the file is unpacked and read on `pool`,
///          its points go as readings to the house's sink, and only what is durable is counted. After a restart a job
///          goes on behind the points that were counted. A dry run reads everything and stores nothing.
/// Threads: the desk lives on `shard`; post_… from any shard, answers there.
/// Errors:  NotFound, Conflict (wrong offset or state), LimitExceeded, DiskFull, Io, InvalidArgument.
/// Limits:  Options; refusals_shown_max and tags_shown_max are shown, all are counted.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flow/reading_sink.h"
#include "runtime/disk.h"
#include "runtime/worker_pool.h"
#include "wire/dump/dump.h"

namespace lineshaft::transfer {

inline constexpr std::size_t refusals_shown_max = 100;
inline constexpr std::size_t tags_shown_max = 1000;

enum class ImportState : std::uint8_t { Uploading, Waiting, Running, Done, Failed };
std::string_view to_text(ImportState state);

struct ImportedTag {
    std::string device, address;
    ValueType type = ValueType::Double;
    std::uint64_t points = 0;
    UtcTime first, last;
};
struct ImportRefusal {
    std::uint64_t line = 0;
    std::string reason;
};

struct Import {
    std::uint64_t id = 0;
    TenantId tenant{1};
    std::string name, by;  // The file's name; who imports.
    ImportState state = ImportState::Uploading;
    std::string error;
    wire::dump::Options options;  // `format` is what was found out once reading has begun.
    bool dry_run = false;
    UtcTime created, finished, expires;
    std::uint64_t bytes = 0;       // Of the whole file as announced; 0: not told.
    std::uint64_t received = 0;    // Uploaded and on disk.
    std::uint64_t read_bytes = 0;  // Of them.
    std::uint64_t points = 0, refused = 0, tag_count = 0;
    UtcTime first, last;
    std::vector<ImportRefusal> refusals;
    std::vector<ImportedTag> tags;  // In order of appearance.
};

class Imports {
public:
    struct Options {
        std::string directory;
        std::uint64_t bytes_max = 10ULL * 1024 * 1024 * 1024;  // Of all uploads together.
        Duration expiry = 7 * 24h;  // Of finished jobs, and of uploads nobody goes on with.
        std::size_t jobs_max = 100;
        std::uint64_t disk_free_min = 512ULL * 1024 * 1024;
        /// Whether the house can be asked for all of these by name. New names take a moment; an import is not done, for a
        /// few seconds at most, before they are there. Empty: nobody asks. On `shard`.
        std::function<bool(TenantId, const std::vector<ImportedTag>&)> are_named;
    };
    template <class T>
    using Done = std::move_only_function<void(T)>;

    /// Takes up what an earlier process left. Blocks: start-up only. `readings` belongs to `shard`.
    static Result<std::unique_ptr<Imports>> create(Disk& disk, WorkerPool& pool, Shard& shard,
                                                   flow::ReadingSink& readings, Options options);
    ~Imports();

    /// Uses name, by, tenant, options and bytes of `wanted`.
    void post_create(Shard& caller, Import wanted, Done<Result<Import>> done);
    /// Appends at `offset`, which must be what was received so far; answers when it is on disk.
    void post_append(Shard& caller, TenantId tenant, std::uint64_t id, std::uint64_t offset, std::string bytes,
                     Done<Result<Import>> done);
    /// Begins, or begins again after a dry run or a failure.
    void post_start(Shard& caller, TenantId tenant, std::uint64_t id, bool dry_run, Done<Result<Import>> done);
    void post_list(Shard& caller, TenantId tenant, Done<std::vector<Import>> done);
    void post_get(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Import>> done);
    /// Cancels what runs, removes the file. What was stored stays stored.
    void post_remove(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Import>> done);
    /// Every refused line as CSV: line,reason.
    void post_refused(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<std::string>> done);
    /// Stops at the next piece; goes on after the next start. `done` on the desk's shard; own shard.
    void close(Task done);

private:
    class Impl;
    explicit Imports(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lineshaft::transfer
