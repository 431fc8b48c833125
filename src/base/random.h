/// Randomness that is passed in, so that a run can be repeated from its seed. Not for secrets: access/ uses OpenSSL.
#pragma once

#include <cstdint>

namespace lineshaft {

/// SplitMix64 (Steele, Lea, Flood 2014): 64 good bits a call.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    /// 0 ≤ result < bound; bound > 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    /// 0 ≤ result < 1.
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    std::uint64_t state_;
};

}  // namespace lineshaft
