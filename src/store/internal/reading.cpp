#include <algorithm>

#include <fmt/format.h>

#include "store/internal/body.h"

namespace lineshaft::store {

/// Everything known of `tag` in [from, to), as of now.
Result<Merge> Historian::Body::stream(TagId tag, UtcTime from, UtcTime to) {
    SeriesState* state = catalog_.find_series(tag);
    if (!state) return fail(ErrorCode::NotFound, fmt::format("no series has the tag id {}", tag.value()));
    if (to < from) return fail(ErrorCode::InvalidArgument, "the range ends before it begins");
    if (to == from) return Merge(tag, from, from, Versions::Last);
    const UtcTime last(to.ns() - 1);
    Merge merge(tag, from, last, Versions::Last);
    add_segments(merge, segments_, tag, from, last);
    const auto add_table = [&](std::uint64_t order, const MemSeries& series) {
        Chunk rows;
        series.copy(from, last, rows);
        merge.add(order, std::move(rows));
    };
    if (frozen_) {
        if (state->active && state->active_order == frozen_->order)
            add_table(frozen_->order, *state->active);
        else if (state->before && state->before_order == frozen_->order)
            add_table(frozen_->order, *state->before);
    }
    if (state->active && state->active_order == active_->order) {
        state->active->sort();
        add_table(active_->order, *state->active);
    }
    return merge;
}

std::optional<LastValue> Historian::Body::last(TagId tag) {
    SeriesState* state = catalog_.find_series(tag);
    if (!state) return std::nullopt;
    if (state->last == SeriesState::Last::Unknown) look_up_last(*state);
    return state->last_value();
}

/// From the segments. They come latest first, so few are touched.
void Historian::Body::look_up_last(SeriesState& state) {
    state.last = SeriesState::Last::None;
    UtcTime before = utc_time_max;
    // A damaged block at the end: what is before it is the last that is known.
    for (int attempt = 0; attempt < 4; ++attempt) {
        std::optional<BlockRef> newest;
        for (const auto& segment : segments_) {
            if (newest && segment->meta().last_time < newest->last_time) break;
            const auto index = segment->find(state.tag);
            if (!index) continue;
            const auto series = segment->series_at(*index);
            if (!series) continue;
            for (const BlockRef& block : series->blocks) {
                if (block.last_time < before && (!newest || block.last_time > newest->last_time)) newest = block;
            }
        }
        if (!newest) return;
        Merge merge(state.tag, newest->last_time, newest->last_time, Versions::Last);
        add_segments(merge, segments_, state.tag, newest->last_time, newest->last_time);
        Piece piece;
        while (merge.next(piece)) {
            if (piece.block) merge.open(piece);
            for (std::size_t i = 0; i < piece.count; ++i) take_last_of(state, *piece.rows, piece.first + i);
        }
        if (state.last == SeriesState::Last::Known) return;
        before = newest->first_time;
    }
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
