/// Makes a data directory from a snapshot, and looks whether everything is whole.
///
/// Threads: one, blocks; Progress may be read by any.
/// Errors:  Conflict (the directory holds something), NotFound, Corrupt, BackupPassphrase, DiskFull, Io, Closed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/take.h"

namespace lineshaft::backup {

/// While it is there the directory is not whole, and a house does not start on it.
inline constexpr const char* unfinished_mark = "RESTORE-UNFINISHED";

/// Writes the snapshot into `directory`, which is empty, missing, or was begun by a run before with the same snapshot.
/// Every byte is checked on its way. Afterwards a house can start there.
Result<SnapshotInfo> restore(Repository& repository, Disk& disk, const std::string& snapshot,
                             const std::string& directory, Progress& progress);

enum class Damaged : std::uint8_t { Leave, SetAside };

struct Finding {
    std::string path;  // Of the file that is wrong.
    std::string why;
};

struct Verdict {
    std::uint64_t files = 0;  // Looked at.
    std::uint64_t bytes = 0;
    std::uint64_t snapshots = 0;
    std::vector<Finding> findings;  // Empty: all is well.
    bool ok() const { return findings.empty(); }
};

/// Reads every file of a repository: hash, decryption, and that each snapshot finds all that it names. Damaged pieces
/// can be set aside (renamed), so that the next backup writes them anew.
Result<Verdict> verify_repository(Disk& disk, const std::string& path, const std::optional<std::string>& passphrase,
                                  Damaged damaged, Progress& progress);

/// Reads a whole data directory, of a house that runs or not: every block of every segment, the logs, the registry,
/// the chain of the audit log.
Result<Verdict> verify_data(Disk& disk, const std::string& directory, Progress& progress);

}  // namespace lineshaft::backup
