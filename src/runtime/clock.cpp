#include "runtime/clock.h"

#include <ctime>

namespace lineshaft {
namespace {

std::int64_t read_ns(clockid_t id) {
    timespec t{};
    ::clock_gettime(id, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

class SystemClock final : public Clock {
public:
    UtcTime utc_now() const override { return UtcTime(read_ns(CLOCK_REALTIME)); }
    Instant now() const override { return Instant(read_ns(CLOCK_MONOTONIC)); }
};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

}  // namespace lineshaft
