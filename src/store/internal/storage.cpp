// What the historian says about the room it takes.
#include <algorithm>
#include <cmath>
#include <map>

#include "store/internal/body.h"
#include "store/internal/days.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t ns_per_hour = 3'600'000'000'000;
constexpr std::size_t damage_told = 200;

UtcTime day_start(std::int64_t day) {
    if (day <= INT64_MIN / ns_per_day) return utc_time_min;
    return day >= INT64_MAX / ns_per_day ? utc_time_max : UtcTime(day * ns_per_day);
}

/// The files by the day or partition they belong to.
std::vector<DayUse> days_of(const std::vector<SegmentMeta>& segments, UtcTime now) {
    const std::int64_t mature = mature_before(now);
    std::map<std::int64_t, DayUse> days;
    for (const SegmentMeta& meta : segments) {
        const std::int64_t cell = cell_of(utc_day(meta.first_time), mature);
        DayUse& day = days[cell];
        day.from = day_start(cell);
        day.to = day_start(cell + (cell < mature ? partition_days : 1));
        day.segments += 1;
        day.samples += meta.rows;
        day.bytes += meta.bytes;
        day.cold |= meta.is_cold;
    }
    std::vector<DayUse> all;
    for (const auto& [cell, day] : days) all.push_back(day);
    return all;
}

}  // namespace

/// An edit that brings segments says how much came to rest within this hour, so that a forecast survives a restart.
void Historian::Body::note_hour(Edit& edit) const {
    HourUse hour{.hour = shard_.utc_now().ns() / ns_per_hour};
    // Of hours before that wait in edits, the last says all.
    if (!hours_.empty() && hours_.back().hour == hour.hour) hour = hours_.back();
    for (const Edit& waiting : edits_) {
        if (waiting.hour && waiting.hour->hour == hour.hour) hour = *waiting.hour;
    }
    for (const auto& segment : edit.added) {
        hour.samples += segment->meta().rows;
        hour.bytes += segment->meta().bytes;
    }
    edit.hour = hour;
}

/// A moving rate: old minutes fade with a half-life of about five.
void Historian::Body::note_rate() {
    const Instant now = shard_.now();
    const double seconds = std::chrono::duration<double>(now - noted_at_).count();
    if (seconds <= 0) return;
    const double rate = static_cast<double>(samples_taken_ - samples_noted_) / seconds;
    const double fresh = samples_per_second_ ? 1 - std::exp2(-seconds / 300) : 1;
    samples_per_second_ = samples_per_second_.value_or(0) * (1 - fresh) + rate * fresh;
    samples_noted_ = samples_taken_;
    noted_at_ = now;
}

/// Until it has been noted once: since the start.
double Historian::Body::samples_per_second() const {
    if (samples_per_second_) return *samples_per_second_;
    const double seconds = std::chrono::duration<double>(shard_.now() - noted_at_).count();
    return seconds < 1 ? 0 : static_cast<double>(samples_taken_ - samples_noted_) / seconds;
}

StorageReport Historian::Body::storage() const {
    StorageReport report;
    report.stats = stats();
    std::vector<SegmentMeta> all = metas();
    const TidyFacts facts = tidy_facts();
    report.compaction = compaction_use_;
    report.compaction.running = compaction_running_;
    report.compaction.backlog_segments = backlog_of(all, facts);
    all.insert(all.end(), absent_.begin(), absent_.end());
    report.days = days_of(all, tidy_now());
    report.cold.path = options_.cold_path;
    for (const SegmentMeta& meta : all) {
        if (!meta.is_cold) continue;
        report.cold.segments += 1;
        report.cold.bytes += meta.bytes;
    }
    report.cold.segments_missing = absent_.size();
    report.damage = damage_;
    for (const auto& segment : segments_) {
        for (const Segment::BlockDamage& block : segment->damage()) {
            if (report.damage.size() < damage_told)
                report.damage.push_back({segment->meta().name, block.tag, block.from, block.last, 1, block.why});
            for (DayUse& day : report.days) {
                if (block.from >= day.from && block.from < day.to) day.damaged_blocks += 1;
            }
        }
    }
    report.hours = hours_;
    report.freed = freed_;
    report.erasures_open = erasures_.all().size();
    report.samples_per_second = samples_per_second();
    return report;
}

}  // namespace lineshaft::store
