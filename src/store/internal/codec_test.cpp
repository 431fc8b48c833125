/// The parts below columns: symbols, wide loops against their scalar twins, decimals, statistics of blocks.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/internal/block.h"
#include "store/internal/block_header.h"
#include "store/internal/decimal.h"
#include "store/internal/entropy.h"
#include "store/internal/packing.h"
#include "store/internal/test_columns.h"

namespace lineshaft::store {
namespace {

Ints random_ints(Random& random, std::size_t count) {
    Ints numbers(count);
    for (auto& number : numbers) {
        number = static_cast<std::int64_t>(random.next() >> random.below(64));
        if (random.below(4) == 0) number = -number;
        if (random.below(50) == 0) number = random.below(2) ? INT64_MIN : INT64_MAX;
    }
    return numbers;
}

TEST(Lanes, UnpackingIsTheSameOnBothWays) {
    Random random(11);
    for (unsigned width = 1; width <= 64; ++width) {
        for (const std::size_t count : {1U, 3U, 7U, 8U, 9U, 31U, 64U, 1023U}) {
            Bytes packed((count * width + 7) / 8);
            for (auto& byte : packed) byte = static_cast<std::byte>(random.next());
            Ints wide(count);
            Ints narrow(count);
            lanes().unpack(packed, width, wide);
            scalar_lanes.unpack(packed, width, narrow);
            ASSERT_EQ(wide, narrow) << width << " bits, " << count;
        }
    }
}

TEST(Lanes, ArithmeticIsTheSameOnBothWays) {
    Random random(12);
    for (std::size_t count = 0; count < 70; ++count) {
        const Ints numbers = random_ints(random, count);
        const auto expect_same = [&](auto apply) {
            Ints wide = numbers;
            Ints narrow = numbers;
            apply(lanes(), wide);
            apply(scalar_lanes, narrow);
            ASSERT_EQ(wide, narrow);
        };
        const auto origin = static_cast<std::int64_t>(random.next());
        const std::uint64_t divisor = random.next() >> random.below(64);
        expect_same([&](const Lanes& way, Ints& all) { way.add(all, origin); });
        expect_same([&](const Lanes& way, Ints& all) { way.unzigzag(all); });
        expect_same([&](const Lanes& way, Ints& all) { way.sum_up(all); });
        expect_same([&](const Lanes& way, Ints& all) { way.scale(all, origin, divisor); });
        expect_same([&](const Lanes& way, Ints& all) { way.scale(all, origin, 1); });
        for (const bool single : {false, true}) {
            for (const double power : {1.0, 10.0, 1e5, 1e17}) {
                expect_same([&](const Lanes& way, Ints& all) {
                    way.to_doubles({reinterpret_cast<std::uint64_t*>(all.data()), all.size()}, power, single);
                });
            }
        }
        if (count == 0) continue;
        Measure wide;
        Measure narrow;
        lanes().measure(numbers, wide);
        scalar_lanes.measure(numbers, narrow);
        EXPECT_EQ(wide.least, narrow.least);
        EXPECT_EQ(wide.most, narrow.most);
        EXPECT_EQ(wide.changes, narrow.changes);
        EXPECT_EQ(wide.banded, narrow.banded);
        EXPECT_EQ(wide.zigzagged, narrow.zigzagged);
    }
}

TEST(Lanes, SumsAndExtremesAreTheSameOnBothWays) {
    Random random(19);
    for (std::size_t count = 1; count < 200; ++count) {
        std::vector<double> values(count);
        for (auto& value : values) {
            const auto bits = std::bit_cast<double>(random.next());
            value = bits != bits ? 0 : count % 3 == 0 ? bits : static_cast<double>(random.below(100'000)) / 100;
        }
        if (count % 50 == 0) values[count / 2] = INFINITY;
        Totals wide;
        Totals narrow;
        lanes().add_up(values, wide);
        scalar_lanes.add_up(values, narrow);
        EXPECT_EQ(std::bit_cast<std::uint64_t>(wide.sum.hi), std::bit_cast<std::uint64_t>(narrow.sum.hi));
        EXPECT_EQ(std::bit_cast<std::uint64_t>(wide.sum.lo), std::bit_cast<std::uint64_t>(narrow.sum.lo));
        EXPECT_EQ(wide.least, narrow.least);
        EXPECT_EQ(wide.most, narrow.most);
        Sum one_by_one;
        for (const double value : values) one_by_one.add(value);
        if (count % 3 != 0) EXPECT_EQ(wide.sum, one_by_one);
    }
}

TEST(Lanes, IntegersAtTheEdgeOfTheQuickWayBecomeTheirDoubles) {
    constexpr std::int64_t edge = std::int64_t{1} << 51;
    Ints numbers;
    for (std::int64_t d = -3; d <= 3; ++d) {
        for (const std::int64_t base : {edge, -edge, 2 * edge, -2 * edge, 4 * edge, std::int64_t{0}})
            numbers.push_back(base + d);
    }
    Ints bits = numbers;
    lanes().to_doubles({reinterpret_cast<std::uint64_t*>(bits.data()), bits.size()}, 1, false);
    for (std::size_t i = 0; i < bits.size(); ++i)
        EXPECT_EQ(std::bit_cast<double>(bits[i]), static_cast<double>(numbers[i]));
}

std::size_t symbols_round_trip(const std::vector<std::uint8_t>& symbols) {
    SymbolCounts counts{};
    for (const std::uint8_t symbol : symbols) ++counts[symbol];
    const EntropyModel model = model_of(counts);
    Bytes bytes;
    ByteWriter out(bytes);
    encode_symbols(symbols, model, out);
    EXPECT_NEAR(static_cast<double>(bytes.size()), static_cast<double>(model.bytes),
                4 + static_cast<double>(bytes.size()) / 20);
    std::vector<std::uint8_t> back(symbols.size());
    ByteReader in(bytes);
    decode_symbols(in, back);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(back, symbols);
    return bytes.size();
}

TEST(Entropy, AnyDistributionComesBack) {
    Random random(13);
    for (std::size_t count = 1; count < 3000; count = count * 3 / 2 + 1) {
        symbols_round_trip(std::vector<std::uint8_t>(count, 63));
        std::vector<std::uint8_t> symbols(count);
        for (auto& symbol : symbols) symbol = static_cast<std::uint8_t>(random.below(64));
        symbols_round_trip(symbols);
        for (auto& symbol : symbols) symbol = static_cast<std::uint8_t>(std::countr_zero(random.next() | 1ULL << 63));
        symbols_round_trip(symbols);
        for (auto& symbol : symbols) symbol = random.below(500) == 0 ? 17 : 3;
        symbols_round_trip(symbols);
    }
}

TEST(Entropy, ComesCloseToWhatIsPossible) {
    Random random(14);
    std::vector<std::uint8_t> symbols(4096);
    for (auto& symbol : symbols)
        symbol = static_cast<std::uint8_t>(
            std::min<std::uint64_t>(15, static_cast<std::uint64_t>(std::countr_zero(random.next() | 1ULL << 63))));
    // Halving odds carry two bits a symbol.
    EXPECT_LE(symbols_round_trip(symbols), 4096 * 2 / 8 * 103 / 100 + 20U);
}

TEST(Entropy, BytesThatAreNoSymbolsAreRefused) {
    Random random(15);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes(random.below(60));
        for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
        if (!bytes.empty() && random.below(2)) bytes[0] = static_cast<std::byte>(random.below(20));
        std::vector<std::uint8_t> symbols(random.below(200));
        ByteReader in(bytes);
        decode_symbols(in, symbols);  // Whatever it says: nothing is read or written outside.
    }
}

TEST(Ints, NoiseThatIsNotUniformTakesItsEntropy) {
    Random random(16);
    Ints values(1024);
    std::int64_t level = 0;
    // The sum of two dice less their mean: 3.27 bits, where packing would take 4.
    for (auto& value : values) value = level += static_cast<std::int64_t>(random.below(6) + random.below(6)) - 5;
    EXPECT_LE(round_trip_ints(values), 1024 * 3.27 / 8 + 30);
}

TEST(Ints, FewFarApartValuesAreADictionary) {
    Random random(17);
    constexpr std::array<std::int64_t, 4> points = {-4'000'000'000'000, 17, 1'000'003, 77'777'777'777};
    Ints values(1024);
    for (auto& value : values) value = points[random.below(4)];
    EXPECT_LE(round_trip_ints(values), 256 + 50U);
}

TEST(Ints, LongRunsTakeWhatTheirValuesTake) {
    Random random(20);
    Ints values;
    std::int64_t level = 0;
    for (int run = 0; run < 102; ++run) {
        level += 1 + static_cast<std::int64_t>(random.below(4));
        values.insert(values.end(), 10, level);
    }
    EXPECT_LE(round_trip_ints(values), 102 * 2 / 8 + 20U);
}

TEST(Ints, OneValueIsTheValue) {
    EXPECT_EQ(round_trip_ints(Ints(1024, 0)), 2U);
    EXPECT_EQ(round_trip_ints({-1}), 2U);
}

TEST(Ints, MultiplesOfALargeNumberComeBackWhereTheyWrap) {
    for (const std::int64_t step : {3LL, 6'000LL, 1'000'000'007LL << 20, (1LL << 62) - 1, 1LL << 62}) {
        Ints values(100);
        std::int64_t value = INT64_MAX - 50;
        for (auto& each : values) each = value = wrapping_add(value, step);
        round_trip_ints(values);
        std::ranges::reverse(values);
        round_trip_ints(values);
        round_trip_ints({0, INT64_MIN, 0, step, INT64_MIN});
    }
}

Chunk plain_rows(std::size_t count, double (*value)(std::size_t)) {
    Chunk rows;
    for (std::size_t i = 0; i < count; ++i) {
        rows.source_times.emplace_back(1'767'225'600'000'000'000 + static_cast<std::int64_t>(i) * 1'000'000'000);
        rows.receive_times.push_back(rows.source_times.back());
        rows.types.push_back(ValueType::Double);
        rows.bits.push_back(std::bit_cast<std::uint64_t>(value(i)));
        rows.qualities.push_back(Quality::good);
    }
    return rows;
}

bool same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

void expect_statistics(const Chunk& rows) {
    Bucket exact;
    for (std::size_t i = 0; i < rows.size(); ++i)
        add_basic(exact, rows.source_times[i], rows.number_at(i), rows.qualities[i]);
    Bytes bytes;
    encode_block(TagId(1), rows, 0, rows.size(), bytes);
    const auto header = read_block_header(bytes);
    ASSERT_TRUE(header);
    const Bucket& stats = header->stats;
    EXPECT_TRUE(same(stats.min, exact.min) && same(stats.max, exact.max));
    EXPECT_TRUE(same(stats.first, exact.first) && same(stats.last, exact.last));
    EXPECT_EQ(stats.sum, exact.sum);
    EXPECT_EQ(stats.usable, exact.usable);
    EXPECT_EQ(stats.first_time, exact.first_time);
    EXPECT_EQ(stats.last_time, exact.last_time);
    Numbers numbers;
    ASSERT_TRUE(decode_numbers(bytes, *header, numbers));
    Bucket added;
    add_numbers(added, numbers.view());
    EXPECT_EQ(added.sum, exact.sum);
    EXPECT_TRUE(same(added.min, exact.min) && same(added.max, exact.max));
    EXPECT_EQ(added.count, exact.count);
    EXPECT_EQ(added.good, exact.good);
    EXPECT_EQ(added.last_time, exact.last_time);
}

TEST(BlockHeader, StatisticsComeBackBitForBit) {
    expect_statistics(plain_rows(1000, [](std::size_t i) { return static_cast<double>(i * 7919 % 1000) / 100 - 3; }));
    expect_statistics(
        plain_rows(1000, [](std::size_t i) { return static_cast<double>(static_cast<float>(i % 97) / 10); }));
    expect_statistics(plain_rows(1000, [](std::size_t i) { return std::sin(static_cast<double>(i)); }));
    expect_statistics(plain_rows(1000, [](std::size_t i) { return i % 2 ? 1e300 : -5e-324; }));
    expect_statistics(plain_rows(9, [](std::size_t) { return 0.1; }));
    expect_statistics(plain_rows(9, [](std::size_t) { return -0.0; }));
    expect_statistics(plain_rows(9, [](std::size_t i) { return i == 4 ? INFINITY : 0.5; }));
    expect_statistics(plain_rows(9, [](std::size_t i) { return i == 4 ? std::nan("") : 0.5; }));
    expect_statistics(plain_rows(1, [](std::size_t) { return 21.37; }));
}

TEST(BlockHeader, ABlockOfDecimalsPaysLittleForItsHeader) {
    Bytes bytes;
    const auto rows =
        plain_rows(1024, [](std::size_t i) { return static_cast<double>(2000 + i * 7919 % 500) / 100; });
    EXPECT_LE(encode_block(TagId(300), rows, 0, rows.size(), bytes).body_offset, 46U);
    bytes.clear();
    const auto constant = plain_rows(1024, [](std::size_t) { return 2000.0; });
    encode_block(TagId(300), constant, 0, constant.size(), bytes);
    EXPECT_LE(bytes.size(), 44U);
}

TEST(Block, ColdBlocksComeBackToo) {
    Bytes usual;
    Bytes cold;
    const auto rows =
        plain_rows(cold_block_rows, [](std::size_t i) { return std::sin(static_cast<double>(i % 50)) * 3; });
    encode_block(TagId(1), rows, 0, rows.size(), usual);
    encode_block(TagId(1), rows, 0, rows.size(), cold, Effort::Cold);
    EXPECT_LE(cold.size(), usual.size());
    Chunk back;
    ASSERT_TRUE(decode_block(cold, *read_block_header(cold), back));
    EXPECT_EQ(back.bits, rows.bits);
    EXPECT_EQ(back.source_times, rows.source_times);
}

TEST(Doubles, FewOddValuesAndSingleNoiseAreSmall) {
    Random random(18);
    std::vector<std::uint64_t> bits(1024);
    for (auto& each : bits) each = std::bit_cast<std::uint64_t>(std::sqrt(static_cast<double>(2 + random.below(4))));
    EXPECT_LE(round_trip_bits(bits), 256 + 60U);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        const double value =
            20 + std::sin(static_cast<double>(i) / 50) + 0.01 * static_cast<double>(random.below(1000)) / 999;
        bits[i] = std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<float>(value)));
    }
    EXPECT_LE(round_trip_bits(bits), 1024 * 2 + 60U);
}

}  // namespace
}  // namespace lineshaft::store
