/// The ledger's bytes: entries that state what is so, as far as is known when they are written.
///
/// file   := header record*                                                     all little-endian, crc32c
/// header := magic:u32 "LSLG" version:u16 shard:u16 month:u32 crc:u32           16 bytes; month: years * 12 + 0 … 11
/// record := crc:u32 size:u32 entry*                                            crc covers size and entries
/// entry  := kind:u8 bytes:varint body
/// source   := id:varint name:text                                                                         kind 1
/// stored   := id:varint assigned_to:varint last_heard:i64 ranges               of all time                kind 2
/// hour     := id:varint hour:varint ranges                                     received within it         kind 3
/// refused  := id:varint hour:varint count:varint first:i64 last:i64 device:text reason:text               kind 4
/// presence := id:varint time:i64 presence:u8                                                              kind 5
/// up       := from:i64 until:i64 closed:u8                                                                kind 6
/// feeds    := id:varint device:text                                                                       kind 7
/// own      := id:varint since:i64 device:text ranges                           the device's own numbers   kind 8
/// ranges   := count:varint (skip:varint more:varint)*    skip: from one after the range before (1 at first) to the
///             first number; more: from the first to the last
/// text     := bytes:varint byte*
///
/// Applying an entry twice, or an old one after a newer one, changes nothing: ranges are unions, counts and times
/// only rise. A reader passes over kinds it does not know. The same entries are bodies of the log's ledger records.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"
#include "store/ledger.h"

namespace lineshaft::store {

inline constexpr std::size_t ledger_header_bytes = 16;
inline constexpr std::size_t ledger_record_bytes_max = 64 * 1024;  // About: damage costs one record.

struct PresenceEvent {
    UtcTime time;
    Presence presence = Presence::Unknown;
    friend bool operator==(const PresenceEvent&, const PresenceEvent&) = default;
};

void append_source_entry(SourceId id, std::string_view name, Bytes& into);
void append_stored(SourceId id, std::uint64_t assigned_to, UtcTime last_heard, const Ranges& stored, Bytes& into);
void append_hour(SourceId id, std::int64_t hour, const Ranges& stored, Bytes& into);
void append_refused(SourceId id, std::int64_t hour, const Refused& refused, Bytes& into);
void append_presence(SourceId id, const PresenceEvent& event, Bytes& into);
void append_up(const UpTime& up, Bytes& into);
void append_feeds(SourceId id, std::string_view device, Bytes& into);
void append_own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard, Bytes& into);

/// What reads entries.
class LedgerVisitor {
public:
    virtual ~LedgerVisitor() = default;
    virtual void source(SourceId, std::string_view) {}
    virtual void stored(SourceId, std::uint64_t, UtcTime, const Ranges&) {}
    virtual void hour(SourceId, std::int64_t, const Ranges&) {}
    virtual void refused(SourceId, std::int64_t, const Refused&) {}
    virtual void presence(SourceId, const PresenceEvent&) {}
    virtual void up(const UpTime&) {}
    virtual void feeds(SourceId, std::string_view) {}
    virtual void own(SourceId, std::string_view, UtcTime, const Ranges&) {}
};
/// Errors: Corrupt; what comes before the damage was given to the visitor.
Result<void> read_entries(ByteView entries, LedgerVisitor& visitor);

Bytes encode_ledger_header(ShardId shard, std::uint32_t month);
/// Puts `entries` into a record at the end of `file`; nothing when there are none.
void append_ledger_record(ByteView entries, Bytes& file);

/// Packs entries into records of a bearable size.
class RecordPacker {
public:
    explicit RecordPacker(Bytes file = {}) : file_(std::move(file)) {}
    /// Append whole entries here, one at a time.
    Bytes& entries() {
        if (entries_.size() >= ledger_record_bytes_max) end_record();
        return entries_;
    }
    Bytes take() {
        end_record();
        return std::move(file_);
    }

private:
    void end_record() {
        append_ledger_record(entries_, file_);
        entries_.clear();
    }
    Bytes file_;
    Bytes entries_;
};

struct LedgerFileRead {
    std::uint64_t good_bytes = 0;  // Up to the end of the last good record.
    bool damaged = false;          // Something before that was passed over.
};
/// A torn end is no error; damage before it is passed over and reported. Errors: Corrupt (the header), VersionUnknown.
Result<LedgerFileRead> read_ledger_file(ByteView file, LedgerVisitor& visitor);

/// "LEDGER-2026-11"; and back, 0 for other names.
std::string ledger_name(std::uint32_t month);
std::uint32_t ledger_month(std::string_view name);
std::uint32_t month_of(UtcTime time);
/// The first instant of a month.
UtcTime month_start(std::uint32_t month);

constexpr std::int64_t hour_ns = 3'600'000'000'000;
inline std::int64_t hour_of(UtcTime time) {
    return time.ns() >= 0 ? time.ns() / hour_ns : -1 - (-1 - time.ns()) / hour_ns;
}

}  // namespace lineshaft::store
