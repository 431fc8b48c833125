/// What a run came to: one line of JSON on stdout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lineshaft::bench {

struct Run {
    std::uint64_t values = 0;
    std::uint64_t requests = 0;  // Or messages.
    std::uint64_t refused = 0;
    std::uint64_t bytes = 0;
    double seconds = 0;
    double cpu_s = 0;                      // Of the sender, while it sent.
    std::string made = "null";             // Counts and sums of what was made, as JSON.
    std::vector<std::int64_t> latency_ns;  // From handing a request to the kernel to its acknowledgement.
};
void report(Run run);

}  // namespace lineshaft::bench
