#include "store/internal/manifest.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "store/internal/ints.h"
#include "store/internal/series_codec.h"

namespace lineshaft::store {
namespace {

enum class Kind : std::uint8_t {
    Numbers = 1,
    Segment = 2,
    Source = 3,
    Series = 4,
    SegmentGone = 5,
    Erasure = 6,
    ErasureDone = 7,
    Damage = 128,
    Hour = 129,
};  // On disk. Append only.
constexpr std::uint8_t kind_optional = 128;
constexpr std::uint8_t flag_cold = 1;

/// Entries of a body, each with its kind and size before it.
class Entries {
public:
    explicit Entries(Bytes& body) : body_(body) {}

    template <class Write>
    void add(Kind kind, Write write) {
        entry_.clear();
        ByteWriter field(entry_);
        write(field);
        ByteWriter out(body_);
        out.u8(static_cast<std::uint8_t>(kind));
        out.varint(entry_.size());
        out.bytes(entry_);
    }
    void add_numbers(std::uint64_t next_number, std::uint64_t log_number_min) {
        add(Kind::Numbers, [&](ByteWriter& field) {
            field.varint(next_number);
            field.varint(log_number_min);
        });
    }
    void add_segment(const SegmentMeta& segment) {
        add(Kind::Segment, [&](ByteWriter& field) {
            write_text(field, segment.name);
            field.varint(segment.order);
            field.varint(segment.rows);
            field.varint(segment.bytes);
            field.varint(segment.series);
            field.le(segment.first_time.ns());
            field.le(segment.last_time.ns());
            field.varint(segment.erasures);
            field.u8(segment.is_cold ? flag_cold : 0);
        });
    }
    void add_source(const SourceMeta& source) {
        add(Kind::Source, [&](ByteWriter& field) {
            field.varint(source.id.value());
            field.varint(source.last_sequence);
            write_text(field, source.name);
        });
    }
    void add_erasure(const Erasure& erasure) {
        add(Kind::Erasure, [&](ByteWriter& field) {
            field.le(erasure.hidden.from.ns());
            field.le(erasure.hidden.last.ns());
            field.varint(erasure.hidden.order);
            field.varint(erasure.hidden.number);
            write_tags(erasure.tags, field);
        });
    }
    void add_damage(const Damage& damage) {
        add(Kind::Damage, [&](ByteWriter& field) {
            field.varint(damage.tag.value());
            field.le(damage.from.ns());
            field.le(damage.to.ns());
            field.varint(damage.blocks);
            write_text(field, damage.file);
            write_text(field, std::string_view(damage.why).substr(0, 200));
        });
    }
    void add_hour(const HourUse& hour) {
        add(Kind::Hour, [&](ByteWriter& field) {
            field.varint(zigzag(hour.hour));
            field.varint(hour.samples);
            field.varint(hour.bytes);
        });
    }

private:
    Bytes& body_;
    Bytes entry_;
};

/// Calls `take(kind, reader)` for each entry; `take` says false for a kind it does not know.
template <class Take>
Result<void> read_entries(ByteView bytes, const char* name, Take take) {
    ByteReader body(bytes);
    while (body.left() > 0) {
        const std::uint8_t kind = body.u8();
        ByteReader entry(body.bytes(body.varint()));
        if (!body.ok()) return fail(ErrorCode::Corrupt, fmt::format("{} ends within an entry", name));
        if (!take(static_cast<Kind>(kind), entry)) {
            if (kind < kind_optional) return fail(ErrorCode::VersionUnknown, name);
            continue;
        }
        if (!entry.ok())
            return fail(ErrorCode::Corrupt, fmt::format("{} has an entry that does not follow the format", name));
    }
    return {};
}

SegmentMeta read_segment(ByteReader& in) {
    SegmentMeta meta;
    meta.name = read_text(in);
    meta.order = in.varint();
    meta.rows = in.varint();
    meta.bytes = in.varint();
    meta.series = in.varint();
    meta.first_time = UtcTime(in.le<std::int64_t>());
    meta.last_time = UtcTime(in.le<std::int64_t>());
    if (in.left() == 0) return meta;  // As version 1 wrote it.
    meta.erasures = in.varint();
    meta.is_cold = (in.u8() & flag_cold) != 0;
    return meta;
}

Erasure read_erasure(ByteReader& in) {
    Erasure erasure;
    erasure.hidden.from = UtcTime(in.le<std::int64_t>());
    erasure.hidden.last = UtcTime(in.le<std::int64_t>());
    erasure.hidden.order = in.varint();
    erasure.hidden.number = in.varint();
    erasure.tags = read_tags(in);
    return erasure;
}

Damage read_damage(ByteReader& in) {
    Damage damage;
    damage.tag = TagId(in.varint());
    damage.from = UtcTime(in.le<std::int64_t>());
    damage.to = UtcTime(in.le<std::int64_t>());
    damage.blocks = in.varint();
    damage.file = read_text(in);
    damage.why = read_text(in);
    return damage;
}

void take_source(ByteReader& in, std::vector<SourceMeta>& sources) {
    SourceMeta source;
    source.id = SourceId(in.varint());
    source.last_sequence = in.varint();
    source.name = read_text(in);
    const auto known = std::ranges::lower_bound(sources, source.id, {}, &SourceMeta::id);
    if (known != sources.end() && known->id == source.id)
        *known = std::move(source);
    else
        sources.insert(known, std::move(source));
}

void take_hour(ByteReader& in, std::vector<HourUse>& hours) {
    HourUse hour;
    hour.hour = unzigzag(in.varint());
    hour.samples = in.varint();
    hour.bytes = in.varint();
    put_hour(hour, hours);
}

}  // namespace

void put_hour(const HourUse& hour, std::vector<HourUse>& hours) {
    const auto known = std::ranges::lower_bound(hours, hour.hour, {}, &HourUse::hour);
    if (known != hours.end() && known->hour == hour.hour)
        *known = hour;
    else
        hours.insert(known, hour);
    if (hours.size() > hours_kept) hours.erase(hours.begin());
}

Bytes encode_state(const Manifest& manifest) {
    ManifestChange change;
    change.next_number = manifest.next_number;
    change.log_number_min = manifest.log_number_min;
    change.added = manifest.segments;
    change.sources = manifest.sources;
    change.erasures = manifest.erasures;
    change.damage = manifest.damage;
    change.hours = manifest.hours;
    return encode_change(change);
}

Bytes encode_change(const ManifestChange& change) {
    Bytes body;
    Entries out(body);
    out.add_numbers(change.next_number, change.log_number_min);
    for (const SegmentMeta& segment : change.added) out.add_segment(segment);
    for (const std::string& name : change.gone)
        out.add(Kind::SegmentGone, [&](ByteWriter& field) { write_text(field, name); });
    for (const SourceMeta& source : change.sources) out.add_source(source);
    for (const Erasure& erasure : change.erasures) out.add_erasure(erasure);
    for (const std::uint64_t number : change.erasures_done)
        out.add(Kind::ErasureDone, [&](ByteWriter& field) { field.varint(number); });
    for (const Damage& damage : change.damage) out.add_damage(damage);
    for (const HourUse& hour : change.hours) out.add_hour(hour);
    return body;
}

Result<void> apply_manifest(ByteView body, Manifest& manifest) {
    std::unordered_set<std::string> gone;
    std::unordered_set<std::uint64_t> done;
    TRY_VOID(read_entries(body, "MANIFEST", [&](Kind kind, ByteReader& in) {
        switch (kind) {
            case Kind::Numbers:
                manifest.next_number = in.varint();
                manifest.log_number_min = in.varint();
                return true;
            case Kind::Segment: manifest.segments.push_back(read_segment(in)); return true;
            case Kind::Source: take_source(in, manifest.sources); return true;
            case Kind::SegmentGone: gone.insert(read_text(in)); return true;
            case Kind::Erasure: {
                Erasure erasure = read_erasure(in);
                const bool known = std::ranges::any_of(
                    manifest.erasures, [&](const Erasure& e) { return e.hidden.number == erasure.hidden.number; });
                if (!known) manifest.erasures.push_back(std::move(erasure));
                return true;
            }
            case Kind::ErasureDone: done.insert(in.varint()); return true;
            case Kind::Damage:
                if (manifest.damage.size() < damage_kept) manifest.damage.push_back(read_damage(in));
                return true;
            case Kind::Hour: take_hour(in, manifest.hours); return true;
            case Kind::Series: break;
        }
        return false;
    }));
    if (!gone.empty()) std::erase_if(manifest.segments, [&](const SegmentMeta& s) { return gone.contains(s.name); });
    if (!done.empty())
        std::erase_if(manifest.erasures, [&](const Erasure& e) { return done.contains(e.hidden.number); });
    return {};
}

Bytes encode_manifest(const Manifest& manifest, ShardId shard) {
    return encode_edit_file(manifest_magic, shard, 1, encode_state(manifest));
}

Result<Manifest> decode_manifest(ByteView file) {
    const EditLog::Loaded loaded = TRY(decode_edit_file(file, manifest_magic, "MANIFEST"));
    if (loaded.records.empty()) return fail(ErrorCode::Corrupt, loaded.why);
    Manifest manifest;
    for (const ByteView record : loaded.records) TRY_VOID(apply_manifest(record, manifest));
    return manifest;
}

Bytes encode_catalog_entries(const std::vector<CatalogEntry>& entries) {
    Bytes body;
    body.reserve(entries.size() * 64);
    Entries out(body);
    for (const CatalogEntry& entry : entries)
        out.add(Kind::Series, [&](ByteWriter& field) {
            field.varint(entry.tag.value());
            write_info(field, *entry.info);
        });
    return body;
}

Result<void> read_catalog(ByteView body, const std::function<void(TagId, SeriesInfo&&)>& take) {
    return read_entries(body, "CATALOG", [&](Kind kind, ByteReader& in) {
        if (kind != Kind::Series) return false;
        const TagId tag(in.varint());
        SeriesInfo info = read_info(in);
        if (in.ok()) take(tag, std::move(info));
        return true;
    });
}

}  // namespace lineshaft::store
