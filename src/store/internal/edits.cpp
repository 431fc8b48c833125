#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/body.h"
#include "store/internal/days.h"

namespace lineshaft::store {
namespace {

constexpr Duration retry_after = 1s;

Counter compactions_total{"lineshaft_store_compactions_total", "", "Merges of segments"};
Counter expired_total{"lineshaft_store_segments_expired_total", "", "Segments removed by retention"};

}  // namespace

Historian::Body::Segments Historian::Body::segments_after(const Segments& before, const Edit& edit) {
    Segments after;
    for (const auto& segment : before) {
        if (!edit.removed.contains(segment->meta().name)) after.push_back(segment);
    }
    after.insert(after.end(), edit.added.begin(), edit.added.end());
    std::ranges::sort(after, [](const auto& a, const auto& b) { return a->meta().last_time > b->meta().last_time; });
    return after;
}

Manifest Historian::Body::manifest_after(const Edit& edit) const {
    Manifest manifest;
    manifest.next_number = next_number_;
    manifest.log_number_min = std::max(log_number_min_, edit.log_number_min);
    manifest.sources = edit.is_flush ? edit.sources : manifest_sources_;
    for (const auto& segment : segments_after(segments_, edit)) manifest.segments.push_back(segment->meta());
    return manifest;
}

void Historian::Body::start_edit() {
    if (edit_running_ || edits_held_ || edits_.empty()) return;
    edit_running_ = true;
    edit_failed_ = false;
    Bytes manifest = encode_manifest(manifest_after(edits_.front()), shard_.id());
    Bytes catalog;
    if (catalog_dirty_) catalog = encode_catalog(catalog_.series(), shard_.id());
    catalog_changed_during_edit_ = false;
    const bool with_catalog = catalog_dirty_;
    disk_pool_.run(
        shard_,
        [&disk = disk_, path = options_.path, manifest = std::move(manifest), catalog = std::move(catalog),
         with_catalog]() -> Result<void> {
            // The names first: a log that held them may go once the manifest stands.
            if (with_catalog) TRY_VOID(disk.replace(path + "/CATALOG", catalog));
            return disk.replace(path + "/MANIFEST", manifest);
        },
        [this, with_catalog](Result<void> outcome) { edited(std::move(outcome), with_catalog); });
}

void Historian::Body::edited(Result<void> outcome, bool catalog_written) {
    edit_running_ = false;
    if (!outcome) {
        edit_failed_ = true;
        if (jobs_state_ == State::Ok)
            log_error("{}: the manifest cannot be written, trying again: {}", options_.path,
                      outcome.error().message());
        jobs_state_ = outcome.error().code() == ErrorCode::DiskFull ? State::DiskFull : State::Failed;
        jobs_detail_ = outcome.error().message();
        settle_flushes(UINT64_MAX, outcome);
        if (!closing_) edit_retry_ = shard_.after(retry_after, [this] { start_edit(); });
        return maybe_close();
    }
    jobs_state_ = State::Ok;
    jobs_detail_.clear();
    if (catalog_written && !catalog_changed_during_edit_) catalog_dirty_ = false;
    const Edit edit = std::move(edits_.front());
    edits_.pop_front();
    segments_ = segments_after(segments_, edit);
    if (edit.is_compaction) compaction_running_ = false;
    if (edit.is_flush) {
        log_number_min_ = edit.log_number_min;
        manifest_sources_ = edit.sources;
        const std::uint64_t order = frozen_->order;
        // Freeing millions of rows takes a while: elsewhere.
        disk_pool_.post([table = std::exchange(frozen_, nullptr)] {});
        flush_running_ = false;
        settle_flushes(order, {});
    }
    clean(edit);
    if (edit.is_flush && !closing_ && std::exchange(flush_again_, false) && active_->rows > 0 && !frozen_) freeze();
    if (!closing_) {
        retain();
        start_compaction();
    }
    start_pin();
    start_edit();
    changed();
    maybe_close();
}

/// Removes the files that the manifest does not name any more.
void Historian::Body::clean(const Edit& edit) {
    std::vector<std::string> gone;
    std::vector<std::string> damaged;
    for (const std::string& name : edit.removed) (edit.set_aside ? damaged : gone).push_back(name);
    for (const LogFile& file : log_->release(log_number_min_))
        (file.damaged ? damaged : gone).push_back(log_name(file.number));
    if (gone.empty() && damaged.empty()) return;
    damaged_files_ += edit.set_aside ? edit.removed.size() : 0;
    ++cleanings_;
    disk_pool_.run(
        shard_,
        [&disk = disk_, path = options_.path, gone = std::move(gone), damaged = std::move(damaged)] {
            // What fails here is an orphan: the next start removes it.
            for (const std::string& name : gone) (void)disk.remove(path + "/" + name);
            for (const std::string& name : damaged)
                (void)disk.rename(path + "/" + name, path + "/" + name + ".corrupt");
            return disk.sync_directory(path);
        },
        [this](Result<void>) {
            --cleanings_;
            start_pin();
            maybe_close();
        });
}

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
