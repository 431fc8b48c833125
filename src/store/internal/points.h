/// What stands behind PointFinder: the values at given times, by looking up their neighbours.
///
/// Threads: belongs to one thread.
#pragma once

#include "store/historian.h"
#include "store/internal/sources.h"

namespace lineshaft::store {

class PointFinder::Walk {
public:
    Walk(Sources sources, PointQuery query) : sources_(std::move(sources)), query_(std::move(query)) {}
    std::vector<Point> take();

private:
    Point step_at(UtcTime time);
    Point line_at(UtcTime time);
    Chunk at_or_before(UtcTime time) const;

    Sources sources_;
    PointQuery query_;
    // The samples around the time before: often around the next one too.
    Chunk left_;
    Chunk right_;
    bool is_bad_between_ = false;
};

}  // namespace lineshaft::store
