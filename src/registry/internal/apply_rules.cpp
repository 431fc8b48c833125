// Changes of alarm rules.
#include <algorithm>
#include <array>

#include "registry/internal/check.h"

namespace lineshaft::registry {
namespace {

Result<void> check_limit(const Limit& limit) {
    if (limit.kind < LimitKind::HighHigh || limit.kind > LimitKind::LowLow) {
        return fail(ErrorCode::InvalidArgument, "a limit is HH, H, L or LL");
    }
    TRY_VOID(check_finite("a threshold", limit.threshold));
    TRY_VOID(check_finite("a deadband", limit.deadband));
    if (limit.deadband < 0) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("the deadband of {} must not be negative", to_text(limit.kind)));
    }
    const auto allowed = [](Duration delay) { return delay >= Duration::zero() && delay <= alarm_delay_max; };
    if (!allowed(limit.on_delay) || !allowed(limit.off_delay)) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("the delays of {} must be from 0 to 24 hours", to_text(limit.kind)));
    }
    if (limit.priority < Priority::Critical || limit.priority > Priority::Low) {
        return fail(ErrorCode::InvalidArgument, "a priority is 1 (critical), 2 (high), 3 (medium) or 4 (low)");
    }
    return {};
}

/// Each kind once, and HH above H above L above LL.
Result<void> check_limits(const std::vector<Limit>& limits) {
    if (limits.empty())
        return fail(ErrorCode::InvalidArgument, "an alarm rule needs at least one limit: HH, H, L or LL");
    std::array<const Limit*, 5> by_kind{};
    for (const Limit& limit : limits) {
        TRY_VOID(check_limit(limit));
        const Limit*& place = by_kind[static_cast<std::size_t>(limit.kind)];
        if (place) {
            return fail(ErrorCode::InvalidArgument, fmt::format("{} stands twice: keep one", to_text(limit.kind)));
        }
        place = &limit;
    }
    const Limit* above = nullptr;
    for (const Limit* limit : by_kind) {
        if (!limit) continue;
        if (above && above->threshold <= limit->threshold) {
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("the threshold of {} ({}) must be above that of {} ({})", to_text(above->kind),
                                    above->threshold, to_text(limit->kind), limit->threshold));
        }
        above = limit;
    }
    return {};
}

Result<void> check_rule(const Edit& edit, const AlarmRule& rule) {
    const Tag* tag = TRY(find(edit, edit.view().tags, rule.tag));
    if (tag->type == ValueType::String) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}' is text: limits need a tag with numbers", tag->path));
    }
    if (rule.name.empty())
        return fail(ErrorCode::InvalidArgument, "an alarm rule needs a name that an operator understands");
    TRY_VOID(check_text("an alarm rule's name", rule.name));
    TRY_VOID(check_text("the consequence", rule.consequence));
    TRY_VOID(check_text("the action", rule.action));
    return check_limits(rule.limits);
}

}  // namespace

Result<Changed> apply(Edit& edit, const CreateRule& change) {
    AlarmRule rule;
    rule.tenant = edit.tenant();
    rule.tag = change.tag;
    rule.name = change.name;
    rule.limits = change.limits;
    rule.enabled = change.enabled;
    rule.consequence = change.consequence;
    rule.action = change.action;
    TRY_VOID(check_rule(edit, rule));
    return changed(TRY(edit.create(std::move(rule))));
}

Result<Changed> apply(Edit& edit, const UpdateRule& change) {
    const AlarmRule before = *TRY(find(edit, edit.view().rules, change.id));
    TRY_VOID(check_version(before, change.version));
    AlarmRule rule = before;
    if (change.name) rule.name = *change.name;
    if (change.limits) rule.limits = *change.limits;
    if (change.enabled) rule.enabled = *change.enabled;
    if (change.consequence) rule.consequence = *change.consequence;
    if (change.action) rule.action = *change.action;
    TRY_VOID(check_rule(edit, rule));
    return changed(TRY(edit.update(before, std::move(rule))));
}

Result<Changed> apply(Edit& edit, const DeleteRule& change) {
    const AlarmRule rule = *TRY(find(edit, edit.view().rules, change.id));
    TRY_VOID(check_version(rule, change.version));
    TRY_VOID(edit.remove(rule));
    return changed(rule);
}

}  // namespace lineshaft::registry
