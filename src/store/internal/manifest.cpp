#include "store/internal/manifest.h"

#include "store/internal/series_codec.h"

namespace lineshaft::store {
namespace {

constexpr std::uint32_t manifest_magic = 0x46'4D'53'4C;  // "LSMF".
constexpr std::uint32_t catalog_magic = 0x54'43'53'4C;   // "LSCT".
constexpr std::uint16_t version = 1;
constexpr std::size_t header_bytes = 24;

enum class Kind : std::uint8_t { Numbers = 1, Segment = 2, Source = 3, Series = 4 };  // On disk. Append only.
constexpr std::uint8_t kind_optional = 128;

Bytes frame(std::uint32_t magic, ShardId shard, ByteView body) {
    Bytes file;
    ByteWriter out(file);
    out.le(magic);
    out.le(version);
    out.le(shard.value());
    out.le(static_cast<std::uint64_t>(body.size()));
    out.le(crc32c(body));
    out.le(crc32c(file));
    out.bytes(body);
    return file;
}

void write_entry(ByteWriter& body, Kind kind, ByteView entry) {
    body.u8(static_cast<std::uint8_t>(kind));
    body.varint(entry.size());
    body.bytes(entry);
}

/// Calls `take(kind, reader)` for each entry; `take` says false for a kind it does not know.
template <class Take>
Result<void> read_entries(ByteView file, std::uint32_t magic, const char* name, Take take) {
    const auto corrupt = [name](const char* what) { return fail(ErrorCode::Corrupt, std::string(name) + what); };
    if (file.size() < header_bytes) return corrupt(" ends within its header");
    ByteReader in(file);
    if (in.le<std::uint32_t>() != magic || load_le<std::uint32_t>(file.data() + 20) != crc32c(file.first(20)))
        return corrupt(" fails its header's checksum");
    if (in.le<std::uint16_t>() > version) return fail(ErrorCode::VersionUnknown, name);
    in.bytes(2);
    const auto body_bytes = in.le<std::uint64_t>();
    const auto body_crc = in.le<std::uint32_t>();
    if (body_bytes != file.size() - header_bytes) return corrupt(" has another size than its header says");
    ByteReader body(file.subspan(header_bytes));
    if (crc32c(file.subspan(header_bytes)) != body_crc) return corrupt(" fails its checksum");
    while (body.left() > 0) {
        const std::uint8_t kind = body.u8();
        ByteReader entry(body.bytes(body.varint()));
        if (!body.ok()) return corrupt(" ends within an entry");
        if (!take(static_cast<Kind>(kind), entry)) {
            if (kind < kind_optional) return fail(ErrorCode::VersionUnknown, name);
            continue;
        }
        if (!entry.ok()) return corrupt(" has an entry that does not follow the format");
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
    return meta;
}

}  // namespace

Bytes encode_manifest(const Manifest& manifest, ShardId shard) {
    Bytes body;
    ByteWriter out(body);
    Bytes entry;
    ByteWriter field(entry);
    field.varint(manifest.next_number);
    field.varint(manifest.log_number_min);
    write_entry(out, Kind::Numbers, entry);
    for (const SegmentMeta& segment : manifest.segments) {
        entry.clear();
        write_text(field, segment.name);
        field.varint(segment.order);
        field.varint(segment.rows);
        field.varint(segment.bytes);
        field.varint(segment.series);
        field.le(segment.first_time.ns());
        field.le(segment.last_time.ns());
        write_entry(out, Kind::Segment, entry);
    }
    for (const SourceMeta& source : manifest.sources) {
        entry.clear();
        field.varint(source.id.value());
        field.varint(source.last_sequence);
        write_text(field, source.name);
        write_entry(out, Kind::Source, entry);
    }
    return frame(manifest_magic, shard, body);
}

Result<Manifest> decode_manifest(ByteView bytes) {
    Manifest manifest;
    TRY_VOID(read_entries(bytes, manifest_magic, "MANIFEST", [&](Kind kind, ByteReader& in) {
        switch (kind) {
            case Kind::Numbers:
                manifest.next_number = in.varint();
                manifest.log_number_min = in.varint();
                return true;
            case Kind::Segment: manifest.segments.push_back(read_segment(in)); return true;
            case Kind::Source: {
                SourceMeta source;
                source.id = SourceId(in.varint());
                source.last_sequence = in.varint();
                source.name = read_text(in);
                manifest.sources.push_back(std::move(source));
                return true;
            }
            case Kind::Series: break;
        }
        return false;
    }));
    return manifest;
}

Bytes encode_catalog(const std::vector<Series>& series, ShardId shard) {
    Bytes body;
    ByteWriter out(body);
    Bytes entry;
    ByteWriter field(entry);
    for (const Series& one : series) {
        entry.clear();
        field.varint(one.tag.value());
        write_info(field, one.info);
        write_entry(out, Kind::Series, entry);
    }
    return frame(catalog_magic, shard, body);
}

Result<std::vector<Series>> decode_catalog(ByteView bytes) {
    std::vector<Series> all;
    TRY_VOID(read_entries(bytes, catalog_magic, "CATALOG", [&](Kind kind, ByteReader& in) {
        if (kind != Kind::Series) return false;
        Series series;
        series.tag = TagId(in.varint());
        series.info = read_info(in);
        all.push_back(std::move(series));
        return true;
    }));
    return all;
}

}  // namespace lineshaft::store
