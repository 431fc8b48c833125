/// The corridor, from the hall to the rooms that keep and judge.
#pragma once

#include "flow/reading_sink.h"
#include "model/event.h"
#include "model/sample.h"

namespace lineshaft::flow {

/// Takes samples: rules, live subscribers, forwarders.
///
/// Threads: called on the sink's own shard. Runs to its end.
class SampleSink {
public:
    virtual ~SampleSink() = default;
    /// False while the sink is full; the caller offers nothing then.
    virtual bool is_ready() const { return true; }
    /// Only when is_ready(). Takes the whole batch; copies what it keeps.
    virtual void offer(const Batch& batch) = 0;
};

/// The sink that promises durability: the store.
class DurableSink : public SampleSink {
public:
    /// Runs `settled` once everything offered so far is on disk, or with the error if it never will be.
    virtual void when_durable(Settled settled) = 0;
    /// Runs `task` once is_ready() is true again.
    virtual void when_ready(Task task) = 0;
};

/// Takes what rules decide. Threads: as SampleSink.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void offer(const ConditionEvent& event) = 0;
};

/// Takes commands for devices; `done` runs once on the caller's shard. Threads: any shard.
class CommandSink {
public:
    using Done = std::move_only_function<void(CommandResult)>;
    virtual ~CommandSink() = default;
    virtual void post_command(Shard& caller, Command command, Done done) = 0;
};

}  // namespace lineshaft::flow
