/// Columns of 64-bit integers, small: times, receive times, qualities, types, scaled decimals, dictionary indexes.
///
/// ints   := shape:u8 first:zigzag divisor:varint residuals           (nothing at all for a count of 0)
/// shape  := order (bits 0-1) | coding << 4
/// A column v0 v1 … becomes w(i) = (v(i) - v0) / divisor, then `order` times its differences; the residuals are those
/// of i = 1 … count-1. A regular time stamp is one run of differences, a meter one narrow band of them, a status one
/// run of values: the smallest of the shapes is taken, block by block.
/// residuals by coding, none for a count of 1:
///   0 constant   := value:zigzag
///   1 runs       := runs:varint (value:zigzag length:varint)*
///   2 banded     := base:zigzag packed          residual = base + u
///   3 zigzag     := packed                      residual = unzigzag(u)
///   4 dictionary := entries-1:u8 least:zigzag gap-1:varint[entries-1] packed     residual = the u-th, they rise
///   5 same       := nothing                     all values are `first`; no divisor either, order 0
///   6 stretches  := runs:varint values:ints lengths:ints     the two hold no stretches themselves
/// packed := width:u8 exceptions:varint bits:u8[(n*width+7)/8] (skip:varint high:varint)*
///         | (width | 0x80):u8 exceptions:varint low:u8 entropy bits:u8[(n*low+7)/8] (skip:varint high:varint)*
///   An exception's u has its low `width` bits among the others and `high` above them: one spike does not widen all.
///   With 0x80 the low `low` bits are packed and the width - low (1 … 6) above them are symbols (see entropy.h).
/// Codings from 4 on and 0x80 came with version 2 of segments.
/// All arithmetic is modulo 2^64, so every column comes back exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace lineshaft::store {

void encode_ints(std::span<const std::int64_t> values, ByteWriter& out);

/// Fills `values` whole; on bytes that do not follow the grammar the reader fails.
void decode_ints(ByteReader& in, std::span<std::int64_t> values);

/// The same, with origin + factor * value for each value, at no further cost.
void decode_ints(ByteReader& in, std::span<std::int64_t> values, std::int64_t origin, std::uint64_t factor);

/// Passes a column that holds one value only and tells it; passes nothing if it may hold more.
std::optional<std::int64_t> decode_same(ByteReader& in);

inline std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}
/// Differences that may wrap.
inline std::int64_t wrapping_sub(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
inline std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace lineshaft::store
