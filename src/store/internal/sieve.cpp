#include "store/internal/sieve.h"

#include <algorithm>

namespace lineshaft::store {
namespace {

/// Cut off at `age` before `now`, at a whole multiple of `width`.
UtcTime border(UtcTime now, Duration age, Duration width) {
    if (now.ns() < INT64_MIN + age.count()) return utc_time_min;
    const UtcTime at = now - age;
    return width.count() > 0 ? floor_to(at, width) : at;
}

struct Share {
    std::uint64_t expired = 0;  // Bytes.
    std::uint64_t left = 0;
    bool tier_is_due = false;  // Buckets are there that are finer than the rule leaves.
};

/// How one segment stands to the rules.
class Look {
public:
    Look(const Segment& segment, const Sieve& sieve, std::vector<RetentionEffect>& effects)
        : segment_(segment), sieve_(sieve), effects_(effects), shares_(sieve.rules.size()) {
        for (std::size_t i = 0; segment.is_whole() && i < segment.series_count(); ++i) {
            const auto series = segment.series_at(i);
            if (series) take(*series);
        }
    }
    bool is_worth_it() const {
        return std::ranges::any_of(shares_, [&](const Share& share) {
            return share.tier_is_due ||
                   (share.expired > 0 && (share.left == 0 || share.expired * 4 >= segment_.meta().bytes));
        });
    }
    std::uint64_t bytes_of(std::size_t rule) const { return shares_[rule].expired + shares_[rule].left; }

private:
    void take(const SegmentSeries& series) {
        const SeriesPlan plan = sieve_.plan_of(series.info);
        if (!plan.rule) return;
        Share& share = shares_[*plan.rule];
        RetentionEffect& effect = effects_[*plan.rule];
        bool concerned = false;
        for (const BlockRef& block : series.blocks) {
            const bool gone = block.last_time < plan.raw_from;
            (gone ? share.expired : share.left) += block.bytes;
            if (!gone) continue;
            effect.samples += block.rows;
            effect.bytes += block.bytes;
            concerned = true;
        }
        for (const ExpiredRange& range : series.expired) {
            const auto tier = plan.tier_at(range.last_time);
            if (range.last_time < plan.raw_from && (!tier || *tier > range.finest)) share.tier_is_due = true;
        }
        effect.series += concerned ? 1 : 0;
    }

    const Segment& segment_;
    const Sieve& sieve_;
    std::vector<RetentionEffect>& effects_;
    std::vector<Share> shares_;
};

bool may_concern(const SegmentMeta& meta, const Sieve& sieve) {
    for (std::size_t i = 0; i < sieve.rules.size(); ++i) {
        const RetentionRule& rule = sieve.rules[i];
        if (rule.raw_age && meta.first_time < border(sieve.now, *rule.raw_age, Duration(0))) return true;
        if (i < sieve.bytes_from.size() && meta.first_time < sieve.bytes_from[i]) return true;
    }
    return false;
}

/// Where the newest bytes of each rule with a bound have filled it.
std::vector<UtcTime> bytes_borders(const std::vector<SnapshotOf<Segment>>& segments, const Sieve& sieve) {
    std::vector<UtcTime> borders(sieve.rules.size(), utc_time_min);
    if (std::ranges::none_of(sieve.rules, [](const RetentionRule& r) { return r.raw_bytes.has_value(); }))
        return borders;
    std::vector<SnapshotOf<Segment>> newest_first = segments;
    std::ranges::sort(newest_first, std::ranges::greater(), [](const auto& s) { return s->meta().last_time; });
    std::vector<std::uint64_t> bytes(sieve.rules.size());
    std::vector<RetentionEffect> ignored(sieve.rules.size());
    for (const auto& segment : newest_first) {
        const Look look(*segment, sieve, ignored);
        for (std::size_t i = 0; i < sieve.rules.size(); ++i) {
            bytes[i] += look.bytes_of(i);
            if (sieve.rules[i].raw_bytes && bytes[i] > *sieve.rules[i].raw_bytes && borders[i] == utc_time_min &&
                segment->meta().last_time < utc_time_max)
                borders[i] = UtcTime(segment->meta().last_time.ns() + 1);
        }
    }
    return borders;
}

}  // namespace

std::optional<Tier> SeriesPlan::tier_at(UtcTime time) const {
    for (std::size_t i = 0; i < tiers_count; ++i) {
        if (tier_from[i] <= time) return static_cast<Tier>(i);
    }
    return std::nullopt;
}

SeriesPlan Sieve::plan_of(const SeriesInfo& info) const {
    SeriesPlan plan;
    plan.rule = rule_for(rules, info.tenant, info.path);
    if (!plan.rule) return plan;
    const RetentionRule& rule = rules[*plan.rule];
    // From the coarsest on, so that each knows how its border must lie.
    Duration width{0};
    for (std::size_t i = tiers_count; i-- > 0;) {
        const auto tier = static_cast<Tier>(i);
        const auto kept = std::ranges::find(rule.tiers, width_of(tier), &TierAge::tier);
        if (kept == rule.tiers.end()) continue;
        plan.keep.add(tier);
        plan.tier_from[i] = kept->age ? border(now, *kept->age, std::max(width, width_of(tier))) : utc_time_min;
        width = width_of(tier);
    }
    if (rule.raw_age) plan.raw_from = border(now, *rule.raw_age, width);
    if (*plan.rule < bytes_from.size()) {
        const UtcTime from = bytes_from[*plan.rule];
        plan.raw_from =
            std::max(plan.raw_from, width.count() > 0 && from > utc_time_min ? floor_to(from, width) : from);
    }
    return plan;
}

Swept sweep(const std::vector<SnapshotOf<Segment>>& segments, Sieve sieve) {
    Swept swept;
    swept.effects.resize(sieve.rules.size());
    for (std::size_t i = 0; i < sieve.rules.size(); ++i) swept.effects[i].rule = sieve.rules[i].id;
    swept.bytes_from = sieve.bytes_from = bytes_borders(segments, sieve);
    for (const auto& segment : segments) {
        if (!may_concern(segment->meta(), sieve)) continue;
        if (Look(*segment, sieve, swept.effects).is_worth_it()) swept.expiring.insert(segment->meta().name);
    }
    return swept;
}

}  // namespace lineshaft::store
