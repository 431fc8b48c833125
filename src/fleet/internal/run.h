/// One query, from its keys to its answer. Ends itself.
///
///   find_keys (query pool, or kept from before) ─► last values, or
///   slices of keys, some at a time:  open on the home shards ─► work_through on the query pool ─► rows in order
///   ─► finish (query pool) ─► done
///
/// Threads: the caller's shard.
#pragma once

#include "fleet/internal/body.h"

namespace lineshaft::fleet {

class Run {
public:
    using Done = std::move_only_function<void(Result<Finished>)>;
    static void start(Engine::Body& engine, Shard& caller, TenantId tenant, Query query, std::optional<Form> form,
                      Done done);

private:
    /// A slice between opening and rows.
    struct Slice {
        std::size_t index = 0;
        std::size_t homes_missing = 0;
        std::vector<Opened> opened;
        std::optional<Error> error;
    };
    struct Wanted {
        std::uint32_t key;
        std::uint32_t source;
        TagId tag;
    };

    Run(Engine::Body& engine, Shard& caller, TenantId tenant, Query query, std::optional<Form> form, Done done);
    void find();
    void found(Result<Keys> keys);
    void begin();
    void ask_last();
    void last_arrived();
    void go_on();
    void open_slice();
    static void open_at(const Plan& plan, store::Historian& home, const std::vector<Wanted>& wanted, Slice& into);
    void opened(Slice* slice);
    void worked(std::size_t index, UnitDone unit);
    void stop(Error why);
    void finish_rows();
    void answer(Result<Finished> result);

    Engine::Body& engine_;
    Shard& caller_;
    const TenantId tenant_;
    const Plan plan_;
    const std::optional<Form> form_;
    Done done_;
    const Instant begun_;
    Timer deadline_;

    SnapshotOf<registry::Snapshot> snapshot_;
    std::string patterns_;
    SnapshotOf<Keys> keys_;
    std::size_t keys_per_slice_ = 1;
    std::size_t next_key_ = 0;
    std::size_t slices_ = 0;
    std::size_t under_way_ = 0;
    std::atomic<bool> cancelled_{false};
    std::optional<Error> error_;
    std::vector<Rows> rows_;  // By slice.
    std::size_t row_count_ = 0;
    UnitDone totals_;

    std::vector<std::vector<double>> last_;  // By source and key.
    std::vector<std::int64_t> last_times_;   // By key.
    std::vector<std::vector<std::int64_t>> last_source_times_;
};

}  // namespace lineshaft::fleet
