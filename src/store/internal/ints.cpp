#include "store/internal/ints.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "store/internal/ints_plan.h"
#include "store/internal/lanes.h"
#include "store/internal/packing.h"

namespace lineshaft::store {
namespace {

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

void write_residuals(const Residuals& numbers, const Plan& plan, ByteWriter& out) {
    switch (plan.coding) {
        case Coding::Constant: return out.varint(zigzag(numbers[0]));
        case Coding::Runs: return write_runs(numbers, out);
        case Coding::Dictionary:
            out.u8(static_cast<std::uint8_t>(plan.entries.size() - 1));
            out.varint(zigzag(plan.entries[0]));
            for (std::size_t i = 1; i < plan.entries.size(); ++i)
                out.varint(static_cast<std::uint64_t>(wrapping_sub(plan.entries[i], plan.entries[i - 1])) - 1);
            return write_packed(plan.indexes, plan.packing, out);
        case Coding::Same: return;
        case Coding::Stretches: return out.bytes(plan.stretches);
        case Coding::Banded: out.varint(zigzag(plan.base)); break;
        case Coding::Zigzag: break;
    }
    std::vector<std::uint64_t> packed(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) packed[i] = packed_number(numbers[i], plan);
    write_packed(packed, plan.packing, out);
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

void decode(ByteReader& in, std::span<std::int64_t> values, std::int64_t origin, std::uint64_t factor, bool flat);

void read_stretches(ByteReader& in, std::span<std::int64_t> numbers) {
    const std::uint64_t runs = in.varint();
    if (!in.ok() || runs == 0 || runs > numbers.size()) return in.fail();
    Residuals values(runs);
    Residuals lengths(runs);
    decode(in, values, 0, 1, true);
    decode(in, lengths, 0, 1, true);
    if (!in.ok()) return;
    std::size_t filled = 0;
    for (std::size_t run = 0; run < runs; ++run) {
        const auto length = static_cast<std::uint64_t>(lengths[run]);
        if (length == 0 || length > numbers.size() - filled) return in.fail();
        std::fill_n(numbers.begin() + static_cast<std::ptrdiff_t>(filled), length, values[run]);
        filled += length;
    }
    if (filled != numbers.size()) in.fail();
}

void read_residuals(ByteReader& in, Coding coding, bool flat, std::span<std::int64_t> numbers) {
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
        case Coding::Stretches:
            if (flat) break;
            return read_stretches(in, numbers);
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
    std::uint64_t known = 0;
    for (const std::int64_t offset : offsets) {
        const std::uint64_t step = magnitude(wrapping_sub(offset, before));
        before = offset;
        if (step == known) continue;
        known = step;
        if (divisor != 0 && ((divisor | step) >> 32 != 0
                                 ? step % divisor
                                 : static_cast<std::uint32_t>(step) % static_cast<std::uint32_t>(divisor)) == 0)
            continue;
        divisor = std::gcd(divisor, step);
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

void encode(std::span<const std::int64_t> values, bool flat, ByteWriter& out) {
    if (values.empty()) return;
    if (std::ranges::all_of(values, [&](std::int64_t value) { return value == values[0]; })) {
        out.u8(static_cast<std::uint8_t>(static_cast<int>(Coding::Same) << 4));
        return out.varint(zigzag(values[0]));
    }
    Residuals numbers(values.size() - 1);
    for (std::size_t i = 1; i < values.size(); ++i) numbers[i - 1] = wrapping_sub(values[i], values[0]);
    const std::uint64_t divisor = common_divisor(numbers);
    if (divisor > 1) divide_exactly(numbers, divisor);
    const Plan plan = best_plan(numbers, flat);
    out.u8(static_cast<std::uint8_t>(plan.order | static_cast<int>(plan.coding) << 4));
    out.varint(zigzag(values[0]));
    out.varint(divisor);
    write_residuals(numbers, plan, out);
}

void decode(ByteReader& in, std::span<std::int64_t> values, std::int64_t origin, std::uint64_t factor, bool flat) {
    if (values.empty()) return;
    const std::uint8_t shape = in.u8();
    const auto first = static_cast<std::uint64_t>(unzigzag(in.varint()));
    const auto coding = static_cast<Coding>(shape >> 4);
    const int order = shape & 3;
    if (!in.ok() || order > 2 || (shape & 0x0C) != 0) return in.fail();
    const auto start = static_cast<std::int64_t>(static_cast<std::uint64_t>(origin) + first * factor);
    if (coding == Coding::Same) {
        if (order != 0) return in.fail();
        return (void)std::ranges::fill(values, start);
    }
    const std::uint64_t divisor = in.varint();
    if (!in.ok() || divisor == 0) return in.fail();
    values[0] = start;
    const std::span<std::int64_t> rest = values.subspan(1);
    if (rest.empty()) return;
    if (coding == Coding::Constant && order == 1) {
        // A regular time stamp: nothing to add up.
        const std::uint64_t step = static_cast<std::uint64_t>(unzigzag(in.varint())) * divisor * factor;
        auto value = static_cast<std::uint64_t>(start);
        for (std::int64_t& number : rest) number = static_cast<std::int64_t>(value += step);
        return;
    }
    read_residuals(in, coding, flat, rest);
    if (!in.ok()) return;
    for (int turn = 0; turn < order; ++turn) lanes().sum_up(rest);
    lanes().scale(rest, start, divisor * factor);
}

}  // namespace

void encode_ints(std::span<const std::int64_t> values, ByteWriter& out) { encode(values, false, out); }
void encode_flat(std::span<const std::int64_t> values, ByteWriter& out) { encode(values, true, out); }

void decode_ints(ByteReader& in, std::span<std::int64_t> values) { decode(in, values, 0, 1, false); }
void decode_ints(ByteReader& in, std::span<std::int64_t> values, std::int64_t origin, std::uint64_t factor) {
    decode(in, values, origin, factor, false);
}

std::optional<std::int64_t> decode_same(ByteReader& in) {
    ByteReader ahead = in;
    if (static_cast<Coding>(ahead.u8() >> 4) != Coding::Same) return std::nullopt;
    const std::int64_t value = unzigzag(ahead.varint());
    if (!ahead.ok()) return std::nullopt;
    in = ahead;
    return value;
}

}  // namespace lineshaft::store
