#include "store/historian.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/internal/test_store.h"

namespace lineshaft::store {
namespace {

Batch one(TagId tag, std::int64_t time, const Value& value, Quality quality = Quality::good,
          std::int64_t receive = epoch) {
    Batch batch;
    batch.receive_time = UtcTime(receive);
    batch.add(tag, UtcTime(time), value, quality);
    return batch;
}

constexpr TagId tag_a{11};

TEST(Historian, WhatIsOfferedIsVisibleAtOnceAndDurableAfterOneSync) {
    Store store;
    store.historian->register_series(tag_a, {"Line1/Filler/temperature", "Cel", ValueType::Double, "Line1/Filler"});
    bool durable = false;
    store.historian->offer(one(tag_a, epoch, 21.5));
    store.historian->when_durable([&durable](Result<void> settled) { durable = settled.has_value(); });
    EXPECT_FALSE(durable);
    ASSERT_TRUE(store.historian->last(tag_a));
    EXPECT_EQ(std::get<double>(store.historian->last(tag_a)->value), 21.5);
    EXPECT_EQ(store.rows(tag_a).size(), 1U);
    store.shard->run();
    EXPECT_TRUE(durable);
}

TEST(Historian, ManyOffersShareOneSync) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    const std::uint64_t before = store.disk.syncs();
    int durable = 0;
    for (int i = 1; i <= 100; ++i) {
        store.historian->offer(one(tag_a, epoch + i, 1.0 * i));
        store.historian->when_durable([&durable](Result<void>) { ++durable; });
    }
    store.shard->run();
    EXPECT_EQ(durable, 100);
    EXPECT_EQ(store.disk.syncs(), before + 1);
}

TEST(Historian, KeepsItsSamplesNamesAndSourcesAcrossARestart) {
    Store store;
    store.historian->register_series(tag_a, {"a", "bar", ValueType::Int, "dev"});
    const SourceId source = store.historian->source_id("mqtt/filler");
    for (const bool flushed : {false, true}) {
        Batch batch = one(tag_a, epoch + flushed, std::int64_t{7});
        batch.source = source;
        batch.first_sequence = flushed ? 42 : 41;
        ASSERT_TRUE(store.offer(batch));
        if (flushed) {
            ASSERT_TRUE(store.flush());
        }
        store.reopen();
        EXPECT_EQ(store.historian->source_id("mqtt/filler"), source);
        EXPECT_EQ(store.historian->last_sequence(source), batch.first_sequence);
        ASSERT_EQ(store.historian->series().size(), 1U);
        EXPECT_EQ(store.historian->series()[0].info.path, "a");
        EXPECT_EQ(store.historian->series()[0].info.unit, "bar");
        EXPECT_EQ(std::get<std::int64_t>(store.historian->last(tag_a)->value), 7);
    }
    EXPECT_EQ(store.rows(tag_a).size(), 2U);
}

TEST(Historian, ASecondProcessIsRefused) {
    Store store;
    const auto second_one = Historian::create(*store.shard, store.disk, *store.pool, *store.pool, store.options);
    ASSERT_FALSE(second_one);
    EXPECT_EQ(second_one.error().code(), ErrorCode::Locked);
}

TEST(Historian, TheLastReceivedWinsForOneSourceTimeWhereverItLies) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 2.0)));
    EXPECT_EQ(store.rows(tag_a).number_at(0), 2.0);
    ASSERT_TRUE(store.flush());
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 3.0)));  // In memory over a segment.
    EXPECT_EQ(store.rows(tag_a).size(), 1U);
    EXPECT_EQ(store.rows(tag_a).number_at(0), 3.0);
    ASSERT_TRUE(store.flush());  // Segment over segment.
    store.reopen();
    EXPECT_EQ(store.rows(tag_a).size(), 1U);
    EXPECT_EQ(store.rows(tag_a).number_at(0), 3.0);
    EXPECT_EQ(std::get<double>(store.historian->last(tag_a)->value), 3.0);
}

TEST(Historian, ALateSampleDoesNotBecomeTheLastValue) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    ASSERT_TRUE(store.flush());
    store.reopen();
    ASSERT_TRUE(store.offer(one(tag_a, epoch - day, 2.0)));
    EXPECT_EQ(std::get<double>(store.historian->last(tag_a)->value), 1.0);
    EXPECT_EQ(store.historian->last(tag_a)->source_time.ns(), epoch);
}

TEST(Historian, TypesMayChangeAndBadSamplesNeedNoValue) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, std::int64_t{5})));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 1, std::nan(""), Quality::bad_no_communication)));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 2, std::string("five"))));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 3, true)));
    for (int round = 0; round < 2; ++round) {
        const Chunk rows = store.rows(tag_a);
        ASSERT_EQ(rows.size(), 4U);
        EXPECT_EQ(rows.value_at(0), Value(std::int64_t{5}));
        EXPECT_EQ(rows.qualities[1], Quality::bad_no_communication);
        EXPECT_EQ(rows.value_at(2), Value(std::string("five")));
        EXPECT_EQ(rows.value_at(3), Value(true));
        ASSERT_TRUE(store.flush());
    }
}

TEST(Historian, UnknownTagsAndSenselessRangesAreRefused) {
    Store store;
    EXPECT_EQ(store.historian->scan(tag_a, always_from, always_to).error().code(), ErrorCode::NotFound);
    store.historian->register_series(tag_a, {"a", "", ValueType::Double, ""});
    EXPECT_TRUE(store.historian->scan(tag_a, always_from, always_to));
    EXPECT_FALSE(store.historian->last(tag_a));
    EXPECT_EQ(store.historian->scan(tag_a, always_to, always_from).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(store.historian->reduce(tag_a, always_from, always_to, 1s).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(store.historian->reduce(tag_a, always_from, always_to, 0s).error().code(), ErrorCode::InvalidArgument);
}

TEST(Historian, ScansComeInChunksAndOutliveCompaction) {
    Store store;
    Batch batch;
    batch.receive_time = UtcTime(epoch);
    for (int i = 0; i < 8000; ++i) batch.add(tag_a, UtcTime(epoch + i * second), 1.0 * i, Quality::good);
    ASSERT_TRUE(store.offer(batch));
    ASSERT_TRUE(store.flush());
    auto scan = store.historian->scan(tag_a, always_from, always_to);
    Chunk part;
    ASSERT_TRUE(scan->next(part));
    EXPECT_EQ(part.size(), chunk_rows_max);
    for (int i = 0; i < 8; ++i) {  // Until its segment is merged away.
        ASSERT_TRUE(store.offer(one(tag_a, epoch + i, -1.0)));
        ASSERT_TRUE(store.flush());
    }
    EXPECT_LE(store.historian->stats().segments, 7U);
    ASSERT_TRUE(scan->next(part));
    EXPECT_EQ(part.size(), 8000 - chunk_rows_max);
    EXPECT_EQ(part.number_at(0), 4096.0);
    EXPECT_FALSE(scan->next(part));

    const auto first = store.historian->scan(tag_a, UtcTime(epoch + second), always_to, 10);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->size(), 10U);
    EXPECT_TRUE(first->more);
    EXPECT_EQ(first->number_at(0), 1.0);
    EXPECT_FALSE(store.historian->scan(tag_a, always_from, always_to, 100'000)->more);
}

TEST(Historian, ADayAtOneHertzTakesLittleAndReducesExactly) {
    Store store;
    Random random(1);
    std::vector<double> values;
    std::int64_t level = 8000;
    for (int i = 0; i < 86'400; i += 4320) {
        Batch batch;
        for (int k = 0; k < 4320; ++k) {
            level += static_cast<std::int64_t>(random.below(5)) - 2;
            values.push_back(static_cast<double>(level) / 100);
            const std::int64_t time = epoch + (i + k) * second;
            batch.receive_time = UtcTime(time);
            batch.add(tag_a, UtcTime(time), values.back(), Quality::good);
        }
        ASSERT_TRUE(store.offer(batch));
    }
    ASSERT_TRUE(store.flush());
    EXPECT_LT(store.historian->stats().bytes_per_sample(), 2.0);
    for (const Duration resolution : {Duration(1min), Duration(7s), Duration(1h), Duration(24h), Duration(333s)}) {
        const auto reduction = store.historian->reduce(tag_a, UtcTime(epoch), UtcTime(epoch + day), resolution);
        ASSERT_TRUE(reduction);
        std::size_t at = 0;
        for (const Bucket& bucket : reduction->buckets) {
            double least = values[at];
            double most = values[at];
            double sum = 0;
            const std::size_t begin = at;
            for (; at < values.size() &&
                   epoch + static_cast<std::int64_t>(at) * second < bucket.start.ns() + resolution.count();
                 ++at) {
                least = std::min(least, values[at]);
                most = std::max(most, values[at]);
                sum += values[at];
            }
            ASSERT_EQ(bucket.count, at - begin);
            ASSERT_EQ(bucket.min, least);
            ASSERT_EQ(bucket.max, most);
            ASSERT_EQ(bucket.first, values[begin]);
            ASSERT_EQ(bucket.last, values[at - 1]);
            ASSERT_NEAR(bucket.sum.value(), sum, 1e-6);
            ASSERT_EQ(bucket.good, bucket.count);
        }
        EXPECT_EQ(at, values.size());
    }
}

TEST(Historian, CompletenessCountsQualities) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 1, 1.0, Quality::uncertain_range)));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 2, 1.0, Quality::bad)));
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 3, std::string("x"))));
    for (int round = 0; round < 2; ++round) {
        const auto answer = store.historian->completeness(tag_a, UtcTime(epoch), UtcTime(epoch + 4));
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->samples, 4U);
        EXPECT_EQ(answer->good, 2U);
        EXPECT_EQ(answer->uncertain, 1U);
        EXPECT_EQ(answer->bad, 1U);
        ASSERT_TRUE(store.flush());
    }
}

// ---- random workloads against a map ---------------------------------------------------------------------------------

struct Known {
    Value value;
    Quality quality;
};
using Oracle = std::map<TagId, std::map<std::int64_t, Known>>;

Batch random_batch(Random& random, std::int64_t& now, std::size_t rows_max) {
    Batch batch;
    now += static_cast<std::int64_t>(random.below(600)) * second;
    batch.receive_time = UtcTime(now);
    const std::size_t rows = 1 + random.below(rows_max);
    for (std::size_t i = 0; i < rows; ++i) {
        const TagId tag(1 + random.below(4));
        std::int64_t time = now - static_cast<std::int64_t>(random.below(20)) * second;
        if (random.below(20) == 0) time -= static_cast<std::int64_t>(random.below(4)) * day;  // Late.
        const auto n = static_cast<std::int64_t>(random.below(1000));
        Value value = static_cast<double>(n) / 10;
        if (tag == TagId(2)) value = n;
        if (tag == TagId(3)) value = n % 2 == 0;
        if (tag == TagId(4)) value = "state " + std::to_string(n % 5);
        if (random.below(30) == 0) value = std::nan("");
        batch.add(tag, UtcTime(time), value, random.below(10) ? Quality::good : Quality::uncertain);
    }
    return batch;
}

void put(Oracle& oracle, const Batch& batch) {
    for (std::size_t row = 0; row < batch.size(); ++row)
        oracle[batch.tags[row]][batch.source_times[row].ns()] = {batch.value_at(row), batch.qualities[row]};
}

bool equal(const Value& a, const Value& b) {
    const auto* x = std::get_if<double>(&a);
    const auto* y = std::get_if<double>(&b);
    return x && y && *x != *x ? *y != *y : a == b;
}

void expect_same(Store& store, const Oracle& oracle) {
    for (const auto& [tag, samples] : oracle) {
        const Chunk rows = store.rows(tag);
        ASSERT_EQ(rows.size(), samples.size()) << tag.value();
        std::size_t row = 0;
        for (const auto& [time, known] : samples) {
            ASSERT_EQ(rows.source_times[row].ns(), time);
            ASSERT_TRUE(equal(rows.value_at(row), known.value)) << tag.value() << " at " << time;
            ASSERT_EQ(rows.qualities[row], known.quality);
            ++row;
        }
        const auto last = store.historian->last(tag);
        ASSERT_TRUE(last);
        ASSERT_EQ(last->source_time.ns(), samples.rbegin()->first);
        ASSERT_TRUE(equal(last->value, samples.rbegin()->second.value));
    }
}

void expect_same_reduction(Store& store, const Oracle& oracle, Duration resolution, std::int64_t from,
                           std::int64_t to) {
    for (const auto& [tag, samples] : oracle) {
        std::map<std::int64_t, Bucket> buckets;
        for (const auto& [time, known] : samples) {
            if (time < from || time >= to) continue;
            Bucket& bucket = buckets[time - time % resolution.count()];
            ++bucket.count;
            bucket.good += known.quality.is_good();
            bucket.uncertain += known.quality.is_uncertain();
            bucket.worst = std::max(bucket.worst, known.quality);
            const double value = to_double(known.value);
            if (value != value) continue;
            if (bucket.usable++ == 0) bucket.min = bucket.max = bucket.first = value;
            bucket.min = std::min(bucket.min, value);
            bucket.max = std::max(bucket.max, value);
            bucket.last = value;
            bucket.sum.add(value);
        }
        const auto reduction = store.historian->reduce(tag, UtcTime(from), UtcTime(to), resolution);
        ASSERT_TRUE(reduction);
        ASSERT_EQ(reduction->buckets.size(), buckets.size());
        std::size_t i = 0;
        for (const auto& [start, want] : buckets) {
            const Bucket& got = reduction->buckets[i++];
            ASSERT_EQ(got.start.ns(), start);
            ASSERT_EQ(got.count, want.count);
            ASSERT_EQ(got.usable, want.usable);
            ASSERT_EQ(got.good, want.good);
            ASSERT_EQ(got.uncertain, want.uncertain);
            ASSERT_EQ(got.worst, want.worst);
            ASSERT_NEAR(got.sum.value(), want.sum.value(), 1e-6);
            if (want.usable == 0) continue;
            ASSERT_EQ(got.min, want.min);
            ASSERT_EQ(got.max, want.max);
            ASSERT_EQ(got.first, want.first);
            ASSERT_EQ(got.last, want.last);
        }
    }
}

TEST(HistorianAgainstAMap, AnyOrderOfOffersFlushesCompactionsAndRestartsGivesTheSameAnswers) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        Options options;
        options.memtable_bytes = 40'000;
        options.log_file_bytes = 20'000;
        options.segments_per_day_max = 3;
        Store store(options);
        Oracle oracle;
        std::int64_t now = epoch;
        for (int step = 0; step < 250; ++step) {
            const Batch batch = random_batch(random, now, 60);
            ASSERT_TRUE(store.offer(batch));
            put(oracle, batch);
            if (random.below(25) == 0) {
                ASSERT_TRUE(store.flush());
            }
            if (random.below(40) == 0) store.reopen();
        }
        expect_same(store, oracle);
        for (const Duration resolution : {Duration(10s), Duration(10min), Duration(6h), Duration(24h * 7)})
            expect_same_reduction(store, oracle, resolution, epoch - day, now - 3 * day / 2);
        EXPECT_GT(store.historian->stats().segments, 0U);
        EXPECT_EQ(store.historian->stats().damaged_blocks, 0U);
    }
}

TEST(HistorianAgainstAMap, ShuffledAndRepeatedGivesTheSameAnswersAsInOrder) {
    Random random(77);
    std::vector<Batch> batches;
    Oracle oracle;
    for (int i = 0; i < 3000; ++i) {
        Batch batch = one(TagId(1), epoch + i * 60 * second, 1.0 * static_cast<double>(random.below(100)));
        put(oracle, batch);
        batches.push_back(std::move(batch));
    }
    for (int i = 0; i < 1000; ++i) batches.push_back(batches[random.below(3000)]);
    for (std::size_t i = batches.size() - 1; i > 0; --i) std::swap(batches[i], batches[random.below(i + 1)]);
    Options options;
    options.memtable_bytes = 20'000;
    Store store(options);
    for (const Batch& batch : batches) ASSERT_TRUE(store.offer(batch));
    expect_same(store, oracle);
    expect_same_reduction(store, oracle, 1h, epoch, epoch + 10 * day);
}

// ---- power cuts -------------------------------------------------------------------------------------------------------

/// What was acknowledged must be there; what was offered later may be; nothing else.
void expect_nothing_lost(Store& store, const Oracle& acknowledged, const Oracle& offered) {
    for (const auto& [tag, samples] : acknowledged) {
        const Chunk rows = store.rows(tag);
        std::map<std::int64_t, std::size_t> found;
        for (std::size_t row = 0; row < rows.size(); ++row) found[rows.source_times[row].ns()] = row;
        for (const auto& [time, known] : samples) {
            ASSERT_TRUE(found.contains(time)) << "an acknowledged sample is lost";
            const Value value = rows.value_at(found[time]);
            const bool newer = equal(value, offered.at(tag).at(time).value);
            ASSERT_TRUE(equal(value, known.value) || newer) << "an acknowledged sample changed";
        }
        for (const auto& [time, row] : found) ASSERT_TRUE(offered.at(tag).contains(time)) << "a sample was invented";
    }
}

enum class Room : std::uint8_t { AsNeeded, Ahead };

void run_with_cut(std::uint64_t seed, std::uint64_t syncs, bool& reached, Room room = Room::AsNeeded) {
    Random random(seed);
    Options options;
    options.memtable_bytes = 12'000;
    options.log_file_bytes = 6'000;
    options.segments_per_day_max = 2;
    Store store(options);
    if (room == Room::Ahead) store.disk.honour_reserve();
    store.disk.lose_power_at_sync(syncs);
    Oracle acknowledged;
    Oracle offered;
    std::int64_t now = epoch;
    for (int step = 0; step < 60 && !store.disk.is_dark(); ++step) {
        // Distinct times: an unacknowledged later version would hide an acknowledged one.
        const Batch batch = random_batch(random, now, 40);
        put(offered, batch);
        if (store.offer(batch)) put(acknowledged, batch);
    }
    reached = store.disk.is_dark();
    store.die();
    store.disk.lose_power(ForgetfulDisk::Tear::Random, &random);
    store.open();
    ASSERT_TRUE(store.historian);
    EXPECT_EQ(store.historian->stats().damaged_files, 0U) << store.historian->stats().detail;
    expect_nothing_lost(store, acknowledged, offered);
    // And it goes on.
    const Batch batch = random_batch(random, now, 10);
    put(offered, batch);
    ASSERT_TRUE(store.offer(batch));
    put(acknowledged, batch);
    store.reopen();
    expect_nothing_lost(store, acknowledged, offered);
}

TEST(HistorianPowerCut, AtEverySyncNothingAcknowledgedIsLostAndNothingInvented) {
    std::uint64_t cuts = 0;
    for (std::uint64_t syncs = 0;; ++syncs) {
        SCOPED_TRACE(syncs);
        bool reached = false;
        run_with_cut(1000 + syncs, syncs, reached);
        if (::testing::Test::HasFatalFailure() || !reached) break;
        ++cuts;
    }
    EXPECT_GT(cuts, 60U);
}

TEST(HistorianPowerCut, RoomMadeAheadInTheLogIsToldFromTornRecords) {
    std::uint64_t cuts = 0;
    for (std::uint64_t syncs = 0;; ++syncs) {
        SCOPED_TRACE(syncs);
        bool reached = false;
        run_with_cut(5000 + syncs, syncs, reached, Room::Ahead);
        if (::testing::Test::HasFatalFailure() || !reached) break;
        ++cuts;
    }
    EXPECT_GT(cuts, 60U);
}

TEST(HistorianPowerCut, AProcessThatIsKilledLosesNothingAcknowledged) {
    Store store;
    Random random(5);
    Oracle oracle;
    std::int64_t now = epoch;
    for (int i = 0; i < 30; ++i) {
        const Batch batch = random_batch(random, now, 50);
        ASSERT_TRUE(store.offer(batch));
        put(oracle, batch);
        if (i % 10 != 9) continue;
        store.die();
        store.disk.kill_process();
        store.open();
        expect_same(store, oracle);
    }
}

// ---- a sick disk ------------------------------------------------------------------------------------------------------

TEST(HistorianSickDisk, AFailedSyncIsNeverAcknowledgedAndWritingResumesOnANewFile) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    store.disk.fail_sync_after(0);
    const auto refused = store.offer(one(tag_a, epoch + 1, 2.0));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Io);
    EXPECT_FALSE(store.historian->is_ready());
    EXPECT_EQ(store.historian->stats().state, State::Failed);
    EXPECT_EQ(store.rows(tag_a).size(), 2U);  // Reads live on.
    bool ready = false;
    store.historian->when_ready([&ready] { ready = true; });
    store.shard->run();
    EXPECT_FALSE(ready);
    store.shard->advance(2s);
    EXPECT_TRUE(ready);
    EXPECT_EQ(store.historian->stats().state, State::Ok);
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 2, 3.0)));
    store.die();
    store.disk.lose_power();
    store.open();
    EXPECT_EQ(store.rows(tag_a).size(), 3U);
    EXPECT_EQ(store.historian->stats().damaged_files, 0U);
}

TEST(HistorianSickDisk, AFullDiskRefusesReadsOnAndResumesByItself) {
    Store store;
    ASSERT_TRUE(store.offer(one(tag_a, epoch, 1.0)));
    store.disk.set_free_bytes(10);
    const auto refused = store.offer(one(tag_a, epoch + 1, 2.0));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::DiskFull);
    EXPECT_EQ(store.historian->stats().state, State::DiskFull);
    store.shard->advance(10s);
    EXPECT_FALSE(store.historian->is_ready());
    EXPECT_EQ(store.rows(tag_a).size(), 2U);
    store.disk.set_free_bytes(1 << 20);
    store.shard->advance(10s);
    EXPECT_TRUE(store.historian->is_ready());
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 2, 3.0)));
    store.die();
    store.disk.lose_power();
    store.open();
    EXPECT_EQ(store.rows(tag_a).size(), 3U);
}

TEST(HistorianSickDisk, ADiskThatFillsWhileRoomIsMadeAheadRefusesOnlyWhatDoesNotFit) {
    Store store;
    store.disk.honour_reserve();
    store.disk.set_free_bytes(20'000);  // Less than a step.
    int kept = 0;
    while (kept < 10'000 && store.offer(one(tag_a, epoch + kept, 1.0 * kept))) ++kept;
    EXPECT_GT(kept, 100);
    EXPECT_LT(kept, 1'000);
    EXPECT_EQ(store.historian->stats().state, State::DiskFull);
    EXPECT_GE(store.rows(tag_a).size(), static_cast<std::size_t>(kept));
    store.disk.set_free_bytes(64 << 20);
    store.shard->advance(10s);
    EXPECT_TRUE(store.historian->is_ready());
    ASSERT_TRUE(store.offer(one(tag_a, epoch - 1, 3.0)));
    store.die();
    store.disk.lose_power();
    store.open();
    EXPECT_GE(store.rows(tag_a).size(), static_cast<std::size_t>(kept) + 1);
    EXPECT_EQ(store.historian->stats().damaged_files, 0U);
}

TEST(HistorianSickDisk, AFlushThatFindsNoSpaceIsRepeatedUntilItDoes) {
    Store store;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    store.disk.set_free_bytes(50);
    const auto refused = store.flush();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::DiskFull);
    EXPECT_EQ(store.rows(tag_a).size(), 100U);
    store.disk.set_free_bytes(1 << 20);
    store.shard->advance(5s);
    EXPECT_EQ(store.historian->stats().segments, 1U);
    EXPECT_EQ(store.historian->stats().state, State::Ok);
    store.reopen();
    EXPECT_EQ(store.rows(tag_a).size(), 100U);
}

TEST(HistorianSickDisk, EverySyncMayFailOnceWithoutLoss) {
    for (std::uint64_t syncs = 0; syncs < 60; ++syncs) {
        SCOPED_TRACE(syncs);
        Random random(syncs);
        Options options;
        options.memtable_bytes = 8'000;
        options.segments_per_day_max = 2;
        Store store(options);
        Oracle oracle;
        std::int64_t now = epoch;
        store.disk.fail_sync_after(syncs);
        for (int step = 0; step < 40; ++step) {
            if (!store.historian->is_ready()) store.shard->advance(5s);
            ASSERT_TRUE(store.historian->is_ready());
            const Batch batch = random_batch(random, now, 30);
            (void)store.offer(batch);
            put(oracle, batch);
        }
        store.shard->advance(2min);
        store.disk.heal();
        store.reopen();
        expect_same(store, oracle);
    }
}

// ---- damage -----------------------------------------------------------------------------------------------------------

TEST(HistorianDamage, AByteFlippedAnywhereInASegmentIsNeverServed) {
    Store store;
    Oracle oracle;
    Random random(9);
    std::int64_t now = epoch;
    for (int i = 0; i < 6; ++i) {
        const Batch batch = random_batch(random, now, 30);
        ASSERT_TRUE(store.offer(batch));
        put(oracle, batch);
    }
    ASSERT_TRUE(store.flush());
    store.close();
    const auto is_segment = [](const std::string& path) { return path.ends_with(".seg"); };
    const std::vector<std::string> files = store.disk.files();
    const std::string path = *std::ranges::find_if(files, is_segment);
    const Bytes whole = *store.disk.bytes_of(path);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        SCOPED_TRACE(at);
        (*store.disk.bytes_of(path))[at] ^= std::byte{0x20};
        store.open();
        std::uint64_t damaged = 0;
        for (const auto& [tag, samples] : oracle) {
            const Chunk rows = store.rows(tag);
            for (std::size_t row = 0; row < rows.size(); ++row) {
                const auto known = samples.find(rows.source_times[row].ns());
                ASSERT_NE(known, samples.end());
                ASSERT_TRUE(equal(rows.value_at(row), known->second.value));
            }
            damaged += samples.size() - rows.size();
        }
        const Stats stats = store.historian->stats();
        ASSERT_TRUE(stats.damaged_blocks + stats.damaged_files > 0) << "nobody noticed";
        ASSERT_GT(damaged, 0U);
        store.die();
        store.disk.kill_process();
        if (store.disk.bytes_of(path + ".corrupt")) {
            ASSERT_TRUE(store.disk.rename(path + ".corrupt", path));
        }
        *store.disk.bytes_of(path) = whole;
    }
}

TEST(HistorianDamage, ADamagedRecordInTheMiddleOfTheLogIsReportedAndTheRestIsRead) {
    Store store;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    store.die();
    store.disk.kill_process();
    const std::vector<std::string> files = store.disk.files();
    const std::string path = *std::ranges::find_if(files, [](const auto& name) { return name.ends_with(".wal"); });
    Bytes& log = *store.disk.bytes_of(path);
    log[log.size() / 2] ^= std::byte{1};
    store.open();
    EXPECT_EQ(store.historian->stats().damaged_files, 1U);
    const std::size_t left = store.rows(tag_a).size();
    EXPECT_GE(left, 8U);
    EXPECT_LT(left, 10U);
    store.shard->run();  // What could be read goes to a segment; the file is set aside.
    EXPECT_TRUE(store.disk.bytes_of(path + ".corrupt"));
    EXPECT_FALSE(store.disk.bytes_of(path));
    store.reopen();
    EXPECT_EQ(store.rows(tag_a).size(), left);
    EXPECT_EQ(store.historian->stats().damaged_files, 0U);
}

TEST(HistorianDamage, AMissingLogFileIsReported) {
    Options options;
    options.log_file_bytes = 100;
    Store store(options);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    store.die();
    store.disk.kill_process();
    std::vector<std::string> logs = store.disk.files();
    std::erase_if(logs, [](const auto& name) { return !name.ends_with(".wal"); });
    ASSERT_GE(logs.size(), 3U);
    ASSERT_TRUE(store.disk.remove(logs[1]));
    store.open();
    EXPECT_FALSE(store.historian->stats().detail.empty());
}

TEST(HistorianDamage, AManifestThatIsDamagedOrGoneIsRebuiltFromTheSegments) {
    Store store;
    store.historian->register_series(tag_a, {"a", "bar", ValueType::Int, "dev"});
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(store.offer(one(tag_a, epoch + i % 2, std::int64_t{i})));
        ASSERT_TRUE(store.flush());
    }
    std::size_t times = 2;
    for (const char* file : {"/data/shard-0/MANIFEST", "/data/shard-0/CATALOG"}) {
        store.close();
        (*store.disk.bytes_of(file))[30] ^= std::byte{4};
        store.open();
        EXPECT_EQ(store.historian->stats().damaged_files, 1U);
        const Chunk rows = store.rows(tag_a);
        ASSERT_EQ(rows.size(), std::exchange(times, 3));
        EXPECT_EQ(rows.number_at(0), 2.0);  // The later version still wins.
        EXPECT_EQ(store.historian->series()[0].info.unit, "bar");
        ASSERT_TRUE(store.offer(one(tag_a, epoch + 5, std::int64_t{0})));
        ASSERT_TRUE(store.flush());
        ASSERT_TRUE(store.offer(one(tag_a, epoch + 5, std::int64_t{0})));
        store.close();
        ASSERT_TRUE(store.disk.remove("/data/shard-0/MANIFEST"));
        store.open();
        EXPECT_EQ(store.rows(tag_a).size(), 3U);
        ASSERT_TRUE(store.offer(one(tag_a, epoch, std::int64_t{2})));
        ASSERT_TRUE(store.flush());
    }
}

// ---- bounds and life ------------------------------------------------------------------------------------------------

TEST(HistorianLife, MemoryIsFlushedWhenFullAndWhenOld) {
    Options options;
    options.memtable_bytes = 10'000;
    options.flush_age = 10min;
    Store store(options);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    EXPECT_LT(store.historian->stats().memory_bytes, 20'000U);
    EXPECT_GT(store.historian->stats().segments, 0U);
    store.shard->advance(15min);
    EXPECT_EQ(store.historian->stats().memory_bytes, 0U);
    EXPECT_EQ(store.historian->stats().samples, 1000U);
}

TEST(HistorianLife, LogFilesGoOnceTheirSamplesAreInSegments) {
    Options options;
    options.log_file_bytes = 1000;
    Store store(options);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    ASSERT_TRUE(store.flush());
    ASSERT_TRUE(store.offer(one(tag_a, epoch + 200, 1.0)));
    ASSERT_TRUE(store.flush());
    const auto files = store.disk.files();
    EXPECT_LE(std::ranges::count_if(files, [](const auto& name) { return name.ends_with(".wal"); }), 1);
    store.reopen();
    EXPECT_EQ(store.rows(tag_a).size(), 201U);
}

TEST(HistorianLife, ALogLargerThanMemoryIsReadBackThroughSegments) {
    Store store;
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch + i, 1.0 * i)));
    store.die();
    store.disk.kill_process();
    store.options.memtable_bytes = 3'000;
    store.open();
    EXPECT_EQ(store.rows(tag_a).size(), 500U);
    EXPECT_GT(store.historian->stats().segments, 1U);
    store.reopen();
    EXPECT_EQ(store.rows(tag_a).size(), 500U);
}

TEST(HistorianLife, OldSegmentsLeaveByAgeButAClockThatJumpsAheadEmptiesNothing) {
    Options options;
    options.retention_age = 24h * 3;
    Store store(options);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch - i * day, 1.0 * i)));
    ASSERT_TRUE(store.flush());
    store.shard->advance(2min);
    EXPECT_EQ(store.rows(tag_a).size(), 4U);
    store.clock.set_utc(UtcTime(epoch + 1000 * day));
    store.shard->advance(2min);
    EXPECT_EQ(store.rows(tag_a).size(), 4U);
    const auto files = store.disk.files();
    EXPECT_EQ(std::ranges::count_if(files, [](const auto& name) { return name.ends_with(".seg"); }), 4);
}

TEST(HistorianLife, TheOldestSegmentsLeaveBeyondTheBytesAllowed) {
    Options options;
    options.retention_bytes = 1000;
    Store store(options);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(store.offer(one(tag_a, epoch - i * day, 1.0 * i)));
    ASSERT_TRUE(store.flush());
    store.shard->advance(2min);
    EXPECT_LE(store.historian->stats().segment_bytes, 1000U);
    EXPECT_GE(store.rows(tag_a).size(), 2U);
    EXPECT_EQ(store.rows(tag_a).source_times.back().ns(), epoch);
}

TEST(HistorianLife, SamplesOfAnyCenturyAreKept) {
    Store store;
    Oracle oracle;
    Random random(3);
    for (int i = 0; i < 500; ++i) {
        const auto time = static_cast<std::int64_t>(random.next()) / 4;
        const Batch batch = one(tag_a, time, 1.0 * i);
        ASSERT_TRUE(store.offer(batch));
        put(oracle, batch);
    }
    ASSERT_TRUE(store.flush());
    EXPECT_LE(store.historian->stats().segments, 70U);
    store.reopen();
    expect_same(store, oracle);
}

TEST(HistorianLife, ClosingSettlesWhatWasOfferedAndRefusesWhatComesAfter) {
    Store store;
    bool durable = false;
    store.historian->offer(one(tag_a, epoch, 1.0));
    store.historian->when_durable([&durable](Result<void> settled) { durable = settled.has_value(); });
    bool closed = false;
    store.historian->close([&closed] { closed = true; });
    store.shard->run();
    EXPECT_TRUE(durable);
    EXPECT_TRUE(closed);
    EXPECT_FALSE(store.historian->is_ready());
    ErrorCode code{};
    store.historian->flush([&code](Result<void> done) { code = done.error().code(); });
    store.shard->run();
    EXPECT_EQ(code, ErrorCode::Closed);
    store.historian.reset();
}

TEST(ResolutionFor, GivesTheFinestUsualStep) {
    EXPECT_EQ(resolution_for(UtcTime(0), UtcTime(day), 1500), Duration(1min));
    EXPECT_EQ(resolution_for(UtcTime(0), UtcTime(second), 2000), Duration(1ms));
    EXPECT_GT(resolution_for(utc_time_min, utc_time_max, 100), Duration(24h * 364));
}

}  // namespace
}  // namespace lineshaft::store
