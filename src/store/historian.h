/// The historian: keeps every sample of a shard's tags and gives it back by tag and time.
///
/// Flow:    takes batches (flow::DurableSink): log + memory table --flush--> segments, one UTC day each; gives last
///          values, scans and reductions over all of them. For one tag and source time the last received wins.
/// Threads: one Historian per shard, own shard only; other shards go through store/historians.h. Syncs run on the log
///          pool, flushes and compactions on the disk pool.
/// Errors:  Locked, Corrupt, VersionUnknown, DiskFull, Io, NotFound, InvalidArgument, Closed.
/// Limits:  limits::wal_unsynced_bytes_max and twice Options::memtable_bytes; beyond either is_ready() is false.
/// Formats: docs/formats/wal.md, docs/formats/segment.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/sample_sink.h"
#include "runtime/disk.h"
#include "runtime/shard.h"
#include "runtime/worker_pool.h"
#include "store/life.h"
#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t chunk_rows_max = 4096;
inline constexpr std::size_t reduction_buckets_max = 100'000;
inline constexpr std::size_t points_max = 100'000;

struct Options {
    std::string path;                               // A directory of this shard's own.
    std::size_t memtable_bytes = 64 * 1024 * 1024;  // Flushed when it holds this much.
    std::size_t log_file_bytes = 64 * 1024 * 1024;  // A log file is rolled at this size.
    std::size_t segments_per_day_max = 6;           // More that overlap a day are merged into one.
    Duration flush_age = 6h;                        // What lies in memory longer is flushed.
    std::optional<Duration> retention_age;          // Whole segments older than this go. None: keep for ever.
    std::optional<std::uint64_t> retention_bytes;   // Oldest segments go beyond this. None: no bound.
    std::string cold_path;                          // Another place for old segments. Empty: none.
    Duration cold_after = 30 * 24h;                 // Segments whose newest sample is older go there.
    std::optional<Duration> close_flush_max = 10s;  // close() writes memory to segments if it may take this long.
};

/// A question about one tag.
struct Query {
    TagId tag;
    UtcTime from;  // from ≤ source time < to.
    UtcTime to;
    Duration resolution{0};           // Of a reduction; 0: one bucket for everything.
    std::optional<UtcTime> known_at;  // As known then: nothing received later than this is seen.
    Needs needs = Needs::Basic;
    // A value holds no longer than this, the end of the range or its bucket. None: as long as those.
    std::optional<UtcTime> hold_until;
    std::vector<double> percentiles;  // 0 … 100, with Needs::Rows.
    bool states = false;              // Time in each state, with Needs::Rows.
};

/// What a tag was worth at given times, between samples too (OPC UA Part 13, Interpolative).
enum class Between : std::uint8_t {
    Step,    // The sample at or before each time, as it is.
    Linear,  // On the line from the usable sample before to the one after.
};
struct PointQuery {
    TagId tag;
    std::vector<UtcTime> times;  // Rising.
    Between between = Between::Step;
    std::optional<UtcTime> known_at;
};
struct Point {
    UtcTime time;
    std::optional<Value> value;  // None: no sample at or before it.
    // The sample's; of a line the worse of its ends, Uncertain where a Bad sample lies between or none comes after.
    Quality quality;
    UtcTime source_time;  // Of the sample at or before it.
};

/// A walk over one tag's samples. Sees what was there when it was made; holds its segments alive, also across
/// compaction and retention, so do not keep it for hours. Own shard, or moved whole to another thread.
class Scan {
public:
    class Walk;
    explicit Scan(std::unique_ptr<Walk> walk);
    Scan(Scan&&) noexcept;
    Scan& operator=(Scan&&) noexcept;
    ~Scan();
    /// Fills `into` with the next 1 … chunk_rows_max samples; false at the end.
    bool next(Chunk& into);
    /// The next samples as numbers, in a fraction of the time; good until the next call. Not after the other next().
    bool next(NumbersView& into);
    /// At most `limit` of what is left; `more` says that there are others. Ends the walk.
    Chunk take(std::size_t limit);
    /// Blocks passed over so far because their checksum failed, and where they were.
    std::uint64_t damaged_blocks() const;
    std::vector<TimeRange> damaged() const;
    /// Where rows have gone by retention and only tiers are left.
    std::vector<TimeRange> expired() const;

private:
    std::unique_ptr<Walk> walk_;
};

/// A reduction in steps, so that a decade does not hold up the shard. Own shard, or moved whole to another thread.
class Reducer {
public:
    class Walk;
    explicit Reducer(std::unique_ptr<Walk> walk);
    Reducer(Reducer&&) noexcept;
    Reducer& operator=(Reducer&&) noexcept;
    ~Reducer();
    /// Works through about `blocks` blocks; false when all is done.
    bool step(std::size_t blocks = 256);
    /// After the last step.
    Reduction take();

private:
    std::unique_ptr<Walk> walk_;
};

/// Points of a tag, found one by one. Own shard, or moved whole to another thread.
class PointFinder {
public:
    class Walk;
    explicit PointFinder(std::unique_ptr<Walk> walk);
    PointFinder(PointFinder&&) noexcept;
    PointFinder& operator=(PointFinder&&) noexcept;
    ~PointFinder();
    std::vector<Point> take();

private:
    std::unique_ptr<Walk> walk_;
};

/// The files of a store as they belong together at one instant: those that never change are held, so that neither
/// compaction nor retention takes them away while somebody copies them. Any thread; drop it soon.
class Pinned {
public:
    struct File {
        std::string name;
        ByteView bytes;
        bool immutable = false;  // A segment.
    };
    class Held;
    explicit Pinned(std::unique_ptr<Held> held);
    Pinned(Pinned&&) noexcept;
    Pinned& operator=(Pinned&&) noexcept;
    ~Pinned();
    std::vector<File> files() const;

private:
    std::unique_ptr<Held> held_;
};

struct Refused;

class Historian final : public flow::DurableSink {
public:
    /// Opens or creates the store in `options.path` and replays its log: blocks, for start-up only.
    /// Errors: Locked, VersionUnknown, DiskFull, Io. Damaged files are set aside and reported in stats().
    static Result<std::unique_ptr<Historian>> create(Shard& shard, Disk& disk, WorkerPool& log_pool,
                                                     WorkerPool& disk_pool, Options options);
    ~Historian() override;  // After close.

    /// Names a tag before its first sample, or anew; goes to the log with the next batch that needs it.
    void register_series(TagId tag, const SeriesInfo& info);
    /// The id of a source's name, made on first use; kept for ever.
    SourceId source_id(std::string_view name);
    /// The highest sequence number taken from `source`, 0 before the first.
    std::uint64_t last_sequence(SourceId source) const;
    /// For the ledger: something of `source` that was not kept.
    void refuse(SourceId source, const Refused& refused);

    bool is_ready() const override;
    /// Visible to readers at once; durable when when_durable says so.
    void offer(const Batch& batch) override;
    void when_durable(flow::Settled settled) override;
    void when_ready(Task task) override;

    /// None before the first sample.
    std::optional<LastValue> last(TagId tag);
    /// Samples with from ≤ source time < to. Errors: NotFound (no such series), InvalidArgument (to < from).
    Result<Scan> scan(TagId tag, UtcTime from, UtcTime to);
    Result<Scan> scan(const Query& query);
    /// At most `limit` of them, at once; `more` says that there are others.
    Result<Chunk> scan(TagId tag, UtcTime from, UtcTime to, std::size_t limit);
    Result<Chunk> scan(const Query& query, std::size_t limit);
    /// Buckets begin at whole multiples of `resolution` since 1970. Answered from tiers where one segment alone speaks,
    /// from blocks and rows elsewhere, with the same result.
    /// Errors: NotFound, InvalidArgument (more than reduction_buckets_max buckets).
    Result<Reducer> reducer(const Query& query);
    Result<Reduction> reduce(const Query& query);
    Result<Reducer> reducer(TagId tag, UtcTime from, UtcTime to, Duration resolution);
    Result<Reduction> reduce(TagId tag, UtcTime from, UtcTime to, Duration resolution);
    /// One point for each time. Errors: NotFound, InvalidArgument (too many times, or not rising).
    Result<PointFinder> point_finder(const PointQuery& query);
    Result<Completeness> completeness(TagId tag, UtcTime from, UtcTime to);

    std::vector<Series> series() const;
    Stats stats() const;
    StorageReport storage() const;

    /// The rules from now on; what they let go leaves with the next merges, which are scheduled at once.
    void set_retention(std::vector<RetentionRule> rules);
    /// What `rules` would free now, by rule; works on the disk pool, `done` runs on this shard.
    void preview_retention(std::vector<RetentionRule> rules,
                           std::move_only_function<void(std::vector<RetentionEffect>)> done);
    /// Takes the samples of `tags` with from ≤ source time < to away, all versions: no reader sees them from now on, no
    /// restart brings them back once `done` has run; the bytes go with a merge that is scheduled at once.
    /// Errors: InvalidArgument, DiskFull, Io, Closed. Tags without a series are passed over.
    void erase(const std::vector<TagId>& tags, UtcTime from, UtcTime to,
               std::move_only_function<void(Result<Erased>)> done);
    /// Offers `rows` of `tag` as later versions. Errors: NotFound, Overloaded (offer it again), DiskFull, Io, Closed.
    void correct(TagId tag, const Chunk& rows, SourceId source,
                 std::move_only_function<void(Result<Corrected>)> done);

    /// Moves what is in memory to segments; `done` runs on this shard when it is on disk, or with why not.
    void flush(flow::Settled done);
    /// Flushes, then pins all that is stored: a store that is opened with these files alone holds every sample offered
    /// before. `done` runs on this shard. Errors: as flush.
    void pin(std::move_only_function<void(Result<Pinned>)> done);
    /// Refuses new work, settles what was offered, waits for what runs. `done` runs on this shard.
    void close(Task done);

    class Body;                      // Private: see internal/.
    Body& body() { return *body_; }  // For store/ledger.h.

private:
    explicit Historian(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

/// The finest usual step (1 ms … 1 week) that cuts [from, to) into at most `buckets_max` buckets.
Duration resolution_for(UtcTime from, UtcTime to, std::size_t buckets_max);

}  // namespace lineshaft::store
