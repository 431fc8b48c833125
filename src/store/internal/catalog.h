/// Every series and source of a shard, with what the hot path needs of them.
///
/// Threads: own shard only.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/internal/manifest.h"
#include "store/internal/memtable.h"

namespace lineshaft::store {

struct SeriesState {
    TagId tag;
    SnapshotOf<SeriesInfo> info;
    // Where its rows are in the table of that order. The older of two is of use while that table is being flushed.
    MemSeries* active = nullptr;
    const MemSeries* before = nullptr;
    std::uint64_t active_order = 0;
    std::uint64_t before_order = 0;

    enum class Last : std::uint8_t { Unknown, None, Known };  // Unknown: may be in a segment, not looked up yet.
    Last last = Last::Unknown;
    ValueType last_type = ValueType::Double;
    Quality last_quality;
    UtcTime last_source_time;
    UtcTime last_receive_time;
    std::uint64_t last_bits = 0;
    std::string last_text;

    void take_last(UtcTime source, UtcTime receive, ValueType type, std::uint64_t bits, Quality quality,
                   std::string_view text);
    std::optional<LastValue> last_value() const;
};

class Catalog {
public:
    SeriesState& ensure_series(TagId tag) {
        Slot& slot = recent_[tag.value() % recent_.size()];
        if (slot.tag == tag && slot.state) return *slot.state;
        slot = {tag, &find_or_make(tag)};
        return *slot.state;
    }
    SeriesState* find_series(TagId tag);
    /// True when it says something new.
    bool set_info(SeriesState& state, const SeriesInfo& info);
    std::size_t series_count() const { return series_.size(); }
    std::vector<Series> series() const;
    template <class Visit>
    void for_each(Visit visit) {
        for (auto& [tag, state] : series_) visit(state);
    }

    /// True in `second` when it was made now.
    std::pair<SourceId, bool> ensure_source(std::string_view name);
    void put_source(SourceId id, std::string_view name, std::uint64_t last_sequence);
    void raise_sequence(SourceId id, std::uint64_t last_sequence);
    std::uint64_t last_sequence(SourceId id) const;
    const std::vector<SourceMeta>& sources() const { return sources_; }

private:
    struct Slot {
        TagId tag;
        SeriesState* state = nullptr;
    };
    SeriesState& find_or_make(TagId tag);

    std::unordered_map<TagId, SeriesState> series_;  // Its nodes never move.
    std::array<Slot, 1024> recent_;
    std::vector<SourceMeta> sources_;  // Source n is at n - 1.
    std::unordered_map<std::string, SourceId> source_ids_;
};

}  // namespace lineshaft::store
