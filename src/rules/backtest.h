/// "Would have fired n times in the last day": the same judge, run over history.
///
/// Threads: any; pure.
#pragma once

#include <vector>

#include "rules/limit_judge.h"

namespace lineshaft::rules {

struct Episode {
    LimitKind kind = LimitKind::High;
    UtcTime start;
    UtcTime end;  // None: still active at the end of the data.
};

/// Judges every limit over samples that are fed in the order of source time.
class Backtest {
public:
    explicit Backtest(const std::vector<registry::Limit>& limits);

    void judge(UtcTime time, double value, Quality quality);
    /// Ends the run at `end`.
    void finish(UtcTime end);

    /// In the order of start. At most episodes_max are kept; fired() counts all.
    const std::vector<Episode>& episodes() const { return episodes_; }
    std::size_t fired() const { return fired_; }
    std::size_t samples() const { return samples_; }
    /// How long any limit was active.
    Duration active_time() const { return active_time_; }

    static constexpr std::size_t episodes_max = 1000;

private:
    void note(std::size_t judge, const LimitJudge::Change& change);

    std::vector<LimitJudge> judges_;
    std::vector<std::size_t> open_;  // Episode index + 1 of each judge; 0: none.
    std::vector<Episode> episodes_;
    std::size_t fired_ = 0;
    std::size_t samples_ = 0;
    std::size_t active_count_ = 0;
    UtcTime active_since_;
    Duration active_time_{0};
};

}  // namespace lineshaft::rules
