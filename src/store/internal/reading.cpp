#include <algorithm>

#include <fmt/format.h>

#include "store/internal/body.h"

namespace lineshaft::store {

/// Everything known of the query's tag and range, as of now.
Result<Sources> Historian::Body::sources(const Query& query, Bounds bounds) {
    SeriesState* state = catalog_.find_series(query.tag);
    if (!state) return fail(ErrorCode::NotFound, fmt::format("no series has the tag id {}", query.tag.value()));
    if (query.to < query.from) return fail(ErrorCode::InvalidArgument, "the range ends before it begins");
    Sources sources;
    sources.tag = query.tag;
    sources.known_at = query.known_at;
    sources.from = query.from;
    sources.last = query.to == utc_time_min ? utc_time_min : UtcTime(query.to.ns() - 1);
    sources.hidden = erasures_.of(query.tag);
    sources.segments = segments_;
    for (const SegmentMeta& meta : absent_) sources.away.push_back({meta.first_time, meta.last_time});
    for (const Damage& damage : damage_) {
        if (damage.tag == TagId() || damage.tag == query.tag) sources.away.push_back({damage.from, damage.to});
    }
    if (frozen_) {
        if (state->active && state->active_order == frozen_->order)
            sources.add_table(frozen_->order, *state->active, bounds);
        else if (state->before && state->before_order == frozen_->order)
            sources.add_table(frozen_->order, *state->before, bounds);
    }
    if (state->active && state->active_order == active_->order) {
        state->active->sort();
        sources.add_table(active_->order, *state->active, bounds);
    }
    return sources;
}

std::optional<LastValue> Historian::Body::last(TagId tag) {
    SeriesState* state = catalog_.find_series(tag);
    if (!state) return std::nullopt;
    if (state->last == SeriesState::Last::Unknown) look_up_last(*state);
    return state->last_value();
}

/// From segments, which come latest first so that few are touched, and from memory: after an erasure it may be there.
void Historian::Body::look_up_last(SeriesState& state) {
    state.last = SeriesState::Last::None;
    const auto all = sources({.tag = state.tag, .from = utc_time_max, .to = utc_time_max}, Bounds::Before);
    if (!all) return;
    const Chunk newest = all->before(utc_time_max);
    if (!newest.empty()) take_last_of(state, newest, 0);
}

void Historian::Body::take_last_of(SeriesState& state, const Chunk& rows, std::size_t row) {
    const bool is_text = rows.types[row] == ValueType::String;
    state.take_last(rows.source_times[row], rows.receive_times[row], rows.types[row], rows.bits[row],
                    rows.qualities[row], is_text ? rows.text_at(row) : std::string_view());
}

Stats Historian::Body::stats() const {
    Stats stats;
    stats.series = catalog_.series_count();
    const auto stretch = [&stats](UtcTime first, UtcTime last) {
        if (stats.oldest.is_none() || first < stats.oldest) stats.oldest = first;
        if (stats.newest.is_none() || last > stats.newest) stats.newest = last;
    };
    stats.damaged_blocks = damaged_blocks_gone_;
    for (const auto& segment : segments_) {
        const SegmentMeta& meta = segment->meta();
        stats.segment_samples += meta.rows;
        stats.segment_bytes += meta.bytes;
        stats.damaged_blocks += segment->damaged_blocks();
        stretch(meta.first_time, meta.last_time);
    }
    stats.segments = segments_.size();
    stats.samples = stats.segment_samples + active_->rows + (frozen_ ? frozen_->rows : 0);
    stats.memory_bytes = active_->bytes + (frozen_ ? frozen_->bytes : 0);
    for (const MemTable* table : {static_cast<const MemTable*>(active_.get()), frozen_.get()}) {
        if (!table) continue;
        for (const MemSeries& series : table->series) {
            if (series.size() > 0) stretch(series.first_time(), series.last_time());
        }
    }
    stats.wal_bytes = log_->bytes() + log_->unsynced_bytes();
    stats.damaged_files = damaged_files_;
    stats.state = std::max(log_->state(), jobs_state_);
    stats.detail = log_->state() != State::Ok ? log_->detail()
                   : jobs_state_ != State::Ok ? jobs_detail_
                                              : damage_detail_;
    return stats;
}

}  // namespace lineshaft::store
