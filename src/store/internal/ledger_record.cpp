#include "store/internal/ledger_record.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace lineshaft::store {
namespace {

constexpr std::uint32_t magic = 0x47'4C'53'4C;  // "LSLG".
constexpr std::uint16_t version = 1;
constexpr std::size_t prefix_bytes = 8;
// More ranges than this are no ledger's: damage that the checksum missed must not cost memory.
constexpr std::uint64_t ranges_max = 1'000'000;

enum class Kind : std::uint8_t { Source = 1, Stored, Hour, Refused, Presence, Up, Feeds, Own };

void put_text(ByteWriter& out, std::string_view text) {
    out.varint(text.size());
    out.text(text);
}

void put_ranges(ByteWriter& out, const Ranges& ranges) {
    out.varint(ranges.all().size());
    std::uint64_t next = 1;
    for (const SequenceRange& range : ranges.all()) {
        out.varint(range.first - next);
        out.varint(range.last - range.first);
        next = range.last + 1;
    }
}

std::string_view read_text(ByteReader& in) { return in.text(static_cast<std::size_t>(in.varint())); }
UtcTime read_time(ByteReader& in) { return UtcTime(in.le<std::int64_t>()); }

Ranges read_ranges(ByteReader& in) {
    Ranges ranges;
    const std::uint64_t count = in.varint();
    if (count > ranges_max) in.fail();
    std::uint64_t next = 1;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const std::uint64_t first = next + in.varint();
        const std::uint64_t last = first + in.varint();
        if (!in.ok() || first < next || last < first || (last == UINT64_MAX && i + 1 < count)) {
            in.fail();
            break;
        }
        ranges.add(first, last);
        next = last + 1;
    }
    return ranges;
}

template <class Write>
void append_entry(Kind kind, Bytes& into, Write write) {
    Bytes body;
    ByteWriter out(body);
    write(out);
    ByteWriter entry(into);
    entry.u8(static_cast<std::uint8_t>(kind));
    entry.varint(body.size());
    entry.bytes(body);
}

std::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::Corrupt, what); }

Refused read_refused(ByteReader& in) {
    Refused refused;
    refused.count = in.varint();
    refused.first = read_time(in);
    refused.last = read_time(in);
    refused.device = read_text(in);
    refused.reason = read_text(in);
    return refused;
}

/// False when the body does not follow the format.
bool read_entry(Kind kind, ByteReader& in, LedgerVisitor& visitor) {
    if (kind == Kind::Up) {
        UpTime up;
        up.from = read_time(in);
        up.until = read_time(in);
        up.closed = in.u8() != 0;
        if (in.ok()) visitor.up(up);
        return in.ok();
    }
    const SourceId id(in.varint());
    if (!in.ok() || id == SourceId()) return false;
    switch (kind) {
        case Kind::Source: {
            const std::string_view name = read_text(in);
            if (in.ok()) visitor.source(id, name);
            return in.ok();
        }
        case Kind::Stored: {
            const std::uint64_t assigned_to = in.varint();
            const UtcTime heard = read_time(in);
            const Ranges stored = read_ranges(in);
            if (in.ok()) visitor.stored(id, assigned_to, heard, stored);
            return in.ok();
        }
        case Kind::Hour: {
            const auto hour = static_cast<std::int64_t>(in.varint());
            const Ranges stored = read_ranges(in);
            if (in.ok()) visitor.hour(id, hour, stored);
            return in.ok();
        }
        case Kind::Refused: {
            const auto hour = static_cast<std::int64_t>(in.varint());
            const Refused refused = read_refused(in);
            if (in.ok()) visitor.refused(id, hour, refused);
            return in.ok();
        }
        case Kind::Presence: {
            const UtcTime time = read_time(in);
            const std::uint8_t presence = in.u8();
            if (!in.ok() || presence > static_cast<std::uint8_t>(Presence::Away)) return false;
            visitor.presence(id, {time, static_cast<Presence>(presence)});
            return true;
        }
        case Kind::Feeds: {
            const std::string_view device = read_text(in);
            if (in.ok()) visitor.feeds(id, device);
            return in.ok();
        }
        case Kind::Own: {
            const UtcTime since = read_time(in);
            const std::string_view device = read_text(in);
            const Ranges heard = read_ranges(in);
            if (in.ok()) visitor.own(id, device, since, heard);
            return in.ok();
        }
        default: return true;  // Of a later version.
    }
}

/// The bytes of the whole record at the front, 0 when there is none.
std::size_t record_at(ByteView bytes) {
    if (bytes.size() < prefix_bytes) return 0;
    const auto size = load_le<std::uint32_t>(bytes.data() + 4);
    if (size == 0 || size > bytes.size() - prefix_bytes) return 0;
    const bool good = crc32c(bytes.subspan(4, 4 + size)) == load_le<std::uint32_t>(bytes.data());
    return good ? prefix_bytes + size : 0;
}

}  // namespace

void append_source_entry(SourceId id, std::string_view name, Bytes& into) {
    append_entry(Kind::Source, into, [&](ByteWriter& out) {
        out.varint(id.value());
        put_text(out, name);
    });
}

void append_stored(SourceId id, std::uint64_t assigned_to, UtcTime last_heard, const Ranges& stored, Bytes& into) {
    append_entry(Kind::Stored, into, [&](ByteWriter& out) {
        out.varint(id.value());
        out.varint(assigned_to);
        out.le(last_heard.ns());
        put_ranges(out, stored);
    });
}

void append_hour(SourceId id, std::int64_t hour, const Ranges& stored, Bytes& into) {
    append_entry(Kind::Hour, into, [&](ByteWriter& out) {
        out.varint(id.value());
        out.varint(static_cast<std::uint64_t>(hour));
        put_ranges(out, stored);
    });
}

void append_refused(SourceId id, std::int64_t hour, const Refused& refused, Bytes& into) {
    append_entry(Kind::Refused, into, [&](ByteWriter& out) {
        out.varint(id.value());
        out.varint(static_cast<std::uint64_t>(hour));
        out.varint(refused.count);
        out.le(refused.first.ns());
        out.le(refused.last.ns());
        put_text(out, refused.device);
        put_text(out, refused.reason);
    });
}

void append_presence(SourceId id, const PresenceEvent& event, Bytes& into) {
    append_entry(Kind::Presence, into, [&](ByteWriter& out) {
        out.varint(id.value());
        out.le(event.time.ns());
        out.u8(static_cast<std::uint8_t>(event.presence));
    });
}

void append_up(const UpTime& up, Bytes& into) {
    append_entry(Kind::Up, into, [&](ByteWriter& out) {
        out.le(up.from.ns());
        out.le(up.until.ns());
        out.u8(up.closed ? 1 : 0);
    });
}

void append_feeds(SourceId id, std::string_view device, Bytes& into) {
    append_entry(Kind::Feeds, into, [&](ByteWriter& out) {
        out.varint(id.value());
        put_text(out, device);
    });
}

void append_own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard, Bytes& into) {
    append_entry(Kind::Own, into, [&](ByteWriter& out) {
        out.varint(id.value());
        out.le(since.ns());
        put_text(out, device);
        put_ranges(out, heard);
    });
}

Result<void> read_entries(ByteView entries, LedgerVisitor& visitor) {
    ByteReader in(entries);
    while (in.left() > 0) {
        const auto kind = static_cast<Kind>(in.u8());
        const std::uint64_t size = in.varint();
        ByteReader body(in.bytes(static_cast<std::size_t>(size)));
        if (!in.ok() || !read_entry(kind, body, visitor))
            return corrupt("an entry of the ledger ends before its end");
    }
    return {};
}

Bytes encode_ledger_header(ShardId shard, std::uint32_t month) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.le(magic);
    out.le(version);
    out.le(shard.value());
    out.le(month);
    out.le(crc32c(bytes));
    return bytes;
}

void append_ledger_record(ByteView entries, Bytes& file) {
    if (entries.empty()) return;
    const std::size_t at = file.size();
    ByteWriter out(file);
    out.le(std::uint32_t{0});
    out.le(static_cast<std::uint32_t>(entries.size()));
    out.bytes(entries);
    store_le(file.data() + at, crc32c(ByteView(file).subspan(at + 4)));
}

Result<LedgerFileRead> read_ledger_file(ByteView file, LedgerVisitor& visitor) {
    if (file.size() < ledger_header_bytes) return corrupt("the ledger ends within its header");
    if (crc32c(file.first(ledger_header_bytes - 4)) != load_le<std::uint32_t>(file.data() + ledger_header_bytes - 4))
        return corrupt("the ledger's header fails its checksum");
    ByteReader in(file);
    if (in.le<std::uint32_t>() != magic) return corrupt("the file does not begin as a ledger");
    if (in.le<std::uint16_t>() > version) return fail(ErrorCode::VersionUnknown, "a later ledger version");
    LedgerFileRead read{ledger_header_bytes, false};
    bool passed_over = false;
    for (std::size_t at = ledger_header_bytes; at < file.size();) {
        const std::size_t bytes = record_at(file.subspan(at));
        if (bytes == 0) {
            // Torn, or damaged: in that case another record follows.
            passed_over = true;
            ++at;
            continue;
        }
        read.damaged |= std::exchange(passed_over, false);
        if (!read_entries(file.subspan(at + prefix_bytes, bytes - prefix_bytes), visitor)) read.damaged = true;
        at += bytes;
        read.good_bytes = at;
    }
    return read;
}

std::string ledger_name(std::uint32_t month) { return fmt::format("LEDGER-{:04}-{:02}", month / 12, month % 12 + 1); }

std::uint32_t ledger_month(std::string_view name) {
    if (name.size() != 14 || !name.starts_with("LEDGER-") || name[11] != '-') return 0;
    std::uint32_t year = 0, month = 0;
    const auto whole = [](std::string_view digits, std::uint32_t& into) {
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    if (!whole(name.substr(7, 4), year) || !whole(name.substr(12), month) || month < 1 || month > 12) return 0;
    return year * 12 + month - 1;
}

std::uint32_t month_of(UtcTime time) {
    using namespace std::chrono;
    const sys_days day = floor<days>(sys_time<nanoseconds>(nanoseconds(std::max<std::int64_t>(time.ns(), 0))));
    const year_month_day date(day);
    return static_cast<std::uint32_t>(static_cast<int>(date.year())) * 12 + static_cast<unsigned>(date.month()) - 1;
}

UtcTime month_start(std::uint32_t month) {
    using namespace std::chrono;
    const year_month_day first(year(static_cast<int>(month / 12)), std::chrono::month(month % 12 + 1), day(1));
    return UtcTime(duration_cast<nanoseconds>(sys_days(first).time_since_epoch()).count());
}

}  // namespace lineshaft::store
