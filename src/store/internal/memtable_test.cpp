#include "store/internal/memtable.h"

#include <bit>
#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/internal/tag_map.h"

namespace lineshaft::store {
namespace {

SnapshotOf<SeriesInfo> no_info() { return std::make_shared<const SeriesInfo>(); }

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST(MemSeries, RowsOfAnyOrderComeBackByTimeAndEqualTimesByArrival) {
    for (const std::size_t count : {1U, 4U, 5U, 1000U}) {
        for (const std::size_t late_percent : {0U, 5U, 100U}) {
            SCOPED_TRACE(testing::Message() << count << " rows, " << late_percent << " % late");
            Random random(count + late_percent);
            RowArena arena;
            MemSeries series(TagId(7), no_info());
            std::multimap<std::int64_t, double> expected;
            for (std::size_t i = 0; i < count; ++i) {
                const auto time =
                    static_cast<std::int64_t>(random.below(100) < late_percent ? random.below(i + 1) : i);
                series.add(arena, UtcTime(time), UtcTime(0), ValueType::Double, bits_of(1.0 * static_cast<double>(i)),
                           Quality::good, {});
                expected.emplace(time, static_cast<double>(i));
            }
            for (const bool sorted : {false, true}) {
                if (sorted) series.sort();
                Chunk rows;
                series.copy(utc_time_min, utc_time_max, rows);
                ASSERT_EQ(rows.size(), count);
                std::size_t row = 0;
                for (const auto& [time, value] : expected) {
                    ASSERT_EQ(rows.source_times[row].ns(), time);
                    ASSERT_EQ(rows.number_at(row), value);
                    ++row;
                }
            }
        }
    }
}

TEST(MemSeries, ARangeGivesOnlyWhatLiesInIt) {
    RowArena arena;
    MemSeries series(TagId(7), no_info());
    for (int i = 0; i < 1000; ++i)
        series.add(arena, UtcTime(i), UtcTime(0), ValueType::Double, bits_of(i), Quality::good, {});
    Chunk rows;
    series.copy(UtcTime(130), UtcTime(139), rows);
    ASSERT_EQ(rows.size(), 10U);
    EXPECT_EQ(rows.number_at(0), 130);
    series.copy(UtcTime(2000), utc_time_max, rows);
    EXPECT_EQ(rows.size(), 10U);
}

TEST(MemSeries, TypesQualitiesAndTextsStayWithTheirRowsWhenSorted) {
    RowArena arena;
    MemSeries series(TagId(7), no_info());
    series.add(arena, UtcTime(3), UtcTime(0), ValueType::Double, bits_of(1.5), Quality::good, {});
    series.add(arena, UtcTime(2), UtcTime(0), ValueType::String, 0, Quality::good, "two");
    series.add(arena, UtcTime(1), UtcTime(0), ValueType::Int, 1, Quality::bad, {});
    series.sort();
    Chunk rows;
    series.copy(utc_time_min, utc_time_max, rows);
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows.types[0], ValueType::Int);
    EXPECT_EQ(rows.qualities[0], Quality::bad);
    EXPECT_EQ(rows.text_at(1), "two");
    EXPECT_EQ(rows.number_at(2), 1.5);
}

TEST(MemTable, OneOfVeryManySeriesMayHoldMore) {
    MemTable table;
    table.bytes = 1000;
    EXPECT_TRUE(table.is_full(1000));
    for (int i = 0; i < 10; ++i) table.series.emplace_back(TagId(1), no_info());
    EXPECT_FALSE(table.is_full(1000));
}

TEST(TagMap, FindsWhatWasPutWhateverThePattern) {
    for (const std::uint64_t stride : {1U, 2U, 1024U, 16'384U, 65'536U}) {
        TagMap<int> map;
        std::vector<int> values(5000);
        for (std::size_t i = 0; i < values.size(); ++i) map.insert(TagId(1 + i * stride), &values[i]);
        for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(map.find(TagId(1 + i * stride)), &values[i]);
        EXPECT_EQ(map.find(TagId(0)), nullptr);
        EXPECT_EQ(map.find(TagId(UINT64_MAX)), nullptr);
    }
}

}  // namespace
}  // namespace lineshaft::store
