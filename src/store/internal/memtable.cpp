#include "store/internal/memtable.h"

#include <algorithm>

#include "store/internal/days.h"

namespace lineshaft::store {

std::vector<std::uint32_t> MemSeries::sorted_rows() const {
    // The row breaks ties, so that equal times stay in the order of arrival.
    std::vector<std::pair<std::int64_t, std::uint32_t>> keys(rows_.size());
    for (std::uint32_t row = 0; row < keys.size(); ++row) keys[row] = {rows_[row].source, row};
    std::ranges::sort(keys);
    std::vector<std::uint32_t> order(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) order[i] = keys[i].second;
    return order;
}

void MemSeries::sort() {
    if (sorted_) return;
    std::vector<Row> rows;
    std::vector<Nature> natures;
    rows.reserve(rows_.size());
    natures.reserve(natures_.size());
    for (const std::uint32_t row : sorted_rows()) {
        rows.push_back(rows_[row]);
        if (!natures_.empty()) natures.push_back(natures_[row]);
    }
    rows_ = std::move(rows);
    natures_ = std::move(natures);
    sorted_ = true;
}

void MemSeries::append_row(std::size_t row, Chunk& into) const {
    const Row& from = rows_[row];
    const Nature kind = nature(row);
    std::string_view text;
    if (kind.type == ValueType::String)
        text = std::string_view(text_).substr(from.bits >> 32, from.bits & 0xFFFFFFFF);
    if (!into.empty() && into.source_times.back().ns() == from.source && into.types.back() == kind.type &&
        into.qualities.back() == kind.quality) {
        const std::size_t last = into.size() - 1;
        if (kind.type == ValueType::String ? into.text_at(last) == text : into.bits[last] == from.bits) return;
    }
    into.source_times.emplace_back(from.source);
    into.receive_times.emplace_back(from.receive);
    into.types.push_back(kind.type);
    into.qualities.push_back(kind.quality);
    into.bits.push_back(kind.type == ValueType::String
                            ? static_cast<std::uint64_t>(into.text.size()) << 32 | text.size()
                            : from.bits);
    into.text += text;
}

void MemSeries::copy(UtcTime from, UtcTime to, Chunk& into) const {
    if (rows_.empty() || from.ns() > last_time_ || to.ns() < first_time_) return;
    if (!sorted_) {
        for (const std::uint32_t row : sorted_rows()) {
            if (rows_[row].source >= from.ns() && rows_[row].source <= to.ns()) append_row(row, into);
        }
        return;
    }
    const auto begin = std::ranges::lower_bound(rows_, from.ns(), {}, &Row::source);
    const auto end = std::ranges::upper_bound(rows_, to.ns(), {}, &Row::source);
    const auto count = static_cast<std::size_t>(end - begin);
    into.source_times.reserve(into.size() + count);
    into.receive_times.reserve(into.size() + count);
    into.types.reserve(into.size() + count);
    into.bits.reserve(into.size() + count);
    into.qualities.reserve(into.size() + count);
    for (auto row = begin; row != end; ++row) append_row(static_cast<std::size_t>(row - rows_.begin()), into);
}

void MemSeries::collect_days(std::set<std::int64_t>& days) const {
    // Neighbours nearly always share a day: one comparison a row.
    std::int64_t first = 1;
    std::int64_t last = 0;
    for (const Row& row : rows_) {
        if (row.source >= first && row.source <= last) continue;
        const std::int64_t day = utc_day(UtcTime(row.source));
        days.insert(day);
        // A day at either end of 64 bits has no whole bounds; it is looked up row by row.
        const bool whole = day > INT64_MIN / ns_per_day + 1 && day < INT64_MAX / ns_per_day - 1;
        first = whole ? day * ns_per_day : 1;
        last = whole ? first + ns_per_day - 1 : 0;
    }
}

}  // namespace lineshaft::store
