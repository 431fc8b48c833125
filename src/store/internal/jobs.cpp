// What goes on beside reading and writing: merges, retention, the cold tier. See tidying.h, sieve.h.
#include <algorithm>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/body.h"
#include "store/internal/days.h"
#include "store/internal/tidying.h"

namespace lineshaft::store {
namespace {

constexpr Duration sweep_period = 1h;
constexpr std::string_view cold_marker = "LINESHAFT-COLD";

Counter compactions_total{"lineshaft_store_compactions_total", "", "Merges of segments"};
Counter merged_bytes_total{"lineshaft_store_merged_bytes_total", "", "Bytes of segments written by merges"};
Counter expired_total{"lineshaft_store_segments_expired_total", "", "Segments removed by retention"};
Counter expired_samples_total{"lineshaft_store_samples_expired_total", "", "Samples that left by a retention rule"};
Counter damage_total{"lineshaft_store_damaged_stretches_total", "",
                     "Stretches of tags that were left out of a merge because their bytes were damaged"};

}  // namespace

UtcTime Historian::Body::newest_segment_time() const {
    return segments_.empty() ? utc_time_min : segments_.front()->meta().last_time;
}

/// Time for what takes data away: a clock that jumps ahead must not empty the store.
UtcTime Historian::Body::retention_now() const { return std::min(shard_.utc_now(), newest_segment_time()); }

/// Time for merges: days and months are over when data of later ones has come, whatever the clock says.
UtcTime Historian::Body::tidy_now() const {
    const UtcTime newest = newest_segment_time();
    const UtcTime later = newest > utc_time_max - 48h ? utc_time_max : newest + 48h;
    return std::min(shard_.utc_now(), later);
}

/// Whole segments: too old, or the oldest of too many bytes.
void Historian::Body::retain() {
    if (compaction_running_ || !edits_.empty() || segments_.empty()) return;
    Edit edit;
    // With rules the age is one more of them: some of an old segment may have to stay.
    if (options_.retention_age && rules_.empty()) {
        const UtcTime now = retention_now();
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

std::vector<RetentionRule> Historian::Body::rules_with_default(std::vector<RetentionRule> rules) const {
    if (!rules.empty() && options_.retention_age) rules.push_back({.match = "**", .raw_age = options_.retention_age});
    return rules;
}

void Historian::Body::set_retention(std::vector<RetentionRule> rules) {
    rules = rules_with_default(std::move(rules));
    if (rules == rules_) return;
    rules_ = std::move(rules);
    bytes_from_.clear();
    expiring_.clear();
    ++rules_version_;
    start_sweep();
}

/// Looks at the files for what the rules let go: at once when they change, then every hour.
void Historian::Body::start_sweep() {
    swept_at_ = shard_.now();
    if (rules_.empty() || sweep_running_ || closing_) return;
    sweep_running_ = true;
    Sieve sieve{retention_now(), rules_, {}, {}, 0};
    disk_pool_.run(
        shard_,
        [segments = segments_, sieve = std::move(sieve)]() mutable { return sweep(segments, std::move(sieve)); },
        [this, version = rules_version_](Swept swept) {
            sweep_running_ = false;
            if (version != rules_version_) {
                if (!closing_) start_sweep();
            } else {
                bytes_from_ = std::move(swept.bytes_from);
                expiring_ = std::move(swept.expiring);
                if (!closing_) start_compaction();
            }
            maybe_close();
        });
}

void Historian::Body::preview_retention(std::vector<RetentionRule> rules,
                                        std::move_only_function<void(std::vector<RetentionEffect>)> done) {
    Sieve sieve{retention_now(), rules_with_default(std::move(rules)), {}, {}, 0};
    ++cleanings_;  // Closing waits for it.
    disk_pool_.run(
        shard_,
        [segments = segments_, sieve = std::move(sieve)]() mutable { return sweep(segments, std::move(sieve)); },
        [this, done = std::move(done)](Swept swept) mutable {
            --cleanings_;
            done(std::move(swept.effects));
            maybe_close();
        });
}

TidyFacts Historian::Body::tidy_facts() const {
    TidyFacts facts;
    facts.now = tidy_now();
    facts.per_day_max = options_.segments_per_day_max;
    if (is_cold_there_) facts.cold_after = options_.cold_after;
    facts.expiring = expiring_;
    facts.barred = tried_in_vain_;
    for (const auto& segment : segments_) {
        const SegmentMeta& meta = segment->meta();
        if (!erasures_.empty() && erasures_.concern(*segment)) facts.erasing.insert(meta.name);
        const auto overlaps = [&](const SegmentMeta& a) {
            return a.last_time >= meta.first_time && a.first_time <= meta.last_time;
        };
        if (std::ranges::any_of(absent_, overlaps)) facts.barred.insert(meta.name);
    }
    return facts;
}

std::vector<SegmentMeta> Historian::Body::metas() const {
    std::vector<SegmentMeta> all;
    all.reserve(segments_.size());
    for (const auto& segment : segments_) all.push_back(segment->meta());
    return all;
}

void Historian::Body::start_compaction() {
    if (compaction_running_ || closing_ || jobs_state_ != State::Ok || !edits_.empty()) return;
    const auto job = pick_job(metas(), tidy_facts());
    if (!job) return;
    compaction_running_ = true;
    compaction_writing_ = true;
    Segments sources;
    for (const std::size_t i : job->sources) sources.push_back(segments_[i]);
    Sieve sieve{retention_now(), rules_, bytes_from_, erasures_, next_number_ - 1};
    Target target{disk_,
                  job->to_cold ? cold_directory_ : options_.path,
                  shard_.id(),
                  next_number_++,
                  mature_before(tidy_now()),
                  job->to_cold ? Effort::Cold : Effort::Usual,
                  &stop_merging_};
    disk_pool_.run(
        shard_,
        [target = std::move(target), sieve = std::move(sieve), sources, to_cold = job->to_cold] {
            Written<Compacted> written{compact(target, sources, sieve), {}};
            if (!written.outcome) return written;
            for (SegmentMeta& meta : written.outcome->segments) {
                meta.is_cold = to_cold;
                auto segment = Segment::open(target.disk, target.directory, meta);
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
        // Nothing is lost, only larger than need be; a tick tries again.
        if (!closing_)
            log_warning("{}: segments could not be merged: {}", options_.path, written.outcome.error().message());
        for (const auto& segment : sources) tried_in_vain_.insert(segment->meta().name);
        compaction_running_ = false;
        return maybe_close();
    }
    compactions_total.add();
    Edit edit;
    edit.added = std::move(written.segments);
    edit.is_compaction = true;
    edit.damage = std::move(written.outcome->damage);
    edit.set_aside = !edit.damage.empty();
    damage_total.add(static_cast<std::int64_t>(edit.damage.size()));
    for (const auto& segment : sources) {
        edit.removed.insert(segment->meta().name);
        expiring_.erase(segment->meta().name);
        damaged_blocks_gone_ += segment->damaged_blocks();
    }
    compaction_use_.copied_bytes += written.outcome->copied_bytes;
    for (const auto& segment : edit.added) compaction_use_.merged_bytes += segment->meta().bytes;
    for (const auto& segment : edit.added) merged_bytes_total.add(static_cast<std::int64_t>(segment->meta().bytes));
    for (const RetentionEffect& effect : written.outcome->freed) {
        if (effect.samples == 0) continue;
        expired_samples_total.add(static_cast<std::int64_t>(effect.samples));
        const auto known = std::ranges::find(freed_, effect.rule, &RetentionEffect::rule);
        RetentionEffect& sum =
            known == freed_.end() ? freed_.emplace_back(RetentionEffect{.rule = effect.rule}) : *known;
        sum.series += effect.series;
        sum.samples += effect.samples;
    }
    edits_.push_back(std::move(edit));
    start_edit();
}

/// Erasures that have left every file are forgotten, with an edit of their own.
void Historian::Body::finish_erasures() {
    if (erasures_.empty() || !edits_.empty() || closing_) return;
    Edit edit;
    for (const Erasure& erasure : erasures_.all()) {
        const Hidden& hidden = erasure.hidden;
        const bool in_memory = frozen_ && frozen_->order < hidden.order;
        const auto in_absent = [&](const SegmentMeta& meta) {
            return meta.order < hidden.order && meta.erasures < hidden.number && meta.last_time >= hidden.from &&
                   meta.first_time <= hidden.last;
        };
        if (in_memory || std::ranges::any_of(absent_, in_absent)) continue;
        if (std::ranges::any_of(segments_, [&](const auto& segment) { return may_hide_in(erasure, *segment); }))
            continue;
        edit.erasures_done.push_back(hidden.number);
    }
    if (edit.erasures_done.empty()) return;
    edits_.push_back(std::move(edit));
    start_edit();
}

/// At start, and when it was away, every minute. A path that holds nothing of ours while it should is not the path.
void Historian::Body::look_for_cold() {
    if (options_.cold_path.empty() || is_cold_there_) return;
    cold_directory_ = options_.cold_path;
    const std::string marker = cold_directory_ + "/" + std::string(cold_marker);
    if (!disk_.exists(marker)) {
        if (!absent_.empty()) return;
        const auto made = [&]() -> Result<void> {
            TRY_VOID(disk_.make_directory(cold_directory_));
            return disk_.replace(marker, as_bytes("Segments of a Lineshaft historian: see storage.cold_path.\n"));
        }();
        if (!made) {
            if (cold_detail_.empty())
                log_warning("{}: the cold path {} cannot be used: {}", options_.path, cold_directory_,
                            made.error().message());
            cold_detail_ = made.error().message();
            return;
        }
    }
    is_cold_there_ = true;
    cold_detail_.clear();
    take_in_absent();
}

/// Segments that are there again.
void Historian::Body::take_in_absent() {
    Edit edit;
    std::erase_if(absent_, [&](const SegmentMeta& meta) {
        auto segment = Segment::open(disk_, cold_directory_, meta);
        if (!segment) {
            log_error("{}: {}/{} cannot be read: {}", options_.path, cold_directory_, meta.name,
                      segment.error().message());
            return false;
        }
        edit.added.push_back(*std::move(segment));
        return true;
    });
    if (edit.added.empty()) return;
    log_info("{}: {} cold segments are there again", options_.path, edit.added.size());
    segments_ = segments_after(segments_, edit);
}

void Historian::Body::tick() {
    if (!frozen_ && active_->rows > 0 && shard_.now() - active_since_ >= options_.flush_age) freeze();
    tried_in_vain_.clear();
    look_for_cold();
    note_rate();
    retain();
    if (shard_.now() - swept_at_ >= sweep_period) start_sweep();
    start_compaction();
}

}  // namespace lineshaft::store
