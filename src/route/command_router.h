/// The service stair down: finds the adapter of a tag's device and sees to it that a command ends, once.
///
/// Flow:    flow::CommandSink; gives each command to the CommandTarget of the device's protocol.
/// Threads: lives on one shard; post_command from any shard. Targets are called on the router's shard.
/// Errors:  as CommandResult: Refused (unknown tag, not writable, wrong type, out of range, no adapter, key reused),
///          TimedOut (no answer before the deadline; the device may still do it).
/// Limits:  commands_pending_max on their way; command_keys_max keys are remembered for command_key_age; beyond it the oldest is forgotten and counted.
///          A key is remembered in memory only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/sample_sink.h"
#include "registry/snapshot.h"

namespace lineshaft::route {

inline constexpr std::size_t command_keys_max = 100'000;
inline constexpr std::size_t commands_pending_max = 10'000;
inline constexpr Duration command_key_age = 24h;

/// An adapter that can write. Threads: called on the router's shard; `done` on that shard, once, not from within.
class CommandTarget {
public:
    virtual ~CommandTarget() = default;
    /// Answers every command some time, also after its deadline: only then is it forgotten here.
    /// `command.value` is what the device shall hold: the tag's scale and offset are taken off already.
    virtual void post_write(Shard& caller, const registry::Device& device, const registry::Tag& tag, Command command,
                            flow::CommandSink::Done done) = 0;
};

class CommandRouter final : public flow::CommandSink {
public:
    /// `shard` is where the router lives.
    explicit CommandRouter(Shard& shard);
    ~CommandRouter() override;

    /// `protocol` as in Device::protocol. Before the first command, or on the router's shard.
    void set_target(std::string protocol, CommandTarget& target);
    /// Router's shard only.
    void set_snapshot(SnapshotOf<registry::Snapshot> snapshot);

    void post_command(Shard& caller, Command command, Done done) override;

private:
    struct Pending;
    struct Key;
    using KeyName = std::pair<TenantId, std::string>;

    void start(Shard& caller, Command command, Done done);
    void repeat(Key& key, Shard& caller, const Command& command, Done done);
    std::optional<CommandResult> objection(const Command& command, const registry::Tag* tag,
                                           const registry::Device* device) const;
    void expire(std::uint64_t id);
    void finish(std::uint64_t id, CommandResult result);
    void settle(Pending& pending, CommandResult result);
    void forget_old_keys();

    Shard& shard_;
    SnapshotOf<registry::Snapshot> snapshot_;
    std::unordered_map<std::string, CommandTarget*> targets_;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, std::unique_ptr<Pending>> pending_;
    std::map<KeyName, std::unique_ptr<Key>> keys_;
    std::deque<std::pair<Instant, KeyName>> key_ages_;
};

}  // namespace lineshaft::route
