// Reductions say the same whatever they are answered from: rows in memory, blocks, tiers, in whatever cut.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "store/historian.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t t0 = 1'767'225'600 * second;  // 2026-01-01T00:00:00Z.

struct Row {
    double value;  // NaN: none.
    Quality quality;
};
using Rows = std::map<std::int64_t, Row>;
constexpr Needs everything = Needs::Squares | Needs::Integral | Needs::Resets;

class Reductions : public ::testing::Test {
protected:
    void SetUp() override { open(); }
    void TearDown() override { close(); }

    void open() {
        Options options;
        options.path = "/store";
        options.segments_per_day_max = 4;
        shard = std::make_unique<testing::ManualShard>(clock);
        auto made = Historian::create(*shard, *disk, *pool, *pool, options);
        ASSERT_TRUE(made) << made.error().message();
        store = *std::move(made);
        store->register_series(TagId(1), {"Line/temp", "Cel", ValueType::Double, "Line", TenantId(1)});
    }
    void close() {
        store->close([] {});
        shard->run();
        store.reset();
        shard.reset();
    }
    void put(std::int64_t time, double value, Quality quality = Quality::good) {
        Batch batch;
        batch.source = store->source_id("test");
        batch.first_sequence = ++sequence;
        batch.receive_time = UtcTime(t0 + 400 * 86'400 * second + static_cast<std::int64_t>(sequence) * second);
        batch.add(TagId(1), UtcTime(time), value, quality);
        store->offer(batch);
        if (sequence % 64 == 0) shard->run();
        rows[time] = {value, quality};
    }
    void flush() {
        bool done = false;
        store->flush([&](Result<void> outcome) {
            ASSERT_TRUE(outcome);
            done = true;
        });
        shard->run();
        ASSERT_TRUE(done);
    }

    /// One need alone tells what it tells together with the others.
    void expect_same_one_by_one(std::int64_t from, std::int64_t to, std::int64_t step) {
        Query query{.tag = TagId(1), .from = UtcTime(from), .to = UtcTime(to), .resolution = Duration(step * second)};
        const auto ask = [&](Needs needs) {
            query.needs = needs;
            return store->reduce(query)->buckets;
        };
        const auto all = ask(everything);
        const auto squares = ask(Needs::Squares), integral = ask(Needs::Integral), resets = ask(Needs::Resets);
        ASSERT_EQ(squares.size(), all.size());
        ASSERT_EQ(integral.size(), all.size());
        ASSERT_EQ(resets.size(), all.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            ASSERT_EQ(squares[i].squares.value(), all[i].squares.value());
            ASSERT_EQ(integral[i].integral.value(), all[i].integral.value());
            ASSERT_EQ(integral[i].covered, all[i].covered);
            ASSERT_EQ(resets[i].resets, all[i].resets);
            ASSERT_EQ(resets[i].reset_from.value(), all[i].reset_from.value());
        }
    }

    void expect_same_numbers(std::int64_t from, std::int64_t to) {
        auto scan = store->scan(TagId(1), UtcTime(from), UtcTime(to));
        ASSERT_TRUE(scan);
        auto want = rows.lower_bound(from);
        for (NumbersView got; scan->next(got);) {
            ASSERT_FALSE(got.empty());
            for (std::size_t i = 0; i < got.size(); ++i, ++want) {
                ASSERT_NE(want, rows.end());
                ASSERT_EQ(got.times[i], want->first);
                const double value = want->second.value;
                ASSERT_TRUE(got.values[i] == value || (got.values[i] != got.values[i] && value != value)) << value;
                ASSERT_EQ(got.quality_at(i), want->second.quality);
            }
        }
        EXPECT_EQ(want, rows.lower_bound(to));
    }

    testing::ManualClock clock;
    std::unique_ptr<testing::ManualShard> shard;
    std::unique_ptr<testing::ForgetfulDisk> disk = std::make_unique<testing::ForgetfulDisk>();
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<Historian> store;
    Rows rows;
    std::uint64_t sequence = 0;
};

/// What the buckets should be, row by row, in the plainest way.
std::map<std::int64_t, Bucket> buckets_of(const Rows& rows, std::int64_t from, std::int64_t to, std::int64_t step) {
    std::map<std::int64_t, Bucket> buckets;
    const Row* past = nullptr;
    double last_usable = std::numeric_limits<double>::quiet_NaN();
    const auto usable = [](const Row& row) { return row.value == row.value && !row.quality.is_bad(); };
    for (auto at = rows.begin(); at != rows.end() && at->first < to; ++at) {
        const auto& [time, row] = *at;
        if (time >= from) {
            const std::int64_t start = time - time % step;
            const bool is_new = !buckets.contains(start);
            Bucket& bucket = buckets[start];
            if (is_new) {
                bucket.start = UtcTime(start);
                bucket.before = last_usable;
                if (past && usable(*past)) {
                    const std::int64_t begin = std::max({start, from, std::prev(at)->first});
                    hold(bucket, UtcTime(begin), UtcTime(time), past->value);
                }
            }
            add_basic(bucket, UtcTime(time), row.value, row.quality);
            if (usable(row)) {
                bucket.squares.add_product(row.value, row.value);
                if (!is_new && std::isfinite(last_usable) && bucket.usable > 1 && row.value < last_usable) {
                    ++bucket.resets;
                    bucket.reset_from.add(last_usable);
                }
                const std::int64_t end = std::min(start + step, to);
                const auto next = std::next(at);
                const std::int64_t until = next == rows.end() ? end : std::min(end, next->first);
                hold(bucket, UtcTime(time), UtcTime(until), row.value);
            }
        }
        if (usable(row)) last_usable = row.value;
        past = &row;
    }
    return buckets;
}

bool same(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (a != a && b != b);
}

void expect_same(const Bucket& got, const Bucket& want, const std::string& what) {
    EXPECT_EQ(got.start, want.start) << what;
    EXPECT_EQ(got.count, want.count) << what;
    EXPECT_EQ(got.usable, want.usable) << what;
    EXPECT_EQ(got.good, want.good) << what;
    EXPECT_EQ(got.uncertain, want.uncertain) << what;
    EXPECT_EQ(got.worst, want.worst) << what;
    EXPECT_EQ(got.first_time, want.first_time) << what;
    EXPECT_EQ(got.last_time, want.last_time) << what;
    for (double Bucket::* field : {&Bucket::min, &Bucket::max, &Bucket::first, &Bucket::last})
        EXPECT_TRUE(same(got.*field, want.*field)) << what << " " << got.*field << " " << want.*field;
    EXPECT_TRUE(same(got.sum.value(), want.sum.value())) << what;
}

void expect_all_same(const Bucket& got, const Bucket& want, const std::string& what) {
    expect_same(got, want, what);
    EXPECT_TRUE(same(got.squares.value(), want.squares.value())) << what;
    EXPECT_TRUE(same(got.integral.value(), want.integral.value()))
        << what << " " << got.integral.value() << " " << want.integral.value();
    EXPECT_EQ(got.covered, want.covered) << what;
    EXPECT_EQ(got.resets, want.resets) << what;
    EXPECT_TRUE(same(got.reset_from.value(), want.reset_from.value())) << what;
    EXPECT_TRUE(same(got.before, want.before)) << what;
}

TEST_F(Reductions, AnswerAsRowByRowWhateverIsFlushedMergedLateOrRepeated) {
    for (const unsigned seed : {1U, 2U, 3U, 4U}) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        std::int64_t time = t0;
        std::vector<std::int64_t> times;
        const auto number = [&] {
            const double decimal = static_cast<double>(static_cast<std::int64_t>(random() % 100'000)) / 100;
            return random() % 50 ? decimal : std::ldexp(static_cast<double>(random()), -60);
        };
        const auto quality = [&] {
            const auto dice = random() % 40;
            return dice == 0 ? Quality::bad_no_communication : dice == 1 ? Quality::uncertain : Quality::good;
        };
        for (int i = 0; i < 30'000; ++i) {
            const auto dice = random() % 1000;
            if (dice < 980 || times.empty()) {
                time += dice == 0 ? 40 * 60 * second : static_cast<std::int64_t>(random() % 4000) * 1'000'000 + 1;
                times.push_back(time);
                put(time, random() % 300 ? number() : std::numeric_limits<double>::quiet_NaN(), quality());
            } else if (dice < 990) {  // A later version of what is there.
                put(times[random() % times.size()], number(), quality());
            } else {  // Late.
                put(times[random() % times.size()] + 7, number(), quality());
            }
            if (random() % 2500 == 0) flush();
        }
        if (seed % 2) flush();
        if (seed == 4) {
            close();
            open();
        }
        for (const std::int64_t step : {1LL, 7LL, 60LL, 600LL, 3600LL, 7200LL, 86'400LL}) {
            const std::int64_t from = t0 + static_cast<std::int64_t>(random() % 20'000) * second;
            const std::int64_t to =
                step < 60 ? from + 90'000 * second : time - static_cast<std::int64_t>(random() % 5000);
            for (const Needs needs : {Needs::Basic, everything}) {
                const auto got = store->reduce({.tag = TagId(1),
                                                .from = UtcTime(from),
                                                .to = UtcTime(to),
                                                .resolution = Duration(step * second),
                                                .needs = needs});
                ASSERT_TRUE(got);
                const auto want = buckets_of(rows, from, to, step * second);
                ASSERT_EQ(got->buckets.size(), want.size());
                std::size_t i = 0;
                for (const auto& [start, bucket] : want) {
                    const std::string what = std::to_string(step) + " s, bucket " + std::to_string(i);
                    needs == Needs::Basic ? expect_same(got->buckets[i], bucket, what)
                                          : expect_all_same(got->buckets[i], bucket, what);
                    if (HasFailure()) return;
                    ++i;
                }
            }
            expect_same_one_by_one(from, to, step);
            expect_same_numbers(from, to);
            if (HasFailure()) return;
        }
        close();
        rows.clear();
        disk = std::make_unique<testing::ForgetfulDisk>();
        open();
    }
}

TEST_F(Reductions, CarryWhatHoldsIntoAndOverBuckets) {
    put(t0 - 100 * second, 4);
    put(t0 + 30 * second, 8);
    put(t0 + 90 * second, 2, Quality::bad);
    flush();
    const auto got = store->reduce({.tag = TagId(1),
                                    .from = UtcTime(t0),
                                    .to = UtcTime(t0 + 120 * second),
                                    .resolution = 1min,
                                    .needs = Needs::Integral | Needs::Resets});
    ASSERT_TRUE(got);
    ASSERT_EQ(got->buckets.size(), 2U);
    EXPECT_EQ(got->buckets[0].time_weighted_mean(), 6);  // 4 for 30 s, 8 for 30 s.
    EXPECT_EQ(got->buckets[0].before, 4);
    EXPECT_EQ(got->buckets[0].increase(), 4);
    EXPECT_EQ(got->buckets[1].time_weighted_mean(), 8);  // Until the bad sample came.
    EXPECT_EQ(got->buckets[1].covered, 30s);
    EXPECT_TRUE(std::isnan(got->buckets[1].increase()));
}

TEST_F(Reductions, TakeACountersFallAsItsReturnToZeroOrPastItsModulus) {
    put(t0, 90);
    put(t0 + second, 97);
    put(t0 + 2 * second, 5);
    put(t0 + 3 * second, 6);
    const auto got = store->reduce(
        {.tag = TagId(1), .from = UtcTime(t0), .to = UtcTime(t0 + 10 * second), .needs = Needs::Resets});
    ASSERT_TRUE(got);
    ASSERT_EQ(got->buckets.size(), 1U);
    EXPECT_EQ(got->buckets[0].increase(), 7 + 6);
    EXPECT_EQ(got->buckets[0].increase(100), 16);
}

TEST_F(Reductions, TellHowLongEachStateWasHeldAndPercentiles) {
    put(t0 - second, 1);
    for (int i = 1; i <= 99; ++i) put(t0 + i * second, i % 2);
    const auto got = store->reduce({.tag = TagId(1),
                                    .from = UtcTime(t0),
                                    .to = UtcTime(t0 + 100 * second),
                                    .needs = Needs::Rows,
                                    .percentiles = {0, 50, 100},
                                    .states = true});
    ASSERT_TRUE(got);
    ASSERT_EQ(got->rows.size(), 1U);
    const BucketRows& rows_of = got->rows[0];
    EXPECT_EQ(rows_of.percentiles, (std::vector<double>{0, 1, 1}));
    EXPECT_EQ(got->percentile_error, 0);
    ASSERT_EQ(rows_of.states.size(), 2U);
    EXPECT_EQ(rows_of.states[0].value, Value(1.0));
    EXPECT_EQ(rows_of.states[0].time, 51s);  // The first second too: it held before.
    EXPECT_EQ(rows_of.states[1].time, 49s);
    EXPECT_EQ(rows_of.states[1].count, 49U);
}

TEST_F(Reductions, SeeWhatWasKnownThen) {
    put(t0, 1);
    put(t0 + second, 2);
    const UtcTime then(t0 + 400 * 86'400 * second + static_cast<std::int64_t>(sequence) * second);
    flush();
    put(t0, 10);
    put(t0 + 2 * second, 3);
    for (const bool flushed : {false, true}) {
        if (flushed) flush();
        Query query{.tag = TagId(1), .from = UtcTime(t0), .to = UtcTime(t0 + 60 * second), .known_at = then};
        const auto old = store->reduce(query);
        ASSERT_TRUE(old);
        ASSERT_EQ(old->buckets.size(), 1U);
        EXPECT_EQ(old->buckets[0].count, 2U);
        EXPECT_EQ(old->buckets[0].sum.value(), 3);
        query.known_at.reset();
        EXPECT_EQ(store->reduce(query)->buckets[0].sum.value(), 15);
    }
}

TEST_F(Reductions, FindPointsBetweenSamples) {
    put(t0, 10);
    put(t0 + 10 * second, 20);
    flush();
    put(t0 + 15 * second, 0, Quality::bad);
    put(t0 + 20 * second, 30);
    const std::vector<UtcTime> times = {UtcTime(t0 - 1), UtcTime(t0), UtcTime(t0 + 5 * second),
                                        UtcTime(t0 + 17 * second), UtcTime(t0 + 25 * second)};
    auto line = *store->point_finder({.tag = TagId(1), .times = times, .between = Between::Linear});
    const auto points = line.take();
    EXPECT_EQ(points[0].value, std::nullopt);
    EXPECT_EQ(points[1].value, Value(10.0));
    EXPECT_EQ(points[2].value, Value(15.0));
    EXPECT_TRUE(points[2].quality.is_good());
    EXPECT_EQ(points[3].value, Value(27.0));
    EXPECT_TRUE(points[3].quality.is_uncertain());
    EXPECT_EQ(points[4].value, Value(30.0));
    EXPECT_TRUE(points[4].quality.is_uncertain());
    auto steps = *store->point_finder({.tag = TagId(1), .times = times});
    const auto stepped = steps.take();
    EXPECT_EQ(stepped[2].value, Value(10.0));
    EXPECT_TRUE(stepped[3].quality.is_bad());
    EXPECT_EQ(stepped[4].value, Value(30.0));
}

TEST_F(Reductions, NameADamagedBlockAndAnswerFromTheRest) {
    for (int i = 0; i < 4096; ++i) put(t0 + i * second, 1.25 * i);
    flush();
    std::string name;
    for (const std::string& file : *disk->list("/store")) {
        if (file.ends_with(".seg")) name = "/store/" + file;
    }
    close();
    Bytes& file = *disk->bytes_of(name);
    for (std::size_t i = 0; i < 16; ++i) file[20 + 200 + i] ^= std::byte{0xFF};  // In the first block.
    open();
    const auto got =
        store->reduce({.tag = TagId(1), .from = UtcTime(t0), .to = UtcTime(t0 + 4096 * second), .resolution = 10s});
    ASSERT_TRUE(got);
    EXPECT_EQ(got->damaged_blocks, 1U);
    ASSERT_EQ(got->damaged.size(), 1U);
    EXPECT_EQ(got->damaged[0].last - got->damaged[0].from, 1023s);
    std::uint64_t count = 0;
    for (const Bucket& bucket : got->buckets) count += bucket.count;
    EXPECT_EQ(count, 3072U);
}

}  // namespace
}  // namespace lineshaft::store
