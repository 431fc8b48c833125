/// All shards' historians behind calls that any shard may make; the answer comes back on the caller's shard.
///
/// Flow:    caller --post--> home shard of the tag: Historian --post--> caller.
/// Threads: any shard, except create and close: see there.
/// Errors:  as Historian; Closed after close.
#pragma once

#include <memory>
#include <vector>

#include "store/historian.h"

namespace lineshaft::store {

class Historians {
public:
    template <class T>
    using Done = std::move_only_function<void(T)>;

    /// One historian per shard in `options.path`/shard-<n>, opened side by side on `log_pool`, so this is not for one
    /// of its threads. Start-up, before the shards run. Errors: as Historian::create; of several the lowest shard's.
    static Result<std::unique_ptr<Historians>> create(Shards& shards, Disk& disk, WorkerPool& log_pool,
                                                      WorkerPool& disk_pool, const Options& options);
    ~Historians();

    /// For code that lives on shard `home` itself.
    Historian& at(ShardId home);

    /// Scans, reductions and points are read on `pool` from now on, so that home shards stay quick; without one, on the
    /// home shard. Start-up, before the shards run; the pool outlives them.
    void read_on(WorkerPool& pool) { read_pool_ = &pool; }

    void post_last(Shard& caller, ShardId home, std::vector<TagId> tags,
                   Done<std::vector<std::optional<LastValue>>> done);
    /// At most `limit` samples; go on after the last one while `more` is set.
    void post_scan(Shard& caller, ShardId home, TagId tag, UtcTime from, UtcTime to, std::size_t limit,
                   Done<Result<Chunk>> done);
    void post_scan(Shard& caller, ShardId home, Query query, std::size_t limit, Done<Result<Chunk>> done);
    void post_reduce(Shard& caller, ShardId home, Query query, Done<Result<Reduction>> done);
    void post_reduce(Shard& caller, ShardId home, TagId tag, UtcTime from, UtcTime to, Duration resolution,
                     Done<Result<Reduction>> done);
    void post_points(Shard& caller, ShardId home, PointQuery query, Done<Result<std::vector<Point>>> done);
    /// Of all shards together.
    void post_stats(Shard& caller, Done<Stats> done);
    void post_series(Shard& caller, Done<std::vector<Series>> done);
    void post_flush(Shard& caller, Done<Result<void>> done);
    /// Every shard's, by shard. Errors: the first one.
    void post_pin(Shard& caller, Done<Result<std::vector<Pinned>>> done);

    void post_storage(Shard& caller, Done<StorageReport> done);
    void post_set_retention(std::vector<RetentionRule> rules);
    void post_preview_retention(Shard& caller, std::vector<RetentionRule> rules,
                                Done<std::vector<RetentionEffect>> done);
    void post_erase(Shard& caller, ShardId home, std::vector<TagId> tags, UtcTime from, UtcTime to,
                    Done<Result<Erased>> done);
    void post_correct(Shard& caller, ShardId home, TagId tag, Chunk rows, std::string source,
                      Done<Result<Corrected>> done);

    /// Closes every historian; `done` runs on `caller` when all have.
    void close(Shard& caller, Task done);

private:
    explicit Historians(Shards& shards) : shards_(shards) {}
    template <class Work, class Read, class T>
    void read_elsewhere(Shard& caller, Work work, Read read, Done<Result<T>> done);
    Shards& shards_;
    std::vector<std::unique_ptr<Historian>> homes_;
    WorkerPool* read_pool_ = nullptr;
};

}  // namespace lineshaft::store
