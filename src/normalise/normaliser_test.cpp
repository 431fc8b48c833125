#include "normalise/normaliser.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "registry/snapshot_builder.h"
#include "support/manual_shard.h"

namespace lineshaft::normalise {
namespace {

using testing::ManualClock;
using testing::ManualShard;

/// A store in memory that is full and durable when the test says so.
class FakeStore final : public flow::DurableSink {
public:
    bool is_ready() const override { return room > 0; }
    void offer(const Batch& batch) override {
        ASSERT_GT(room, 0u);
        --room;
        batches.push_back(batch);
        for (std::size_t i = 0; i < batch.size(); ++i) samples.push_back(batch.sample_at(i));
    }
    void when_durable(flow::Settled settled) override { receipts.push_back(std::move(settled)); }
    void when_ready(Task task) override { tasks.push_back(std::move(task)); }

    void sync() {
        for (auto& settled : std::exchange(receipts, {})) settled({});
    }
    void make_room(std::size_t batch_count) {
        room = batch_count;
        for (auto& task : std::exchange(tasks, {})) task();
    }

    std::size_t room = 1'000'000;
    std::vector<Batch> batches;
    std::vector<Sample> samples;
    std::vector<flow::Settled> receipts;
    std::vector<Task> tasks;
};

class FakeDoors final : public TagIdSource, public SeriesRegistrar, public SourceRegistrar, public DiscoverySink {
public:
    TagId next() override {
        if (ids_left == 0) return TagId();
        --ids_left;
        return TagId(next_id++);
    }
    void when_available(Task task) override { id_tasks.push_back(std::move(task)); }
    void register_series(const Series& one) override { series.push_back(one); }
    Source source_named(TenantId, std::string_view name) override {
        sources.emplace_back(name);
        return {SourceId(sources.size()), name == "mqtt/old" ? 41u : 0u};
    }
    void discovered(std::vector<Discovery> tags) override {
        ++discovery_calls;
        for (auto& tag : tags) discoveries.push_back(std::move(tag));
    }

    std::uint64_t next_id = 100;
    std::size_t ids_left = 1'000'000;
    std::vector<Task> id_tasks;
    std::vector<Series> series;
    std::vector<std::string> sources;
    std::vector<Discovery> discoveries;
    int discovery_calls = 0;
};

class NormaliserTest : public ::testing::Test {
protected:
    Normaliser& hall() {
        if (!normaliser) {
            normaliser = std::make_unique<Normaliser>(shard, store, doors, doors, doors, doors, options);
            if (snapshot) normaliser->set_snapshot(snapshot);
        }
        return *normaliser;
    }

    ReadingBatch batch(std::string source = "mqtt/client") {
        ReadingBatch b;
        b.source = std::move(source);
        b.receive_time = clock.utc_now();
        return b;
    }
    void send(ReadingBatch b, flow::Took expected = flow::Took::All) {
        flow::Settled settled = [this](Result<void> result) { results.push_back(std::move(result)); };
        ASSERT_EQ(hall().offer(b, settled), expected);
    }
    void send(std::string_view device, std::string_view address, const Value& value, UtcTime time = {},
              Quality quality = {}) {
        ReadingBatch b = batch();
        b.add(device, address, value, time, quality);
        send(std::move(b));
    }

    void give(registry::SnapshotBuilder& builder) {
        snapshot = builder.build();
        if (normaliser) normaliser->set_snapshot(snapshot);
    }
    /// A plant of one device "d" with the tags of `tags`.
    void give_device(std::vector<registry::Tag> tags, registry::DeviceState state = registry::DeviceState::Accepted) {
        const registry::Snapshot empty;
        registry::SnapshotBuilder builder(snapshot ? *snapshot : empty);
        builder.put(registry::Device{.id = DeviceId(1), .tenant = TenantId(1), .name = "d", .state = state});
        for (registry::Tag& tag : tags) {
            tag.tenant = TenantId(1);
            tag.device = DeviceId(1);
            if (tag.path.empty()) tag.path = "d/" + tag.address;
            builder.put(tag);
        }
        give(builder);
    }
    std::vector<double> values() const {
        std::vector<double> out;
        for (const Sample& s : store.samples) out.push_back(to_double(s.value));
        return out;
    }

    ManualClock clock;
    ManualShard shard{clock};
    FakeStore store;
    FakeDoors doors;
    Normaliser::Options options;
    SnapshotOf<registry::Snapshot> snapshot;
    std::unique_ptr<Normaliser> normaliser;
    std::vector<Result<void>> results;
};

TEST_F(NormaliserTest, ReadingsWithoutATimeDoNotReplaceEachOther) {
    const UtcTime now = clock.utc_now();
    ReadingBatch b = batch();
    for (const double value : {1.0, 2.0, 3.0}) b.add("d", "x", value, UtcTime(), Quality());
    b.add("d", "y", 4.0, UtcTime(), Quality());
    send(std::move(b));
    send("d", "x", 5.0);
    ASSERT_EQ(store.samples.size(), 5u);
    EXPECT_EQ(store.samples[0].source_time, now);
    EXPECT_EQ(store.samples[1].source_time, now + 1us);
    EXPECT_EQ(store.samples[2].source_time, now + 2us);
    EXPECT_EQ(store.samples[3].source_time, now);
    EXPECT_EQ(store.samples[4].source_time, now + 3us);
}

TEST_F(NormaliserTest, ATimeOfReceiptIsWholeMilliseconds) {
    ReadingBatch b = batch();
    b.receive_time = UtcTime(1'700'000'000'123'456'789);
    b.add("d", "x", 1.0, UtcTime(), Quality());
    send(std::move(b));
    EXPECT_EQ(store.samples[0].source_time, UtcTime(1'700'000'000'123'000'000));
    EXPECT_EQ(store.samples[0].receive_time, UtcTime(1'700'000'000'123'000'000));
}

TEST_F(NormaliserTest, AClockThatIsSetBackIsFollowed) {
    ReadingBatch later = batch();
    later.receive_time = clock.utc_now() + 1h;
    later.add("d", "x", 1.0, UtcTime(), Quality());
    send(std::move(later));
    send("d", "x", 2.0);
    EXPECT_EQ(store.samples[1].source_time, clock.utc_now());
}

TEST_F(NormaliserTest, AnUnknownNameIsRecordedFromItsFirstReading) {
    send("plant/filler", "temperature", 20.5);
    ASSERT_EQ(store.samples.size(), 1u);
    EXPECT_EQ(store.samples[0].tag, TagId(100));
    EXPECT_EQ(store.samples[0].value, Value(20.5));
    EXPECT_EQ(store.samples[0].source_time, clock.utc_now());
    ASSERT_EQ(doors.series.size(), 1u);
    EXPECT_EQ(doors.series[0].path, "plant/filler/temperature");
    EXPECT_EQ(doors.series[0].device, "plant/filler");
    shard.run();
    ASSERT_EQ(doors.discoveries.size(), 1u);
    EXPECT_EQ(doors.discoveries[0].protocol, "mqtt");
    EXPECT_EQ(doors.discoveries[0].address, "temperature");
    EXPECT_EQ(doors.discoveries[0].type, ValueType::Double);
    send("plant/filler", "temperature", 21.0);
    shard.run();
    EXPECT_EQ(doors.discoveries.size(), 1u);
    EXPECT_EQ(store.samples[1].tag, TagId(100));
}

TEST_F(NormaliserTest, DiscoveriesAreReportedInBulk) {
    ReadingBatch b = batch();
    for (int i = 0; i < 500; ++i) b.add("d", fmt::format("a{}", i), 1.0, {}, {});
    send(std::move(b));
    shard.run();
    EXPECT_EQ(doors.discoveries.size(), 500u);
    EXPECT_EQ(doors.discovery_calls, 1);
}

TEST_F(NormaliserTest, ReceiptsComeWhenTheStoreIsDurable) {
    send("d", "a", 1.0);
    shard.run();
    EXPECT_TRUE(results.empty());
    store.sync();
    ASSERT_EQ(results.size(), 1u);
    EXPECT_TRUE(results[0]);
}

TEST_F(NormaliserTest, SamplesOfASourceAreNumberedWithoutGaps) {
    ReadingBatch b = batch("mqtt/old");
    for (int i = 0; i < 3; ++i) b.add("d", "a", 1.0, {}, {});
    send(std::move(b));
    ReadingBatch c = batch("mqtt/old");
    c.add("d", "a", 1.0, {}, {});
    send(std::move(c));
    EXPECT_EQ(store.batches[0].first_sequence, 42u);
    EXPECT_EQ(store.batches[1].first_sequence, 45u);
    EXPECT_EQ(doors.sources.size(), 1u);
}

TEST_F(NormaliserTest, AKnownTagHasItsTypeScaleAndRange) {
    give_device({{.id = TagId(7),
                  .path = "Line/Filler/temp",
                  .address = "t",
                  .scale = 0.1,
                  .offset = 5,
                  .range_low = 0,
                  .range_high = 100}});
    send("d", "t", std::int64_t{200});
    send("d", "t", 2000.0);
    ASSERT_EQ(store.samples.size(), 2u);
    EXPECT_EQ(store.samples[0], (Sample{TagId(7), clock.utc_now(), clock.utc_now(), 25.0, Quality::good}));
    EXPECT_EQ(store.samples[1].value, Value(205.0));
    EXPECT_EQ(store.samples[1].quality, Quality::uncertain_range);
    EXPECT_EQ(doors.series[0].path, "Line/Filler/temp");
    shard.run();
    EXPECT_TRUE(doors.discoveries.empty());
}

TEST_F(NormaliserTest, ReadingsThatNameTheirTagNeedNoNames) {
    give_device({{.id = TagId(7), .address = "t"}});
    ReadingBatch b = batch("modbus/d");
    b.readings.push_back({.tag = TagId(7), .bits = std::bit_cast<std::uint64_t>(1.5)});
    b.readings.push_back({.tag = TagId(8), .bits = std::bit_cast<std::uint64_t>(1.5)});
    send(std::move(b));
    ASSERT_EQ(store.samples.size(), 1u);
    EXPECT_EQ(store.samples[0].tag, TagId(7));
    store.sync();
    EXPECT_EQ(results[0].error().code(), ErrorCode::InvalidArgument);
}

TEST_F(NormaliserTest, AValueOfTheWrongTypeIsKeptAsItIsAndBad) {
    give_device({{.id = TagId(7), .address = "t"},
                 {.id = TagId(8), .address = "n", .type = ValueType::Int},
                 {.id = TagId(9), .address = "s", .type = ValueType::String},
                 {.id = TagId(10), .address = "b", .type = ValueType::Bool}});
    send("d", "t", std::string("warm"));
    send("d", "n", 1.5);
    send("d", "t", std::string("21.5"));
    send("d", "n", 3.0);
    send("d", "s", 1.5);
    send("d", "b", 1.0);
    ASSERT_EQ(store.samples.size(), 6u);
    for (int i : {0, 1}) EXPECT_EQ(store.samples[i].quality, Quality::bad_type_mismatch);
    EXPECT_EQ(store.samples[0].value, Value("warm"));
    EXPECT_EQ(store.samples[1].value, Value(1.5));
    EXPECT_EQ(store.samples[2].value, Value(21.5));
    EXPECT_EQ(store.samples[3].value, Value(std::int64_t{3}));
    EXPECT_EQ(store.samples[4].value, Value("1.5"));
    EXPECT_EQ(store.samples[5].value, Value(true));
    store.sync();
    for (const auto& result : results) EXPECT_TRUE(result);
    EXPECT_EQ(hall().refusals().size(), 2u);
}

TEST_F(NormaliserTest, NaNAndInfinitiesAreKeptBitByBitAsBadAndCounted) {
    const double infinity = std::numeric_limits<double>::infinity();
    const auto odd_nan = std::bit_cast<double>(std::uint64_t{0x7FF8'0000'0000'1234});
    for (const double value : {1.0, infinity, -infinity, odd_nan}) send("d", "a", value);
    ASSERT_EQ(store.samples.size(), 4u);
    EXPECT_TRUE(store.samples[0].quality.is_good());
    for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(store.samples[i].quality.is_bad()) << i;
    EXPECT_EQ(store.samples[1].value, Value(infinity));
    EXPECT_EQ(store.samples[2].value, Value(-infinity));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(store.samples[3].value)), 0x7FF8'0000'0000'1234U);
    ASSERT_EQ(hall().refusals().size(), 1u);
    EXPECT_EQ(hall().refusals()[0].count, 3u);
    store.sync();
    for (const auto& result : results) EXPECT_TRUE(result);
}

TEST_F(NormaliserTest, TimesFarAwayAreKeptAsTheyComeWhenTheRuleAcceptsThem) {
    options.time = {.future_max = 1min, .past_max = 1h, .outside = OutsideTime::Accept};
    const UtcTime now = clock.utc_now();
    for (const UtcTime time : {now + 10 * 24h, now - 2h, UtcTime(5)}) send("d", "a", 1.0, time);
    ASSERT_EQ(store.samples.size(), 3u);
    EXPECT_EQ(store.samples[0].source_time, now + 10 * 24h);
    EXPECT_EQ(store.samples[1].source_time, now - 2h);
    EXPECT_EQ(store.samples[2].source_time, UtcTime(5));
    for (const Sample& sample : store.samples) EXPECT_TRUE(sample.quality.is_good());
    EXPECT_EQ(hall().refusals().size(), 3u);  // Counted by reason all the same.
}

TEST_F(NormaliserTest, TimesFarAwayAreQuarantinedAsUncertain) {
    options.time = {.future_max = 1min, .past_max = 1h, .outside = OutsideTime::Quarantine};
    const UtcTime now = clock.utc_now();
    for (const UtcTime time : {now + 59s, now - 59min, now + 61s, now - 61min}) send("d", "a", 1.0, time);
    ASSERT_EQ(store.samples.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(store.samples[i].quality.is_uncertain(), i >= 2) << i;
    EXPECT_EQ(store.samples[3].source_time, now - 61min);
    store.sync();
    for (const auto& result : results) EXPECT_TRUE(result);
}

TEST_F(NormaliserTest, TimesFarAwayAreRefusedAndTheRestIsKept) {
    options.time = {.future_max = 1min, .past_max = 1h, .outside = OutsideTime::Refuse};
    const UtcTime now = clock.utc_now();
    ReadingBatch mixed = batch();
    for (const UtcTime time : {now, now + 2min, now - 2h, UtcTime(5), UtcTime()})
        mixed.add("d", "a", 1.0, time, Quality::good);
    send(std::move(mixed));
    EXPECT_EQ(store.samples.size(), 2u);
    store.sync();
    ASSERT_EQ(results.size(), 1u);
    ASSERT_FALSE(results[0]);
    EXPECT_EQ(results[0].error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(hall().refusals().size(), 3u);
}

TEST_F(NormaliserTest, ADeviceThatInventsTagsIsBoundedAndDisturbsNobody) {
    options.tags_discovered_per_device_max = 100;
    constexpr int invented = 20'000;
    for (int part = 0; part < 10; ++part) {
        ReadingBatch flood = batch();
        for (int i = 0; i < invented / 10; ++i)
            flood.add("broken", fmt::format("x{}", part * invented + i), 1.0, UtcTime(), Quality::good);
        flood.add("sound", "a", 1.0, UtcTime(), Quality::good);
        send(std::move(flood));
    }
    EXPECT_EQ(store.samples.size(), 110u);
    EXPECT_EQ(doors.series.size(), 101u);
    ASSERT_EQ(hall().refusals().size(), 1u);
    EXPECT_EQ(hall().refusals()[0].what, "broken");
    EXPECT_EQ(hall().refusals()[0].count, static_cast<std::uint64_t>(invented - 100));
    store.sync();
    shard.run();
}

TEST_F(NormaliserTest, NamesOfAnyScriptAndEmptyBatchesAreWelcome) {
    send("工場/ライン3/充填機", "温度", 21.5);
    send("Größe/Würzburg", "Ω/Ström", 1.0);
    send(batch());
    ASSERT_EQ(doors.series.size(), 2u);
    EXPECT_EQ(doors.series[0].path, "工場/ライン3/充填機/温度");
    shard.run();
    store.sync();
    ASSERT_EQ(results.size(), 3u);
    for (const auto& result : results) EXPECT_TRUE(result);
}

TEST_F(NormaliserTest, NoValueIsKeptForAKnownTagOnly) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    send("d", "a", nan, {}, Quality::bad);
    EXPECT_TRUE(store.samples.empty());
    EXPECT_TRUE(doors.series.empty());
    send("d", "a", std::string("x"));
    send("d", "a", nan, {}, Quality::bad_no_communication);
    ASSERT_EQ(store.samples.size(), 2u);
    EXPECT_EQ(store.batches[1].types[0], ValueType::Double);
    EXPECT_EQ(store.samples[1].quality, Quality::bad_no_communication);
    shard.run();
    store.sync();
    ASSERT_EQ(results.size(), 3u);
    EXPECT_TRUE(results[0]);
}

TEST_F(NormaliserTest, ATimeThatCannotBeRightIsNotBelieved) {
    const UtcTime now = clock.utc_now();
    send("d", "a", 1.0, now - 48h);
    send("d", "a", 1.0, now + 9min);
    send("d", "a", 1.0, now + 11min);
    send("d", "a", 1.0, UtcTime(5));
    send("d", "a", 1.0, UtcTime(8'000'000'000'000'000'000));
    EXPECT_EQ(store.samples[0].source_time, now - 48h);
    EXPECT_TRUE(store.samples[0].quality.is_good());
    EXPECT_TRUE(store.samples[1].quality.is_good());
    EXPECT_EQ(store.samples[2].source_time, now + 11min);
    EXPECT_TRUE(store.samples[2].quality.is_uncertain());
    EXPECT_EQ(store.samples[3].source_time, now);
    EXPECT_TRUE(store.samples[3].quality.is_uncertain());
    EXPECT_EQ(store.samples[4].source_time, now + 1us);  // Not in the place of the one before.
}

TEST_F(NormaliserTest, AnotherUnitIsUncertain) {
    give_device({{.id = TagId(7), .address = "t", .unit = "Cel"}});
    ReadingBatch b = batch();
    for (const char* unit : {"", "Cel", "degF"})
        b.readings.push_back(
            {.device = "d", .address = "t", .unit = unit, .bits = std::bit_cast<std::uint64_t>(1.0)});
    send(std::move(b));
    EXPECT_TRUE(store.samples[0].quality.is_good());
    EXPECT_TRUE(store.samples[1].quality.is_good());
    EXPECT_TRUE(store.samples[2].quality.is_uncertain());
}

TEST_F(NormaliserTest, ADeadbandKeepsTheShape) {
    give_device({{.id = TagId(7), .address = "t", .deadband = 1}});
    UtcTime at = clock.utc_now() - 1h;
    const auto step = [&](double value, Quality quality = {}) {
        send("d", "t", value, at, quality);
        at = at + 1s;
    };
    step(10);
    step(10.5);
    step(11);
    step(10.2);
    EXPECT_EQ(values(), (std::vector<double>{10}));
    step(15);  // The last one held back comes first, so that the line is flat until here.
    EXPECT_EQ(values(), (std::vector<double>{10, 10.2, 15}));
    EXPECT_EQ(store.samples[2].source_time - store.samples[1].source_time, 1s);
    step(15.1, Quality::uncertain);
    step(15.1, Quality::uncertain);
    step(15.1);
    EXPECT_EQ(values(), (std::vector<double>{10, 10.2, 15, 15.1, 15.1, 15.1}));
    shard.run();
    store.sync();
    EXPECT_EQ(results.size(), 8u);
    EXPECT_EQ(store.batches.back().first_sequence + store.batches.back().size(), 7u);
}

TEST_F(NormaliserTest, ADeadbandHasAHeartbeatAndLetsLateDataPass) {
    give_device({{.id = TagId(7), .address = "t", .deadband = 1}});
    const UtcTime start = clock.utc_now() - 1h;
    for (int second = 0; second <= 600; second += 10) send("d", "t", 10.0, start + Duration(second * 1s));
    // At 0, at 300 with the one before it, at 600 with the one before it.
    EXPECT_EQ(store.samples.size(), 5u);
    send("d", "t", 10.0, start + 5s);
    EXPECT_EQ(store.samples.size(), 6u);
}

TEST_F(NormaliserTest, IgnoredDevicesAreNotRecorded) {
    give_device({{.id = TagId(7), .address = "t"}}, registry::DeviceState::Ignored);
    send("d", "t", 1.0);
    send("d", "new", 1.0);
    EXPECT_TRUE(store.samples.empty());
    shard.run();
    ASSERT_EQ(results.size(), 2u);
    EXPECT_TRUE(results[0]);
    ASSERT_EQ(hall().refusals().size(), 1u);
    EXPECT_EQ(hall().refusals()[0].count, 2u);
    give_device({});
    send("d", "t", 1.0);
    EXPECT_EQ(store.samples.size(), 1u);
}

TEST_F(NormaliserTest, AFullStoreTakesNothingAndChangesNothing) {
    store.room = 0;
    ReadingBatch b = batch();
    b.add("d", "a", 1.0, {}, {});
    flow::Settled settled = [this](Result<void> result) { results.push_back(std::move(result)); };
    EXPECT_EQ(hall().offer(b, settled), flow::Took::None);
    EXPECT_EQ(b.size(), 1u);
    EXPECT_TRUE(settled);
    EXPECT_TRUE(doors.series.empty());
    int ready = 0;
    hall().when_ready([&] { ++ready; });
    hall().when_ready([&] { ++ready; });
    store.make_room(1);
    EXPECT_EQ(ready, 2);
    EXPECT_EQ(hall().offer(b, settled), flow::Took::All);
    EXPECT_TRUE(b.empty());
}

TEST_F(NormaliserTest, ABigBatchIsCutAndWaitsItsTurn) {
    store.room = 1;
    ReadingBatch b = batch();
    const std::size_t count = limits::batch_samples_max * 2 + 10;
    for (std::size_t i = 0; i < count; ++i) b.add("d", "a", 1.0, {}, {});
    send(std::move(b));
    EXPECT_EQ(store.samples.size(), limits::batch_samples_max);
    EXPECT_TRUE(store.receipts.empty());
    ReadingBatch second = batch();
    second.add("d", "a", 2.0, {}, {});
    send(std::move(second), flow::Took::None);
    bool is_ready = false;
    hall().when_ready([&] { is_ready = true; });
    store.make_room(1);
    EXPECT_FALSE(is_ready);
    store.make_room(2);
    EXPECT_TRUE(is_ready);
    EXPECT_EQ(store.samples.size(), count);
    ASSERT_EQ(store.receipts.size(), 1u);
    EXPECT_EQ(store.batches[2].first_sequence, 2 * limits::batch_samples_max + 1);
}

TEST_F(NormaliserTest, LongTextsAreSpreadOverBatches) {
    ReadingBatch b = batch();
    const std::string text(60'000, 'x');
    for (int i = 0; i < 300; ++i) b.add("d", "a", text, {}, {});
    send(std::move(b));
    EXPECT_EQ(store.samples.size(), 300u);
    for (const Batch& one : store.batches) EXPECT_LE(one.text.size(), limits::batch_text_bytes_max);
    EXPECT_EQ(store.samples[299].value, Value(text));
}

TEST_F(NormaliserTest, WithoutIdsNothingIsTakenUntilThereAreSome) {
    doors.ids_left = 1;
    ReadingBatch b = batch();
    b.add("d", "a", 1.0, {}, {});
    b.add("d", "b", 1.0, {}, {});
    flow::Settled settled = [this](Result<void> result) { results.push_back(std::move(result)); };
    EXPECT_EQ(hall().offer(b, settled), flow::Took::None);
    EXPECT_TRUE(store.samples.empty());
    bool is_ready = false;
    hall().when_ready([&] { is_ready = true; });
    ASSERT_EQ(doors.id_tasks.size(), 1u);
    doors.ids_left = 10;
    doors.id_tasks[0]();
    EXPECT_TRUE(is_ready);
    EXPECT_EQ(hall().offer(b, settled), flow::Took::All);
    EXPECT_EQ(store.samples.size(), 2u);
    EXPECT_EQ(doors.series.size(), 2u);
}

TEST_F(NormaliserTest, TheInboxHasBounds) {
    options.devices_discovered_max = 2;
    options.tags_discovered_per_device_max = 3;
    for (int i = 0; i < 4; ++i) send(fmt::format("d{}", i), "a", 1.0);
    for (int i = 0; i < 4; ++i) send("d0", fmt::format("x{}", i), 1.0);
    EXPECT_EQ(store.samples.size(), 4u);
    shard.run();
    store.sync();
    const auto refused = std::ranges::count_if(results, [](const auto& r) { return !r; });
    EXPECT_EQ(refused, 4);
}

TEST_F(NormaliserTest, TheInboxEmptiesAsDevicesAreAccepted) {
    options.devices_discovered_max = 1;
    send("d", "a", 1.0);
    send("e", "a", 1.0);
    EXPECT_EQ(store.samples.size(), 1u);
    give_device({{.id = TagId(100), .address = "a"}}, registry::DeviceState::Discovered);
    send("e", "a", 1.0);
    EXPECT_EQ(store.samples.size(), 1u);
    give_device({});
    send("e", "a", 1.0);
    EXPECT_EQ(store.samples.size(), 2u);
}

TEST_F(NormaliserTest, ADiscoveredTagIsConfirmedUnderItsId) {
    send("d", "a", 1.0);
    give_device({{.id = TagId(100), .address = "a", .scale = 2}});
    send("d", "a", 1.0);
    EXPECT_EQ(values(), (std::vector<double>{1, 2}));
    EXPECT_EQ(store.samples[1].tag, TagId(100));
    shard.run();
    EXPECT_EQ(doors.discoveries.size(), 1u);
}

TEST_F(NormaliserTest, TheRegistrysIdWins) {
    send("d", "a", 1.0);
    give_device({{.id = TagId(55), .address = "a"}});
    send("d", "a", 1.0);
    EXPECT_EQ(store.samples[1].tag, TagId(55));
    EXPECT_EQ(doors.series.back().tag, TagId(55));
}

TEST_F(NormaliserTest, ChangesOfATagTakeEffectAndRemovedOnesAreDiscoveredAnew) {
    give_device({{.id = TagId(7), .address = "a"}, {.id = TagId(8), .address = "b"}});
    send("d", "a", 1.0);
    send("d", "b", 1.0);
    give_device({{.id = TagId(7), .path = "renamed/a", .address = "a", .offset = 10}});
    send("d", "a", 1.0);
    EXPECT_EQ(to_double(store.samples.back().value), 11);
    EXPECT_EQ(doors.series.back().path, "renamed/a");
    registry::SnapshotBuilder builder(*snapshot);
    builder.remove(TagId(8));
    give(builder);
    send("d", "b", 1.0);
    EXPECT_EQ(store.samples.back().tag, TagId(100));
    registry::SnapshotBuilder again(*snapshot);
    again.remove(TagId(7));
    again.remove(DeviceId(1));
    give(again);
    send("d", "a", 1.0);
    EXPECT_EQ(store.samples.back().tag, TagId(101));
}

TEST_F(NormaliserTest, ASkippedVersionIsNoticed) {
    give_device({{.id = TagId(7), .address = "a"}});
    send("d", "a", 1.0);
    const registry::Snapshot empty;
    registry::SnapshotBuilder first(*snapshot);
    first.put(registry::Tag{
        .id = TagId(7), .tenant = TenantId(1), .device = DeviceId(1), .path = "d/a", .address = "a", .scale = 3});
    const auto unseen = first.build();
    registry::SnapshotBuilder second(*unseen);
    second.put(registry::Device{.id = DeviceId(2), .tenant = TenantId(1), .name = "other"});
    give(second);
    send("d", "a", 1.0);
    EXPECT_EQ(to_double(store.samples.back().value), 3);
}

TEST_F(NormaliserTest, NamesThatCannotBeNamesAreRefused) {
    send("", "a", 1.0);
    send("d", "", 1.0);
    send("d", "a\nb", 1.0);
    send("d\xFF", "a", 1.0);
    send(std::string(limits::device_name_bytes_max + 1, 'd'), "a", 1.0);
    send("d", std::string(limits::tag_path_bytes_max, 'a'), 1.0);
    EXPECT_TRUE(store.samples.empty());
    shard.run();
    ASSERT_EQ(results.size(), 6u);
    for (const auto& result : results) EXPECT_FALSE(result);
}

TEST_F(NormaliserTest, RatesAreKnownByProtocol) {
    for (int second = 0; second < 20; ++second) {
        for (int i = 0; i < 5; ++i) send("d", "a", 1.0);
        ReadingBatch b = batch("http/telegraf");
        b.add("d", "a", 1.0, {}, {});
        send(std::move(b));
        shard.advance(1s);
    }
    const auto rates = hall().rates();
    ASSERT_EQ(rates.size(), 2u);
    EXPECT_EQ(rates[0].protocol, "mqtt");
    EXPECT_EQ(rates[0].samples, 100u);
    EXPECT_DOUBLE_EQ(rates[0].samples_per_second, 5);
    EXPECT_DOUBLE_EQ(rates[1].samples_per_second, 1);
}

}  // namespace
}  // namespace lineshaft::normalise
