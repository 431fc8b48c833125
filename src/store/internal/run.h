/// One place's samples of a series as a tree: tiers over blocks over rows. A reader goes down only where it must.
///
///   day     [            ][            ][            ]      taken whole when nobody else has a say in its time and
///   hour    [ ][ ][ ]…                                      the question needs no finer cut
///   block   [  ][  ][   ][  ]…
///   rows    ···················                             where late data, the range or a bucket cuts
///
/// The position is a time: what is before it has been given. It moves with what is taken on any level, so a reader
/// that had to go down for one late sample is back at whole days after it.
///
/// Threads: belongs to one thread; the segment beneath is shared and immutable.
#pragma once

#include <optional>
#include <vector>

#include "store/internal/segment.h"

namespace lineshaft::store {

enum class Versions : std::uint8_t {
    Last,  // For one source time the last received.
    All,   // Each that says something else than the one before, in the order of arrival.
};

/// What a reader takes without looking into it.
enum class Wholes : std::uint8_t {
    None,     // Rows.
    Blocks,   // Blocks, to copy them.
    Buckets,  // Statistics of tiers and blocks.
};

/// Rows of one tag that were erased: those of runs with an order below `order` and from ≤ source time ≤ last.
struct Hidden {
    UtcTime from;
    UtcTime last;
    std::uint64_t order = 0;
    std::uint64_t number = 0;  // A segment written since without them says so in SegmentMeta::erasures.
};

/// What is asked of every run alike.
struct Scope {
    TagId tag;
    UtcTime from;
    UtcTime last;  // Inclusive.
    Versions versions = Versions::Last;
    Wholes wholes = Wholes::None;
    Duration grain{0};                // Wholes::Buckets: none lies across a multiple of it. 0: any does.
    Needs needs = Needs::Basic;       // Wholes::Buckets: what a whole must tell.
    std::optional<UtcTime> known_at;  // Rows received later do not exist.
    bool numbers = false;             // Versions::Last: rows of a block that is alone come as numbers.
};

/// What could not be read, and where only tiers were left.
struct Losses {
    std::uint64_t damaged_blocks = 0;
    std::vector<TimeRange> damaged;
    std::vector<TimeRange> expired;
};

/// A stretch of the stream. Good until the next call of next().
struct Piece {
    // A block not decoded yet, alone in its time; null for others. And its bytes.
    const BlockHeader* block = nullptr;
    ByteView block_bytes;
    // A bucket that stands for its rows; null for others.
    const Bucket* bucket = nullptr;
    std::optional<Tier> expired;  // The bucket is all that is left, and the finest: of this tier.
    // Rows [first, first + count) of `rows`, or of `numbers` where the scope asks for those.
    const Chunk* rows = nullptr;
    const Numbers* numbers = nullptr;
    std::size_t first = 0;
    std::size_t count = 0;
    std::uint64_t order = 0;  // Of the run it came from; of the last one for a piece with versions.
};

class Run {
public:
    /// Rows in memory, sorted, all within the scope; not empty after what is hidden.
    Run(const Scope& scope, std::uint64_t order, Chunk rows, const std::vector<Hidden>& hidden);
    /// `series` is an outline.
    Run(const Scope& scope, SnapshotOf<Segment> segment, SegmentSeries series, const std::vector<Hidden>& hidden);

    std::uint64_t order() const { return order_; }
    bool is_empty() const { return is_empty_; }
    /// No sample left is before it; exact when open.
    UtcTime head() const { return is_open() ? rows_.source_times[row_] : head_; }
    /// Makes head() as good as it can be without decoding rows.
    void settle(Losses& losses);

    bool is_open() const { return row_ < rows_.size(); }
    /// Open: the rows at hand.
    const Chunk& rows() const { return rows_; }
    std::size_t row() const { return row_; }
    /// Open: where this run's next block begins, which may hold more of the last row's time.
    UtcTime next_block_time() const;
    /// Open: passes over rows up to `row`, which have been given.
    void pass_rows(std::size_t row, Losses& losses);

    /// Not open: gives what comes next whole, when it ends before `limit` and the scope allows. Otherwise go down().
    bool take_whole(UtcTime limit, Piece& piece, Losses& losses);
    /// Not open: into what comes next; in the end to rows.
    void go_down(Losses& losses);
    /// Decodes the block that take_whole gave just now; all its rows count as given.
    bool decode_taken(Losses& losses);

private:
    struct Level {
        TierRef ref;
        std::size_t chunk = 0;        // The one at hand.
        std::vector<Bucket> buckets;  // Of it; none: not decoded, or damaged.
        bool is_decoded = false;
        std::size_t next = 0;
    };
    struct Item {
        UtcTime first_time;
        UtcTime last_time;
        const Bucket* bucket = nullptr;
    };
    void choose_levels();
    std::optional<Item> item_at(Level& level, Losses& losses);
    void decode_chunk(Level& level, Losses& losses);
    bool settle_level(Losses& losses);
    bool settle_blocks(Losses& losses);
    void leave_bound();
    bool ensure_blocks(Losses& losses);
    bool is_apart() const;
    bool take_numbers(const BlockRef& block, UtcTime limit, Piece& piece);
    bool block_may_be_whole(const BlockRef& block, UtcTime limit) const;
    bool decode_next(Losses& losses);
    void cut(UtcTime from, UtcTime last);
    bool is_hidden(UtcTime first, UtcTime last) const;
    const ExpiredRange* expired_at(const Bucket& bucket, Tier tier) const;
    void tell_expired(const Bucket& bucket, Losses& losses) const;
    void damage(UtcTime first, UtcTime last, Losses& losses) const;
    UtcTime bound() const { return bounds_.empty() ? scope_->last : std::min(bounds_.back(), scope_->last); }
    void move_past(UtcTime last);

    const Scope* scope_;
    std::uint64_t order_;
    std::vector<Hidden> hidden_;
    SnapshotOf<Segment> segment_;
    SegmentSeries series_;
    std::vector<Level> levels_;    // Coarsest first.
    std::vector<UtcTime> bounds_;  // The ends of the items that were gone down into, one for each level.
    std::optional<Item> item_;     // Of the level at hand; none: it is a block.
    UtcTime position_;             // What is before it has been given.
    UtcTime head_;
    bool is_empty_ = false;
    bool is_settled_ = false;
    bool has_blocks_ = false;
    std::size_t next_block_ = 0;
    Chunk rows_;  // The block that is open; rows before `row_` have been given.
    std::size_t row_ = 0;
    BlockHeader whole_;
    Numbers numbers_;  // Of `numbers_block_`.
    std::optional<std::size_t> numbers_block_;
};

/// Keeps the last row of each source time.
void keep_last_versions(Chunk& rows);

}  // namespace lineshaft::store
