/// What was erased and is still in files: readers are kept from it until a merge has left it out.
///
/// An erasure hides rows of runs with an order below its own: those that were there when it was made. What comes after
/// it (a correction) has a higher order and is seen.
///
/// Threads: own shard; a copy goes with a job.
#pragma once

#include <unordered_map>
#include <vector>

#include "store/internal/merge.h"

namespace lineshaft::store {

struct Erasure {
    Hidden hidden;
    std::vector<TagId> tags;  // They rise.
};

/// True while rows that the erasure hides may lie in `segment`.
bool may_hide_in(const Erasure& erasure, const Segment& segment);

class Erasures {
public:
    void add(Erasure erasure);
    void remove(std::uint64_t number);
    /// What hides rows of `tag`.
    std::vector<Hidden> of(TagId tag) const;
    const std::vector<Erasure>& all() const { return all_; }
    bool empty() const { return all_.empty(); }
    bool concern(const Segment& segment) const;

private:
    std::vector<Erasure> all_;  // Numbers rise.
    std::unordered_map<TagId, std::vector<Hidden>> by_tag_;
};

}  // namespace lineshaft::store
