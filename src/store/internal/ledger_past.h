/// Hours, refusals and presence of a stretch of time, read back from ledger files or copied from memory.
///
/// Threads: plain values; read_past blocks: on the disk pool.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/disk.h"
#include "store/internal/ledger_record.h"

namespace lineshaft::store {

struct PastHour {
    std::uint64_t assigned = 0;
    Ranges stored;
    std::vector<Refused> refused;
};

struct LedgerPast {
    std::map<std::pair<std::int64_t, SourceId>, PastHour> hours;
    std::map<SourceId, std::vector<PresenceEvent>> presence;  // Oldest first.
    bool more = false;                                        // Later hours were left out.

    /// Unions and maxima: what both know counts once.
    void add(const LedgerPast& other);
    void add_hour(SourceId id, std::int64_t hour, const Ranges& stored);
    void add_refused(SourceId id, std::int64_t hour, const Refused& refused);
    void add_presence(SourceId id, const PresenceEvent& event);
    /// At most `count` hours, the oldest.
    void limit(std::size_t count);
};

/// The larger count, the earliest first and latest last time, for the same device and reason.
void merge_refused(std::vector<Refused>& all, const Refused& one, std::size_t kept_max);

/// What is to be read.
struct LedgerReading {
    std::string directory;
    std::vector<std::uint32_t> months;
    std::int64_t hour_from = 0;
    std::int64_t hour_to = 0;    // Hours in [hour_from, hour_to).
    std::vector<SourceId> only;  // Sorted; empty: all.
    std::size_t hours_max = ledger_hours_max;
};
/// Presence is given from before the first hour on, as the state at its beginning matters. Errors: Io, VersionUnknown.
Result<LedgerPast> read_past(Disk& disk, const LedgerReading& reading);

/// Adds the hours, refusals and presence of `file`, each statement once and at its newest. Errors: Corrupt,
/// VersionUnknown.
Result<void> compact(ByteView file, RecordPacker& into);

}  // namespace lineshaft::store
