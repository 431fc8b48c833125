/// Reads the log back at start.
///
/// A torn end is no error: what it held was never acknowledged. Damage before it is: what can still be read is
/// applied, the file is marked to be set aside once its samples are in segments, and the report names it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "store/internal/log.h"

namespace lineshaft::store {

struct LogVisitor {
    std::function<void(const Series&)> series;
    std::function<void(SourceId, std::string_view)> source;
    std::function<Result<void>(const Batch&)> samples;     // May write segments: Errors: DiskFull, Io.
    std::function<void(ByteView entries)> ledger;          // May be empty.
    std::function<Result<void>(ByteView erasure)> erased;  // May write segments: Errors: DiskFull, Io.
    std::function<void(std::uint64_t number)> file;        // Before each file.
};

struct Replayed {
    std::vector<LogFile> files;
    std::uint64_t next_commit = 1;
    std::uint64_t batches = 0;
    std::vector<std::string> reports;  // What was damaged, one sentence each.
};

/// Applies the log files numbered `number_min` and higher, in order. Errors: VersionUnknown, Io, or the visitor's.
Result<Replayed> replay(Disk& disk, const std::string& directory, const std::vector<std::uint64_t>& numbers,
                        const LogVisitor& visitor);

}  // namespace lineshaft::store
