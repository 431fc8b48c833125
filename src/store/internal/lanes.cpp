#include "store/internal/lanes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lineshaft::store {
namespace {

void unpack_scalar(ByteView packed, unsigned width, std::span<std::int64_t> numbers, std::size_t from) {
    const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
    std::size_t i = from;
    std::size_t bit = from * width;
    if (width <= 56) {
        // One unaligned load a number while eight whole bytes lie ahead.
        for (; i < numbers.size() && (bit >> 3) + 8 <= packed.size(); ++i, bit += width)
            numbers[i] =
                static_cast<std::int64_t>((load_le<std::uint64_t>(packed.data() + (bit >> 3)) >> (bit & 7)) & mask);
    }
    for (; i < numbers.size(); ++i, bit += width) {
        std::array<std::byte, 16> window{};
        const ByteView rest = packed.subspan(bit >> 3);
        std::copy_n(rest.begin(), std::min<std::size_t>(9, rest.size()), window.begin());
        const unsigned shift = bit & 7;
        std::uint64_t number = load_le<std::uint64_t>(window.data()) >> shift;
        if (shift != 0) number |= load_le<std::uint64_t>(window.data() + 8) << (64 - shift);
        numbers[i] = static_cast<std::int64_t>(number & mask);
    }
}

std::uint64_t quotient(std::uint64_t bits, double power, bool single) {
    const double value = static_cast<double>(static_cast<std::int64_t>(bits)) / power;
    return std::bit_cast<std::uint64_t>(single ? static_cast<double>(static_cast<float>(value)) : value);
}

std::int64_t halved(std::int64_t zigzagged) {
    const auto bits = static_cast<std::uint64_t>(zigzagged);
    return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
}

void sum_up_scalar(std::span<std::int64_t> numbers) {
    std::uint64_t sum = 0;
    for (std::int64_t& number : numbers) {
        sum += static_cast<std::uint64_t>(number);
        number = static_cast<std::int64_t>(sum);
    }
}

void scale_scalar(std::span<std::int64_t> numbers, std::int64_t origin, std::uint64_t divisor) {
    for (std::int64_t& number : numbers)
        number = static_cast<std::int64_t>(static_cast<std::uint64_t>(origin) +
                                           static_cast<std::uint64_t>(number) * divisor);
}

/// Inlined into each kind's function, to be compiled with that kind's instructions.
inline __attribute__((always_inline)) void measure_with(std::span<const std::int64_t> numbers, Measure& into) {
    std::int64_t least = numbers[0];
    std::int64_t most = numbers[0];
    for (const std::int64_t number : numbers) {
        least = number < least ? number : least;
        most = number > most ? number : most;
    }
    std::size_t changes = 0;
    for (std::size_t i = 1; i < numbers.size(); ++i) changes += numbers[i] != numbers[i - 1];
    into.least = least;
    into.most = most;
    into.changes = changes;
    if (least == most) return;
    // In turns of two counters: neighbours are often equally wide, and would wait for each other.
    std::array<Widths, 2> banded{};
    std::array<Widths, 2> zigzagged{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto number = static_cast<std::uint64_t>(numbers[i]);
        const std::uint64_t band = number - static_cast<std::uint64_t>(least);
        const std::uint64_t folded = number << 1 ^ static_cast<std::uint64_t>(numbers[i] >> 63);
        ++banded[i & 1][static_cast<std::size_t>(std::bit_width(band))];
        ++zigzagged[i & 1][static_cast<std::size_t>(std::bit_width(folded))];
    }
    for (std::size_t width = 0; width < into.banded.size(); ++width) {
        into.banded[width] = banded[0][width] + banded[1][width];
        into.zigzagged[width] = zigzagged[0][width] + zigzagged[1][width];
    }
}

/// Adds the sums [count, 2 · count) to the first `count`, as Sum::add.
inline __attribute__((always_inline)) void fold(double* hi, double* lo, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) {
        const double sum = hi[k] + hi[k + count];
        const double part = sum - hi[k];
        const double tail = lo[k] + lo[k + count];
        const double part_lo = tail - lo[k];
        const double tail_error = (lo[k] - (tail - part_lo)) + (lo[k + count] - part_lo);
        const double rest = ((hi[k] - (sum - part)) + (hi[k + count] - part)) + tail;
        const double nearest = sum + rest;
        const double left = (rest - (nearest - sum)) + tail_error;
        hi[k] = nearest + left;
        lo[k] = left - (hi[k] - nearest);
    }
}

/// Counters, states and bools: integers so small that no addition of theirs is rounded need no second part. None for
/// others; `extremes` are known.
inline __attribute__((always_inline)) std::optional<double> sum_of_integers(std::span<const double> values,
                                                                            const Totals& extremes) {
    constexpr std::size_t side_by_side = 16;
    constexpr double limit = 1LL << 38;
    constexpr double rounder = 3LL << 51;  // Beyond it there are no fractions: what is added to it is rounded.
    const auto is_integer = [](double x) { return (x + rounder) - rounder == x; };
    if (values.size() > (1U << 14) || !is_integer(values[0]) || extremes.least < -limit || extremes.most > limit)
        return std::nullopt;
    std::array<double, side_by_side> sums{};
    std::array<std::uint64_t, side_by_side> fractions{};
    const std::size_t whole = values.size() / side_by_side * side_by_side;
    for (std::size_t i = 0; i < whole; i += side_by_side) {
        for (std::size_t k = 0; k < side_by_side; ++k) {
            sums[k] += values[i + k];
            fractions[k] |= is_integer(values[i + k]) ? 0 : 1;
        }
    }
    double sum = 0;
    std::uint64_t any = 0;
    for (std::size_t k = 0; k < side_by_side; ++k) {
        sum += sums[k];
        any |= fractions[k];
    }
    for (const double x : values.subspan(whole)) {
        sum += x;
        any |= is_integer(x) ? 0 : 1;
    }
    if (any) return std::nullopt;
    return sum;
}

/// Sixteen sums side by side: one is a chain of seven additions that wait for each other. The same sixteen on every
/// processor, so that all come to the same bits.
inline __attribute__((always_inline)) void add_up_with(std::span<const double> values, Totals& into) {
    constexpr std::size_t side_by_side = 16;
    std::array<double, side_by_side> hi{};
    std::array<double, side_by_side> lo{};
    std::array<double, side_by_side> least;
    std::array<double, side_by_side> most;
    least.fill(values[0]);
    most.fill(values[0]);
    const std::size_t whole = values.size() / side_by_side * side_by_side;
    for (std::size_t i = 0; i < whole; i += side_by_side) {
        for (std::size_t k = 0; k < side_by_side; ++k) {
            const double x = values[i + k];
            least[k] = x < least[k] ? x : least[k];
            most[k] = x > most[k] ? x : most[k];
        }
    }
    into.least = *std::ranges::min_element(least);
    into.most = *std::ranges::max_element(most);
    for (const double x : values.subspan(whole)) {
        into.least = x < into.least ? x : into.least;
        into.most = x > into.most ? x : into.most;
    }
    // Of 0 and -0 the first, as if one by one.
    for (double* extreme : {&into.least, &into.most}) {
        if (*extreme == 0) *extreme = *std::ranges::find(values, 0.0);
    }
    if (const auto sum = sum_of_integers(values, into)) {
        into.sum = {*sum, 0};
        return;
    }
    // As Sum::add, but for infinities.
    const auto add = [&](const double* next) __attribute__((always_inline)) {
        for (std::size_t k = 0; k < side_by_side; ++k) {
            const double x = next[k];
            const double sum = hi[k] + x;
            const double part = sum - hi[k];
            const double rest = ((hi[k] - (sum - part)) + (x - part)) + lo[k];
            hi[k] = sum + rest;
            lo[k] = rest - (hi[k] - sum);
        }
    };
    for (std::size_t i = 0; i < whole; i += side_by_side) add(&values[i]);
    std::array<double, side_by_side> tail{};  // Zeros add nothing.
    std::ranges::copy(values.subspan(whole), tail.begin());
    if (whole < values.size()) add(tail.data());
    for (std::size_t half = side_by_side / 2; half > 0; half /= 2) fold(hi.data(), lo.data(), half);
    Sum sum{hi[0], lo[0]};
    if (!std::isfinite(sum.hi) || !std::isfinite(sum.lo)) {
        sum = {};
        for (const double value : values) sum.add(value);
    }
    into.sum = sum;
}

#if defined(__x86_64__)

#define LINESHAFT_AVX2 __attribute__((target("avx2,bmi,lzcnt")))

/// How to bring eight numbers of one width, from two loads of 16 bytes, into eight lanes of 32 bits.
struct Spread {
    alignas(32) std::array<std::uint8_t, 32> bytes{};
    alignas(32) std::array<std::uint32_t, 8> shifts{};
};

constexpr unsigned spread_width_max = 25;  // 7 bits of shift and 25 of number fill a lane.

constexpr std::array<Spread, spread_width_max + 1> make_spreads() {
    std::array<Spread, spread_width_max + 1> all{};
    for (unsigned width = 1; width <= spread_width_max; ++width) {
        for (unsigned lane = 0; lane < 8; ++lane) {
            // The second load begins at the byte in which the fifth number begins.
            const unsigned bit = lane < 4 ? lane * width : (lane - 4) * width + (4 * width & 7);
            for (unsigned k = 0; k < 4; ++k) all[width].bytes[lane * 4 + k] = static_cast<std::uint8_t>(bit / 8 + k);
            all[width].shifts[lane] = bit & 7;
        }
    }
    return all;
}
constexpr auto spreads = make_spreads();

LINESHAFT_AVX2 void unpack_avx2(ByteView packed, unsigned width, std::span<std::int64_t> numbers) {
    std::size_t i = 0;
    if (width <= spread_width_max) {
        const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(spreads[width].bytes.data()));
        const __m256i shifts = _mm256_load_si256(reinterpret_cast<const __m256i*>(spreads[width].shifts.data()));
        const __m256i mask = _mm256_set1_epi32(static_cast<int>((1U << width) - 1));
        const std::size_t second = 4 * width / 8;
        const std::byte* at = packed.data();
        // Eight numbers are `width` bytes.
        for (std::size_t offset = 0; i + 8 <= numbers.size() && offset + second + 16 <= packed.size();
             i += 8, offset += width) {
            const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + offset));
            const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + offset + second));
            __m256i lanes8 = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), bytes);
            lanes8 = _mm256_and_si256(_mm256_srlv_epi32(lanes8, shifts), mask);
            auto* to = reinterpret_cast<__m256i*>(numbers.data() + i);
            _mm256_storeu_si256(to, _mm256_cvtepu32_epi64(_mm256_castsi256_si128(lanes8)));
            _mm256_storeu_si256(to + 1, _mm256_cvtepu32_epi64(_mm256_extracti128_si256(lanes8, 1)));
        }
    }
    unpack_scalar(packed, width, numbers, i);
}

LINESHAFT_AVX2 void add_avx2(std::span<std::int64_t> numbers, std::int64_t base) {
    for (std::int64_t& number : numbers)
        number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) + static_cast<std::uint64_t>(base));
}

LINESHAFT_AVX2 void unzigzag_avx2(std::span<std::int64_t> numbers) {
    for (std::int64_t& number : numbers) number = halved(number);
}

LINESHAFT_AVX2 void scale_avx2(std::span<std::int64_t> numbers, std::int64_t origin, std::uint64_t divisor) {
    if (divisor == 1) return add_avx2(numbers, origin);
    scale_scalar(numbers, origin, divisor);
}

LINESHAFT_AVX2 void sum_up_avx2(std::span<std::int64_t> numbers) {
    __m256i carry = _mm256_setzero_si256();
    std::size_t i = 0;
    for (; i + 4 <= numbers.size(); i += 4) {
        auto* at = reinterpret_cast<__m256i*>(numbers.data() + i);
        __m256i sums = _mm256_loadu_si256(at);
        sums = _mm256_add_epi64(sums, _mm256_slli_si256(sums, 8));  // Within each half.
        const __m256i low = _mm256_permute4x64_epi64(sums, 0b01'01'00'00);
        sums = _mm256_add_epi64(sums, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xF0));
        sums = _mm256_add_epi64(sums, carry);
        _mm256_storeu_si256(at, sums);
        carry = _mm256_permute4x64_epi64(sums, 0xFF);
    }
    auto sum = static_cast<std::uint64_t>(_mm256_extract_epi64(carry, 0));
    for (; i < numbers.size(); ++i) {
        sum += static_cast<std::uint64_t>(numbers[i]);
        numbers[i] = static_cast<std::int64_t>(sum);
    }
}

LINESHAFT_AVX2 void to_doubles_avx2(std::span<std::uint64_t> bits, double power, bool single) {
    // Adding 1.5 × 2^52 to an integer's bits makes a double of it, when it is within ± 2^51.
    const __m256i bias = _mm256_set1_epi64x(std::int64_t{1} << 51);
    const __m256i beyond = _mm256_set1_epi64x(static_cast<std::int64_t>(0xFFF0'0000'0000'0000));
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    const __m256d powers = _mm256_set1_pd(power);
    std::size_t i = 0;
    for (; i + 4 <= bits.size(); i += 4) {
        auto* at = reinterpret_cast<__m256i*>(bits.data() + i);
        const __m256i numbers = _mm256_loadu_si256(at);
        if (!_mm256_testz_si256(_mm256_add_epi64(numbers, bias), beyond)) {
            for (std::size_t k = i; k < i + 4; ++k) bits[k] = quotient(bits[k], power, single);
            continue;
        }
        __m256d values =
            _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(numbers, _mm256_castpd_si256(magic))), magic);
        values = _mm256_div_pd(values, powers);
        if (single) values = _mm256_cvtps_pd(_mm256_cvtpd_ps(values));
        _mm256_storeu_si256(at, _mm256_castpd_si256(values));
    }
    for (; i < bits.size(); ++i) bits[i] = quotient(bits[i], power, single);
}

LINESHAFT_AVX2 void measure_avx2(std::span<const std::int64_t> numbers, Measure& into) {
    measure_with(numbers, into);
}

LINESHAFT_AVX2 void add_up_avx2(std::span<const double> values, Totals& into) { add_up_with(values, into); }

constexpr Lanes avx2_lanes{unpack_avx2, add_avx2,        unzigzag_avx2, scale_avx2,
                           sum_up_avx2, to_doubles_avx2, add_up_avx2,   measure_avx2};

#endif

}  // namespace

constexpr Lanes scalar_lanes{
    [](ByteView packed, unsigned width, std::span<std::int64_t> numbers) {
        unpack_scalar(packed, width, numbers, 0);
    },
    [](std::span<std::int64_t> numbers, std::int64_t base) { scale_scalar(numbers, base, 1); },
    [](std::span<std::int64_t> numbers) { std::ranges::transform(numbers, numbers.begin(), halved); },
    scale_scalar,
    sum_up_scalar,
    [](std::span<std::uint64_t> bits, double power, bool single) {
        for (std::uint64_t& value : bits) value = quotient(value, power, single);
    },
    [](std::span<const double> values, Totals& into) { add_up_with(values, into); },
    [](std::span<const std::int64_t> numbers, Measure& into) { measure_with(numbers, into); },
};

const Lanes& lanes() {
#if defined(__x86_64__)
    static const bool wide =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("lzcnt");
    if (wide) return avx2_lanes;
#endif
    return scalar_lanes;
}

}  // namespace lineshaft::store
