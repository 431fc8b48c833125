/// Bytes that wait to be written: added in small pieces, taken in large ones. Holds no memory when empty.
#pragma once

#include <span>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace lineshaft::net {

class OutputQueue {
public:
    void append(ByteView bytes) {
        if (bytes.empty()) return;
        size_ += bytes.size();
        if (chunks_.empty() || chunks_.back().size() + bytes.size() > chunk_bytes_max) {
            chunks_.emplace_back(bytes.begin(), bytes.end());
        } else {
            chunks_.back().insert(chunks_.back().end(), bytes.begin(), bytes.end());
        }
    }
    std::size_t size() const { return size_; }
    /// Fills `into` with the first pieces; returns how many there are.
    std::size_t gather(std::span<ByteView> into) const {
        std::size_t count = 0;
        for (; count < into.size() && count < chunks_.size(); ++count) {
            into[count] = ByteView(chunks_[count]).subspan(count == 0 ? taken_ : 0);
        }
        return count;
    }
    /// The first `bytes` have gone out.
    void drop(std::size_t bytes) {
        ASSERT(bytes <= size_);
        size_ -= bytes;
        if (size_ == 0) return clear();
        taken_ += bytes;
        std::size_t whole = 0;
        for (; taken_ >= chunks_[whole].size(); ++whole) taken_ -= chunks_[whole].size();
        chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(whole));
    }
    void clear() {
        chunks_ = {};
        taken_ = 0;
        size_ = 0;
    }

private:
    // Small enough that growing one by doubling stays cheap, large enough that a gather of a few fills a socket.
    static constexpr std::size_t chunk_bytes_max = 64 * 1024;

    std::vector<Bytes> chunks_;
    std::size_t taken_ = 0;  // Of the first chunk.
    std::size_t size_ = 0;
};

}  // namespace lineshaft::net
