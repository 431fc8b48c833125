#include "south/modbus/internal/poller.h"

#include <cmath>

#include "base/assert.h"

namespace lineshaft::modbus {

Poller::Poller(double requests_per_second_max)
    : distance_(static_cast<std::int64_t>(std::ceil(1e9 / requests_per_second_max))) {
    ASSERT(requests_per_second_max > 0);
}

std::size_t Poller::add(Duration period, Instant first) {
    ASSERT(period > 0ns);
    entries_.push_back({period, first});
    return entries_.size() - 1;
}

std::optional<std::size_t> Poller::due(Instant now) const {
    std::optional<std::size_t> longest;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].due <= now && (!longest || entries_[i].due < entries_[*longest].due)) longest = i;
    }
    return longest;
}

std::vector<std::size_t> Poller::all_due(Instant now) const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].due <= now) all.push_back(i);
    }
    return all;
}

void Poller::serve(std::size_t entry, Instant now) {
    Entry& served = entries_[entry];
    ASSERT(served.due <= now);
    const std::int64_t skipped = (now - served.due) / served.period;
    missed_ += static_cast<std::uint64_t>(skipped);
    served.due = served.due + served.period * (skipped + 1);
    ASSERT(served.due > now);
}

std::optional<Instant> Poller::next_due() const {
    std::optional<Instant> next;
    for (const Entry& entry : entries_) {
        if (!next || entry.due < *next) next = entry.due;
    }
    return next;
}

}  // namespace lineshaft::modbus
