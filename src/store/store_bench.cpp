/// How fast and how small: offer + group commit, flush, scan, reduce. On a real disk, in a directory of its own.
///
/// The load is plant-like: random walks with two decimals at 1 Hz, many tags, one device's tags in one batch.
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "store/historian.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t epoch = 1'767'225'600 * second;

/// A shard of this thread: tasks run when the benchmark says so.
class BenchShard final : public Shard {
public:
    ShardId id() const override { return ShardId(0); }
    const Clock& clock() const override { return system_clock(); }
    void post(Task task) override {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    bool try_post(Task& task) override {
        post(std::move(task));
        return true;
    }
    void defer(Task task) override { post(std::move(task)); }
    Timer after(Duration, Task) override { return {}; }
    Timer every(Duration, Task) override { return {}; }
    bool is_current() const override { return true; }
    boost::asio::io_context& io() override { std::abort(); }
    void run() {
        for (;;) {
            std::vector<Task> now;
            {
                const std::lock_guard lock(mutex_);
                now.swap(tasks_);
            }
            if (now.empty()) return;
            for (Task& task : now) task();
        }
    }

private:
    std::mutex mutex_;
    std::vector<Task> tasks_;
};

class Bench {
public:
    Bench() {
        const char* place = std::getenv("LINESHAFT_BENCH_DIR");
        path_ = std::filesystem::path(place ? place : ".") / "store-bench-data";
        std::filesystem::remove_all(path_);
        Options options;
        options.path = path_.string();
        historian = std::move(*Historian::create(shard, *disk, *log_pool, *disk_pool, options));
    }
    ~Bench() {
        bool done = false;
        historian->close([&done] { done = true; });
        while (!done) shard.run();
        historian.reset();
        std::filesystem::remove_all(path_);
    }
    void wait_durable() {
        bool done = false;
        historian->when_durable([&done](Result<void>) { done = true; });
        while (!done) shard.run();
    }
    void flush() {
        bool done = false;
        historian->flush([&done](Result<void>) { done = true; });
        while (!done) shard.run();
    }

    std::unique_ptr<Disk> disk = make_system_disk();
    std::unique_ptr<WorkerPool> log_pool = WorkerPool::create("bench-log", 1);
    std::unique_ptr<WorkerPool> disk_pool = WorkerPool::create("bench-disk", 1);
    BenchShard shard;
    std::unique_ptr<Historian> historian;

private:
    std::filesystem::path path_;
};

/// `devices` × 10 tags, `steps` seconds, one batch per device and ten seconds.
struct Load {
    Load(std::size_t devices, std::size_t steps) {
        Random random(1);
        std::vector<std::int64_t> level(devices * 10, 5000);
        for (std::size_t step = 0; step < steps; step += 10) {
            for (std::size_t device = 0; device < devices; ++device) {
                Batch batch;
                for (std::size_t k = 0; k < 10; ++k) {
                    const std::int64_t time = epoch + static_cast<std::int64_t>(step + k) * second;
                    batch.receive_time = UtcTime(time + 3'000'000);
                    for (std::size_t i = 0; i < 10; ++i) {
                        std::int64_t& value = level[device * 10 + i];
                        value += static_cast<std::int64_t>(random.below(7)) - 3;
                        batch.add(TagId(1 + device * 10 + i), UtcTime(time), ValueType::Double,
                                  std::bit_cast<std::uint64_t>(static_cast<double>(value) / 100), Quality::good);
                    }
                }
                values += batch.size();
                batches.push_back(std::move(batch));
            }
        }
    }
    std::vector<Batch> batches;
    std::size_t values = 0;
};

void offer_and_commit(benchmark::State& state) {
    const Load load(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    double bytes = 0;
    for (auto _ : state) {
        Bench bench;
        for (const Batch& batch : load.batches) {
            while (!bench.historian->is_ready()) bench.shard.run();
            bench.historian->offer(batch);
            bench.shard.run();
        }
        bench.wait_durable();
        state.PauseTiming();
        bench.flush();
        bytes = bench.historian->stats().bytes_per_sample();
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(load.values) * state.iterations());
    state.counters["bytes_per_value"] = bytes;
}
BENCHMARK(offer_and_commit)->Args({10, 20'000})->Args({1000, 200})->Unit(benchmark::kMillisecond)->UseRealTime();

void read_a_day(benchmark::State& state) {
    const Load load(1, 86'400);
    Bench bench;
    for (const Batch& batch : load.batches) {
        while (!bench.historian->is_ready()) bench.shard.run();
        bench.historian->offer(batch);
        bench.shard.run();
    }
    bench.wait_durable();
    bench.flush();
    const Duration resolution(state.range(0));
    for (auto _ : state) {
        if (resolution.count() == 0) {
            auto scan = bench.historian->scan(TagId(3), UtcTime(epoch), UtcTime(epoch + 86'400 * second));
            Chunk rows;
            while (scan->next(rows)) benchmark::DoNotOptimize(rows.size());
        } else {
            benchmark::DoNotOptimize(
                bench.historian->reduce(TagId(3), UtcTime(epoch), UtcTime(epoch + 86'400 * second), resolution));
        }
    }
    state.SetItemsProcessed(86'400 * state.iterations());
}
BENCHMARK(read_a_day)
    ->ArgName("resolution_ns")
    ->Arg(0)
    ->Arg(60 * second)
    ->Arg(86'400 * second)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lineshaft::store
