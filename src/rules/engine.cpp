#include "rules/engine.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/counters.h"

namespace lineshaft::rules {
namespace {

Counter judged_samples{"lineshaft_rules_judged_total", "", "Samples judged by alarm rules"};
Counter late_samples{"lineshaft_rules_late_total", "",
                     "Samples older than one already judged: kept, not judged again"};
Counter condition_changes{"lineshaft_rules_changes_total", "", "Conditions that became true or false"};

double number_of(const Batch& batch, std::size_t row) {
    switch (batch.types[row]) {
        case ValueType::Double: return std::bit_cast<double>(batch.bits[row]);
        case ValueType::Int: return static_cast<double>(std::bit_cast<std::int64_t>(batch.bits[row]));
        case ValueType::Bool: return batch.bits[row] ? 1.0 : 0.0;
        case ValueType::String: break;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

Engine::Engine(Shard& shard, flow::EventSink& events) : shard_(shard), events_(events) {}

void Engine::restore(const std::vector<ConditionEvent>& active) { restored_ = active; }

void Engine::apply(const registry::Snapshot& snapshot, const std::function<bool(const registry::Tag&)>& is_home) {
    std::unordered_map<RuleId, Judged> fresh;
    std::unordered_map<TagId, std::vector<RuleId>> by_tag;
    for (const auto& [id, rule] : snapshot.rules) {
        const registry::Tag* tag = snapshot.tag(rule->tag);
        if (!rule->enabled || !tag || !is_home(*tag)) continue;
        Judged judged{*rule, {}};
        const auto before = rules_.find(id);
        for (const registry::Limit& limit : rule->limits) {
            const LimitJudge* kept = nullptr;
            if (before != rules_.end() && before->second.rule.tag == rule->tag) {
                for (const LimitJudge& judge : before->second.judges) {
                    if (judge.limit() == limit) kept = &judge;
                }
            }
            const bool was_active = std::ranges::any_of(
                restored_, [&](const ConditionEvent& e) { return e.rule == id && e.limit == limit.kind; });
            judged.judges.push_back(kept ? *kept : LimitJudge(limit, was_active));
        }
        by_tag[rule->tag].push_back(id);
        fresh.emplace(id, std::move(judged));
    }
    // What was active and is judged no more must not stay active for ever.
    for (const auto& [id, old] : rules_) {
        const auto now = fresh.find(id);
        for (const LimitJudge& judge : old.judges) {
            if (!judge.is_active()) continue;
            const bool kept = now != fresh.end() && std::ranges::any_of(now->second.judges, [&](const LimitJudge& j) {
                                  return j.limit() == judge.limit() && j.is_active();
                              });
            if (!kept) report(old.rule, judge.limit(), {false, shard_.utc_now(), 0, Quality::uncertain});
        }
    }
    for (ConditionEvent& event : std::exchange(restored_, {})) {
        const auto now = fresh.find(event.rule);
        const bool judged = now != fresh.end() && std::ranges::any_of(now->second.judges, [&](const LimitJudge& j) {
                                return j.limit().kind == event.limit;
                            });
        if (judged) continue;
        event.active = false;
        event.time = shard_.utc_now();
        event.quality = Quality::uncertain;
        events_.offer(event);
    }
    rules_ = std::move(fresh);
    by_tag_ = std::move(by_tag);
    delayed_.clear();
    for (const auto& [id, judged] : rules_) delayed_.push_back(id);
    arm_timer();
}

void Engine::offer(const Batch& batch) {
    if (by_tag_.empty()) return;
    bool judged_any = false;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        const auto at = by_tag_.find(batch.tags[row]);
        if (at == by_tag_.end()) continue;
        judged_samples.add();
        judged_any = true;
        for (const RuleId id : at->second) {
            judge(rules_.at(id), batch.source_times[row], number_of(batch, row), batch.qualities[row]);
        }
    }
    if (judged_any && !delayed_.empty()) arm_timer();
}

void Engine::judge(Judged& judged, UtcTime time, double value, Quality quality) {
    bool delayed = false;
    for (LimitJudge& judge : judged.judges) {
        if (time < judge.judged_until()) {
            late_samples.add();
            continue;
        }
        const LimitJudge::Changes changes = judge.judge(time, value, quality);
        if (changes.first) report(judged.rule, judge.limit(), *changes.first);
        if (changes.second) report(judged.rule, judge.limit(), *changes.second);
        delayed |= !judge.due().is_none();
    }
    if (delayed && std::ranges::find(delayed_, judged.rule.id) == delayed_.end()) delayed_.push_back(judged.rule.id);
}

void Engine::report(const registry::AlarmRule& rule, const registry::Limit& limit, const LimitJudge::Change& change) {
    condition_changes.add();
    ConditionEvent event;
    event.tenant = rule.tenant;
    event.rule = rule.id;
    event.tag = rule.tag;
    event.limit = limit.kind;
    event.priority = limit.priority;
    event.active = change.active;
    event.time = change.time;
    event.value = change.value;
    event.threshold = limit.threshold;
    event.quality = change.quality;
    events_.offer(event);
}

void Engine::pass_time() {
    timer_due_ = UtcTime();
    const UtcTime now = shard_.utc_now();
    for (const RuleId id : delayed_) {
        Judged& judged = rules_.at(id);
        for (LimitJudge& judge : judged.judges) {
            if (const auto change = judge.pass_time(now)) report(judged.rule, judge.limit(), *change);
        }
    }
    arm_timer();
}

/// One timer for the delay that ends first. Delays run in source time; a device whose clock is ahead makes its delay
/// end late by as much, never early.
void Engine::arm_timer() {
    UtcTime first;
    std::erase_if(delayed_, [&](RuleId id) {
        bool delayed = false;
        for (const LimitJudge& judge : rules_.at(id).judges) {
            if (judge.due().is_none()) continue;
            delayed = true;
            if (first.is_none() || judge.due() < first) first = judge.due();
        }
        return !delayed;
    });
    if (first.is_none()) {
        timer_.cancel();
        timer_due_ = UtcTime();
        return;
    }
    if (first == timer_due_) return;
    timer_due_ = first;
    timer_ = shard_.after(std::max<Duration>(first - shard_.utc_now(), 1ms), [this] { pass_time(); });
}

}  // namespace lineshaft::rules
