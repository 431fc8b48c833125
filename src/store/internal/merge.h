/// One series' samples from many places, as one stream by source time.
///
/// Late data overlaps what is there, so a tag's samples of an hour may lie in three segments and in memory. Each place
/// is a *run*: sorted, with an order that tells which came later. Most of the time only one run has anything to say:
///
///   run 1  [block][block][block]      [block]
///   run 2                   [block]                        a piece ends where another run's next one begins
///   pieces  whole  whole  |  rows   |  whole
///
/// A whole block need not even be decoded: its statistics may be all that is asked for.
#pragma once

#include <vector>

#include "store/internal/memtable.h"
#include "store/internal/segment.h"

namespace lineshaft::store {

enum class Versions : std::uint8_t {
    Last,  // For one source time the last received.
    All,   // Each that says something else than the one before, in the order of arrival.
};

/// Rows of one tag that were erased: those of runs with an order below `order` and from ≤ source time ≤ last.
struct Hidden {
    UtcTime from;
    UtcTime last;
    std::uint64_t order = 0;
    std::uint64_t number = 0;  // A segment written since without them says so in SegmentMeta::erasures.
};

/// A stretch of the stream. Good until the next call of next().
struct Piece {
    // A block not decoded yet, alone in its time; null for rows.
    const BlockHeader* block = nullptr;
    ByteView block_bytes;  // Of that block, as it is in its file.
    // Rows [first, first + count) of `rows`.
    const Chunk* rows = nullptr;
    std::size_t first = 0;
    std::size_t count = 0;
    std::uint64_t order = 0;  // Of the run it came from; of the last one for a piece with versions.
};

class Merge {
public:
    /// Samples with from ≤ source time ≤ last.
    Merge(TagId tag, UtcTime from, UtcTime last, Versions versions);

    /// What no run added after this gives. A block touched by it is never given whole.
    void hide(std::vector<Hidden> hidden) { hidden_ = std::move(hidden); }
    /// Orders are unique where runs overlap.
    void add(SnapshotOf<Segment> segment, std::vector<BlockRef> blocks);
    void add(std::uint64_t order, Chunk rows);

    /// False at the end.
    bool next(Piece& piece);
    /// Decodes the whole block of `piece` into rows; an empty piece when it is damaged.
    void open(Piece& piece);
    std::uint64_t damaged_blocks() const { return damaged_blocks_; }
    /// Something with samples in the range could not be read at all.
    void add_damage() { ++damaged_blocks_; }

private:
    struct Run {
        std::uint64_t order = 0;
        std::vector<Hidden> hidden;
        SnapshotOf<Segment> segment;
        std::vector<BlockRef> blocks;
        std::size_t next_block = 0;
        Chunk rows;  // The block that is open; rows before `row` are done.
        std::size_t row = 0;

        bool is_open() const { return row < rows.size(); }
        bool is_empty() const { return !is_open() && next_block == blocks.size(); }
        UtcTime head() const { return is_open() ? rows.source_times[row] : blocks[next_block].first_time; }
    };

    void activate();
    bool decode_next(Run& run);
    bool take_whole(Run& run, UtcTime limit, Piece& piece);
    void take_rows(Run& run, UtcTime limit, Piece& piece);
    void take_ties(UtcTime time, Piece& piece);
    UtcTime limit_for(const Run& run) const;

    const TagId tag_;
    const UtcTime from_;
    const UtcTime last_;
    const Versions versions_;
    std::vector<Hidden> hidden_;
    std::vector<Run> waiting_;  // Later first.
    std::vector<Run> active_;
    bool sorted_ = false;
    BlockHeader whole_;
    Run* whole_run_ = nullptr;
    Chunk ties_;
    std::uint64_t damaged_blocks_ = 0;
};

/// Samples per the rules above from whatever the caller has: what segments and tables know of `tag`.
void add_segments(Merge& merge, const std::vector<SnapshotOf<Segment>>& segments, TagId tag, UtcTime from,
                  UtcTime last);

/// True when row b repeats row a in all but the receive time.
bool says_the_same(const Chunk& a, std::size_t row_a, const Chunk& b, std::size_t row_b);

}  // namespace lineshaft::store
