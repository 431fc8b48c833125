#include <unordered_map>
#include <vector>

#include <zstd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "store/internal/ints.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

constexpr std::uint8_t packing_plain = 0;
constexpr std::uint8_t packing_zstd = 1;
constexpr std::size_t worth_packing_bytes = 128;
// A block's texts, one more string than fits, and their lengths.
constexpr std::size_t payload_bytes_max = block_text_bytes_max + limits::string_value_bytes_max + 64 * 1024;

void write_payload(const Bytes& payload, ByteWriter& out) {
    if (payload.size() >= worth_packing_bytes) {
        Bytes packed(ZSTD_compressBound(payload.size()));
        const std::size_t bytes = ZSTD_compress(packed.data(), packed.size(), payload.data(), payload.size(), 3);
        if (!ZSTD_isError(bytes) && bytes < payload.size()) {
            out.u8(packing_zstd);
            out.varint(payload.size());
            out.varint(bytes);
            out.bytes(ByteView(packed).first(bytes));
            return;
        }
    }
    out.u8(packing_plain);
    out.varint(payload.size());
    out.bytes(payload);
}

Bytes read_payload(ByteReader& in) {
    const std::uint8_t packing = in.u8();
    const std::uint64_t bytes = in.varint();
    if (!in.ok() || packing > packing_zstd || bytes > payload_bytes_max) {
        in.fail();
        return {};
    }
    if (packing == packing_plain) {
        const ByteView plain = in.bytes(bytes);
        return Bytes(plain.begin(), plain.end());
    }
    const ByteView packed = in.bytes(in.varint());
    if (!in.ok() || ZSTD_getFrameContentSize(packed.data(), packed.size()) != bytes) {
        in.fail();
        return {};
    }
    Bytes payload(bytes);
    const std::size_t got = ZSTD_decompress(payload.data(), payload.size(), packed.data(), packed.size());
    if (ZSTD_isError(got) || got != bytes) in.fail();
    return payload;
}

}  // namespace

void encode_strings(std::span<const std::uint64_t> bits, std::string_view text, ByteWriter& out) {
    if (bits.empty()) return;
    std::unordered_map<std::string_view, std::int64_t> known;
    std::vector<std::string_view> distinct;
    std::vector<std::int64_t> indexes;
    indexes.reserve(bits.size());
    for (const std::uint64_t at : bits) {
        const std::string_view value = text.substr(at >> 32, at & 0xFFFFFFFF);
        const auto [found, fresh] = known.try_emplace(value, static_cast<std::int64_t>(distinct.size()));
        if (fresh) distinct.push_back(value);
        indexes.push_back(found->second);
    }
    Bytes payload;
    ByteWriter lines(payload);
    for (const std::string_view value : distinct) lines.varint(value.size());
    for (const std::string_view value : distinct) lines.text(value);
    out.varint(distinct.size());
    write_payload(payload, out);
    encode_ints(indexes, out);
}

void decode_strings(ByteReader& in, std::span<std::uint64_t> bits, std::string& text) {
    if (bits.empty()) return;
    const std::uint64_t distinct = in.varint();
    const Bytes payload = read_payload(in);
    if (!in.ok() || distinct == 0 || distinct > bits.size()) return in.fail();
    std::vector<std::int64_t> indexes(bits.size());
    decode_ints(in, indexes);

    ByteReader lines(payload);
    std::vector<std::uint64_t> places;
    places.reserve(distinct);
    std::uint64_t offset = text.size();
    for (std::uint64_t i = 0; i < distinct; ++i) {
        const std::uint64_t length = lines.varint();
        if (!lines.ok() || length > payload.size()) return in.fail();
        places.push_back(offset << 32 | length);
        offset += length;
    }
    const std::uint64_t text_bytes = offset - text.size();
    if (text_bytes != lines.left() || offset > UINT32_MAX) return in.fail();
    text += lines.text(text_bytes);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        if (indexes[i] < 0 || static_cast<std::uint64_t>(indexes[i]) >= distinct) return in.fail();
        bits[i] = places[static_cast<std::size_t>(indexes[i])];
    }
}

}  // namespace lineshaft::store
