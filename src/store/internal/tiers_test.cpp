#include "store/internal/tiers.h"

#include <bit>

#include <gtest/gtest.h>

#include "store/historian.h"
#include "store/internal/segment.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t t0 = 1'767'225'600 * second;  // 2026-01-01T00:00:00Z.

Chunk walk(std::int64_t from, std::size_t count, std::int64_t step) {
    Chunk rows;
    for (std::size_t i = 0; i < count; ++i) {
        rows.source_times.emplace_back(from + static_cast<std::int64_t>(i) * step);
        rows.receive_times.push_back(rows.source_times.back());
        rows.types.push_back(ValueType::Double);
        rows.bits.push_back(std::bit_cast<std::uint64_t>(static_cast<double>(i * i % 1001) / 10));
        rows.qualities.push_back(i % 97 ? Quality::good : Quality::bad);
    }
    return rows;
}

std::vector<Bucket> buckets_of(const Chunk& rows, Tier tier) {
    TierSet keep;
    keep.add(tier);
    TierBuilder builder;
    builder.begin(keep);
    builder.add(rows, 0, rows.size());
    builder.end();
    return builder.buckets(tier);
}

TEST(Tiers, AChunkComesBackAndAnyFlippedBitIsDetected) {
    const std::vector<Bucket> buckets = buckets_of(walk(t0, 5000, second / 3), Tier::Minute);
    Bytes chunk;
    encode_tier_chunk(TagId(7), Tier::Minute, buckets, chunk);
    std::vector<Bucket> back;
    ASSERT_TRUE(decode_tier_chunk(chunk, TagId(7), Tier::Minute, back));
    ASSERT_EQ(back.size(), buckets.size());
    for (std::size_t i = 0; i < back.size(); ++i) {
        EXPECT_EQ(back[i].start, buckets[i].start);
        EXPECT_EQ(back[i].first_time, buckets[i].first_time);
        EXPECT_EQ(back[i].last_time, buckets[i].last_time);
        EXPECT_EQ(back[i].count, buckets[i].count);
        EXPECT_EQ(back[i].usable, buckets[i].usable);
        EXPECT_EQ(back[i].sum, buckets[i].sum);
        EXPECT_EQ(back[i].squares, buckets[i].squares);
        EXPECT_EQ(back[i].integral, buckets[i].integral);
        EXPECT_EQ(back[i].covered, buckets[i].covered);
        EXPECT_EQ(back[i].resets, buckets[i].resets);
        EXPECT_EQ(back[i].reset_from, buckets[i].reset_from);
        EXPECT_EQ(back[i].holds, buckets[i].holds);
    }
    EXPECT_FALSE(decode_tier_chunk(chunk, TagId(8), Tier::Minute, back));
    EXPECT_FALSE(decode_tier_chunk(chunk, TagId(7), Tier::Hour, back));
    for (std::size_t bit = 0; bit < chunk.size() * 8; bit += 5) {
        chunk[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        EXPECT_FALSE(decode_tier_chunk(chunk, TagId(7), Tier::Minute, back));
        chunk[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    }
}

/// A merge copies blocks that are nearly full: a tier that lacked one would leave rows out of every coarse answer.
TEST(Tiers, SpeakOfEveryRowWhateverBlocksComeFirst) {
    testing::ForgetfulDisk disk;
    const Chunk all = walk(t0, 5000, 10 * second);
    Bytes block;
    const BlockHeader header = encode_block(TagId(3), all, 0, 956, block);
    Chunk copied;
    copied.append(all, 0, 956);
    for (const bool begins_with_rows : {false, true}) {
        auto writer = SegmentWriter::create(disk, "/", begins_with_rows ? "b.seg" : "a.seg", ShardId(0), 1);
        ASSERT_TRUE(writer);
        (*writer)->begin_series(TagId(3), {.path = "Line/speed"});
        if (begins_with_rows) {
            const Chunk before = walk(t0 - 5000 * second, 300, 10 * second);
            ASSERT_TRUE((*writer)->add(before, 0, before.size()));
        }
        ASSERT_TRUE((*writer)->copy(block, header, copied));
        ASSERT_TRUE((*writer)->add(all, 956, all.size() - 956));
        ASSERT_TRUE((*writer)->end_series());
        const auto meta = (*writer)->finish();
        ASSERT_TRUE(meta);
        const auto segment = Segment::open(disk, "/", *meta);
        ASSERT_TRUE(segment);
        const auto series = (*segment)->series_at(0);
        ASSERT_TRUE(series);
        ASSERT_FALSE(series->tiers.empty());
        for (const TierRef& tier : series->tiers) {
            std::uint64_t count = 0;
            for (const TierChunk& chunk : tier.chunks) {
                std::vector<Bucket> buckets;
                ASSERT_TRUE((*segment)->decode(TagId(3), tier.tier, chunk, buckets));
                for (const Bucket& bucket : buckets) count += bucket.count;
            }
            EXPECT_EQ(count, meta->rows);
        }
    }
}

TEST(Tiers, AreMadeWhereTheirBucketsHoldRowsEnough) {
    TierBuilder builder;
    builder.begin({});
    builder.add(walk(t0, 40'000, second), 0, 40'000);
    builder.end();
    EXPECT_FALSE(builder.is_worth_it(Tier::Second));
    EXPECT_FALSE(builder.is_worth_it(Tier::Minute));
    EXPECT_TRUE(builder.is_worth_it(Tier::Hour));
    EXPECT_TRUE(builder.is_worth_it(Tier::Day));
    builder.begin({});
    builder.add(walk(t0, 4000, 60 * second), 0, 4000);
    builder.end();
    EXPECT_FALSE(builder.is_worth_it(Tier::Hour));
    EXPECT_TRUE(builder.is_worth_it(Tier::Day));
}

/// A store with one segment: minutes alone for the first day, rows for the second.
class Expired : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(disk.make_directory("/store"));
        const Chunk old = walk(t0, 86'400, second);
        const Chunk young = walk(t0 + 86'400 * second, 86'400, second);
        TierSet keep;
        keep.add(Tier::Minute);
        auto writer = SegmentWriter::create(disk, "/store", "000000000001-000.seg", ShardId(0), 1).value();
        writer->begin_series(TagId(1), {"Line/temp", "Cel", ValueType::Double, "Line", TenantId(1)}, keep);
        for (const Bucket& bucket : buckets_of(old, Tier::Minute)) ASSERT_TRUE(writer->add(Tier::Minute, bucket));
        ASSERT_TRUE(writer->add(young, 0, young.size()));
        ASSERT_TRUE(writer->end_series());
        ASSERT_TRUE(writer->finish());
        auto made = Historian::create(shard, disk, *pool, *pool, {.path = "/store"});
        ASSERT_TRUE(made);
        store = *std::move(made);
        whole = old;
        whole.append(young, 0, young.size());
    }
    void TearDown() override {
        store->close([] {});
        shard.run();
    }
    Reduction reduce(Duration resolution) {
        return store
            ->reduce({.tag = TagId(1),
                      .from = UtcTime(t0),
                      .to = UtcTime(t0 + 2 * 86'400 * second),
                      .resolution = resolution,
                      .needs = Needs::Squares | Needs::Integral | Needs::Resets})
            .value();
    }

    testing::ManualClock clock;
    testing::ManualShard shard{clock};
    testing::ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<Historian> store;
    Chunk whole;
};

TEST_F(Expired, TiersAnswerAsTheRowsDid) {
    for (const Duration resolution : {Duration(1min), Duration(5min), Duration(1h), Duration(24h)}) {
        const Reduction got = reduce(resolution);
        EXPECT_EQ(got.resolution, resolution);
        ASSERT_EQ(got.expired.size(), 1U);
        EXPECT_EQ(got.expired[0].from, UtcTime(t0));
        std::uint64_t count = 0;
        Sum sum;
        for (const Bucket& bucket : got.buckets) {
            count += bucket.count;
            sum.add(bucket.sum);
        }
        EXPECT_EQ(count, whole.size());
        Bucket all;
        for (std::size_t i = 0; i < whole.size(); ++i)
            add_basic(all, whole.source_times[i], whole.number_at(i), whole.qualities[i]);
        EXPECT_EQ(sum.value(), all.sum.value());
    }
}

TEST_F(Expired, AnAnswerIsAsCoarseAsWhatIsLeft) {
    EXPECT_EQ(reduce(10s).resolution, 1min);
    EXPECT_EQ(reduce(90s).resolution, 2min);
}

TEST_F(Expired, ScansSayWhatTheyCannotGive) {
    auto scan = store->scan(TagId(1), UtcTime(t0), UtcTime(t0 + 2 * 86'400 * second)).value();
    std::size_t rows = 0;
    for (Chunk chunk; scan.next(chunk);) rows += chunk.size();
    EXPECT_EQ(rows, 86'400U);
    ASSERT_EQ(scan.expired().size(), 1U);
    EXPECT_EQ(scan.expired()[0].last, UtcTime(t0 + 86'399 * second));
}

}  // namespace
}  // namespace lineshaft::store
