/// The simulators' parts together: PLC and adapter, sensor and broker, recordings.
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "app/sim/modbus_server.h"
#include "app/sim/mqtt_client.h"
#include "app/sim/plant_registers.h"
#include "app/sim/recording.h"
#include "south/modbus/modbus.h"
#include "support/data_sets.h"
#include "support/manual_shard.h"
#include "support/memory_network.h"
#include "wire/mqtt/packet.h"

using namespace lineshaft;
using namespace lineshaft::sim;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShard;
using lineshaft::testing::MemoryNetwork;

namespace {

namespace mqtt = lineshaft::wire::mqtt;

struct LastValues final : flow::ReadingSink {
    flow::Took offer(ReadingBatch& batch, flow::Settled&) override {
        for (const Reading& r : batch.readings) {
            const double number = r.type == ValueType::Double
                                      ? std::bit_cast<double>(r.bits)
                                      : static_cast<double>(static_cast<std::int64_t>(r.bits));
            if (r.quality.is_good()) values[std::string(r.address)] = number;
            good += r.quality.is_good();
            bad += r.quality.is_bad();
        }
        return flow::Took::All;
    }
    void when_ready(Task) override {}
    std::map<std::string, double> values;
    std::uint64_t good = 0, bad = 0;
};

/// A broker that acknowledges, as long as the test lets it.
class FakeBroker final {
public:
    FakeBroker(MemoryNetwork& network, const Endpoint& at) {
        listener_ = network
                        .listen(at,
                                [this](std::unique_ptr<Stream> s) {
                                    sessions_.push_back(std::make_unique<Session>(*this, std::move(s)));
                                })
                        .value();
    }
    bool acknowledges = true;
    bool refuses = false;
    std::vector<std::string> messages;  // "topic payload".
    std::string user, password;
    int connects = 0;

private:
    class Session final : public StreamHandler {
    public:
        Session(FakeBroker& broker, std::unique_ptr<Stream> stream) : broker_(broker), stream_(std::move(stream)) {
            stream_->start(*this);
        }
        void on_data(ByteView bytes) override {
            received_.insert(received_.end(), bytes.begin(), bytes.end());
            while (true) {
                const auto frame = mqtt::next_frame(received_, 1 << 20);
                ASSERT_TRUE(frame);
                if (!*frame) return;
                take(**frame);
                received_.erase(received_.begin(),
                                received_.begin() + static_cast<std::ptrdiff_t>((*frame)->frame_bytes));
            }
        }
        void on_closed(const Error&) override {}

    private:
        void take(const mqtt::Frame& frame) {
            Bytes answer;
            if (frame.type == mqtt::PacketType::Connect) {
                const auto connect = mqtt::decode_connect(frame);
                ASSERT_TRUE(connect);
                EXPECT_EQ(connect->version, mqtt::Version::V311);
                ++broker_.connects;
                broker_.user = connect->user_name.value_or("");
                if (connect->password) broker_.password = as_text(*connect->password);
                const auto reason = broker_.refuses ? mqtt::Reason::NotAuthorized : mqtt::Reason::Success;
                mqtt::encode(mqtt::ConnAck{.reason = reason}, mqtt::Version::V311, answer);
            } else if (frame.type == mqtt::PacketType::Publish) {
                const auto publish = mqtt::decode_publish(frame, mqtt::Version::V311);
                ASSERT_TRUE(publish);
                EXPECT_EQ(publish->qos, mqtt::Qos::AtLeastOnce);
                broker_.messages.push_back(std::string(publish->topic) + " " +
                                           std::string(as_text(publish->payload)));
                if (broker_.acknowledges)
                    mqtt::encode(mqtt::PubAck{.packet_id = publish->packet_id}, mqtt::Version::V311, answer);
            } else if (frame.type == mqtt::PacketType::PingReq && broker_.acknowledges) {
                mqtt::encode(mqtt::PingResp{}, answer);
            }
            if (!answer.empty()) stream_->send(answer);
        }
        FakeBroker& broker_;
        std::unique_ptr<Stream> stream_;
        Bytes received_;
    };
    std::unique_ptr<Listener> listener_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

class Simulators : public ::testing::Test {
protected:
    ManualClock clock;
    ManualShard shard{clock};
    MemoryNetwork network{shard};
    const Endpoint at{"sim", 1502};
};

/// A file that lives as long as the test.
class TemporaryFile {
public:
    TemporaryFile(const std::string& name, std::string_view content)
        : path_((std::filesystem::temp_directory_path() / (name + "-" + std::to_string(::getpid()))).string() +
                ".csv") {
        std::ofstream(path_, std::ios::binary) << content;
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::vector<Record> all_of(const std::string& path, const ReplayOptions& options) {
    auto recording = Recording::open(path, options);
    EXPECT_TRUE(recording) << recording.error().message();
    std::vector<Record> records;
    while (recording) {
        auto record = (*recording)->next();
        EXPECT_TRUE(record) << record.error().message();
        if (!record || !*record) break;
        records.push_back(**std::move(record));
    }
    return records;
}

}  // namespace

TEST_F(Simulators, TheAdapterPollsBothPlcsAndWritesSetpoints) {
    PlantModel plant(1);
    RegisterBank bank = make_bank(Plc::Filler, plant);
    auto server = ModbusServer::create(shard, network, bank, {.address = at},
                                       {.before_read = [&] { to_bank(Plc::Filler, plant, bank); },
                                        .after_write = [&] { from_bank(Plc::Filler, bank, plant); }});
    ASSERT_TRUE(server);
    LastValues sink;
    auto adapter = modbus::Adapter::create(shard, network, sink).value();
    modbus::DeviceConfig config{.device = DeviceId(1000),
                                .name = plc_device_name(Plc::Filler, "Line1"),
                                .settings = plc_settings(Plc::Filler, at)};
    TagId setpoint;
    for (std::size_t i = 0; i < config.settings.registers.size(); ++i) {
        config.tags.push_back(TagId(i + 1));
        if (config.settings.registers[i].name == "speed_setpoint") setpoint = TagId(i + 1);
    }
    adapter->apply({config});
    plant.advance(20s);
    shard.advance(3s);
    EXPECT_EQ(sink.values.size(), config.settings.registers.size());
    EXPECT_EQ(sink.bad, 0U);
    EXPECT_NEAR(sink.values["speed"], plant.filler().speed_bpm, 0.06);
    EXPECT_NEAR(sink.values["flow"], plant.filler().flow_l_min, 0.01);
    EXPECT_EQ(sink.values["state"], 6);
    EXPECT_EQ(sink.values["running"], 1);
    std::optional<CommandResult> result;
    adapter->write(DeviceId(1000), setpoint, 150.0, clock.now() + 2s, [&](CommandResult r) { result = r; });
    shard.advance(2s);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, CommandOutcome::Written) << result->detail;
    EXPECT_EQ(plant.setpoints().speed_bpm, 150);
}

TEST_F(Simulators, SettingsOfBothPlcsAreValid) {
    for (const Plc plc : {Plc::Filler, Plc::Capper}) {
        const modbus::DeviceSettings settings = plc_settings(plc, at);
        const auto again = modbus::parse_settings(modbus::to_json(settings));
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(*again, settings);
    }
    for (const SuggestedAlarm& alarm : suggested_alarms("Line1")) EXPECT_TRUE(alarm.tag.starts_with("Line1/"));
}

TEST_F(Simulators, TenThousandReadsThroughAFaultyServerGiveNoWrongValue) {
    RegisterBank bank;
    for (std::uint16_t i = 0; i < 300; ++i) bank.holding.push_back(i);
    const ModbusFaults faults{
        .exception_share = 0.05, .silence_share = 0.02, .wrong_id_share = 0.05, .short_share = 0.02, .split = true};
    auto server = ModbusServer::create(shard, network, bank, {.address = at, .faults = faults}, {});
    ASSERT_TRUE(server);
    network.splits = true;
    LastValues sink;
    auto adapter = modbus::Adapter::create(shard, network, sink).value();
    modbus::DeviceConfig config{.device = DeviceId(1000), .name = "faulty"};
    config.settings.address = at;
    config.settings.poll = 50ms;
    config.settings.timeout = 100ms;
    config.settings.requests_per_second_max = 1000;
    for (const std::uint16_t i : {7, 100, 299})
        config.settings.registers.push_back({.name = std::to_string(i), .address = i});
    adapter->apply({config});
    while ((*server)->requests() < 10'000) {
        const std::uint64_t before = (*server)->requests();
        shard.advance(2s);
        ASSERT_GT((*server)->requests(), before) << "it hangs";
        for (const auto& [name, value] : sink.values) ASSERT_EQ(std::to_string(static_cast<int>(value)), name);
    }
    EXPECT_GT(sink.good, 5000U);
    EXPECT_GT(sink.bad, 500U);
}

TEST_F(Simulators, AServerAnswersAsTheSpecificationSays) {
    using wire::modbus::Exception;
    using wire::modbus::Function;
    RegisterBank bank{.coils = {0, 1}, .discrete = {1}, .holding = {1, 2, 3}, .input = {9}};
    EXPECT_EQ(answer(bank, {.function = Function::ReadCoils, .address = 0, .count = 2}).bits,
              (std::vector<std::uint8_t>{0, 1}));
    EXPECT_EQ(answer(bank, {.function = Function::ReadInputRegisters, .address = 0, .count = 1}).registers,
              (std::vector<std::uint16_t>{9}));
    EXPECT_EQ(answer(bank, {.function = Function::ReadHoldingRegisters, .address = 2, .count = 2}).exception,
              Exception::IllegalDataAddress);
    EXPECT_FALSE(answer(bank, {.function = Function::WriteSingleCoil, .address = 0, .bits = {1}}).exception);
    EXPECT_EQ(bank.coils[0], 1);
    EXPECT_EQ(
        answer(bank, {.function = Function::WriteMultipleRegisters, .address = 2, .registers = {1, 2}}).exception,
        Exception::IllegalDataAddress);
    const auto exchanged = answer(bank, {.function = Function::ReadWriteMultipleRegisters,
                                         .address = 0,
                                         .count = 2,
                                         .write_address = 1,
                                         .registers = {7}});
    EXPECT_EQ(exchanged.registers, (std::vector<std::uint16_t>{1, 7}));
}

TEST_F(Simulators, ASensorPublishesAndWaitsForItsAcknowledgement) {
    FakeBroker broker(network, at);
    auto client =
        MqttClient::create(shard, network, {.address = at, .user = "u", .password = "token", .client_id = "c"});
    client->publish("a/b", "1");
    shard.advance(100ms);
    EXPECT_EQ(broker.messages, (std::vector<std::string>{"a/b 1"}));
    EXPECT_EQ(broker.user, "u");
    EXPECT_EQ(broker.password, "token");
    EXPECT_EQ(client->queued(), 0U);
    EXPECT_EQ(client->acknowledged(), 1U);
}

TEST_F(Simulators, ASensorSendsAgainWhatWasNotAcknowledged) {
    FakeBroker broker(network, at);
    auto client = MqttClient::create(shard, network, {.address = at, .client_id = "c"});
    shard.advance(10ms);
    broker.acknowledges = false;
    client->publish("a", "1");
    client->publish("a", "2");
    shard.advance(10ms);
    EXPECT_EQ(client->queued(), 2U);
    network.cut();
    broker.acknowledges = true;
    shard.advance(2s);
    EXPECT_EQ(broker.connects, 2);
    EXPECT_EQ(broker.messages, (std::vector<std::string>{"a 1", "a 2", "a 1", "a 2"}));
    EXPECT_EQ(client->queued(), 0U);
    EXPECT_TRUE(client->trouble().empty());
}

TEST_F(Simulators, ASensorTriesForEver) {
    auto client = MqttClient::create(shard, network, {.address = at, .client_id = "c"});
    for (int i = 0; i < 30'000; ++i) client->publish("a", std::to_string(i));
    shard.advance(600s);
    EXPECT_FALSE(client->is_connected());
    EXPECT_EQ(client->queued(), MqttClient::queued_max);
    EXPECT_EQ(client->dropped(), 10'000U);
    FakeBroker broker(network, at);
    broker.refuses = true;
    shard.advance(30s);
    EXPECT_NE(client->trouble().find("refused"), std::string::npos);
    broker.refuses = false;
    shard.advance(30s);
    EXPECT_TRUE(client->is_connected());
    EXPECT_EQ(client->queued(), 0U);
    EXPECT_EQ(broker.messages.front(), "a 10000");
}

TEST_F(Simulators, ABrokerThatNoLongerAnswersIsLeft) {
    FakeBroker broker(network, at);
    auto client = MqttClient::create(shard, network, {.address = at, .client_id = "c"});
    shard.advance(100s);
    EXPECT_EQ(broker.connects, 1);
    broker.acknowledges = false;
    shard.advance(60s);
    EXPECT_GT(broker.connects, 1);
}

TEST(Recording, RowsWithTimes) {
    const TemporaryFile file(
        "rows", "time;a;b c;note\n2020-01-01 00:00:00;1;2.5;on\n2020-01-01 00:00:02;;nan;\"say \"\"x\"\"\"\nbad;1\n");
    const auto records = all_of(file.path(), {});
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].values, R"({"a":1,"b c":2.5,"note":"on"})");
    EXPECT_EQ(records[1].values, R"({"note":"say \"x\""})");
    EXPECT_EQ(records[1].time - records[0].time, Duration(2s));
    EXPECT_EQ(records[0].value_count, 3U);
    EXPECT_EQ(records[1].row, 2U);
}

TEST(Recording, AMatrixByRowsByCyclesAndTransposed) {
    const TemporaryFile file("matrix", "1\t2\t3\n4\t5\t6\n");
    const auto rows = all_of(file.path(), {.period = 3min, .columns = {"x", "y", "z"}});
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1].values, R"({"x":4,"y":5,"z":6})");
    EXPECT_EQ(rows[1].time, UtcTime(180'000'000'000));
    const auto cycles = all_of(file.path(), {.shape = Shape::Cycles, .columns = {"TS1"}});
    ASSERT_EQ(cycles.size(), 6U);
    EXPECT_EQ(cycles[4].values, R"({"TS1":5})");
    EXPECT_EQ(cycles[4].time, UtcTime(80'000'000'000));
    const auto transposed = all_of(file.path(), {.shape = Shape::Transposed});
    ASSERT_EQ(transposed.size(), 3U);
    EXPECT_EQ(transposed[2].values, R"({"V1":3,"V2":6})");
}

TEST(Recording, SaysWhatIsWrongWithAFile) {
    EXPECT_EQ(Recording::open("/does/not/exist.csv", {}).error().code(), ErrorCode::NotFound);
    const TemporaryFile empty("empty", "");
    EXPECT_EQ(Recording::open(empty.path(), {}).error().code(), ErrorCode::Malformed);
    const TemporaryFile file("names", "1,2\n3,4\n");
    EXPECT_EQ(Recording::open(file.path(), {.columns = {"x"}}).error().code(), ErrorCode::InvalidArgument);
}

TEST(Recording, NamesDevicesAfterFiles) {
    EXPECT_EQ(stem_of("/d/valve1/00.csv.gz"), "00");
    EXPECT_EQ(device_of("/d/valve1/00.csv.gz", {.files = {"x"}}), "Replay/00");
    EXPECT_EQ(device_of("/d/hydraulic-rig/TS1.txt.gz", {.files = {"x", "y"}, .shape = Shape::Cycles}),
              "Replay/hydraulic-rig");
    EXPECT_EQ(device_of("/d/a.csv", {.files = {"x", "y"}, .device = "P"}), "P/a");
}

TEST(Recording, PlaysTheRecordedDataSets) {
    const auto folder = lineshaft::testing::data_sets();
    if (!folder) GTEST_SKIP() << "the folder with the recorded data sets is not here (set LINESHAFT_DATA)";
    const auto path = [&](const char* file) { return (*folder / file).string(); };
    const auto skab = all_of(path("skab-pump-loop/valve1/00.csv.gz"), {});
    EXPECT_EQ(skab.size(), 1147U);
    EXPECT_EQ(skab[0].value_count, 10U);
    EXPECT_EQ(to_rfc3339(skab[0].time), "2020-03-09T10:14:33Z");
    EXPECT_EQ(all_of(path("steel-energy/steel_2018_jan_sep.csv.gz"), {.rows_max = 100}).size(), 100U);
    const auto hydraulic = all_of(path("hydraulic-rig/TS1.txt.gz"), {.shape = Shape::Cycles, .rows_max = 2});
    ASSERT_EQ(hydraulic.size(), 120U);
    EXPECT_EQ(hydraulic[0].values, R"({"TS1":35.57})");
    EXPECT_EQ(hydraulic[60].time, UtcTime(60'000'000'000));
    const auto normal = all_of(path("tennessee-eastman/d00.dat.gz"), {.shape = Shape::Transposed, .period = 3min});
    ASSERT_EQ(normal.size(), 500U);
    EXPECT_EQ(normal[0].value_count, 52U);
    EXPECT_EQ(all_of(path("tennessee-eastman/d01_te.dat.gz"), {.period = 3min}).size(), 960U);
}
