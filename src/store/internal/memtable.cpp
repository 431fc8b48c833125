#include "store/internal/memtable.h"

#include <algorithm>
#include <span>

#include "base/assert.h"
#include "store/internal/days.h"

namespace lineshaft::store {
namespace {

constexpr std::uint32_t piece_rows_min = 4;
constexpr std::uint32_t piece_rows_max = 128;

/// Sorts rows that are nearly in order: those that come too early for their place are few, sorted by themselves and
/// merged. `less` breaks ties by the order of arrival.
template <class T, class Less>
void sort_nearly_sorted(std::vector<T>& rows, Less less) {
    std::vector<T> late;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (kept > 0 && less(rows[i], rows[kept - 1]))
            late.push_back(rows[i]);
        else
            rows[kept++] = rows[i];
    }
    if (late.empty()) return;
    std::sort(late.begin(), late.end(), less);
    // From behind, so that no row is overwritten before it is read.
    for (std::size_t to = rows.size(); !late.empty();) {
        if (kept > 0 && less(late.back(), rows[kept - 1])) {
            rows[--to] = rows[--kept];
        } else {
            rows[--to] = late.back();
            late.pop_back();
        }
    }
}

}  // namespace

void MemSeries::grow(RowArena& rows) {
    const std::uint32_t capacity = last_ ? std::min(last_->capacity * 2, piece_rows_max) : piece_rows_min;
    auto* piece = new (rows.take(sizeof(Piece) + capacity * sizeof(Row))) Piece{nullptr, capacity, size_};
    (last_ ? last_->next : first_) = piece;
    last_ = piece;
    next_ = piece->rows();
    end_ = next_ + capacity;
}

/// What a plain number does not need. A text's `bits` become its place here.
std::size_t MemSeries::add_extra(ValueType type, std::uint64_t& bits, Quality quality, std::string_view text) {
    if (!extra_) extra_ = std::make_unique<Extra>();
    std::size_t bytes = 0;
    std::vector<Nature>& natures = extra_->natures;
    if (!natures.empty() || quality.code() != 0 || type != type_) {
        natures.resize(size_, Nature{Quality::good, type_});
        natures.push_back({quality, type});
        bytes += sizeof(Nature);
    }
    if (type == ValueType::String) {
        bits = static_cast<std::uint64_t>(extra_->text.size()) << 32 | text.size();
        extra_->text += text;
        bytes += text.size();
    }
    return bytes;
}

/// In the order of source time; equal times in the order of arrival.
std::vector<MemSeries::Numbered> MemSeries::rows_between(std::int64_t from, std::int64_t to) const {
    std::vector<Numbered> found;
    found.reserve(from <= first_time_ && to >= last_time_ ? size_ : 0);
    for_each_piece([&](std::span<const Row> rows, std::uint32_t first) {
        if (sorted_ && (rows.back().source < from || rows.front().source > to)) return;
        for (std::uint32_t i = 0; i < rows.size(); ++i) {
            if (rows[i].source >= from && rows[i].source <= to) found.push_back({rows[i], first + i});
        }
    });
    if (!sorted_)
        sort_nearly_sorted(found, [](const Numbered& a, const Numbered& b) {
            return a.row.source != b.row.source ? a.row.source < b.row.source : a.number < b.number;
        });
    return found;
}

void MemSeries::sort() {
    if (sorted_) return;
    const std::vector<Numbered> rows = rows_between(INT64_MIN, INT64_MAX);
    ASSERT(rows.size() == size_);
    std::vector<Nature> natures;
    if (extra_ && !extra_->natures.empty()) {
        natures.reserve(rows.size());
        for (const Numbered& row : rows) natures.push_back(extra_->natures[row.number]);
        extra_->natures = std::move(natures);
    }
    auto from = rows.begin();
    for (Piece* piece = first_; piece; piece = piece->next) {
        for (std::size_t i = 0, count = rows_in(*piece); i < count; ++i) piece->rows()[i] = (from++)->row;
    }
    sorted_ = true;
}

void MemSeries::append_row(const Row& row, std::size_t number, Chunk& into) const {
    const Nature kind = nature(number);
    std::string_view text;
    if (kind.type == ValueType::String)
        text = std::string_view(extra_->text).substr(row.bits >> 32, row.bits & 0xFFFFFFFF);
    if (!into.empty() && into.source_times.back().ns() == row.source && into.types.back() == kind.type &&
        into.qualities.back() == kind.quality) {
        const std::size_t last = into.size() - 1;
        if (kind.type == ValueType::String ? into.text_at(last) == text : into.bits[last] == row.bits) return;
    }
    into.source_times.emplace_back(row.source);
    into.receive_times.emplace_back(row.receive);
    into.types.push_back(kind.type);
    into.qualities.push_back(kind.quality);
    into.bits.push_back(
        kind.type == ValueType::String ? static_cast<std::uint64_t>(into.text.size()) << 32 | text.size() : row.bits);
    into.text += text;
}

void MemSeries::copy(UtcTime from, UtcTime to, Chunk& into) const {
    if (size_ == 0 || from.ns() > last_time_ || to.ns() < first_time_) return;
    const std::vector<Numbered> rows = rows_between(from.ns(), to.ns());
    const std::size_t size = into.size() + rows.size();
    into.source_times.reserve(size);
    into.receive_times.reserve(size);
    into.types.reserve(size);
    into.bits.reserve(size);
    into.qualities.reserve(size);
    for (const Numbered& row : rows) append_row(row.row, row.number, into);
}

void MemSeries::collect_days(std::set<std::int64_t>& days) const {
    // Neighbours nearly always share a day: one comparison a row.
    std::int64_t first = 1;
    std::int64_t last = 0;
    for_each_piece([&](std::span<const Row> rows, std::uint32_t) {
        for (const Row& row : rows) {
            if (row.source >= first && row.source <= last) continue;
            const std::int64_t day = utc_day(UtcTime(row.source));
            days.insert(day);
            // A day at either end of 64 bits has no whole bounds; it is looked up row by row.
            const bool whole = day > INT64_MIN / ns_per_day + 1 && day < INT64_MAX / ns_per_day - 1;
            first = whole ? day * ns_per_day : 1;
            last = whole ? first + ns_per_day - 1 : 0;
        }
    });
}

}  // namespace lineshaft::store
