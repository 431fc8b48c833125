/// The rule engine: judges what passes, tells the alarm board what became true or false.
///
/// Flow:    takes batches (flow::SampleSink) and snapshots of the registry, gives ConditionEvents (flow::EventSink).
/// Threads: one Engine per shard; a tag's rules live on the tag's home shard. Own shard only.
/// Limits:  one judge of some 100 bytes a limit; tags without rules cost one hash look-up.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "flow/sample_sink.h"
#include "registry/snapshot.h"
#include "rules/limit_judge.h"
#include "runtime/shard.h"

namespace lineshaft::rules {

class Engine final : public flow::SampleSink {
public:
    Engine(Shard& shard, flow::EventSink& events);

    /// Conditions that were active when the program ended, so that they are told when they end. Before the first apply.
    void restore(const std::vector<ConditionEvent>& active);

    /// Takes over the rules of `snapshot` for tags of this shard (`is_home`). A limit that did not change keeps its
    /// state; one that is gone while active is reported as not active.
    void apply(const registry::Snapshot& snapshot, const std::function<bool(const registry::Tag&)>& is_home);

    void offer(const Batch& batch) override;

    std::size_t rule_count() const { return rules_.size(); }

private:
    struct Judged {
        registry::AlarmRule rule;
        std::vector<LimitJudge> judges;
    };

    void judge(Judged& judged, UtcTime time, double value, Quality quality);
    void report(const registry::AlarmRule& rule, const registry::Limit& limit, const LimitJudge::Change& change);
    void pass_time();
    void arm_timer();

    Shard& shard_;
    flow::EventSink& events_;
    std::vector<ConditionEvent> restored_;  // Empty after the first apply.
    std::unordered_map<RuleId, Judged> rules_;
    std::unordered_map<TagId, std::vector<RuleId>> by_tag_;
    std::vector<RuleId> delayed_;  // Rules with a running delay; may hold some that have none any more.
    Timer timer_;
    UtcTime timer_due_;
};

}  // namespace lineshaft::rules
