#include "store/internal/ledger.h"

#include <gtest/gtest.h>

#include "store/internal/replay.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::store {
namespace {

using lineshaft::testing::ForgetfulDisk;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShard;

const std::string directory = "/ledger";
constexpr SourceId source_a{1}, source_b{2};

/// A ledger and a log, as the historian has them, over a disk that forgets.
class House {
public:
    explicit House(ForgetfulDisk& disk, ManualClock& clock) : disk_(disk), shard_(clock) {
        EXPECT_TRUE(disk_.make_directory(directory));
        const auto names = disk_.list(directory);
        ledger_ = std::make_unique<Ledger>(shard_, disk_, *pool_, Ledger::Options{directory, std::nullopt}, [] {});
        EXPECT_TRUE(ledger_->open(*names));
        std::vector<std::uint64_t> numbers;
        for (const std::string& name : *names) {
            if (const auto number = log_number(name)) numbers.push_back(*number);
        }
        LogVisitor visitor;
        visitor.series = [](const Series&) {};
        visitor.source = [this](SourceId id, std::string_view name) { ledger_->put_source(id, name, 0); };
        visitor.samples = [this](const Batch& batch) -> Result<void> {
            ledger_->take(batch);
            return {};
        };
        visitor.ledger = [this](ByteView entries) { ledger_->replay(entries); };
        visitor.file = [](std::uint64_t) {};
        const auto replayed = replay(disk_, directory, numbers, visitor);
        EXPECT_TRUE(replayed);
        Log::Options options;
        options.directory = directory;
        options.file_bytes = 1 << 20;
        options.next_number = numbers.empty() ? 1 : numbers.back() + 1;
        options.next_commit = replayed->next_commit;
        options.files = replayed->files;
        log_ = std::make_unique<Log>(shard_, disk_, *pool_, std::move(options), [] {});
        ledger_->start(*log_);
    }

    void name(SourceId id, const std::string& text) {
        append_source(id, text, log_->tail());
        ledger_->put_source(id, text, 0);
        log_->gathered();
    }
    void offer(SourceId source, std::uint64_t first, std::size_t count) {
        Batch batch;
        batch.source = source;
        batch.first_sequence = first;
        batch.receive_time = shard_.utc_now();
        for (std::size_t i = 0; i < count; ++i)
            batch.add(TagId(1), batch.receive_time, ValueType::Double, 0, Quality::good);
        ledger_->take(batch);
        append_samples(batch, log_->tail());
        log_->gathered();
    }
    bool write() {
        bool ok = false;
        ledger_->write([&](const Result<void>& outcome) { ok = outcome.has_value(); });
        shard_.run();
        return ok;
    }
    void close() {
        ledger_->close();
        log_->close([] {});
        shard_.run();
    }
    LedgerSource source(std::string_view name) const {
        const auto all = ledger_->sources(name);
        return all.size() == 1 ? all[0] : LedgerSource();
    }
    Ledger& ledger() { return *ledger_; }
    ManualShard& shard() { return shard_; }

private:
    ForgetfulDisk& disk_;
    ManualShard shard_;
    std::unique_ptr<WorkerPool> pool_ = make_inline_pool();
    std::unique_ptr<Log> log_;
    std::unique_ptr<Ledger> ledger_;
};

class LedgerTest : public ::testing::Test {
protected:
    LedgerTest() { start(); }
    void start() { house = std::make_unique<House>(disk, clock); }
    void kill() {
        house.reset();
        disk.lose_power();
    }
    void restart() {
        kill();
        start();
    }

    ManualClock clock;
    ForgetfulDisk disk;
    std::unique_ptr<House> house;
};

TEST(Ranges, AreUnions) {
    Ranges ranges;
    ranges.add(1, 10);
    ranges.add(11, 20);
    ranges.add(30, 40);
    ranges.add(5, 12);
    EXPECT_EQ(ranges.all(), (std::vector<SequenceRange>{{1, 20}, {30, 40}}));
    EXPECT_EQ(ranges.holes(), (std::vector<SequenceRange>{{21, 29}}));
    EXPECT_EQ(ranges.complete_to(), 20u);
    EXPECT_EQ(ranges.count(), 31u);
    ranges.add(21, 29);
    EXPECT_EQ(ranges.all(), (std::vector<SequenceRange>{{1, 40}}));
    ranges.add(50, 60);
    ranges.add(41, 70);
    EXPECT_EQ(ranges.all(), (std::vector<SequenceRange>{{1, 70}}));
    ranges.add(0, 0);
    EXPECT_EQ(ranges.complete_to(0), 70u);
}

TEST(Ranges, AnyOrderGivesTheSame) {
    Ranges forwards, backwards;
    for (std::uint64_t i = 1; i <= 100; i += 3) forwards.add(i, i + 1);
    for (std::uint64_t i = 34; i-- > 0;) backwards.add(1 + 3 * i, 2 + 3 * i);
    for (std::uint64_t i = 1; i <= 100; i += 6) backwards.add(i, i);
    EXPECT_EQ(forwards, backwards);
    EXPECT_TRUE(forwards.limit(3));
    EXPECT_EQ(forwards.all().size(), 3u);
    EXPECT_EQ(forwards.last(), 101u);
}

TEST_F(LedgerTest, NumbersAreStoredWhenTheirCommitIsSynced) {
    house->name(source_a, "mqtt/a");
    house->offer(source_a, 1, 10);
    EXPECT_EQ(house->source("mqtt/a").assigned_to, 10u);
    EXPECT_EQ(house->source("mqtt/a").complete_to, 0u);
    house->shard().run();
    EXPECT_EQ(house->source("mqtt/a").complete_to, 10u);
    EXPECT_TRUE(house->source("mqtt/a").is_complete());
}

TEST_F(LedgerTest, AKillTakesNothingThatWasDurable) {
    house->name(source_a, "mqtt/a");
    house->offer(source_a, 1, 10);
    house->shard().run();
    house->offer(source_a, 11, 5);  // Never synced.
    restart();
    EXPECT_EQ(house->source("mqtt/a").assigned_to, 10u);
    EXPECT_TRUE(house->source("mqtt/a").is_complete());
    house->offer(source_a, 11, 7);
    house->shard().run();
    EXPECT_EQ(house->source("mqtt/a").complete_to, 17u);
}

TEST_F(LedgerTest, WhatWasWrittenToItsFileNeedsNoLog) {
    house->name(source_a, "mqtt/a");
    house->offer(source_a, 1, 10);
    house->shard().run();
    ASSERT_TRUE(house->write());
    kill();
    for (const std::string& name : *disk.list(directory)) {
        if (!log_number(name)) continue;
        EXPECT_TRUE(disk.remove(directory + "/" + name));
    }
    start();
    EXPECT_EQ(house->source("mqtt/a").complete_to, 10u);
    const LedgerPast hours = house->ledger().recent("mqtt/a", utc_time_min, utc_time_max);
    ASSERT_EQ(hours.hours.size(), 1u);
    EXPECT_EQ(hours.hours.begin()->second.stored.all(), (std::vector<SequenceRange>{{1, 10}}));
}

TEST_F(LedgerTest, ReplayAfterAWriteCountsNothingTwice) {
    house->name(source_a, "mqtt/a");
    house->offer(source_a, 1, 10);
    house->ledger().refuse(source_a, {"pump", "type", 3, house->shard().utc_now(), house->shard().utc_now()});
    house->shard().advance(1min);  // The beat writes refusals to the log.
    ASSERT_TRUE(house->write());
    restart();
    restart();
    const LedgerPast hours = house->ledger().recent("mqtt/a", utc_time_min, utc_time_max);
    ASSERT_EQ(hours.hours.size(), 1u);
    const PastHour& hour = hours.hours.begin()->second;
    EXPECT_EQ(hour.stored.count(), 10u);
    ASSERT_EQ(hour.refused.size(), 1u);
    EXPECT_EQ(hour.refused[0].count, 3u);
    EXPECT_EQ(hour.refused[0].reason, "type");
}

TEST_F(LedgerTest, LostNumbersAreHoles) {
    house->name(source_a, "mqtt/a");
    house->offer(source_a, 1, 10);
    house->offer(source_a, 21, 10);
    house->shard().run();
    const LedgerSource source = house->source("mqtt/a");
    EXPECT_EQ(source.complete_to, 10u);
    EXPECT_EQ(source.holes, (std::vector<SequenceRange>{{11, 20}}));
    EXPECT_FALSE(source.is_complete());
}

TEST_F(LedgerTest, SourcesFromBeforeTheLedgerAreTakenAsComplete) {
    house->ledger().put_source(source_a, "mqtt/a", 1000);
    EXPECT_TRUE(house->source("mqtt/a").is_complete());
    EXPECT_EQ(house->source("mqtt/a").complete_to, 1000u);
}

TEST_F(LedgerTest, TheTimesOfTheHouseSurviveAKill) {
    const UtcTime born = house->shard().utc_now();
    house->shard().advance(10min);
    house->shard().advance(30s);
    kill();
    clock.advance(1h);
    start();
    const UtcTime again = house->shard().utc_now();
    auto times = house->ledger().up_times(utc_time_min, utc_time_max);
    ASSERT_EQ(times.size(), 2u);
    EXPECT_EQ(times[0], (UpTime{born, born + 10min, false}));
    EXPECT_EQ(times[1].from, again);
    house->close();
    house.reset();
    clock.advance(1h);
    start();
    times = house->ledger().up_times(utc_time_min, utc_time_max);
    ASSERT_EQ(times.size(), 3u);
    EXPECT_TRUE(times[1].closed);
}

TEST_F(LedgerTest, SamplesInTheLogProveThatTheHouseWasUp) {
    house->name(source_a, "mqtt/a");
    house->shard().advance(20s);
    house->offer(source_a, 1, 1);
    house->shard().run();
    const UtcTime heard = house->shard().utc_now();
    kill();
    clock.advance(1h);
    start();
    EXPECT_EQ(house->ledger().up_times(utc_time_min, utc_time_max)[0].until, heard);
}

TEST_F(LedgerTest, PresenceIsKeptAndEndsWithTheHouse) {
    house->name(source_a, "mqtt/a");
    const UtcTime t = house->shard().utc_now();
    house->ledger().set_presence("mqtt/a", Presence::Connected, t);
    house->ledger().set_presence("mqtt/a", Presence::Connected, t + 1s);
    house->ledger().feeds(source_a, "pump");
    house->offer(source_a, 1, 1);
    house->shard().run();
    kill();
    clock.advance(10min);
    start();
    EXPECT_EQ(house->source("mqtt/a").presence, Presence::Away);
    EXPECT_EQ(house->ledger().sources_of("pump"), std::vector<SourceId>{source_a});
    bool needs_past = true;
    const LedgerPast past = house->ledger().around("pump", t, t + 1h, needs_past);
    EXPECT_FALSE(needs_past);
    EXPECT_EQ(past.presence.at(source_a),
              (std::vector<PresenceEvent>{{t, Presence::Connected}, {t + 10min, Presence::Away}}));
}

TEST_F(LedgerTest, WhoConnectsBeforeItsFirstSampleIsRemembered) {
    house->ledger().set_presence("mqtt/b", Presence::Connected, house->shard().utc_now());
    house->name(source_a, "mqtt/a");
    house->name(source_b, "mqtt/b");
    EXPECT_EQ(house->source("mqtt/b").presence, Presence::Connected);
    EXPECT_EQ(house->source("mqtt/a").presence, Presence::Unknown);
}

TEST_F(LedgerTest, OwnNumbersShowWhatWasLostOnTheWay) {
    house->name(source_a, "mqtt/a");
    for (const std::uint64_t number : {7, 8, 9, 13, 14, 9}) house->ledger().hear_own(source_a, "pump", number);
    house->offer(source_a, 1, 1);
    house->shard().run();
    restart();
    auto own = house->source("mqtt/a").own;
    ASSERT_EQ(own.size(), 1u);
    EXPECT_EQ(own[0].complete_to, 9u);
    EXPECT_EQ(own[0].highest, 14u);
    EXPECT_EQ(own[0].missing, 3u);
    EXPECT_EQ(own[0].holes, (std::vector<SequenceRange>{{10, 12}}));
    house->shard().advance(1s);
    house->ledger().hear_own(source_a, "pump", 0);  // The device was switched on anew.
    own = house->source("mqtt/a").own;
    EXPECT_EQ(own[0].highest, 0u);
    EXPECT_EQ(own[0].missing, 0u);
}

TEST_F(LedgerTest, OwnNumbersMayWrap) {
    house->name(source_a, "sparkplug/a");
    for (const std::uint64_t number : {254, 255, 0, 1, 3}) house->ledger().hear_own(source_a, "edge", number, 256);
    const auto own = house->source("sparkplug/a").own;
    EXPECT_EQ(own[0].missing, 1u);
    EXPECT_EQ(own[0].highest, 259u);
}

TEST_F(LedgerTest, OldHoursAreReadBackFromTheirMonths) {
    house->name(source_a, "mqtt/a");
    const UtcTime begin = house->shard().utc_now();
    for (int hour = 0; hour < 24 * 40; ++hour) {
        house->offer(source_a, 1 + static_cast<std::uint64_t>(hour) * 10, 10);
        house->shard().advance(1h);
    }
    EXPECT_LE(house->ledger().recent("mqtt/a", utc_time_min, utc_time_max).hours.size(), 4u);
    ASSERT_TRUE(house->write());
    EXPECT_GE(house->ledger().files().size(), 2u);
    const auto past = read_past(disk, house->ledger().reading(begin, begin + 40 * 24h, {}));
    ASSERT_TRUE(past);
    EXPECT_EQ(past->hours.size(), 24u * 40);
    for (const auto& [key, hour] : past->hours) EXPECT_EQ(hour.stored.count(), 10u);
    restart();
    EXPECT_TRUE(house->source("mqtt/a").is_complete());
    EXPECT_EQ(house->source("mqtt/a").complete_to, 9600u);
}

TEST_F(LedgerTest, ATornEndIsCutAndDamageIsPassedOver) {
    house->name(source_a, "mqtt/a");
    for (int i = 0; i < 3; ++i) {
        house->offer(source_a, 1 + static_cast<std::uint64_t>(i) * 10, 10);
        house->shard().advance(1h);
        ASSERT_TRUE(house->write());
    }
    const std::string path = directory + "/" + house->ledger().files().back();
    house.reset();
    Bytes bytes = *disk.read(path);
    bytes.resize(bytes.size() - 3);
    ASSERT_TRUE(disk.replace(path, bytes));
    start();
    EXPECT_TRUE(house->ledger().damage().empty());
    house.reset();
    bytes[ledger_header_bytes + 12] ^= std::byte{0x10};
    ASSERT_TRUE(disk.replace(path, bytes));
    start();
    EXPECT_FALSE(house->ledger().damage().empty());
    EXPECT_TRUE(house->source("mqtt/a").is_complete());
}

TEST_F(LedgerTest, ABrokenDeviceCannotFillTheMemory) {
    house->name(source_a, "http/a");
    for (int i = 0; i < 1000; ++i) {
        const UtcTime now = house->shard().utc_now();
        house->ledger().refuse(source_a, {"device-" + std::to_string(i), "inbox full", 1, now, now});
        house->ledger().hear_own(source_a, "device-" + std::to_string(i), 1);
    }
    EXPECT_EQ(house->source("http/a").refused, 1000u);
    EXPECT_LE(house->source("http/a").own.size(), own_kept_max);
}

}  // namespace
}  // namespace lineshaft::store
