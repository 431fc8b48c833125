#include "fleet/internal/samples.h"

#include <algorithm>
#include <limits>

namespace lineshaft::fleet {
namespace {

constexpr std::size_t rows_at_once = 1024;
constexpr std::size_t rows_side_by_side_min = 64;  // Fewer are not worth a stretch of their own.
constexpr std::size_t rows_one_by_one = 128;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool is_true(double value) { return value == value && value != 0; }

bool has_nan(std::span<const double> values) {
    bool any = false;
    for (const double value : values) any |= value != value;
    return any;
}

}  // namespace

std::int64_t bucket_start(const Query& query, std::int64_t time) {
    if (!query.bucket) return query.from.ns();
    const std::int64_t step = query.bucket->count();
    const std::int64_t over = time % step;
    return time - (over < 0 ? over + step : over);
}

SampleJoin::SampleJoin(const Plan& plan, std::vector<store::Scan*> scans)
    : plan_(plan), streams_(scans.size()), columns_(scans.size()), column_values_(scans.size()) {
    for (std::size_t i = 0; i < scans.size(); ++i) {
        streams_[i].scan = scans[i];
        streams_[i].is_over = scans[i] == nullptr;
    }
    nothing_.assign(rows_at_once, nan);
}

void SampleJoin::refill(Stream& stream) {
    while (!stream.is_over && stream.left() == 0) {
        stream.at = 0;
        stream.is_over = !stream.scan->next(stream.rows);
        if (!stream.is_over) keep_usable(stream);
    }
}

/// Leaves the samples that are numbers and not bad.
void SampleJoin::keep_usable(Stream& stream) {
    const store::NumbersView rows = stream.rows;
    samples_ += rows.size();
    bool any_bad = false;
    if (rows.qualities.empty()) good_ += rows.size();
    for (const Quality quality : rows.qualities) {
        good_ += quality.is_good();
        any_bad |= quality.is_bad();
    }
    if (!any_bad && !has_nan(rows.values)) return;
    stream.usable.times.clear();
    stream.usable.values.clear();
    stream.usable.qualities.clear();
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (rows.values[row] != rows.values[row] || rows.quality_at(row).is_bad()) continue;
        stream.usable.times.push_back(rows.times[row]);
        stream.usable.values.push_back(rows.values[row]);
        if (!rows.qualities.empty()) stream.usable.qualities.push_back(rows.qualities[row]);
    }
    stream.rows = stream.usable.view();
}

/// The next rows in the order of time, 0 at the end: at each time what each stream says.
std::size_t SampleJoin::take_rows() {
    std::size_t streams_left = 0;
    for (Stream& stream : streams_) {
        refill(stream);
        streams_left += !stream.is_over;
    }
    if (streams_left == 0) return 0;
    const std::size_t same = side_by_side();
    if (streams_left > 1 && same < rows_side_by_side_min) return take_one_by_one();
    take_as_they_are(same);
    return same;
}

/// How many rows all streams that are left have at the same times.
std::size_t SampleJoin::side_by_side() const {
    const Stream* first = nullptr;
    std::size_t count = rows_at_once;
    for (const Stream& stream : streams_) {
        if (stream.is_over) continue;
        count = std::min(count, stream.left());
        if (!first) {
            first = &stream;
            continue;
        }
        const std::int64_t* a = first->rows.times.data() + first->at;
        const std::int64_t* b = stream.rows.times.data() + stream.at;
        if (!std::equal(a, a + count, b)) count = static_cast<std::size_t>(std::mismatch(a, a + count, b).first - a);
    }
    return count;
}

void SampleJoin::take_as_they_are(std::size_t count) {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        Stream& stream = streams_[i];
        Column& column = columns_[i];
        column.is_full = !stream.is_over;
        if (stream.is_over) {
            column.values = nothing_.data();
            column.qualities = {};
            continue;
        }
        const store::NumbersView part = stream.rows.part(stream.at, count);
        times_ = part.times.data();
        column.values = part.values.data();
        column.qualities = part.qualities;
        stream.at += count;
    }
}

std::size_t SampleJoin::take_one_by_one() {
    own_times_.resize(rows_one_by_one);
    for (Column& column : columns_) {
        column.own_values.resize(rows_one_by_one);
        column.own_qualities.assign(rows_one_by_one, Quality::good);
        column.is_full = true;
    }
    std::size_t count = 0;
    for (; count < rows_one_by_one; ++count) {
        std::int64_t time = INT64_MAX;
        bool any = false;
        for (Stream& stream : streams_) {
            refill(stream);
            if (stream.is_over) continue;
            any = true;
            time = std::min(time, stream.rows.times[stream.at]);
        }
        if (!any) break;
        own_times_[count] = time;
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            Stream& stream = streams_[i];
            Column& column = columns_[i];
            if (stream.is_over || stream.rows.times[stream.at] != time) {
                column.own_values[count] = nan;
                column.is_full = false;
                continue;
            }
            column.own_values[count] = stream.rows.values[stream.at];
            column.own_qualities[count] = stream.rows.quality_at(stream.at++);
        }
    }
    times_ = own_times_.data();
    for (Column& column : columns_) {
        column.values = column.own_values.data();
        const auto qualities = std::span(column.own_qualities).first(count);
        const bool all_good = std::ranges::all_of(qualities, [](Quality quality) { return quality.code() == 0; });
        column.qualities = all_good ? std::span<const Quality>() : qualities;
    }
    return count;
}

void SampleJoin::add_rows(std::size_t count, std::vector<std::vector<Bucketed>>& of_select) {
    std::ranges::transform(columns_, column_values_.begin(), &Column::values);
    for (std::size_t s = 0; s < plan_.query.select.size(); ++s) {
        if (!plan_.of_samples[s]) continue;
        const auto own = static_cast<std::size_t>(std::ranges::find(plan_.streams, plan_.sources.of_select[s]) -
                                                  plan_.streams.begin());
        add(s, pick(s, columns_[own], count), of_select[s]);
    }
}

/// The rows of a stretch that a select looks at, with the values that it makes of them.
store::NumbersView SampleJoin::pick(std::size_t select, const Column& own, std::size_t count) {
    const Bound& when = plan_.when[select];
    const Bound& value = plan_.value[select];
    std::span<const double> values(own.values, count);
    if (value.expression) {
        value.of_columns(column_values_, count, values_);
        values = values_;
    }
    if (!when.expression && own.is_full) return {{times_, count}, values, own.qualities};
    if (when.expression)
        when.of_columns(column_values_, count, passes_);
    else
        passes_.assign(count, 1);
    picked_.times.resize(count);
    picked_.values.resize(count);
    picked_.qualities.resize(own.qualities.empty() ? 0 : count);
    std::size_t picked = 0;
    for (std::size_t row = 0; row < count; ++row) {
        picked_.times[picked] = times_[row];
        picked_.values[picked] = values[row];
        if (!own.qualities.empty()) picked_.qualities[picked] = own.qualities[row];
        picked += static_cast<std::size_t>(own.values[row] == own.values[row]) & is_true(passes_[row]);
    }
    return picked_.view().part(0, picked);
}

void SampleJoin::add(std::size_t select, store::NumbersView rows, std::vector<Bucketed>& buckets) const {
    while (!rows.empty()) {
        const std::int64_t start = bucket_start(plan_.query, rows.times.front());
        const std::int64_t step = plan_.query.bucket ? plan_.query.bucket->count() : INT64_MAX;
        const std::int64_t last = start > INT64_MAX - step ? INT64_MAX : start + (step - 1);
        const auto count = static_cast<std::size_t>(std::ranges::upper_bound(rows.times, last) - rows.times.begin());
        if (buckets.empty() || buckets.back().start != start) buckets.push_back({start, {}});
        store::Bucket& bucket = buckets.back().bucket;
        if (plan_.sample_needs[select] == store::Needs::Basic) {
            store::add_numbers(bucket, rows.part(0, count));
        } else {
            for (std::size_t row = 0; row < count; ++row)
                store::add_to_bucket(bucket, UtcTime(rows.times[row]), rows.values[row], rows.quality_at(row));
        }
        rows = rows.part(count, rows.size() - count);
    }
}

void SampleJoin::run(std::vector<std::vector<Bucketed>>& of_select, const std::atomic<bool>& cancelled) {
    while (!cancelled.load(std::memory_order_relaxed)) {
        const std::size_t count = take_rows();
        if (count == 0) return;
        add_rows(count, of_select);
    }
}

}  // namespace lineshaft::fleet
