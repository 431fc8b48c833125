#include "store/internal/packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace lineshaft::store {
namespace {

constexpr std::uint8_t entropy_flag = 0x80;
constexpr std::size_t entropy_rows_min = 64;
constexpr unsigned entropy_width_max = 20;  // Beyond, what symbols save is little beside the rest.

void read_bits(ByteReader& in, unsigned width, std::span<std::int64_t> numbers) {
    if (width == 0) {
        std::ranges::fill(numbers, 0);
        return;
    }
    const ByteView packed = in.bytes((numbers.size() * width + 7) / 8);
    if (in.ok()) lanes().unpack(packed, width, numbers);
}

}  // namespace

unsigned widest_of(const Widths& widths) {
    unsigned widest = 64;
    while (widest > 0 && widths[widest] == 0) --widest;
    return widest;
}

Packing best_packing(const Widths& widths, std::size_t count) {
    Packing best;
    std::size_t exceptions = 0;
    std::size_t exception_bytes = 0;
    const unsigned widest = widest_of(widths);
    for (unsigned width = widest;; --width) {
        const std::size_t bytes = (count * width + 7) / 8 + exception_bytes + exceptions * 2 + 3;
        if (bytes < best.bytes) {
            best.bytes = bytes;
            best.width = width;
        }
        if (width == 0) return best;
        exceptions += widths[width];
        exception_bytes = exceptions * ((widest - (width - 1) + 6) / 7);
    }
}

void consider_entropy(std::span<const std::uint64_t> numbers, const Widths& widths, Packing& best) {
    if (numbers.size() < entropy_rows_min) return;
    // Rare numbers are cheap as symbols, so fewer exceptions than in plain packing are worth it.
    const unsigned widest = widest_of(widths);
    unsigned width = widest;
    std::size_t exceptions = 0;
    while (width > 0 && exceptions + widths[width] <= numbers.size() / 256) exceptions += widths[width--];
    if (width == 0 || width > entropy_width_max) return;
    const std::size_t other_bytes = exceptions * (2 + (widest - width + 6) / 7) + 3;
    unsigned symbol_bits = std::min(width, entropy_symbol_bits);
    SymbolCounts counts{};
    const unsigned shift = width - symbol_bits;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    for (const std::uint64_t number : numbers) ++counts[(number & mask) >> shift];
    std::size_t least = SIZE_MAX;
    for (; symbol_bits > 0; --symbol_bits) {
        const unsigned low = width - symbol_bits;
        const EntropyModel model = model_of(counts);
        const std::size_t bytes = model.bytes + (numbers.size() * low + 7) / 8 + other_bytes;
        if (bytes >= least) return;
        least = bytes;
        if (bytes + bytes / 20 < best.bytes) best = {bytes, width, true, low, model};
        for (std::size_t i = 0; i < counts.size() / 2; ++i) counts[i] = counts[2 * i] + counts[2 * i + 1];
        std::fill(counts.begin() + counts.size() / 2, counts.end(), 0U);
    }
}

void write_packed(std::span<const std::uint64_t> numbers, const Packing& packing, ByteWriter& out) {
    const unsigned width = packing.width;
    out.u8(static_cast<std::uint8_t>(width | (packing.entropy ? entropy_flag : 0)));
    const auto is_wide = [width](std::uint64_t number) { return width < 64 && (number >> width) != 0; };
    out.varint(static_cast<std::uint64_t>(std::ranges::count_if(numbers, is_wide)));
    if (packing.entropy) {
        out.u8(static_cast<std::uint8_t>(packing.low));
        std::vector<std::uint8_t> symbols(numbers.size());
        const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
        for (std::size_t i = 0; i < numbers.size(); ++i)
            symbols[i] = static_cast<std::uint8_t>((numbers[i] & mask) >> packing.low);
        encode_symbols(symbols, packing.model, out);
        if (packing.low > 0) write_bits(numbers, packing.low, out);
    } else if (width > 0) {
        write_bits(numbers, width, out);
    }
    std::size_t after = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (!is_wide(numbers[i])) continue;
        out.varint(i - after);
        out.varint(numbers[i] >> width);
        after = i + 1;
    }
}

/// Leaves the unsigned numbers in `numbers`.
void read_packed(ByteReader& in, std::span<std::int64_t> numbers) {
    const std::uint8_t form = in.u8();
    const bool entropy = (form & entropy_flag) != 0;
    const unsigned width = form & 0x7F;
    const std::uint64_t exceptions = in.varint();
    if (width > 64 || exceptions > numbers.size() || (width == 64 && exceptions > 0)) return in.fail();
    if (entropy) {
        const unsigned low = in.u8();
        if (!in.ok() || low >= width || width - low > entropy_symbol_bits) return in.fail();
        std::vector<std::uint8_t> symbols(numbers.size());
        decode_symbols(in, symbols);
        if (!in.ok()) return;
        read_bits(in, low, numbers);
        for (std::size_t i = 0; i < numbers.size(); ++i)
            numbers[i] |= static_cast<std::int64_t>(std::uint64_t{symbols[i]} << low);
    } else {
        read_bits(in, width, numbers);
    }
    if (!in.ok()) return;
    std::size_t position = 0;
    for (std::uint64_t i = 0; i < exceptions; ++i, ++position) {
        const std::uint64_t skip = in.varint();
        const std::uint64_t high = in.varint();
        if (!in.ok() || skip >= numbers.size() - std::min(position, numbers.size())) return in.fail();
        position += skip;
        numbers[position] |= static_cast<std::int64_t>(high << width);
    }
}

void write_bits(std::span<const std::uint64_t> numbers, unsigned width, ByteWriter& out) {
    std::uint64_t held = 0;  // `bits` of them, lowest first.
    unsigned bits = 0;
    for (const std::uint64_t number : numbers) {
        const std::uint64_t low = width == 64 ? number : number & ((std::uint64_t{1} << width) - 1);
        held |= low << bits;
        if (bits + width < 64) {
            bits += width;
            continue;
        }
        out.le(held);
        held = bits == 0 ? 0 : low >> (64 - bits);
        bits = bits + width - 64;
    }
    for (; bits > 0; bits = bits > 8 ? bits - 8 : 0, held >>= 8) out.u8(static_cast<std::uint8_t>(held));
}

}  // namespace lineshaft::store
