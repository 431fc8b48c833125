/// Looks at the files of a store without opening it: every checksum of every block, record and table.
///
/// Threads: any, also while a historian uses the store: what it removes meanwhile is passed over.
/// Errors:  NotFound, Io, Closed. Damage is what it reports, not an error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/disk.h"

namespace lineshaft::store {

struct Inspection {
    struct Damage {
        std::string name;  // Of the file.
        std::string why;
    };
    std::uint64_t files = 0, bytes = 0, rows = 0;
    std::vector<Damage> damages;
};

/// `progress` gets the bytes read since the last call, and says false to end early (Errors: Closed).
Result<Inspection> inspect(Disk& disk, const std::string& directory,
                           const std::function<bool(std::uint64_t bytes)>& progress);

/// Names of segments that the manifest counts and that are not in the directory: on the cold path, or lost.
Result<std::vector<std::string>> segments_elsewhere(Disk& disk, const std::string& directory);

}  // namespace lineshaft::store
