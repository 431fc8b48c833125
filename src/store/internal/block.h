/// A block: up to a thousand samples of one series, in columns, with their statistics in front.
///
/// block  := header_crc:u32 body_crc:u32 header_bytes:u16 header body              all little-endian, crc32c
///           header_crc covers header_bytes and header; body_crc covers body
/// header := flags:u8 type:u8 tag:varint body_bytes:varint rows:varint first_time:i64 span:varint
///           [repeats:varint]                              flag 1: rows whose source time comes again later in the block
///           [unusable:varint]                             flag 2: samples that are in no statistics
///           [not_good:varint uncertain:varint worst:u32]  flag 4: without it all are Good with code 0
///           [value:f64]                                   flag 8: all usable values are this
///           [min:f64 max:f64 first:f64 last:f64 sum:f64]  neither flag 8 nor all unusable
/// body   := [types:ints] times:ints receives:ints qualities:ints column*
///           type 0 is mixed: then `types` says each row's, and there is a column for every type that occurs, in the
///           order of the type numbers, with the rows of that type
/// column := bools and ints as ints; doubles; strings
/// receives: 0 for a row whose receive time is its source time, else 1 + zigzag of whole milliseconds after it.
///
/// Statistics are of the last row of each source time, so they hold wherever no other block overlaps this one.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t block_rows = 1024;       // What writers aim at.
inline constexpr std::size_t block_rows_max = 16384;  // What readers accept.

struct BlockHeader {
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
BlockHeader encode_block(TagId tag, const Chunk& rows, std::size_t first, std::size_t count, Bytes& into);

/// Checks and reads the header; `block` may go on behind the block. Errors: Corrupt.
Result<BlockHeader> read_block_header(ByteView block);

/// Fills `into` with the rows. Errors: Corrupt.
Result<void> decode_block(ByteView block, const BlockHeader& header, Chunk& into);

/// Sources' own receive times are kept to the millisecond, rounded up: noise in the microseconds would cost more than
/// the values. A sample without a time of its own keeps its receive time exactly.
inline UtcTime kept_receive_time(UtcTime source, UtcTime receive) {
    if (receive == source) return receive;
    const std::int64_t ns = receive.ns();
    if (ns > INT64_MAX - 1'000'000) return UtcTime(INT64_MAX / 1'000'000 * 1'000'000);
    const std::int64_t over = ((ns % 1'000'000) + 1'000'000) % 1'000'000;
    return UtcTime(over == 0 ? ns : ns + (1'000'000 - over));
}

}  // namespace lineshaft::store
