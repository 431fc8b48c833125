#include "south/modbus/modbus.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <deque>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "support/manual_shard.h"
#include "wire/modbus/modbus.h"

using namespace lineshaft;
using namespace lineshaft::modbus;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShard;

namespace mb = lineshaft::wire::modbus;

namespace {

/// A PLC with a network around it: what it answers, and how, is in the hands of the test.
class FakePlc final : public Network {
public:
    explicit FakePlc(ManualShard& shard) : shard_(shard) {}

    enum class Link { Up, Refuses, Swallows };
    Link link = Link::Up;
    bool silent = false;
    Duration delay{0};
    bool split = false;
    std::uint16_t registers = 1000;
    std::map<std::uint16_t, mb::Exception> bad;  // Holding registers it refuses.
    std::map<std::uint16_t, std::uint16_t> holding;
    std::map<std::uint16_t, bool> coils;
    std::function<void(Bytes&)> spoil;  // Changes an answer before it leaves.
    bool knows_single_writes = true;
    std::vector<Instant> asked;
    std::vector<mb::Request> requests;
    int connects = 0;

    Result<std::unique_ptr<Listener>> listen(const Endpoint&, OnAccept) override {
        return fail(ErrorCode::NotSupported);
    }
    void connect(const Endpoint& to, Duration timeout, OnConnect done) override {
        ++connects;
        last_endpoint = to;
        if (link == Link::Swallows) {
            timers_.push_back(
                shard_.after(timeout, [done = std::move(done)]() mutable { done(fail(ErrorCode::Timeout)); }));
            return;
        }
        const bool refused = link == Link::Refuses;
        shard_.post([this, refused, done = std::move(done)]() mutable {
            if (refused) return done(fail(ErrorCode::Unreachable, "connection refused"));
            done(std::make_unique<Wire>(*this));
        });
    }
    void cut() {
        for (Wire* wire : std::vector<Wire*>(wires_)) wire->end();
    }
    std::size_t open_connections() const { return wires_.size(); }
    Endpoint last_endpoint;

private:
    class Wire final : public Stream {
    public:
        explicit Wire(FakePlc& plc) : plc_(plc) { plc_.wires_.push_back(this); }
        ~Wire() override { std::erase(plc_.wires_, this); }
        void start(StreamHandler& handler) override { handler_ = &handler; }
        void send(ByteView bytes) override {
            reader_.add(bytes);
            while (true) {
                const auto frame = reader_.next();
                ASSERT_TRUE(frame);
                if (!*frame) return;
                plc_.take(*this, **frame);
            }
        }
        std::size_t unsent_bytes() const override { return 0; }
        void pause_reading() override {}
        void resume_reading() override {}
        void close() override {}
        const Peer& peer() const override { return peer_; }
        void deliver(ByteView bytes) { handler_->on_data(bytes); }
        void end() { handler_->on_closed(Error(ErrorCode::Closed, "connection reset")); }

    private:
        FakePlc& plc_;
        StreamHandler* handler_ = nullptr;
        mb::FrameReader reader_;
        Peer peer_;
    };

    bool is_open(Wire* wire) const { return std::ranges::find(wires_, wire) != wires_.end(); }

    void take(Wire& wire, const mb::Frame& frame) {
        const auto request = mb::decode_request(frame);
        ASSERT_TRUE(request);
        asked.push_back(shard_.now());
        requests.push_back(*request);
        if (silent) return;
        Bytes bytes = mb::encode_response(*request, answer(*request));
        if (spoil) spoil(bytes);
        const auto send = [this, to = &wire, bytes = std::move(bytes)] {
            if (!is_open(to)) return;
            if (!split) return to->deliver(bytes);
            for (const std::byte& byte : bytes) {
                if (is_open(to)) to->deliver(ByteView(&byte, 1));
            }
        };
        if (delay == 0ns) return shard_.post(send);
        timers_.push_back(shard_.after(delay, send));
    }

    mb::Response answer(const mb::Request& request) {
        mb::Response response;
        const auto end = std::uint32_t{request.address} +
                         std::max<std::size_t>({request.count, request.bits.size(), request.registers.size()});
        if (end > registers) return {.exception = mb::Exception::IllegalDataAddress};
        for (const auto& [address, exception] : bad) {
            if (address >= request.address && address < end) return {.exception = exception};
        }
        const bool single = request.function == mb::Function::WriteSingleCoil ||
                            request.function == mb::Function::WriteSingleRegister;
        if (single && !knows_single_writes) return {.exception = mb::Exception::IllegalFunction};
        for (std::size_t i = 0; i < request.registers.size(); ++i) {
            holding[static_cast<std::uint16_t>(request.address + i)] = request.registers[i];
        }
        for (std::size_t i = 0; i < request.bits.size(); ++i)
            coils[static_cast<std::uint16_t>(request.address + i)] = request.bits[i];
        for (std::uint16_t i = 0; i < request.count; ++i) {
            const auto address = static_cast<std::uint16_t>(request.address + i);
            if (request.function == mb::Function::ReadCoils || request.function == mb::Function::ReadDiscreteInputs) {
                response.bits.push_back(coils[address]);
            } else {
                response.registers.push_back(holding.contains(address) ? holding[address] : address);
            }
        }
        return response;
    }

    ManualShard& shard_;
    std::vector<Wire*> wires_;
    std::deque<Timer> timers_;
};

/// Keeps the readings; may be full.
class KeptReadings final : public flow::ReadingSink {
public:
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        if (full) return flow::Took::None;
        taken.push_back(std::move(batch));
        settled_.push_back(std::move(settled));
        return flow::Took::All;
    }
    void when_ready(Task task) override { ready_.push_back(std::move(task)); }
    void make_room() {
        full = false;
        for (Task& task : std::exchange(ready_, {})) task();
    }
    /// "temperature=21.5 Good" of everything since the last call.
    std::vector<std::string> lines() {
        std::vector<std::string> result;
        for (const ReadingBatch& batch : taken) {
            for (const Reading& r : batch.readings) {
                const double number = r.type == ValueType::Double
                                          ? std::bit_cast<double>(r.bits)
                                          : static_cast<double>(static_cast<std::int64_t>(r.bits));
                result.push_back(fmt::format("{}={} {}", r.address, number, to_text(r.quality)));
            }
        }
        taken.clear();
        return result;
    }
    bool full = false;
    std::vector<ReadingBatch> taken;

private:
    std::vector<flow::Settled> settled_;
    std::vector<Task> ready_;
};

class ModbusAdapter : public ::testing::Test {
protected:
    /// Device 1000 has no spread (its id times 37 is a multiple of 200), so polls are on the full second.
    DeviceConfig config(std::vector<Register> registers, std::uint64_t id = 1000) {
        DeviceConfig result{.device = DeviceId(id), .name = "Filler" + (id == 1000 ? "" : std::to_string(id))};
        result.settings.address = {"plc", 502};
        result.settings.timeout = 200ms;
        for (std::size_t i = 0; i < registers.size(); ++i) result.tags.push_back(TagId(100 + i));
        result.settings.registers = std::move(registers);
        return result;
    }
    static Register reg(std::string name, std::uint16_t address, RegisterType type = RegisterType::UInt16) {
        return {.name = std::move(name), .address = address, .type = type};
    }
    CommandResult write(TagId tag, Value value, Duration within = 5s) {
        std::optional<CommandResult> result;
        adapter->write(DeviceId(1000), tag, std::move(value), clock.now() + within,
                       [&](CommandResult r) { result = std::move(r); });
        for (int i = 0; i < 100 && !result; ++i) shard.advance(100ms);
        EXPECT_TRUE(result);
        return result.value_or(CommandResult{});
    }

    ManualClock clock;
    ManualShard shard{clock};
    FakePlc plc{shard};
    KeptReadings sink;
    std::unique_ptr<Adapter> adapter = Adapter::create(shard, plc, sink).value();
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_F(ModbusAdapter, PollsAndSaysWhoSpeaks) {
    plc.holding[0] = 215;
    Register temperature = reg("temperature", 0, RegisterType::Int16);
    temperature.scale = 0.1;
    temperature.unit = "Cel";
    adapter->apply({config({temperature, reg("count", 1)})});
    shard.advance(1ms);
    ASSERT_EQ(sink.taken.size(), 1U);
    const ReadingBatch& batch = sink.taken[0];
    EXPECT_EQ(batch.source, "modbus/Filler");
    EXPECT_EQ(batch.readings[0].device, "Filler");
    EXPECT_EQ(batch.readings[0].tag, TagId(100));
    EXPECT_EQ(batch.readings[0].unit, "Cel");
    EXPECT_EQ(batch.readings[1].type, ValueType::Int);
    EXPECT_EQ(sink.lines(), (Lines{"temperature=21.5 Good", "count=1 Good"}));
    shard.advance(3s);
    EXPECT_EQ(sink.lines().size(), 6U);
    EXPECT_EQ(plc.requests.size(), 4U);
    EXPECT_EQ(adapter->status(DeviceId(1000))->state, DeviceState::Connected);
    EXPECT_EQ(adapter->status().size(), 1U);
}

TEST_F(ModbusAdapter, KeepsTheCeilingOfRequestsPerSecond) {
    std::vector<Register> registers;
    for (std::uint16_t i = 0; i < 20; ++i)
        registers.push_back(reg("r" + std::to_string(i), static_cast<std::uint16_t>(i * 40)));
    registers[0].writable = true;
    DeviceConfig device = config(registers);
    device.settings.requests_per_second_max = 5;
    device.settings.poll = 100ms;
    adapter->apply({device});
    // Commands are under the same ceiling.
    shard.advance(5s);
    for (int i = 0; i < 10; ++i) write(TagId(100), std::int64_t{i});
    shard.advance(10s);
    plc.cut();
    shard.advance(10s);
    ASSERT_GT(plc.asked.size(), 100U);
    for (const Instant begin : plc.asked) {
        const auto count =
            std::ranges::count_if(plc.asked, [&](Instant at) { return at >= begin && at < begin + 1s; });
        ASSERT_LE(count, 5);
    }
    EXPECT_GT(adapter->status(DeviceId(1000))->cycles_missed, 0U);
    EXPECT_NEAR(adapter->status(DeviceId(1000))->requests_per_second, 5, 1);
}

TEST_F(ModbusAdapter, SilenceIsBadOnceACycle) {
    adapter->apply({config({reg("a", 0), reg("b", 500)})});
    shard.advance(1500ms);
    sink.lines();
    plc.silent = true;
    shard.advance(1s);
    EXPECT_EQ(sink.lines(), (Lines{"a=nan BadNoCommunication", "b=nan BadNoCommunication"}));
    shard.advance(4s);
    EXPECT_EQ(sink.lines().size(), 8U);
    const auto status = adapter->status(DeviceId(1000));
    EXPECT_EQ(status->state, DeviceState::Failed);
    EXPECT_NE(status->detail.find("unit"), std::string::npos);
    EXPECT_GE(status->timeouts, 3U);
    plc.silent = false;
    shard.advance(3s);
    EXPECT_EQ(sink.lines().back(), "b=500 Good");
    EXPECT_EQ(adapter->status(DeviceId(1000))->state, DeviceState::Connected);
    EXPECT_TRUE(adapter->status(DeviceId(1000))->detail.empty());
}

TEST_F(ModbusAdapter, ReconnectsForEverWithGrowingPauses) {
    plc.link = FakePlc::Link::Refuses;
    adapter->apply({config({reg("a", 0)})});
    shard.advance(10ms);
    EXPECT_EQ(plc.connects, 1);
    EXPECT_EQ(adapter->status(DeviceId(1000))->state, DeviceState::Failed);
    EXPECT_NE(adapter->status(DeviceId(1000))->detail.find("Check address"), std::string::npos);
    shard.advance(500ms);
    EXPECT_EQ(plc.connects, 2);
    shard.advance(1s);
    EXPECT_EQ(plc.connects, 3);
    shard.advance(600s);
    const int before = plc.connects;
    shard.advance(3000s);
    EXPECT_EQ(plc.connects - before, 100);  // Every 30 s.
    sink.lines();
    plc.link = FakePlc::Link::Up;
    shard.advance(31s);
    EXPECT_EQ(sink.lines().back(), "a=0 Good");
}

TEST_F(ModbusAdapter, ANewConnectionAfterACutIsQuick) {
    adapter->apply({config({reg("a", 0)})});
    shard.advance(1500ms);
    sink.lines();
    plc.cut();
    shard.advance(3s);
    EXPECT_EQ(sink.lines().back(), "a=0 Good");
    EXPECT_EQ(plc.connects, 2);
    EXPECT_EQ(adapter->status(DeviceId(1000))->connection_failures, 1U);
}

TEST_F(ModbusAdapter, ABadAddressDoesNotCostTheGoodOnes) {
    plc.bad[3] = mb::Exception::IllegalDataAddress;
    adapter->apply({config({reg("a", 0), reg("b", 1), reg("c", 3), reg("d", 5), reg("e", 6)})});
    shard.advance(500ms);
    const Lines lines = sink.lines();
    EXPECT_EQ(
        (std::map<std::string, int>{
            {"good", static_cast<int>(std::ranges::count_if(lines, [](auto& l) { return l.ends_with("Good"); }))},
            {"bad", static_cast<int>(std::ranges::count(lines, "c=nan BadConfigurationError"))}}),
        (std::map<std::string, int>{{"good", 4}, {"bad", static_cast<int>(lines.size()) - 4}}));
    ASSERT_EQ(lines.size(), 5U);
    const auto status = adapter->status(DeviceId(1000));
    ASSERT_EQ(status->faults.size(), 1U);
    EXPECT_EQ(status->faults[0].name, "c");
    EXPECT_EQ(status->state, DeviceState::Connected);
    shard.advance(1s);
    EXPECT_EQ(sink.lines().size(), 5U);
    plc.bad.clear();
    shard.advance(1s);
    EXPECT_TRUE(adapter->status(DeviceId(1000))->faults.empty());
}

TEST_F(ModbusAdapter, ExceptionsBecomeQuality) {
    adapter->apply({config({reg("a", 0)})});
    const std::pair<mb::Exception, Quality> expected[] = {
        {mb::Exception::IllegalFunction, Quality::bad_configuration},
        {mb::Exception::ServerDeviceFailure, Quality::bad_device_failure},
        {mb::Exception::ServerDeviceBusy, Quality::bad_device_failure},
        {mb::Exception::GatewayTargetSilent, Quality::bad_no_communication},
    };
    for (const auto& [exception, quality] : expected) {
        shard.advance(1s);
        sink.taken.clear();
        plc.bad[0] = exception;
        shard.advance(1s);
        ASSERT_EQ(sink.taken.size(), 1U);
        EXPECT_EQ(sink.taken[0].readings[0].quality, quality) << mb::to_text(exception);
    }
}

TEST_F(ModbusAdapter, ANumberThatIsNoneIsASensorFailure) {
    plc.holding[0] = 0x7FC0;
    plc.holding[1] = 0;
    adapter->apply({config({reg("flow", 0, RegisterType::Float32)})});
    shard.advance(10ms);
    EXPECT_EQ(sink.lines(), (Lines{"flow=nan BadSensorFailure"}));
}

TEST_F(ModbusAdapter, WrongAnswersNeverBecomeValues) {
    adapter->apply({config({reg("a", 7)})});
    shard.advance(1100ms);
    sink.lines();
    const std::pair<const char*, std::function<void(Bytes&)>> spoilers[] = {
        {"transaction", [](Bytes& b) { b[1] = static_cast<std::byte>(static_cast<unsigned>(b[1]) ^ 0x40U); }},
        {"unit", [](Bytes& b) { b[6] = std::byte{99}; }},
        {"function", [](Bytes& b) { b[7] = std::byte{4}; }},
        {"count", [](Bytes& b) { b[8] = std::byte{4}; }},
        {"protocol", [](Bytes& b) { b[2] = std::byte{1}; }},
        {"length", [](Bytes& b) { b[4] = std::byte{1}; }},
        {"short", [](Bytes& b) { b.pop_back(); }},
        {"longer", [](Bytes& b) { b.push_back(std::byte{0}), b[5] = std::byte{6}; }},
    };
    for (const auto& [what, spoiler] : spoilers) {
        plc.spoil = spoiler;
        shard.advance(2s);
        for (const std::string& line : sink.lines()) EXPECT_EQ(line, "a=nan BadNoCommunication") << what;
        plc.spoil = nullptr;
        shard.advance(3s);
        EXPECT_EQ(sink.lines().back(), "a=7 Good") << what;
    }
    const auto status = adapter->status(DeviceId(1000));
    EXPECT_GT(status->malformed, 0U);
    EXPECT_GT(status->strays, 0U);
}

TEST_F(ModbusAdapter, AHostileServerNeverGetsAValueThrough) {
    // Two thousand reads through every fault at random; the value of register i is i, always.
    Random random(7);
    plc.spoil = [&](Bytes& bytes) {
        const std::uint64_t dice = random.below(6);
        if (dice == 0) bytes[random.below(9)] = static_cast<std::byte>(random.next());
        if (dice == 1) bytes.resize(bytes.size() - random.below(bytes.size()));
        if (dice == 2) bytes.insert(bytes.end(), 3, std::byte{0});
    };
    DeviceConfig device = config({reg("a", 7), reg("b", 300)});
    device.settings.poll = 100ms;
    device.settings.requests_per_second_max = 1000;
    adapter->apply({device});
    std::size_t good = 0;
    for (int i = 0; i < 100; ++i) {
        plc.delay = Duration(static_cast<std::int64_t>(random.below(300)) * 1'000'000);
        plc.split = random.below(2) == 0;
        shard.advance(2s);
        for (const std::string& line : sink.lines()) {
            ASSERT_TRUE(line == "a=7 Good" || line == "b=300 Good" || line.ends_with("BadNoCommunication") ||
                        line.ends_with("BadDeviceFailure") || line.ends_with("BadConfigurationError"))
                << line;
            good += line.ends_with("Good");
        }
    }
    EXPECT_GT(good, 100U);
    plc.spoil = nullptr;
    plc.delay = 0ns;
    shard.advance(40s);
    EXPECT_EQ(adapter->status(DeviceId(1000))->state, DeviceState::Connected);
}

TEST_F(ModbusAdapter, ALateAnswerIsDropped) {
    plc.delay = 250ms;
    adapter->apply({config({reg("a", 7)})});
    shard.advance(2s);
    for (const std::string& line : sink.lines()) EXPECT_EQ(line, "a=nan BadNoCommunication");
    EXPECT_GT(adapter->status(DeviceId(1000))->strays, 0U);
}

TEST_F(ModbusAdapter, AnswersMayComeByteByByte) {
    plc.split = true;
    adapter->apply({config({reg("a", 7), reg("b", 8, RegisterType::Int32)})});
    shard.advance(10ms);
    EXPECT_EQ(sink.lines(), (Lines{"a=7 Good", "b=524297 Good"}));
}

TEST_F(ModbusAdapter, AFullSinkSlowsPollingAndLosesNothingTaken) {
    adapter->apply({config({reg("a", 7)})});
    shard.advance(10ms);
    sink.lines();
    sink.full = true;
    shard.advance(10s);
    EXPECT_EQ(plc.requests.size(), 2U);
    sink.make_room();
    shard.advance(1s);
    EXPECT_EQ(sink.lines().size(), 3U);  // The one that waited, the one overdue, the next on the grid.
}

TEST_F(ModbusAdapter, ChangesOnlyWhatHasChanged) {
    adapter->apply({config({reg("a", 7)}, 1000), config({reg("a", 7)}, 2000)});
    shard.advance(1500ms);
    EXPECT_EQ(plc.connects, 2);
    DeviceConfig changed = config({reg("a", 8)}, 2000);
    DeviceConfig same = config({reg("a", 7)}, 1000);
    same.tags = {TagId(555)};
    adapter->apply({same, changed, config({reg("x", 1)}, 3000)});
    shard.advance(10ms);
    EXPECT_EQ(plc.connects, 4);
    EXPECT_EQ(plc.open_connections(), 3U);
    sink.taken.clear();
    shard.advance(1s);
    bool seen = false;
    for (const ReadingBatch& batch : sink.taken) seen = seen || batch.readings[0].tag == TagId(555);
    EXPECT_TRUE(seen);
    adapter->apply({});
    EXPECT_EQ(plc.open_connections(), 0U);
    sink.taken.clear();
    shard.advance(5s);
    EXPECT_TRUE(sink.taken.empty());
    EXPECT_TRUE(adapter->status().empty());
}

TEST_F(ModbusAdapter, WritesAndReadsBack) {
    Register setpoint = reg("setpoint", 10, RegisterType::Int16);
    setpoint.scale = 0.1;
    setpoint.writable = true;
    Register total = reg("total", 20, RegisterType::Float32);
    total.writable = true;
    Register valve = {
        .name = "valve", .table = Table::Coil, .address = 3, .type = RegisterType::Bool, .writable = true};
    adapter->apply({config({setpoint, total, valve})});
    shard.advance(10ms);

    EXPECT_EQ(write(TagId(100), 12.34).outcome, CommandOutcome::Written);
    EXPECT_EQ(plc.holding[10], 123);
    EXPECT_EQ(write(TagId(101), 1.5).outcome, CommandOutcome::Written);
    EXPECT_EQ(plc.holding[20], 0x3FC0);
    EXPECT_EQ(write(TagId(102), true).outcome, CommandOutcome::Written);
    EXPECT_TRUE(plc.coils[3]);
    std::vector<mb::Function> functions;
    for (const mb::Request& request : plc.requests) {
        if (request.function != mb::Function::ReadHoldingRegisters && request.function != mb::Function::ReadCoils)
            functions.push_back(request.function);
    }
    EXPECT_EQ(functions, (std::vector{mb::Function::WriteSingleRegister, mb::Function::WriteMultipleRegisters,
                                      mb::Function::WriteSingleCoil}));
}

TEST_F(ModbusAdapter, RefusesToWriteWhatItMustNot) {
    Register setpoint = reg("setpoint", 10, RegisterType::Int16);
    setpoint.writable = true;
    adapter->apply({config({setpoint, reg("fixed", 11)})});
    shard.advance(10ms);
    EXPECT_EQ(write(TagId(101), 1.0).outcome, CommandOutcome::Refused);
    EXPECT_EQ(write(TagId(999), 1.0).outcome, CommandOutcome::Refused);
    EXPECT_EQ(write(TagId(), 1.0).outcome, CommandOutcome::Refused);
    EXPECT_EQ(write(TagId(100), 40'000.0).outcome, CommandOutcome::Refused);
    EXPECT_EQ(write(TagId(100), std::string("fast")).outcome, CommandOutcome::Refused);
    for (const mb::Request& request : plc.requests) EXPECT_EQ(request.function, mb::Function::ReadHoldingRegisters);
}

TEST_F(ModbusAdapter, ADeviceThatKnowsOnlyThePluralFunctions) {
    plc.knows_single_writes = false;
    Register setpoint = reg("setpoint", 10);
    setpoint.writable = true;
    adapter->apply({config({setpoint})});
    shard.advance(10ms);
    EXPECT_EQ(write(TagId(100), 5.0).outcome, CommandOutcome::Written);
    EXPECT_EQ(plc.holding[10], 5);
}

TEST_F(ModbusAdapter, ACommandIsNeverReplayedAfterAReconnect) {
    Register setpoint = reg("setpoint", 10);
    setpoint.writable = true;
    adapter->apply({config({setpoint})});
    shard.advance(10ms);
    plc.silent = true;
    const CommandResult silent = write(TagId(100), 5.0);
    EXPECT_EQ(silent.outcome, CommandOutcome::TimedOut);
    plc.cut();
    plc.link = FakePlc::Link::Refuses;
    shard.advance(10ms);
    EXPECT_EQ(write(TagId(100), 6.0).outcome, CommandOutcome::Failed);
    plc.silent = false;
    plc.link = FakePlc::Link::Up;
    plc.requests.clear();
    shard.advance(60s);
    EXPECT_FALSE(plc.requests.empty());
    for (const mb::Request& request : plc.requests) EXPECT_EQ(request.function, mb::Function::ReadHoldingRegisters);
}

TEST_F(ModbusAdapter, ADeviceThatKeepsAnotherValueIsFoundOut) {
    Register setpoint = reg("setpoint", 10);
    setpoint.writable = true;
    adapter->apply({config({setpoint})});
    shard.advance(10ms);
    plc.spoil = [](Bytes& bytes) {
        if (bytes[7] == std::byte{3}) bytes.back() = std::byte{1};
    };
    EXPECT_EQ(write(TagId(100), 5.0).outcome, CommandOutcome::Failed);
    plc.spoil = nullptr;
    plc.bad[10] = mb::Exception::ServerDeviceFailure;
    EXPECT_EQ(write(TagId(100), 5.0).outcome, CommandOutcome::Failed);
}

TEST_F(ModbusAdapter, ACommandPastItsDeadlineIsNotSent) {
    Register setpoint = reg("setpoint", 10);
    setpoint.writable = true;
    DeviceConfig device = config({setpoint});
    device.settings.requests_per_second_max = 0.5;
    adapter->apply({device});
    shard.advance(10ms);
    EXPECT_EQ(write(TagId(100), 5.0, 500ms).outcome, CommandOutcome::TimedOut);
    EXPECT_FALSE(plc.holding.contains(10));
}

TEST_F(ModbusAdapter, CommandsOfAStoppedDeviceFail) {
    Register setpoint = reg("setpoint", 10);
    setpoint.writable = true;
    adapter->apply({config({setpoint})});
    shard.advance(10ms);
    std::optional<CommandResult> result;
    adapter->write(DeviceId(1000), TagId(100), 1.0, clock.now() + 5s, [&](CommandResult r) { result = r; });
    adapter->apply({});
    shard.run();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, CommandOutcome::Failed);
    EXPECT_EQ(write(TagId(100), 1.0).outcome, CommandOutcome::Refused);
}

TEST_F(ModbusAdapter, TestsAConnection) {
    const auto test = [&] {
        std::optional<TestResult> result;
        adapter->test_connection({"10.0.0.5", 502}, 1, 500ms, [&](TestResult r) { result = std::move(r); });
        shard.advance(5s);
        EXPECT_TRUE(result);
        return result.value_or(TestResult{});
    };
    plc.delay = 3ms;
    const TestResult good = test();
    EXPECT_TRUE(good.ok) << good.detail;
    EXPECT_EQ(good.latency, 3ms);
    EXPECT_EQ(good.tried.size(), 2U);
    plc.bad[0] = mb::Exception::IllegalDataAddress;
    EXPECT_TRUE(test().ok);
    plc.bad[0] = mb::Exception::GatewayTargetSilent;
    EXPECT_FALSE(test().ok);
    plc.silent = true;
    const TestResult silent = test();
    EXPECT_FALSE(silent.ok);
    EXPECT_NE(silent.detail.find("unit"), std::string::npos);
    plc.silent = false;
    plc.spoil = [](Bytes& bytes) { bytes[2] = std::byte{9}; };
    EXPECT_NE(test().detail.find("not in Modbus TCP"), std::string::npos);
    plc.link = FakePlc::Link::Swallows;
    EXPECT_NE(test().detail.find("cannot connect"), std::string::npos);
    EXPECT_EQ(plc.open_connections(), 0U);
}

TEST_F(ModbusAdapter, ReadsOnceForAPreview) {
    plc.bad[2] = mb::Exception::IllegalDataAddress;
    std::optional<Result<std::vector<PreviewValue>>> result;
    const auto done = [&](Result<std::vector<PreviewValue>> r) { result = std::move(r); };
    adapter->read_once({"plc", 502}, 1, 500ms, {reg("a", 1), reg("b", 2), reg("c", 3, RegisterType::Int32)}, done);
    shard.advance(1s);
    ASSERT_TRUE(result && *result);
    const auto& values = **result;
    EXPECT_EQ(values[0].value, Value(std::int64_t{1}));
    EXPECT_EQ(values[0].raw, "0x0001");
    EXPECT_EQ(values[1].error, "illegal data address (2)");
    EXPECT_EQ(values[2].raw, "0x00030004");
    plc.silent = true;
    adapter->read_once({"plc", 502}, 1, 500ms, {reg("a", 1)}, done);
    shard.advance(1s);
    EXPECT_EQ(result->error().code(), ErrorCode::Timeout);
    adapter->read_once({"plc", 502}, 1, 500ms, std::vector<Register>(501, reg("a", 1)), done);
    shard.advance(1s);
    EXPECT_EQ(result->error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(plc.open_connections(), 0U);
}
