/// Time as Lineshaft sees it. No other room asks the system, so a simulator can own time.
///
/// Threads: any.
#pragma once

#include "base/time.h"

namespace lineshaft {

class Clock {
public:
    virtual ~Clock() = default;
    /// Wall clock; may jump.
    virtual UtcTime utc_now() const = 0;
    /// Monotonic; for timeouts and ages.
    virtual Instant now() const = 0;
};

/// The machine's own clocks.
const Clock& system_clock();

}  // namespace lineshaft
