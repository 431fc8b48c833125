/// For tests: columns there and back; what they took in bytes.
#pragma once

#include <bit>
#include <vector>

#include <gtest/gtest.h>

#include "store/internal/ints.h"
#include "store/internal/values.h"

namespace lineshaft::store {

using Ints = std::vector<std::int64_t>;

inline std::size_t round_trip_ints(const Ints& values) {
    Bytes bytes;
    ByteWriter out(bytes);
    encode_ints(values, out);
    Ints back(values.size());
    ByteReader in(bytes);
    decode_ints(in, back);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(back, values);
    return bytes.size();
}

/// As bit patterns.
inline std::size_t round_trip_bits(const std::vector<std::uint64_t>& bits) {
    Bytes bytes;
    ByteWriter out(bytes);
    encode_doubles(bits, out);
    std::vector<std::uint64_t> back(bits.size());
    ByteReader in(bytes);
    decode_doubles(in, back);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(back, bits);
    return bytes.size();
}

inline std::size_t round_trip_doubles(const std::vector<double>& values) {
    std::vector<std::uint64_t> bits;
    for (const double value : values) bits.push_back(std::bit_cast<std::uint64_t>(value));
    return round_trip_bits(bits);
}

}  // namespace lineshaft::store
