#include "store/internal/ledger_past.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace lineshaft::store {
namespace {

constexpr std::size_t refused_per_hour_max = 64;

/// Takes of a file what was asked for.
class PastReader final : public LedgerVisitor {
public:
    PastReader(const LedgerReading& reading, LedgerPast& past) : reading_(reading), past_(past) {}

    void hour(SourceId id, std::int64_t hour, const Ranges& stored) override {
        if (!is_asked(id) || hour < reading_.hour_from || hour >= reading_.hour_to) return;
        past_.add_hour(id, hour, stored);
        // Twice as many as wanted, so that cutting is rare.
        if (past_.hours.size() > 2 * reading_.hours_max) past_.limit(reading_.hours_max);
    }
    void refused(SourceId id, std::int64_t hour, const Refused& refused) override {
        if (is_asked(id) && hour >= reading_.hour_from && hour < reading_.hour_to)
            past_.add_refused(id, hour, refused);
    }
    void presence(SourceId id, const PresenceEvent& event) override {
        if (!reading_.only.empty() && is_asked(id)) past_.add_presence(id, event);
    }

private:
    bool is_asked(SourceId id) const {
        return reading_.only.empty() || std::ranges::binary_search(reading_.only, id);
    }

    const LedgerReading& reading_;
    LedgerPast& past_;
};

/// Everything of a file, each thing once.
class WholeReader final : public LedgerVisitor {
public:
    void hour(SourceId id, std::int64_t hour, const Ranges& stored) override { past_.add_hour(id, hour, stored); }
    void refused(SourceId id, std::int64_t hour, const Refused& refused) override {
        past_.add_refused(id, hour, refused);
    }
    void presence(SourceId id, const PresenceEvent& event) override { past_.add_presence(id, event); }

    void write(RecordPacker& into) const {
        for (const auto& [key, hour] : past_.hours) {
            if (!hour.stored.empty()) append_hour(key.second, key.first, hour.stored, into.entries());
            for (const Refused& refused : hour.refused)
                append_refused(key.second, key.first, refused, into.entries());
        }
        for (const auto& [id, events] : past_.presence) {
            for (const PresenceEvent& event : events) append_presence(id, event, into.entries());
        }
    }

private:
    LedgerPast past_;
};

}  // namespace

void merge_refused(std::vector<Refused>& all, const Refused& one, std::size_t kept_max) {
    const auto same =
        std::ranges::find_if(all, [&](const Refused& r) { return r.device == one.device && r.reason == one.reason; });
    if (same == all.end()) {
        if (all.size() < kept_max) all.push_back(one);
        return;
    }
    same->count = std::max(same->count, one.count);
    same->first = std::min(same->first, one.first);
    same->last = std::max(same->last, one.last);
}

void LedgerPast::add_hour(SourceId id, std::int64_t hour, const Ranges& stored) {
    PastHour& past = hours[{hour, id}];
    past.stored.add(stored);
    past.assigned = std::max(past.assigned, past.stored.count());
}

void LedgerPast::add_refused(SourceId id, std::int64_t hour, const Refused& refused) {
    merge_refused(hours[{hour, id}].refused, refused, refused_per_hour_max);
}

void LedgerPast::add_presence(SourceId id, const PresenceEvent& event) {
    std::vector<PresenceEvent>& events = presence[id];
    // Those of one instant stay as they came, so that the last of them is what holds from then on.
    const auto same_time = std::ranges::equal_range(events, event.time, {}, &PresenceEvent::time);
    if (std::ranges::find(same_time, event) != same_time.end()) return;
    events.insert(same_time.end(), event);
}

void LedgerPast::add(const LedgerPast& other) {
    for (const auto& [key, hour] : other.hours) {
        PastHour& mine = hours[key];
        mine.stored.add(hour.stored);
        mine.assigned = std::max({mine.assigned, hour.assigned, mine.stored.count()});
        for (const Refused& refused : hour.refused) merge_refused(mine.refused, refused, refused_per_hour_max);
    }
    for (const auto& [id, events] : other.presence) {
        for (const PresenceEvent& event : events) add_presence(id, event);
    }
    more |= other.more;
}

void LedgerPast::limit(std::size_t count) {
    if (hours.size() <= count) return;
    hours.erase(std::next(hours.begin(), static_cast<std::ptrdiff_t>(count)), hours.end());
    more = true;
}

Result<LedgerPast> read_past(Disk& disk, const LedgerReading& reading) {
    LedgerPast past;
    PastReader reader(reading, past);
    for (const std::uint32_t month : reading.months) {
        const std::string path = reading.directory + "/" + ledger_name(month);
        const auto file = disk.open(path);
        if (!file) {
            if (file.error().code() == ErrorCode::NotFound) continue;
            return std::unexpected(file.error());
        }
        const auto read = read_ledger_file((*file)->map(), reader);
        if (!read && read.error().code() != ErrorCode::Corrupt) return std::unexpected(read.error());
        if (!read) log_error("{}: {}", path, read.error().detail());
    }
    past.limit(reading.hours_max);
    return past;
}

Result<void> compact(ByteView file, RecordPacker& into) {
    WholeReader reader;
    TRY_VOID(read_ledger_file(file, reader));
    reader.write(into);
    return {};
}

}  // namespace lineshaft::store
