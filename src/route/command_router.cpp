#include "route/command_router.h"

#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"

namespace lineshaft::route {
namespace {

constexpr const char* commands_name = "lineshaft_commands_total";
constexpr const char* commands_help = "Commands to devices, by outcome";
Counter written{commands_name, "outcome=\"written\"", commands_help};
Counter refused{commands_name, "outcome=\"refused\"", commands_help};
Counter failed{commands_name, "outcome=\"failed\"", commands_help};
Counter timed_out{commands_name, "outcome=\"timed_out\"", commands_help};
Counter keys_forgotten{"lineshaft_command_keys_forgotten_total", "",
                       "Idempotency keys forgotten before their day was over"};

void count(CommandOutcome outcome) {
    switch (outcome) {
        case CommandOutcome::Written: return written.add();
        case CommandOutcome::Refused: return refused.add();
        case CommandOutcome::Failed: return failed.add();
        case CommandOutcome::TimedOut: return timed_out.add();
    }
}

CommandResult refusal(std::string detail) { return {CommandOutcome::Refused, std::move(detail)}; }

CommandResult refusal(ErrorCode code, std::string detail) {
    return refusal(Error(code, std::move(detail)).message());
}

void answer(Shard& caller, flow::CommandSink::Done done, CommandResult result) {
    caller.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

bool is_number(ValueType type) { return type == ValueType::Double || type == ValueType::Int; }

/// What the device shall hold so that the tag shows `value`.
/// Errors: TagType, InvalidArgument (outside the tag's range).
Result<Value> to_raw(const registry::Tag& tag, const Value& value) {
    Value typed = TRY(convert(value, tag.type));
    if (!is_number(tag.type)) return typed;
    const double number = to_double(typed);
    if (!std::isfinite(number)) return fail(ErrorCode::InvalidArgument, "the value is not a finite number");
    if ((tag.range_low && number < *tag.range_low) || (tag.range_high && number > *tag.range_high))
        return fail(ErrorCode::InvalidArgument, fmt::format("{} is outside the range of tag '{}'", number, tag.path));
    if (tag.scale == 1 && tag.offset == 0) return typed;
    if (tag.scale == 0) return fail(ErrorCode::InvalidArgument, fmt::format("tag '{}' has scale 0", tag.path));
    return Value((number - tag.offset) / tag.scale);
}

}  // namespace

/// A command on its way: until its target answers, and a while longer when the deadline came first.
struct CommandRouter::Pending {
    KeyName key;  // Empty text: none.
    Shard* caller = nullptr;
    Done done;  // Empty once answered.
    Timer deadline;
};

/// What is known under an idempotency key.
struct CommandRouter::Key {
    struct Caller {
        Shard* shard;
        Done done;
    };
    TagId tag;
    Value value;
    std::optional<CommandResult> result;
    std::vector<Caller> waiting;  // Asked with the same key before there was a result.
};

CommandRouter::CommandRouter(Shard& shard) : shard_(shard), snapshot_(std::make_shared<const registry::Snapshot>()) {}
CommandRouter::~CommandRouter() = default;

void CommandRouter::set_target(std::string protocol, CommandTarget& target) {
    targets_[std::move(protocol)] = &target;
}

void CommandRouter::set_snapshot(SnapshotOf<registry::Snapshot> snapshot) { snapshot_ = std::move(snapshot); }

void CommandRouter::post_command(Shard& caller, Command command, Done done) {
    shard_.post([this, &caller, command = std::move(command), done = std::move(done)]() mutable {
        start(caller, std::move(command), std::move(done));
    });
}

void CommandRouter::start(Shard& caller, Command command, Done done) {
    forget_old_keys();
    const KeyName name(command.tenant, command.idempotency_key);
    const auto known = name.second.empty() ? keys_.end() : keys_.find(name);
    if (known != keys_.end()) return repeat(*known->second, caller, command, std::move(done));

    const registry::Tag* tag = snapshot_->tag(command.tag);
    const registry::Device* device = tag && tag->tenant == command.tenant ? snapshot_->device(tag->device) : nullptr;
    if (auto refused_with = objection(command, tag, device)) {
        count(refused_with->outcome);
        return answer(caller, std::move(done), std::move(*refused_with));
    }
    const std::uint64_t id = next_id_++;
    auto pending = std::make_unique<Pending>();
    pending->caller = &caller;
    pending->done = std::move(done);
    pending->deadline = shard_.after(command.deadline - shard_.now(), [this, id] { expire(id); });
    if (!name.second.empty()) {
        pending->key = name;
        keys_[name] = std::make_unique<Key>(Key{command.tag, command.value, std::nullopt, {}});
        key_ages_.emplace_back(shard_.now(), name);
    }
    pending_[id] = std::move(pending);
    command.value = *to_raw(*tag, command.value);
    targets_[device->protocol]->post_write(shard_, *device, *tag, std::move(command),
                                           [this, id](CommandResult result) { finish(id, std::move(result)); });
}

/// The key was used before: the same command gets the same outcome, another one is refused.
void CommandRouter::repeat(Key& key, Shard& caller, const Command& command, Done done) {
    if (key.tag != command.tag || key.value != command.value)
        return answer(caller, std::move(done), refusal("this idempotency key was used for another command"));
    if (key.result) return answer(caller, std::move(done), *key.result);
    key.waiting.push_back({&caller, std::move(done)});
}

/// Why the command cannot be sent; nothing when it can.
std::optional<CommandResult> CommandRouter::objection(const Command& command, const registry::Tag* tag,
                                                      const registry::Device* device) const {
    if (!device) return refusal(ErrorCode::NotFound, "there is no such tag");
    if (!tag->writable) return refusal(ErrorCode::NotWritable, tag->path);
    if (!targets_.contains(device->protocol))
        return refusal(ErrorCode::NotSupported,
                       fmt::format("devices of protocol '{}' take no commands", device->protocol));
    if (pending_.size() >= commands_pending_max)
        return refusal(ErrorCode::Overloaded, fmt::format("{} commands wait for their devices", pending_.size()));
    if (const auto raw = to_raw(*tag, command.value); !raw) return refusal(raw.error().message());
    if (command.deadline <= shard_.now())
        return CommandResult{CommandOutcome::TimedOut, "the deadline had passed before the command was sent"};
    return std::nullopt;
}

/// The deadline has come. The command stays pending: the answer that may still come corrects what its key says.
void CommandRouter::expire(std::uint64_t id) {
    Pending& pending = *pending_.at(id);
    settle(pending, {CommandOutcome::TimedOut, "no answer before the deadline; the device may still do it"});
}

void CommandRouter::finish(std::uint64_t id, CommandResult result) {
    const auto found = pending_.find(id);
    ASSERT(found != pending_.end());
    const std::unique_ptr<Pending> pending = std::move(found->second);
    pending_.erase(found);
    if (pending->done) return settle(*pending, std::move(result));
    if (const auto key = keys_.find(pending->key); key != keys_.end()) key->second->result = std::move(result);
}

/// Answers the caller, and all who asked with the same key.
void CommandRouter::settle(Pending& pending, CommandResult result) {
    count(result.outcome);
    answer(*pending.caller, std::exchange(pending.done, nullptr), result);
    const auto key = keys_.find(pending.key);
    if (key == keys_.end()) return;
    for (Key::Caller& waiting : std::exchange(key->second->waiting, {}))
        answer(*waiting.shard, std::move(waiting.done), result);
    key->second->result = std::move(result);
}

void CommandRouter::forget_old_keys() {
    while (!key_ages_.empty()) {
        const auto& [since, name] = key_ages_.front();
        const bool is_old = shard_.now() - since >= command_key_age;
        if (!is_old && key_ages_.size() < command_keys_max) return;
        const auto key = keys_.find(name);
        ASSERT(key != keys_.end());
        if (!key->second->result) return;  // Still on its way; those behind it wait.
        if (!is_old) keys_forgotten.add();
        keys_.erase(key);
        key_ages_.pop_front();
    }
}

}  // namespace lineshaft::route
