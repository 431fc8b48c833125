/// Takes a snapshot: what is new goes to the repository, what it knows is only named.
///
/// An interrupted run leaves pieces that no snapshot names; the next run finds them and goes on from there. Until the
/// snapshot itself is written, last, the repository looks as before.
///
/// Threads: one, blocks; Progress may be read by any.
/// Errors:  DiskFull, Io, Corrupt; Closed when it was told to stop.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "runtime/clock.h"
#include "store/historian.h"

namespace lineshaft::backup {

/// How far it is. Written by the worker.
struct Progress {
    std::atomic<std::uint64_t> files{0}, files_all{0};
    std::atomic<std::uint64_t> bytes{0}, bytes_all{0};
    std::atomic<std::uint64_t> added_bytes{0};   // Read, because new.
    std::atomic<std::uint64_t> stored_bytes{0};  // Written to the repository.
    std::atomic<bool> stop{false};               // Set by whoever wants it to end early.
};

/// Keeps reading below a rate, so that the house has the disk when it needs it.
class Throttle {
public:
    using Wait = std::function<void(Duration)>;
    /// 0: no bound. `wait` sleeps.
    Throttle(const Clock& clock, std::uint64_t bytes_per_second, Wait wait);
    void took(std::uint64_t bytes);

private:
    const Clock& clock_;
    const std::uint64_t rate_;
    Wait wait_;
    Instant paid_until_;
};

/// One file as it shall be kept: held open, or in memory, so that nobody can take it away meanwhile.
struct SourceFile {
    std::string path;
    std::uint64_t bytes = 0;
    bool immutable = false;
    // One of these:
    std::unique_ptr<ReadFile> file;
    ByteView view;   // Kept alive by Sources.
    std::string at;  // To be opened when it is its turn: of a house that does not run.
};

/// What makes up one snapshot. All of it is of one moment, or later where that does no harm.
struct Sources {
    std::vector<SourceFile> files;
    std::vector<store::Pinned> history;
    std::deque<Bytes> memory;
    std::vector<std::string> temporary;  // To be removed afterwards.
};

/// The caller holds the repository's lock. Also removes what was temporary. `version` of the program.
Result<SnapshotInfo> take(Disk& disk, Repository& repository, Sources& sources, const Clock& clock,
                          const std::string& version, Throttle& throttle, Progress& progress);

}  // namespace lineshaft::backup
