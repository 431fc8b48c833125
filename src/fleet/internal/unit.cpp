#include "fleet/internal/unit.h"

#include <algorithm>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "fleet/engine.h"
#include "fleet/internal/samples.h"

namespace lineshaft::fleet {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool is_true(double value) { return value == value && value != 0; }

/// Adds what another series says of the same stretch of time.
void put_together(store::Bucket& all, const store::Bucket& one) {
    if (one.count == 0) return;
    if (all.count == 0) {
        all = one;
        return;
    }
    const bool earlier = one.first_time < all.first_time;
    const bool later = one.last_time > all.last_time;
    if (one.usable > 0) {
        if (all.usable == 0 || earlier) all.first = one.first;
        if (all.usable == 0 || later) all.last = one.last;
        all.min = all.usable == 0 ? one.min : std::min(all.min, one.min);
        all.max = all.usable == 0 ? one.max : std::max(all.max, one.max);
    }
    if (earlier) all.first_time = one.first_time;
    if (later) all.last_time = one.last_time;
    all.count += one.count;
    all.usable += one.usable;
    all.good += one.good;
    all.uncertain += one.uncertain;
    all.worst = std::max(all.worst, one.worst);
    all.sum.add(one.sum);
    all.squares.add(one.squares);
    all.integral.add(one.integral);
    all.covered += one.covered;
}

std::vector<Bucketed> merge(std::vector<Bucketed> a, const std::vector<Bucketed>& b) {
    if (a.empty()) return b;
    std::vector<Bucketed> both;
    both.reserve(std::max(a.size(), b.size()));
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        if (j == b.size() || (i < a.size() && a[i].start < b[j].start)) {
            both.push_back(a[i++]);
        } else if (i == a.size() || b[j].start < a[i].start) {
            both.push_back(b[j++]);
        } else {
            both.push_back(a[i++]);
            put_together(both.back().bucket, b[j++].bucket);
        }
    }
    return both;
}

class Unit {
public:
    Unit(const Plan& plan, const std::atomic<bool>& cancelled, std::size_t rows_left)
        : plan_(plan), query_(plan.query), cancelled_(cancelled), rows_left_(rows_left) {
        done_.rows.width = plan.before.size();
    }

    UnitDone run(std::vector<Opened>& opened) {
        for (std::size_t begin = 0; begin < opened.size() && !done_.error && !cancelled_;) {
            std::size_t end = begin;
            while (end < opened.size() && opened[end].key == opened[begin].key) ++end;
            one_key(std::span(opened).subspan(begin, end - begin));
            begin = end;
            if (done_.rows.size() > rows_left_)
                done_.error =
                    Error(ErrorCode::LimitExceeded,
                          fmt::format("more than {} rows come of it: narrow the patterns or the range, or ask "
                                      "for coarser buckets",
                                      rows_per_query_max));
        }
        return std::move(done_);
    }

private:
    void one_key(std::span<Opened> opened) {
        of_source_.assign(plan_.sources.patterns.size(), {});
        of_select_.assign(query_.select.size(), {});
        for (Opened& one : opened) {
            if (one.reducer) reduce(one);
            if (cancelled_) return;
        }
        if (plan_.has_samples && !join(opened)) return;
        make_columns();
        filter();
        if (query_.has_per)
            add_per(opened.front().key);
        else
            add_buckets(opened.front().key);
    }

    void reduce(Opened& one) {
        while (one.reducer->step(64)) {
            if (cancelled_) return;
        }
        const store::Reduction reduction = one.reducer->take();
        one.reducer.reset();
        done_.damaged_blocks += reduction.damaged_blocks;
        std::vector<Bucketed> buckets;
        buckets.reserve(reduction.buckets.size());
        for (const store::Bucket& bucket : reduction.buckets) {
            done_.samples += bucket.count;
            done_.good += bucket.good;
            buckets.push_back({query_.bucket ? bucket.start.ns() : query_.from.ns(), bucket});
        }
        of_source_[one.source] = merge(std::move(of_source_[one.source]), buckets);
    }

    bool join(std::span<Opened> opened) {
        std::vector<store::Scan*> scans(plan_.streams.size(), nullptr);
        for (Opened& one : opened) {
            if (!one.scan) continue;
            const auto stream =
                static_cast<std::size_t>(std::ranges::find(plan_.streams, one.source) - plan_.streams.begin());
            if (scans[stream]) {
                done_.error = Error(
                    ErrorCode::InvalidArgument,
                    fmt::format("'value' and 'when' look at one series each, but several tags fit '{}' for the same "
                                "names: catch more of their path",
                                plan_.sources.patterns[one.source]->text()));
                return false;
            }
            scans[stream] = &*one.scan;
        }
        SampleJoin samples(plan_, scans);
        samples.run(of_select_, cancelled_);
        done_.samples += samples.samples();
        done_.good += samples.good();
        for (const store::Scan* scan : scans) done_.damaged_blocks += scan ? scan->damaged_blocks() : 0;
        return true;
    }

    /// One row for each bucket that any select has something in.
    void make_columns() {
        starts_.clear();
        for (std::size_t s = 0; s < query_.select.size(); ++s) {
            for (const Bucketed& one : buckets_of(s)) starts_.push_back(one.start);
        }
        std::ranges::sort(starts_);
        starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
        columns_.resize(query_.select.size());
        for (std::size_t s = 0; s < query_.select.size(); ++s) {
            columns_[s].assign(starts_.size(), nan);
            std::size_t row = 0;
            for (const Bucketed& one : buckets_of(s)) {
                while (starts_[row] < one.start) ++row;
                columns_[s][row] = value_of(one.bucket, query_.select[s].aggregate);
            }
        }
    }

    const std::vector<Bucketed>& buckets_of(std::size_t select) const {
        return plan_.of_samples[select] ? of_select_[select] : of_source_[plan_.sources.of_select[select]];
    }

    void filter() {
        if (plan_.where.expression) return plan_.where.of_columns(columns_, starts_.size(), passes_);
        passes_.assign(starts_.size(), 0);
        for (std::size_t row = 0; row < starts_.size(); ++row) {
            for (const std::vector<double>& column : columns_) passes_[row] += column[row] == column[row];
        }
    }

    void add_buckets(std::uint32_t key) {
        for (std::size_t row = 0; row < starts_.size(); ++row) {
            if (!is_true(passes_[row])) continue;
            done_.rows.keys.push_back(key);
            done_.rows.times.push_back(starts_[row]);
            for (const std::vector<double>& column : columns_) done_.rows.values.push_back(column[row]);
        }
    }

    std::int64_t per_start(std::int64_t time) const {
        if (!query_.per_bucket) return query_.from.ns();
        const std::int64_t step = query_.per_bucket->count();
        const std::int64_t over = time % step;
        return time - (over < 0 ? over + step : over);
    }

    void add_per(std::uint32_t key) {
        find_runs();
        of_.resize(query_.per.size());
        for (std::size_t c = 0; c < query_.per.size(); ++c) {
            if (plan_.per_of[c].expression) plan_.per_of[c].of_columns(columns_, starts_.size(), of_[c]);
        }
        for (std::size_t begin = 0; begin < starts_.size();) {
            const std::int64_t start = per_start(starts_[begin]);
            std::size_t end = begin;
            while (end < starts_.size() && per_start(starts_[end]) == start) ++end;
            add_stretch(key, start, begin, end);
            begin = end;
        }
    }

    /// Runs of buckets that pass: where each begins, how many buckets it has, and how long it is when its end is seen.
    void find_runs() {
        runs_.clear();
        for (std::size_t row = 0; row < starts_.size();) {
            if (!is_true(passes_[row])) {
                ++row;
                continue;
            }
            std::size_t end = row;
            while (end < starts_.size() && is_true(passes_[end])) ++end;
            const bool is_whole = row > 0 && end < starts_.size();
            runs_.push_back(
                {row, end, row > 0, is_whole ? static_cast<double>(starts_[end] - starts_[row]) / 1e9 : nan});
            row = end;
        }
    }

    void add_stretch(std::uint32_t key, std::int64_t start, std::size_t begin, std::size_t end) {
        std::size_t passed = 0;
        for (std::size_t row = begin; row < end; ++row) passed += is_true(passes_[row]);
        bool any = false;
        const std::size_t before = done_.rows.values.size();
        for (std::size_t c = 0; c < query_.per.size(); ++c) {
            const double value = of_stretch(c, begin, end, passed);
            any = any || (value == value && (passed > 0 || value != 0));
            done_.rows.values.push_back(value);
        }
        if (!any) {
            done_.rows.values.resize(before);
            return;
        }
        done_.rows.keys.push_back(key);
        done_.rows.times.push_back(start);
    }

    double of_stretch(std::size_t column, std::size_t begin, std::size_t end, std::size_t passed) const {
        const Aggregate aggregate = query_.per[column].aggregate;
        if (aggregate == Aggregate::LongestRun || aggregate == Aggregate::Transitions ||
            aggregate == Aggregate::MeanRun)
            return of_runs(aggregate, begin, end);
        if (!plan_.per_of[column].expression) return static_cast<double>(passed);
        Tally tally;
        for (std::size_t row = begin; row < end; ++row) {
            if (is_true(passes_[row])) tally.add(of_[column][row]);
        }
        return tally.of(aggregate);
    }

    /// A run belongs to the stretch that it begins in; the longest is counted within the stretch.
    double of_runs(Aggregate aggregate, std::size_t begin, std::size_t end) const {
        std::size_t longest = 0, entered = 0;
        Tally seconds;
        for (const Run& run : runs_) {
            const std::size_t first = std::max(run.begin, begin);
            const std::size_t last = std::min(run.end, end);
            if (first < last) longest = std::max(longest, last - first);
            if (run.begin < begin || run.begin >= end) continue;
            entered += run.is_entered;
            seconds.add(run.seconds);
        }
        if (aggregate == Aggregate::LongestRun) return static_cast<double>(longest);
        if (aggregate == Aggregate::Transitions) return static_cast<double>(entered);
        return seconds.of(Aggregate::Mean);
    }

    struct Run {
        std::size_t begin, end;
        bool is_entered;  // Something was before it.
        double seconds;   // NaN when its beginning or end was not seen.
    };

    const Plan& plan_;
    const Query& query_;
    const std::atomic<bool>& cancelled_;
    const std::size_t rows_left_;
    UnitDone done_;
    // Of the key at hand.
    std::vector<std::vector<Bucketed>> of_source_;
    std::vector<std::vector<Bucketed>> of_select_;
    std::vector<std::int64_t> starts_;
    std::vector<std::vector<double>> columns_;  // By select.
    std::vector<double> passes_;
    std::vector<std::vector<double>> of_;  // By column of per.
    std::vector<Run> runs_;
};

}  // namespace

UnitDone work_through(const Plan& plan, std::vector<Opened> opened, const std::atomic<bool>& cancelled,
                      std::size_t rows_left) {
    return Unit(plan, cancelled, rows_left).run(opened);
}

}  // namespace lineshaft::fleet
