/// Exports: history as a file, either streamed to whoever asks or as a job that goes on by itself.
///
/// Flow:    stream(): pulled piece by piece as fast as the peer reads. Jobs: one at a time, written to a folder of their
///          own under `directory`; every few megabytes the place reached is kept beside the file, so that a job goes on
///          after a restart or a kill where it was; finished files are downloaded in any pieces.
/// Threads: the desk lives on `shard`; post_… from any shard, answers there. Blocks are read on `pool`.
/// Errors:  NotFound, InvalidArgument, LimitExceeded (too many jobs), DiskFull, Io, Conflict (not finished).
/// Limits:  Options. Finished files go after `expiry`, the oldest first beyond `bytes_max`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "runtime/worker_pool.h"
#include "store/historians.h"
#include "transfer/question.h"

namespace lineshaft::transfer {

enum class Split : std::uint8_t { None, Day };
enum class JobState : std::uint8_t { Waiting, Running, Done, Failed };
std::string_view to_text(JobState state);

struct ExportFile {
    std::string name;
    std::uint64_t bytes = 0, rows = 0;
};

/// A job as it stands.
struct Export {
    std::uint64_t id = 0;
    TenantId tenant{1};
    std::string name;  // Of its files, without ending.
    std::string by;    // Who asked.
    JobState state = JobState::Waiting;
    std::string error;
    UtcTime created, finished, expires;
    Form form = Form::Csv;
    Packing packing = Packing::None;
    Split split = Split::None;
    UtcTime from, to;
    Duration resolution{0};
    std::size_t tags = 0;
    std::uint64_t rows = 0, bytes = 0, damaged_blocks = 0;
    double share = 0;               // 0 … 1.
    std::vector<ExportFile> files;  // Those that are whole.
};

struct NewExport {
    TenantId tenant{1};
    std::string name, by;
    Split split = Split::None;
    Question question;
};

/// The pieces of a streamed export: empty, there is none yet; nullopt, that was all.
class ExportStream {
public:
    virtual ~ExportStream() = default;
    virtual Result<std::optional<std::string>> next() = 0;
    /// Runs `task` on the stream's shard when next() has something.
    virtual void when_more(Task task) = 0;
};

struct ExportRooms {
    Shards& shards;
    store::Historians& store;
    WorkerPool& pool;
    Disk& disk;
};

/// Own shard only. May die at any time.
std::unique_ptr<ExportStream> stream_export(ExportRooms rooms, Shard& shard, Question question);

class Exports {
public:
    struct Options {
        std::string directory;
        std::uint64_t bytes_max = 10ULL * 1024 * 1024 * 1024;
        Duration expiry = 7 * 24h;
        std::size_t jobs_max = 100;
        std::uint64_t disk_free_min = 512ULL * 1024 * 1024;  // An export must not fill the disk that data needs.
        std::size_t step_bytes = 1024 * 1024;
        std::uint64_t mark_bytes = 16 * 1024 * 1024;  // The place is kept after so many.
    };
    template <class T>
    using Done = std::move_only_function<void(T)>;

    /// Takes up what an earlier process left. Blocks: start-up only. Errors: Io, DiskFull.
    static Result<std::unique_ptr<Exports>> create(ExportRooms rooms, Shard& shard, Options options);
    ~Exports();

    void post_create(Shard& caller, NewExport wanted, Done<Result<Export>> done);
    /// Newest first.
    void post_list(Shard& caller, TenantId tenant, Done<std::vector<Export>> done);
    void post_get(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Export>> done);
    /// Cancels what runs, removes what is there.
    void post_remove(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Export>> done);
    /// A finished file; empty `name`: the only one. Errors: NotFound, Conflict, InvalidArgument (there are several).
    struct Opened {
        ExportFile file;
        Form form = Form::Csv;
        std::shared_ptr<const ReadFile> content;
    };
    void post_open(Shard& caller, TenantId tenant, std::uint64_t id, std::string name, Done<Result<Opened>> done);
    /// Stops at the next step; what runs goes on after the next start. `done` on the desk's shard; own shard.
    void close(Task done);

private:
    class Impl;
    explicit Exports(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// bytes [from, to) of a file, read on the pool: for ranges of a download.
std::unique_ptr<ExportStream> stream_file(WorkerPool& pool, Shard& shard, std::shared_ptr<const ReadFile> file,
                                          std::uint64_t from, std::uint64_t to);

}  // namespace lineshaft::transfer
