// Scans, reductions and points from any shard. The home shard says what there is to read, in microseconds; the reading
// itself, of a decade perhaps, is done elsewhere: on the reading pool, or without one in steps between other work.
#include "store/historians.h"

namespace lineshaft::store {
namespace {

template <class T>
void answer_on(Shard& caller, Historians::Done<T>& done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

/// A stretch of the work, then whoever else waits on this shard, then the next.
void go_on(Shard& home, Shard& caller, Reducer work, Historians::Done<Result<Reduction>> done) {
    if (!work.step()) return answer_on<Result<Reduction>>(caller, done, work.take());
    home.post([&home, &caller, work = std::move(work), done = std::move(done)]() mutable {
        go_on(home, caller, std::move(work), std::move(done));
    });
}

Reduction reduce_whole(Reducer& work) {
    while (work.step()) {
    }
    return work.take();
}

}  // namespace

template <class Work, class Read, class T>
void Historians::read_elsewhere(Shard& caller, Work work, Read read, Done<Result<T>> done) {
    if (!work) return answer_on<Result<T>>(caller, done, std::unexpected(work.error()));
    if (!read_pool_) return answer_on<Result<T>>(caller, done, read(*work));
    read_pool_->post([&caller, work = *std::move(work), read, done = std::move(done)]() mutable {
        answer_on<Result<T>>(caller, done, read(work));
    });
}

void Historians::post_scan(Shard& caller, ShardId home, TagId tag, UtcTime from, UtcTime to, std::size_t limit,
                           Done<Result<Chunk>> done) {
    post_scan(caller, home, {.tag = tag, .from = from, .to = to}, limit, std::move(done));
}

void Historians::post_scan(Shard& caller, ShardId home, Query query, std::size_t limit, Done<Result<Chunk>> done) {
    shards_.at(home).post([this, &caller, home, query = std::move(query), limit, done = std::move(done)]() mutable {
        read_elsewhere(
            caller, at(home).scan(query), [limit](Scan& scan) { return scan.take(limit); }, std::move(done));
    });
}

void Historians::post_reduce(Shard& caller, ShardId home, TagId tag, UtcTime from, UtcTime to, Duration resolution,
                             Done<Result<Reduction>> done) {
    post_reduce(caller, home, {.tag = tag, .from = from, .to = to, .resolution = resolution}, std::move(done));
}

void Historians::post_reduce(Shard& caller, ShardId home, Query query, Done<Result<Reduction>> done) {
    Shard& shard = shards_.at(home);
    shard.post([this, &shard, &caller, home, query = std::move(query), done = std::move(done)]() mutable {
        auto work = at(home).reducer(query);
        if (work && !read_pool_) return go_on(shard, caller, *std::move(work), std::move(done));
        read_elsewhere(caller, std::move(work), reduce_whole, std::move(done));
    });
}

void Historians::post_points(Shard& caller, ShardId home, PointQuery query, Done<Result<std::vector<Point>>> done) {
    shards_.at(home).post([this, &caller, home, query = std::move(query), done = std::move(done)]() mutable {
        read_elsewhere(
            caller, at(home).point_finder(query), [](PointFinder& finder) { return finder.take(); }, std::move(done));
    });
}

}  // namespace lineshaft::store
