/// The plant of `lineshaft demo`: `lineshaft sim plant` as a process of its own, made known to the house over its API as
/// a user would do it: the line's assets, two PLCs with their register maps, the sensors accepted, alarm rules.
///
/// Threads: one of its own, which ends with the object. What fails is told in the log; the house goes on.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include <sys/types.h>

#include "app/config.h"

namespace lineshaft::cli {

class DemoPlant {
public:
    explicit DemoPlant(const app::Config& config);
    ~DemoPlant();  // Ends the process and the thread.

private:
    void start_process();
    /// "sim ready filler=… capper=…" of the process; empty when it ends before.
    std::string ready_line();
    void furnish();

    const app::Config config_;
    pid_t process_ = 0;
    int output_ = -1;
    std::atomic<bool> closing_{false};
    std::thread thread_;
};

}  // namespace lineshaft::cli
