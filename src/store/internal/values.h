/// Columns of doubles and of strings, small.
///
/// doubles := form:u8 …
///   0 constant := bits:u64
///   1 decimal  := scale:u8 exceptions:varint (skip:varint length:varint bits:u64)* ints
///        value = round to single if scale & 0x80 (integer / 10^(scale & 0x7F)). Sensors speak decimal: 21.37 is the
///        integer 2137 and its neighbour 2138 differs by one. `exceptions` are runs of values that are no such
///        number (NaN, infinities, -0.0, noise); each keeps its bits.
///   2 xor      := bits of each value against the one before, after Gorilla (Pelkonen et al. 2015), MSB first:
///        first:64 ( 0 | 10 window | 11 leading:5 length-1:6 window )*, padded with 0 to a byte
///   3 raw      := u64[count]
///   4 single   := u32[count]                 every value is a single-precision number
///   5 split    := trailing:u8 width:u8 ints bits:u8[(n*width+7)/8]
///        bits of a value = int << (trailing + width) | its `width` packed bits << trailing
///   6 dictionary := entries-1:u8 bits:u64[entries] ints        the ints are indexes into the entries
/// Forms 5 and 6 came with version 2 of segments.
/// strings := distinct:varint packing:u8 raw_bytes:varint [packed_bytes:varint] payload ints
///   payload := length:varint[distinct] text; packing 0 plain, 1 zstd. The ints are indexes into the distinct texts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace lineshaft::store {

/// A block's strings together; beyond it a block has fewer rows.
inline constexpr std::size_t block_text_bytes_max = 1024 * 1024;

/// Values as bit patterns: NaN payloads and signed zeros come back.
void encode_doubles(std::span<const std::uint64_t> bits, ByteWriter& out);
void decode_doubles(ByteReader& in, std::span<std::uint64_t> bits);

/// `bits` are (offset << 32 | length) into `text`.
void encode_strings(std::span<const std::uint64_t> bits, std::string_view text, ByteWriter& out);
/// Appends the distinct texts to `text`; `bits` refer to it.
void decode_strings(ByteReader& in, std::span<std::uint64_t> bits, std::string& text);

}  // namespace lineshaft::store
