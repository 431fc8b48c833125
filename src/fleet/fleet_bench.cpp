/// How fast questions over a fleet are, without HTTP: 1,000 trucks, 72 hours at 10 s, three tags, some samples missing.
///
/// LINESHAFT_BENCH_TRUCKS and LINESHAFT_BENCH_HOURS make it smaller, LINESHAFT_BENCH_DIR says where the data lies.
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <semaphore>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/random.h"
#include "fleet/engine.h"

namespace lineshaft::fleet {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t epoch = 1'767'225'600 * second;  // 2026-01-01.
constexpr TenantId tenant{1};
constexpr const char* fleets[] = {"East", "North", "South", "West"};
constexpr const char* fields[] = {"velocity", "fuel", "status"};

std::size_t number_from(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text ? static_cast<std::size_t>(std::atoll(text)) : otherwise;
}

class Bench {
public:
    static Bench& it() {
        static Bench bench;
        return bench;
    }

    Answer ask(const std::string& json) {
        auto query = parse_query(json, UtcTime(epoch));
        if (!query) give_up(query.error());
        std::optional<Result<Answer>> answer;
        std::binary_semaphore done(0);
        Shard& shard = shards_->at(0);
        shard.post([&] {
            engine_->post_ask(shard, tenant, *std::move(query), [&](Result<Answer> it) {
                answer = std::move(it);
                done.release();
            });
        });
        done.acquire();
        if (!*answer) give_up(answer->error());
        return **std::move(answer);
    }

private:
    struct Truck {
        std::string device;
        std::size_t home;
        TagId tags[3];
    };

    Bench() {
        const char* place = std::getenv("LINESHAFT_BENCH_DIR");
        path_ = std::filesystem::path(place ? place : ".") / "fleet-bench-data";
        std::filesystem::remove_all(path_);
        std::filesystem::create_directories(path_);
        shards_ = Shards::create(2, system_clock());
        registry_ = registry::Registry::create(*shards_, *sql_pool_, nullptr,
                                               {.path = registry::database_path(path_.string())})
                        .value();
        const registry::TagIdRange ids = registry_->reserve_tag_ids(trucks_ * 3).value();
        store::Options options;
        options.path = (path_ / "history").string();
        store_ = store::Historians::create(*shards_, *disk_, *log_pool_, *disk_pool_, options).value();
        engine_ = Engine::create(*shards_, *registry_, *store_, *query_pool_);
        shards_->start();
        name_all(ids);
        drive();
    }
    ~Bench() {
        wait([&](Task done) { engine_->close(shards_->at(0), std::move(done)); });
        wait([&](Task done) { store_->close(shards_->at(0), std::move(done)); });
        wait([&](Task done) { registry_->close(shards_->at(0), std::move(done)); });
        shards_->stop();
        std::filesystem::remove_all(path_);
    }

    [[noreturn]] static void give_up(const Error& error) {
        fmt::print(stderr, "{}\n", error.message());
        std::exit(1);
    }

    template <class Begin>
    void wait(Begin begin) {
        std::binary_semaphore done(0);
        shards_->at(0).post([&] { begin([&] { done.release(); }); });
        done.acquire();
    }

    void name_all(const registry::TagIdRange& ids) {
        std::vector<registry::DiscoveredTag> tags;
        for (std::size_t i = 0; i < trucks_; ++i) {
            Truck truck;
            truck.device = fmt::format("readings/{}/truck_{}", fleets[i % 4], i);
            truck.home = home_shard(tenant, truck.device, 2).value();
            for (std::size_t f = 0; f < 3; ++f) {
                truck.tags[f] = TagId(ids.first.value() + i * 3 + f);
                tags.push_back(
                    {truck.tags[f], tenant, truck.device, "http", fields[f], ValueType::Double, "", UtcTime(epoch)});
            }
            all_.push_back(std::move(truck));
        }
        for (std::size_t home = 0; home < 2; ++home) {
            shards_->must_run(home, [this, home] {
                store::Historian& store = store_->at(ShardId(static_cast<std::uint16_t>(home)));
                source_[home] = store.source_id("bench");
                for (const Truck& truck : all_) {
                    if (truck.home != home) continue;
                    for (std::size_t f = 0; f < 3; ++f)
                        store.register_series(truck.tags[f], {truck.device + "/" + fields[f], "", ValueType::Double,
                                                              truck.device, tenant});
                }
            });
        }
        wait([&](Task done) {
            registry_->post_discovered(shards_->at(0), std::move(tags),
                                       [done = std::move(done)](const Result<void>&) mutable { done(); });
        });
    }

    /// As trucks do: a walk of the velocity, a level of fuel, a state that changes now and then.
    void drive() {
        Random random(1);
        std::vector<double> velocity(trucks_), fuel(trucks_, 25), status(trucks_);
        for (std::size_t round = 0; round < hours_ * 360; ++round) {
            Batch batches[2];
            const UtcTime time(epoch + static_cast<std::int64_t>(round) * 10 * second);
            for (std::size_t i = 0; i < trucks_; ++i) {
                velocity[i] = std::clamp(velocity[i] + std::round(random.unit() * 20 - 10), 0.0, 100.0);
                fuel[i] = std::clamp(fuel[i] + std::round(random.unit() * 100 - 50) / 10, 0.0, 50.0);
                if (random.below(20) == 0) status[i] = static_cast<double>(random.below(6));
                if (random.below(10) == 0) continue;
                const double values[] = {velocity[i], std::round(fuel[i] * 10) / 10, status[i]};
                for (std::size_t f = 0; f < 3; ++f)
                    batches[all_[i].home].add(all_[i].tags[f], time, ValueType::Double,
                                              std::bit_cast<std::uint64_t>(values[f]), Quality::good);
            }
            for (std::size_t home = 0; home < 2; ++home) offer(home, std::move(batches[home]), time);
        }
        wait([&](Task done) {
            store_->post_flush(shards_->at(0), [done = std::move(done)](const Result<void>&) mutable { done(); });
        });
    }

    void offer(std::size_t home, Batch batch, UtcTime time) {
        batch.source = source_[home];
        batch.first_sequence = sequence_[home] + 1;
        sequence_[home] += batch.size();
        batch.receive_time = time;
        std::binary_semaphore taken(0);
        shards_->at(home).post([&] {
            store::Historian& store = store_->at(ShardId(static_cast<std::uint16_t>(home)));
            const auto take = [&] {
                store.offer(batch);
                taken.release();
            };
            if (store.is_ready()) return take();
            store.when_ready(take);
        });
        taken.acquire();
    }

    const std::size_t trucks_ = number_from("LINESHAFT_BENCH_TRUCKS", 1000);
    const std::size_t hours_ = number_from("LINESHAFT_BENCH_HOURS", 72);
    std::filesystem::path path_;
    std::unique_ptr<Disk> disk_ = make_system_disk();
    std::unique_ptr<WorkerPool> log_pool_ = WorkerPool::create("log", 2);
    std::unique_ptr<WorkerPool> disk_pool_ = WorkerPool::create("disk", 2);
    std::unique_ptr<WorkerPool> sql_pool_ = WorkerPool::create("sql", 1);
    std::unique_ptr<WorkerPool> query_pool_ = WorkerPool::create("query", 2);
    std::unique_ptr<Shards> shards_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<store::Historians> store_;
    std::unique_ptr<Engine> engine_;
    std::vector<Truck> all_;
    SourceId source_[2];
    std::uint64_t sequence_[2] = {0, 0};
};

void run(benchmark::State& state, const std::string& json) {
    Bench& bench = Bench::it();
    std::uint64_t samples = 0;
    for (auto unused : state) samples = bench.ask(json).samples;
    state.counters["samples"] = static_cast<double>(samples);
}

const std::string whole = R"("from":"2026-01-01","to":"2026-02-01",)";

#define FLEET_BENCH(name, json) \
    BENCHMARK_CAPTURE(run, name, json)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime()

FLEET_BENCH(last_values, R"({"select":[{"name":"v","tags":"readings/{f}/{t}/velocity"},
    {"name":"u","tags":"readings/{f}/{t}/fuel"}],"values":"last","where":"v < 1"})");
FLEET_BENCH(ten_minutes, R"({"select":[{"name":"v","tags":"readings/{f:South}/{t}/velocity"}],
    "from":"2026-01-01T10:00:00Z","to":"2026-01-01T10:10:00Z","where":"v < 1"})");
FLEET_BENCH(four_hours, R"({"select":[{"name":"v","tags":"readings/{f:South}/{t}/velocity"}],
    "from":"2026-01-01T10:00:00Z","to":"2026-01-01T14:00:00Z","bucket":"10m","where":"v > 1",
    "per":{"values":[{"name":"n","aggregate":"count"}]},"having":"n > 22"})");
FLEET_BENCH(whole_range_mean, R"({"select":[{"name":"v","tags":"readings/{f}/{t}/velocity"}],)" + whole +
                                  R"("group":{"by":["f"],"values":[{"name":"m","aggregate":"mean","of":"v"}]}})");
FLEET_BENCH(daily_hours, R"({"select":[{"name":"v","tags":"readings/{f}/{t}/velocity"}],)" + whole +
                             R"("bucket":"10m","where":"v > 1","per":{"bucket":"1d","values":[{"name":"n",
    "aggregate":"count"}]},"group":{"by":["f","t"],"values":[{"name":"h","aggregate":"mean","of":"n / 6"}]}})");
FLEET_BENCH(share_of_state, R"({"select":[{"name":"s","tags":"readings/{f}/{t}/status","value":"s == 0"}],)" + whole +
                                R"("bucket":"10m","where":"s >= 0.5","per":{"values":[{"name":"n",
    "aggregate":"transitions"}]},"group":{"by":["f"],"values":[{"name":"n","aggregate":"sum","of":"n"}]}})");
FLEET_BENCH(joined_samples, R"({"select":[{"name":"v","tags":"readings/{f}/{t}/velocity"},
    {"name":"u","tags":"readings/{f}/{t}/fuel","when":"v > 1"}],)" +
                                whole +
                                R"("group":{"by":["f"],"values":[{"name":"u","aggregate":"mean","of":"u"}]}})");

}  // namespace
}  // namespace lineshaft::fleet
