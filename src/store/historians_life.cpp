// Life of data over all shards: see historians.h.
#include "store/historians.h"

namespace lineshaft::store {
namespace {

/// What several shards answer, put together on the caller's shard. Dies with the last answer.
template <class T>
struct Gathered {
    T sum{};
    std::size_t missing = 0;
    Historians::Done<T> done;
};

template <class T>
void answer_on(Shard& caller, Historians::Done<T>& done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

void Historians::post_storage(Shard& caller, Done<StorageReport> done) {
    auto* gathered = new Gathered<StorageReport>{{}, homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], gathered] {
            caller.post([gathered, report = store.storage()] {
                gathered->sum.add(report);
                if (--gathered->missing > 0) return;
                const std::unique_ptr<Gathered<StorageReport>> last(gathered);
                last->done(std::move(last->sum));
            });
        });
    }
}

void Historians::post_set_retention(std::vector<RetentionRule> rules) {
    // A bound in bytes is of all shards together.
    for (RetentionRule& rule : rules) {
        if (rule.raw_bytes) rule.raw_bytes = *rule.raw_bytes / homes_.size();
    }
    for (std::size_t i = 0; i < homes_.size(); ++i)
        shards_.at(i).post([&store = *homes_[i], rules] { store.set_retention(rules); });
}

void Historians::post_preview_retention(Shard& caller, std::vector<RetentionRule> rules,
                                        Done<std::vector<RetentionEffect>> done) {
    using Effects = std::vector<RetentionEffect>;
    for (RetentionRule& rule : rules) {
        if (rule.raw_bytes) rule.raw_bytes = *rule.raw_bytes / homes_.size();
    }
    auto* gathered = new Gathered<Effects>{{}, homes_.size(), std::move(done)};
    for (std::size_t i = 0; i < homes_.size(); ++i) {
        shards_.at(i).post([&caller, &store = *homes_[i], rules, gathered] {
            store.preview_retention(rules, [&caller, gathered](const Effects& effects) {
                caller.post([gathered, effects] {
                    if (gathered->sum.empty()) gathered->sum.resize(effects.size());
                    for (std::size_t rule = 0; rule < effects.size(); ++rule) {
                        gathered->sum[rule].rule = effects[rule].rule;
                        gathered->sum[rule].series += effects[rule].series;
                        gathered->sum[rule].samples += effects[rule].samples;
                        gathered->sum[rule].bytes += effects[rule].bytes;
                    }
                    if (--gathered->missing > 0) return;
                    const std::unique_ptr<Gathered<Effects>> last(gathered);
                    last->done(std::move(last->sum));
                });
            });
        });
    }
}

void Historians::post_erase(Shard& caller, ShardId home, std::vector<TagId> tags, UtcTime from, UtcTime to,
                            Done<Result<Erased>> done) {
    shards_.at(home).post(
        [&caller, &store = at(home), tags = std::move(tags), from, to, done = std::move(done)]() mutable {
            store.erase(tags, from, to, [&caller, done = std::move(done)](Result<Erased> erased) mutable {
                answer_on(caller, done, std::move(erased));
            });
        });
}

void Historians::post_correct(Shard& caller, ShardId home, TagId tag, Chunk rows, std::string source,
                              Done<Result<Corrected>> done) {
    shards_.at(home).post([&caller, &store = at(home), tag, rows = std::move(rows), source = std::move(source),
                           done = std::move(done)]() mutable {
        store.correct(tag, rows, store.source_id(source),
                      [&caller, done = std::move(done)](Result<Corrected> corrected) mutable {
                          answer_on(caller, done, std::move(corrected));
                      });
    });
}

}  // namespace lineshaft::store
