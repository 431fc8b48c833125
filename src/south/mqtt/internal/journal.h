/// The broker's log on disk, one per shard, with group commit.
///
///   write() ... write()  when_durable(settled)      one append and one sync carry all that has gathered
///        '--- pending ---'--------------------> worker pool --> settled, on the shard
///
/// When the file has grown far beyond what it adds up to, or after an error, it is replaced whole by a snapshot of the
/// state; after an error that is tried again until it works, and nothing is durable meanwhile.
///
/// Threads: own shard only; the disk is touched on the pool, one job at a time.
/// Errors:  DiskFull, Io, to those who wait.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flow/reading_sink.h"
#include "runtime/disk.h"
#include "runtime/worker_pool.h"
#include "south/mqtt/internal/journal_records.h"

namespace lineshaft::mqtt {

class Journal {
public:
    struct Options {
        std::string path;
        std::size_t rewrite_bytes_min = 0;
        Duration retry_period = 2s;
        /// Writes header and records that add up to the present state.
        std::function<void(Bytes& out)> write_snapshot;
    };
    /// `file` is open at `file_bytes`, or null: then the first commit writes a snapshot.
    Journal(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::unique_ptr<AppendFile> file,
            std::size_t file_bytes);

    /// The writer for the next records; they are on their way once this task has ended.
    RecordWriter write();
    /// Runs `settled` once everything written so far is on disk.
    void when_durable(flow::Settled settled);
    /// Runs `done` when nothing is under way any more.
    void when_idle(Task done);

    std::size_t file_bytes() const { return file_bytes_; }
    bool has_failed() const { return failed_; }

private:
    struct Outcome {
        std::unique_ptr<AppendFile> file;
        Result<void> result;
        std::size_t file_bytes = 0;
    };
    void commit_soon();
    void commit();
    void rewrite();
    void finish(Outcome outcome, bool rewritten);

    Shard& shard_;
    Disk& disk_;
    WorkerPool& pool_;
    const Options options_;
    std::unique_ptr<AppendFile> file_;  // Null while a job has it, and after an error.
    std::size_t file_bytes_;
    std::size_t snapshot_bytes_;  // Size right after the last rewrite.
    Bytes pending_;
    std::vector<flow::Settled> waiting_;     // For pending_.
    std::vector<flow::Settled> committing_;  // For the job that runs.
    std::vector<Task> idle_;
    bool running_ = false;  // A job is under way, or deferred.
    bool failed_ = false;
    Error why_{ErrorCode::Io};
    Timer retry_;
};

}  // namespace lineshaft::mqtt
