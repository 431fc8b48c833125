/// What the ledger of a shard says when it is asked.

#include <algorithm>

#include "store/internal/ledger.h"

namespace lineshaft::store {
namespace {

OwnNumbers own_numbers(const std::string& device, UtcTime since, const Ranges& heard) {
    // Kept one higher than the device counts: see hear_own.
    OwnNumbers own;
    own.device = device;
    own.since = since;
    if (heard.empty()) return own;
    own.complete_to = heard.complete_to(heard.first()) - 1;
    own.highest = heard.last() - 1;
    own.missing = heard.last() - heard.first() + 1 - heard.count();
    for (const SequenceRange& hole : heard.holes()) own.holes.push_back({hole.first - 1, hole.last - 1});
    return own;
}

}  // namespace

std::vector<LedgerSource> Ledger::sources(std::string_view prefix) const {
    std::vector<LedgerSource> all;
    for (const Source& source : sources_) {
        if (source.name.empty() || !source.name.starts_with(prefix)) continue;
        LedgerSource& entry = all.emplace_back();
        entry.name = source.name;
        entry.shard = shard_.id();
        entry.assigned_to = source.assigned_to;
        entry.complete_to = source.stored.complete_to();
        entry.holes = source.stored.holes();
        if (!source.stored.empty() && source.stored.first() > 1)
            entry.holes.insert(entry.holes.begin(), {1, source.stored.first() - 1});
        if (entry.holes.size() > ledger_holes_max) {
            entry.holes_more = entry.holes.size() - ledger_holes_max;
            entry.holes.resize(ledger_holes_max);
        }
        for (const Hour& hour : source.hours) {
            for (const Refused& refused : hour.refused) entry.refused += refused.count;
        }
        entry.last_heard = source.last_heard;
        if (!source.presence.empty()) {
            entry.presence = source.presence.back().presence;
            entry.presence_since = source.presence.back().time;
        }
        for (const auto& [device, own] : source.own) entry.own.push_back(own_numbers(device, own.since, own.heard));
    }
    return all;
}

LedgerPast Ledger::recent(std::string_view name, UtcTime from, UtcTime to) const {
    LedgerPast past;
    const std::int64_t first = hour_of(from);
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        const Source& source = sources_[i];
        if (!name.empty() && source.name != name) continue;
        for (const Hour& hour : source.hours) {
            if (hour.hour < first || UtcTime(hour.hour * hour_ns) >= to) continue;
            PastHour& entry = past.hours[{hour.hour, SourceId(i + 1)}];
            entry.assigned = hour.assigned;
            entry.stored = hour.stored;
            entry.refused = hour.refused;
        }
    }
    return past;
}

std::vector<UpTime> Ledger::up_times(UtcTime from, UtcTime to) const {
    std::vector<UpTime> found;
    for (std::size_t i = 0; i < up_.size(); ++i) {
        UpTime up = up_[i];
        if (log_ && !closed_ && i + 1 == up_.size()) up.until = std::max(up.until, shard_.utc_now());
        if (up.from < to && up.until >= from) found.push_back(up);
    }
    return found;
}

std::vector<SourceId> Ledger::sources_of(std::string_view device) const {
    const auto at = feeds_.find(std::string(device));
    std::vector<SourceId> sources = at == feeds_.end() ? std::vector<SourceId>() : at->second;
    std::ranges::sort(sources);
    return sources;
}

LedgerPast Ledger::around(std::string_view device, UtcTime from, UtcTime to, bool& needs_past) const {
    LedgerPast past;
    needs_past = false;
    for (const SourceId id : sources_of(device)) {
        const Source& source = sources_[id.value() - 1];
        for (const PresenceEvent& event : source.presence) past.add_presence(id, event);
        needs_past |= source.presence_cut && (source.presence.empty() || source.presence.front().time > from);
    }
    const std::int64_t first = hour_of(from);
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        for (const Hour& hour : sources_[i].hours) {
            if (hour.hour < first || UtcTime(hour.hour * hour_ns) >= to) continue;
            for (const Refused& refused : hour.refused) {
                if (refused.device == device) past.add_refused(SourceId(i + 1), hour.hour, refused);
            }
        }
    }
    return past;
}

LedgerReading Ledger::reading(UtcTime from, UtcTime to, std::vector<SourceId> only) const {
    LedgerReading reading;
    reading.directory = options_.directory;
    reading.hour_from = hour_of(from);
    reading.hour_to = hour_of(to) + (to.ns() % hour_ns != 0 ? 1 : 0);
    reading.only = std::move(only);
    std::ranges::sort(reading.only);
    const std::uint32_t first = month_of(from), last = month_of(to);
    for (const std::uint32_t month : months_) {
        // A month's file begins with hours of the one before; the first later one may hold what came with the carry.
        if (month >= first && month <= last + 1) reading.months.push_back(month);
    }
    return reading;
}

void Ledger::read(LedgerReading reading, std::move_only_function<void(Result<LedgerPast>)> done) {
    pool_.run(
        shard_, [&disk = disk_, reading = std::move(reading)] { return read_past(disk, reading); }, std::move(done));
}

std::optional<SourceId> Ledger::id_of(const std::string& name) const {
    const auto at = ids_.find(name);
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace lineshaft::store
