/// Life of data: how long samples stay, how much room they take, how they leave. Plain values.
///
/// Flow:    registry --rules--> Historian::set_retention; Historian::storage --> REST, CLI, metrics.
/// Limits:  retention_rules_max, erase_tags_max.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t retention_rules_max = 1000;
inline constexpr std::size_t erase_tags_max = 100'000;
inline constexpr std::size_t correction_samples_max = 100'000;

/// How long one resolution of a series stays.
struct TierAge {
    Duration tier{};              // 1 s, 1 min, 1 h or 1 d.
    std::optional<Duration> age;  // None: for ever.
    friend bool operator==(const TierAge&, const TierAge&) = default;
};

/// "Raw two years, one minute for ever." Rules are in order: the first that matches a series is its rule.
struct RetentionRule {
    std::uint64_t id = 0;
    std::optional<TenantId> tenant;          // None: every tenant.
    std::string match;                       // Over the tag's path: see path_matches.
    std::optional<Duration> raw_age;         // None: for ever.
    std::optional<std::uint64_t> raw_bytes;  // Of all series of this rule together; the oldest leave first.
    std::vector<TierAge> tiers;              // Kept when raw leaves.
    friend bool operator==(const RetentionRule&, const RetentionRule&) = default;
};

/// "Acme/Lyon/**" is a subtree, "**/temperature" a name anywhere; * is any text within one level, ? one character.
/// Letters as they are; "**" alone matches everything.
bool path_matches(std::string_view pattern, std::string_view path);
/// The index of the rule for a series; none: it stays for ever.
std::optional<std::size_t> rule_for(const std::vector<RetentionRule>& rules, TenantId tenant, std::string_view path);

/// What a rule would free, or has.
struct RetentionEffect {
    std::uint64_t rule = 0;  // Its id.
    std::uint64_t series = 0;
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;  // From the blocks' sizes; the file's index comes on top.
};

/// What an erasure took away.
struct Erased {
    std::uint64_t series = 0;   // That had samples in the range.
    std::uint64_t samples = 0;  // Last versions.
};

/// What a correction changed.
struct Corrected {
    std::uint64_t replaced = 0;  // There was a sample at that time: it stays readable as it was known then.
    std::uint64_t added = 0;
};

/// One UTC day, or one partition of 32 of them.
struct DayUse {
    UtcTime from;
    UtcTime to;
    std::uint64_t segments = 0;
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged_blocks = 0;
    bool cold = false;  // At least partly on the cold path.
};

/// A damaged place: never served, told until the next start.
struct Damage {
    std::string file;
    TagId tag;  // 0: more than one.
    UtcTime from;
    UtcTime to;
    std::uint64_t blocks = 0;
    std::string why;
    bool repaired = false;  // Another copy had what was in it.
};

struct ColdUse {
    std::string path;  // Empty: there is no cold tier.
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t segments_missing = 0;  // The path is not there: nothing is deleted, reads say what is missing.
};

/// Merging of segments since the start.
struct CompactionUse {
    bool running = false;
    std::uint64_t backlog_segments = 0;  // That should be merged and are not yet.
    std::uint64_t flushed_bytes = 0;
    std::uint64_t merged_bytes = 0;
    std::uint64_t copied_bytes = 0;  // Of those merged: blocks taken over whole, without decoding.
    /// Bytes written to segments per byte that came in.
    double write_amplification() const {
        return flushed_bytes ? 1.0 + static_cast<double>(merged_bytes) / static_cast<double>(flushed_bytes) : 1.0;
    }
};

/// Bytes that came to rest within an hour, kept for the forecast.
struct HourUse {
    std::int64_t hour = 0;  // Since 1970.
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;
};

struct StorageReport {
    Stats stats;
    std::vector<DayUse> days;  // Oldest first.
    std::vector<Damage> damage;
    ColdUse cold;
    CompactionUse compaction;
    std::vector<HourUse> hours;          // Oldest first; at most 35 days.
    std::vector<RetentionEffect> freed;  // By rule, since the start.
    std::uint64_t erasures_open = 0;     // Masked, not physically gone yet.
    double samples_per_second = 0;       // Over the last minutes.
    /// Sums, and days put together.
    void add(const StorageReport& other);
};

/// When a disk is full, going on as in the recent past.
struct Forecast {
    double bytes_per_day = 0;        // Growth after what retention gives back.
    std::optional<UtcTime> full_at;  // None: never, as things are, or too little is known.
    std::uint64_t hours_known = 0;
};
/// `retained_for`: the age at which all data leaves, none: it stays.
Forecast forecast(const std::vector<HourUse>& hours, UtcTime now, std::uint64_t bytes_stored,
                  std::uint64_t bytes_free, std::optional<Duration> retained_for);

}  // namespace lineshaft::store
