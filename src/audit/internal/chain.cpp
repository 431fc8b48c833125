#include "audit/internal/chain.h"

#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <openssl/sha.h>

#include "base/assert.h"

namespace lineshaft::audit {
namespace {

constexpr std::string_view magic = "LSAU";
constexpr std::uint16_t format_version = 1;
constexpr std::string_view head_start = "lineshaft-audit 1 ";

void write_text(ByteWriter& out, std::string_view text) {
    out.varint(text.size());
    out.text(text);
}

std::string read_text(ByteReader& in) {
    const std::uint64_t length = in.varint();
    if (length > in.left()) {
        in.fail();
        return {};
    }
    return std::string(in.text(static_cast<std::size_t>(length)));
}

Hash read_hash(ByteReader& in) {
    Hash hash{};
    const ByteView bytes = in.bytes(hash.size());
    if (!bytes.empty()) std::memcpy(hash.data(), bytes.data(), hash.size());
    return hash;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

Hash sha256(ByteView bytes) {
    Hash hash;
    ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
             reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

std::string to_hex(const Hash& hash) {
    std::string hex;
    for (const std::byte byte : hash) hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return hex;
}

Result<Hash> hash_from_hex(std::string_view hex) {
    Hash hash;
    if (hex.size() != 2 * hash.size()) return fail(ErrorCode::Malformed, "a hash has 64 hex digits");
    for (std::size_t i = 0; i < hash.size(); ++i) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return fail(ErrorCode::Malformed, "a hash has 64 hex digits");
        hash[i] = static_cast<std::byte>(high * 16 + low);
    }
    return hash;
}

Bytes encode_header(const Link& after) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.text(magic);
    out.le(format_version);
    out.le(std::uint16_t{0});
    out.le(after.number + 1);
    out.bytes(after.hash);
    out.le(crc32c(bytes));
    ASSERT(bytes.size() == header_bytes);
    return bytes;
}

Result<Link> decode_header(ByteView segment) {
    ByteReader in(segment);
    const std::string_view found = in.text(magic.size());
    const auto version = in.le<std::uint16_t>();
    in.le<std::uint16_t>();
    Link after;
    after.number = in.le<std::uint64_t>() - 1;
    after.hash = read_hash(in);
    const auto crc = in.le<std::uint32_t>();
    if (!in.ok() || found != magic) return fail(ErrorCode::Corrupt, "not a segment of an audit log");
    if (version > format_version)
        return fail(ErrorCode::VersionUnknown, fmt::format("audit log version {}", version));
    if (crc != crc32c(segment.first(header_bytes - sizeof crc))) {
        return fail(ErrorCode::Corrupt, "the header fails its checksum");
    }
    return after;
}

Link encode_record(const Link& after, const Entry& entry, Bytes& out) {
    Bytes body;
    ByteWriter writer(body);
    writer.le(after.number + 1);
    writer.le(entry.time.ns());
    writer.le(entry.tenant.value());
    writer.u8(static_cast<std::uint8_t>(entry.outcome));
    writer.bytes(after.hash);
    for (const std::string* text : {&entry.actor, &entry.address, &entry.action, &entry.target, &entry.detail}) {
        write_text(writer, *text);
    }
    const auto size = static_cast<std::uint32_t>(body.size());
    std::byte size_bytes[sizeof size];
    store_le(size_bytes, size);
    ByteWriter record(out);
    record.le(crc32c(body, crc32c(size_bytes)));
    record.bytes(size_bytes);
    record.bytes(body);
    return {after.number + 1, sha256(body)};
}

std::size_t record_bytes(ByteView bytes) {
    if (bytes.size() < record_head_bytes) return 0;
    return record_head_bytes + load_le<std::uint32_t>(bytes.data() + 4);
}

Result<Record> decode_record(ByteView bytes) {
    const std::size_t whole = record_bytes(bytes);
    if (whole == 0 || whole > bytes.size()) return fail(ErrorCode::Corrupt, "the record is cut short");
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4, whole - 4))) {
        return fail(ErrorCode::Corrupt, "the record fails its checksum");
    }
    const ByteView body = bytes.subspan(record_head_bytes, whole - record_head_bytes);
    ByteReader in(body);
    Record record;
    record.kept.number = in.le<std::uint64_t>();
    Entry& entry = record.kept.entry;
    entry.time = UtcTime(in.le<std::int64_t>());
    entry.tenant = TenantId(in.le<std::uint32_t>());
    entry.outcome = static_cast<Outcome>(in.u8());
    record.previous = read_hash(in);
    for (std::string* text : {&entry.actor, &entry.address, &entry.action, &entry.target, &entry.detail}) {
        *text = read_text(in);
    }
    if (!in.ok() || in.left() != 0) return fail(ErrorCode::Corrupt, "the record's fields do not fit its size");
    record.hash = sha256(body);
    record.bytes = whole;
    return record;
}

Result<Walk> walk_segment(ByteView segment, const std::function<void(const Record&)>& visit) {
    Walk walk;
    walk.end = TRY(decode_header(segment));
    walk.good_bytes = header_bytes;
    while (walk.good_bytes < segment.size()) {
        auto record = decode_record(segment.subspan(walk.good_bytes));
        const std::uint64_t expected = walk.end.number + 1;
        if (!record) {
            walk.wrong = fmt::format("entry {}: {}", expected, record.error().detail());
        } else if (record->kept.number != expected) {
            walk.wrong = fmt::format("entry {} stands where {} belongs", record->kept.number, expected);
        } else if (record->previous != walk.end.hash) {
            walk.wrong = fmt::format("entry {} does not follow from the one before", expected);
        }
        if (!walk.wrong.empty()) break;
        if (visit) visit(*record);
        walk.end = {record->kept.number, record->hash};
        walk.good_bytes += record->bytes;
    }
    return walk;
}

std::string encode_head(const Link& end) {
    return fmt::format("{}{} {}\n", head_start, end.number, to_hex(end.hash));
}

Result<Link> decode_head(std::string_view text) {
    const auto corrupt = [] { return fail(ErrorCode::Corrupt, "the head of the audit log is not readable"); };
    if (!text.starts_with(head_start) || !text.ends_with('\n')) return corrupt();
    text = text.substr(head_start.size(), text.size() - head_start.size() - 1);
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return corrupt();
    Link end;
    const auto parsed = std::from_chars(text.data(), text.data() + space, end.number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + space) return corrupt();
    const auto hash = hash_from_hex(text.substr(space + 1));
    if (!hash) return corrupt();
    end.hash = *hash;
    return end;
}

}  // namespace lineshaft::audit
