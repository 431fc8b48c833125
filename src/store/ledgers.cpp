#include <algorithm>
#include <iterator>
#include <memory>

#include "store/historians.h"
#include "store/internal/body.h"
#include "store/internal/completion.h"
#include "store/internal/survey.h"
#include "store/ledger.h"

namespace lineshaft::store {
namespace {

Ledger& ledger_of(Historian& store) { return store.body().ledger(); }

template <class T>
void answer_on(Shard& caller, Ledgers::Done<T>& done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

/// What several shards answer, put together on the caller's shard. Dies with the last answer.
template <class T>
struct Together {
    T sum{};
    std::size_t missing = 0;
    std::optional<Error> error;
    Ledgers::Done<Result<T>> done;

    template <class Add>
    static void arrived(Together* self, Result<T> part, Add add) {
        if (part)
            add(self->sum, *std::move(part));
        else
            self->error = part.error();
        if (--self->missing > 0) return;
        const std::unique_ptr<Together> last(self);
        if (last->error)
            last->done(std::unexpected(*last->error));
        else
            last->done(std::move(last->sum));
    }
};

template <class T>
void append_all(std::vector<T>& sum, std::vector<T> part) {
    std::ranges::move(part, std::back_inserter(sum));
}

/// Asks `ask(ledger)` on every shard.
template <class T, class Ask, class Add>
void ask_all(Shards& shards, Historians& stores, Shard& caller, Ask ask, Add add, Ledgers::Done<Result<T>> done) {
    auto* together = new Together<T>{{}, shards.count(), std::nullopt, std::move(done)};
    for (std::size_t i = 0; i < shards.count(); ++i) {
        shards.at(i).post([&caller, &store = stores.at(ShardId(static_cast<std::uint16_t>(i))), together, ask, add] {
            caller.post([together, add, part = Result<T>(ask(ledger_of(store)))]() mutable {
                Together<T>::arrived(together, std::move(part), add);
            });
        });
    }
}

/// The shards live and die together, but one that heard nothing may not have noted a short life.
std::vector<UpTime> one_life_each(std::vector<UpTime> of_shards) {
    constexpr Duration apart = 100ms;  // Shards start closer together, a process that died and its successor do not.
    std::ranges::sort(of_shards, {}, &UpTime::from);
    std::vector<UpTime> lives;
    for (const UpTime& up : of_shards) {
        if (lives.empty() || up.from - lives.back().from > apart) {
            lives.push_back(up);
            continue;
        }
        lives.back().until = std::max(lives.back().until, up.until);
        lives.back().closed |= up.closed;
    }
    return lives;
}

std::vector<LedgerHour> hours_of(const Ledger& ledger, ShardId shard, const LedgerPast& past) {
    std::vector<LedgerHour> hours;
    for (const auto& [key, hour] : past.hours) {
        LedgerHour& entry = hours.emplace_back();
        entry.hour = UtcTime(key.first * hour_ns);
        entry.source = ledger.name_of(key.second);
        entry.shard = shard;
        entry.stored = hour.stored.count();
        entry.assigned = std::max(hour.assigned, entry.stored);
        entry.ranges = hour.stored.all();
        entry.refused = hour.refused;
    }
    return hours;
}

/// A stretch of the work, then whoever else waits on this shard, then the next.
void complete(Shard& home, Shard& caller, Ledger& ledger, std::unique_ptr<Completion> work,
              Ledgers::Done<Result<Completeness>> done) {
    if (work->step()) {
        home.post([&home, &caller, &ledger, work = std::move(work), done = std::move(done)]() mutable {
            complete(home, caller, ledger, std::move(work), std::move(done));
        });
        return;
    }
    const auto needs = work->needs();
    if (!needs) return answer_on<Result<Completeness>>(caller, done, work->take({}));
    ledger.read(*needs, [&caller, work = std::move(work), done = std::move(done)](Result<LedgerPast> past) mutable {
        // Without the old months the gaps are there all the same; why is not known.
        answer_on<Result<Completeness>>(caller, done, work->take(past ? *past : LedgerPast()));
    });
}

}  // namespace

void Ledgers::post_sources(Shard& caller, std::string prefix, Done<std::vector<LedgerSource>> done) {
    using All = std::vector<LedgerSource>;
    ask_all<All>(
        shards_, historians_, caller, [prefix = std::move(prefix)](Ledger& ledger) { return ledger.sources(prefix); },
        append_all<LedgerSource>,
        [done = std::move(done)](Result<All> all) mutable {
            std::ranges::sort(*all, [](const LedgerSource& a, const LedgerSource& b) {
                return std::tie(a.name, a.shard) < std::tie(b.name, b.shard);
            });
            done(*std::move(all));
        });
}

void Ledgers::post_hours(Shard& caller, std::string source, UtcTime from, UtcTime to,
                         Done<Result<LedgerHours>> done) {
    if (to < from) {
        return answer_on<Result<LedgerHours>>(caller, done,
                                              fail(ErrorCode::InvalidArgument, "the range ends before it begins"));
    }
    auto finish = [done = std::move(done)](Result<LedgerHours> all) mutable {
        if (!all) return done(std::unexpected(all.error()));
        std::ranges::sort(all->hours, [](const LedgerHour& a, const LedgerHour& b) {
            return std::tie(a.hour, a.source, a.shard) < std::tie(b.hour, b.source, b.shard);
        });
        if (all->hours.size() > ledger_hours_max) {
            all->hours.resize(ledger_hours_max);
            all->more = true;
        }
        done(*std::move(all));
    };
    auto* together = new Together<LedgerHours>{{}, shards_.count(), std::nullopt, std::move(finish)};
    for (std::size_t i = 0; i < shards_.count(); ++i) {
        const ShardId id(static_cast<std::uint16_t>(i));
        shards_.at(i).post([&caller, id, &ledger = ledger_of(historians_.at(id)), together, source, from, to] {
            const auto arrived = [&caller, &ledger, id, together](Result<LedgerPast> past) {
                Result<LedgerHours> part = LedgerHours();
                if (past)
                    *part = {hours_of(ledger, id, *past), past->more};
                else
                    part = std::unexpected(past.error());
                caller.post([together, part = std::move(part)]() mutable {
                    Together<LedgerHours>::arrived(together, std::move(part), [](LedgerHours& sum, LedgerHours one) {
                        append_all(sum.hours, std::move(one.hours));
                        sum.more |= one.more;
                    });
                });
            };
            std::vector<SourceId> only;
            if (!source.empty()) {
                const auto known = ledger.id_of(source);
                if (!known) return arrived(LedgerPast());
                only.push_back(*known);
            }
            LedgerPast recent = ledger.recent(source, from, to);
            ledger.read(ledger.reading(from, to, std::move(only)),
                        [arrived, recent = std::move(recent)](Result<LedgerPast> past) {
                            if (past) past->add(recent);
                            if (past) past->limit(ledger_hours_max);
                            arrived(std::move(past));
                        });
        });
    }
}

void Ledgers::post_up_times(Shard& caller, UtcTime from, UtcTime to, Done<Result<std::vector<UpTime>>> done) {
    using All = std::vector<UpTime>;
    ask_all<All>(
        shards_, historians_, caller, [from, to](Ledger& ledger) { return ledger.up_times(from, to); },
        append_all<UpTime>,
        [done = std::move(done)](Result<All> all) mutable {
            if (!all) return done(std::move(all));
            done(one_life_each(*std::move(all)));
        });
}

void Ledgers::post_completeness(Shard& caller, ShardId home, TagQuestion question, UtcTime from, UtcTime to,
                                Done<Result<Completeness>> done) {
    Shard& shard = shards_.at(home);
    shard.post([&shard, &caller, &store = historians_.at(home), question = std::move(question), from, to,
                done = std::move(done)]() mutable {
        if (to < from) {
            return answer_on<Result<Completeness>>(
                caller, done, fail(ErrorCode::InvalidArgument, "the range ends before it begins"));
        }
        Ledger& ledger = ledger_of(store);
        complete(shard, caller, ledger, std::make_unique<Completion>(store, ledger, std::move(question), from, to),
                 std::move(done));
    });
}

void Ledgers::post_quality(Shard& caller, ShardId home, std::vector<TagQuestion> questions, UtcTime from, UtcTime to,
                           Done<std::vector<TagQuality>> done) {
    Shard& shard = shards_.at(home);
    shard.post([&shard, &caller, &store = historians_.at(home), questions = std::move(questions), from, to,
                done = std::move(done)]() mutable {
        survey(shard, store.body().disk_pool(), store, std::move(questions), from, to,
               [&caller, done = std::move(done)](std::vector<TagQuality> judged) mutable {
                   answer_on<std::vector<TagQuality>>(caller, done, std::move(judged));
               });
    });
}

void Ledgers::post_refused(Shard& caller, UtcTime from, UtcTime to, Done<std::vector<Refused>> done) {
    using All = std::vector<Refused>;
    ask_all<All>(
        shards_, historians_, caller,
        [from, to](Ledger& ledger) {
            All all;
            for (const auto& [key, hour] : ledger.recent({}, from, to).hours) {
                for (const Refused& refused : hour.refused) all.push_back(refused);
            }
            return all;
        },
        append_all<Refused>, [done = std::move(done)](Result<All> all) mutable { done(*std::move(all)); });
}

void Ledgers::post_presence(const std::string& source, Presence presence, UtcTime since) {
    for (std::size_t i = 0; i < shards_.count(); ++i) {
        shards_.at(i).post([&store = historians_.at(ShardId(static_cast<std::uint16_t>(i))), source, presence,
                            since] { ledger_of(store).set_presence(source, presence, since); });
    }
}

void Ledgers::post_refusal(ShardId shard, std::string source, Refused refused) {
    shards_.at(shard).post(
        [&store = historians_.at(shard), source = std::move(source), refused = std::move(refused)] {
            if (store.is_ready()) ledger_of(store).refuse(store.source_id(source), refused);
        });
}

}  // namespace lineshaft::store
