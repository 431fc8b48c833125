#include "store/internal/ints.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "store/internal/entropy.h"
#include "store/internal/lanes.h"

namespace lineshaft::store {
namespace {

enum class Coding : std::uint8_t {  // On disk. Append only.
    Constant = 0,
    Runs = 1,
    Banded = 2,
    Zigzag = 3,
    Dictionary = 4,
    Same = 5
};

constexpr std::uint8_t entropy_flag = 0x80;
constexpr std::size_t dictionary_max = 64;  // More would rather be a band.
constexpr std::size_t entropy_rows_min = 64;

using Residuals = std::vector<std::int64_t>;
using Widths = std::array<std::uint32_t, 65>;  // [w]: how many numbers need exactly w bits.

std::size_t varint_bytes(std::uint64_t value) { return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7; }

/// How a set of residuals would be packed, and what it would cost.
struct Packing {
    std::size_t bytes = SIZE_MAX;
    unsigned width = 0;
    bool entropy = false;
    unsigned low = 0;  // With entropy: bits below the symbols.
    EntropyModel model;
};

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

struct Plan {
    std::size_t bytes = SIZE_MAX;
    int order = 0;
    Coding coding = Coding::Constant;
    std::int64_t base = 0;
    std::vector<std::int64_t> entries;  // Of the dictionary, rising.
    Packing packing;
};

/// The number that is packed for a residual.
std::uint64_t packed_number(std::int64_t residual, const Plan& plan) {
    if (plan.coding == Coding::Zigzag) return zigzag(residual);
    return static_cast<std::uint64_t>(wrapping_sub(residual, plan.base));
}

/// Tries symbols for the top bits of the numbers; improves `plan` when that pays for the slower decoding.
void consider_entropy(const std::vector<std::uint64_t>& numbers, const Widths& widths, Plan& plan) {
    if (numbers.size() < entropy_rows_min) return;
    // Rare numbers are cheap as symbols, so fewer exceptions than in plain packing are worth it.
    unsigned width = widest_of(widths);
    const unsigned widest = width;
    std::size_t exceptions = 0;
    while (width > 0 && exceptions + widths[width] <= numbers.size() / 256) exceptions += widths[width--];
    if (width == 0 || width > 20) return;
    const std::size_t other_bytes = exceptions * (2 + (widest - width + 6) / 7) + 3;
    unsigned symbol_bits = std::min(width, entropy_symbol_bits);
    SymbolCounts counts{};
    const unsigned shift = width - symbol_bits;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    for (const std::uint64_t number : numbers) ++counts[(number & mask) >> shift];
    for (;; --symbol_bits) {
        const unsigned low = width - symbol_bits;
        const EntropyModel model = model_of(counts);
        const std::size_t bytes = model.bytes + (numbers.size() * low + 7) / 8 + other_bytes;
        // A twentieth less, or it is not worth the slower decoding.
        if (bytes < plan.packing.bytes && bytes + bytes / 20 < plan.bytes) {
            plan.bytes -= plan.packing.bytes - bytes;
            plan.packing = {bytes, width, true, low, model};
        }
        if (symbol_bits <= 3) return;
        for (std::size_t i = 0; i < counts.size() / 2; ++i) counts[i] = counts[2 * i] + counts[2 * i + 1];
        std::fill(counts.begin() + counts.size() / 2, counts.end(), 0U);
    }
}

/// The distinct residuals in rising order; none if there are too many.
std::vector<std::int64_t> few_distinct(const Residuals& residuals) {
    constexpr std::size_t places = 256;
    std::array<std::int64_t, places> held;
    std::array<bool, places> taken{};
    std::vector<std::int64_t> distinct;
    std::int64_t before = 0;
    for (const std::int64_t r : residuals) {
        if (r == before && !distinct.empty()) continue;
        before = r;
        std::size_t at = (static_cast<std::uint64_t>(r) * 0x9E37'79B9'7F4A'7C15ULL) >> 56;
        while (taken[at] && held[at] != r) at = (at + 1) % places;
        if (taken[at]) continue;
        if (distinct.size() == dictionary_max) return {};
        taken[at] = true;
        held[at] = r;
        distinct.push_back(r);
    }
    std::ranges::sort(distinct);
    return distinct;
}

std::vector<std::uint64_t> dictionary_indexes(const Residuals& residuals, const std::vector<std::int64_t>& entries) {
    std::vector<std::uint64_t> indexes(residuals.size());
    for (std::size_t i = 0; i < residuals.size(); ++i)
        indexes[i] =
            i > 0 && residuals[i] == residuals[i - 1]
                ? indexes[i - 1]
                : static_cast<std::uint64_t>(std::ranges::lower_bound(entries, residuals[i]) - entries.begin());
    return indexes;
}

void consider_dictionary(const Residuals& residuals, Plan& best) {
    std::vector<std::int64_t> entries = few_distinct(residuals);
    if (entries.size() < 2) return;
    Plan plan;
    plan.order = best.order;
    plan.coding = Coding::Dictionary;
    std::size_t head = 1 + varint_bytes(zigzag(entries[0]));
    for (std::size_t i = 1; i < entries.size(); ++i)
        head += varint_bytes(static_cast<std::uint64_t>(wrapping_sub(entries[i], entries[i - 1])));
    if (head >= best.bytes) return;
    const std::vector<std::uint64_t> indexes = dictionary_indexes(residuals, entries);
    Widths widths{};
    for (const std::uint64_t index : indexes) ++widths[static_cast<std::size_t>(std::bit_width(index))];
    plan.packing = best_packing(widths, indexes.size());
    plan.bytes = head + plan.packing.bytes;
    consider_entropy(indexes, widths, plan);
    if (plan.bytes >= best.bytes) return;
    plan.entries = std::move(entries);
    best = std::move(plan);
}

/// What the cheap look at one order of differences finds.
struct Shape {
    Plan plan;
    Widths banded{};
    Widths zigzagged{};
    std::int64_t least = 0;
};

Shape shape_of(const Residuals& residuals, int order) {
    Shape shape;
    shape.plan.order = order;
    const auto [least, most] = std::ranges::minmax(residuals);
    shape.least = least;
    if (least == most) {
        shape.plan.bytes = 1 + varint_bytes(zigzag(least));
        shape.plan.base = least;
        return shape;
    }
    std::size_t run_bytes = 2;
    std::size_t run = 0;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        const std::int64_t r = residuals[i];
        ++shape.banded[static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(wrapping_sub(r, least))))];
        ++shape.zigzagged[static_cast<std::size_t>(std::bit_width(zigzag(r)))];
        ++run;
        if (i + 1 == residuals.size() || residuals[i + 1] != r) {
            run_bytes += varint_bytes(zigzag(r)) + varint_bytes(run);
            run = 0;
        }
    }
    shape.plan.bytes = run_bytes;
    shape.plan.coding = Coding::Runs;
    const Packing band = best_packing(shape.banded, residuals.size());
    const std::size_t band_bytes = band.bytes + varint_bytes(zigzag(least));
    if (band_bytes < shape.plan.bytes) shape.plan = {band_bytes, order, Coding::Banded, least, {}, band};
    const Packing zig = best_packing(shape.zigzagged, residuals.size());
    if (zig.bytes < shape.plan.bytes) shape.plan = {zig.bytes, order, Coding::Zigzag, 0, {}, zig};
    return shape;
}

/// The closer and dearer look: symbols for what the cheap look would pack, and a dictionary.
void improve(Shape& shape, const Residuals& residuals) {
    if (shape.plan.bytes <= 16) return;
    const bool narrow_band = widest_of(shape.banded) < widest_of(shape.zigzagged);
    Plan plan{SIZE_MAX, shape.plan.order, Coding::Zigzag, 0, {}, {}};
    if (narrow_band) {
        plan.coding = Coding::Banded;
        plan.base = shape.least;
    }
    std::vector<std::uint64_t> numbers(residuals.size());
    for (std::size_t i = 0; i < residuals.size(); ++i) numbers[i] = packed_number(residuals[i], plan);
    plan.bytes = shape.plan.bytes;
    plan.packing.bytes = shape.plan.bytes;  // What it has to beat.
    consider_entropy(numbers, narrow_band ? shape.banded : shape.zigzagged, plan);
    if (plan.packing.entropy) {
        if (narrow_band) plan.bytes += varint_bytes(zigzag(shape.least));
        if (plan.bytes < shape.plan.bytes) shape.plan = std::move(plan);
    }
    consider_dictionary(residuals, shape.plan);
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

void read_bits(ByteReader& in, unsigned width, std::span<std::int64_t> numbers) {
    if (width == 0) {
        std::ranges::fill(numbers, 0);
        return;
    }
    const ByteView packed = in.bytes((numbers.size() * width + 7) / 8);
    if (in.ok()) lanes().unpack(packed, width, numbers);
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

void read_dictionary(ByteReader& in, std::span<std::int64_t> numbers) {
    const std::size_t count = std::size_t{in.u8()} + 1;
    std::array<std::int64_t, 256> entries;
    entries[0] = unzigzag(in.varint());
    for (std::size_t i = 1; i < count; ++i) {
        const std::uint64_t gap = in.varint() + 1;
        entries[i] = wrapping_add(entries[i - 1], static_cast<std::int64_t>(gap));
    }
    read_packed(in, numbers);
    if (!in.ok()) return;
    for (std::int64_t& number : numbers) {
        if (static_cast<std::uint64_t>(number) >= count) return in.fail();
        number = entries[static_cast<std::size_t>(number)];
    }
}

void read_residuals(ByteReader& in, Coding coding, std::span<std::int64_t> numbers) {
    switch (coding) {
        case Coding::Constant: std::ranges::fill(numbers, unzigzag(in.varint())); return;
        case Coding::Runs: read_runs(in, numbers); return;
        case Coding::Banded: {
            const std::int64_t base = unzigzag(in.varint());
            read_packed(in, numbers);
            lanes().add(numbers, base);
            return;
        }
        case Coding::Zigzag:
            read_packed(in, numbers);
            lanes().unzigzag(numbers);
            return;
        case Coding::Dictionary: return read_dictionary(in, numbers);
        case Coding::Same: break;
    }
    in.fail();
}

std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

/// The largest number that divides every w(i) - w(0). At most 2^62, so that it fits a signed division.
std::uint64_t common_divisor(const Residuals& offsets) {
    // That of the steps is the same, and steps repeat: a regular time stamp is settled with one division.
    std::uint64_t divisor = 0;
    std::int64_t before = 0;
    std::int64_t step = 0;
    for (const std::int64_t offset : offsets) {
        const std::int64_t now = wrapping_sub(offset, before);
        before = offset;
        if (now == step) continue;
        step = now;
        divisor = std::gcd(divisor, magnitude(offset));
        divisor = std::gcd(divisor, magnitude(now));
        if (divisor == 1) return 1;
    }
    return divisor == 0 || divisor > (std::uint64_t{1} << 62) ? 1 : divisor;
}

/// Divides numbers that leave no remainder: a shift and a product with the odd part's inverse modulo 2^64.
void divide_exactly(Residuals& numbers, std::uint64_t divisor) {
    const int zeros = std::countr_zero(divisor);
    const std::uint64_t odd = divisor >> zeros;
    std::uint64_t inverse = odd;  // Right in three bits; each turn doubles them.
    for (int turn = 0; turn < 5; ++turn) inverse *= 2 - odd * inverse;
    for (std::int64_t& number : numbers)
        number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number >> zeros) * inverse);
}

/// The best plan over the orders, and `numbers` as differences of that order.
Plan best_plan(Residuals& numbers) {
    constexpr int orders = 3;
    std::array<Residuals, orders> residuals;
    std::array<Shape, orders> shapes;
    std::size_t least = SIZE_MAX;
    int looked = 0;
    for (; looked < orders && least > 6; ++looked) {
        const auto at = static_cast<std::size_t>(looked);
        residuals[at] = looked == 0 ? std::move(numbers) : residuals[at - 1];
        if (looked > 0) difference(residuals[at]);
        shapes[at] = shape_of(residuals[at], looked);
        least = std::min(least, shapes[at].plan.bytes);
    }
    std::size_t best = 0;
    for (int order = 0; order < looked; ++order) {
        const auto at = static_cast<std::size_t>(order);
        // The closer look only where it may win. Order 0 of a few set points looks wide and is a dictionary.
        if (order == 0 || shapes[at].plan.bytes <= least + least / 3) improve(shapes[at], residuals[at]);
        if (shapes[at].plan.bytes < shapes[best].plan.bytes) best = at;
    }
    numbers = std::move(residuals[best]);
    return std::move(shapes[best].plan);
}

void write_residuals(const Residuals& numbers, const Plan& plan, ByteWriter& out) {
    switch (plan.coding) {
        case Coding::Constant: return out.varint(zigzag(numbers[0]));
        case Coding::Runs: return write_runs(numbers, out);
        case Coding::Dictionary:
            out.u8(static_cast<std::uint8_t>(plan.entries.size() - 1));
            out.varint(zigzag(plan.entries[0]));
            for (std::size_t i = 1; i < plan.entries.size(); ++i)
                out.varint(static_cast<std::uint64_t>(wrapping_sub(plan.entries[i], plan.entries[i - 1])) - 1);
            return write_packed(dictionary_indexes(numbers, plan.entries), plan.packing, out);
        case Coding::Same: return;
        case Coding::Banded: out.varint(zigzag(plan.base)); break;
        case Coding::Zigzag: break;
    }
    std::vector<std::uint64_t> packed(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) packed[i] = packed_number(numbers[i], plan);
    write_packed(packed, plan.packing, out);
}

}  // namespace

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

void encode_ints(std::span<const std::int64_t> values, ByteWriter& out) {
    if (values.empty()) return;
    if (std::ranges::all_of(values, [&](std::int64_t value) { return value == values[0]; })) {
        out.u8(static_cast<std::uint8_t>(static_cast<int>(Coding::Same) << 4));
        return out.varint(zigzag(values[0]));
    }
    Residuals numbers(values.size() - 1);
    for (std::size_t i = 1; i < values.size(); ++i) numbers[i - 1] = wrapping_sub(values[i], values[0]);
    const std::uint64_t divisor = common_divisor(numbers);
    if (divisor > 1) divide_exactly(numbers, divisor);
    const Plan plan = best_plan(numbers);
    out.u8(static_cast<std::uint8_t>(plan.order | static_cast<int>(plan.coding) << 4));
    out.varint(zigzag(values[0]));
    out.varint(divisor);
    write_residuals(numbers, plan, out);
}

void decode_ints(ByteReader& in, std::span<std::int64_t> values) {
    if (values.empty()) return;
    const std::uint8_t shape = in.u8();
    const std::int64_t first = unzigzag(in.varint());
    const auto coding = static_cast<Coding>(shape >> 4);
    const int order = shape & 3;
    if (!in.ok() || order > 2 || (shape & 0x0C) != 0) return in.fail();
    if (coding == Coding::Same) {
        if (order != 0) return in.fail();
        return (void)std::ranges::fill(values, first);
    }
    const std::uint64_t divisor = in.varint();
    if (!in.ok() || divisor == 0) return in.fail();
    values[0] = first;
    const std::span<std::int64_t> rest = values.subspan(1);
    if (rest.empty()) return;
    read_residuals(in, coding, rest);
    if (!in.ok()) return;
    for (int turn = 0; turn < order; ++turn) lanes().sum_up(rest);
    lanes().scale(rest, first, divisor);
}

}  // namespace lineshaft::store
