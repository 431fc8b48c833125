/// The historian within: ties log, table, segments and their jobs together. See store/historian.h.
///
///   offer ─► tail of the log, active table
///   table full, old, or flush(): active ─► frozen, log rolled ─► write_table on the disk pool
///             ─► edit {+ segments, - frozen, log files} ─► a record of the manifest ─► visible ─► files removed
///   tidying.h picks a job ─► rewritten on the disk pool ─► edit {+ m, - n} ─► …
///   too old or too many bytes ─► edit {- n}
///   erase: masked at once, in the log; edit {+ erasure}; gone from the files with a job that is picked at once
///
/// Edits are made one after another; a failed one is tried again. Readers see the state before or after an edit.
#pragma once

#include <atomic>
#include <deque>
#include <set>

#include "store/historian.h"
#include "store/internal/catalog.h"
#include "store/internal/edit_log.h"
#include "store/internal/ledger.h"
#include "store/internal/log.h"
#include "store/internal/merge.h"
#include "store/internal/replay.h"
#include "store/internal/sources.h"
#include "store/internal/tidying.h"
#include "store/internal/writers.h"

namespace lineshaft::store {

class Historian::Body {
public:
    Body(Shard& shard, Disk& disk, WorkerPool& log_pool, WorkerPool& disk_pool, Options options);

    // opening.cpp
    Result<void> open();

    // body.cpp
    void register_series(TagId tag, const SeriesInfo& info);
    SourceId source_id(std::string_view name);
    std::uint64_t last_sequence(SourceId source) const { return catalog_.last_sequence(source); }
    bool is_ready() const;
    void offer(const Batch& batch);
    void when_durable(flow::Settled settled) { log_->when_durable(std::move(settled)); }
    void when_ready(Task task);
    void flush(flow::Settled done);
    void close(Task done);
    Ledger& ledger() { return *ledger_; }
    WorkerPool& disk_pool() { return disk_pool_; }
    Shard& shard() { return shard_; }
    bool is_closed() const { return closed_; }

    // erasing.cpp
    /// `erased`: what `done` tells.
    void erase(std::vector<TagId> tags, UtcTime from, UtcTime to, Erased erased,
               std::move_only_function<void(Result<Erased>)> done);
    void correct(TagId tag, const Chunk& rows, SourceId source, Corrected corrected,
                 std::move_only_function<void(Result<Corrected>)> done);
    bool has_series(TagId tag) { return catalog_.find_series(tag) != nullptr; }

    // jobs.cpp
    void set_retention(std::vector<RetentionRule> rules);
    void preview_retention(std::vector<RetentionRule> rules,
                           std::move_only_function<void(std::vector<RetentionEffect>)> done);

    // storage.cpp
    StorageReport storage() const;

    // pinning.cpp
    void pin(std::move_only_function<void(Result<Pinned>)> done);

    // reading.cpp
    std::optional<LastValue> last(TagId tag);
    Result<Sources> sources(const Query& query, Bounds bounds);
    std::vector<Series> series() const { return catalog_.series(); }
    Stats stats() const;

private:
    using Segments = std::vector<SnapshotOf<Segment>>;

    struct Edit {
        Segments added;
        std::set<std::string> removed;
        std::vector<SourceMeta> sources;  // For a flush.
        std::uint64_t log_number_min = 0;
        bool is_flush = false;
        bool is_compaction = false;
        bool set_aside = false;  // Removed segments hold damage: they are renamed, not removed.
        std::vector<Erasure> erasures;
        std::vector<std::uint64_t> erasures_done;
        std::vector<Damage> damage;
        std::optional<HourUse> hour;
    };
    template <class T>
    struct Written {
        Result<T> outcome;
        Segments segments;
    };

    // opening.cpp
    struct Known {
        Manifest manifest;
        bool lost = false;  // Changes behind it are: later segments than it knows of are taken in as they are.
    };
    Result<Known> load_manifest(const std::vector<std::string>& names);
    Result<void> open_segments(Known& known, const std::vector<std::string>& names);
    Result<void> load_catalog();
    Result<void> open_ledger(const std::vector<std::string>& names);
    Result<void> replay_log(const Manifest& manifest, const std::vector<std::string>& names);
    Result<void> flush_at_start(std::uint64_t log_number);
    void set_aside(const std::string& name, const std::string& why);
    /// Applies an edit at once, blocking: at start only.
    Result<void> edit_at_start(const Edit& edit);

    // body.cpp
    void take_rows(const Batch& batch);
    void note_feeds(const Batch& batch);
    void take_row(SeriesState& state, const Batch& batch, std::size_t row, UtcTime receive);
    void enter_table(SeriesState& state);
    void check_table();
    void freeze();
    void start_flush();
    void note_flush(Edit edit);
    void flushed(Written<std::vector<SegmentMeta>> written);
    void settle_flushes(std::uint64_t order, const Result<void>& outcome);
    void changed();
    void tick();
    void maybe_close();
    UtcTime newest_segment_time() const;

    // edits.cpp
    struct Writing {
        Bytes manifest;
        std::vector<CatalogEntry> names;
        bool whole_manifest = false;
        bool whole_catalog = false;
    };
    Manifest manifest_after(const Edit& edit) const;
    ManifestChange change_of(const Edit& edit) const;
    static Segments segments_after(const Segments& before, const Edit& edit);
    Writing writing_of(const Edit& edit);
    static Result<void> write_edit(EditLog& manifest, EditLog& catalog, const Writing& writing);
    void note_name(SeriesState& state);
    void take_state(const Edit& edit);
    void start_edit();
    void edited(Result<void> outcome);
    void clean(const Edit& edit);

    // erasing.cpp
    struct EraseWaiter {
        std::vector<TagId> tags;
        UtcTime from;
        UtcTime last;
        Erased erased;
        std::move_only_function<void(Result<Erased>)> done;
    };
    void start_erase();
    bool is_in_active(const std::vector<TagId>& tags, UtcTime from, UtcTime last);
    Erasure take_erasure(std::vector<TagId> tags, UtcTime from, UtcTime last);
    Result<void> erase_at_start(ByteView record, std::uint64_t log_number);

    // storage.cpp
    void note_hour(Edit& edit) const;
    void note_rate();
    double samples_per_second() const;

    // jobs.cpp
    UtcTime retention_now() const;
    UtcTime tidy_now() const;
    std::vector<RetentionRule> rules_with_default(std::vector<RetentionRule> rules) const;
    void start_sweep();
    TidyFacts tidy_facts() const;
    std::vector<SegmentMeta> metas() const;
    void finish_erasures();
    void look_for_cold();
    void take_in_absent();
    void retain();
    void start_compaction();
    void compacted(Written<Compacted> written, const Segments& sources);

    // pinning.cpp
    void start_pin();

    // reading.cpp
    void look_up_last(SeriesState& state);
    void take_last_of(SeriesState& state, const Chunk& rows, std::size_t row);

    // Set once.
    Shard& shard_;
    Disk& disk_;
    WorkerPool& log_pool_;
    WorkerPool& disk_pool_;
    const Options options_;
    std::unique_ptr<DiskLock> lock_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Ledger> ledger_;
    // Of the edit that runs, on the disk pool; between edits the shard's.
    EditLog manifest_log_;
    EditLog catalog_log_;

    // What is there.
    Catalog catalog_;
    std::uint64_t next_number_ = 1;  // Of tables and jobs.
    std::unique_ptr<MemTable> active_;
    Instant active_since_;
    SnapshotOf<MemTable> frozen_;
    Segments segments_;  // Latest last_time first.
    std::vector<SourceMeta> manifest_sources_;
    std::uint64_t log_number_min_ = 0;
    Erasures erasures_;
    std::vector<Damage> damage_;
    std::vector<HourUse> hours_;  // Oldest first.
    std::string cold_directory_;
    std::string cold_detail_;  // Why it cannot be used.
    bool is_cold_there_ = false;
    std::vector<SegmentMeta> absent_;  // On the cold path, while that is away.
    std::vector<RetentionRule> rules_;
    std::vector<UtcTime> bytes_from_;  // By rule, of the last sweep.

    // What runs.
    bool flush_running_ = false;
    bool flush_waits_ = false;  // Its ledger could not be written: flush_retry_ tries again.
    bool flush_again_ = false;
    bool compaction_running_ = false;  // From its start until its edit stands.
    bool compaction_writing_ = false;  // Its job is on the disk pool.
    std::atomic<bool> stop_merging_{false};
    bool sweep_running_ = false;
    bool edit_running_ = false;
    bool edit_failed_ = false;
    bool edits_held_ = false;  // While a pin reads the small files.
    int cleanings_ = 0;
    std::vector<std::move_only_function<void(Result<Pinned>)>> pin_waiters_;
    std::uint64_t frozen_log_min_ = 0;
    std::vector<SourceMeta> frozen_sources_;
    std::deque<Edit> edits_;
    std::vector<TagId> names_;         // Of series that the catalog does not hold yet, or not so.
    std::vector<TagId> names_flying_;  // Those that an edit is writing.
    Timer flush_retry_;
    Timer edit_retry_;
    Timer ticker_;
    std::vector<std::pair<std::uint64_t, flow::Settled>> flush_waiters_;  // By the order of the table they wait for.
    std::vector<Task> ready_waiters_;
    std::deque<EraseWaiter> erase_waiters_;
    std::uint64_t rules_version_ = 0;
    Instant swept_at_;
    std::set<std::string> expiring_;       // Segments that a sweep found worth a rewrite.
    std::set<std::string> tried_in_vain_;  // Sources of merges that failed, until the next tick.
    CompactionUse compaction_use_;
    std::vector<RetentionEffect> freed_;
    std::uint64_t samples_taken_ = 0;
    std::uint64_t samples_noted_ = 0;  // Of samples_taken_, at the last tick, or at the start.
    Instant noted_at_;
    std::optional<double> samples_per_second_;  // None: before the first tick.
    bool closing_ = false;
    bool log_closed_ = false;
    bool closed_ = false;
    Task close_done_;

    // What went wrong.
    State jobs_state_ = State::Ok;
    std::string jobs_detail_;
    std::uint64_t damaged_files_ = 0;
    std::uint64_t damaged_blocks_gone_ = 0;  // In segments that were set aside since.
    std::string damage_detail_;
};

}  // namespace lineshaft::store
