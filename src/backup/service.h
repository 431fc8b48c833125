/// Backups of the house that runs: by plan, and on request, one at a time.
///
/// Flow:    plan or request -> every historian flushes and pins -> worker: gather, take, prune -> state, metrics.
/// Threads: any shard, except create and close; the work runs on a thread of its own.
/// Errors:  Conflict (one is running), InvalidArgument (no repository named), Closed; those of repository.h end up in
///          the job's error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/log.h"
#include "backup/repository.h"
#include "backup/take.h"
#include "store/historians.h"

namespace lineshaft::backup {

struct Plan {
    std::string data_directory;
    std::string path;                   // The repository; empty: no backups but those that name their own.
    std::string passphrase_file;        // Empty: see unencrypted.
    bool unencrypted = false;           // Said so by whoever configured it.
    std::optional<DailyTime> schedule;  // None: on request only.
    KeepRule keep;
    std::uint64_t bytes_per_second = 0;  // Read from the data directory; 0: no bound.
    std::string version;
    std::string configuration;  // All settings as they are, as YAML: kept in the snapshot.
};

/// A run, as shown.
struct Job {
    enum class State : std::uint8_t { Running, Done, Failed };
    std::uint64_t number = 0;
    State state = State::Running;
    std::string path;
    std::string snapshot;  // Its id, when done.
    std::string error;     // Whole message with remedy, when failed.
    UtcTime started, ended;
    std::uint64_t files = 0, files_all = 0, bytes = 0, bytes_all = 0, added_bytes = 0, stored_bytes = 0;
};
std::string_view to_text(Job::State state);

struct Report {
    Plan plan;
    bool encrypted = false;               // The repository, once there is one.
    std::optional<Job> job;               // The one that runs, or the last one since the start.
    std::vector<SnapshotInfo> snapshots;  // Newest first.
    std::string error;                    // Why there are no snapshots to show.
    UtcTime last_success, next_run;       // None where there is none.
    bool overdue = false;
};

/// A backup on request; what is empty is as planned.
struct Request {
    std::string path, passphrase_file;
    bool unencrypted = false;
    std::string actor, address;  // For the audit log.
};

class Service {
public:
    template <class T>
    using Done = std::move_only_function<void(Result<T>)>;

    /// `caller` carries the plan's timer; `pool` has one thread. Everything else outlives the service.
    static std::unique_ptr<Service> create(Shard& caller, Disk& disk, std::unique_ptr<WorkerPool> pool,
                                           store::Historians& store, audit::Log& audit, Plan plan);
    ~Service();

    /// Begins one; `done` gets it as soon as it runs. Any shard.
    void post_start(Shard& caller, Request request, Done<Job> done);
    /// Reads the repository: on the worker's thread, or from what is remembered while that is busy. Any shard.
    void post_report(Shard& caller, Done<Report> done);
    /// Any thread.
    bool is_overdue() const;
    /// The last one did, and none has succeeded since. Any thread.
    bool has_failed() const;

    /// Ends a run early (it resumes with the next one); `done` on the shard of create.
    void close(Task done);

private:
    struct State;
    explicit Service(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace lineshaft::backup
