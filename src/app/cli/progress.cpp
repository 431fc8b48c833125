#include "app/cli/progress.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "app/cli/output.h"
#include "runtime/clock.h"

namespace lineshaft::cli {

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(is_interactive()) {
    begun_ = shown_ = system_clock().now();
}

void Progress::show(double share, const std::string& text) {
    const Instant now = system_clock().now();
    const double seconds = static_cast<double>((now - begun_).count()) / 1e9;
    if (quiet_ || seconds < 1 || now - shown_ < (terminal_ ? Duration(200ms) : Duration(10s))) return;
    shown_ = now;
    constexpr int width = 24;
    const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * width);
    const std::string bar =
        std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.');
    const std::string left = share > 0.001 ? fmt::format("  {:.0f} s left", seconds / share - seconds) : "";
    const std::string line = fmt::format("[{}] {:5.1f} %  {}{}", bar, share * 100, text, left);
    std::fprintf(stderr, terminal_ ? "\r%-79s" : "%s\n", line.c_str());
    open_ = terminal_;
}

void Progress::end() {
    if (std::exchange(open_, false)) std::fprintf(stderr, "\n");
}

}  // namespace lineshaft::cli
