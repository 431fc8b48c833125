// Readings to samples: values/s of one core, into a sink that forgets them.
#include <bit>
#include <chrono>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/random.h"
#include "normalise/normaliser.h"

namespace lineshaft::normalise {
namespace {

class Nowhere final : public flow::DurableSink,
                      public TagIdSource,
                      public SeriesRegistrar,
                      public SourceRegistrar,
                      public DiscoverySink {
public:
    void offer(const Batch& batch) override { samples += batch.size(); }
    void when_durable(flow::Settled) override {}
    void when_ready(Task task) override { task(); }
    TagId next() override { return TagId(++ids); }
    void when_available(Task) override {}
    void register_series(const Series&) override {}
    Source source_named(TenantId, std::string_view) override { return {SourceId(1), 0}; }
    void discovered(std::vector<Discovery>) override {}
    std::uint64_t samples = 0;
    std::uint64_t ids = 0;
};

/// Only its clock and its timers are asked for.
class StillShard final : public Shard {
public:
    ShardId id() const override { return ShardId(0); }
    const Clock& clock() const override { return system_clock(); }
    void post(Task) override {}
    bool try_post(Task&) override { return true; }
    void defer(Task) override {}
    Timer after(Duration, Task) override { return Timer(); }
    Timer every(Duration, Task) override { return Timer(); }
    bool is_current() const override { return true; }
    boost::asio::io_context& io() override { std::abort(); }
};

/// `fields` values of each of `devices` devices, in random order of devices.
void readings_to_samples(benchmark::State& state) {
    const auto devices = static_cast<std::size_t>(state.range(0));
    const auto fields = static_cast<std::size_t>(state.range(1));
    StillShard shard;
    Nowhere nowhere;
    Normaliser hall(shard, nowhere, nowhere, nowhere, nowhere, nowhere, {});
    std::vector<std::string> names;
    std::vector<std::string> addresses;
    for (std::size_t i = 0; i < devices; ++i)
        names.push_back(fmt::format("readings/v2.3/Trish/South/H-2/truck_{}/lyon", i));
    for (std::size_t i = 0; i < fields; ++i) addresses.push_back(fmt::format("fuel_consumption_{}", i));
    Random random(1);
    std::vector<Reading> readings;
    while (readings.size() + fields <= limits::batch_samples_max) {
        const std::string& device = names[random.below(devices)];
        for (const std::string& address : addresses)
            readings.push_back({.device = device,
                                .address = address,
                                .bits = std::bit_cast<std::uint64_t>(random.unit()),
                                .source_time = UtcTime(1'700'000'000'000'000'000)});
    }
    for (auto _ : state) {
        ReadingBatch batch;
        batch.source = "http/bench";
        batch.receive_time = system_clock().utc_now();
        batch.readings = readings;
        flow::Settled settled = [](Result<void>) {};
        const auto begin = std::chrono::steady_clock::now();
        ASSERT(hall.offer(batch, settled) == flow::Took::All);
        state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(nowhere.samples));
}
BENCHMARK(readings_to_samples)->Args({1000, 10})->Args({100'000, 1})->Args({10, 1000})->UseManualTime();

}  // namespace
}  // namespace lineshaft::normalise
