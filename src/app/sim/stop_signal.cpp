#include "app/sim/stop_signal.h"

#include <csignal>
#include <ctime>

namespace lineshaft::sim {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

StopSignal::StopSignal() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    // A broker that goes away while we write must not end us.
    std::signal(SIGPIPE, SIG_IGN);
}

bool StopSignal::wait(const std::atomic<bool>& done) {
    const sigset_t set = stop_signals();
    const timespec tick{.tv_sec = 0, .tv_nsec = 50'000'000};
    while (!done.load()) {
        if (sigtimedwait(&set, nullptr, &tick) > 0) return true;
    }
    return false;
}

}  // namespace lineshaft::sim
