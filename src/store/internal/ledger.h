/// The ledger of one shard: who sent what numbers, what of it is durable, what was refused, who was there, and when
/// the house was up.
///
///   offer ─► take(batch) ─► gathering ─(commit synced)─► stored, of the source and of its hour
///   presence, refusals, own numbers, every minute "still up" ─► an entry in the log, synced with its next commit
///   flush, and once an hour ─► write(): what changed goes to LEDGER-<year>-<month>; only then may the log go
///   start ─► the newest ledger file, then the log: entries are unions and maxima, so applying them twice is harmless
///
/// Memory holds the sources, their last presence changes and the hours not older than two; the rest is on disk only.
///
/// Threads: own shard; files are written and read back on the disk pool.
/// Errors:  to those who wait for write(): DiskFull, Io.
/// Limits:  presence_kept_max, own_ranges_max, feeds_kept_max, refused_kept_max.
/// Formats: ledger_record.h, docs/formats/ledger.md.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/sample_sink.h"
#include "runtime/disk.h"
#include "runtime/worker_pool.h"
#include "store/internal/ledger_past.h"
#include "store/internal/log.h"

namespace lineshaft::store {

inline constexpr std::size_t presence_kept_max = 32;    // Of a source, in memory.
inline constexpr std::size_t own_kept_max = 64;         // Devices of one source that count themselves.
inline constexpr std::size_t own_ranges_max = 64;       // Of one device; beyond it the smallest holes close.
inline constexpr std::size_t stored_ranges_max = 1000;  // Of one source.
inline constexpr std::size_t feeds_kept_max = 8;        // Sources of one device.
inline constexpr std::size_t refused_kept_max = 64;     // Of one source and hour; the rest is summed up.

class Ledger {
public:
    struct Options {
        std::string directory;
        std::optional<Duration> retention_age;
    };
    /// `ended` runs when a write has ended, well or not.
    Ledger(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::function<void()> ended);

    // ledger_files.cpp. At start, in this order; blocks.
    /// `names` are those of the directory. Errors: VersionUnknown, Io. Damage is reported, what is whole is taken.
    Result<void> open(const std::vector<std::string>& names);
    /// What of the above did not pass its checksum; empty: nothing.
    const std::string& damage() const { return damage_; }
    /// The sources that the ledger knows, for a catalog that lost them.
    std::vector<std::pair<SourceId, std::string>> names() const;

    std::uint64_t assigned_to(SourceId id) const;

    // ledger.cpp
    /// A source by the catalog or the log; what it has numbered so far is taken as stored if the ledger knows nothing.
    void put_source(SourceId id, std::string_view name, std::uint64_t last_sequence);
    /// A ledger record of the log.
    void replay(ByteView entries);
    /// From here on the ledger writes to `log`, which outlives it.
    void start(Log& log);

    /// Before the batch is appended to the log. True for some batches of a source, after it has connected
    /// and in each hour: whoever knows should say which devices it feeds.
    bool take(const Batch& batch);
    void feeds(SourceId source, std::string_view device);
    void set_presence(std::string_view source, Presence presence, UtcTime since);
    void refuse(SourceId source, const Refused& refused);
    /// `number` is what `device` itself calls this message. `modulus` 0: it counts on for ever.
    void hear_own(SourceId source, std::string_view device, std::uint64_t number, std::uint64_t modulus = 0);

    /// Writes what has changed; `done` when everything that was durable before this call is on disk.
    void write(flow::Settled done);
    /// The same at once, at start. Blocks.
    Result<void> write_now();
    /// Notes the end of the house in the log. Nothing is taken after.
    void close();
    bool is_writing() const { return writing_; }
    /// The files that hold what write() has written.
    std::vector<std::string> files() const;

    // ledger_answers.cpp
    std::vector<LedgerSource> sources(std::string_view prefix) const;
    /// What memory knows of hours in [from, to).
    LedgerPast recent(std::string_view source, UtcTime from, UtcTime to) const;
    std::vector<UpTime> up_times(UtcTime from, UtcTime to) const;
    /// The sources that feed `device`.
    std::vector<SourceId> sources_of(std::string_view device) const;
    /// Everything known to memory that explains gaps of `device`; `needs_past` when files know more.
    LedgerPast around(std::string_view device, UtcTime from, UtcTime to, bool& needs_past) const;
    UtcTime now() const { return shard_.utc_now(); }
    std::string name_of(SourceId id) const;
    const Options& options() const { return options_; }
    /// What the disk pool needs to read old months.
    LedgerReading reading(UtcTime from, UtcTime to, std::vector<SourceId> only) const;
    /// Reads it there; `done` on this shard. Errors: Io, VersionUnknown.
    void read(LedgerReading reading, std::move_only_function<void(Result<LedgerPast>)> done);
    std::optional<SourceId> id_of(const std::string& name) const;

private:
    class Loading;
    struct Hour {
        std::int64_t hour = 0;
        std::uint64_t assigned = 0;
        Ranges stored;
        std::vector<Refused> refused;
        bool dirty = false;
    };
    struct Own {
        UtcTime since;
        Ranges heard;
        bool dirty = false;
    };
    struct Source {
        std::string name;
        std::uint64_t assigned_to = 0;
        Ranges stored;
        UtcTime last_heard;
        std::deque<PresenceEvent> presence;  // Oldest first.
        std::size_t presence_unwritten = 0;
        bool presence_cut = false;  // Older ones are on disk only.
        std::deque<Hour> hours;     // Oldest first.
        std::map<std::string, Own, std::less<>> own;
        bool dirty = false;
        int learn = 0;               // Of so many more batches it is asked whom they speak for.
        std::uint64_t gathered = 0;  // Its place in gathering_ + 1, while gathering_no is the current one.
        std::uint64_t gathering_no = 0;
    };
    /// Numbers taken whose commit has not been synced yet.
    struct Taken {
        SourceId source;
        std::int64_t hour = 0;
        Ranges numbers;
    };
    /// What is to be written, and how.
    struct Job {
        std::unique_ptr<AppendFile> file;
        std::string path;
        Bytes bytes;                   // To append, or the beginning of a file that is written whole.
        std::uint64_t good_bytes = 0;  // Of the file that is there.
        bool whole = false;
        bool keep = false;  // What the file holds follows `bytes`, each statement once.
        std::vector<std::string> expired;
        Result<void> outcome;
    };

    // ledger.cpp
    Source& source_at(SourceId id);
    Source* find_source(SourceId id);
    Hour& ensure_hour(Source& source, std::int64_t hour);
    void mark(Source& source, SourceId id);
    void add_refused(SourceId id, std::int64_t hour, const Refused& refused);
    void add_presence(SourceId id, const PresenceEvent& event);
    void add_own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard);
    bool add_feeds(SourceId id, std::string_view device);
    void add_up(const UpTime& up);
    void log_entries(const Bytes& entries);
    void log_up();
    void beat();
    void wait_for_commit();
    void commit_synced(const Result<void>& outcome);
    void release_writers(std::uint64_t gathering);
    void trim();

    // ledger_files.cpp
    void forget_changes();
    void collect(RecordPacker& into);
    void carry(RecordPacker& into) const;
    void expire(Job& job);
    Job next_job();
    static Job run(Disk& disk, Job job);
    void start_write();
    void written(Job job);

    Shard& shard_;
    Disk& disk_;
    WorkerPool& pool_;
    const Options options_;
    const std::function<void()> ended_;
    Log* log_ = nullptr;

    std::deque<Source> sources_;  // Source n is at n - 1.
    std::unordered_map<std::string, SourceId> ids_;
    std::unordered_map<std::string, std::vector<SourceId>> feeds_;
    std::unordered_map<std::string, PresenceEvent> strangers_;  // Connected, and have sent nothing yet.
    std::vector<UpTime> up_;  // Oldest first; the last is this life once it has started.
    bool up_logged_ = false;
    bool up_dirty_ = false;

    std::vector<Taken> gathering_;
    std::vector<Taken> flying_;
    std::uint64_t gathering_no_ = 1;
    bool waits_for_commit_ = false;
    Bytes at_start_;  // Entries for the log, with the first that are due anyway.

    std::vector<SourceId> dirty_;
    std::vector<std::pair<SourceId, std::string>> feeds_unwritten_;
    std::vector<std::uint32_t> months_;  // That have a file, rising.
    std::unique_ptr<AppendFile> file_;   // Of the last of them; null while a job has it, and before the first write.
    std::uint64_t file_bytes_ = 0;
    std::uint64_t base_bytes_ = 0;  // Of the file when it was last written whole.
    bool rewrite_ = false;          // A job failed: everything is written again.
    bool writing_ = false;
    std::vector<std::pair<std::uint64_t, flow::Settled>> early_writers_;  // By the gathering they wait for.
    std::vector<flow::Settled> writers_, flying_writers_;
    std::int64_t written_hour_ = 0;
    std::string damage_;
    bool closed_ = false;
    Timer beat_, retry_commit_, retry_write_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace lineshaft::store
