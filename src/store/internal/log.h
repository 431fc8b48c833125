/// The log's writing end: group commit, one in flight; what gathers meanwhile is the next one.
///
///   offer ─► gathered ─┐ (take all, when the one before is synced)
///                      └► commit n on the log pool: append + fdatasync ─► waiters of n settled, on the shard
///
/// A failed append or sync is final for its file: the kernel may have dropped what it could not write. Whoever waits
/// is told; the bytes are kept and written again, to a new file, as soon as the disk takes them; until then the log
/// is not ready.
///
/// Room for the log is made in steps ahead of need (reserve_step_max), so that a sync writes data and nothing else.
///
/// Threads: own shard; appends and syncs on the log pool, one job at a time.
/// Errors:  to waiters: DiskFull, Io, Closed.
/// Limits:  limits::wal_unsynced_bytes_max.
/// Formats: log_record.h.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flow/sample_sink.h"
#include "runtime/disk.h"
#include "runtime/gate.h"
#include "runtime/worker_pool.h"
#include "store/internal/log_record.h"

namespace lineshaft::store {

struct LogFile {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    bool damaged = false;  // Set aside instead of removed.
};

std::string log_name(std::uint64_t number);
/// The number in a log file's name; none for other names.
std::optional<std::uint64_t> log_number(std::string_view name);

class Log {
public:
    struct Options {
        std::string directory;
        std::size_t file_bytes = 0;
        std::uint64_t next_number = 1;  // Of log files.
        std::uint64_t next_commit = 1;
        std::vector<LogFile> files;  // Of before, still needed.
    };
    /// `changed` runs when the state or readiness may have changed.
    Log(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::function<void()> changed);

    /// Where records are appended; call gathered() after.
    Bytes& tail() { return tail_; }
    void gathered();
    void when_durable(flow::Settled settled);

    bool is_ready() const { return state_ == State::Ok && unsynced_bytes() < limits::wal_unsynced_bytes_max; }
    State state() const { return state_; }
    const std::string& detail() const { return detail_; }
    std::uint64_t unsynced_bytes() const { return tail_.size() + flying_bytes_ + failed_.size(); }
    std::uint64_t bytes() const;
    /// Files with a lower number are not written any more; what is appended from now on goes to this or later ones.
    std::uint64_t roll();
    /// Takes the files below `number` off the list.
    std::vector<LogFile> release(std::uint64_t number);

    /// Commits what is gathered, then no more. Waiters that cannot be settled get Closed.
    void close(Task done);

private:
    struct Commit {
        std::unique_ptr<AppendFile> file;  // Null: the job makes it.
        std::string path;
        LogHeader header;
        Bytes bytes;
        Result<void> outcome;
        bool removed = false;  // It failed, and its file is gone.
    };
    static Commit write(Disk& disk, const std::string& directory, std::uint64_t reserve_step, Commit commit);

    void schedule();
    void start();
    void finished(Commit commit);
    void settle_flying(const Result<void>& outcome);
    void fail_with(const Error& error);
    void finish_closing();

    Shard& shard_;
    Disk& disk_;
    WorkerPool& pool_;
    const std::string directory_;
    const std::size_t file_bytes_;
    const std::function<void()> changed_;

    Bytes tail_;    // Begins with room for the commit record.
    Bytes failed_;  // Records of commits that failed, to be written again first.
    std::vector<flow::Settled> waiters_;
    std::vector<flow::Settled> flying_waiters_;
    std::size_t flying_bytes_ = 0;
    bool scheduled_ = false;
    bool flying_ = false;

    std::unique_ptr<AppendFile> file_;  // Null while a job has it, and before the first commit to a new file.
    bool roll_ = false;
    std::uint64_t next_number_;
    std::uint64_t next_commit_;
    std::vector<LogFile> files_;

    State state_ = State::Ok;
    std::string detail_;
    Timer retry_;
    bool closing_ = false;
    Task closed_;
};

}  // namespace lineshaft::store
