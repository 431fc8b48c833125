/// The historian in virtual time: writers, readers, flushes and merges in any order, on a disk that fills, refuses,
/// tears and forgets, in a process that dies. After every step what it answers is compared with a plain map.
///
/// What must hold (reliability goals R1, R4, R9):
///   1. What was acknowledged is there after any fault, with the value acknowledged or one received later.
///   2. What is there was offered: nothing is invented, nothing changes.
///   3. A refusal is told; after the fault has gone the historian takes samples again without a restart.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>

#include <gtest/gtest.h>

#include "base/random.h"
#include "seeds.h"
#include "store/historian.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_pool.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualPool;
using testing::ManualShard;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t day = 86'400 * second;
constexpr UtcTime always_from{INT64_MIN / 2};
constexpr UtcTime always_to{INT64_MAX / 2};
constexpr std::uint64_t tags = 6;

/// All that was said of one source time, in the order of saying.
struct Versions {
    struct Version {
        std::optional<Value> value;  // None: erased.
        Quality quality;
        std::uint64_t act = 0;  // The offer or the erasure that said so.
    };
    std::vector<Version> all;
    std::size_t acknowledged = 0;  // The first so many: the last of them, or a later one, must be what is read.
};
using Series = std::map<std::int64_t, Versions>;

bool equal(const Value& a, const Value& b) {
    const auto* x = std::get_if<double>(&a);
    const auto* y = std::get_if<double>(&b);
    return x && y && *x != *x ? *y != *y : a == b;
}

class House {
public:
    explicit House(std::uint64_t seed) : random_(seed) {
        options_.path = "/data/shard-0";
        dense_ = random_.below(5) == 0;
        options_.memtable_bytes = (8'000 + random_.below(60'000)) * (dense_ ? 4 : 1);
        options_.log_file_bytes = 3'000 + random_.below(30'000);
        options_.segments_per_day_max = 2 + random_.below(4);
        if (random_.below(2) == 0) disk_.honour_reserve();
        open();
    }
    ~House() {
        if (historian_) die();
    }

    void run(int steps) {
        for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) step();
        if (::testing::Test::HasFatalFailure()) return;
        heal();
        settle_all();
        check_all();
    }

private:
    // ---- life and death ----

    void open() {
        shard_ = std::make_unique<ManualShard>(clock_);
        auto made = Historian::create(*shard_, disk_, logs_, pool_, options_);
        if (!made) {
            // A start that meets a fault says so and changes nothing: the next one works.
            ASSERT_TRUE(made.error().code() == ErrorCode::Io || made.error().code() == ErrorCode::DiskFull);
            disk_.kill_process();
            disk_.heal();
            made = Historian::create(*shard_, disk_, logs_, pool_, options_);
        }
        ASSERT_TRUE(made) << made.error().message();
        historian_ = *std::move(made);
        ASSERT_EQ(historian_->stats().damaged_files, 0U) << historian_->stats().detail;
    }

    void die() {
        logs_.drop();
        pool_.drop();
        historian_.reset();
        shard_.reset();
        waiting_.clear();
        erasing_ = false;
    }

    /// What is not acknowledged may have survived or not: from now on what is found stands.
    void reopen_after_fault() {
        open();
        if (::testing::Test::HasFatalFailure()) return;
        check_all();
        for (std::uint64_t n = 1; n <= tags; ++n) adopt(TagId(n));
    }

    /// Forgets what is not there any more, and versions that were replaced for good.
    void adopt(TagId tag) {
        const Chunk rows = read(tag);
        std::map<std::int64_t, std::size_t> found;
        for (std::size_t row = 0; row < rows.size(); ++row) found[rows.source_times[row].ns()] = row;
        Series& series = oracle_[tag.value()];
        for (auto at = series.begin(); at != series.end();) {
            const auto row = found.find(at->first);
            if (row == found.end() && at->second.acknowledged == 0) {
                at = series.erase(at);
                continue;
            }
            // Unless it is acknowledged it may not be on disk yet, and go with the next power cut.
            Versions& versions = at->second;
            if (versions.acknowledged > 1) {
                versions.all.erase(versions.all.begin(),
                                   versions.all.begin() + static_cast<std::ptrdiff_t>(versions.acknowledged - 1));
                versions.acknowledged = 1;
            }
            ++at;
        }
    }

    void heal() {
        disk_.heal();
        for (int i = 0; i < 10; ++i) {
            shard_->advance(2s);
            work();
        }
    }

    void work() {
        for (int i = 0; i < 100'000; ++i) {
            if (shard_->run() + logs_.run_one() + pool_.run_one() == 0) return;
        }
        FAIL() << "the historian never comes to rest";
    }

    void settle_all() {
        work();
        if (historian_->stats().state != State::Ok) heal();
        ASSERT_EQ(historian_->stats().state, State::Ok) << historian_->stats().detail;
        const Batch batch = random_batch();
        offer(batch);
        work();
        ASSERT_TRUE(waiting_.empty()) << "an offer was never settled";
        ASSERT_TRUE(last_outcome_) << "healed, but it does not take samples";
    }

    // ---- writing ----

    Batch random_batch() {
        Batch batch;
        batch.receive_time = clock_.utc_now();
        batch.source = historian_->source_id("source " + std::to_string(random_.below(3)));
        batch.first_sequence = historian_->last_sequence(batch.source) + 1;
        if (dense_ && random_.below(4) == 0) {
            backfill(batch);
            return batch;
        }
        const std::size_t rows = 1 + random_.below(random_.below(8) == 0 ? 400 : 30);
        for (std::size_t i = 0; i < rows; ++i) {
            const TagId tag(1 + random_.below(tags));
            std::int64_t time = clock_.utc_now().ns() - static_cast<std::int64_t>(random_.below(90)) * second;
            if (random_.below(12) == 0) time -= static_cast<std::int64_t>(random_.below(90)) * day;
            const auto n = static_cast<std::int64_t>(random_.below(1000));
            Value value = static_cast<double>(n) / 10;
            if (tag == TagId(2)) value = n;
            if (tag == TagId(3)) value = n % 2 == 0;
            if (tag == TagId(4)) value = "state " + std::to_string(n % 5);
            if (tag == TagId(5)) value = static_cast<double>(n) * 1.000001 / 3;
            if (random_.below(60) == 0) value = n;  // A change of type.
            const Quality quality = random_.below(10) ? Quality::good : Quality::bad_no_communication;
            batch.add(tag, UtcTime(time), value, quality);
        }
        return batch;
    }

    /// A stretch of hours in order: series of full blocks, whose merges copy blocks and keep tiers.
    void backfill(Batch& batch) {
        const TagId tag(random_.below(2) == 0 ? 1 : 5);
        std::int64_t time = clock_.utc_now().ns() - static_cast<std::int64_t>(random_.below(3 * 86'400)) * second;
        for (std::uint64_t left = 200 + random_.below(1'000); left > 0; --left) {
            const auto n = static_cast<std::int64_t>(random_.below(1000));
            batch.add(tag, UtcTime(time), static_cast<double>(n) / 10, Quality::good);
            time += 10 * second;
        }
    }

    void offer(const Batch& batch) {
        const std::uint64_t number = ++acts_;
        for (std::size_t row = 0; row < batch.size(); ++row) {
            Versions& versions = oracle_[batch.tags[row].value()][batch.source_times[row].ns()];
            versions.all.push_back({batch.value_at(row), batch.qualities[row], number});
        }
        waiting_.insert(number);
        historian_->offer(batch);
        historian_->when_durable([this, number](Result<void> outcome) {
            waiting_.erase(number);
            last_outcome_ = outcome;
            if (outcome) acknowledge(number);
        });
    }

    void erase() {
        if (erasing_) return;
        const TagId tag(1 + random_.below(tags));
        const UtcTime from = clock_.utc_now() - std::chrono::seconds(random_.below(100));
        const UtcTime to = from + std::chrono::seconds(random_.below(40));
        const std::uint64_t number = ++acts_;
        for (auto& [time, versions] : oracle_[tag.value()]) {
            if (time >= from.ns() && time < to.ns()) versions.all.push_back({std::nullopt, {}, number});
        }
        // What is offered meanwhile may be erased with the rest: nobody can tell what came first.
        erasing_ = true;
        historian_->erase({tag}, from, to, [this, number](const Result<Erased>& outcome) {
            erasing_ = false;
            if (outcome) acknowledge(number);
        });
    }

    void acknowledge(std::uint64_t number) {
        for (auto& [tag, series] : oracle_) {
            for (auto& [time, versions] : series) {
                for (std::size_t i = versions.acknowledged; i < versions.all.size(); ++i) {
                    if (versions.all[i].act == number) versions.acknowledged = i + 1;
                }
            }
        }
    }

    // ---- reading ----

    Chunk read(TagId tag) {
        Chunk all;
        auto scan = historian_->scan(tag, always_from, always_to);
        if (!scan) return all;
        Chunk part;
        while (scan->next(part)) all.append(part, 0, part.size());
        EXPECT_EQ(scan->damaged_blocks(), 0U);
        return all;
    }

    void check_all() {
        for (std::uint64_t n = 1; n <= tags; ++n) check(TagId(n));
    }

    void check(TagId tag) {
        const Chunk rows = read(tag);
        const Series& series = oracle_[tag.value()];
        std::map<std::int64_t, std::size_t> found;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            ASSERT_TRUE(found.emplace(rows.source_times[row].ns(), row).second) << "one time is given twice";
            ASSERT_TRUE(row == 0 || rows.source_times[row - 1] < rows.source_times[row]);
            ASSERT_TRUE(series.contains(rows.source_times[row].ns())) << "a sample was invented";
        }
        for (const auto& [time, versions] : series) {
            const auto at = found.find(time);
            const std::span may_be =
                std::span(versions.all).subspan(std::max<std::size_t>(versions.acknowledged, 1) - 1);
            if (at == found.end()) {
                const bool erased = std::ranges::any_of(may_be, [](const auto& version) { return !version.value; });
                ASSERT_TRUE(erased || versions.acknowledged == 0)
                    << "an acknowledged sample of tag " << tag.value() << " is lost";
                continue;
            }
            const Value value = rows.value_at(at->second);
            const bool known = std::ranges::any_of(may_be, [&](const auto& version) {
                return version.value && equal(*version.value, value) && version.quality == rows.qualities[at->second];
            });
            ASSERT_TRUE(known) << "a sample of tag " << tag.value() << " is not what was said of it last";
        }
        check_last(tag, rows);
        check_reduction(tag, rows);
    }

    void check_last(TagId tag, const Chunk& rows) {
        const auto last = historian_->last(tag);
        ASSERT_EQ(last.has_value(), !rows.empty());
        if (!last) return;
        ASSERT_EQ(last->source_time, rows.source_times.back());
        ASSERT_TRUE(equal(last->value, rows.value_at(rows.size() - 1)));
    }

    /// What a reduction says is what the rows say.
    void check_reduction(TagId tag, const Chunk& rows) {
        static constexpr std::array resolutions = {Duration(1min), Duration(1h), Duration(24h), Duration(24h * 7)};
        const Duration resolution = resolutions[random_.below(resolutions.size())];
        const std::int64_t now = clock_.utc_now().ns();
        const UtcTime from(now - 3 * day - static_cast<std::int64_t>(random_.below(86'400)) * second);
        const UtcTime to(now - static_cast<std::int64_t>(random_.below(3'600)) * second);
        if (rows.empty()) return;
        const auto reduction = historian_->reduce(tag, from, to, resolution);
        ASSERT_TRUE(reduction) << reduction.error().message();
        std::size_t at = 0;
        Bucket want;
        const auto compare = [&] {
            if (want.count == 0) return;
            ASSERT_LT(at, reduction->buckets.size());
            const Bucket& got = reduction->buckets[at++];
            ASSERT_EQ(got.start, want.start);
            ASSERT_EQ(got.count, want.count);
            ASSERT_EQ(got.good, want.good);
            ASSERT_EQ(got.usable, want.usable);
            if (want.usable == 0) return;
            ASSERT_EQ(got.min, want.min);
            ASSERT_EQ(got.max, want.max);
            ASSERT_EQ(got.first, want.first);
            ASSERT_EQ(got.last, want.last);
        };
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const UtcTime time = rows.source_times[row];
            if (time < from || time >= to) continue;
            const UtcTime start(time.ns() - time.ns() % resolution.count());
            if (want.count == 0 || start != want.start) {
                compare();
                if (::testing::Test::HasFatalFailure()) return;
                want = {};
                want.start = start;
            }
            const double value = rows.number_at(row);
            ++want.count;
            want.good += rows.qualities[row].is_good();
            if (value != value || rows.qualities[row].is_bad()) continue;
            if (want.usable++ == 0) want.min = want.max = want.first = value;
            want.min = std::min(want.min, value);
            want.max = std::max(want.max, value);
            want.last = value;
        }
        compare();
        ASSERT_EQ(at, reduction->buckets.size());
    }

    // ---- what may happen ----

    void step() {
        switch (random_.below(27)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
            case 5:
            case 6:
            case 7:
                if (historian_->is_ready() && !erasing_) offer(random_batch());
                return;
            case 8:
            case 9:
            case 10: logs_.run_one(); return;
            case 11:
            case 12:
            case 13: pool_.run_one(); return;
            case 14:
            case 15:
            case 16: shard_->run(); return;
            case 17:
                shard_->advance(std::chrono::milliseconds(random_.below(random_.below(6) ? 5'000 : 20'000'000)));
                return;
            case 18: historian_->flush([](Result<void>) {}); return;
            case 19: work(); return;
            case 20: check(TagId(1 + random_.below(tags))); return;
            case 21: return fault();
            case 22: disk_.set_free_bytes(random_.below(3) ? std::uint64_t{1} << 40 : random_.below(20'000)); return;
            case 23: clock_.set_utc(clock_.utc_now() + std::chrono::seconds(random_.below(7200)) - 1h); return;
            case 24:
                if (random_.below(4) == 0) restart();
                return;
            case 25: return erase();
            default: work(); return;
        }
    }

    void fault() {
        switch (random_.below(4)) {
            case 0: disk_.fail_call_after(random_.below(30), ErrorCode::Io); return;
            case 1: disk_.fail_call_after(random_.below(30), ErrorCode::DiskFull); return;
            case 2:
                die();
                disk_.kill_process();
                return reopen_after_fault();
            default:
                disk_.lose_power_at_call(random_.below(40));
                for (int i = 0; i < 60 && !disk_.is_dark(); ++i) {
                    if (historian_->is_ready() && !erasing_) offer(random_batch());
                    work_a_little();
                }
                die();
                disk_.lose_power(ForgetfulDisk::Tear::Random, &random_);
                return reopen_after_fault();
        }
    }

    void work_a_little() {
        for (std::uint64_t i = random_.below(6); i > 0; --i) {
            shard_->run();
            logs_.run_one();
            if (random_.below(2) == 0) pool_.run_one();
        }
    }

    /// An orderly end, and the next start.
    void restart() {
        bool done = false;
        std::size_t running = 0;
        historian_->close([&] {
            done = true;
            // What is freed elsewhere may still wait; what answers may not.
            const std::size_t before = shard_->waiting();
            while (logs_.run_one() || pool_.run_one()) {
            }
            running = shard_->waiting() - before;
        });
        work();
        heal();
        ASSERT_TRUE(done) << "close() does not come to its end";
        ASSERT_EQ(running, 0U) << "closed, but a job still runs";
        die();
        reopen_after_fault();
    }

    Random random_;
    ManualClock clock_;
    ForgetfulDisk disk_;
    ManualPool logs_;
    ManualPool pool_;
    Options options_;
    std::unique_ptr<ManualShard> shard_;
    std::unique_ptr<Historian> historian_;
    std::map<std::uint64_t, Series> oracle_;
    std::set<std::uint64_t> waiting_;
    std::uint64_t acts_ = 0;
    bool erasing_ = false;
    bool dense_ = false;
    Result<void> last_outcome_;
};

TEST(HistorianSimulation, WhatIsAcknowledgedOutlivesEveryFault) {
    for (const std::uint64_t seed : sim::seeds(150)) {
        SCOPED_TRACE("LINESHAFT_SIM_SEED=" + std::to_string(seed));
        House house(seed);
        house.run(400);
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace lineshaft::store
