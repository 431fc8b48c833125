#include <bit>

#include <gtest/gtest.h>

#include "base/random.h"
#include "model/event.h"
#include "model/reading.h"
#include "model/sample.h"

namespace lineshaft {
namespace {

TEST(Batch, GivesBackEachSampleAsItWasAdded) {
    Batch batch;
    batch.receive_time = UtcTime(9);
    const Value values[] = {true, std::int64_t{-5}, 21.5, std::string("running"), std::string(), std::string("end")};
    std::uint64_t tag = 1;
    for (const Value& value : values) batch.add(TagId(tag++), UtcTime(3), value, Quality::uncertain);
    ASSERT_EQ(batch.size(), std::size(values));
    for (std::size_t row = 0; row < batch.size(); ++row) {
        EXPECT_EQ(batch.sample_at(row),
                  (Sample{TagId(row + 1), UtcTime(3), UtcTime(9), values[row], Quality::uncertain}));
    }
    batch.clear();
    EXPECT_TRUE(batch.empty());
    EXPECT_TRUE(batch.text.empty());
}

TEST(ReadingBatch, KeptTextsStayWhereTheyAreWhileTheBatchGrowsAndMoves) {
    Random random(3);
    ReadingBatch batch;
    std::vector<std::pair<std::string, std::string_view>> kept;
    for (int i = 0; i < 3000; ++i) {
        std::string text(random.below(i % 100 == 0 ? 300'000 : 40), static_cast<char>('a' + i % 26));
        const std::string_view view = i % 7 == 0   ? batch.keep_whole(text)
                                      : i % 7 == 1 ? batch.keep_shared(std::make_shared<const std::string>(text))
                                                   : batch.keep(text);
        kept.emplace_back(std::move(text), view);
    }
    const ReadingBatch moved = std::move(batch);
    for (const auto& [text, view] : kept) ASSERT_EQ(text, view);
}

TEST(ReadingBatch, AReadingHoldsItsValueAndItsNames) {
    ReadingBatch batch;
    {
        const std::string device = "Line3/Filler", address = "state";
        batch.add(device, address, std::string("running"), UtcTime(5), Quality::good);
        batch.add(device, "level", 0.25, UtcTime(), Quality::bad);
        batch.add(device, "count", std::int64_t{-2}, UtcTime(), Quality::good);
        batch.add(device, "on", true, UtcTime(), Quality::good);
    }
    ASSERT_EQ(batch.size(), 4u);
    EXPECT_EQ(batch.readings[0].device, "Line3/Filler");
    EXPECT_EQ(batch.readings[0].address, "state");
    EXPECT_EQ(batch.readings[0].type, ValueType::String);
    EXPECT_EQ(batch.readings[0].text, "running");
    EXPECT_EQ(batch.readings[0].source_time, UtcTime(5));
    EXPECT_EQ(std::bit_cast<double>(batch.readings[1].bits), 0.25);
    EXPECT_EQ(batch.readings[1].quality, Quality::bad);
    EXPECT_EQ(std::bit_cast<std::int64_t>(batch.readings[2].bits), -2);
    EXPECT_EQ(batch.readings[3].bits, 1u);
}

TEST(Events, AreSpokenOfAsInIsa182) {
    EXPECT_EQ(to_text(LimitKind::HighHigh), "HH");
    EXPECT_EQ(to_text(LimitKind::High), "H");
    EXPECT_EQ(to_text(LimitKind::Low), "L");
    EXPECT_EQ(to_text(LimitKind::LowLow), "LL");
    EXPECT_EQ(to_text(Priority::Critical), "critical");
    EXPECT_EQ(to_text(Priority::Low), "low");
}

}  // namespace
}  // namespace lineshaft
