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

/// erasure := from:i64 last:i64 tags:varint tag:varint[tags], rising, each from the one before
Bytes encode_erasure(const Erasure& erasure);
/// Its order and number are the reader's to give. Errors: Corrupt.
Result<Erasure> decode_erasure(ByteView bytes);
void write_tags(const std::vector<TagId>& tags, ByteWriter& out);
std::vector<TagId> read_tags(ByteReader& in);

/// True while rows that the erasure hides may lie in `segment`.
bool may_hide_in(const Erasure& erasure, const Segment& segment);

class Erasures {
public:
    void add(Erasure erasure);
    void remove(std::uint64_t number);
    bool has(std::uint64_t number) const;
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
