#include "store/historians.h"

#include <algorithm>
#include <iterator>
#include <latch>
#include <optional>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

/// What several shards answer, put together on the caller's shard. Dies with the last answer.
template <class T, class Answer>
struct Gathered {
    T sum{};
    std::size_t missing = 0;
    std::move_only_function<void(Answer)> done;
};

template <class T>
void answer_on(Shard& caller, Historians::Done<T>& done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

Result<std::unique_ptr<Historians>> Historians::create(Shards& shards, Disk& disk, WorkerPool& log_pool,
                                                       WorkerPool& disk_pool, const Options& options) {
    // Each on a thread of its own, where the pool has them: a log of a gigabyte is read back as fast as the cores allow.
    std::vector<std::optional<Result<std::unique_ptr<Historian>>>> opened(shards.count());
    std::latch missing(static_cast<std::ptrdiff_t>(shards.count()));
    for (std::size_t i = 0; i < shards.count(); ++i) {
        Options own = options;
        own.path = fmt::format("{}/shard-{}", options.path, i);
        if (!own.cold_path.empty()) own.cold_path = fmt::format("{}/shard-{}", options.cold_path, i);
        if (own.retention_bytes) own.retention_bytes = *own.retention_bytes / shards.count();
        log_pool.post([&, i, own = std::move(own)]() mutable {
            opened[i] = Historian::create(shards.at(i), disk, log_pool, disk_pool, std::move(own));
            missing.count_down();
        });
    }
    missing.wait();
    auto all = std::unique_ptr<Historians>(new Historians(shards));
    for (auto& historian : opened) all->homes_.push_back(TRY(*std::move(historian)));
    return all;
}

Historians::~Historians() = default;

Historian& Historians::at(ShardId home) {
    ASSERT(home.value() < homes_.size());
    return *homes_[home.value()];
}

void Historians::post_last(Shard& caller, ShardId home, std::vector<TagId> tags,
                           Done<std::vector<std::optional<LastValue>>> done) {
    shards_.at(home).post([&caller, &store = at(home), tags = std::move(tags), done = std::move(done)]() mutable {
        std::vector<std::optional<LastValue>> values;
        values.reserve(tags.size());
        for (const TagId tag : tags) values.push_back(store.last(tag));
        answer_on(caller, done, std::move(values));
    });
}

void Historians::post_stats(Shard& caller, Done<Stats> done) {
    auto* gathered = new Gathered<Stats, Stats>{{}, homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], gathered] {
            caller.post([gathered, stats = store.stats()] {
                gathered->sum.add(stats);
                if (--gathered->missing > 0) return;
                const std::unique_ptr<Gathered<Stats, Stats>> last(gathered);
                last->done(std::move(last->sum));
            });
        });
    }
}

void Historians::post_series(Shard& caller, Done<std::vector<Series>> done) {
    using All = std::vector<Series>;
    auto* gathered = new Gathered<All, All>{{}, homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], gathered] {
            caller.post([gathered, series = store.series()]() mutable {
                std::ranges::move(series, std::back_inserter(gathered->sum));
                if (--gathered->missing > 0) return;
                const std::unique_ptr<Gathered<All, All>> last(gathered);
                last->done(std::move(last->sum));
            });
        });
    }
}

void Historians::post_flush(Shard& caller, Done<Result<void>> done) {
    using All = Gathered<Result<void>, Result<void>>;
    auto* gathered = new All{{}, homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], gathered] {
            store.flush([&caller, gathered](Result<void> outcome) {
                caller.post([gathered, outcome = std::move(outcome)]() mutable {
                    if (!outcome) gathered->sum = std::move(outcome);
                    if (--gathered->missing > 0) return;
                    const std::unique_ptr<All> last(gathered);
                    last->done(std::move(last->sum));
                });
            });
        });
    }
}

void Historians::post_pin(Shard& caller, Done<Result<std::vector<Pinned>>> done) {
    struct Pins {
        std::vector<std::optional<Pinned>> pins;
        std::optional<Error> error;
    };
    using All = Gathered<Pins, Result<std::vector<Pinned>>>;
    auto* gathered = new All{{}, homes_.size(), std::move(done)};
    gathered->sum.pins.resize(homes_.size());
    const auto finish = [](All* all) {
        const std::unique_ptr<All> last(all);
        if (last->sum.error) return last->done(std::unexpected(*std::move(last->sum.error)));
        std::vector<Pinned> pins;
        for (auto& pin : last->sum.pins) pins.push_back(*std::move(pin));
        last->done(std::move(pins));
    };
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], gathered, finish, i] {
            store.pin([&caller, gathered, finish, i](Result<Pinned> pinned) {
                caller.post([gathered, finish, i, pinned = std::move(pinned)]() mutable {
                    if (pinned)
                        gathered->sum.pins[i] = *std::move(pinned);
                    else
                        gathered->sum.error = std::move(pinned).error();
                    if (--gathered->missing == 0) finish(gathered);
                });
            });
        });
    }
}

void Historians::close(Shard& caller, Task done) {
    struct Closing {
        std::size_t missing;
        Task done;
    };
    auto* closing = new Closing{homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], closing] {
            store.close([&caller, closing] {
                caller.post([closing] {
                    if (--closing->missing > 0) return;
                    const std::unique_ptr<Closing> last(closing);
                    last->done();
                });
            });
        });
    }
}

}  // namespace lineshaft::store
