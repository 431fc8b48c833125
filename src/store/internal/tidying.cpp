#include "store/internal/tidying.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace lineshaft::store {
namespace {

// Files beyond this stay as they are: to write them again would take the disk for minutes.
constexpr std::uint64_t merged_bytes_max = 16ULL << 30;
constexpr std::uint64_t late_share = 8;  // One part in so many, and a complete day is worth writing again.

using Indices = std::vector<std::size_t>;

std::uint64_t bytes_of(const std::vector<SegmentMeta>& segments, const Indices& of) {
    return std::accumulate(of.begin(), of.end(), std::uint64_t{0},
                           [&](std::uint64_t sum, std::size_t i) { return sum + segments[i].bytes; });
}

/// Segments by the first day of the file they belong to, newest order first.
std::map<std::int64_t, Indices> cells_of(const std::vector<SegmentMeta>& segments, const TidyFacts& facts) {
    std::map<std::int64_t, Indices> cells;
    const std::int64_t mature = mature_before(facts.now);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (!facts.barred.contains(segments[i].name))
            cells[cell_of(utc_day(segments[i].first_time), mature)].push_back(i);
    }
    for (auto& [cell, all] : cells)
        std::ranges::sort(all, std::ranges::greater(), [&](std::size_t i) { return segments[i].order; });
    return cells;
}

bool is_complete(std::int64_t cell, UtcTime now) { return cell + 1 < utc_day(now); }

bool is_worth_one_file(const std::vector<SegmentMeta>& segments, const Indices& cell) {
    const std::uint64_t total = bytes_of(segments, cell);
    std::uint64_t largest = 0;
    for (const std::size_t i : cell) largest = std::max(largest, segments[i].bytes);
    return cell.size() > 1 && total <= merged_bytes_max && (total - largest) * late_share >= largest;
}

/// Of too many the newest of like size; failing that the cheapest that bring the number down.
Indices like_sizes(const std::vector<SegmentMeta>& segments, const Indices& cell, std::size_t most) {
    constexpr std::size_t width_min = 3;
    for (std::size_t start = 0; start + width_min <= cell.size(); ++start) {
        std::uint64_t sum = segments[cell[start]].bytes;
        std::size_t end = start + 1;
        while (end < cell.size() && segments[cell[end]].bytes <= sum && sum <= merged_bytes_max)
            sum += segments[cell[end++]].bytes;
        if (end - start >= width_min)
            return {cell.begin() + static_cast<std::ptrdiff_t>(start),
                    cell.begin() + static_cast<std::ptrdiff_t>(end)};
    }
    const std::size_t width = cell.size() - most + 1;
    Indices best;
    for (std::size_t start = 0; start + width <= cell.size(); ++start) {
        const auto first = cell.begin() + static_cast<std::ptrdiff_t>(start);
        Indices window(first, first + static_cast<std::ptrdiff_t>(width));
        if (best.empty() || bytes_of(segments, window) < bytes_of(segments, best)) best = std::move(window);
    }
    return best;
}

/// Adds what overlaps, directly or through others, and lies between in order. False when some of it may not be touched.
bool complete_order(const std::vector<SegmentMeta>& segments, const TidyFacts& facts, Indices& chosen) {
    std::set<std::size_t> reach(chosen.begin(), chosen.end());  // Chosen, and what overlaps.
    for (bool grown = true; grown;) {
        grown = false;
        UtcTime from = utc_time_max;
        UtcTime last = utc_time_min;
        for (const std::size_t i : reach) {
            from = std::min(from, segments[i].first_time);
            last = std::max(last, segments[i].last_time);
        }
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (segments[i].last_time < from || segments[i].first_time > last) continue;
            grown |= reach.insert(i).second;
        }
    }
    const auto order = [&](std::size_t i) { return segments[i].order; };
    const auto [least, most] = std::ranges::minmax(chosen, {}, order);
    for (const std::size_t i : reach) {
        const bool between = order(i) > order(least) && order(i) < order(most);
        if (!between || std::ranges::find(chosen, i) != chosen.end()) continue;
        if (facts.barred.contains(segments[i].name)) return false;
        chosen.push_back(i);
    }
    return true;
}

TidyJob job_of(const std::vector<SegmentMeta>& segments, const TidyFacts& facts, TidyReason reason, Indices chosen) {
    TidyJob job{reason, std::move(chosen), facts.cold_after.has_value()};
    for (const std::size_t i : job.sources)
        job.to_cold = job.to_cold && segments[i].last_time < facts.now - *facts.cold_after;
    return job;
}

}  // namespace

std::string_view to_text(TidyReason reason) {
    switch (reason) {
        case TidyReason::Erasure: return "erasure";
        case TidyReason::Retention: return "retention";
        case TidyReason::Crowded: return "too many";
        case TidyReason::Complete: return "complete";
        case TidyReason::Cold: return "cold";
    }
    return "";
}

std::optional<TidyJob> pick_job(const std::vector<SegmentMeta>& segments, const TidyFacts& facts) {
    for (const auto& [names, reason] :
         {std::pair(&facts.erasing, TidyReason::Erasure), std::pair(&facts.expiring, TidyReason::Retention)}) {
        if (names->empty()) continue;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (names->contains(segments[i].name) && !facts.barred.contains(segments[i].name))
                return job_of(segments, facts, reason, {i});
        }
    }
    const auto cells = cells_of(segments, facts);
    for (const bool for_number : {true, false}) {
        for (const auto& [day, cell] : cells) {
            const bool due = for_number ? cell.size() > facts.per_day_max
                                        : is_complete(day, facts.now) && is_worth_one_file(segments, cell);
            if (!due) continue;
            const bool whole = is_complete(day, facts.now) && is_worth_one_file(segments, cell);
            Indices chosen = whole ? cell : like_sizes(segments, cell, facts.per_day_max);
            if (complete_order(segments, facts, chosen))
                return job_of(segments, facts, whole ? TidyReason::Complete : TidyReason::Crowded, std::move(chosen));
        }
    }
    if (!facts.cold_after) return std::nullopt;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const SegmentMeta& meta = segments[i];
        if (!meta.is_cold && meta.last_time < facts.now - *facts.cold_after && !facts.barred.contains(meta.name))
            return job_of(segments, facts, TidyReason::Cold, {i});
    }
    return std::nullopt;
}

std::size_t backlog_of(const std::vector<SegmentMeta>& segments, const TidyFacts& facts) {
    std::size_t sum = facts.erasing.size() + facts.expiring.size();
    for (const auto& [day, cell] : cells_of(segments, facts)) {
        if (is_complete(day, facts.now) && is_worth_one_file(segments, cell))
            sum += cell.size();
        else if (cell.size() > facts.per_day_max)
            sum += cell.size() - facts.per_day_max;
    }
    return sum;
}

}  // namespace lineshaft::store
