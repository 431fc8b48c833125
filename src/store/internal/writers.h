/// From memory to segments, and from many segments to few. Blocks: on the disk pool, or at start.
#pragma once

#include <atomic>
#include <vector>

#include "store/internal/memtable.h"
#include "store/internal/sieve.h"

namespace lineshaft::store {

/// Where the files go and how they are named: <job>-<part>.seg, so no two jobs share a name.
struct Target {
    Disk& disk;
    std::string directory;
    ShardId shard;
    std::uint64_t job = 0;
    std::int64_t mature = INT64_MIN;  // Days before are put into files of 32: see days.h.
    Effort effort = Effort::Usual;
    const std::atomic<bool>* stop = nullptr;  // When it becomes true a merge gives up.
};

/// Writes `table` to one segment per UTC day or partition (coarser when it touches very many), each synced, and the
/// directory. On an error what was written is removed as far as possible. Errors: DiskFull, Io.
Result<std::vector<SegmentMeta>> write_table(const Target& target, const MemTable& table);

struct Compacted {
    std::vector<SegmentMeta> segments;
    std::vector<Damage> damage;  // Left out. The files that hold it are set aside, not removed.
    std::uint64_t copied_bytes = 0;
    std::vector<RetentionEffect> freed;  // By rule of the sieve.
};
/// Writes `sources`, which follow one another in order among all that overlaps, anew: versions merged, what `sieve`
/// holds back left out. Blocks that nothing overlaps are taken over as they are. Errors: DiskFull, Io, Closed (told
/// to stop).
Result<Compacted> compact(const Target& target, const std::vector<SnapshotOf<Segment>>& sources, const Sieve& sieve);

}  // namespace lineshaft::store
