/// A sum of doubles that does not depend on the order or grouping of what was added.
///
/// Two doubles, hi + lo, carry about 106 bits: TwoSum (Knuth) and TwoProduct (by fma) keep what a plain addition rounds
/// away. Samples of one tag span far fewer bits, so their sum is exact, whether it was made row by row, from blocks or
/// from tiers, in order or shuffled, and is rounded once, by value(). Where values differ by more than 2^50 or so the
/// last of the 106 bits may depend on the order, the rounded double in practice does not.
///
/// Threads: a plain value.
#pragma once

#include <cmath>
#include <cstdint>

namespace lineshaft::store {

struct Sum {
    double hi = 0;
    double lo = 0;

    double value() const { return hi; }  // add() keeps hi the nearest double of the whole.

    void add(double x) {
        const double sum = hi + x;
        const double part = sum - hi;
        settle(sum, (hi - (sum - part)) + (x - part) + lo);
    }
    void add(const Sum& other) {
        const double sum = hi + other.hi;
        const double part = sum - hi;
        const double tail = lo + other.lo;
        const double part_lo = tail - lo;
        const double tail_error = (lo - (tail - part_lo)) + (other.lo - part_lo);
        settle(sum, (hi - (sum - part)) + (other.hi - part) + tail);
        if (tail_error != 0) settle(hi, lo + tail_error);
    }
    /// Adds a · b, whose 106 bits are all kept.
    void add_product(double a, double b) {
        const double product = a * b;
        const double error = std::fma(a, b, -product);
        add(product);
        if (error != 0) add(error);
    }
    /// Adds value · ns. A whole number of nanoseconds beyond 2^53 (104 days) goes in two parts, so that none is lost.
    void add_product(double value, std::int64_t ns) {
        constexpr std::int64_t part = std::int64_t{1} << 32;
        if (ns < (std::int64_t{1} << 53)) return add_product(value, static_cast<double>(ns));
        const std::int64_t rest = ns % part;
        add_product(value, static_cast<double>(ns - rest));
        add_product(value, static_cast<double>(rest));
    }
    friend bool operator==(const Sum&, const Sum&) = default;

private:
    /// Makes hi the nearest double to sum + rest and lo what is left. Infinities and overflow have no rest.
    void settle(double sum, double rest) {
        const double nearest = sum + rest;
        if (std::isfinite(nearest)) [[likely]] {
            hi = nearest;
            lo = rest - (nearest - sum);
        } else {
            hi = sum;
            lo = 0;
        }
    }
};

}  // namespace lineshaft::store
