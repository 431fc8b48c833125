/// What lies in a data directory, and what of it a backup keeps: one table, so that nothing is forgotten.
///
/// Threads: any; blocks.
/// Errors:  Io, Locked, Conflict (a file that the table does not know).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backup/take.h"
#include "store/historian.h"

namespace lineshaft::backup {

enum class Treatment : std::uint8_t {
    Copy,      // As it is: written at once, or only added to.
    Database,  // SQLite: through its own backup.
    History,   // The historian's: it says itself which of them belong together.
    LeaveOut,  // For the reason that the table gives.
};

struct Kind {
    Treatment treatment;
    std::string_view what;  // For people: what it is, or why it is left out.
};
/// Of a path below the data directory. Files that nobody knows are copied: too much does less harm than too little.
Kind kind_of(std::string_view path);
/// False for files that the table does not name: a test fails on them.
bool is_known(std::string_view path);

/// Everything, of a house that does not run: the caller holds the lock of `directory`.
Result<Sources> gather(Disk& disk, const std::string& directory);
/// Everything, of a house that runs: `history` by shard, as its historians gave it.
Result<Sources> gather(Disk& disk, const std::string& directory, std::vector<store::Pinned> history);

}  // namespace lineshaft::backup
