/// One running device: its connection, its polling, its commands, its status.
///
///            +--------- pump(): what is the next thing to do? ---------+
///            |   nothing open: connect, or wait out the backoff        |
///   timer -->|   a batch waits for room in the sink: poll nothing      |--> at most one request on the wire
///   answer ->|   a command waits: it goes first                        |
///            |   a block is due: ask for it                            |
///            +---------------------------------------------------------+
///
/// Threads: own shard only.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "south/modbus/internal/connection.h"
#include "south/modbus/internal/plan.h"
#include "south/modbus/internal/poller.h"
#include "south/modbus/modbus.h"

namespace lineshaft::modbus {

class Device {
public:
    Device(Shard& shard, Network& network, flow::ReadingSink& sink, flow::SourceLedger* ledger, DeviceConfig config);
    /// Cuts the connection; waiting commands fail.
    ~Device();

    const DeviceConfig& config() const { return config_; }
    void set_tags(std::vector<TagId> tags) { config_.tags = std::move(tags); }
    void write(TagId tag, const Value& value, Instant deadline, flow::CommandSink::Done done);
    DeviceStatus status() const;

private:
    struct Polled {
        Block block;
        std::string fault;  // Why the device refuses it; empty: it does not.
    };
    enum class Step : std::uint8_t { Write, WriteMultiple, ReadBack };
    struct Command {
        std::uint32_t reg = 0;
        std::vector<std::uint16_t> words;
        Instant deadline;
        flow::CommandSink::Done done;
        Step step = Step::Write;
        bool sent = false;  // It may have reached the device.
    };

    void make_blocks(Instant first);

    // The connection.
    void connect();
    void on_connected(Result<void> result);
    void on_lost(const Error& why);
    void back_off(std::string detail);
    void set_state(DeviceState state, std::string detail);

    // What to do next.
    void pump();
    void expire_commands();
    void fail_due_blocks();
    void wake_at(Instant when);

    // Polling.
    void ask_block(std::size_t index);
    void on_block(std::size_t index, Result<wire::modbus::Response> response);
    void on_block_exception(std::size_t index, wire::modbus::Exception exception);
    void on_silence(const Error& why);
    void emit(const Block& block, const wire::modbus::Response& response);
    void emit_bad(const Block& block, Quality quality);
    void add_reading(ReadingBatch& batch, std::uint32_t reg, const Value& value, Quality quality);
    ReadingBatch new_batch() const;
    void offer(ReadingBatch batch);
    void offer_waiting();

    // Requests, counted and kept under the ceiling.
    void ask(wire::modbus::Request request, Connection::OnAnswer done);

    // Commands.
    void ask_command();
    void on_written(Result<wire::modbus::Response> response);
    void on_read_back(Result<wire::modbus::Response> response);
    void end_command(CommandOutcome outcome, std::string detail);
    void end_all_commands(CommandOutcome outcome, const std::string& detail);
    void post_outcome(flow::CommandSink::Done done, CommandOutcome outcome, std::string detail);

    Shard& shard_;
    flow::ReadingSink& sink_;
    flow::SourceLedger* const ledger_;
    DeviceConfig config_;
    std::vector<Polled> blocks_;  // Parallel to the poller's entries.
    Poller poller_;
    Connection connection_;
    bool connecting_ = false;
    bool is_failing_ = false;  // No answer since something went wrong.
    bool is_split_ = false;    // Blocks were cut because the device refused some.
    Duration backoff_;
    std::deque<Command> commands_;
    std::deque<ReadingBatch> waiting_;  // Not yet taken by the sink; while there is one, nothing is polled.
    int silences_ = 0;                  // Timeouts in a row.
    Timer wake_;
    Timer retry_;
    DeviceStatus status_;
    Instant window_start_;
    std::uint64_t window_requests_ = 0;
    // Callbacks that may come after our death hold this.
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace lineshaft::modbus
