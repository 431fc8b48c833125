/// Waiting for the end: SIGINT, SIGTERM, or the work being done.
#pragma once

#include <atomic>

namespace lineshaft::sim {

/// Blocks the two signals in this thread and all it starts; make one before any thread is started.
class StopSignal {
public:
    StopSignal();
    /// Returns when a signal came (true) or `done` is set (false).
    bool wait(const std::atomic<bool>& done);
};

}  // namespace lineshaft::sim
