#include "store/internal/block.h"

#include <bit>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/internal/test_columns.h"

namespace lineshaft::store {
namespace {

TEST(Ints, EveryCountAndTheExtremesComeBack) {
    for (std::size_t count : {0, 1, 2, 3, 7, 64, 1024}) round_trip_ints(Ints(count, 42));
    round_trip_ints({INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN, INT64_MIN});
    round_trip_ints({INT64_MAX, INT64_MIN});
    round_trip_ints({INT64_MIN, 0});
    round_trip_ints({0, INT64_MIN, 0, INT64_MIN});
}

TEST(Ints, EveryWidthComesBack) {
    Random random(1);
    for (int width = 0; width <= 64; ++width) {
        Ints values(100);
        const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
        for (auto& value : values) value = static_cast<std::int64_t>(random.next() & mask);
        round_trip_ints(values);
        for (auto& value : values) value = -value;
        round_trip_ints(values);
    }
}

TEST(Ints, ARegularTimeStampCostsNearlyNothing) {
    Ints times(1024);
    for (std::size_t i = 0; i < times.size(); ++i)
        times[i] = 1'767'225'600'000'000'000 + static_cast<std::int64_t>(i) * 1'000'000'000;
    EXPECT_LE(round_trip_ints(times), 24U);
}

TEST(Ints, ASpikeDoesNotWidenTheOthers) {
    Random random(2);
    Ints values(1024);
    for (auto& value : values) value = static_cast<std::int64_t>(random.below(8));
    const std::size_t calm = round_trip_ints(values);
    values[500] = 1'000'000'000;
    EXPECT_LE(round_trip_ints(values), calm + 16);
}

TEST(Ints, BytesThatAreNoColumnAreRefused) {
    Random random(3);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes(random.below(40));
        for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
        Ints values(random.below(100));
        ByteReader in(bytes);
        decode_ints(in, values);  // Whatever it says: nothing is read or written outside.
    }
}

TEST(Doubles, DecimalsAreSmall) {
    Random random(4);
    std::vector<double> values;
    std::int64_t level = 2137;
    for (int i = 0; i < 1024; ++i) {
        level += static_cast<std::int64_t>(random.below(7)) - 3;
        values.push_back(static_cast<double>(level) / 100);
    }
    EXPECT_LE(round_trip_doubles(values), 1024 * 4 / 8 + 40U);
    for (auto& value : values) value = static_cast<double>(static_cast<float>(value));
    EXPECT_LE(round_trip_doubles(values), 1024 * 4 / 8 + 40U);  // Single precision: the same decimals.
}

TEST(Doubles, WhatIsNoDecimalComesBackToo) {
    Random random(5);
    std::vector<double> noise(1000);
    for (auto& value : noise) value = std::sin(static_cast<double>(random.next()));
    EXPECT_LE(round_trip_doubles(noise), 8 * 1000 + 1U);
    for (auto& value : noise) value = static_cast<double>(static_cast<float>(value));
    EXPECT_LE(round_trip_doubles(noise), 4 * 1000 + 40U);
    for (auto& value : noise) value = std::bit_cast<double>(random.next());
    round_trip_doubles(noise);
}

TEST(Doubles, NaNInfinityAndMinusZeroKeepTheirBits) {
    const double nan = std::bit_cast<double>(0x7FF8'0000'0000'1234ULL);
    round_trip_doubles({nan, nan, nan});
    round_trip_doubles({1.5, nan, nan, -0.0, 0.0, INFINITY, -INFINITY, 2.25, 1e300, 5e-324});
    round_trip_doubles({-0.0, 0.0});
    std::vector<double> gaps(1024, 21.5);
    for (std::size_t i = 0; i < 1024; ++i) gaps[i] = i % 300 < 100 ? nan : static_cast<double>(i % 7) / 10;
    EXPECT_LE(round_trip_doubles(gaps), 500U);
}

TEST(Strings, DistinctTextsAreKeptOnce) {
    std::string text;
    std::vector<std::uint64_t> bits;
    for (int i = 0; i < 1000; ++i) {
        const std::string value = i % 3 ? "RUNNING" : i % 2 ? "" : std::string("BLOCKED\0x", 9);
        bits.push_back(static_cast<std::uint64_t>(text.size()) << 32 | value.size());
        text += value;
    }
    Bytes bytes;
    ByteWriter out(bytes);
    encode_strings(bits, text, out);
    EXPECT_LE(bytes.size(), 500U);
    std::vector<std::uint64_t> back(bits.size());
    std::string back_text = "what was there";
    ByteReader in(bytes);
    decode_strings(in, back, back_text);
    ASSERT_TRUE(in.ok());
    for (std::size_t i = 0; i < bits.size(); ++i)
        ASSERT_EQ(back_text.substr(back[i] >> 32, back[i] & 0xFFFFFFFF),
                  text.substr(bits[i] >> 32, bits[i] & 0xFFFFFFFF));
}

/// Receive times as finely as the format can say them: a source time itself, or whole milliseconds.
void add(Chunk& chunk, std::int64_t time, std::int64_t receive, const Value& value, Quality quality = Quality::good) {
    constexpr std::int64_t ms = 1'000'000;
    chunk.source_times.emplace_back(time);
    chunk.receive_times.emplace_back(receive == time ? time : (receive + ms - 1) / ms * ms);
    chunk.types.push_back(type_of(value));
    chunk.qualities.push_back(quality);
    if (const auto* s = std::get_if<std::string>(&value)) {
        chunk.bits.push_back(static_cast<std::uint64_t>(chunk.text.size()) << 32 | s->size());
        chunk.text += *s;
    } else if (const auto* d = std::get_if<double>(&value)) {
        chunk.bits.push_back(std::bit_cast<std::uint64_t>(*d));
    } else if (const auto* n = std::get_if<std::int64_t>(&value)) {
        chunk.bits.push_back(std::bit_cast<std::uint64_t>(*n));
    } else {
        chunk.bits.push_back(std::get<bool>(value));
    }
}

Chunk some_rows(Random& random, std::size_t count, int kind) {
    Chunk chunk;
    std::int64_t time = 1'767'225'600'000'000'000;
    for (std::size_t i = 0; i < count; ++i) {
        time += static_cast<std::int64_t>(random.below(4)) * 500'000'000;
        const auto n = static_cast<std::int64_t>(random.below(1000));
        Value value;
        switch (kind < 5 ? kind : static_cast<int>(random.below(5))) {
            case 0: value = n > 500; break;
            case 1: value = n; break;
            case 2: value = static_cast<double>(n) / 10; break;
            case 3: value = std::numeric_limits<double>::quiet_NaN(); break;
            default: value = "text " + std::to_string(n % 9); break;
        }
        const Quality quality = n % 50 == 0 ? Quality::uncertain : n % 51 == 0 ? Quality::bad : Quality::good;
        add(chunk, time, n % 2 ? time : time + n * 1'234'567, value, quality);
    }
    return chunk;
}

bool same(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (a != a && b != b);
}

TEST(Block, WhenASampleCameIsKeptToTheSecondRoundedUp) {
    const auto kept = [](std::int64_t source, std::int64_t receive) {
        return kept_receive_time(UtcTime(source), UtcTime(receive)).ns();
    };
    EXPECT_EQ(kept(0, 5'000'000'001), 6'000'000'000);
    EXPECT_EQ(kept(0, 5'000'000'000), 5'000'000'000);
    EXPECT_EQ(kept(0, -1'500'000'000), -1'000'000'000);
    EXPECT_EQ(kept(5'000'000'001, 5'000'000'001), 5'000'000'001) << "the source gave no time of its own";
    EXPECT_LE(kept(0, INT64_MAX), INT64_MAX);
    EXPECT_EQ(kept(0, INT64_MAX) % 1'000'000'000, 0);
}

/// A source whose clock jitters, one row received a second: the delays are noise, the receptions are a ladder.
TEST(Block, ReceiveTimesTakeTheShorterOfTheirForms) {
    Random random(8);
    Chunk with;
    Chunk without;
    for (std::int64_t i = 0; i < 1000; ++i) {
        const std::int64_t second = 1'767'225'600'000'000'000 + i * 1'000'000'000;
        const std::int64_t time = second + static_cast<std::int64_t>(random.below(900)) * 1'000'000;
        add(with, time, second + 1'000'000'000, 1.5);
        add(without, time, time, 1.5);
    }
    Bytes bytes;
    Bytes bare;
    encode_block(TagId(1), with, 0, with.size(), bytes);
    encode_block(TagId(1), without, 0, without.size(), bare);
    EXPECT_LE(bytes.size(), bare.size() + 20);
    Chunk back;
    ASSERT_TRUE(decode_block(bytes, *read_block_header(bytes), back));
    EXPECT_EQ(back.receive_times, with.receive_times);
}

TEST(Block, AllTypesAndMixturesComeBack) {
    Random random(6);
    for (int round = 0; round < 120; ++round) {
        const Chunk rows = some_rows(random, 1 + random.below(1024), round % 6);
        Bytes bytes;
        encode_block(TagId(77), rows, 0, rows.size(), bytes);
        const auto header = read_block_header(bytes);
        ASSERT_TRUE(header);
        EXPECT_EQ(header->tag, TagId(77));
        Chunk back;
        ASSERT_TRUE(decode_block(bytes, *header, back));
        ASSERT_EQ(back.size(), rows.size());
        EXPECT_EQ(back.source_times, rows.source_times);
        EXPECT_EQ(back.receive_times, rows.receive_times);
        EXPECT_EQ(back.qualities, rows.qualities);
        EXPECT_EQ(back.types, rows.types);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (rows.types[row] == ValueType::String) {
                ASSERT_EQ(back.text_at(row), rows.text_at(row));
            } else {
                ASSERT_EQ(back.bits[row], rows.bits[row]);
            }
        }
    }
}

TEST(Block, StatisticsAreThoseOfTheLastRowOfEachTime) {
    Chunk rows;
    add(rows, 1000, 1000, 5.0);
    add(rows, 2000, 2000, 100.0);  // Superseded by the next.
    add(rows, 2000, 5000, 7.0);
    add(rows, 3000, 3000, -50.0, Quality::bad);  // Bad: in no extreme.
    add(rows, 4000, 4000, std::nan(""), Quality::bad_no_communication);
    add(rows, 5000, 5000, 6.0, Quality::uncertain);
    Bytes bytes;
    encode_block(TagId(1), rows, 0, rows.size(), bytes);
    const Bucket stats = read_block_header(bytes)->stats;
    EXPECT_EQ(stats.count, 5U);
    EXPECT_EQ(stats.usable, 3U);
    EXPECT_EQ(stats.good, 2U);
    EXPECT_EQ(stats.uncertain, 1U);
    EXPECT_EQ(stats.worst, Quality::bad_no_communication);
    EXPECT_EQ(stats.min, 5.0);
    EXPECT_EQ(stats.max, 7.0);
    EXPECT_EQ(stats.first, 5.0);
    EXPECT_EQ(stats.last, 6.0);
    EXPECT_EQ(stats.sum.value(), 18.0);
}

TEST(Block, AnyFlippedBitIsDetected) {
    Random random(7);
    const Chunk rows = some_rows(random, 60, 5);
    Bytes bytes;
    const BlockHeader written = encode_block(TagId(9), rows, 0, rows.size(), bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes damaged = bytes;
            damaged[at] ^= static_cast<std::byte>(1 << bit);
            const auto header = read_block_header(damaged);
            if (!header) continue;
            Chunk back;
            ASSERT_FALSE(decode_block(damaged, *header, back)) << at;
            EXPECT_TRUE(back.empty());
        }
    }
    EXPECT_TRUE(same(written.stats.min, read_block_header(bytes)->stats.min));
}

TEST(Block, ADayOfAPlantSensorStaysUnderOneByteASample) {
    Random random(8);
    Chunk rows;
    std::int64_t level = 7250;
    for (int i = 0; i < 1024; ++i) {
        level += static_cast<std::int64_t>(random.below(5)) - 2;
        const std::int64_t time = 1'767'225'600'000'000'000 + i * 1'000'000'000LL;
        add(rows, time, time + 2'000'000 + static_cast<std::int64_t>(random.below(2'000'000)),
            static_cast<double>(level) / 100);
    }
    Bytes bytes;
    encode_block(TagId(1), rows, 0, rows.size(), bytes);
    EXPECT_LE(bytes.size(), 1024U);
}

}  // namespace
}  // namespace lineshaft::store
