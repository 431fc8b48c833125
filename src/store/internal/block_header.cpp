#include "store/internal/block_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "store/internal/decimal.h"
#include "store/internal/ints.h"

namespace lineshaft::store {
namespace {

constexpr std::uint8_t type_mixed = 0;
constexpr std::uint8_t scale_none = 255;

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

Sum constant_sum(const Bucket& stats) {
    Sum sum;
    sum.add_product(stats.min, static_cast<double>(stats.usable));
    return sum;
}

bool same_bits(const Sum& a, const Sum& b) {
    return bits_of(a.hi) == bits_of(b.hi) && bits_of(a.lo) == bits_of(b.lo);
}

/// Minimum, maximum, first and last as integers of one scale.
struct Decimals {
    Scale scale;
    std::array<std::int64_t, 4> numbers{};
};

std::optional<Decimals> decimals_of(const Bucket& stats) {
    for (const bool single : {false, true}) {
        for (int exponent = 0; exponent <= 9; ++exponent) {
            Decimals found{{exponent, single}, {}};
            const std::array values = {stats.min, stats.max, stats.first, stats.last};
            bool all = true;
            for (std::size_t i = 0; i < values.size() && all; ++i)
                all = to_decimal(bits_of(values[i]), found.scale, found.numbers[i]);
            if (all) return found;
        }
    }
    return std::nullopt;
}

/// lo, which is at most half a unit in hi's last place and a multiple of the smallest unit of what was summed, is a
/// short integer times a power of two.
void write_rest(double lo, ByteWriter& out) {
    int exponent = 0;
    auto mantissa = static_cast<std::int64_t>(std::ldexp(std::frexp(lo, &exponent), 53));
    exponent -= 53;
    if (mantissa != 0) {
        const int zeros = std::countr_zero(static_cast<std::uint64_t>(mantissa));
        mantissa >>= zeros;
        exponent += zeros;
    }
    out.varint(zigzag(mantissa));
    if (mantissa != 0) out.varint(zigzag(exponent));
}

double read_rest(ByteReader& in) {
    const std::int64_t mantissa = unzigzag(in.varint());
    if (mantissa == 0) return 0;
    const std::int64_t exponent = unzigzag(in.varint());
    if (exponent < -1200 || exponent > 1200) in.fail();
    return in.ok() ? std::ldexp(static_cast<double>(mantissa), static_cast<int>(exponent)) : 0;
}

void write_statistics(const Bucket& stats, bool constant, ByteWriter& out) {
    const auto decimals = decimals_of(stats);
    std::int64_t sum = 0;
    if (!decimals || (!constant && !round_decimal(stats.sum.hi, decimals->scale.exponent, sum))) {
        out.u8(scale_none);
        out.le(stats.min);
        if (constant) return;
        for (const double value : {stats.max, stats.first, stats.last, stats.sum.hi, stats.sum.lo}) out.le(value);
        return;
    }
    out.u8(decimals->scale.byte());
    const std::int64_t least = decimals->numbers[0];
    out.varint(zigzag(least));
    if (constant) return;
    for (std::size_t i = 1; i < 4; ++i) out.varint(static_cast<std::uint64_t>(decimals->numbers[i] - least));
    out.varint(zigzag(sum));
    const double guess = from_decimal(sum, {decimals->scale.exponent, false});
    out.varint(zigzag(static_cast<std::int64_t>(bits_of(stats.sum.hi) - bits_of(guess))));
    write_rest(stats.sum.lo, out);
}

void read_decimals(ByteReader& in, Scale scale, bool constant, Bucket& stats) {
    if (scale.exponent > scale_max) return in.fail();
    const std::int64_t least = unzigzag(in.varint());
    stats.min = from_decimal(least, scale);
    if (constant) return;
    for (double* value : {&stats.max, &stats.first, &stats.last})
        *value = from_decimal(wrapping_add(least, static_cast<std::int64_t>(in.varint())), scale);
    const double guess = from_decimal(unzigzag(in.varint()), {scale.exponent, false});
    const auto ulps = static_cast<std::uint64_t>(unzigzag(in.varint()));
    stats.sum.hi = std::bit_cast<double>(bits_of(guess) + ulps);
    stats.sum.lo = read_rest(in);
}

void read_statistics(ByteReader& in, bool constant, Bucket& stats) {
    const std::uint8_t scale = in.u8();
    if (scale != scale_none) {
        read_decimals(in, Scale::from(scale), constant, stats);
    } else {
        stats.min = in.le<double>();
        if (!constant) {
            for (double* value : {&stats.max, &stats.first, &stats.last, &stats.sum.hi, &stats.sum.lo})
                *value = in.le<double>();
        }
    }
    if (!constant) return;
    stats.max = stats.first = stats.last = stats.min;
    stats.sum = constant_sum(stats);
}

void read_statistics_1(ByteReader& in, bool constant, Bucket& stats) {
    if (constant) {
        stats.min = stats.max = stats.first = stats.last = in.le<double>();
        stats.sum = constant_sum(stats);
        return;
    }
    for (double* value : {&stats.min, &stats.max, &stats.first, &stats.last, &stats.sum.hi}) *value = in.le<double>();
}

void read_counts(ByteReader& in, std::uint8_t flags, BlockHeader& header) {
    Bucket& stats = header.stats;
    const std::uint64_t repeats = flags & flag_repeats ? in.varint() : 0;
    if (repeats >= header.rows) return in.fail();
    stats.count = header.rows - repeats;
    const std::uint64_t unusable = flags & flag_unusable ? in.varint() : 0;
    if (unusable > stats.count) return in.fail();
    stats.usable = stats.count - unusable;
    stats.good = stats.count;
    if (flags & flag_quality) {
        const std::uint64_t not_good = in.varint();
        stats.uncertain = in.varint();
        stats.worst = Quality(in.le<std::uint32_t>());
        if (not_good > stats.count || stats.uncertain > not_good) return in.fail();
        stats.good = stats.count - not_good;
    }
}

}  // namespace

bool is_constant(const Bucket& stats) {
    if (stats.usable == 0) return false;
    const std::uint64_t least = bits_of(stats.min);
    return least == bits_of(stats.max) && least == bits_of(stats.first) && least == bits_of(stats.last) &&
           same_bits(stats.sum, constant_sum(stats));
}

void write_block_header(BlockHeader& header, ByteWriter& out) {
    const Bucket& stats = header.stats;
    const bool constant = is_constant(stats);
    header.flags |=
        static_cast<std::uint8_t>(flag_version_2 | (stats.count != header.rows ? flag_repeats : 0) |
                                  (stats.usable != stats.count ? flag_unusable : 0) |
                                  (stats.worst.code() != 0 ? flag_quality : 0) | (constant ? flag_constant : 0));
    out.u8(header.flags);
    out.u8(static_cast<std::uint8_t>((header.mixed ? type_mixed : static_cast<std::uint8_t>(header.type)) |
                                     header.unit << 4));
    out.varint(header.tag.value());
    out.varint(header.body_bytes);
    out.varint(header.rows);
    const std::int64_t unit = ns_of_unit(header.unit);
    out.varint(zigzag(header.first_time.ns() / unit));
    out.varint(static_cast<std::uint64_t>(wrapping_sub(header.last_time.ns(), header.first_time.ns())) /
               static_cast<std::uint64_t>(unit));
    if (header.flags & flag_repeats) out.varint(header.rows - stats.count);
    if (header.flags & flag_unusable) out.varint(stats.count - stats.usable);
    if (header.flags & flag_quality) {
        out.varint(stats.count - stats.good);
        out.varint(stats.uncertain);
        out.le(stats.worst.code());
    }
    if (stats.usable > 0) write_statistics(stats, constant, out);
}

BlockHeader read_block_header(ByteReader& in) {
    BlockHeader header;
    header.flags = in.u8();
    const bool second = (header.flags & flag_version_2) != 0;
    const std::uint8_t kind = in.u8();
    const std::uint8_t type = second ? kind & 0x0F : kind;
    header.unit = second ? kind >> 4 : 0;
    header.tag = TagId(in.varint());
    header.body_bytes = in.varint();
    const std::uint64_t rows = in.varint();
    const auto unit = static_cast<std::uint64_t>(ns_of_unit(header.unit));
    const std::uint64_t first =
        second ? static_cast<std::uint64_t>(unzigzag(in.varint())) * unit : in.le<std::uint64_t>();
    header.first_time = UtcTime(static_cast<std::int64_t>(first));
    header.last_time = UtcTime(static_cast<std::int64_t>(first + in.varint() * unit));
    if (!in.ok() || rows == 0 || rows > block_rows_max || type > 4 || header.unit > 3 ||
        header.last_time < header.first_time || (!second && (header.flags & ~flags_of_version_1) != 0)) {
        in.fail();
        return header;
    }
    header.rows = static_cast<std::uint32_t>(rows);
    header.mixed = type == type_mixed;
    header.type = header.mixed ? ValueType::Double : static_cast<ValueType>(type);
    header.stats.first_time = header.first_time;
    header.stats.last_time = header.last_time;
    read_counts(in, header.flags, header);
    const bool constant = (header.flags & flag_constant) != 0;
    const bool uniform = (header.flags & flag_uniform) != 0;
    if (uniform && (!constant || header.mixed || header.type != ValueType::Double || header.stats.usable == 0))
        in.fail();
    if (!in.ok() || header.stats.usable == 0) return header;
    if (second)
        read_statistics(in, constant, header.stats);
    else
        read_statistics_1(in, constant, header.stats);
    return header;
}

}  // namespace lineshaft::store
