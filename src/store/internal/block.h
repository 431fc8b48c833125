/// A block: up to a thousand samples of one series, in columns, with their statistics in front.
///
/// block  := header_crc:u32 body_crc:u32 header_bytes:u16 header body              all little-endian, crc32c
///           header_crc covers header_bytes and header; body_crc covers body
/// header := flags:u8 kind:u8 tag:varint body_bytes:varint rows:varint first_time:zigzag span:varint
///           [repeats:varint]                              flag 1: rows whose source time comes again later in the block
///           [unusable:varint]                             flag 2: samples that are in no statistics
///           [not_good:varint uncertain:varint worst:u32]  flag 4: without it all are Good with code 0
///           [statistics]                                  not when all are unusable
///           kind: type (bits 0-3) | unit << 4; times are in units of 1 ns, 1 us, 1 ms or 1 s (unit 0 … 3)
///           flag 8: all usable values are `min`; flag 16: and so are all rows', the column is left out;
///           flag 32: body is raw_bytes:varint and a zstd frame; flag 64: receives are absolute;
///           flag 128: always set; without it the header is one of version 1, see block_header.h
/// statistics := scale:u8 …                                scale: see values.h, or 255: not decimal
///           decimal: min:zigzag [rise:varint first:varint last:varint] sum:zigzag ulps:zigzag lo:zigzag [exponent:zigzag]
///           else:    min:f64 [max:f64 first:f64 last:f64] hi:f64 lo:f64
///           The brackets are left out with flag 8. max = min + rise, first and last likewise lie above min. The sum is
///           hi + lo (see sum.h): hi is the double nearest to sum / 10^exponent of scale and `ulps` further; the other
///           part is lo × 2^exponent. With flag 8 there is no sum: it is min times the usable samples.
/// body   := [types:ints] times:ints qualities:ints column* receives:ints
///           type 0 is mixed: then `types` says each row's, and there is a column for every type that occurs, in the
///           order of the type numbers, with the rows of that type
///           times are counted from first_time. What a query needs comes first, so that it can stop there.
/// column := bools and ints as ints; doubles; strings
/// receives: 0 for a row whose receive time is its source time, else 1 + zigzag of whole milliseconds after it, or with
///           flag 64 after first_time: many samples received at once are one run.
///
/// Statistics are of the last row of each source time, so they hold wherever no other block overlaps this one.
///
/// Segments of version 1 hold blocks of version 1; they stay readable. Every block says which it is.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t block_rows = 1024;       // What writers aim at.
inline constexpr std::size_t block_rows_max = 16384;  // What readers accept.

/// How hard to try. Cold data is read seldom: zstd over all columns where that is smaller, and blocks of up to
/// cold_block_rows pay their headers and models once.
enum class Effort : std::uint8_t { Usual, Cold };
inline constexpr std::size_t cold_block_rows = 8192;

struct BlockHeader {
    std::uint8_t flags = 0;  // As on disk.
    std::uint8_t unit = 0;   // Of times, see above.
    TagId tag;
    std::uint32_t rows = 0;
    ValueType type = ValueType::Double;
    bool mixed = false;
    UtcTime first_time;
    UtcTime last_time;
    Bucket stats;  // count, good … of distinct source times; start is unused.
    std::size_t body_offset = 0;
    std::size_t body_bytes = 0;
};

/// Appends the block of rows [first, first + count), whose source times do not fall.
BlockHeader encode_block(TagId tag, const Chunk& rows, std::size_t first, std::size_t count, Bytes& into,
                         Effort effort = Effort::Usual);

/// Checks and reads the header; `block` may go on behind the block. Errors: Corrupt.
Result<BlockHeader> read_block_header(ByteView block);

/// Fills `into` with the rows. Errors: Corrupt.
Result<void> decode_block(ByteView block, const BlockHeader& header, Chunk& into);

/// Fills `into` with the rows' numbers, in a fraction of decode_block's time. Errors: Corrupt.
Result<void> decode_numbers(ByteView block, const BlockHeader& header, Numbers& into);

/// When a sample with a time of its own came is kept to the second, rounded up: finer it would cost more than the value,
/// and "as known then" never shows what was not known yet. A sample without a time of its own keeps its receive time
/// exactly.
inline UtcTime kept_receive_time(UtcTime source, UtcTime receive) {
    if (receive == source) return receive;
    constexpr std::int64_t unit = 1'000'000'000;
    const std::int64_t ns = receive.ns();
    if (ns > INT64_MAX - unit) return UtcTime(INT64_MAX / unit * unit);
    const std::int64_t over = ((ns % unit) + unit) % unit;
    return UtcTime(over == 0 ? ns : ns + (unit - over));
}

}  // namespace lineshaft::store
