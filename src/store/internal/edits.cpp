#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "store/internal/body.h"

namespace lineshaft::store {
namespace {

constexpr Duration retry_after = 1s;

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
    manifest.segments.insert(manifest.segments.end(), absent_.begin(), absent_.end());
    for (const Erasure& erasure : erasures_.all()) {
        if (std::ranges::find(edit.erasures_done, erasure.hidden.number) == edit.erasures_done.end())
            manifest.erasures.push_back(erasure);
    }
    manifest.damage = damage_;
    manifest.damage.insert(manifest.damage.end(), edit.damage.begin(), edit.damage.end());
    manifest.hours = hours_;
    if (edit.hour) put_hour(*edit.hour, manifest.hours);
    return manifest;
}

/// What an edit changes, without what stays.
ManifestChange Historian::Body::change_of(const Edit& edit) const {
    ManifestChange change;
    change.next_number = next_number_;
    change.log_number_min = std::max(log_number_min_, edit.log_number_min);
    for (const auto& segment : edit.added) change.added.push_back(segment->meta());
    change.gone.assign(edit.removed.begin(), edit.removed.end());
    for (const SourceMeta& source : edit.sources) {
        const std::size_t at = source.id.value() - 1;
        if (at < manifest_sources_.size() && manifest_sources_[at].last_sequence == source.last_sequence &&
            manifest_sources_[at].name == source.name)
            continue;
        change.sources.push_back(source);
    }
    change.erasures = edit.erasures;
    change.erasures_done = edit.erasures_done;
    change.damage = edit.damage;
    if (edit.hour) change.hours.push_back(*edit.hour);
    return change;
}

/// The catalog shall hold the series' name as it is now.
void Historian::Body::note_name(SeriesState& state) {
    state.is_in_catalog = true;
    names_.push_back(state.tag);
}

/// What goes to disk for an edit. Cheap for the shard even with a million series: names are encoded on the disk pool.
Historian::Body::Writing Historian::Body::writing_of(const Edit& edit) {
    Writing writing;
    writing.whole_manifest = !manifest_log_.can_append() || manifest_log_.is_long();
    writing.manifest = writing.whole_manifest ? encode_state(manifest_after(edit)) : encode_change(change_of(edit));
    writing.whole_catalog = !catalog_log_.can_append() || catalog_log_.is_long();
    names_flying_.insert(names_flying_.end(), names_.begin(), names_.end());
    names_.clear();
    if (writing.whole_catalog) {
        catalog_.for_each([&](const SeriesState& state) { writing.names.push_back({state.tag, state.info}); });
    } else {
        std::ranges::sort(names_flying_);
        names_flying_.erase(std::ranges::unique(names_flying_).begin(), names_flying_.end());
        for (const TagId tag : names_flying_) writing.names.push_back({tag, catalog_.find_series(tag)->info});
    }
    return writing;
}

/// On the disk pool. The names first: a log that held them may go once the manifest stands.
Result<void> Historian::Body::write_edit(EditLog& manifest, EditLog& catalog, const Writing& writing) {
    if (writing.whole_catalog)
        TRY_VOID(catalog.rewrite(encode_catalog_entries(writing.names)));
    else if (!writing.names.empty())
        TRY_VOID(catalog.append(encode_catalog_entries(writing.names)));
    return writing.whole_manifest ? manifest.rewrite(writing.manifest) : manifest.append(writing.manifest);
}

void Historian::Body::start_edit() {
    if (edit_running_ || edits_held_ || edits_.empty()) return;
    edit_running_ = true;
    edit_failed_ = false;
    disk_pool_.run(
        shard_,
        [this, writing = writing_of(edits_.front())] { return write_edit(manifest_log_, catalog_log_, writing); },
        [this](Result<void> outcome) { edited(std::move(outcome)); });
}

/// The edit stands on disk: from now on it is how things are.
void Historian::Body::take_state(const Edit& edit) {
    names_flying_.clear();
    segments_ = segments_after(segments_, edit);
    for (const std::uint64_t number : edit.erasures_done) erasures_.remove(number);
    damage_.insert(damage_.end(), edit.damage.begin(), edit.damage.end());
    if (damage_.size() > damage_kept) damage_.resize(damage_kept);
    if (edit.hour) put_hour(*edit.hour, hours_);
    if (edit.is_flush) {
        log_number_min_ = std::max(log_number_min_, edit.log_number_min);
        manifest_sources_ = edit.sources;
    }
}

void Historian::Body::edited(Result<void> outcome) {
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
    const Edit edit = std::move(edits_.front());
    edits_.pop_front();
    take_state(edit);
    if (edit.is_compaction) compaction_running_ = false;
    if (edit.is_flush) {
        const std::uint64_t order = frozen_->order;
        // Freeing millions of rows takes a while: elsewhere.
        disk_pool_.post([table = std::exchange(frozen_, nullptr)] {});
        flush_running_ = false;
        settle_flushes(order, {});
    }
    clean(edit);
    if (edit.is_flush && !closing_ && std::exchange(flush_again_, false) && active_->rows > 0 && !frozen_) freeze();
    if (!closing_) {
        start_erase();
        retain();
        start_compaction();
        if (edit.is_compaction || edit.is_flush) finish_erasures();
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
        [&disk = disk_, path = options_.path, cold = is_cold_there_ ? cold_directory_ : std::string(),
         gone = std::move(gone), damaged = std::move(damaged)] {
            // What fails here is an orphan: the next start removes it.
            // A name is of one job, so it is in one of the two places.
            const auto place_of = [&](const std::string& name) {
                return !cold.empty() && disk.exists(cold + "/" + name) ? cold + "/" + name : path + "/" + name;
            };
            for (const std::string& name : gone) (void)disk.remove(place_of(name));
            for (const std::string& name : damaged) {
                const std::string place = place_of(name);
                (void)disk.rename(place, place + ".corrupt");
            }
            if (!cold.empty()) (void)disk.sync_directory(cold);
            return disk.sync_directory(path);
        },
        [this](Result<void>) {
            --cleanings_;
            start_pin();
            maybe_close();
        });
}

}  // namespace lineshaft::store
