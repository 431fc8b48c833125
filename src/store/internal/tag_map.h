/// From a tag to its place, for millions of tags: open addressing in one array, so that a lookup touches one cache line
/// and can be begun ahead of need.
///
/// Threads: the owner's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/strong.h"

namespace lineshaft::store {

template <class T>
class TagMap {
public:
    /// Null when there is none.
    T* find(TagId tag) const {
        for (std::size_t at = home_of(tag);; at = (at + 1) & mask_) {
            const Entry& entry = entries_[at];
            if (entry.tag == tag && entry.value) return entry.value;
            if (!entry.value) return nullptr;
        }
    }
    /// Only for a tag that is not there.
    void insert(TagId tag, T* value) {
        ASSERT(value);
        if ((size_ + 1) * 2 > entries_.size()) grow();
        put(tag, value);
        ++size_;
    }
    void prefetch(TagId tag) const { __builtin_prefetch(&entries_[home_of(tag)]); }
    std::size_t size() const { return size_; }

private:
    struct Entry {
        TagId tag;
        T* value = nullptr;
    };
    // Ids come in runs that are handed to shards by turns: multiplied, they spread whatever the pattern.
    std::size_t home_of(TagId tag) const {
        return static_cast<std::size_t>((tag.value() * 0x9E37'79B9'7F4A'7C15U) >> 20) & mask_;
    }
    void put(TagId tag, T* value) {
        std::size_t at = home_of(tag);
        while (entries_[at].value) at = (at + 1) & mask_;
        entries_[at] = {tag, value};
    }
    void grow() {
        std::vector<Entry> before(entries_.size() * 2);
        before.swap(entries_);
        mask_ = entries_.size() - 1;
        for (const Entry& entry : before) {
            if (entry.value) put(entry.tag, entry.value);
        }
    }

    std::vector<Entry> entries_ = std::vector<Entry>(1024);
    std::size_t mask_ = 1023;
    std::size_t size_ = 0;
};

}  // namespace lineshaft::store
