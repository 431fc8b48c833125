/// The ledger: what came from whom, hour by hour, and whether all of it is kept.
///
/// Flow:    the historian of a shard numbers a source's samples without gaps and writes down what was taken, what is
///          durable, what was refused and why, who was connected and when the house itself was up. Doors add what they
///          know through flow::SourceLedger. Answers: is everything of source X up to n stored; why is this stretch of
///          a tag empty; how good is the data of these tags.
/// Threads: any shard; answers come back on the caller's. Old hours and quality are worked out on the disk pool.
/// Errors:  NotFound, InvalidArgument, Io, Closed.
/// Limits:  ledger_hours_max, ledger_holes_max, quality_tags_max, missing_kept_max.
/// Formats: docs/formats/ledger.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/strong.h"
#include "model/quality.h"
#include "runtime/shard.h"
#include "store/completeness.h"

namespace lineshaft::store {

class Historians;

inline constexpr std::size_t ledger_hours_max = 10'000;  // In one answer.
inline constexpr std::size_t ledger_holes_max = 100;     // Of one source; the rest is counted.
inline constexpr std::size_t quality_tags_max = 20'000;  // Looked at for one answer.

/// Both ends belong to it.
struct SequenceRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

/// A union of ranges: adding something twice changes nothing, so a log may be read back as often as need be.
class Ranges {
public:
    void add(std::uint64_t first, std::uint64_t last);
    void add(const Ranges& other);
    bool empty() const { return ranges_.empty(); }
    std::uint64_t count() const;
    std::uint64_t first() const { return ranges_.empty() ? 0 : ranges_.front().first; }
    std::uint64_t last() const { return ranges_.empty() ? 0 : ranges_.back().last; }
    /// Everything from `from` up to here is in it; from - 1 when not even that one is.
    std::uint64_t complete_to(std::uint64_t from = 1) const;
    bool contains(std::uint64_t number) const;
    /// What is missing between first() and last().
    std::vector<SequenceRange> holes() const;
    const std::vector<SequenceRange>& all() const { return ranges_; }
    /// Joins the ranges with the smallest holes between them until at most `count` are left. True when it had to.
    bool limit(std::size_t count);
    friend bool operator==(const Ranges&, const Ranges&) = default;

private:
    std::vector<SequenceRange> ranges_;  // Rising, with holes between them.
};

enum class Presence : std::uint8_t { Unknown, Connected, Away };
/// "unknown", "connected", "away".
std::string_view to_text(Presence presence);

struct Refused {
    std::string device;  // Empty: not known.
    std::string reason;
    std::uint64_t count = 0;
    UtcTime first;
    UtcTime last;
    friend bool operator==(const Refused&, const Refused&) = default;
};

/// Numbers that a device itself gives to what it sends. A gap in them was lost before it reached us.
struct OwnNumbers {
    std::string device;
    UtcTime since;  // It began to count anew.
    std::uint64_t complete_to = 0;
    std::uint64_t highest = 0;
    std::uint64_t missing = 0;
    std::vector<SequenceRange> holes;
};

/// A source on one shard: each shard numbers what it keeps.
struct LedgerSource {
    std::string name;
    ShardId shard;
    std::uint64_t assigned_to = 0;  // The highest number given.
    std::uint64_t complete_to = 0;  // Everything up to here is stored.
    std::vector<SequenceRange> holes;
    std::uint64_t holes_more = 0;
    std::uint64_t refused = 0;  // This hour and the one before.
    UtcTime last_heard;
    Presence presence = Presence::Unknown;
    UtcTime presence_since;
    std::vector<OwnNumbers> own;
    bool is_complete() const { return complete_to == assigned_to && holes.empty(); }
};

/// What was received of a source within one UTC hour on one shard.
struct LedgerHour {
    UtcTime hour;
    std::string source;
    ShardId shard;
    std::uint64_t assigned = 0;
    std::uint64_t stored = 0;
    std::vector<SequenceRange> ranges;  // Stored.
    std::vector<Refused> refused;
};

struct LedgerHours {
    std::vector<LedgerHour> hours;  // By hour, source, shard.
    bool more = false;              // Go on from the hour of the last one.
};

/// When the house was up. A house that is up now has `until` = now.
struct UpTime {
    UtcTime from;
    UtcTime until;
    bool closed = false;  // In good order; else its power went or it was killed.
    friend bool operator==(const UpTime&, const UpTime&) = default;
};

/// What is asked about one tag.
struct TagQuestion {
    TagId tag;
    std::string device;               // As its samples name it: finds the sources that feed it.
    std::optional<Duration> cadence;  // Configured.
    std::optional<double> range_low, range_high;
};

/// What the data of one tag is like within a range.
struct TagQuality {
    TagId tag;
    std::uint64_t samples = 0;
    double bad_share = 0;
    double uncertain_share = 0;
    std::optional<std::uint64_t> expected;
    std::uint64_t missing = 0;  // Samples, by the cadence.
    Duration missing_time{0};
    std::optional<double> late_share;          // Of the newest samples.
    std::optional<double> out_of_order_share;  // Of the newest samples.
    std::optional<Duration> stuck;             // Unchanged for so long although fresh, and that is unusual for it.
    double out_of_range_share = 0;             // Of the time with samples.
    std::optional<Duration> clock_skew;  // Median of receive − source time of the newest; none: no source times.
    std::uint64_t damaged_blocks = 0;
    UtcTime last_time;
};

class Ledgers {
public:
    template <class T>
    using Done = std::move_only_function<void(T)>;

    /// Both outlive it.
    Ledgers(Shards& shards, Historians& historians) : shards_(shards), historians_(historians) {}

    /// Of all shards, by name; `prefix` of the name may be empty.
    void post_sources(Shard& caller, std::string prefix, Done<std::vector<LedgerSource>> done);
    /// Hours that begin in [from, to), of `source` or of all (empty).
    void post_hours(Shard& caller, std::string source, UtcTime from, UtcTime to, Done<Result<LedgerHours>> done);
    /// When the house was up within the range, oldest first.
    void post_up_times(Shard& caller, UtcTime from, UtcTime to, Done<Result<std::vector<UpTime>>> done);
    /// Works in steps, so that the home shard stays quick.
    void post_completeness(Shard& caller, ShardId home, TagQuestion question, UtcTime from, UtcTime to,
                           Done<Result<Completeness>> done);
    /// Of tags that all live on `home`, in the order asked. A tag without a series is answered with zeros.
    void post_quality(Shard& caller, ShardId home, std::vector<TagQuestion> questions, UtcTime from, UtcTime to,
                      Done<std::vector<TagQuality>> done);
    /// Refusals of the devices of all shards within the range, as far as the hours in memory go.
    void post_refused(Shard& caller, UtcTime from, UtcTime to, Done<std::vector<Refused>> done);

    /// Whether `source` is connected. Any thread.
    void post_presence(const std::string& source, Presence presence, UtcTime since);
    /// Something of `source` that a door on `shard` did not take. Any thread.
    void post_refusal(ShardId shard, std::string source, Refused refused);

private:
    Shards& shards_;
    Historians& historians_;
};

}  // namespace lineshaft::store
