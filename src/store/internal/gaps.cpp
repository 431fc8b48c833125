#include "store/internal/gaps.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

constexpr std::size_t rows_to_learn_min = 6;
constexpr double even_tolerance = 0.25;  // Of the median, that a distance may be off and still be even.
constexpr double even_share_min = 0.75;
constexpr std::uint64_t count_to_pace_min = 4;
constexpr std::size_t neighbours = 8;  // To each side.
constexpr double gap_factor = 1.75;    // A distance of so many periods is a gap.
constexpr double spread_factor = 4;

template <class T>
T median_of(std::vector<T>& values) {
    ASSERT(!values.empty());
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

double spacing(const Stretch& stretch) {
    return static_cast<double>((stretch.last - stretch.first).count()) / static_cast<double>(stretch.count - 1);
}

GapReason reason_of(Quality quality) {
    return quality == Quality::bad_no_communication ? GapReason::Link : GapReason::Device;
}

double periods(Duration time, Duration period) {
    return static_cast<double>(time.count()) / static_cast<double>(period.count());
}

void add_gap(std::vector<Gap>& gaps, UtcTime from, UtcTime to, double samples) {
    if (to <= from || samples < 0.5) return;
    gaps.push_back({from, to, static_cast<std::uint64_t>(std::llround(samples)), std::nullopt, true});
}

}  // namespace

std::vector<Stretch> stretches_of(std::span<const Bucket> buckets) {
    std::vector<Stretch> all;
    all.reserve(buckets.size());
    for (const Bucket& bucket : buckets) {
        if (bucket.count == 0) continue;
        all.push_back({bucket.first_time, bucket.last_time, bucket.count,
                       bucket.count - bucket.good - bucket.uncertain, bucket.worst, bucket.count == 1});
    }
    return all;
}

std::vector<Stretch> stretches_of(const Chunk& rows, Duration gap_max) {
    std::vector<Stretch> all;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const UtcTime time = rows.source_times[row];
        const Quality quality = rows.qualities[row];
        const bool is_bad = quality.is_bad();
        const bool goes_on = !all.empty() && time - all.back().last <= gap_max && all.back().is_bad() == is_bad &&
                             (!is_bad || reason_of(all.back().worst) == reason_of(quality));
        if (!goes_on) {
            all.push_back({time, time, 0, 0, quality, true});
        }
        Stretch& stretch = all.back();
        stretch.last = time;
        ++stretch.count;
        stretch.bad += is_bad;
        stretch.worst = std::max(stretch.worst, quality);
    }
    return all;
}

std::optional<Duration> learn_period(const Chunk& rows) {
    if (rows.size() < rows_to_learn_min) return std::nullopt;
    std::vector<std::int64_t> distances;
    for (std::size_t row = 1; row < rows.size(); ++row)
        distances.push_back((rows.source_times[row] - rows.source_times[row - 1]).count());
    const std::int64_t median = median_of(distances);
    if (median <= 0) return std::nullopt;
    const auto tolerance = static_cast<std::int64_t>(static_cast<double>(median) * even_tolerance);
    const auto even = std::ranges::count_if(
        distances, [&](std::int64_t distance) { return std::abs(distance - median) <= tolerance; });
    if (static_cast<double>(even) < even_share_min * static_cast<double>(distances.size())) return std::nullopt;
    return Duration(median);
}

std::vector<Pace> paces_of(std::span<const Stretch> stretches, Duration period, bool configured) {
    std::vector<Pace> paces(stretches.size(), Pace{period, 0});
    if (configured) return paces;
    std::vector<double> spacings, around;
    for (std::size_t i = 0; i < stretches.size(); ++i) {
        const std::size_t first = i > neighbours ? i - neighbours : 0;
        const std::size_t end = std::min(i + neighbours + 1, stretches.size());
        spacings.clear();
        for (std::size_t j = first; j < end; ++j) {
            if (stretches[j].count >= count_to_pace_min) spacings.push_back(spacing(stretches[j]));
        }
        if (spacings.size() < 3) continue;
        const double median = median_of(spacings);
        if (median < 1) continue;
        around.clear();
        for (const double one : spacings) around.push_back(std::abs(one - median) / median);
        paces[i] = {Duration(std::llround(median)), median_of(around)};
    }
    return paces;
}

std::uint64_t missing_within(const Stretch& stretch, const Pace& pace) {
    if (stretch.count < 2 || pace.period.count() <= 0) return 0;
    const double expected = periods(stretch.last - stretch.first, pace.period);
    const double missing = expected - static_cast<double>(stretch.count - 1);
    const double doubt = 0.75 + static_cast<double>(stretch.count) * spread_factor * pace.spread;
    return missing > doubt ? static_cast<std::uint64_t>(std::llround(missing)) : 0;
}

std::vector<Gap> find_gaps(std::span<const Stretch> stretches, std::span<const Pace> paces, UtcTime from,
                           UtcTime to) {
    ASSERT(paces.size() == stretches.size());
    std::vector<Gap> gaps;
    for (std::size_t i = 0; i < stretches.size(); ++i) {
        const Stretch& stretch = stretches[i];
        const Duration period = paces[i].period;
        const bool has_period = period.count() > 0;
        const UtcTime before = i == 0 ? from : stretches[i - 1].last;
        const bool is_gap = has_period && periods(stretch.first - before, period) > gap_factor;
        if (is_gap && i == 0)
            add_gap(gaps, from, stretch.first, std::floor(periods(stretch.first - from, period)));
        else if (is_gap)
            add_gap(gaps, before + period, stretch.first, periods(stretch.first - before, period) - 1);
        if (stretch.is_bad()) {
            const UtcTime next = i + 1 < stretches.size() ? stretches[i + 1].first : to;
            const UtcTime end = has_period ? std::min(next, stretch.last + period) : next;
            gaps.push_back({stretch.first, std::max(end, stretch.first + 1ns), stretch.count,
                            reason_of(stretch.worst), stretch.is_rows || stretch.bad == stretch.count});
        } else if (const std::uint64_t within = stretch.is_rows ? 0 : missing_within(stretch, paces[i])) {
            gaps.push_back({stretch.first, stretch.last, within, std::nullopt, false});
        }
    }
    if (stretches.empty()) return gaps;
    const UtcTime last = stretches.back().last;
    const Duration period = paces.back().period;
    if (period.count() > 0 && to > last && periods(to - last, period) > gap_factor)
        add_gap(gaps, last + period, to, std::floor(periods(to - last, period) - 0.75));
    return gaps;
}

std::vector<Missing> explain(const Gap& gap, std::span<const Circumstance> circumstances, Duration piece_min) {
    if (gap.reason) return {{gap.from, gap.to, *gap.reason, gap.samples, gap.is_exact}};
    std::vector<UtcTime> cuts{gap.from, gap.to};
    for (const Circumstance& one : circumstances) {
        if (one.from > gap.from && one.from < gap.to) cuts.push_back(one.from);
        if (one.to > gap.from && one.to < gap.to) cuts.push_back(one.to);
    }
    std::ranges::sort(cuts);
    std::vector<Missing> pieces;
    for (std::size_t i = 1; i < cuts.size(); ++i) {
        if (cuts[i] == cuts[i - 1]) continue;
        const auto why = std::ranges::find_if(
            circumstances, [&](const Circumstance& one) { return one.from <= cuts[i - 1] && one.to >= cuts[i]; });
        const GapReason reason = why == circumstances.end() ? GapReason::Unknown : why->reason;
        if (!pieces.empty() && pieces.back().reason == reason)
            pieces.back().to = cuts[i];
        else
            pieces.push_back({cuts[i - 1], cuts[i], reason, std::nullopt, gap.is_exact});
    }
    // Slivers say no more than that clocks are not one clock: the longest piece beside takes them.
    while (pieces.size() > 1) {
        const auto small =
            std::ranges::min_element(pieces, {}, [](const Missing& piece) { return piece.to - piece.from; });
        if (small->to - small->from >= piece_min) break;
        const bool has_before = small != pieces.begin(), has_after = small + 1 != pieces.end();
        const bool to_before =
            has_before && (!has_after || (small - 1)->to - (small - 1)->from >= (small + 1)->to - (small + 1)->from);
        if (to_before)
            (small - 1)->to = small->to;
        else
            (small + 1)->from = small->from;
        pieces.erase(small);
    }
    if (!gap.samples) return pieces;
    // Shares add up to the whole.
    const double whole = static_cast<double>((gap.to - gap.from).count());
    std::uint64_t given = 0;
    for (Missing& piece : pieces) {
        const double until = static_cast<double>((piece.to - gap.from).count()) / whole;
        const auto sum = static_cast<std::uint64_t>(std::llround(until * static_cast<double>(*gap.samples)));
        piece.samples = sum - given;
        given = sum;
    }
    return pieces;
}

void put_missing(std::vector<Missing> all, Completeness& into) {
    // Neighbours with one reason are one interval.
    std::vector<Missing> joined;
    for (Missing& one : all) {
        into.missing_time += one.to - one.from;
        Missing* last = joined.empty() ? nullptr : &joined.back();
        if (last && last->reason == one.reason && last->to >= one.from && last->is_exact == one.is_exact) {
            last->to = std::max(last->to, one.to);
            if (last->samples && one.samples) *last->samples += *one.samples;
        } else {
            joined.push_back(one);
        }
    }
    if (joined.size() > missing_kept_max) {
        std::ranges::sort(joined, std::ranges::greater(), [](const Missing& m) { return m.to - m.from; });
        into.missing_more += joined.size() - missing_kept_max;
        joined.resize(missing_kept_max);
        std::ranges::sort(joined, {}, &Missing::from);
    }
    into.missing = std::move(joined);
}

UtcTime expected_until(const Chunk& rows, UtcTime to, UtcTime now) {
    constexpr Duration delay_max = 1h;  // Beyond that it is not on its way, it is late.
    if (rows.empty()) return std::min(to, now);
    std::vector<std::int64_t> delays;
    for (std::size_t row = 0; row < rows.size(); ++row)
        delays.push_back((rows.receive_times[row] - rows.source_times[row]).count());
    const Duration delay = std::clamp(Duration(median_of(delays)), Duration(0), delay_max);
    return std::min(to, now - delay);
}

void count_lateness(const Chunk& rows, Completeness& into) {
    into.examined += rows.size();
    UtcTime earliest_after = utc_time_max;
    for (std::size_t row = rows.size(); row-- > 0;) {
        const UtcTime receive = rows.receive_times[row];
        into.late += receive - rows.source_times[row] > late_after;
        into.out_of_order += receive > earliest_after;
        earliest_after = std::min(earliest_after, receive);
    }
}

}  // namespace lineshaft::store
