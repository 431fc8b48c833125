/// Numbers of few bits side by side: plainly, or with their upper bits as symbols. The grammar is in ints.h (packed).
#pragma once

#include <cstdint>
#include <span>

#include "store/internal/entropy.h"
#include "store/internal/lanes.h"

namespace lineshaft::store {

/// How a set of numbers is packed, and what it costs.
struct Packing {
    std::size_t bytes = SIZE_MAX;
    unsigned width = 0;
    bool entropy = false;
    unsigned low = 0;  // With entropy: bits below the symbols.
    EntropyModel model;
};

/// Bits of the widest number.
unsigned widest_of(const Widths& widths);

/// The cheapest plain packing of `count` numbers of these widths.
Packing best_packing(const Widths& widths, std::size_t count);

/// Makes `best` a packing with symbols if one is cheaper by enough to pay for the slower decoding.
void consider_entropy(std::span<const std::uint64_t> numbers, const Widths& widths, Packing& best);

void write_packed(std::span<const std::uint64_t> numbers, const Packing& packing, ByteWriter& out);

/// Leaves the unsigned numbers in `numbers`.
void read_packed(ByteReader& in, std::span<std::int64_t> numbers);

/// The low `width` (1 … 64) bits of each, least significant first. lanes().unpack() reads them.
void write_bits(std::span<const std::uint64_t> numbers, unsigned width, ByteWriter& out);

}  // namespace lineshaft::store
