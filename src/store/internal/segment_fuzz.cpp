/// Fuzz: blocks, segments, manifests and catalogs, as a disk may hand them back.
///
/// Strategy: the first byte chooses the reader; any bytes follow. As checksums would keep nearly every input out, the
///           block's are made right before it is read; and a second kind of input is a choice of rows, which are
///           encoded and must come back.
///
/// Invariants: nothing is read or written outside; no memory is taken that the input does not justify; what decodes
///             has times that do not fall and as many rows as its header says; decode(encode(rows)) == rows.
#include "base/assert.h"
#include "store/internal/block.h"
#include "store/internal/manifest.h"
#include "store/internal/series_codec.h"

namespace {

using namespace lineshaft;
using namespace lineshaft::store;

void read_any_block(ByteView input) {
    Bytes block(input.begin(), input.end());
    if (block.size() < 10) return;
    const std::size_t header_bytes = load_le<std::uint16_t>(block.data() + 8);
    if (header_bytes > block.size() - 10) return;
    store_le(block.data(), crc32c(ByteView(block).subspan(8, 2 + header_bytes)));
    const auto unchecked = read_block_header(block);
    if (!unchecked) return;
    store_le(block.data() + 4, crc32c(ByteView(block).subspan(unchecked->body_offset, unchecked->body_bytes)));
    Chunk rows;
    if (!decode_block(block, *unchecked, rows)) {
        ASSERT(rows.empty());
        return;
    }
    ASSERT(rows.size() == unchecked->rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        ASSERT(row == 0 || rows.source_times[row - 1] <= rows.source_times[row]);
        (void)rows.value_at(row);
    }
}

void write_and_read_block(ByteView input) {
    ByteReader in(input);
    Chunk rows;
    std::int64_t time = in.le<std::int64_t>() / 2;
    while (in.left() >= 12 && rows.size() < block_rows) {
        const std::uint8_t kind = in.u8();
        time += in.u8() * ((kind & 0x80) ? 1 : 1'000'000);
        rows.source_times.emplace_back(time);
        rows.receive_times.push_back(kept_receive_time(UtcTime(time), UtcTime(time + in.le<std::int16_t>())));
        rows.types.push_back(static_cast<ValueType>(1 + kind % 4));
        rows.qualities.emplace_back(kind & 0x40 ? std::uint32_t{0x80310000} : 0);
        const auto bits = in.le<std::uint64_t>();
        if (rows.types.back() == ValueType::String) {
            rows.bits.push_back(static_cast<std::uint64_t>(rows.text.size()) << 32 | bits % 9);
            rows.text.append(bits % 9, static_cast<char>(bits >> 32));
        } else {
            rows.bits.push_back(rows.types.back() == ValueType::Bool ? bits & 1 : bits);
        }
    }
    if (rows.empty()) return;
    Bytes block;
    encode_block(TagId(5), rows, 0, rows.size(), block);
    const auto header = read_block_header(block);
    ASSERT(header && header->rows == rows.size());
    Chunk back;
    ASSERT(decode_block(block, *header, back));
    ASSERT(back.source_times == rows.source_times && back.receive_times == rows.receive_times);
    ASSERT(back.types == rows.types && back.qualities == rows.qualities);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (rows.types[row] == ValueType::String)
            ASSERT(back.text_at(row) == rows.text_at(row));
        else
            ASSERT(back.bits[row] == rows.bits[row]);
    }
}

void read_any_tier(ByteView input) {
    Bytes chunk(input.begin(), input.end());
    if (chunk.size() < 6) return;
    chunk[4] = std::byte{1};
    chunk[5] &= std::byte{3};
    store_le(chunk.data(), crc32c(ByteView(chunk).subspan(4)));
    const auto tier = static_cast<Tier>(chunk[5]);
    std::vector<Bucket> buckets;
    if (!decode_tier_chunk(chunk, TagId(1), tier, buckets)) {
        ASSERT(buckets.empty());
        return;
    }
    for (const Bucket& bucket : buckets) {
        ASSERT(bucket.count > 0 && bucket.usable <= bucket.count && bucket.good + bucket.uncertain <= bucket.count);
        ASSERT(bucket.start <= bucket.first_time && bucket.first_time <= bucket.last_time);
        ASSERT(bucket.last_time < bucket.start + width_of(tier));
    }
    Bytes again;
    encode_tier_chunk(TagId(1), tier, buckets, again);
    std::vector<Bucket> back;
    ASSERT(decode_tier_chunk(again, TagId(1), tier, back) && back.size() == buckets.size());
}

/// A disk with one file, the input.
class OneFile final : public ReadFile {
public:
    explicit OneFile(ByteView bytes) : bytes_(bytes) {}
    std::uint64_t size() const override { return bytes_.size(); }
    Result<void> read_at(std::uint64_t, std::span<std::byte>) const override { return fail(ErrorCode::Io); }
    ByteView map() const override { return bytes_; }

private:
    ByteView bytes_;
};

void read_any_segment(ByteView input) {
    // The frame's checksums are made right as far as its own sizes allow.
    Bytes file(input.begin(), input.end());
    if (file.size() >= 20 + 56) {
        store_le(file.data(), std::uint32_t{0x4753534C});
        store_le(file.data() + 4, static_cast<std::uint16_t>(1 + load_le<std::uint16_t>(file.data() + 4) % 2));
        store_le(file.data() + 16, crc32c(ByteView(file).first(16)));
        std::byte* trailer = file.data() + file.size() - 56;
        const auto table = load_le<std::uint64_t>(trailer);
        if (table <= file.size() - 56)
            store_le(trailer + 40, crc32c(ByteView(file).subspan(table, file.size() - 56 - table)));
        store_le(trailer + 48, crc32c(ByteView(trailer, 48)));
        store_le(trailer + 52, std::uint32_t{0x4753534C});
    }
    const auto segment = Segment::from(std::make_unique<OneFile>(file), "fuzz", "fuzz.seg");
    if (!segment) return;
    for (std::size_t i = 0; i < std::min<std::size_t>((*segment)->series_count(), 16); ++i) {
        const auto series = (*segment)->series_at(i);
        if (!series) continue;
        for (const BlockRef& block : series->blocks) {
            const auto header = (*segment)->header_of(series->tag, block);
            Chunk rows;
            if (header) (void)(*segment)->decode(block, *header, rows);
        }
        std::vector<Bucket> buckets;
        for (const TierRef& tier : series->tiers) {
            for (const TierChunk& chunk : tier.chunks)
                (void)(*segment)->decode(series->tag, tier.tier, chunk, buckets);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView input = std::as_bytes(std::span(data + 1, size - 1));
    switch (data[0] % 6) {
        case 0: read_any_block(input); break;
        case 1: write_and_read_block(input); break;
        case 2: read_any_segment(input); break;
        case 4: read_any_tier(input); break;
        case 3: (void)decode_manifest(input); break;
        default: (void)read_catalog(input, [](TagId, SeriesInfo&&) {}); break;
    }
    return 0;
}
