/// Ten tags over ten years, 1,000 buckets each: how long a screen waits for a decade.
///
/// The decade is written straight into segments of 32 days, as merging leaves them, one sample a minute or a second
/// (LINESHAFT_BENCH_PERIOD_S, 60 by default), and opened by a historian. A question is what a chart asks: ten
/// reductions, one after the other on one thread.
#include <bit>
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "store/historian.h"
#include "store/internal/segment.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t partition = 32 * 86'400 * second;
constexpr std::int64_t decade_from = 1'451'606'400 * second / partition * partition;  // 2016.
constexpr std::int64_t decade_to = decade_from + 114 * partition;                     // Ten years.
constexpr std::uint32_t tags = 10;

class IdleShard final : public Shard {
public:
    ShardId id() const override { return ShardId(0); }
    const Clock& clock() const override { return system_clock(); }
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    bool try_post(Task& task) override {
        post(std::move(task));
        return true;
    }
    void defer(Task task) override { post(std::move(task)); }
    Timer after(Duration, Task) override { return {}; }
    Timer every(Duration, Task) override { return {}; }
    bool is_current() const override { return true; }
    boost::asio::io_context& io() override { std::abort(); }

private:
    std::vector<Task> tasks_;
};

std::int64_t period() {
    const char* text = std::getenv("LINESHAFT_BENCH_PERIOD_S");
    return (text ? std::atoll(text) : 60) * second;
}

/// A month of one tag: a random walk with two decimals.
void write_month(SegmentWriter& writer, std::int64_t from, Random& random, std::int64_t& level) {
    Chunk rows;
    for (std::int64_t time = from; time < from + partition; time += period()) {
        level += static_cast<std::int64_t>(random.next() % 21) - 10;
        rows.source_times.emplace_back(time);
        rows.receive_times.emplace_back(time);
        rows.types.push_back(ValueType::Double);
        rows.bits.push_back(std::bit_cast<std::uint64_t>(static_cast<double>(level) / 100));
        rows.qualities.push_back(Quality::good);
        if (rows.size() < 16 * block_rows) continue;
        (void)writer.add(rows, 0, rows.size());
        rows.clear();
    }
    (void)writer.add(rows, 0, rows.size());
}

void write_decade(Disk& disk, const std::string& path) {
    std::vector<std::int64_t> levels(tags, 5000);
    Random random(7);
    std::uint64_t number = 1;
    for (std::int64_t from = decade_from; from < decade_to; from += partition, ++number) {
        char name[40];
        std::snprintf(name, sizeof name, "%012llx-000.seg", static_cast<unsigned long long>(number));
        auto writer = SegmentWriter::create(disk, path, name, ShardId(0), number).value();
        for (std::uint32_t tag = 0; tag < tags; ++tag) {
            const std::string tag_path = "Plant/Line/tag-" + std::to_string(tag);
            writer->begin_series(TagId(tag + 1), {tag_path, "Cel", ValueType::Double, "Plant/Line", TenantId(1)});
            write_month(*writer, from, random, levels[tag]);
            (void)writer->end_series();
        }
        (void)writer->finish();
    }
}

class Decade {
public:
    Decade() {
        const char* place = std::getenv("LINESHAFT_BENCH_DIR");
        const std::filesystem::path path = std::filesystem::path(place ? place : ".") / "ten-years-bench-data";
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
        write_decade(*disk_, path.string());
        Options options;
        options.path = path.string();
        store_ = Historian::create(shard_, *disk_, *pool_, *pool_, options).value();
    }
    Historian& store() { return *store_; }

private:
    std::unique_ptr<Disk> disk_ = make_system_disk();
    std::unique_ptr<WorkerPool> pool_ = make_inline_pool();
    IdleShard shard_;
    std::unique_ptr<Historian> store_;
};

Decade& decade() {
    static auto* one = new Decade();
    return *one;
}

void ask(benchmark::State& state, Duration span, Needs needs) {
    Historian& store = decade().store();
    const UtcTime to(decade_to - 12'345 * second);
    const UtcTime from = std::max(UtcTime(decade_from), to - span);
    std::size_t buckets = 0;
    std::uint64_t samples = 0;
    for (auto _ : state) {
        buckets = samples = 0;
        for (std::uint32_t tag = 1; tag <= tags; ++tag) {
            const auto answer = store.reduce({.tag = TagId(tag),
                                              .from = from,
                                              .to = to,
                                              .resolution = resolution_for(from, to, 1000),
                                              .needs = needs});
            buckets += answer->buckets.size();
            for (const Bucket& bucket : answer->buckets) samples += bucket.count;
        }
    }
    state.counters["buckets"] = static_cast<double>(buckets);
    state.counters["samples"] = static_cast<double>(samples);
    const Stats stats = store.stats();
    state.counters["bytes_per_sample"] = stats.bytes_per_sample();
}

void BM_TenTagsOverTenYears(benchmark::State& state) { ask(state, Duration(decade_to - decade_from), Needs::Basic); }
void BM_TenTagsOverTenYearsTimeWeighted(benchmark::State& state) {
    ask(state, Duration(decade_to - decade_from), Needs::Integral | Needs::Squares | Needs::Resets);
}
void BM_TenTagsOverAYear(benchmark::State& state) { ask(state, 24h * 365, Needs::Basic); }
void BM_TenTagsOverAMonth(benchmark::State& state) { ask(state, 24h * 30, Needs::Basic); }
void BM_TenTagsOverADay(benchmark::State& state) { ask(state, 24h, Needs::Basic); }
BENCHMARK(BM_TenTagsOverTenYears)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_TenTagsOverTenYearsTimeWeighted)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_TenTagsOverAYear)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_TenTagsOverAMonth)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_TenTagsOverADay)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lineshaft::store
