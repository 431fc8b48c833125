#include "store/internal/ints.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

enum class Coding : std::uint8_t { Constant = 0, Runs = 1, Banded = 2, Zigzag = 3 };  // On disk. Append only.

using Residuals = std::vector<std::int64_t>;

std::size_t varint_bytes(std::uint64_t value) { return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7; }

/// How a set of residuals would be packed, and what it would cost.
struct Packing {
    std::size_t bytes = SIZE_MAX;
    unsigned width = 0;
};

/// `widths[w]` numbers need exactly w bits.
Packing best_packing(const std::array<std::uint32_t, 65>& widths, std::size_t count) {
    Packing best;
    std::size_t exceptions = 0;
    std::size_t exception_bytes = 0;
    unsigned widest = 64;
    while (widest > 0 && widths[widest] == 0) --widest;
    for (unsigned width = widest;; --width) {
        const std::size_t bytes = (count * width + 7) / 8 + exception_bytes + exceptions * 2 + 3;
        if (bytes < best.bytes) best = {bytes, width};
        if (width == 0) return best;
        exceptions += widths[width];
        exception_bytes = exceptions * ((widest - (width - 1) + 6) / 7);
    }
}

struct Plan {
    std::size_t bytes = SIZE_MAX;
    int order = 0;
    Coding coding = Coding::Constant;
    unsigned width = 0;
    std::int64_t base = 0;
};

Plan plan_for(const Residuals& residuals, int order) {
    const auto [least, most] = std::ranges::minmax(residuals);
    if (least == most) return {1 + varint_bytes(zigzag(least)), order, Coding::Constant, 0, least};
    std::array<std::uint32_t, 65> banded{};
    std::array<std::uint32_t, 65> zigzagged{};
    std::size_t run_bytes = 2;
    std::size_t run = 0;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        const std::int64_t r = residuals[i];
        ++banded[static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(wrapping_sub(r, least))))];
        ++zigzagged[static_cast<std::size_t>(std::bit_width(zigzag(r)))];
        ++run;
        if (i + 1 == residuals.size() || residuals[i + 1] != r) {
            run_bytes += varint_bytes(zigzag(r)) + varint_bytes(run);
            run = 0;
        }
    }
    Plan best{run_bytes, order, Coding::Runs, 0, 0};
    const Packing band = best_packing(banded, residuals.size());
    const std::size_t band_bytes = band.bytes + varint_bytes(zigzag(least));
    if (band_bytes < best.bytes) best = {band_bytes, order, Coding::Banded, band.width, least};
    const Packing zig = best_packing(zigzagged, residuals.size());
    if (zig.bytes < best.bytes) best = {zig.bytes, order, Coding::Zigzag, zig.width, 0};
    return best;
}

void difference(Residuals& numbers) {
    std::int64_t before = 0;
    for (std::int64_t& number : numbers) {
        const std::int64_t now = number;
        number = wrapping_sub(now, before);
        before = now;
    }
}

void write_runs(const Residuals& residuals, ByteWriter& out) {
    std::size_t runs = 1;
    for (std::size_t i = 1; i < residuals.size(); ++i) runs += residuals[i] != residuals[i - 1];
    out.varint(runs);
    for (std::size_t i = 0; i < residuals.size();) {
        std::size_t end = i + 1;
        while (end < residuals.size() && residuals[end] == residuals[i]) ++end;
        out.varint(zigzag(residuals[i]));
        out.varint(end - i);
        i = end;
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

void write_packed(std::span<const std::uint64_t> numbers, unsigned width, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(width));
    const auto is_wide = [width](std::uint64_t number) { return width < 64 && (number >> width) != 0; };
    out.varint(static_cast<std::uint64_t>(std::ranges::count_if(numbers, is_wide)));
    if (width > 0) write_bits(numbers, width, out);
    std::size_t after = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (!is_wide(numbers[i])) continue;
        out.varint(i - after);
        out.varint(numbers[i] >> width);
        after = i + 1;
    }
}

void read_bits(const std::byte* at, const std::byte* end, unsigned width, std::span<std::int64_t> numbers) {
    const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
    std::size_t bit = 0;
    std::size_t i = 0;
    if (width <= 56) {
        // One unaligned load a number while eight whole bytes lie ahead.
        const auto bytes = static_cast<std::size_t>(end - at);
        for (; i < numbers.size() && (bit >> 3) + 8 <= bytes; ++i, bit += width)
            numbers[i] = static_cast<std::int64_t>((load_le<std::uint64_t>(at + (bit >> 3)) >> (bit & 7)) & mask);
    }
    for (; i < numbers.size(); ++i, bit += width) {
        std::array<std::byte, 16> window{};
        const std::byte* from = at + (bit >> 3);
        std::copy_n(from, std::min<std::ptrdiff_t>(9, end - from), window.begin());
        const unsigned shift = bit & 7;
        std::uint64_t number = load_le<std::uint64_t>(window.data()) >> shift;
        if (shift != 0) number |= load_le<std::uint64_t>(window.data() + 8) << (64 - shift);
        numbers[i] = static_cast<std::int64_t>(number & mask);
    }
}

/// Leaves the unsigned numbers in `numbers`.
void read_packed(ByteReader& in, std::span<std::int64_t> numbers) {
    const unsigned width = in.u8();
    const std::uint64_t exceptions = in.varint();
    if (width > 64 || exceptions > numbers.size() || (width == 64 && exceptions > 0)) return in.fail();
    if (width == 0) {
        std::ranges::fill(numbers, 0);
    } else {
        const ByteView packed = in.bytes((numbers.size() * width + 7) / 8);
        if (!in.ok()) return;
        read_bits(packed.data(), packed.data() + packed.size(), width, numbers);
    }
    std::size_t position = 0;
    for (std::uint64_t i = 0; i < exceptions; ++i, ++position) {
        const std::uint64_t skip = in.varint();
        const std::uint64_t high = in.varint();
        if (!in.ok() || skip >= numbers.size() - std::min(position, numbers.size())) return in.fail();
        position += skip;
        numbers[position] |= static_cast<std::int64_t>(high << width);
    }
}

void read_runs(ByteReader& in, std::span<std::int64_t> numbers) {
    const std::uint64_t runs = in.varint();
    std::size_t filled = 0;
    for (std::uint64_t i = 0; i < runs; ++i) {
        const std::int64_t value = unzigzag(in.varint());
        const std::uint64_t length = in.varint();
        if (!in.ok() || length == 0 || length > numbers.size() - filled) return in.fail();
        std::fill_n(numbers.begin() + static_cast<std::ptrdiff_t>(filled), length, value);
        filled += length;
    }
    if (filled != numbers.size()) in.fail();
}

void read_residuals(ByteReader& in, Coding coding, std::span<std::int64_t> numbers) {
    switch (coding) {
        case Coding::Constant: std::ranges::fill(numbers, unzigzag(in.varint())); return;
        case Coding::Runs: read_runs(in, numbers); return;
        case Coding::Banded: {
            const std::int64_t base = unzigzag(in.varint());
            read_packed(in, numbers);
            for (std::int64_t& number : numbers) number = wrapping_add(number, base);
            return;
        }
        case Coding::Zigzag:
            read_packed(in, numbers);
            for (std::int64_t& number : numbers) number = unzigzag(static_cast<std::uint64_t>(number));
            return;
    }
    in.fail();
}

std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

/// The largest number that divides every w(i) - w(0). At most 2^62, so that it fits a signed division.
std::uint64_t common_divisor(const Residuals& offsets) {
    std::uint64_t divisor = 0;
    for (const std::int64_t offset : offsets) {
        divisor = std::gcd(divisor, magnitude(offset));
        if (divisor == 1) return 1;
    }
    return divisor == 0 || divisor > (std::uint64_t{1} << 62) ? 1 : divisor;
}

}  // namespace

void encode_ints(std::span<const std::int64_t> values, ByteWriter& out) {
    if (values.empty()) return;
    Residuals numbers(values.size() - 1);
    for (std::size_t i = 1; i < values.size(); ++i) numbers[i - 1] = wrapping_sub(values[i], values[0]);
    const std::uint64_t divisor = common_divisor(numbers);
    if (divisor > 1) {
        for (std::int64_t& number : numbers) number /= static_cast<std::int64_t>(divisor);
    }
    Plan best;
    if (!numbers.empty()) {
        Residuals trial = numbers;
        best = plan_for(trial, 0);
        for (int order = 1; order <= 2 && best.bytes > 4; ++order) {
            difference(trial);
            const Plan plan = plan_for(trial, order);
            if (plan.bytes < best.bytes) best = plan;
        }
        for (int order = 0; order < best.order; ++order) difference(numbers);
    }
    out.u8(static_cast<std::uint8_t>(best.order | static_cast<int>(best.coding) << 4));
    out.varint(zigzag(values[0]));
    out.varint(divisor);
    if (numbers.empty()) return;
    switch (best.coding) {
        case Coding::Constant: out.varint(zigzag(numbers[0])); return;
        case Coding::Runs: write_runs(numbers, out); return;
        case Coding::Banded:
        case Coding::Zigzag: break;
    }
    std::vector<std::uint64_t> packed(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
        packed[i] = best.coding == Coding::Zigzag ? zigzag(numbers[i])
                                                  : static_cast<std::uint64_t>(wrapping_sub(numbers[i], best.base));
    if (best.coding == Coding::Banded) out.varint(zigzag(best.base));
    write_packed(packed, best.width, out);
}

void decode_ints(ByteReader& in, std::span<std::int64_t> values) {
    if (values.empty()) return;
    const std::uint8_t shape = in.u8();
    const std::int64_t first = unzigzag(in.varint());
    const std::uint64_t divisor = in.varint();
    const int order = shape & 3;
    if (!in.ok() || order > 2 || (shape & 0x0C) != 0 || divisor == 0) return in.fail();
    values[0] = first;
    const std::span<std::int64_t> rest = values.subspan(1);
    if (rest.empty()) return;
    read_residuals(in, static_cast<Coding>(shape >> 4), rest);
    if (!in.ok()) return;
    std::uint64_t value = 0;
    std::uint64_t slope = 0;
    const auto origin = static_cast<std::uint64_t>(first);
    // Three loops: the compiler keeps each small and quick.
    if (order == 0) {
        for (std::int64_t& number : rest)
            number = static_cast<std::int64_t>(origin + static_cast<std::uint64_t>(number) * divisor);
    } else if (order == 1) {
        for (std::int64_t& number : rest) {
            value += static_cast<std::uint64_t>(number);
            number = static_cast<std::int64_t>(origin + value * divisor);
        }
    } else {
        for (std::int64_t& number : rest) {
            slope += static_cast<std::uint64_t>(number);
            value += slope;
            number = static_cast<std::int64_t>(origin + value * divisor);
        }
    }
}

}  // namespace lineshaft::store
