/// Memory for the rows of one table: taken piece by piece, given back all at once.
///
/// Why not a vector a series: a table holds thousands of them, all growing. Their doublings would copy every row, and
/// half of the memory would be room for rows that never come.
///
/// Threads: the table's owner.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace lineshaft::store {

class RowArena {
public:
    /// `bytes` at an address for any type; never moved, freed with the arena. Not for more than block_bytes.
    std::byte* take(std::size_t bytes) {
        bytes = (bytes + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);
        if (bytes > left_) {
            blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block_bytes));
            at_ = blocks_.back().get();
            left_ = block_bytes;
        }
        std::byte* const taken = at_;
        at_ += bytes;
        left_ -= bytes;
        return taken;
    }

    static constexpr std::size_t block_bytes = 1024 * 1024;

private:
    std::vector<std::unique_ptr<std::byte[]>> blocks_;
    std::byte* at_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace lineshaft::store
