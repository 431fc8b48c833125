#include "rules/limit_judge.h"

#include <cmath>

#include "base/assert.h"

namespace lineshaft::rules {
namespace {

bool is_high(LimitKind kind) { return kind == LimitKind::High || kind == LimitKind::HighHigh; }

}  // namespace

bool LimitJudge::is_beyond(double value) const {
    return is_high(limit_.kind) ? value > limit_.threshold : value < limit_.threshold;
}

bool LimitJudge::is_back(double value) const {
    if (limit_.deadband == 0) return !is_beyond(value);
    return is_high(limit_.kind) ? value <= limit_.threshold - limit_.deadband
                                : value >= limit_.threshold + limit_.deadband;
}

void LimitJudge::start_delay(UtcTime time, double value, Quality quality) {
    due_ = time + (active_ ? limit_.off_delay : limit_.on_delay);
    value_ = value;
    quality_ = quality;
}

std::optional<LimitJudge::Change> LimitJudge::pass_time(UtcTime now) {
    if (due_.is_none() || now < due_) return std::nullopt;
    active_ = !active_;
    const Change change{active_, due_, value_, quality_};
    due_ = UtcTime();
    return change;
}

LimitJudge::Changes LimitJudge::judge(UtcTime time, double value, Quality quality) {
    Changes changes;
    if (time < judged_until_) return changes;
    judged_until_ = time;
    // A delay that ended before this sample ended by itself: the value had not changed until now.
    if (!due_.is_none() && due_ < time) changes.first = pass_time(due_);
    if (quality.is_bad() || std::isnan(value)) return changes;

    const bool wants_change = active_ ? is_back(value) : is_beyond(value);
    if (!wants_change) {
        // Not beyond any more before the on-delay was over; inside the deadband a crossing that has not counted yet is
        // over as well, while an active one waits for is_back().
        due_ = UtcTime();
        return changes;
    }
    if (due_.is_none()) start_delay(time, value, quality);
    (changes.first ? changes.second : changes.first) = pass_time(time);
    return changes;
}

}  // namespace lineshaft::rules
