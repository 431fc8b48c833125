/// Looks over many tags, a group at a time: what is asked of the store is made on its shard, the work is done on the
/// disk pool.
///
///   shard: reducers ─► pool: buckets ─► shard: scans of the newest rows ─► pool: judged ─► the next group
///
/// Threads: as said. It ends itself by `done`, on the shard.
#pragma once

#include "runtime/worker_pool.h"
#include "store/historian.h"
#include "store/ledger.h"

namespace lineshaft::store {

/// What was seen of one tag.
struct TagView {
    Reduction reduction;
    Chunk newest;
    std::optional<LastValue> last;
};
/// Pure. `to`: at most `now`.
TagQuality judge(const TagQuestion& question, const TagView& view, UtcTime from, UtcTime to, UtcTime now);

using Surveyed = std::move_only_function<void(std::vector<TagQuality>)>;
void survey(Shard& shard, WorkerPool& pool, Historian& store, std::vector<TagQuestion> questions, UtcTime from,
            UtcTime to, Surveyed done);

}  // namespace lineshaft::store
