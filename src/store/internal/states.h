/// How long a tag had each of its values within a bucket, and how often it took them on.
///
/// Threads: belongs to one thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t states_max = 256;  // In one bucket; further values go into one sum.

class StateClock {
public:
    /// From `time` on it has the value of the row, or none when the row is Bad or not a number.
    void enter(UtcTime time, const Chunk& rows, std::size_t row);
    /// Fills in what was since the last close, and goes on with the state that holds.
    void close(UtcTime time, std::optional<UtcTime> hold_until, BucketRows& into);
    /// A bucket begins: only what comes counts, and the state that holds now counts as being there.
    void open(UtcTime time);

private:
    void pass(UtcTime time);
    StateTime* state_of(const std::string& key);

    std::string key_;  // Type and value of the state now; empty: none.
    Value value_;
    UtcTime since_;
    std::unordered_map<std::string, StateTime> states_;
    Duration other_{};
};

}  // namespace lineshaft::store
