#include "store/internal/survey.h"

#include <algorithm>
#include <cmath>

#include "store/internal/gaps.h"

namespace lineshaft::store {
namespace {

constexpr std::size_t group_tags = 32;
constexpr std::size_t buckets_wanted = 96;
constexpr std::size_t rows_newest = 256;
// A value is stuck when it has not changed for so many times its longest rest before.
constexpr int stuck_factor = 3;
constexpr std::uint64_t stuck_samples_min = 10;
constexpr std::size_t changes_min = 3;

double share(std::uint64_t part, std::uint64_t of) {
    return of ? static_cast<double>(part) / static_cast<double>(of) : 0.0;
}

/// How long a value that used to change has rested although samples kept coming.
std::optional<Duration> stuck_for(const TagView& view, UtcTime to) {
    const std::vector<Bucket>& buckets = view.reduction.buckets;
    if (buckets.empty() || !view.last || std::holds_alternative<bool>(view.last->value)) return std::nullopt;
    Duration longest{0};
    std::size_t changes = 0;
    std::uint64_t samples = 0;
    UtcTime since = buckets.front().first_time;
    double before = std::numeric_limits<double>::quiet_NaN();
    for (const Bucket& bucket : buckets) {
        if (bucket.usable == 0) continue;
        const bool moves = bucket.min != bucket.max;
        if (moves || (!std::isnan(before) && bucket.first != before)) {
            ++changes;
            longest = std::max(longest, bucket.first_time - since);
            since = moves ? bucket.last_time : bucket.first_time;
            samples = 0;
        }
        samples += bucket.usable;
        before = bucket.last;
    }
    const Bucket& last = buckets.back();
    const Duration resolution = view.reduction.resolution;
    const Duration rested = last.last_time - since;
    const bool is_fresh = to - last.last_time <= 2 * resolution;
    if (changes < changes_min || !is_fresh || samples < stuck_samples_min) return std::nullopt;
    if (rested <= stuck_factor * std::max(longest, resolution)) return std::nullopt;
    return rested;
}

double out_of_range(const TagQuestion& question, const std::vector<Bucket>& buckets) {
    std::uint64_t out = 0, all = 0;
    for (const Bucket& bucket : buckets) {
        if (bucket.usable == 0) continue;
        ++all;
        out += (question.range_low && bucket.min < *question.range_low) ||
               (question.range_high && bucket.max > *question.range_high);
    }
    return share(out, all);
}

std::optional<Duration> skew_of(const Chunk& rows) {
    std::vector<std::int64_t> delays;
    bool has_times = false;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        delays.push_back((rows.receive_times[row] - rows.source_times[row]).count());
        has_times |= delays.back() != 0;
    }
    if (!has_times) return std::nullopt;
    const auto middle = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 2);
    std::ranges::nth_element(delays, middle);
    return Duration(*middle);
}

}  // namespace

TagQuality judge(const TagQuestion& question, const TagView& view, UtcTime from, UtcTime to, UtcTime now) {
    TagQuality quality;
    quality.tag = question.tag;
    quality.damaged_blocks = view.reduction.damaged_blocks;
    if (view.last) quality.last_time = view.last->source_time;
    std::uint64_t good = 0, uncertain = 0;
    for (const Bucket& bucket : view.reduction.buckets) {
        quality.samples += bucket.count;
        good += bucket.good;
        uncertain += bucket.uncertain;
    }
    quality.bad_share = share(quality.samples - good - uncertain, quality.samples);
    quality.uncertain_share = share(uncertain, quality.samples);
    const auto learned = question.cadence ? question.cadence : learn_period(view.newest);
    const Duration period = learned.value_or(Duration(0));
    const std::vector<Stretch> stretches = stretches_of(view.reduction.buckets);
    if (stretches.empty()) {
        if (view.last && view.last->source_time < from) quality.missing_time = to - from;
        if (period.count() > 0) quality.missing = static_cast<std::uint64_t>(quality.missing_time / period);
        if (period.count() > 0) quality.expected = quality.missing;
        return quality;
    }
    if (period.count() > 0) {
        const std::vector<Pace> paces = paces_of(stretches, period, question.cadence.has_value());
        const UtcTime until = expected_until(view.newest, to, now);
        for (const Gap& gap : find_gaps(stretches, paces, stretches.front().first, until)) {
            if (gap.reason) {
                quality.missing_time += gap.to - gap.from;
                continue;
            }
            quality.missing += gap.samples.value_or(0);
            quality.missing_time +=
                gap.is_exact ? gap.to - gap.from : static_cast<std::int64_t>(gap.samples.value_or(0)) * period;
        }
        quality.expected = quality.samples + quality.missing;
    }
    Completeness lateness;
    count_lateness(view.newest, lateness);
    if (lateness.examined > 0) {
        quality.late_share = share(lateness.late, lateness.examined);
        quality.out_of_order_share = share(lateness.out_of_order, lateness.examined);
    }
    quality.stuck = stuck_for(view, to);
    quality.out_of_range_share = out_of_range(question, view.reduction.buckets);
    quality.clock_skew = skew_of(view.newest);
    return quality;
}

namespace {

/// Carries one survey from group to group.
class Survey {
public:
    Survey(Shard& shard, WorkerPool& pool, Historian& store, std::vector<TagQuestion> questions, UtcTime from,
           UtcTime to, Surveyed done)
        : shard_(shard),
          pool_(pool),
          store_(store),
          questions_(std::move(questions)),
          from_(from),
          to_(std::max(from, std::min(to, shard.utc_now() + 1ns))),
          done_(std::move(done)) {
        judged_.reserve(questions_.size());
    }

    static void next(std::unique_ptr<Survey> self) {
        if (self->judged_.size() == self->questions_.size()) {
            Surveyed done = std::move(self->done_);
            done(std::move(self->judged_));
            return;
        }
        std::vector<Part> parts = self->ask();
        Survey& me = *self;
        me.pool_.run(
            me.shard_,
            [parts = std::move(parts), to = me.to_]() mutable {
                for (Part& part : parts) reduce(part, to);
                return std::move(parts);
            },
            [self = std::move(self)](std::vector<Part> reduced) mutable {
                newest(std::move(self), std::move(reduced));
            });
    }

private:
    struct Part {
        TagQuestion question;
        TagView view;
        std::optional<Reducer> reducer;
        std::optional<Scan> scan;
        UtcTime newest_from;
    };

    std::vector<Part> ask() {
        std::vector<Part> parts;
        const std::size_t end = std::min(judged_.size() + group_tags, questions_.size());
        for (std::size_t i = judged_.size(); i < end; ++i) {
            Part& part = parts.emplace_back();
            part.question = questions_[i];
            part.view.last = store_.last(part.question.tag);
            Query query;
            query.tag = part.question.tag;
            query.from = from_;
            query.to = to_;
            query.resolution = resolution_for(from_, to_, buckets_wanted);
            if (auto reducer = store_.reducer(query)) part.reducer.emplace(*std::move(reducer));
        }
        return parts;
    }

    static void reduce(Part& part, UtcTime to) {
        if (!part.reducer) return;
        while (part.reducer->step()) {
        }
        part.view.reduction = part.reducer->take();
        part.reducer.reset();
        part.newest_from = to;
        std::uint64_t count = 0;
        const std::vector<Bucket>& buckets = part.view.reduction.buckets;
        for (std::size_t i = buckets.size(); i-- > 0 && count < rows_newest;) {
            part.newest_from = buckets[i].first_time;
            const std::uint64_t wanted = rows_newest - count;
            if (buckets[i].count > 2 * wanted) {
                const double portion = static_cast<double>(wanted) / static_cast<double>(buckets[i].count);
                const auto span = static_cast<double>((buckets[i].last_time - buckets[i].first_time).count());
                part.newest_from = buckets[i].last_time - Duration(std::llround(span * portion));
            }
            count += buckets[i].count;
        }
    }

    static void newest(std::unique_ptr<Survey> self, std::vector<Part> parts) {
        Survey& me = *self;
        for (Part& part : parts) {
            if (part.view.reduction.buckets.empty()) continue;
            if (auto scan = me.store_.scan(part.question.tag, part.newest_from, me.to_))
                part.scan.emplace(*std::move(scan));
        }
        me.pool_.run(
            me.shard_,
            [parts = std::move(parts), from = me.from_, to = me.to_, now = me.shard_.utc_now()]() mutable {
                std::vector<TagQuality> judged;
                for (Part& part : parts) {
                    if (part.scan) (void)part.scan->next(part.view.newest);  // One chunk is more than enough.
                    judged.push_back(judge(part.question, part.view, from, to, now));
                }
                return judged;
            },
            [self = std::move(self)](std::vector<TagQuality> judged) mutable {
                std::ranges::move(judged, std::back_inserter(self->judged_));
                next(std::move(self));
            });
    }

    Shard& shard_;
    WorkerPool& pool_;
    Historian& store_;
    const std::vector<TagQuestion> questions_;
    const UtcTime from_;
    const UtcTime to_;
    Surveyed done_;
    std::vector<TagQuality> judged_;
};

}  // namespace

void survey(Shard& shard, WorkerPool& pool, Historian& store, std::vector<TagQuestion> questions, UtcTime from,
            UtcTime to, Surveyed done) {
    Survey::next(std::make_unique<Survey>(shard, pool, store, std::move(questions), from, to, std::move(done)));
}

}  // namespace lineshaft::store
