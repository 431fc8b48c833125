#include "store/historian.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "store/internal/body.h"
#include "store/internal/points.h"
#include "store/internal/walks.h"

namespace lineshaft::store {

Result<std::unique_ptr<Historian>> Historian::create(Shard& shard, Disk& disk, WorkerPool& log_pool,
                                                     WorkerPool& disk_pool, Options options) {
    auto body = std::make_unique<Body>(shard, disk, log_pool, disk_pool, std::move(options));
    TRY_VOID(body->open());
    return std::unique_ptr<Historian>(new Historian(std::move(body)));
}

Historian::Historian(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Historian::~Historian() = default;

void Historian::register_series(TagId tag, const SeriesInfo& info) { body_->register_series(tag, info); }
SourceId Historian::source_id(std::string_view name) { return body_->source_id(name); }
std::uint64_t Historian::last_sequence(SourceId source) const { return body_->last_sequence(source); }
void Historian::refuse(SourceId source, const Refused& refused) { body_->ledger().refuse(source, refused); }
bool Historian::is_ready() const { return body_->is_ready(); }
void Historian::offer(const Batch& batch) { body_->offer(batch); }
void Historian::when_durable(flow::Settled settled) { body_->when_durable(std::move(settled)); }
void Historian::when_ready(Task task) { body_->when_ready(std::move(task)); }
std::optional<LastValue> Historian::last(TagId tag) { return body_->last(tag); }

Result<Scan> Historian::scan(TagId tag, UtcTime from, UtcTime to) {
    return scan({.tag = tag, .from = from, .to = to});
}

Result<Scan> Historian::scan(const Query& query) {
    return Scan(std::make_unique<Scan::Walk>(TRY(body_->sources(query, Bounds::None))));
}

Result<Chunk> Historian::scan(TagId tag, UtcTime from, UtcTime to, std::size_t limit) {
    return scan({.tag = tag, .from = from, .to = to}, limit);
}

Result<Chunk> Historian::scan(const Query& query, std::size_t limit) { return TRY(scan(query)).take(limit); }

Result<Reducer> Historian::reducer(TagId tag, UtcTime from, UtcTime to, Duration resolution) {
    if (resolution.count() <= 0) return fail(ErrorCode::InvalidArgument, "the resolution must be more than nothing");
    return reducer({.tag = tag, .from = from, .to = to, .resolution = resolution});
}

Result<Reducer> Historian::reducer(const Query& query) {
    if (query.resolution.count() < 0) return fail(ErrorCode::InvalidArgument, "the resolution must not be negative");
    const bool needs_past = has(query.needs, Needs::Integral) || has(query.needs, Needs::Resets) || query.states;
    Sources sources = TRY(body_->sources(query, needs_past ? Bounds::Before : Bounds::None));
    const auto span = static_cast<std::uint64_t>(query.to.ns()) - static_cast<std::uint64_t>(query.from.ns());
    if (query.resolution.count() > 0 &&
        span / static_cast<std::uint64_t>(query.resolution.count()) > reduction_buckets_max)
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("more than {} buckets: ask for a coarser resolution", reduction_buckets_max));
    return Reducer(std::make_unique<Reducer::Walk>(std::move(sources), query));
}

Result<Reduction> Historian::reduce(TagId tag, UtcTime from, UtcTime to, Duration resolution) {
    Reducer work = TRY(reducer(tag, from, to, resolution));
    while (work.step()) {
    }
    return work.take();
}

Result<Reduction> Historian::reduce(const Query& query) {
    Reducer work = TRY(reducer(query));
    while (work.step()) {
    }
    return work.take();
}

Result<PointFinder> Historian::point_finder(const PointQuery& query) {
    if (query.times.size() > points_max)
        return fail(ErrorCode::InvalidArgument, fmt::format("more than {} times", points_max));
    if (!std::ranges::is_sorted(query.times)) return fail(ErrorCode::InvalidArgument, "the times do not rise");
    Query range{.tag = query.tag, .known_at = query.known_at};
    if (!query.times.empty()) {
        range.from = query.times.front();
        range.to = query.times.back() == utc_time_max ? utc_time_max : query.times.back() + Duration(1);
    }
    return PointFinder(std::make_unique<PointFinder::Walk>(TRY(body_->sources(range, Bounds::Both)), query));
}

Result<Completeness> Historian::completeness(TagId tag, UtcTime from, UtcTime to) {
    const Reduction reduction = TRY(reduce({.tag = tag, .from = from, .to = to}));
    Completeness answer;
    answer.damaged_blocks = reduction.damaged_blocks;
    for (const Bucket& bucket : reduction.buckets) {
        answer.samples += bucket.count;
        answer.good += bucket.good;
        answer.uncertain += bucket.uncertain;
    }
    answer.bad = answer.samples - answer.good - answer.uncertain;
    return answer;
}

std::vector<Series> Historian::series() const { return body_->series(); }
Stats Historian::stats() const { return body_->stats(); }
void Historian::flush(flow::Settled done) { body_->flush(std::move(done)); }
void Historian::pin(std::move_only_function<void(Result<Pinned>)> done) { body_->pin(std::move(done)); }
void Historian::close(Task done) { body_->close(std::move(done)); }

}  // namespace lineshaft::store
