/// What has arrived and is not in a segment yet, by series, in the order of arrival.
///
///   MemTable   series: [a][b][c] …
///                       |
///                       └► rows 4 ─► 8 ─► 16 ─► … 128 ─► 128       pieces of the table's arena
///
/// Threads: the active table belongs to the shard. A frozen one is immutable: the shard reads it while the disk pool
///          writes it out.
#pragma once

#include <algorithm>
#include <deque>
#include <set>
#include <span>
#include <vector>

#include "runtime/snapshot.h"
#include "store/internal/block.h"
#include "store/internal/row_arena.h"

namespace lineshaft::store {

/// What adding a row touches lies in its first 64 bytes: a table has more series than a cache has room for.
class alignas(64) MemSeries {
public:
    MemSeries(TagId tag, SnapshotOf<SeriesInfo> info) : tag_(tag), info_(std::move(info)) {}
    MemSeries(const MemSeries&) = delete;

    TagId tag() const { return tag_; }
    const SeriesInfo& info() const { return *info_; }
    void set_info(SnapshotOf<SeriesInfo> info) { info_ = std::move(info); }
    std::size_t size() const { return size_; }
    UtcTime first_time() const { return UtcTime(first_time_); }
    UtcTime last_time() const { return UtcTime(last_time_); }
    /// Where the next row goes, to have it in the cache in time.
    const void* tail() const { return next_; }

    /// Takes the row; returns the bytes it took. `rows` is the table's.
    std::size_t add(RowArena& rows, UtcTime source, UtcTime receive, ValueType type, std::uint64_t bits,
                    Quality quality, std::string_view text) {
        const std::int64_t ns = source.ns();
        std::size_t bytes = sizeof(Row);
        if (size_ == 0) {
            type_ = type;
            first_time_ = last_time_ = ns;
        } else {
            sorted_ &= ns >= last_time_;
            if (ns < first_time_) first_time_ = ns;
            if (ns > last_time_) last_time_ = ns;
        }
        if (extra_ || quality.code() != 0 || type != type_ || type == ValueType::String) [[unlikely]]
            bytes += add_extra(type, bits, quality, text);
        if (next_ == end_) [[unlikely]]
            grow(rows);
        *next_++ = {ns, receive.ns(), bits};
        ++size_;
        return bytes;
    }

    /// By source time; equal times stay in the order of arrival.
    void sort();
    /// Appends the rows with from ≤ source time ≤ to, sorted; repeats that say nothing new are left out.
    void copy(UtcTime from, UtcTime to, Chunk& into) const;

    /// Adds the UTC days that the rows touch.
    void collect_days(std::set<std::int64_t>& days) const;

private:
    struct Row {
        std::int64_t source;
        std::int64_t receive;
        std::uint64_t bits;
    };
    struct Piece {
        Piece* next;
        std::uint32_t capacity;
        std::uint32_t first;  // The number of its first row.
        Row* rows() { return reinterpret_cast<Row*>(this + 1); }
        const Row* rows() const { return reinterpret_cast<const Row*>(this + 1); }
    };
    struct Nature {
        Quality quality;
        ValueType type;
    };
    struct Extra {
        std::vector<Nature> natures;  // Empty while every row is Good and of `type_`.
        std::string text;
    };
    struct Numbered {
        Row row;
        std::uint32_t number;
    };

    std::size_t add_extra(ValueType type, std::uint64_t& bits, Quality quality, std::string_view text);
    void grow(RowArena& rows);
    Nature nature(std::size_t row) const {
        return extra_ && !extra_->natures.empty() ? extra_->natures[row] : Nature{Quality::good, type_};
    }
    std::size_t rows_in(const Piece& piece) const { return piece.next ? piece.capacity : size_ - piece.first; }
    template <class Visit>
    void for_each_piece(Visit visit) const {
        for (const Piece* piece = first_; piece; piece = piece->next)
            visit(std::span(piece->rows(), rows_in(*piece)), piece->first);
    }
    std::vector<Numbered> rows_between(std::int64_t from, std::int64_t to) const;
    void append_row(const Row& row, std::size_t number, Chunk& into) const;

    Row* next_ = nullptr;
    Row* end_ = nullptr;  // Of the last piece.
    std::int64_t first_time_ = 0;
    std::int64_t last_time_ = 0;
    std::unique_ptr<Extra> extra_;  // Null while every row is a Good number of `type_`.
    std::uint32_t size_ = 0;
    ValueType type_ = ValueType::Double;
    bool sorted_ = true;

    Piece* first_ = nullptr;
    Piece* last_ = nullptr;
    TagId tag_;
    SnapshotOf<SeriesInfo> info_;
};

struct MemTable {
    std::uint64_t order = 0;
    std::deque<MemSeries> series;  // A deque never moves its elements.
    RowArena arena;
    std::size_t rows = 0;
    std::size_t bytes = 0;

    /// True when it is time to write it to segments. A table of very many series may hold more: segments with a few rows
    /// of each would cost more than the memory.
    bool is_full(std::size_t bytes_max) const {
        return bytes >= std::max(bytes_max, series.size() * series_bytes_min);
    }
    static constexpr std::size_t series_bytes_min = 640;
};

}  // namespace lineshaft::store
