/// All that is known of one tag at one instant: made on the shard in microseconds, read on whatever thread.
///
/// Threads: made by the shard; then belongs to one reader. Holds its segments alive.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "store/internal/merge.h"

namespace lineshaft::store {

/// Whether a value that holds when the range begins is wanted, and one that comes after it.
enum class Bounds : std::uint8_t { None, Before, Both };

struct Sources {
    TagId tag;
    std::vector<SnapshotOf<Segment>> segments;            // Latest last_time first.
    std::vector<std::pair<std::uint64_t, Chunk>> tables;  // By order: memory's rows, with what bounds them.
    std::vector<Hidden> hidden;
    std::vector<TimeRange>
        away;  // Something is known to be missing there: cold files that are away, damage of before.
    std::optional<UtcTime> known_at;
    UtcTime from;
    UtcTime last;  // Inclusive. Before `from`: nothing is asked for.

    bool is_nothing() const { return last < from; }
    /// Adds a table's rows of the range, and as far beyond it as the bounds need.
    void add_table(std::uint64_t order, const MemSeries& series, Bounds bounds);
    /// A stream of `scope`, whose tag and known_at are this one's.
    Merge stream(Scope scope) const;
    /// The newest row before `time`, or what a bucket says of it (then a number); empty: there is none.
    Chunk before(UtcTime time) const;
    /// The oldest row after `time`.
    Chunk after(UtcTime time) const;

private:
    std::optional<UtcTime> newest_at_or_after(UtcTime time) const;
};

}  // namespace lineshaft::store
