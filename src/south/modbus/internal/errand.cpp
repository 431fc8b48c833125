#include "south/modbus/internal/errand.h"

#include <cmath>
#include <deque>

#include <fmt/format.h>

#include "south/modbus/register_value.h"

namespace lineshaft::modbus {
namespace {

using wire::modbus::Exception;
using wire::modbus::Function;
using wire::modbus::Request;
using wire::modbus::Response;

std::string milliseconds(Duration duration) {
    return fmt::format("{:.1f} ms", static_cast<double>(duration.count()) / 1e6);
}

class Test final : public Errand {
public:
    Test(Shard& shard, Network& network, ErrandTarget target, OnTested done)
        : shard_(shard),
          target_(std::move(target)),
          done_(std::move(done)),
          connection_(shard, network, [this](const Error& why) { on_ended(why); }) {
        started_ = shard_.now();
        connection_.open(target_.endpoint, target_.timeout,
                         [this](Result<void> result) { on_connected(std::move(result)); });
    }

private:
    void on_connected(Result<void> result) {
        const std::string where = to_text(target_.endpoint);
        if (!result) {
            result_.tried.push_back(fmt::format("connect {}: {}", where, result.error().message()));
            return end(
                false,
                fmt::format("cannot connect to {}: {} Check address and port (Modbus is 502), cable and firewall.",
                            where, result.error().message()));
        }
        result_.tried.push_back(
            fmt::format("connect {}: connected in {}", where, milliseconds(shard_.now() - started_)));
        ask(Function::ReadHoldingRegisters);
    }

    void ask(Function function) {
        started_ = shard_.now();
        const Request request{.unit = target_.unit, .function = function, .address = 0, .count = 1};
        connection_.ask(request, target_.timeout,
                        [this, function](Result<Response> response) { on_answer(function, std::move(response)); });
    }

    void on_answer(Function function, Result<Response> response) {
        const std::string what = fmt::format("unit {}, {}", target_.unit, wire::modbus::to_text(function));
        if (!response) {
            result_.tried.push_back(fmt::format("{}: {}", what, response.error().message()));
            if (response.error().code() != ErrorCode::Timeout) return on_ended(response.error());
            if (function == Function::ReadHoldingRegisters) return ask(Function::ReadInputRegisters);
            return end(
                false,
                fmt::format("{} accepts the connection, but unit {} does not answer: check the unit id (often 1, "
                            "255 or 0) and whether another master holds the device's only connection",
                            to_text(target_.endpoint), target_.unit));
        }
        result_.latency = shard_.now() - started_;
        result_.tried.push_back(fmt::format(
            "{}: {} in {}", what, response->exception ? wire::modbus::to_text(*response->exception) : "answered",
            milliseconds(result_.latency)));
        if (response->exception == Exception::GatewayTargetSilent ||
            response->exception == Exception::GatewayPathUnavailable) {
            return end(
                false,
                fmt::format("the gateway answers, but the device behind it does not ({}): check the unit id {}, "
                            "the serial cable and the power of the device",
                            wire::modbus::to_text(*response->exception), target_.unit));
        }
        // A refusal of register 0 is an answer too: somebody is home.
        end(true, fmt::format("unit {} answers in {}", target_.unit, milliseconds(result_.latency)));
    }

    void on_ended(const Error& why) {
        if (why.code() == ErrorCode::Malformed) {
            return end(
                false,
                fmt::format("{} answers, but not in Modbus TCP ({}): check the port and that the device is not set "
                            "to Modbus RTU over TCP",
                            to_text(target_.endpoint), why.detail()));
        }
        end(false,
            fmt::format("{} closed the connection ({}): it may allow fewer clients than try, or only known addresses",
                        to_text(target_.endpoint), why.detail()));
    }

    void end(bool ok, std::string detail) {
        connection_.drop();
        if (!done_) return;
        result_.ok = ok;
        result_.detail = std::move(detail);
        std::exchange(done_, nullptr)(std::move(result_));
    }

    Shard& shard_;
    const ErrandTarget target_;
    OnTested done_;
    Connection connection_;
    Instant started_;
    TestResult result_;
};

class Read final : public Errand {
public:
    Read(Shard& shard, Network& network, ErrandTarget target, std::vector<Register> registers, OnPreview done)
        : target_(std::move(target)),
          registers_(std::move(registers)),
          done_(std::move(done)),
          connection_(shard, network, [this](const Error& why) { end(why); }) {
        for (const Register& reg : registers_) values_.push_back({.name = reg.name});
        for (Block& block : make_plan(registers_, 1s, 8)) blocks_.push_back(std::move(block));
        connection_.open(target_.endpoint, target_.timeout, [this](Result<void> result) {
            if (!result) return end(result.error());
            ask();
        });
    }

private:
    void ask() {
        if (blocks_.empty()) return end(std::nullopt);
        connection_.ask(request_of(blocks_.front(), target_.unit), target_.timeout,
                        [this](Result<Response> response) { on_answer(std::move(response)); });
    }

    void on_answer(Result<Response> response) {
        const Block block = std::move(blocks_.front());
        blocks_.pop_front();
        if (!response) {
            // A device that stays silent once will be silent again: the user waits for one timeout, not for fifty.
            return end(response.error());
        }
        if (!response->exception) {
            for (const std::uint32_t index : block.registers)
                take(index, words_in(block, registers_[index], *response));
        } else if (block.registers.size() > 1) {
            auto [first, second] = split(block, registers_);
            blocks_.push_front(std::move(second));
            blocks_.push_front(std::move(first));
        } else {
            values_[block.registers[0]].error = wire::modbus::to_text(*response->exception);
        }
        ask();
    }

    void take(std::uint32_t index, const std::vector<std::uint16_t>& words) {
        PreviewValue& value = values_[index];
        value.raw = raw_text(words);
        value.value = decode_value(registers_[index], words);
        const double* number = std::get_if<double>(&*value.value);
        if (number && !std::isfinite(*number)) {
            value.value.reset();
            value.error = "not a number: check type and word order";
        }
    }

    /// With what is known so far, unless nothing is.
    void end(std::optional<Error> why) {
        connection_.drop();
        if (!done_) return;
        auto done = std::exchange(done_, nullptr);
        bool any = registers_.empty();
        for (PreviewValue& value : values_) {
            const bool known = value.value || !value.error.empty();
            any = any || known;
            if (!known && why) value.error = why->message();
        }
        if (why && !any) return done(std::unexpected(*std::move(why)));
        done(std::move(values_));
    }

    const ErrandTarget target_;
    const std::vector<Register> registers_;
    OnPreview done_;
    Connection connection_;
    std::deque<Block> blocks_;
    std::vector<PreviewValue> values_;
};

}  // namespace

std::unique_ptr<Errand> start_test(Shard& shard, Network& network, ErrandTarget target, OnTested done) {
    return std::make_unique<Test>(shard, network, std::move(target), std::move(done));
}

std::unique_ptr<Errand> start_read(Shard& shard, Network& network, ErrandTarget target,
                                   std::vector<Register> registers, OnPreview done) {
    return std::make_unique<Read>(shard, network, std::move(target), std::move(registers), std::move(done));
}

}  // namespace lineshaft::modbus
