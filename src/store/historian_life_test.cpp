// Life of data: erased and corrected samples, retention rules, the cold path, merges; and a power cut at any moment.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/internal/test_store.h"

namespace lineshaft::store {
namespace {

constexpr TagId tag_a{11};
constexpr TagId tag_b{12};

/// A store that is written, read and erased in numbers.
class House : public Store {
public:
    using Store::offer;
    using Store::Store;

    Result<void> offer(TagId tag, std::int64_t from, std::int64_t step, int count, double value = 1) {
        Batch batch;
        batch.receive_time = shard->utc_now();
        for (int i = 0; i < count; ++i) batch.add(tag, UtcTime(from + i * step), value + i, Quality::good);
        return Store::offer(batch);
    }
    Result<Erased> erase(std::vector<TagId> tags, std::int64_t from, std::int64_t to) {
        Result<Erased> outcome = fail(ErrorCode::Timeout);
        historian->erase(tags, UtcTime(from), UtcTime(to), [&outcome](Result<Erased> done) { outcome = done; });
        shard->run();
        return outcome;
    }
    std::map<std::int64_t, double> read(TagId tag) {
        std::map<std::int64_t, double> all;
        auto scan = historian->scan(tag, always_from, always_to);
        if (!scan) return all;
        Chunk part;
        while (scan->next(part)) {
            for (std::size_t i = 0; i < part.size(); ++i) all[part.source_times[i].ns()] = part.number_at(i);
        }
        return all;
    }
    std::size_t segment_files(const std::string& under) {
        const auto files = disk.files();
        return static_cast<std::size_t>(std::ranges::count_if(
            files, [&](const std::string& name) { return name.starts_with(under) && name.ends_with(".seg"); }));
    }
};

TEST(HistorianStorage, TellsTheRateOfNowFromTheFirstSecondsOn) {
    House house;
    house.shard->advance(10s);
    ASSERT_TRUE(house.offer(tag_a, epoch, second, 600));
    EXPECT_DOUBLE_EQ(house.historian->storage().samples_per_second, 60);
    house.shard->advance(50s);
    EXPECT_DOUBLE_EQ(house.historian->storage().samples_per_second, 10);
    house.reopen();
    EXPECT_DOUBLE_EQ(house.historian->storage().samples_per_second, 0) << "what is read back did not come now";
}

// ---- erase and correct --------------------------------------------------------------------------------------------------

TEST(HistorianErase, WhatIsErasedIsGoneFromMemoryAndSegmentsAndStaysGone) {
    for (const bool flushed : {false, true}) {
        SCOPED_TRACE(flushed);
        House house;
        ASSERT_TRUE(house.offer(tag_a, epoch, second, 100));
        ASSERT_TRUE(house.offer(tag_b, epoch, second, 100));
        if (flushed) {
            ASSERT_TRUE(house.flush());
        }
        const auto erased = house.erase({tag_a, TagId(99)}, epoch + 10 * second, epoch + 20 * second);
        ASSERT_TRUE(erased) << erased.error().message();
        EXPECT_EQ(erased->samples, 10U);
        EXPECT_EQ(erased->series, 1U);
        for (int round = 0; round < 3; ++round) {
            SCOPED_TRACE(round);
            const auto rows = house.read(tag_a);
            EXPECT_EQ(rows.size(), 90U);
            EXPECT_FALSE(rows.contains(epoch + 10 * second));
            EXPECT_TRUE(rows.contains(epoch + 20 * second));
            EXPECT_EQ(house.historian->completeness(tag_a, always_from, always_to)->samples, 90U);
            EXPECT_GE(house.read(tag_b).size(), 100U);
            if (round == 0) {
                house.die();
                house.disk.lose_power();
                house.open();
            } else {
                ASSERT_TRUE(house.offer(tag_b, epoch + 1000 * second, second, 1));
                ASSERT_TRUE(house.flush());
                house.shard->advance(2min);
                EXPECT_EQ(house.historian->storage().erasures_open, 0U);
                house.reopen();
            }
        }
    }
}

TEST(HistorianErase, TheLastValueIsTheOneBefore) {
    House house;
    ASSERT_TRUE(house.offer(tag_a, epoch, second, 10));
    ASSERT_TRUE(house.erase({tag_a}, epoch + 5 * second, epoch + day));
    EXPECT_EQ(house.historian->last(tag_a)->source_time.ns(), epoch + 4 * second);
    ASSERT_TRUE(house.erase({tag_a}, always_from.ns(), always_to.ns()));
    EXPECT_FALSE(house.historian->last(tag_a));
    EXPECT_TRUE(house.read(tag_a).empty());
}

TEST(HistorianErase, WhatComesAfterIsSeen) {
    House house;
    ASSERT_TRUE(house.offer(tag_a, epoch, second, 10));
    ASSERT_TRUE(house.erase({tag_a}, epoch, epoch + day));
    ASSERT_TRUE(house.offer(tag_a, epoch + 3 * second, second, 2, 7.0));
    for (int round = 0; round < 3; ++round) {
        SCOPED_TRACE(round);
        const auto rows = house.read(tag_a);
        ASSERT_EQ(rows.size(), 2U);
        EXPECT_EQ(rows.at(epoch + 3 * second), 7.0);
        if (round == 0) {
            house.die();
            house.disk.lose_power();
            house.open();
        } else {
            ASSERT_TRUE(house.flush());
            house.shard->advance(2min);
        }
    }
}

TEST(HistorianErase, ACorrectionWinsAndSaysWhatItReplaced) {
    House house;
    ASSERT_TRUE(house.offer(tag_a, epoch, second, 10));
    ASSERT_TRUE(house.flush());
    Chunk rows;
    for (const std::int64_t at : {epoch + 2 * second, epoch + 100 * second}) {
        rows.source_times.emplace_back(at);
        rows.receive_times.emplace_back(at);
        rows.types.push_back(ValueType::Double);
        rows.bits.push_back(std::bit_cast<std::uint64_t>(55.0));
        rows.qualities.push_back(Quality::good);
    }
    Result<Corrected> outcome = fail(ErrorCode::Timeout);
    const SourceId source = house.historian->source_id("corrections");
    house.historian->correct(tag_a, rows, source, [&](Result<Corrected> done) { outcome = done; });
    house.shard->run();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->replaced, 1U);
    EXPECT_EQ(outcome->added, 1U);
    EXPECT_EQ(house.read(tag_a).at(epoch + 2 * second), 55.0);
    EXPECT_EQ(house.read(tag_a).size(), 11U);
}

// ---- retention ----------------------------------------------------------------------------------------------------------

TEST(HistorianRetention, RulesTakeRawRowsBySeriesAndLeaveTheRest) {
    House house;
    house.historian->register_series(tag_a, {"Acme/Lyon/temp", "", ValueType::Double, "Acme/Lyon"});
    house.historian->register_series(tag_b, {"Acme/Paris/temp", "", ValueType::Double, "Acme/Paris"});
    for (int d = 0; d < 30; ++d) {
        ASSERT_TRUE(house.offer(tag_a, epoch - d * day, second, 50));
        ASSERT_TRUE(house.offer(tag_b, epoch - d * day, second, 50));
    }
    ASSERT_TRUE(house.flush());
    const std::vector<RetentionRule> rules{{.id = 1, .match = "Acme/Lyon/**", .raw_age = 10 * 24h}};
    std::vector<RetentionEffect> preview;
    house.historian->preview_retention(rules, [&](std::vector<RetentionEffect> effects) { preview = effects; });
    house.shard->run();
    ASSERT_EQ(preview.size(), 1U);
    EXPECT_EQ(preview[0].samples, 19U * 50);
    EXPECT_EQ(house.read(tag_a).size(), 1500U);
    house.historian->set_retention(rules);
    house.shard->run();
    house.shard->advance(5min);
    EXPECT_NEAR(static_cast<double>(house.read(tag_a).size()), 550, 50);
    EXPECT_EQ(house.read(tag_b).size(), 1500U);
    house.reopen();
    EXPECT_EQ(house.read(tag_b).size(), 1500U);
    EXPECT_NEAR(static_cast<double>(house.read(tag_a).size()), 550, 50);
}

TEST(HistorianRetention, TiersStayWhenRawLeaves) {
    House house;
    house.historian->register_series(tag_a, {"Acme/temp", "", ValueType::Double, "Acme"});
    for (int d = 0; d < 20; ++d) ASSERT_TRUE(house.offer(tag_a, epoch - d * day, 10 * second, 360));
    ASSERT_TRUE(house.flush());
    const UtcTime from(epoch - 20 * day);
    const UtcTime to(epoch + day);
    const Reduction before = *house.historian->reduce(tag_a, from, to, Duration(24h));
    house.historian->set_retention({{.id = 1, .match = "**", .raw_age = 5 * 24h, .tiers = {{1min, std::nullopt}}}});
    house.shard->run();
    house.shard->advance(5min);
    EXPECT_LT(house.read(tag_a).size(), 7U * 360);
    for (int round = 0; round < 2; ++round) {
        const Reduction after = *house.historian->reduce(tag_a, from, to, Duration(24h));
        ASSERT_EQ(after.buckets.size(), before.buckets.size());
        for (std::size_t i = 0; i < before.buckets.size(); ++i) {
            EXPECT_EQ(after.buckets[i].count, before.buckets[i].count) << i;
            EXPECT_EQ(after.buckets[i].min, before.buckets[i].min);
            EXPECT_EQ(after.buckets[i].max, before.buckets[i].max);
            EXPECT_EQ(after.buckets[i].mean(), before.buckets[i].mean());
        }
        // Later the minutes are rolled up to hours, and go on saying the same of a day.
        house.historian->set_retention(
            {{.id = 1, .match = "**", .raw_age = 5 * 24h, .tiers = {{1min, 8 * 24h}, {1h, std::nullopt}}}});
        house.shard->run();
        house.shard->advance(5min);
    }
}

TEST(HistorianRetention, ABoundInBytesTakesTheOldestOfTheRule) {
    House house;
    house.historian->register_series(tag_a, {"Acme/Lyon/temp", "", ValueType::Double, "Acme/Lyon"});
    house.historian->register_series(tag_b, {"Acme/Paris/temp", "", ValueType::Double, "Acme/Paris"});
    Random random(1);
    for (int d = 0; d < 20; ++d) {
        ASSERT_TRUE(house.offer(tag_a, epoch - d * day, second, 500, static_cast<double>(random.below(1000))));
        ASSERT_TRUE(house.offer(tag_b, epoch - d * day, second, 500, static_cast<double>(random.below(1000))));
    }
    ASSERT_TRUE(house.flush());
    const std::uint64_t before = house.historian->stats().segment_bytes;
    house.historian->set_retention({{.id = 1, .match = "Acme/Lyon/**", .raw_bytes = before / 20}});
    house.shard->run();
    house.shard->advance(5min);
    EXPECT_LT(house.read(tag_a).size(), 8000U);
    EXPECT_GT(house.read(tag_a).size(), 500U);
    EXPECT_TRUE(house.read(tag_a).contains(epoch));
    EXPECT_EQ(house.read(tag_b).size(), 10'000U);
    EXPECT_LT(house.historian->stats().segment_bytes, before * 3 / 4);
}

// ---- merges and the cold path -------------------------------------------------------------------------------------------

TEST(HistorianMerges, AMonthBecomesOneFileAndSaysTheSame) {
    House house;
    for (int d = 80; d >= 0; --d) {
        ASSERT_TRUE(house.offer(tag_a, epoch - d * day, 5 * second, 3000, d));
        ASSERT_TRUE(house.flush());
    }
    const auto before = house.read(tag_a);
    house.shard->advance(10min);
    EXPECT_LT(house.historian->stats().segments, 60U);
    EXPECT_GT(house.historian->storage().compaction.copied_bytes, 0U);
    EXPECT_EQ(house.read(tag_a), before);
    house.reopen();
    EXPECT_EQ(house.read(tag_a), before);
}

TEST(HistorianCold, OldSegmentsMoveAndAreReadAndNothingIsDeletedWhileThePathIsAway) {
    Options options;
    options.cold_path = "/cold/shard-0";
    options.cold_after = 10 * 24h;
    House house(options);
    for (int d = 30; d >= 0; --d) {
        ASSERT_TRUE(house.offer(tag_a, epoch - d * day, 5 * second, 100, d));
        ASSERT_TRUE(house.flush());
    }
    house.shard->advance(10min);
    const auto all = house.read(tag_a);
    EXPECT_EQ(all.size(), 3100U);
    EXPECT_GT(house.segment_files("/cold"), 0U);
    EXPECT_EQ(house.historian->storage().cold.segments, house.segment_files("/cold"));
    house.reopen();
    EXPECT_EQ(house.read(tag_a), all);

    // The path is not mounted.
    house.close();
    const auto files = house.disk.files();
    std::map<std::string, Bytes> away;
    for (const std::string& name : files) {
        if (!name.starts_with("/cold")) continue;
        away[name] = *house.disk.bytes_of(name);
        ASSERT_TRUE(house.disk.remove(name));
    }
    house.open();
    EXPECT_GT(house.historian->storage().cold.segments_missing, 0U);
    EXPECT_LT(house.read(tag_a).size(), all.size());
    EXPECT_GT(house.historian->completeness(tag_a, always_from, always_to)->damaged_blocks, 0U);
    ASSERT_TRUE(house.offer(tag_a, epoch + day, second, 1));
    ASSERT_TRUE(house.flush());
    house.shard->advance(10min);
    house.reopen();
    EXPECT_GT(house.historian->storage().cold.segments_missing, 0U);

    for (const auto& [name, bytes] : away) ASSERT_TRUE(house.disk.replace(name, bytes));
    house.shard->advance(2min);
    EXPECT_EQ(house.historian->storage().cold.segments_missing, 0U);
    EXPECT_EQ(house.read(tag_a).size(), all.size() + 1);
    house.reopen();
    EXPECT_EQ(house.read(tag_a).size(), all.size() + 1);
}

TEST(HistorianManifest, OneCopyIsEnough) {
    for (const char* lost : {"/data/shard-0/MANIFEST", "/data/shard-0/MANIFEST.2"}) {
        House house;
        for (int i = 0; i < 5; ++i) {
            ASSERT_TRUE(house.offer(tag_a, epoch + i, 1, 1));
            ASSERT_TRUE(house.flush());
        }
        ASSERT_TRUE(house.erase({tag_a}, epoch, epoch + 1));
        house.close();
        ASSERT_TRUE(house.disk.remove(lost));
        house.open();
        EXPECT_EQ(house.read(tag_a).size(), 4U);
        EXPECT_EQ(house.historian->stats().damaged_files, 0U);
    }
}

// ---- a power cut at any moment ------------------------------------------------------------------------------------------

/// Writes, flushes, merges, erases, corrects; what was acknowledged is in `sure`, what may or may not be in `maybe`.
class Workload {
public:
    explicit Workload(std::uint64_t seed) : random_(seed) {}

    /// False once the power has gone.
    bool run(House& house) {
        house.historian->set_retention({{.id = 1, .match = "old/**", .raw_age = 2 * 24h}});
        house.historian->register_series(tag_b, {"old/b", "", ValueType::Double, "old"});
        for (int step = 0; step < 14; ++step) {
            if (house.disk.is_dark()) return false;
            switch (step % 7) {
                case 3: erase(house); break;
                case 5: (void)house.flush(); break;
                case 6: house.shard->advance(2min); break;
                default: write(house); break;
            }
        }
        return !house.disk.is_dark();
    }

    void check(House& house) {
        const auto rows = house.read(tag_a);
        for (const auto& [time, value] : rows) {
            ASSERT_TRUE(possible_[time].contains(value)) << "invented: " << time << " = " << value;
            ASSERT_FALSE(erased_.contains(time)) << "erased and back: " << time;
        }
        for (const auto& [time, value] : sure_) {
            if (maybe_erased_.contains(time)) continue;
            const auto found = rows.find(time);
            ASSERT_NE(found, rows.end()) << "lost: " << time << " = " << value;
        }
    }

private:
    void write(House& house) {
        if (!house.historian->is_ready()) return;
        const std::int64_t from = epoch - static_cast<std::int64_t>(random_.below(3)) * day +
                                  static_cast<std::int64_t>(random_.below(40)) * second;
        const double value = 100.0 * ++writes_;
        for (int i = 0; i < 20; ++i) possible_[from + i * second].insert(value + i);
        // May have arrived although nobody was told; what was erased may come again.
        for (int i = 0; i < 20; ++i) erased_.erase(from + i * second);
        if (!house.offer(tag_a, from, second, 20, value)) return;
        for (int i = 0; i < 20; ++i) {
            sure_[from + i * second] = value + i;
            maybe_erased_.erase(from + i * second);
        }
        (void)house.offer(tag_b, epoch - 5 * day, second, 3, value);
    }
    void erase(House& house) {
        const std::int64_t from = epoch - static_cast<std::int64_t>(random_.below(3)) * day;
        const std::int64_t to = from + 25 * second;
        const auto done = house.erase({tag_a}, from, to);
        for (const auto& [time, values] : possible_) {
            if (time < from || time >= to) continue;
            maybe_erased_.insert(time);
            if (!done) continue;
            erased_.insert(time);
            sure_.erase(time);
        }
    }

    Random random_;
    int writes_ = 0;
    std::map<std::int64_t, std::set<double>> possible_;
    std::map<std::int64_t, double> sure_;
    std::set<std::int64_t> erased_;
    std::set<std::int64_t> maybe_erased_;
};

Options small_options() {
    Options options;
    options.memtable_bytes = 6'000;
    options.segments_per_day_max = 2;
    return options;
}

TEST(HistorianPowerCutInLife, NothingAcknowledgedIsLostAndErasedStaysErasedWhereverItHappens) {
    for (const auto tear : {ForgetfulDisk::Tear::None, ForgetfulDisk::Tear::Random}) {
        for (std::uint64_t call = 1;; ++call) {
            SCOPED_TRACE(call);
            House house(small_options());
            Workload work(call % 5);
            house.disk.lose_power_at_call(call);
            const bool whole = work.run(house);
            house.die();
            Random random(call);
            house.disk.lose_power(tear, &random);
            house.disk.heal();
            house.open();
            ASSERT_NO_FATAL_FAILURE(work.check(house));
            house.shard->advance(5min);
            ASSERT_NO_FATAL_FAILURE(work.check(house));
            house.reopen();
            ASSERT_NO_FATAL_FAILURE(work.check(house));
            if (whole) break;
        }
    }
}

TEST(HistorianPowerCutInLife, AProcessKilledAtAnyCallLosesNothing) {
    for (std::uint64_t call = 1;; call += 3) {
        SCOPED_TRACE(call);
        House house(small_options());
        Workload work(call % 7);
        house.disk.fail_call_after(call, ErrorCode::Io);  // Something goes wrong, then the process dies.
        const std::uint64_t before = house.disk.calls();
        (void)work.run(house);
        const bool whole = house.disk.calls() - before < call;
        house.die();
        house.disk.kill_process();
        house.disk.heal();
        house.open();
        ASSERT_NO_FATAL_FAILURE(work.check(house));
        house.reopen();
        ASSERT_NO_FATAL_FAILURE(work.check(house));
        if (whole) break;
    }
}

TEST(HistorianPowerCutInLife, ADiskThatIsFullAtAnyCallLosesNothingAndGoesOn) {
    for (std::uint64_t call = 1;; call += 2) {
        SCOPED_TRACE(call);
        House house(small_options());
        Workload work(call % 7);
        house.disk.fail_call_after(call, ErrorCode::DiskFull);
        const std::uint64_t before = house.disk.calls();
        ASSERT_TRUE(work.run(house));
        const bool whole = house.disk.calls() - before < call;
        house.disk.heal();
        house.shard->advance(1min);
        ASSERT_TRUE(house.historian->is_ready());
        ASSERT_NO_FATAL_FAILURE(work.check(house));
        ASSERT_TRUE(house.flush());
        house.reopen();
        ASSERT_NO_FATAL_FAILURE(work.check(house));
        if (whole) break;
    }
}

}  // namespace
}  // namespace lineshaft::store
