/// What is due when, under a ceiling of requests per second. Pure: it owns no timer and reads no clock.
///
/// Each entry has a grid: first, first + period, first + 2 periods, … An entry that was not served in time is served
/// once and then goes on with the next point of its grid; the points skipped are counted as missed.
///
/// The ceiling is a distance: between two requests lies at least 1 / ceiling. So no second, wherever it begins, ever
/// holds more than the ceiling, and a device is not surprised by bursts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace lineshaft::modbus {

class Poller {
public:
    explicit Poller(double requests_per_second_max);

    /// Entries are numbered from 0 in the order of adding.
    std::size_t add(Duration period, Instant first);
    /// Forgets the entries; the ceiling and the count of missed cycles stay.
    void clear() { entries_.clear(); }
    /// The entry that has been due for longest; nullopt when none is.
    std::optional<std::size_t> due(Instant now) const;
    std::vector<std::size_t> all_due(Instant now) const;
    /// The entry is served (or given up) for this cycle.
    void serve(std::size_t entry, Instant now);
    /// The entry is due at once, and from there on in its period.
    void hurry(std::size_t entry, Instant now) { entries_[entry].due = now; }
    /// When the next entry is due; nullopt without entries.
    std::optional<Instant> next_due() const;

    bool may_ask(Instant now) const { return now >= next_slot_; }
    Instant next_slot() const { return next_slot_; }
    void note_request(Instant now) { next_slot_ = now + distance_; }

    std::uint64_t missed() const { return missed_; }

private:
    struct Entry {
        Duration period;
        Instant due;
    };
    const Duration distance_;
    std::vector<Entry> entries_;
    Instant next_slot_;
    std::uint64_t missed_ = 0;
};

}  // namespace lineshaft::modbus
