#include "store/internal/tidying.h"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "base/random.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t d0 = 20'000 >> partition_shift << partition_shift;  // A partition begins.

SegmentMeta file(std::uint64_t order, std::int64_t day, std::uint64_t bytes, std::int64_t days = 1) {
    SegmentMeta meta;
    meta.name = std::to_string(order) + "/" + std::to_string(day) + "/" + std::to_string(bytes);
    meta.order = order;
    meta.bytes = bytes;
    meta.first_time = UtcTime(day * ns_per_day);
    meta.last_time = UtcTime((day + days) * ns_per_day - 1);
    return meta;
}

UtcTime noon(std::int64_t day) { return UtcTime(day * ns_per_day + ns_per_day / 2); }

std::vector<std::uint64_t> orders(const std::vector<SegmentMeta>& files, const std::optional<TidyJob>& job) {
    std::vector<std::uint64_t> all;
    if (job) {
        for (const std::size_t i : job->sources) all.push_back(files[i].order);
    }
    std::ranges::sort(all);
    return all;
}

TEST(Tidying, LeavesFewFilesOfTodayAlone) {
    std::vector<SegmentMeta> files;
    for (std::uint64_t i = 1; i <= 6; ++i) files.push_back(file(i, d0, 100));
    EXPECT_FALSE(pick_job(files, {.now = noon(d0)}));
    files.push_back(file(7, d0, 100));
    EXPECT_EQ(orders(files, pick_job(files, {.now = noon(d0)})).size(), 7U);
}

TEST(Tidying, DoesNotWriteALargeFileAgainForSmallOnes) {
    std::vector<SegmentMeta> files{file(1, d0, 1'000'000)};
    for (std::uint64_t i = 2; i <= 7; ++i) files.push_back(file(i, d0, 100));
    EXPECT_EQ(orders(files, pick_job(files, {.now = noon(d0)})), (std::vector<std::uint64_t>{2, 3, 4, 5, 6, 7}));
}

TEST(Tidying, MakesADayOneFileWhenItIsOverAndAPartitionWhenThatIs) {
    std::vector<SegmentMeta> files{file(1, d0, 500), file(2, d0, 100)};
    EXPECT_FALSE(pick_job(files, {.now = noon(d0 + 1)}));
    const auto job = pick_job(files, {.now = noon(d0 + 2)});
    EXPECT_EQ(orders(files, job), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(job->reason, TidyReason::Complete);
    files.clear();
    for (std::uint64_t i = 0; i < 32; ++i) files.push_back(file(i + 1, d0 + static_cast<std::int64_t>(i), 100));
    EXPECT_FALSE(pick_job(files, {.now = noon(d0 + 39)}));
    EXPECT_EQ(orders(files, pick_job(files, {.now = noon(d0 + 40)})).size(), 32U);
}

TEST(Tidying, LetsLateDataWaitUntilItIsWorthIt) {
    std::vector<SegmentMeta> files{file(1, d0, 8000), file(2, d0, 100)};
    EXPECT_FALSE(pick_job(files, {.now = noon(d0 + 20)}));
    files.push_back(file(3, d0, 900));
    EXPECT_EQ(orders(files, pick_job(files, {.now = noon(d0 + 20)})), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Tidying, TakesAlongWhatLiesBetweenInOrder) {
    // Files 1 and 3 of the day; 2 came between them and reaches over the day's end.
    std::vector<SegmentMeta> files{file(1, d0, 100), file(2, d0 - 1, 10'000'000, 3), file(3, d0, 100)};
    const auto job = pick_job(files, {.now = noon(d0 + 5)});
    EXPECT_EQ(orders(files, job), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_FALSE(pick_job(files, {.now = noon(d0 + 5), .barred = {files[1].name}}));
}

TEST(Tidying, ErasuresAndRetentionComeFirstAndAlone) {
    std::vector<SegmentMeta> files;
    for (std::uint64_t i = 1; i <= 9; ++i) files.push_back(file(i, d0, 100));
    auto job = pick_job(files, {.now = noon(d0), .erasing = {files[4].name}, .expiring = {files[2].name}});
    EXPECT_EQ(orders(files, job), std::vector<std::uint64_t>{5});
    EXPECT_EQ(job->reason, TidyReason::Erasure);
    job = pick_job(files, {.now = noon(d0), .expiring = {files[2].name}});
    EXPECT_EQ(orders(files, job), std::vector<std::uint64_t>{3});
}

TEST(Tidying, OldFilesGoToTheColdPath) {
    const std::vector<SegmentMeta> files{file(1, d0, 100), file(2, d0 + 60, 100)};
    EXPECT_FALSE(pick_job(files, {.now = noon(d0 + 61)}));
    const auto job = pick_job(files, {.now = noon(d0 + 61), .cold_after = 30 * 24h});
    EXPECT_EQ(orders(files, job), std::vector<std::uint64_t>{1});
    EXPECT_TRUE(job->to_cold);
}

/// A year of a busy plant with late data, walked through: nobody waits for the disk. Every byte is written a few times.
TEST(Tidying, WritesEachByteAFewTimesInAYear) {
    Random random(7);
    std::vector<SegmentMeta> files;
    std::uint64_t order = 0;
    std::uint64_t flushed = 0;
    std::uint64_t merged = 0;
    std::size_t most = 0;
    const auto tidy = [&](UtcTime now) {
        for (;;) {
            const auto job = pick_job(files, {.now = now});
            if (!job) return;
            SegmentMeta whole = files[job->sources.front()];
            std::set<std::string> gone;
            whole.bytes = 0;
            for (const std::size_t i : job->sources) {
                whole.bytes += files[i].bytes;
                whole.order = std::max(whole.order, files[i].order);
                whole.first_time = std::min(whole.first_time, files[i].first_time);
                whole.last_time = std::max(whole.last_time, files[i].last_time);
                gone.insert(files[i].name);
            }
            merged += whole.bytes;
            whole.name = "m" + std::to_string(merged);
            std::erase_if(files, [&](const SegmentMeta& f) { return gone.contains(f.name); });
            files.push_back(whole);
        }
    };
    for (std::int64_t today = d0; today < d0 + 365; ++today) {
        for (int flush = 0; flush < 48; ++flush) {
            const UtcTime now(today * ns_per_day + flush * ns_per_day / 48);
            files.push_back(file(++order, today, 1'000'000 + random.below(1'000'000)));
            flushed += files.back().bytes;
            if (random.below(10) == 0) {
                files.push_back(
                    file(order, today - 1 - static_cast<std::int64_t>(random.below(30)), random.below(20'000)));
                flushed += files.back().bytes;
            }
            tidy(now);
        }
        most = std::max(most, files.size());
    }
    const double amplification = 1 + static_cast<double>(merged) / static_cast<double>(flushed);
    RecordProperty("write_amplification", std::to_string(amplification));
    RecordProperty("files_max", std::to_string(most));
    EXPECT_LT(amplification, 6.0);
    EXPECT_LT(most, 260U);
}

}  // namespace
}  // namespace lineshaft::store
