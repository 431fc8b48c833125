#include "store/life.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace lineshaft::store {
namespace {

/// Matches `pattern` from `p` against `path` from `t`; "**" goes over '/', the others do not.
bool matches(std::string_view pattern, std::string_view path) {
    std::size_t p = 0;
    std::size_t t = 0;
    // Where to take up again: the newest star of each kind, and how far it has eaten.
    std::size_t star = std::string_view::npos, star_at = 0;
    std::size_t deep = std::string_view::npos, deep_at = 0;
    while (t < path.size() || p < pattern.size()) {
        if (pattern.substr(p, 2) == "**") {
            deep = p + 2;
            deep_at = t;
            star = std::string_view::npos;
            p += 2;
            // "a/**/b" also means "a/b".
            if (p < pattern.size() && pattern[p] == '/' && (p == 2 || pattern[p - 3] == '/') &&
                matches(pattern.substr(p + 1), path.substr(t)))
                return true;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            star_at = t;
            continue;
        }
        if (p < pattern.size() && t < path.size() &&
            (pattern[p] == path[t] || (pattern[p] == '?' && path[t] != '/'))) {
            ++p;
            ++t;
            continue;
        }
        if (star != std::string_view::npos && star_at < path.size() && path[star_at] != '/') {
            t = ++star_at;
            p = star;
        } else if (deep != std::string_view::npos && deep_at < path.size()) {
            t = ++deep_at;
            p = deep;
            star = std::string_view::npos;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

bool path_matches(std::string_view pattern, std::string_view path) {
    // A subtree includes what stands at its top: "Acme/**" matches "Acme".
    if (pattern.ends_with("/**") && matches(pattern.substr(0, pattern.size() - 3), path)) return true;
    return matches(pattern, path);
}

std::optional<std::size_t> rule_for(const std::vector<RetentionRule>& rules, TenantId tenant, std::string_view path) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (rules[i].tenant && *rules[i].tenant != tenant) continue;
        if (path_matches(rules[i].match, path)) return i;
    }
    return std::nullopt;
}

void StorageReport::add(const StorageReport& other) {
    stats.add(other.stats);
    std::map<std::pair<std::int64_t, std::int64_t>, DayUse> by_day;
    const auto put = [&](const DayUse& day) {
        DayUse& sum = by_day[{day.from.ns(), day.to.ns()}];
        sum.from = day.from;
        sum.to = day.to;
        sum.segments += day.segments;
        sum.samples += day.samples;
        sum.bytes += day.bytes;
        sum.damaged_blocks += day.damaged_blocks;
        sum.cold |= day.cold;
    };
    for (const DayUse& day : days) put(day);
    for (const DayUse& day : other.days) put(day);
    days.clear();
    for (const auto& [key, day] : by_day) days.push_back(day);
    damage.insert(damage.end(), other.damage.begin(), other.damage.end());
    if (cold.path.empty()) cold.path = other.cold.path;
    cold.segments += other.cold.segments;
    cold.bytes += other.cold.bytes;
    cold.segments_missing += other.cold.segments_missing;
    compaction.running |= other.compaction.running;
    compaction.backlog_segments += other.compaction.backlog_segments;
    compaction.flushed_bytes += other.compaction.flushed_bytes;
    compaction.merged_bytes += other.compaction.merged_bytes;
    compaction.copied_bytes += other.compaction.copied_bytes;
    std::map<std::int64_t, HourUse> by_hour;
    for (const std::vector<HourUse>* all : {static_cast<const std::vector<HourUse>*>(&hours), &other.hours}) {
        for (const HourUse& hour : *all) {
            HourUse& sum = by_hour[hour.hour];
            sum.hour = hour.hour;
            sum.samples += hour.samples;
            sum.bytes += hour.bytes;
        }
    }
    hours.clear();
    for (const auto& [key, hour] : by_hour) hours.push_back(hour);
    for (const RetentionEffect& effect : other.freed) {
        const auto known = std::ranges::find(freed, effect.rule, &RetentionEffect::rule);
        if (known == freed.end()) {
            freed.push_back(effect);
            continue;
        }
        known->series += effect.series;
        known->samples += effect.samples;
        known->bytes += effect.bytes;
    }
    erasures_open += other.erasures_open;
    samples_per_second += other.samples_per_second;
}

/// The last hours count most: a plant that grew last week goes on as it is now. Weights halve every three days.
Forecast forecast(const std::vector<HourUse>& hours, UtcTime now, std::uint64_t bytes_stored,
                  std::uint64_t bytes_free, std::optional<Duration> retained_for) {
    Forecast answer;
    const std::int64_t this_hour = now.ns() / 3'600'000'000'000;
    double weights = 0;
    double bytes = 0;
    if (hours.empty()) return answer;
    std::map<std::int64_t, double> by_hour;
    for (const HourUse& hour : hours) by_hour[hour.hour] += static_cast<double>(hour.bytes);
    const std::int64_t first = std::max(by_hour.begin()->first, this_hour - 35 * 24);
    for (std::int64_t hour = first; hour < this_hour; ++hour) {
        const double weight = std::exp2(-static_cast<double>(this_hour - 1 - hour) / 72);
        const auto known = by_hour.find(hour);
        weights += weight;
        bytes += weight * (known == by_hour.end() ? 0 : known->second);
        ++answer.hours_known;
    }
    if (answer.hours_known < 2) return answer;
    answer.bytes_per_day = bytes / weights * 24;
    if (answer.bytes_per_day <= 0) return answer;
    // With everything leaving at an age the store grows only until it holds that much.
    if (retained_for) {
        const double days = std::chrono::duration<double>(*retained_for).count() / 86'400;
        if (answer.bytes_per_day * days <= static_cast<double>(bytes_stored) + static_cast<double>(bytes_free))
            return answer;
    }
    const double days_left = static_cast<double>(bytes_free) / answer.bytes_per_day;
    if (days_left > 100 * 365) return answer;
    answer.full_at = now + Duration(static_cast<std::int64_t>(days_left * 86'400e9));
    return answer;
}

}  // namespace lineshaft::store
