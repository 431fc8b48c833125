// Line protocol to readings, as the HTTP door does it: values/s and bytes/s of one core.
//
// The body is like Telegraf's and TSBS's: ten fields a line, six tags, 27 bytes a value.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/limits.h"
#include "base/random.h"
#include "south/http/internal/line_reader.h"

namespace lineshaft::south {
namespace {

std::string make_body(std::size_t lines, std::size_t devices) {
    Random random(1);
    std::string body;
    for (std::size_t i = 0; i < lines; ++i) {
        const std::size_t n = random.below(devices);
        body += fmt::format(
            "readings,name=truck_{},fleet=South,driver=Trish,model=H-2,device_version=v2.3,site=lyon ", n);
        for (int field = 0; field < 10; ++field)
            body +=
                fmt::format("{}{}={:.{}f}", field ? "," : "",
                            std::array{"latitude", "longitude", "elevation", "velocity", "heading", "grade",
                                       "fuel_consumption", "load_capacity", "fuel_capacity", "nominal_rate"}[field],
                            random.unit() * 100, field % 3 == 0 ? 5 : 1);
        body += fmt::format(" {}\n", 1'700'000'000'000'000'000 + i * 1'000'000'000);
    }
    return body;
}

void parse_only(benchmark::State& state) {
    const std::string body = make_body(20'000, 1000);
    std::size_t values = 0;
    for (auto _ : state) {
        wire::line_protocol::Parser parser(body, wire::line_protocol::Precision::Nanoseconds);
        while (const auto* line = parser.next()) values += line->fields.size();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(values));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(parse_only);

void body_to_readings(benchmark::State& state) {
    const std::string body = make_body(20'000, 1000);
    DeviceNames names(2);
    std::uint64_t serials = 0;
    std::size_t values = 0;
    for (auto _ : state) {
        auto opened = Body::create(body, "", limits::http_inflated_bytes_max);
        LineReader reader(std::move(*opened), wire::line_protocol::Precision::Nanoseconds, TenantId(1), names,
                          serials);
        std::vector<ReadingBatch> batches;
        while (*reader.read(batches)) {
            for (const ReadingBatch& batch : batches) values += batch.size();
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(values));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(body_to_readings);

}  // namespace
}  // namespace lineshaft::south
