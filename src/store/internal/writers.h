/// From memory to segments, and from many segments to few. Blocks: on the disk pool, or at start.
#pragma once

#include <vector>

#include "store/internal/memtable.h"
#include "store/internal/segment.h"

namespace lineshaft::store {

/// Where the files go and how they are named: <job>-<part>.seg, so no two jobs share a name.
struct Target {
    Disk& disk;
    std::string directory;
    ShardId shard;
    std::uint64_t job = 0;
};

/// Writes `table` to one segment per UTC day (coarser when it touches very many), each synced, and the directory.
/// On an error what was written is removed as far as possible. Errors: DiskFull, Io.
Result<std::vector<SegmentMeta>> write_table(const Target& target, const MemTable& table);

struct Compacted {
    std::vector<SegmentMeta> segments;
    std::uint64_t damaged_blocks = 0;  // Left out. The files that hold them are set aside, not removed.
};
/// Writes `sources`, which nothing else overlaps, anew: one segment per day, versions merged. Errors: DiskFull, Io.
Result<Compacted> compact(const Target& target, const std::vector<SnapshotOf<Segment>>& sources);

/// What overlaps [from, last], and everything that overlaps that, and so on.
std::vector<SnapshotOf<Segment>> overlapping(const std::vector<SnapshotOf<Segment>>& segments, UtcTime from,
                                             UtcTime last);

}  // namespace lineshaft::store
