#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "store/ledger.h"

namespace lineshaft::store {

void Ranges::add(std::uint64_t first, std::uint64_t last) {
    ASSERT(first <= last);
    // Nearly always the next numbers of a source.
    if (!ranges_.empty() && ranges_.back().last != UINT64_MAX && ranges_.back().last + 1 == first) {
        ranges_.back().last = last;
        return;
    }
    if (ranges_.empty() || first > ranges_.back().last) {
        ranges_.push_back({first, last});
        return;
    }
    // The first range that touches [first, last] or lies behind it, and the first that lies clearly behind.
    const auto begin = std::ranges::lower_bound(
        ranges_, first, [](std::uint64_t end, std::uint64_t from) { return end < from && end + 1 < from; },
        &SequenceRange::last);
    auto end = begin;
    for (; end != ranges_.end() && (last == UINT64_MAX || end->first <= last + 1); ++end) {
        first = std::min(first, end->first);
        last = std::max(last, end->last);
    }
    if (begin == end) {
        ranges_.insert(begin, {first, last});
        return;
    }
    *begin = {first, last};
    ranges_.erase(begin + 1, end);
}

void Ranges::add(const Ranges& other) {
    for (const SequenceRange& range : other.ranges_) add(range.first, range.last);
}

std::uint64_t Ranges::count() const {
    std::uint64_t count = 0;
    for (const SequenceRange& range : ranges_) count += range.last - range.first + 1;
    return count;
}

std::uint64_t Ranges::complete_to(std::uint64_t from) const {
    const auto at = std::ranges::lower_bound(ranges_, from, {}, &SequenceRange::last);
    return at == ranges_.end() || at->first > from ? from - 1 : at->last;
}

bool Ranges::contains(std::uint64_t number) const {
    const auto at = std::ranges::lower_bound(ranges_, number, {}, &SequenceRange::last);
    return at != ranges_.end() && at->first <= number;
}

std::vector<SequenceRange> Ranges::holes() const {
    std::vector<SequenceRange> holes;
    for (std::size_t i = 1; i < ranges_.size(); ++i) holes.push_back({ranges_[i - 1].last + 1, ranges_[i].first - 1});
    return holes;
}

bool Ranges::limit(std::size_t count) {
    ASSERT(count > 0);
    if (ranges_.size() <= count) return false;
    while (ranges_.size() > count) {
        std::size_t smallest = 1;
        const auto hole = [this](std::size_t i) { return ranges_[i].first - ranges_[i - 1].last; };
        for (std::size_t i = 2; i < ranges_.size(); ++i) {
            if (hole(i) < hole(smallest)) smallest = i;
        }
        ranges_[smallest - 1].last = ranges_[smallest].last;
        ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(smallest));
    }
    return true;
}

std::string_view to_text(Presence presence) {
    switch (presence) {
        case Presence::Unknown: return "unknown";
        case Presence::Connected: return "connected";
        case Presence::Away: return "away";
    }
    std::unreachable();
}

std::string_view to_text(GapReason reason) {
    switch (reason) {
        case GapReason::Unknown: return "unknown";
        case GapReason::Link: return "link";
        case GapReason::Device: return "device";
        case GapReason::Refused: return "refused";
        case GapReason::Server: return "server";
        case GapReason::Expired: return "expired";
        case GapReason::Damaged: return "damaged";
    }
    std::unreachable();
}

std::string_view to_text(CadenceFrom from) {
    switch (from) {
        case CadenceFrom::Unknown: return "unknown";
        case CadenceFrom::Configured: return "configured";
        case CadenceFrom::Learned: return "learned";
    }
    std::unreachable();
}

}  // namespace lineshaft::store
