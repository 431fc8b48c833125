/// One series' samples from many places, as one stream by source time.
///
/// Late data overlaps what is there, so a tag's samples of an hour may lie in three segments and in memory. Each place
/// is a *run*: sorted, with an order that tells which came later. Most of the time only one run has anything to say:
///
///   run 1  [block][block][block]      [block]
///   run 2                   [block]                        a piece ends where another run's next one begins
///   pieces  whole  whole  |  rows   |  whole
///
/// A whole block, or a whole day, need not even be decoded: its statistics may be all that is asked for (see run.h).
#pragma once

#include <memory>
#include <vector>

#include "store/internal/memtable.h"
#include "store/internal/run.h"

namespace lineshaft::store {

class Merge {
public:
    explicit Merge(Scope scope);
    /// Samples with from ≤ source time ≤ last; blocks come whole where they are alone.
    Merge(TagId tag, UtcTime from, UtcTime last, Versions versions);

    /// What no run added after this gives. A block touched by it is never given whole.
    void hide(std::vector<Hidden> hidden) { hidden_ = std::move(hidden); }
    /// Orders are unique where runs overlap.
    void add(SnapshotOf<Segment> segment, SegmentSeries series);
    void add(std::uint64_t order, Chunk rows);

    /// False at the end.
    bool next(Piece& piece);
    /// Decodes the whole block of `piece` into rows; an empty piece when it is damaged.
    void open(Piece& piece);

    const Scope& scope() const { return *scope_; }
    const Losses& losses() const { return losses_; }
    std::uint64_t damaged_blocks() const { return losses_.damaged_blocks; }
    /// Something with samples in the range could not be read at all.
    void add_damage() { add_damage(scope_->from, scope_->last); }
    void add_damage(UtcTime first, UtcTime last);
    /// The coarsest tier that is all there is of some stretch in the range.
    std::optional<Tier> coarsest_left() const { return coarsest_left_; }

private:
    void activate();
    void take_rows(Run& run, UtcTime limit, Piece& piece);
    void take_ties(UtcTime time, Piece& piece);
    UtcTime limit_for(const Run& run) const;

    std::unique_ptr<Scope> scope_;  // Runs point to it.
    std::vector<Hidden> hidden_;
    std::vector<Run> waiting_;  // Later first.
    std::vector<Run> active_;
    bool sorted_ = false;
    Run* whole_run_ = nullptr;
    Chunk ties_;
    Losses losses_;
    std::optional<Tier> coarsest_left_;
};

/// Adds what `segments` know of the merge's tag.
void add_segments(Merge& merge, const std::vector<SnapshotOf<Segment>>& segments);
inline void add_segments(Merge& merge, const std::vector<SnapshotOf<Segment>>& segments, TagId, UtcTime, UtcTime) {
    add_segments(merge, segments);
}

/// True when row b repeats row a in all but the receive time.
bool says_the_same(const Chunk& a, std::size_t row_a, const Chunk& b, std::size_t row_b);

}  // namespace lineshaft::store
