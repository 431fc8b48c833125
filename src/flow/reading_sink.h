/// The corridor, south end: what doors give readings to.
#pragma once

#include <functional>

#include "base/result.h"
#include "model/reading.h"
#include "runtime/shard.h"

namespace lineshaft::flow {

enum class Took : std::uint8_t {
    All,   // The sink has the batch.
    None,  // The sink is full. Nothing was taken; offer the same batch again when it says so.
};

/// Says how a batch ended: durable on disk (that, and nothing earlier, releases a PUBACK or an HTTP 2xx), or
/// refused with the reason. Called once, on the shard of the caller of offer, never from within offer.
using Settled = std::move_only_function<void(Result<void>)>;

/// Takes readings.
///
/// Threads: own shard only. Runs to its end: it never waits and never calls back into the caller.
/// Order:   batches of one source arrive in the order they were offered.
class ReadingSink {
public:
    virtual ~ReadingSink() = default;
    /// On All, `batch` and `settled` have been moved from; on None they are untouched.
    virtual Took offer(ReadingBatch& batch, Settled& settled) = 0;
    /// Runs `task` once there is room again after a None.
    virtual void when_ready(Task task) = 0;
};

}  // namespace lineshaft::flow
