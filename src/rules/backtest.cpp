#include "rules/backtest.h"

#include "base/assert.h"

namespace lineshaft::rules {

Backtest::Backtest(const std::vector<registry::Limit>& limits) : open_(limits.size(), 0) {
    for (const registry::Limit& limit : limits) judges_.emplace_back(limit);
}

void Backtest::judge(UtcTime time, double value, Quality quality) {
    ++samples_;
    for (std::size_t i = 0; i < judges_.size(); ++i) {
        const LimitJudge::Changes changes = judges_[i].judge(time, value, quality);
        if (changes.first) note(i, *changes.first);
        if (changes.second) note(i, *changes.second);
    }
}

void Backtest::finish(UtcTime end) {
    for (std::size_t i = 0; i < judges_.size(); ++i) {
        if (const auto change = judges_[i].pass_time(end)) note(i, *change);
    }
    if (active_count_ > 0) active_time_ += end - active_since_;
}

void Backtest::note(std::size_t judge, const LimitJudge::Change& change) {
    if (change.active) {
        ++fired_;
        if (active_count_++ == 0) active_since_ = change.time;
        if (episodes_.size() >= episodes_max) return;
        episodes_.push_back({judges_[judge].limit().kind, change.time, UtcTime()});
        open_[judge] = episodes_.size();
        return;
    }
    ASSERT(active_count_ > 0);
    if (--active_count_ == 0) active_time_ += change.time - active_since_;
    if (open_[judge] > 0) episodes_[open_[judge] - 1].end = change.time;
    open_[judge] = 0;
}

}  // namespace lineshaft::rules
