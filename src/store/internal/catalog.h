/// Every series and source of a shard, with what the hot path needs of them.
///
/// Threads: own shard only.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/internal/manifest.h"
#include "store/internal/memtable.h"
#include "store/internal/tag_map.h"

namespace lineshaft::store {

/// What a new row touches lies in the first 64 bytes: there are more series than a cache has room for.
struct alignas(64) SeriesState {
    enum class Last : std::uint8_t { Unknown, None, Known };  // Unknown: may be in a segment, not looked up yet.

    // Where its rows are in the table of that order.
    MemSeries* active = nullptr;
    std::uint64_t active_order = 0;
    TagId tag;
    UtcTime last_source_time;
    UtcTime last_receive_time;
    std::uint64_t last_bits = 0;
    Quality last_quality;
    ValueType last_type = ValueType::Double;
    Last last = Last::Unknown;
    bool is_in_catalog = false;  // On disk, or on its way there.

    // The older of two tables, of use while it is being flushed.
    const MemSeries* before = nullptr;
    std::uint64_t before_order = 0;
    SnapshotOf<SeriesInfo> info;
    std::unique_ptr<std::string> last_text;  // Of strings only.

    void take_last(UtcTime source, UtcTime receive, ValueType type, std::uint64_t bits, Quality quality,
                   std::string_view text) {
        if (last == Last::Known) {
            if (source < last_source_time) return;
            if (source == last_source_time && is_last(type, bits, quality, text)) return;
        }
        last = Last::Known;
        last_source_time = source;
        last_receive_time = receive;
        last_type = type;
        last_bits = bits;
        last_quality = quality;
        if (type == ValueType::String) [[unlikely]]
            keep_text(text);
    }
    std::optional<LastValue> last_value() const;

private:
    /// A repeat: it was received when it was received first.
    bool is_last(ValueType type, std::uint64_t bits, Quality quality, std::string_view text) const;
    void keep_text(std::string_view text);
};

class Catalog {
public:
    SeriesState& ensure_series(TagId tag) {
        SeriesState* const known = by_tag_.find(tag);
        return known ? *known : make(tag);
    }
    SeriesState* find_series(TagId tag) { return by_tag_.find(tag); }
    /// Begins a lookup that will come soon.
    void prefetch(TagId tag) const { by_tag_.prefetch(tag); }
    /// True when it says something new.
    bool set_info(SeriesState& state, const SeriesInfo& info);
    std::size_t series_count() const { return series_.size(); }
    std::vector<Series> series() const;
    template <class Visit>
    void for_each(Visit visit) {
        for (SeriesState& state : series_) visit(state);
    }

    /// True in `second` when it was made now.
    std::pair<SourceId, bool> ensure_source(std::string_view name);
    void put_source(SourceId id, std::string_view name, std::uint64_t last_sequence);
    void raise_sequence(SourceId id, std::uint64_t last_sequence);
    std::uint64_t last_sequence(SourceId id) const;
    const std::vector<SourceMeta>& sources() const { return sources_; }

private:
    SeriesState& make(TagId tag);

    std::deque<SeriesState> series_;  // A deque never moves its elements.
    TagMap<SeriesState> by_tag_;
    std::vector<SourceMeta> sources_;  // Source n is at n - 1.
    std::unordered_map<std::string, SourceId> source_ids_;
};

}  // namespace lineshaft::store
