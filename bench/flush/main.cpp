// Moves all that a stopped house has in its logs to segments, as it would after six hours or 64 MB, and tells what it
// weighs then: bytes a value are only honest when nothing is left in memory.
#include <filesystem>
#include <semaphore>

#include <fmt/format.h>

#include "runtime/clock.h"
#include "store/historians.h"

using namespace lineshaft;

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: lineshaft_flush DATA-DIRECTORY (of a house that does not run)\n");
        return 2;
    }
    store::Options options;
    options.path = std::string(argv[1]) + "/history";
    std::size_t count = 0;
    while (std::filesystem::exists(fmt::format("{}/shard-{}", options.path, count))) ++count;
    if (count == 0) {
        fmt::print(stderr, "{} holds no shard\n", options.path);
        return 1;
    }
    const auto disk = make_system_disk();
    const auto shards = Shards::create(count, system_clock());
    const auto log_pool = WorkerPool::create("log", count);
    const auto disk_pool = WorkerPool::create("disk", 1);
    auto opened = store::Historians::create(*shards, *disk, *log_pool, *disk_pool, options);
    if (!opened) {
        fmt::print(stderr, "{}\n", opened.error().message());
        return 1;
    }
    store::Historians& historians = **opened;
    shards->start();

    Result<void> result;
    store::Stats stats;
    std::binary_semaphore closed(0);
    Shard& shard = shards->at(0);
    shard.post([&] {
        historians.post_flush(shard, [&](Result<void> flushed) {
            result = std::move(flushed);
            historians.post_stats(shard, [&](const store::Stats& weighed) {
                stats = weighed;
                historians.close(shard, [&] { closed.release(); });
            });
        });
    });
    closed.acquire();
    shards->stop();
    if (!result) fmt::print(stderr, "{}\n", result.error().message());
    fmt::print(R"({{"samples":{},"series":{},"segment_bytes":{},"segments":{},"memory_bytes":{}}})"
               "\n",
               stats.samples, stats.series, stats.segment_bytes, stats.segments, stats.memory_bytes);
    return result ? 0 : 1;
}
