/// The inner loops of decoding, several values at a time where the processor can (AVX2), one at a time elsewhere.
///
/// Both ways give the same bits on every input, also on hostile ones: block_test holds them equal. Arithmetic on
/// integers is modulo 2^64.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "store/sum.h"

namespace lineshaft::store {

using Widths = std::array<std::uint32_t, 65>;  // [w]: how many numbers need exactly w bits.

/// What the choice of a coding looks at.
struct Measure {
    std::int64_t least = 0;
    std::int64_t most = 0;
    std::size_t changes = 0;  // Numbers that differ from the one before.
    Widths banded{};          // Of number - least.
    Widths zigzagged{};
};

/// What values come to.
struct Totals {
    double least = 0;
    double most = 0;
    Sum sum;
};

/// The loops of one kind of processor.
struct Lanes {
    /// numbers[i] = the i-th `width` bits, least significant first. `packed` holds all of them; width is 1 … 64.
    void (*unpack)(ByteView packed, unsigned width, std::span<std::int64_t> numbers);
    void (*add)(std::span<std::int64_t> numbers, std::int64_t base);
    void (*unzigzag)(std::span<std::int64_t> numbers);
    /// numbers[i] = origin + divisor * numbers[i].
    void (*scale)(std::span<std::int64_t> numbers, std::int64_t origin, std::uint64_t divisor);
    /// numbers[i] = numbers[0] + … + numbers[i].
    void (*sum_up)(std::span<std::int64_t> numbers);
    /// In place: the integer in bits[i] becomes the double integer / power, rounded to single precision if `single`.
    void (*to_doubles)(std::span<std::uint64_t> bits, double power, bool single);
    /// Extremes and the exact sum of at least one value, none NaN.
    void (*add_up)(std::span<const double> values, Totals& into);
    /// Of at least one number.
    void (*measure)(std::span<const std::int64_t> numbers, Measure& into);
};

extern const Lanes scalar_lanes;
/// The best that this processor has.
const Lanes& lanes();

}  // namespace lineshaft::store
