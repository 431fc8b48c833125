/// The header of a block on disk: block.h tells the grammar of version 2, this file that of version 1.
///
/// version 1: header := flags:u8 type:u8 tag:varint body_bytes:varint rows:varint first_time:i64 span:varint
///                      [repeats:varint] [unusable:varint] [not_good:varint uncertain:varint worst:u32]
///                      [value:f64]                                   flag 8
///                      [min:f64 max:f64 first:f64 last:f64 sum:f64]  neither flag 8 nor all unusable
///            body   := [types:ints] times:ints receives:ints qualities:ints column*      times in ns, from 0
#pragma once

#include "store/internal/block.h"

namespace lineshaft::store {

inline constexpr std::uint8_t flag_repeats = 1;
inline constexpr std::uint8_t flag_unusable = 2;
inline constexpr std::uint8_t flag_quality = 4;
inline constexpr std::uint8_t flag_constant = 8;
inline constexpr std::uint8_t flag_uniform = 16;
inline constexpr std::uint8_t flag_packed = 32;
inline constexpr std::uint8_t flag_received_at = 64;
inline constexpr std::uint8_t flag_version_2 = 128;
inline constexpr std::uint8_t flags_of_version_1 = 15;

inline constexpr std::int64_t ns_of_unit(std::uint8_t unit) {
    constexpr std::int64_t ns[] = {1, 1'000, 1'000'000, 1'000'000'000};
    return ns[unit & 3];
}

/// All usable values are one, and the sum is what that makes.
bool is_constant(const Bucket& stats);

/// Writes what `header` says, as version 2; flags that follow from the statistics are set in it.
void write_block_header(BlockHeader& header, ByteWriter& out);

/// Fails the reader when it holds no header of either version.
BlockHeader read_block_header(ByteReader& in);

}  // namespace lineshaft::store
