#include "store/internal/log_record.h"

#include <bit>

#include "base/limits.h"
#include "store/internal/ints.h"
#include "store/internal/series_codec.h"

namespace lineshaft::store {
namespace {

constexpr std::uint32_t magic = 0x4C'57'53'4C;  // "LSWL".
constexpr std::uint16_t version = 1;
constexpr std::uint8_t flag_types = 1;
constexpr std::uint8_t flag_qualities = 2;
// tag, time, type, quality, value at their widest.
constexpr std::size_t row_bytes_max = 10 + 10 + 1 + 5 + 10;
static_assert(row_bytes_max <= limits::sample_fixed_bytes_max);

/// Writes into room that was made before: no check a byte.
std::byte* put_varint(std::byte* at, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
    *at++ = static_cast<std::byte>(value);
    return at;
}

std::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::Corrupt, what); }

/// Room for the prefix; end_record fills it.
std::size_t begin_record(Bytes& into) {
    const std::size_t at = into.size();
    into.resize(at + record_prefix_bytes);
    return at;
}

void end_record(RecordKind kind, std::size_t at, Bytes& into) {
    const std::size_t size = into.size() - at - record_prefix_bytes;
    ASSERT(size <= limits::wal_record_bytes_max);
    store_le(into.data() + at + 4, static_cast<std::uint32_t>(size));
    into[at + 8] = static_cast<std::byte>(kind);
    store_le(into.data() + at, crc32c(ByteView(into).subspan(at + 4)));
}

std::byte* put_value(std::byte* at, ValueType type, std::uint64_t bits) {
    switch (type) {
        case ValueType::Bool: *at++ = static_cast<std::byte>(bits != 0); return at;
        case ValueType::Int: return put_varint(at, zigzag(std::bit_cast<std::int64_t>(bits)));
        case ValueType::Double: store_le(at, bits); return at + 8;
        case ValueType::String: return put_varint(at, bits & 0xFFFFFFFF);
    }
    return at;
}

std::byte* put_rows(std::byte* at, const Batch& batch, std::uint8_t flags) {
    std::uint64_t tag = 0;
    for (const TagId next : batch.tags) {
        at = put_varint(at, zigzag(static_cast<std::int64_t>(next.value() - tag)));
        tag = next.value();
    }
    std::int64_t time = batch.receive_time.ns();
    for (const UtcTime next : batch.source_times) {
        at = put_varint(at, zigzag(wrapping_sub(next.ns(), time)));
        time = next.ns();
    }
    const std::size_t types = batch.empty() ? 0 : flags & flag_types ? batch.size() : 1;
    for (std::size_t row = 0; row < types; ++row) *at++ = static_cast<std::byte>(batch.types[row]);
    if (flags & flag_qualities) {
        for (const Quality quality : batch.qualities) at = put_varint(at, quality.code());
    }
    for (std::size_t row = 0; row < batch.size(); ++row) at = put_value(at, batch.types[row], batch.bits[row]);
    return at;
}

std::uint64_t read_value(ByteReader& in, ValueType type) {
    switch (type) {
        case ValueType::Bool: {
            const std::uint8_t value = in.u8();
            if (value > 1) in.fail();
            return value;
        }
        case ValueType::Int: return std::bit_cast<std::uint64_t>(unzigzag(in.varint()));
        case ValueType::Double: return in.le<std::uint64_t>();
        case ValueType::String: return in.varint();
    }
    in.fail();
    return 0;
}

void read_rows(ByteReader& in, std::size_t rows, std::uint8_t flags, Batch& into) {
    std::uint64_t tag = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        tag += static_cast<std::uint64_t>(unzigzag(in.varint()));
        into.tags.emplace_back(tag);
    }
    std::int64_t time = into.receive_time.ns();
    for (std::size_t row = 0; row < rows; ++row) {
        time = wrapping_add(time, unzigzag(in.varint()));
        into.source_times.emplace_back(time);
    }
    std::uint8_t type = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        if (row == 0 || flags & flag_types) type = in.u8();
        if (type < 1 || type > 4) return in.fail();
        into.types.push_back(static_cast<ValueType>(type));
    }
    for (std::size_t row = 0; row < rows; ++row)
        into.qualities.emplace_back(flags & flag_qualities ? static_cast<std::uint32_t>(in.varint()) : 0);
    for (std::size_t row = 0; row < rows; ++row) into.bits.push_back(read_value(in, into.types[row]));
}

void read_strings(ByteReader& in, Batch& into) {
    for (std::size_t row = 0; row < into.size() && in.ok(); ++row) {
        if (into.types[row] != ValueType::String) continue;
        const std::uint64_t length = into.bits[row];
        if (length > in.left()) return in.fail();
        into.bits[row] = static_cast<std::uint64_t>(into.text.size()) << 32 | length;
        into.text += in.text(length);
    }
}

}  // namespace

Bytes encode_log_header(const LogHeader& header) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.le(magic);
    out.le(version);
    out.le(header.shard.value());
    out.le(header.number);
    out.le(header.first_commit);
    out.le(crc32c(bytes));
    return bytes;
}

Result<LogHeader> decode_log_header(ByteView file) {
    if (file.size() < log_header_bytes) return corrupt("the log file ends within its header");
    if (crc32c(file.first(log_header_bytes - 4)) != load_le<std::uint32_t>(file.data() + log_header_bytes - 4))
        return corrupt("the log file's header fails its checksum");
    ByteReader in(file);
    if (in.le<std::uint32_t>() != magic) return corrupt("the file does not begin as a log file");
    if (in.le<std::uint16_t>() > version) return fail(ErrorCode::VersionUnknown, "a later log version");
    LogHeader header;
    header.shard = ShardId(in.le<std::uint16_t>());
    header.number = in.le<std::uint64_t>();
    header.first_commit = in.le<std::uint64_t>();
    return header;
}

void encode_commit(std::uint64_t number, std::span<std::byte> into) {
    ASSERT(into.size() >= commit_record_bytes);
    store_le(into.data() + 4, std::uint32_t{8});
    into[8] = static_cast<std::byte>(RecordKind::Commit);
    store_le(into.data() + record_prefix_bytes, number);
    store_le(into.data(), crc32c(into.subspan(4, commit_record_bytes - 4)));
}

void append_series(TagId tag, const SeriesInfo& info, Bytes& into) {
    const std::size_t at = begin_record(into);
    ByteWriter out(into);
    out.varint(tag.value());
    write_info(out, info);
    end_record(RecordKind::Series, at, into);
}

void append_source(SourceId id, std::string_view name, Bytes& into) {
    const std::size_t at = begin_record(into);
    ByteWriter out(into);
    out.varint(id.value());
    write_text(out, name);
    end_record(RecordKind::Source, at, into);
}

void append_ledger(ByteView entries, Bytes& into) {
    const std::size_t at = begin_record(into);
    ByteWriter(into).bytes(entries);
    end_record(RecordKind::Ledger, at, into);
}

void append_erasure(ByteView erasure, Bytes& into) {
    const std::size_t at = begin_record(into);
    ByteWriter(into).bytes(erasure);
    end_record(RecordKind::Erasure, at, into);
}

void append_samples(const Batch& batch, Bytes& into) {
    ASSERT(batch.size() <= limits::batch_samples_max);
    std::uint8_t flags = 0;
    std::size_t text_bytes = 0;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        if (batch.types[row] != batch.types[0]) flags |= flag_types;
        if (batch.qualities[row].code() != 0) flags |= flag_qualities;
        if (batch.types[row] == ValueType::String) text_bytes += batch.bits[row] & 0xFFFFFFFF;
    }
    const std::size_t record = begin_record(into);
    const std::size_t begin = into.size();
    into.resize(begin + 10 + 10 + 8 + 10 + 1 + batch.size() * row_bytes_max + text_bytes);
    std::byte* at = into.data() + begin;
    at = put_varint(at, batch.source.value());
    at = put_varint(at, batch.first_sequence);
    store_le(at, batch.receive_time.ns());
    at = put_varint(at + 8, batch.size());
    *at++ = static_cast<std::byte>(flags);
    at = put_rows(at, batch, flags);
    for (std::size_t row = 0; row < batch.size() && text_bytes > 0; ++row) {
        if (batch.types[row] != ValueType::String) continue;
        const std::string_view text = batch.text_at(row);
        std::memcpy(at, text.data(), text.size());
        at += text.size();
    }
    into.resize(static_cast<std::size_t>(at - into.data()));
    end_record(RecordKind::Samples, record, into);
}

Result<Record> read_record(ByteView bytes) {
    if (bytes.size() < record_prefix_bytes) return corrupt("the record ends within its prefix");
    const std::size_t size = load_le<std::uint32_t>(bytes.data() + 4);
    if (size > limits::wal_record_bytes_max || size > bytes.size() - record_prefix_bytes)
        return corrupt("the record goes on behind the end");
    const ByteView covered = bytes.subspan(4, 4 + 1 + size);
    if (crc32c(covered) != load_le<std::uint32_t>(bytes.data())) return corrupt("the record fails its checksum");
    return Record{static_cast<RecordKind>(bytes[8]), covered.subspan(5), record_prefix_bytes + size};
}

Result<std::uint64_t> decode_commit(ByteView body) {
    if (body.size() != 8) return corrupt("a commit record of another size");
    return load_le<std::uint64_t>(body.data());
}

Result<Series> decode_series(ByteView body) {
    ByteReader in(body);
    Series series;
    series.tag = TagId(in.varint());
    series.info = read_info(in);
    if (!in.ok() || in.left() != 0) return corrupt("a series record that does not follow the format");
    return series;
}

Result<std::pair<SourceId, std::string>> decode_source(ByteView body) {
    ByteReader in(body);
    const SourceId id(in.varint());
    std::string name = read_text(in);
    if (!in.ok() || in.left() != 0) return corrupt("a source record that does not follow the format");
    return std::pair(id, std::move(name));
}

Result<void> decode_samples(ByteView body, Batch& into) {
    into.clear();
    ByteReader in(body);
    into.source = SourceId(in.varint());
    into.first_sequence = in.varint();
    into.receive_time = UtcTime(in.le<std::int64_t>());
    const std::uint64_t rows = in.varint();
    const std::uint8_t flags = in.u8();
    // A row takes three bytes or more: a count that the body cannot hold asks for no memory.
    if (!in.ok() || rows > in.left() / 3 + 1 || flags > 3) return corrupt("a samples record that is none");
    into.reserve(rows);
    read_rows(in, rows, flags, into);
    if (in.ok()) read_strings(in, into);
    if (!in.ok() || in.left() != 0) {
        into.clear();
        return corrupt("a samples record that does not follow the format");
    }
    return {};
}

}  // namespace lineshaft::store
