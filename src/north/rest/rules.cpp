#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/call.h"
#include "rules/backtest.h"

namespace lineshaft::rest {

Json limits_json(const std::vector<registry::Limit>& limits) {
    Json list = Json::array();
    const auto seconds = [](Duration d) { return static_cast<double>(d.count()) / 1e9; };
    for (const registry::Limit& limit : limits) {
        list.push_back({{"kind", to_text(limit.kind)},
                        {"threshold", limit.threshold},
                        {"deadband", limit.deadband},
                        {"on_delay_s", seconds(limit.on_delay)},
                        {"off_delay_s", seconds(limit.off_delay)},
                        {"priority", static_cast<int>(limit.priority)}});
    }
    return list;
}

namespace {

Result<registry::Limit> limit_from(const Json& json) {
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, "each of 'limits' must be an object");
    registry::Limit limit;
    const std::string kind = TRY(required_text(json, "kind"));
    if (kind == "HH")
        limit.kind = LimitKind::HighHigh;
    else if (kind == "H")
        limit.kind = LimitKind::High;
    else if (kind == "L")
        limit.kind = LimitKind::Low;
    else if (kind == "LL")
        limit.kind = LimitKind::LowLow;
    else
        return fail(ErrorCode::InvalidArgument, fmt::format("kind '{}' is none of HH, H, L, LL", kind));
    const auto threshold = TRY(number_field(json, "threshold"));
    if (!threshold) return fail(ErrorCode::InvalidArgument, "'threshold' is missing");
    limit.threshold = *threshold;
    limit.deadband = TRY(number_field(json, "deadband")).value_or(0);
    const double on = TRY(number_field(json, "on_delay_s")).value_or(0),
                 off = TRY(number_field(json, "off_delay_s")).value_or(0);
    const double priority = TRY(number_field(json, "priority")).value_or(3);
    if (limit.deadband < 0) return fail(ErrorCode::InvalidArgument, "'deadband' must not be negative");
    if (on < 0 || on > 86'400 || off < 0 || off > 86'400)
        return fail(ErrorCode::InvalidArgument, "delays must be 0 to 86400 s");
    if (priority != 1 && priority != 2 && priority != 3 && priority != 4) {
        return fail(ErrorCode::InvalidArgument, "'priority' must be 1 (critical), 2, 3 or 4 (low)");
    }
    limit.on_delay = Duration(static_cast<std::int64_t>(on * 1e9));
    limit.off_delay = Duration(static_cast<std::int64_t>(off * 1e9));
    limit.priority = static_cast<Priority>(static_cast<int>(priority));
    return limit;
}

}  // namespace

Result<std::vector<registry::Limit>> limits_from(const Json& body) {
    const auto list = body.find("limits");
    if (list == body.end() || !list->is_array() || list->empty()) {
        return fail(ErrorCode::InvalidArgument, "'limits' must be an array of at least one limit");
    }
    std::vector<registry::Limit> limits;
    for (const Json& json : *list) limits.push_back(TRY(limit_from(json)));
    return limits;
}

namespace {

Json rule_json(const registry::Snapshot& snapshot, const registry::AlarmRule& rule) {
    const registry::Tag* tag = snapshot.tag(rule.tag);
    return {{"id", id_text(rule.id.value())},
            {"tag", id_text(rule.tag.value())},
            {"tag_path", tag ? tag->path : ""},
            {"name", rule.name},
            {"enabled", rule.enabled},
            {"consequence", rule.consequence},
            {"action", rule.action},
            {"limits", limits_json(rule.limits)}};
}

/// By id, or by path. Errors: NotFound, InvalidArgument.
Result<const registry::Tag*> tag_of(const Call& call, const Json& body) {
    const registry::Snapshot& snapshot = call.snapshot();
    const registry::Tag* tag = nullptr;
    if (const auto path = TRY(text_field(body, "tag_path")))
        tag = snapshot.tag_at(call.tenant(), *path);
    else if (const auto id = id_field(body, "tag"); id && *id)
        tag = snapshot.tag(TagId(**id));
    else if (const auto text = TRY(text_field(body, "tag")))
        tag = snapshot.tag_at(call.tenant(), *text);
    else
        return fail(ErrorCode::InvalidArgument, "'tag' is missing: an id or a path");
    if (!tag || tag->tenant != call.tenant()) return fail(ErrorCode::NotFound, "there is no such tag");
    return tag;
}

void get_rules(Call call) {
    const registry::Snapshot& snapshot = call.snapshot();
    const std::string asked = call.parameter("tag");
    std::vector<const registry::AlarmRule*> rules;
    for (const auto& [id, rule] : snapshot.rules) {
        const registry::Tag* tag = snapshot.tag(rule->tag);
        if (rule->tenant != call.tenant()) continue;
        if (!asked.empty() && asked != id_text(rule->tag.value()) && (!tag || tag->path != asked)) continue;
        rules.push_back(rule.get());
    }
    std::ranges::sort(rules, {}, [](const registry::AlarmRule* rule) { return rule->id; });
    Json items = Json::array();
    for (const registry::AlarmRule* rule : rules) items.push_back(rule_json(snapshot, *rule));
    call.answer({{"items", std::move(items)}, {"next", nullptr}});
}

void answer_rule(Call call, RuleId id, unsigned status) {
    const auto at = call.snapshot().rules.find(id);
    if (at == call.snapshot().rules.end())
        return call.answer(Error(ErrorCode::NotFound, "the rule has just been deleted"));
    call.answer(rule_json(call.snapshot(), *at->second), status);
}

Result<registry::CreateRule> new_rule(const Call& call, const Json& body) {
    const registry::Tag* tag = TRY(tag_of(call, body));
    registry::CreateRule what;
    what.tag = tag->id;
    what.name = TRY(text_field(body, "name")).value_or(tag->path);
    what.limits = TRY(limits_from(body));
    what.enabled = TRY(bool_field(body, "enabled")).value_or(true);
    what.consequence = TRY(text_field(body, "consequence")).value_or("");
    what.action = TRY(text_field(body, "action")).value_or("");
    return what;
}

void post_rule(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto what = new_rule(call, *body);
    if (!what) return call.answer(what.error());
    change(std::move(call), *std::move(what), [](Call answer, const registry::Changed& changed) {
        answer_rule(std::move(answer), RuleId(changed.id), 201);
    });
}

Result<registry::UpdateRule> rule_update(RuleId id, const Json& body) {
    registry::UpdateRule what;
    what.id = id;
    what.name = TRY(text_field(body, "name"));
    if (body.contains("limits")) what.limits = TRY(limits_from(body));
    what.enabled = TRY(bool_field(body, "enabled"));
    what.consequence = TRY(text_field(body, "consequence"));
    what.action = TRY(text_field(body, "action"));
    return what;
}

void patch_rule(Call call) {
    const auto id = call.id();
    const auto body = call.body();
    if (!id) return call.answer(id.error());
    if (!body) return call.answer(body.error());
    auto what = rule_update(RuleId(*id), *body);
    if (!what) return call.answer(what.error());
    change(std::move(call), *std::move(what), [](Call answer, const registry::Changed& changed) {
        answer_rule(std::move(answer), RuleId(changed.id), 200);
    });
}

void delete_rule(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    change(std::move(call), registry::DeleteRule{RuleId(*id), 0},
           [](Call answer, const registry::Changed&) { answer.answer_nothing(); });
}

/// Walks over the past of one tag page by page, so that neither shard is held up, and answers with what would have
/// fired.
class Preview {
public:
    Preview(Call call, TagId tag, ShardId home, std::vector<registry::Limit> limits, UtcTime from, UtcTime to)
        : call_(std::move(call)), tag_(tag), home_(home), backtest_(limits), from_(from), at_(from), to_(to) {}

    void next_page() {
        call_.services->store.post_scan(
            call_.services->shard, home_, tag_, at_, to_, 50'000, [this](Result<store::Chunk> chunk) {
                if (!chunk && chunk.error().code() != ErrorCode::NotFound) {
                    const std::unique_ptr<Preview> self(this);
                    return call_.answer(chunk.error());
                }
                if (chunk) {
                    for (std::size_t i = 0; i < chunk->size(); ++i) {
                        backtest_.judge(chunk->source_times[i], chunk->number_at(i), chunk->qualities[i]);
                    }
                    if (chunk->more && !chunk->empty()) {
                        at_ = chunk->source_times.back() + 1ns;
                        return next_page();
                    }
                }
                answer();
            });
    }

private:
    void answer() {
        const std::unique_ptr<Preview> self(this);
        backtest_.finish(to_);
        Json episodes = Json::array();
        for (const rules::Episode& episode : backtest_.episodes()) {
            if (episodes.size() == 100) break;
            episodes.push_back({{"kind", to_text(episode.kind)},
                                {"start", time_json(episode.start)},
                                {"end", time_json(episode.end)}});
        }
        const double span = static_cast<double>((to_ - from_).count());
        call_.answer({{"from", time_json(from_)},
                      {"to", time_json(to_)},
                      {"fired", backtest_.fired()},
                      {"active_share", static_cast<double>(backtest_.active_time().count()) / span},
                      {"episodes", std::move(episodes)},
                      {"samples", backtest_.samples()}});
    }

    Call call_;
    const TagId tag_;
    const ShardId home_;
    rules::Backtest backtest_;
    const UtcTime from_;
    UtcTime at_;
    const UtcTime to_;
};

void preview(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    const auto tag = tag_of(call, *body);
    if (!tag) return call.answer(tag.error());
    const auto limits = limits_from(*body);
    if (!limits) return call.answer(limits.error());
    const UtcTime now = call.services->shard.utc_now();
    const auto time = [&](const char* name, UtcTime otherwise) -> Result<UtcTime> {
        const auto text = TRY(text_field(*body, name));
        return text ? parse_time(*text, now) : Result<UtcTime>(otherwise);
    };
    const auto to = time("to", now);
    if (!to) return call.answer(to.error());
    const auto from = time("from", *to - 24h);
    if (!from) return call.answer(from.error());
    if (const auto span = Call::check_span(*from, *to); !span) return call.answer(span.error());
    const ShardId home = home_of(call, **tag);
    (new Preview(std::move(call), (*tag)->id, home, *limits, *from, *to))->next_page();
}

}  // namespace

std::vector<Route> rule_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/alarm-rules", ReadConfiguration, get_rules},
            {"POST", "/api/v1/alarm-rules", EditRules, post_rule},
            {"POST", "/api/v1/alarm-rules:preview", ReadData, preview},
            {"PATCH", "/api/v1/alarm-rules/{}", EditRules, patch_rule},
            {"DELETE", "/api/v1/alarm-rules/{}", EditRules, delete_rule}};
}

}  // namespace lineshaft::rest
