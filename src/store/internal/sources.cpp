#include "store/internal/sources.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lineshaft::store {
namespace {

constexpr std::uint64_t window_min = 1'000'000'000;
constexpr std::uint64_t window_max = std::numeric_limits<std::int64_t>::max() / 8;
// Damage, erasures and late knowledge may hide what is nearest; further than so many places nobody looks.
constexpr int attempts_max = 64;

std::uint64_t distance(UtcTime from, UtcTime to) {
    return static_cast<std::uint64_t>(to.ns()) - static_cast<std::uint64_t>(from.ns());
}

/// Whether a row is there for who asks: known at that time, and not erased since.
struct Use {
    const std::optional<UtcTime>& known_at;
    const std::vector<Hidden>& hidden;
    std::uint64_t order = 0;

    bool is_any_of_use(const Chunk& rows) const {
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (known_at && rows.receive_times[row] > *known_at) continue;
            const UtcTime time = rows.source_times[row];
            const bool is_hidden = std::ranges::any_of(hidden, [&](const Hidden& erased) {
                return order < erased.order && time >= erased.from && time <= erased.last;
            });
            if (!is_hidden) return true;
        }
        return false;
    }
};

/// The nearest rows before `time` that are of use, looked for further and further away; the series may be as long as
/// time itself.
void copy_before(const MemSeries& series, UtcTime time, const Use& use, Chunk& into) {
    const UtcTime first = series.first_time();
    if (time <= first) return;
    const UtcTime last = std::min(UtcTime(time.ns() - 1), series.last_time());
    for (std::uint64_t window = window_min;; window *= 8) {
        const bool is_all = window >= window_max || distance(first, last) <= window;
        const UtcTime from = is_all ? first : UtcTime(last.ns() - static_cast<std::int64_t>(window));
        Chunk rows;
        series.copy(from, last, rows);
        if (is_all || use.is_any_of_use(rows)) return into.append(rows, 0, rows.size());
    }
}

void copy_after(const MemSeries& series, UtcTime time, const Use& use, Chunk& into) {
    const UtcTime last = series.last_time();
    if (time >= last) return;
    const UtcTime from = std::max(UtcTime(time.ns() + 1), series.first_time());
    for (std::uint64_t window = window_min;; window *= 8) {
        const bool is_all = window >= window_max || distance(from, last) <= window;
        const UtcTime to = is_all ? last : UtcTime(from.ns() + static_cast<std::int64_t>(window));
        Chunk rows;
        series.copy(from, to, rows);
        if (is_all || use.is_any_of_use(rows)) return into.append(rows, 0, rows.size());
    }
}

/// What is left of a bucket's last sample, or first: a number.
void put_number(Chunk& row, UtcTime time, double value, bool is_usable) {
    row.clear();
    row.source_times.push_back(time);
    row.receive_times.push_back(time);
    row.types.push_back(ValueType::Double);
    row.bits.push_back(std::bit_cast<std::uint64_t>(value));
    row.qualities.push_back(is_usable ? Quality::uncertain : Quality::bad);
}

Chunk between(const Chunk& rows, UtcTime from, UtcTime last) {
    const auto begin = std::ranges::lower_bound(rows.source_times, from);
    const auto end = std::upper_bound(begin, rows.source_times.end(), last);
    Chunk part;
    part.append(rows, static_cast<std::size_t>(begin - rows.source_times.begin()),
                static_cast<std::size_t>(end - begin));
    return part;
}

}  // namespace

void Sources::add_table(std::uint64_t order, const MemSeries& series, Bounds bounds) {
    if (series.size() == 0) return;
    const Use use{known_at, hidden, order};
    Chunk rows;
    if (bounds != Bounds::None) copy_before(series, from, use, rows);
    if (!is_nothing()) series.copy(from, last, rows);
    if (bounds == Bounds::Both) copy_after(series, last, use, rows);
    if (!rows.empty()) tables.emplace_back(order, std::move(rows));
}

Merge Sources::stream(Scope scope) const {
    scope.tag = tag;
    scope.known_at = known_at;
    Merge merge(scope);
    merge.hide(hidden);
    add_segments(merge, segments);
    for (const TimeRange& range : away) {
        if (range.last >= scope.from && range.from <= scope.last)
            merge.add_damage(std::max(range.from, scope.from), std::min(range.last, scope.last));
    }
    for (const auto& [order, rows] : tables) {
        const bool is_within = rows.source_times.front() >= scope.from && rows.source_times.back() <= scope.last;
        merge.add(order, is_within ? rows : between(rows, scope.from, scope.last));
    }
    return merge;
}

/// A time from which on there is a row before `time`, as near as the indexes tell. None: there is no row.
std::optional<UtcTime> Sources::newest_at_or_after(UtcTime time) const {
    std::optional<UtcTime> found;
    const auto offer = [&found](UtcTime candidate) {
        if (!found || candidate > *found) found = candidate;
    };
    for (const auto& [order, rows] : tables) {
        const auto at = std::ranges::lower_bound(rows.source_times, time);
        if (at != rows.source_times.begin()) offer(*(at - 1));
    }
    for (const auto& segment : segments) {
        if (found && segment->meta().last_time < *found) break;
        if (segment->meta().first_time >= time) continue;
        const auto index = segment->find(tag);
        if (!index) continue;
        auto series = segment->outline_at(*index);
        if (!series || series->first_time >= time || (found && series->last_time < *found)) continue;
        for (const ExpiredRange& range : series->expired) {
            if (range.first_time >= time) break;
            const UtcTime end = std::min(range.last_time, UtcTime(time.ns() - 1));
            const std::int64_t reach = 64 * width_of(range.finest).count();
            offer(end.ns() < range.first_time.ns() + reach ? range.first_time : UtcTime(end.ns() - reach));
        }
        if (!segment->read_blocks(*series)) continue;
        const auto after = std::ranges::partition_point(
            series->blocks, [time](const BlockRef& block) { return block.first_time < time; });
        if (after != series->blocks.begin()) offer((after - 1)->first_time);
    }
    return found;
}

Chunk Sources::before(UtcTime time) const {
    Chunk row;
    for (int attempt = 0; attempt < attempts_max && time > utc_time_min; ++attempt) {
        const auto begin = newest_at_or_after(time);
        if (!begin) break;
        Merge merge = stream({.from = *begin, .last = UtcTime(time.ns() - 1)});
        Piece piece;
        while (merge.next(piece)) {
            if (piece.bucket) {
                if (piece.bucket->last_time < time)
                    put_number(row, piece.bucket->last_time, piece.bucket->last, piece.bucket->holds);
            } else if (piece.count > 0) {
                row.clear();
                row.append(*piece.rows, piece.first + piece.count - 1, 1);
            }
        }
        if (!row.empty()) break;
        time = *begin;
    }
    return row;
}

Chunk Sources::after(UtcTime time) const {
    Chunk row;
    if (time == utc_time_max) return row;
    Merge merge = stream({.from = UtcTime(time.ns() + 1), .last = utc_time_max});
    Piece piece;
    while (row.empty() && merge.next(piece)) {
        if (piece.bucket)
            put_number(row, piece.bucket->first_time, piece.bucket->first, piece.bucket->usable > 0);
        else if (piece.count > 0)
            row.append(*piece.rows, piece.first, 1);
    }
    return row;
}

}  // namespace lineshaft::store
