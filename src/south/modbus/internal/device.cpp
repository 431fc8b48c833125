#include "south/modbus/internal/device.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "south/modbus/register_value.h"

namespace lineshaft::modbus {
namespace {

using wire::modbus::Exception;
using wire::modbus::Response;

constexpr Duration backoff_min = 500ms;
constexpr Duration backoff_max = 30s;
/// After so many timeouts in a row the connection itself is doubted.
constexpr int silences_max = 3;
constexpr Duration rate_window = 10s;

Counter requests_total{"lineshaft_modbus_requests_total", "", "Requests sent to Modbus devices"};
Counter timeouts_total{"lineshaft_modbus_timeouts_total", "", "Modbus requests without an answer in time"};
Counter exceptions_total{"lineshaft_modbus_exceptions_total", "", "Modbus requests refused by the device"};
Counter malformed_total{"lineshaft_modbus_malformed_total", "", "Modbus answers that did not match their request"};

/// Devices that were set up together are not all asked in the same millisecond.
Duration spread_of(DeviceId device) {
    return Duration(static_cast<std::int64_t>(device.value() * 37 % 200) * 1'000'000);
}

Quality quality_of(Exception exception) {
    switch (exception) {
        case Exception::IllegalFunction:
        case Exception::IllegalDataAddress:
        case Exception::IllegalDataValue: return Quality::bad_configuration;
        case Exception::GatewayPathUnavailable:
        case Exception::GatewayTargetSilent: return Quality::bad_no_communication;
        default: return Quality::bad_device_failure;
    }
}

std::string_view remedy_of(Exception exception) {
    switch (exception) {
        case Exception::IllegalFunction:
            return "the device does not know this table: try input instead of holding or the other way round";
        case Exception::IllegalDataAddress:
            return "check address and type against the manual (addresses count from 0)";
        case Exception::IllegalDataValue: return "check the type and the number of registers against the manual";
        case Exception::GatewayPathUnavailable: return "check the routing table of the gateway";
        case Exception::GatewayTargetSilent:
            return "check the unit id, the serial cable and the power of the device behind the gateway";
        default: return "check the device itself";
    }
}

bool is_split_by(Exception exception) {
    return exception == Exception::IllegalDataAddress || exception == Exception::IllegalDataValue;
}

bool is_not_a_number(const Value& value) {
    const double* number = std::get_if<double>(&value);
    return number && !std::isfinite(*number);
}

}  // namespace

Device::Device(Shard& shard, Network& network, flow::ReadingSink& sink, flow::SourceLedger* ledger,
               DeviceConfig config)
    : shard_(shard),
      sink_(sink),
      ledger_(ledger),
      config_(std::move(config)),
      poller_(config_.settings.requests_per_second_max),
      connection_(shard, network, [this](const Error& why) { on_lost(why); }),
      backoff_(backoff_min),
      window_start_(shard.now()) {
    make_blocks(shard_.now() + spread_of(config_.device));
    status_.device = config_.device;
    status_.name = config_.name;
    set_state(DeviceState::Connecting, {});
    connect();
}

Device::~Device() {
    if (ledger_) ledger_->disconnected(config_.tenant, "modbus/" + config_.name);
    end_all_commands(CommandOutcome::Failed, "the device was stopped or its settings were changed");
}

void Device::make_blocks(Instant first) {
    const DeviceSettings& settings = config_.settings;
    blocks_.clear();
    poller_.clear();
    is_split_ = false;
    for (Block& block : make_plan(settings.registers, settings.poll, settings.gap_max)) {
        poller_.add(block.period, first);
        blocks_.push_back({std::move(block), {}});
    }
}

// --- the connection

void Device::connect() {
    ASSERT(!connecting_ && !connection_.is_open());
    connecting_ = true;
    // A plant network that needs longer than 3 s to connect is as good as down.
    const Duration timeout = std::max<Duration>(config_.settings.timeout, 3s);
    connection_.open(config_.settings.address, timeout,
                     [this](Result<void> result) { on_connected(std::move(result)); });
}

void Device::on_connected(Result<void> result) {
    connecting_ = false;
    if (!result) {
        ++status_.connection_failures;
        back_off(fmt::format(
            "cannot connect to {}: {}. Check address, port, cable and firewall; `lineshaft doctor net {}` "
            "tests it",
            to_text(config_.settings.address), result.error().message(), to_text(config_.settings.address)));
        return;
    }
    silences_ = 0;
    // What was refused while the device started may be good now.
    if (is_split_) make_blocks(shard_.now());
    // A device that connects and never answers stays visible as failed.
    if (!is_failing_ || blocks_.empty()) set_state(DeviceState::Connected, {});
    pump();
}

void Device::on_lost(const Error& why) {
    ++status_.connection_failures;
    back_off(fmt::format("the connection ended: {}", why.detail().empty() ? why.message() : why.detail()));
}

void Device::back_off(std::string detail) {
    connection_.drop();
    is_failing_ = true;
    set_state(DeviceState::Failed, std::move(detail));
    end_all_commands(CommandOutcome::Failed, "the connection to the device was lost; the command is not repeated");
    retry_ = shard_.after(backoff_, [this] { connect(); });
    backoff_ = std::min(backoff_ * 2, backoff_max);
    pump();
}

void Device::set_state(DeviceState state, std::string detail) {
    if (status_.state != state || status_.since.is_none()) status_.since = shard_.utc_now();
    if (ledger_ && status_.state != state) {
        if (state == DeviceState::Connected)
            ledger_->connected(config_.tenant, "modbus/" + config_.name);
        else if (state == DeviceState::Failed)
            ledger_->disconnected(config_.tenant, "modbus/" + config_.name);
    }
    status_.state = state;
    status_.detail = std::move(detail);
}

// --- what to do next

void Device::pump() {
    expire_commands();
    const Instant now = shard_.now();
    if (!connection_.is_open()) {
        // Before the very first attempt has ended nothing is known, so nothing is bad yet.
        if (!is_failing_ || blocks_.empty() || !waiting_.empty()) return;
        fail_due_blocks();
        return wake_at(*poller_.next_due());
    }
    if (connection_.is_busy()) return;
    if (!commands_.empty()) {
        if (!poller_.may_ask(now)) return wake_at(poller_.next_slot());
        return ask_command();
    }
    // While a batch waits, the sink calls when there is room.
    if (blocks_.empty() || !waiting_.empty()) return;
    const Instant next = std::max(*poller_.next_due(), poller_.next_slot());
    if (next > now) return wake_at(next);
    ask_block(*poller_.due(now));
}

void Device::expire_commands() {
    const Instant now = shard_.now();
    while (!commands_.empty() && !commands_.front().sent && commands_.front().deadline <= now) {
        end_command(CommandOutcome::TimedOut, "the device was busy until the deadline; nothing was written");
    }
}

void Device::fail_due_blocks() {
    const Instant now = shard_.now();
    for (const std::size_t index : poller_.all_due(now)) {
        poller_.serve(index, now);
        emit_bad(blocks_[index].block, Quality::bad_no_communication);
    }
}

void Device::wake_at(Instant when) {
    wake_ = shard_.after(std::max<Duration>(when - shard_.now(), 0ns), [this] { pump(); });
}

// --- polling

void Device::ask(wire::modbus::Request request, Connection::OnAnswer done) {
    const Instant now = shard_.now();
    ASSERT(poller_.may_ask(now));
    poller_.note_request(now);
    ++status_.requests;
    requests_total.add();
    if (now - window_start_ >= rate_window) {
        const double seconds = static_cast<double>((now - window_start_).count()) / 1e9;
        status_.requests_per_second = static_cast<double>(window_requests_) / seconds;
        window_start_ = now;
        window_requests_ = 0;
    }
    ++window_requests_;
    connection_.ask(std::move(request), config_.settings.timeout,
                    [this, now, done = std::move(done)](Result<Response> response) mutable {
                        if (response) {
                            ++status_.responses;
                            status_.latency = shard_.now() - now;
                            silences_ = 0;
                            backoff_ = backoff_min;
                            is_failing_ = false;
                            set_state(DeviceState::Connected, {});
                        }
                        done(std::move(response));
                    });
}

void Device::ask_block(std::size_t index) {
    poller_.serve(index, shard_.now());
    ask(request_of(blocks_[index].block, config_.settings.unit),
        [this, index](Result<Response> response) { on_block(index, std::move(response)); });
}

void Device::on_block(std::size_t index, Result<Response> response) {
    if (!response) {
        emit_bad(blocks_[index].block, Quality::bad_no_communication);
        on_silence(response.error());
        return;
    }
    if (response->exception) {
        on_block_exception(index, *response->exception);
    } else {
        blocks_[index].fault.clear();
        emit(blocks_[index].block, *response);
    }
    pump();
}

void Device::on_block_exception(std::size_t index, Exception exception) {
    ++status_.exceptions;
    exceptions_total.add();
    Polled& polled = blocks_[index];
    if (is_split_by(exception) && polled.block.registers.size() > 1) {
        is_split_ = true;
        auto [first, second] = split(polled.block, config_.settings.registers);
        polled.block = std::move(first);
        // Both halves are asked at once, so the good registers miss nothing of this cycle.
        const Instant now = shard_.now();
        poller_.hurry(index, now);
        poller_.add(second.period, now);
        blocks_.push_back({std::move(second), {}});
        return;
    }
    polled.fault = fmt::format("{}: {}", wire::modbus::to_text(exception), remedy_of(exception));
    emit_bad(polled.block, quality_of(exception));
}

/// No answer, nonsense, or the connection ended while asking.
void Device::on_silence(const Error& why) {
    const std::string who = fmt::format("{} unit {}", to_text(config_.settings.address), config_.settings.unit);
    if (why.code() == ErrorCode::Timeout) {
        ++status_.timeouts;
        timeouts_total.add();
        const std::string detail =
            fmt::format("{} does not answer within {} ms: check the unit id, or raise timeout_ms", who,
                        config_.settings.timeout / 1ms);
        // What is due as well would only wait as long for nothing.
        fail_due_blocks();
        if (++silences_ >= silences_max) return back_off(detail);
        is_failing_ = true;
        set_state(DeviceState::Failed, detail);
        return pump();
    }
    if (why.code() == ErrorCode::Malformed) {
        ++status_.malformed;
        malformed_total.add();
        return back_off(fmt::format("{} answers what was not asked: {}", who, why.detail()));
    }
    on_lost(why);
}

void Device::emit(const Block& block, const Response& response) {
    ReadingBatch batch = new_batch();
    batch.readings.reserve(block.registers.size());
    for (const std::uint32_t index : block.registers) {
        const Register& reg = config_.settings.registers[index];
        const Value value = decode_value(reg, words_in(block, reg, response));
        // Instruments say "not a number" when a sensor is broken or not connected.
        add_reading(batch, index, value, is_not_a_number(value) ? Quality::bad_sensor_failure : Quality::good);
    }
    offer(std::move(batch));
}

void Device::emit_bad(const Block& block, Quality quality) {
    ReadingBatch batch = new_batch();
    for (const std::uint32_t index : block.registers) {
        add_reading(batch, index, std::numeric_limits<double>::quiet_NaN(), quality);
    }
    offer(std::move(batch));
}

ReadingBatch Device::new_batch() const {
    ReadingBatch batch;
    batch.tenant = config_.tenant;
    batch.source = "modbus/" + config_.name;
    batch.receive_time = shard_.utc_now();
    return batch;
}

void Device::add_reading(ReadingBatch& batch, std::uint32_t index, const Value& value, Quality quality) {
    const Register& reg = config_.settings.registers[index];
    batch.add(config_.name, reg.name, value, UtcTime(), quality);
    Reading& reading = batch.readings.back();
    if (index < config_.tags.size()) reading.tag = config_.tags[index];
    if (!reg.unit.empty()) reading.unit = batch.keep(reg.unit);
}

void Device::offer(ReadingBatch batch) {
    waiting_.push_back(std::move(batch));
    if (waiting_.size() == 1) offer_waiting();
}

void Device::offer_waiting() {
    while (!waiting_.empty()) {
        flow::Settled settled = [](const Result<void>&) {};
        if (sink_.offer(waiting_.front(), settled) == flow::Took::None) {
            sink_.when_ready([this, life = std::weak_ptr(life_)] {
                if (life.expired()) return;
                offer_waiting();
                pump();
            });
            return;
        }
        waiting_.pop_front();
    }
}

// --- status

DeviceStatus Device::status() const {
    DeviceStatus status = status_;
    const Duration age = shard_.now() - window_start_;
    if (age >= rate_window || status.requests_per_second == 0) {
        const double seconds = std::max(1.0, static_cast<double>(age.count()) / 1e9);
        status.requests_per_second = static_cast<double>(window_requests_) / seconds;
    }
    status.strays = connection_.strays();
    status.cycles_missed = poller_.missed();
    for (const Polled& polled : blocks_) {
        if (polled.fault.empty()) continue;
        for (const std::uint32_t index : polled.block.registers) {
            status.faults.push_back({config_.settings.registers[index].name, polled.fault});
        }
    }
    return status;
}

}  // namespace lineshaft::modbus
