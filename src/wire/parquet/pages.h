/// How Parquet packs the numbers of a page: runs, bits, deltas. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace lineshaft::wire::parquet {

/// Bits that hold every value up to `value`.
unsigned bit_width(std::uint64_t value);

/// RLE / bit-packed hybrid without a length in front: runs where values repeat, else one run of packed bits.
template <class T>
void append_hybrid(Bytes& out, std::span<const T> values, unsigned width);

/// DELTA_BINARY_PACKED: blocks of 128 in four miniblocks.
void append_deltas(Bytes& out, std::span<const std::uint64_t> values);

}  // namespace lineshaft::wire::parquet
