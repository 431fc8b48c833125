/// Writing: one command after another, each ahead of polling, each read back, none ever repeated by itself.
#include <fmt/format.h>

#include "base/assert.h"
#include "south/modbus/internal/device.h"
#include "south/modbus/register_value.h"

namespace lineshaft::modbus {
namespace {

using wire::modbus::Exception;
using wire::modbus::Function;
using wire::modbus::Request;
using wire::modbus::Response;

Request write_request(const Register& reg, const std::vector<std::uint16_t>& words, bool multiple) {
    Request request{.address = reg.address};
    if (reg.table == Table::Coil) {
        request.function = multiple ? Function::WriteMultipleCoils : Function::WriteSingleCoil;
        request.bits = {static_cast<std::uint8_t>(words[0] != 0)};
    } else {
        const bool single = words.size() == 1 && !multiple;
        request.function = single ? Function::WriteSingleRegister : Function::WriteMultipleRegisters;
        request.registers = words;
    }
    return request;
}

Block block_of(std::uint32_t index, const Register& reg) {
    return {.table = reg.table, .address = reg.address, .count = words_of(reg.type), .registers = {index}};
}

}  // namespace

void Device::write(TagId tag, const Value& value, Instant deadline, flow::CommandSink::Done done) {
    const auto refuse = [&](std::string detail) {
        post_outcome(std::move(done), CommandOutcome::Refused, std::move(detail));
    };
    const auto found = std::ranges::find(config_.tags, tag);
    const auto index = static_cast<std::size_t>(found - config_.tags.begin());
    if (tag == TagId() || found == config_.tags.end() || index >= config_.settings.registers.size()) {
        return refuse(fmt::format("device '{}' has no register for this tag", config_.name));
    }
    const Register& reg = config_.settings.registers[index];
    if (!reg.writable) {
        return refuse(fmt::format("register '{}' is not marked as writable in the device's register map", reg.name));
    }
    auto words = encode_value(reg, value);
    if (!words) return refuse(words.error().detail());
    if (commands_.size() >= commands_queued_max) {
        return refuse(fmt::format("{} commands wait for this device already", commands_queued_max));
    }
    if (!connection_.is_open()) {
        const std::string why = status_.detail.empty() ? "it is still connecting" : status_.detail;
        return post_outcome(std::move(done), CommandOutcome::Failed,
                            fmt::format("the device is not connected, nothing was written: {}", why));
    }
    commands_.push_back({.reg = static_cast<std::uint32_t>(index),
                         .words = *std::move(words),
                         .deadline = deadline,
                         .done = std::move(done)});
    // Not from within: the caller may hold more commands, and outcomes come later.
    shard_.post([this, life = std::weak_ptr(life_)] {
        if (!life.expired()) pump();
    });
}

void Device::ask_command() {
    Command& command = commands_.front();
    command.sent = true;
    const Register& reg = config_.settings.registers[command.reg];
    if (command.step == Step::ReadBack) {
        ask(request_of(block_of(command.reg, reg), config_.settings.unit),
            [this](Result<Response> response) { on_read_back(std::move(response)); });
        return;
    }
    Request request = write_request(reg, command.words, command.step == Step::WriteMultiple);
    request.unit = config_.settings.unit;
    ask(std::move(request), [this](Result<Response> response) { on_written(std::move(response)); });
}

void Device::on_written(Result<Response> response) {
    ASSERT(!commands_.empty());
    Command& command = commands_.front();
    if (!response) {
        end_command(
            CommandOutcome::TimedOut,
            "no answer came after the command was sent: whether the device took it is unknown; it is not repeated");
        on_silence(response.error());
        return;
    }
    if (!response->exception) {
        command.step = Step::ReadBack;
    } else if (*response->exception == Exception::IllegalFunction && command.step == Step::Write &&
               command.words.size() == 1) {
        // Some devices know only the plural functions (15, 16).
        command.step = Step::WriteMultiple;
    } else {
        ++status_.exceptions;
        end_command(CommandOutcome::Failed,
                    fmt::format("the device refused: {}", wire::modbus::to_text(*response->exception)));
    }
    pump();
}

void Device::on_read_back(Result<Response> response) {
    ASSERT(!commands_.empty());
    const Command& command = commands_.front();
    const Register& reg = config_.settings.registers[command.reg];
    if (!response) {
        end_command(CommandOutcome::TimedOut, "the device took the command but did not answer when it was read back");
        on_silence(response.error());
        return;
    }
    if (response->exception) {
        end_command(CommandOutcome::Written,
                    fmt::format("written; it cannot be read back: {}", wire::modbus::to_text(*response->exception)));
        return pump();
    }
    const Block block = block_of(command.reg, reg);
    const auto words = words_in(block, reg, *response);
    const std::string value = lineshaft::to_text(decode_value(reg, words));
    emit(block, *response);
    if (words == command.words) {
        end_command(CommandOutcome::Written, fmt::format("written and read back: {}", value));
    } else {
        end_command(CommandOutcome::Failed, fmt::format("the device accepted the command but holds {}", value));
    }
    pump();
}

void Device::end_command(CommandOutcome outcome, std::string detail) {
    Command command = std::move(commands_.front());
    commands_.pop_front();
    post_outcome(std::move(command.done), outcome, std::move(detail));
}

void Device::end_all_commands(CommandOutcome outcome, const std::string& detail) {
    while (!commands_.empty()) end_command(outcome, detail);
}

void Device::post_outcome(flow::CommandSink::Done done, CommandOutcome outcome, std::string detail) {
    shard_.post([done = std::move(done), result = CommandResult{outcome, std::move(detail)}]() mutable {
        done(std::move(result));
    });
}

}  // namespace lineshaft::modbus
