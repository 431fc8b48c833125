/// What stands behind Scan and Reducer.
#pragma once

#include "store/historian.h"
#include "store/internal/merge.h"

namespace lineshaft::store {

class Scan::Walk {
public:
    explicit Walk(Merge stream) : merge(std::move(stream)) {}
    bool next(Chunk& into, std::size_t rows_max);

    Merge merge;

private:
    Piece piece_;  // Rows that did not fit into the chunk before.
};

class Reducer::Walk {
public:
    /// `resolution` 0: one bucket for everything.
    Walk(Merge stream, Duration resolution) : merge_(std::move(stream)) { reduction_.resolution = resolution; }
    bool step(std::size_t blocks);
    Reduction take();

private:
    void add_block(Piece& piece);
    void add_rows(const Piece& piece);
    Bucket& bucket_of(UtcTime time);
    UtcTime start_of(UtcTime time) const;

    Merge merge_;
    Reduction reduction_;
    UtcTime bucket_last_ = utc_time_min;  // The last nanosecond of the newest bucket.
};

}  // namespace lineshaft::store
