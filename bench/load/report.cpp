#include "load/report.h"

#include <algorithm>

#include <fmt/format.h>

namespace lineshaft::bench {
namespace {

double quantile_ms(const std::vector<std::int64_t>& sorted, double share) {
    if (sorted.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    return static_cast<double>(sorted[at]) / 1e6;
}

}  // namespace

void report(Run run) {
    std::ranges::sort(run.latency_ns);
    fmt::print(
        R"({{"values":{},"requests":{},"refused":{},"bytes":{},"seconds":{:.3f},"values_per_s":{:.0f},"cpu_s":{:.3f},)"
        R"("p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f},"made":{}}})"
        "\n",
        run.values, run.requests, run.refused, run.bytes, run.seconds, static_cast<double>(run.values) / run.seconds,
        run.cpu_s, quantile_ms(run.latency_ns, 0.5), quantile_ms(run.latency_ns, 0.99),
        quantile_ms(run.latency_ns, 1), run.made);
}

}  // namespace lineshaft::bench
