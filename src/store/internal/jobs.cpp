#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/body.h"
#include "store/internal/days.h"

namespace lineshaft::store {
namespace {

Counter compactions_total{"lineshaft_store_compactions_total", "", "Merges of segments"};
Counter expired_total{"lineshaft_store_segments_expired_total", "", "Segments removed by retention"};

}  // namespace

UtcTime Historian::Body::newest_segment_time() const {
    return segments_.empty() ? utc_time_min : segments_.front()->meta().last_time;
}

/// Whole segments: too old, or the oldest of too many bytes.
void Historian::Body::retain() {
    if (compaction_running_ || !edits_.empty() || segments_.empty()) return;
    Edit edit;
    if (options_.retention_age) {
        // A clock that jumps ahead must not empty the store: time is at most that of the newest sample.
        const UtcTime now = std::min(shard_.utc_now(), newest_segment_time());
        for (const auto& segment : segments_) {
            if (segment->meta().last_time < now && now - segment->meta().last_time > *options_.retention_age)
                edit.removed.insert(segment->meta().name);
        }
    }
    if (options_.retention_bytes) {
        std::uint64_t bytes = 0;
        for (const auto& segment : segments_) {  // Newest first.
            bytes += segment->meta().bytes;
            if (bytes > *options_.retention_bytes && segment != segments_.front())
                edit.removed.insert(segment->meta().name);
        }
    }
    if (edit.removed.empty()) return;
    expired_total.add(static_cast<std::int64_t>(edit.removed.size()));
    log_info("{}: {} segments leave by retention", options_.path, edit.removed.size());
    edits_.push_back(std::move(edit));
    start_edit();
}

void Historian::Body::start_compaction() {
    if (compaction_running_ || closing_ || jobs_state_ != State::Ok || !edits_.empty()) return;
    std::map<std::int64_t, std::size_t> counts;
    for (const auto& segment : segments_) ++counts[utc_day(segment->meta().first_time)];
    const auto crowded =
        std::ranges::find_if(counts, [this](const auto& day) { return day.second > options_.segments_per_day_max; });
    if (crowded == counts.end()) return;
    UtcTime from = utc_time_max;
    UtcTime last = utc_time_min;
    for (const auto& segment : segments_) {
        if (utc_day(segment->meta().first_time) != crowded->first) continue;
        from = std::min(from, segment->meta().first_time);
        last = std::max(last, segment->meta().last_time);
    }
    compaction_running_ = true;
    compaction_writing_ = true;
    Segments sources = overlapping(segments_, from, last);
    disk_pool_.run(
        shard_,
        [&disk = disk_, directory = options_.path, shard = shard_.id(), job = next_number_++, sources] {
            Written<Compacted> written{compact({disk, directory, shard, job}, sources), {}};
            if (!written.outcome) return written;
            for (const SegmentMeta& meta : written.outcome->segments) {
                auto segment = Segment::open(disk, directory, meta.name);
                if (!segment) {
                    written.outcome = std::unexpected(segment.error());
                    break;
                }
                written.segments.push_back(*std::move(segment));
            }
            return written;
        },
        [this, sources](Written<Compacted> written) { compacted(std::move(written), sources); });
}

void Historian::Body::compacted(Written<Compacted> written, const Segments& sources) {
    compaction_writing_ = false;
    if (!written.outcome) {
        // Nothing is lost, only larger than need be; the next tick tries again.
        log_warning("{}: segments could not be merged: {}", options_.path, written.outcome.error().message());
        compaction_running_ = false;
        return maybe_close();
    }
    compactions_total.add();
    Edit edit;
    edit.added = std::move(written.segments);
    edit.is_compaction = true;
    edit.set_aside = written.outcome->damaged_blocks > 0;
    for (const auto& segment : sources) {
        edit.removed.insert(segment->meta().name);
        damaged_blocks_gone_ += segment->damaged_blocks();
    }
    edits_.push_back(std::move(edit));
    start_edit();
}

}  // namespace lineshaft::store
