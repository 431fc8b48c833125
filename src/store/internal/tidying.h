/// Which files are rewritten next, and why: pure, so that a test can walk it through years.
///
/// A day's files grow in number with every flush. They are merged when there are too many, those of like size together,
/// so that a busy day's large file is not written again for every small one; once more when the day is over; and once
/// more when its partition of 32 days is: then one file holds a month. Late data waits beside it until it is an eighth
/// of it, or too many files:
///
///   today      [1][1][1][5][7]   too many: like sizes, newest first
///   yesterday  [ 14 ]            over: into one
///   partition  [   448   ][1]    over for eight days: into one; the late file waits
///
/// Order decides which of two versions came later, so what is merged must follow one another in order among all that
/// overlaps: a file between them is taken along.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/internal/days.h"
#include "store/internal/segment.h"

namespace lineshaft::store {

enum class TidyReason : std::uint8_t { Erasure, Retention, Crowded, Complete, Cold };
std::string_view to_text(TidyReason reason);

struct TidyJob {
    TidyReason reason = TidyReason::Crowded;
    std::vector<std::size_t> sources;  // Indices into the segments.
    bool to_cold = false;
};

struct TidyFacts {
    UtcTime now;
    std::size_t per_day_max = 6;
    std::optional<Duration> cold_after;  // None: there is no cold tier, or it is away.
    std::set<std::string> erasing;       // Segments that hold erased rows.
    std::set<std::string> expiring;      // Segments with enough rows past their age to be worth it.
    std::set<std::string> barred;        // Whatever overlaps what is away, or was tried in vain.
};

std::optional<TidyJob> pick_job(const std::vector<SegmentMeta>& segments, const TidyFacts& facts);
/// How many segments are in days with too many of them, or complete and not in one.
std::size_t backlog_of(const std::vector<SegmentMeta>& segments, const TidyFacts& facts);

}  // namespace lineshaft::store
