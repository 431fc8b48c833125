/// What stands behind Scan and Reducer.
#pragma once

#include "store/historian.h"
#include "store/internal/quantiles.h"
#include "store/internal/sources.h"
#include "store/internal/states.h"

namespace lineshaft::store {

class Scan::Walk {
public:
    explicit Walk(Sources sources) : sources_(std::move(sources)) {}
    bool next(Chunk& into, std::size_t rows_max);
    bool next(NumbersView& into);
    const Losses& losses() const;

private:
    Sources sources_;
    std::optional<Merge> merge_;  // Made at the first step: it reads files.
    Piece piece_;                 // Rows that did not fit into the chunk before.
    Numbers numbers_;             // Rows of memory, and of several runs.
};

/// Puts a stream of rows and wholes into buckets. What holds at a bucket's border is carried over it:
///
///       before ──┐ first            last ┌── goes on
///                └──────●──●────●──●─────┘
///           [start                        end)
class Reducer::Walk {
public:
    Walk(Sources sources, Query query) : sources_(std::move(sources)), query_(std::move(query)) {}
    bool step(std::size_t blocks);
    Reduction take();

private:
    void begin();
    void add_bucket(const Piece& piece);
    void add_rows(const Piece& piece);
    void add_rows(Bucket& bucket, const Chunk& rows, std::size_t first, std::size_t end);
    void add_numbers(const NumbersView& rows);
    void add_numbers(Bucket& bucket, const NumbersView& rows);
    Bucket& bucket_of(UtcTime time);
    void close_bucket();
    void carry(UtcTime time, const Chunk& row);
    UtcTime start_of(UtcTime time) const;
    UtcTime end_of(const Bucket& bucket) const;
    bool needs(Needs one) const { return has(query_.needs, one); }
    bool needs_past() const { return needs(Needs::Integral) || needs(Needs::Resets) || query_.states; }

    Sources sources_;
    Query query_;
    std::optional<Merge> merge_;
    Reduction reduction_;
    UtcTime bucket_last_ = utc_time_min;  // The last nanosecond of the newest bucket.
    bool is_open_ = false;                // The newest bucket may get more.
    // The newest sample before the bucket: its value if usable, and the newest usable one of all.
    bool past_holds_ = false;
    double past_value_ = 0;
    UtcTime past_time_;
    bool has_usable_ = false;
    double last_usable_ = 0;
    Quantiles quantiles_;
    StateClock states_;
};

}  // namespace lineshaft::store
