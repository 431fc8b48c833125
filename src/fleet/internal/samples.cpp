#include "fleet/internal/samples.h"

#include <algorithm>
#include <limits>

namespace lineshaft::fleet {
namespace {

constexpr std::size_t rows_at_once = 1024;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool is_true(double value) { return value == value && value != 0; }

}  // namespace

std::int64_t bucket_start(const Query& query, std::int64_t time) {
    if (!query.bucket) return query.from.ns();
    const std::int64_t step = query.bucket->count();
    const std::int64_t over = time % step;
    return time - (over < 0 ? over + step : over);
}

SampleJoin::SampleJoin(const Plan& plan, std::vector<store::Scan*> scans)
    : plan_(plan), streams_(scans.size()), columns_(scans.size()), qualities_(scans.size()) {
    for (std::size_t i = 0; i < scans.size(); ++i) {
        streams_[i].scan = scans[i];
        streams_[i].is_over = scans[i] == nullptr;
        columns_[i].resize(rows_at_once);
        qualities_[i].resize(rows_at_once);
    }
    times_.resize(rows_at_once);
}

/// The next samples that are numbers and not bad.
void SampleJoin::refill(Stream& stream) {
    while (!stream.is_over && stream.at == stream.times.size()) {
        stream.times.clear();
        stream.numbers.clear();
        stream.qualities.clear();
        stream.at = 0;
        if (!stream.scan->next(stream.chunk)) {
            stream.is_over = true;
            return;
        }
        const store::Chunk& chunk = stream.chunk;
        samples_ += chunk.size();
        for (std::size_t row = 0; row < chunk.size(); ++row) {
            const double number = chunk.number_at(row);
            const Quality quality = chunk.qualities[row];
            good_ += quality.is_good();
            if (number != number || quality.is_bad()) continue;
            stream.times.push_back(chunk.source_times[row].ns());
            stream.numbers.push_back(number);
            stream.qualities.push_back(quality);
        }
    }
}

/// Rows in the order of time: at each time what each stream says.
std::size_t SampleJoin::take_rows() {
    std::size_t count = 0;
    for (; count < rows_at_once; ++count) {
        std::int64_t time = INT64_MAX;
        bool any = false;
        for (Stream& stream : streams_) {
            if (stream.at == stream.times.size()) refill(stream);
            if (stream.is_over) continue;
            any = true;
            time = std::min(time, stream.times[stream.at]);
        }
        if (!any) break;
        times_[count] = time;
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            Stream& stream = streams_[i];
            if (stream.is_over || stream.times[stream.at] != time) {
                columns_[i][count] = nan;
                continue;
            }
            columns_[i][count] = stream.numbers[stream.at];
            qualities_[i][count] = stream.qualities[stream.at++];
        }
    }
    return count;
}

void SampleJoin::add_rows(std::size_t count, std::vector<std::vector<Bucketed>>& of_select) {
    for (std::size_t s = 0; s < plan_.query.select.size(); ++s) {
        if (!plan_.of_samples[s]) continue;
        const auto own = static_cast<std::size_t>(std::ranges::find(plan_.streams, plan_.sources.of_select[s]) -
                                                  plan_.streams.begin());
        if (plan_.when[s].expression) plan_.when[s].of_columns(columns_, count, passes_);
        if (plan_.value[s].expression)
            plan_.value[s].of_columns(columns_, count, values_);
        else
            values_.assign(columns_[own].begin(), columns_[own].begin() + static_cast<std::ptrdiff_t>(count));
        std::vector<Bucketed>& buckets = of_select[s];
        for (std::size_t row = 0; row < count; ++row) {
            if (columns_[own][row] != columns_[own][row]) continue;
            if (plan_.when[s].expression && !is_true(passes_[row])) continue;
            const std::int64_t start = bucket_start(plan_.query, times_[row]);
            if (buckets.empty() || buckets.back().start != start) buckets.push_back({start, {}});
            store::add_to_bucket(buckets.back().bucket, UtcTime(times_[row]), values_[row], qualities_[own][row]);
        }
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
