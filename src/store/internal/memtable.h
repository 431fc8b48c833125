/// What has arrived and is not in a segment yet, by series, in the order of arrival.
///
/// Threads: the active table belongs to the shard. A frozen one is immutable: the shard reads it while the disk pool
///          writes it out.
#pragma once

#include <deque>
#include <set>
#include <vector>

#include "runtime/snapshot.h"
#include "store/internal/block.h"

namespace lineshaft::store {

class MemSeries {
public:
    MemSeries(TagId tag, SnapshotOf<SeriesInfo> info) : tag_(tag), info_(std::move(info)) {}

    TagId tag() const { return tag_; }
    const SeriesInfo& info() const { return *info_; }
    void set_info(SnapshotOf<SeriesInfo> info) { info_ = std::move(info); }
    std::size_t size() const { return rows_.size(); }
    UtcTime first_time() const { return UtcTime(first_time_); }
    UtcTime last_time() const { return UtcTime(last_time_); }

    /// Returns the bytes it took.
    std::size_t add(UtcTime source, UtcTime receive, ValueType type, std::uint64_t bits, Quality quality,
                    std::string_view text) {
        const std::int64_t ns = source.ns();
        std::size_t bytes = sizeof(Row);
        if (rows_.empty()) {
            type_ = type;
            first_time_ = last_time_ = ns;
        } else {
            sorted_ &= ns >= last_time_;
            if (ns < first_time_) first_time_ = ns;
            if (ns > last_time_) last_time_ = ns;
        }
        if (!natures_.empty() || quality.code() != 0 || type != type_) [[unlikely]] {
            natures_.resize(rows_.size(), Nature{Quality::good, type_});
            natures_.push_back({quality, type});
            bytes += sizeof(Nature);
        }
        if (type == ValueType::String) {
            bits = static_cast<std::uint64_t>(text_.size()) << 32 | text.size();
            text_ += text;
            bytes += text.size();
        }
        rows_.push_back({ns, receive.ns(), bits});
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
    struct Nature {
        Quality quality;
        ValueType type;
    };
    Nature nature(std::size_t row) const { return natures_.empty() ? Nature{Quality::good, type_} : natures_[row]; }
    std::vector<std::uint32_t> sorted_rows() const;
    void append_row(std::size_t row, Chunk& into) const;

    TagId tag_;
    SnapshotOf<SeriesInfo> info_;
    ValueType type_ = ValueType::Double;
    bool sorted_ = true;
    std::int64_t first_time_ = 0;
    std::int64_t last_time_ = 0;
    std::vector<Row> rows_;
    std::vector<Nature> natures_;  // Empty while every row is Good and of `type_`.
    std::string text_;
};

struct MemTable {
    std::uint64_t order = 0;
    std::deque<MemSeries> series;  // A deque never moves its elements.
    std::size_t rows = 0;
    std::size_t bytes = 0;
};

}  // namespace lineshaft::store
