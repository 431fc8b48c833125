/// A clock that stands still until a test turns it.
#pragma once

#include "runtime/clock.h"

namespace lineshaft::testing {

class ManualClock final : public Clock {
public:
    /// 2026-01-01T00:00:00Z.
    static constexpr UtcTime start{1'767'225'600'000'000'000};

    UtcTime utc_now() const override { return utc_; }
    Instant now() const override { return now_; }

    void advance(Duration by) {
        utc_ = utc_ + by;
        now_ = now_ + by;
    }
    /// The wall clock jumps, the monotonic one does not.
    void set_utc(UtcTime to) { utc_ = to; }

private:
    UtcTime utc_ = start;
    Instant now_{1'000'000'000};
};

}  // namespace lineshaft::testing
