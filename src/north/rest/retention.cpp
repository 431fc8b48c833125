#include "north/rest/internal/retention.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace lineshaft::rest {
namespace {

constexpr std::size_t match_bytes_max = 1000;
constexpr double age_s_max = 200 * 366 * 86'400.0;

Json seconds_json(const std::optional<Duration>& age) {
    return age ? Json(static_cast<double>(age->count()) / 1e9) : Json();
}

Result<std::optional<Duration>> age_field(const Json& json, const char* name) {
    const auto seconds = TRY(number_field(json, name));
    if (!seconds) return std::optional<Duration>();
    if (!(*seconds >= 60 && *seconds <= age_s_max))
        return fail(ErrorCode::InvalidArgument, fmt::format("'{}' must be 60 s to 200 years", name));
    return std::optional(Duration(static_cast<std::int64_t>(*seconds * 1e9)));
}

Result<std::vector<store::TierAge>> tiers_from(const Json& json) {
    std::vector<store::TierAge> tiers;
    const auto list = json.find("tiers");
    if (list == json.end() || list->is_null()) return tiers;
    if (!list->is_array()) return fail(ErrorCode::InvalidArgument, "'tiers' must be an array");
    for (const Json& one : *list) {
        if (!one.is_object()) return fail(ErrorCode::InvalidArgument, "each of 'tiers' must be an object");
        const double width = TRY(number_field(one, "resolution_s")).value_or(0);
        if (width != 1 && width != 60 && width != 3600 && width != 86'400)
            return fail(ErrorCode::InvalidArgument, "'resolution_s' must be 1, 60, 3600 or 86400");
        const store::TierAge tier{Duration(static_cast<std::int64_t>(width * 1e9)), TRY(age_field(one, "age_s"))};
        if (std::ranges::find(tiers, tier.tier, &store::TierAge::tier) != tiers.end())
            return fail(ErrorCode::InvalidArgument, "a resolution stands twice in 'tiers'");
        tiers.push_back(tier);
    }
    std::ranges::sort(tiers, {}, &store::TierAge::tier);
    return tiers;
}

/// With every shard's store, as they are now.
void publish(Services& services, const std::vector<KeptRule>& all) {
    services.store.post_set_retention(plain_rules(all));
}

struct Done {
    std::vector<KeptRule> all;
    KeptRule changed;
};

/// Runs `work(database, log, actor, now)` on the SQL pool, gives the store what the rules are then, and answers.
template <class Work, class Show>
void edit_rules(Call call, Work work, Show show) {
    Services& services = *call.services;
    registry::Actor actor = call.actor();
    const UtcTime now = services.shard.utc_now();
    services.registry.post_sql(
        services.shard,
        [work = std::move(work), actor = std::move(actor), now,
         log = services.registry.audit_log()](registry::Database& database) mutable -> Result<Done> {
            Done done;
            done.changed = TRY(work(database, log, actor, now));
            done.all = TRY(load_retention_rules(database));
            return done;
        },
        [held = std::make_unique<Call>(std::move(call)), show](Result<Done> done) mutable {
            if (!done) return held->answer(done.error());
            publish(*held->services, done->all);
            show(*held, done->changed);
        });
}

void get_rules(Call call) {
    Services& services = *call.services;
    services.registry.post_sql(
        services.shard, [](registry::Database& database) { return load_retention_rules(database); },
        [held = std::make_unique<Call>(std::move(call))](Result<std::vector<KeptRule>> all) {
            if (!all) return held->answer(all.error());
            Json items = Json::array();
            for (const KeptRule& kept : *all) {
                if (kept.rule.tenant == held->tenant()) items.push_back(rule_json(kept));
            }
            held->answer({{"items", std::move(items)}, {"next", nullptr}});
        });
}

void post_rule(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto rule = rule_from(*body);
    if (!rule) return call.answer(rule.error());
    rule->rule.tenant = call.tenant();
    edit_rules(
        std::move(call),
        [rule = *std::move(rule)](registry::Database& database, audit::Log* log, const registry::Actor& actor,
                                  UtcTime now) { return put_retention_rule(database, log, rule, actor, now); },
        [](Call& answer, const KeptRule& kept) { answer.answer(rule_json(kept), 201); });
}

void patch_rule(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    const TenantId tenant = call.tenant();
    edit_rules(
        std::move(call),
        [patch = *body, id = *id, tenant](registry::Database& database, audit::Log* log, const registry::Actor& actor,
                                          UtcTime now) -> Result<KeptRule> {
            for (const KeptRule& known : TRY(load_retention_rules(database))) {
                if (known.rule.id != id || known.rule.tenant != tenant) continue;
                Json whole = rule_json(known);
                whole.update(patch);
                KeptRule rule = TRY(rule_from(whole));
                rule.rule.id = id;
                rule.rule.tenant = tenant;
                rule.version = static_cast<std::uint64_t>(TRY(number_field(whole, "version")).value_or(0));
                return put_retention_rule(database, log, std::move(rule), actor, now);
            }
            return fail(ErrorCode::NotFound, "there is no such retention rule");
        },
        [](Call& answer, const KeptRule& kept) { answer.answer(rule_json(kept)); });
}

void delete_rule(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    const TenantId tenant = call.tenant();
    edit_rules(
        std::move(call),
        [id = *id, tenant](registry::Database& database, audit::Log* log, const registry::Actor& actor,
                           UtcTime now) -> Result<KeptRule> {
            TRY_VOID(delete_retention_rule(database, log, tenant, id, actor, now));
            return KeptRule();
        },
        [](Call& answer, const KeptRule&) { answer.answer_nothing(); });
}

/// What the rules would free; with a body, as if that rule were there too, or instead of the one with its id.
void preview_rules(Call call) {
    KeptRule rule;
    const Result<Json> body = call.request.body.empty() ? Result<Json>(Json::object()) : call.body();
    if (!body) return call.answer(body.error());
    const bool has_rule = !body->empty();
    if (has_rule) {
        auto read = rule_from(*body);
        if (!read) return call.answer(read.error());
        rule = *std::move(read);
        rule.rule.tenant = call.tenant();
        const auto id = id_field(*body, "id");
        if (!id) return call.answer(id.error());
        rule.rule.id = id->value_or(0);
    }
    Services& services = *call.services;
    services.registry.post_sql(
        services.shard, [](registry::Database& database) { return load_retention_rules(database); },
        [held = std::make_unique<Call>(std::move(call)), rule, has_rule](Result<std::vector<KeptRule>> all) mutable {
            if (!all) return held->answer(all.error());
            if (has_rule) {
                std::erase_if(*all, [&](const KeptRule& kept) { return kept.rule.id == rule.rule.id; });
                const auto at = std::ranges::upper_bound(*all, rule.position, {}, &KeptRule::position);
                all->insert(at, rule);
            }
            Services& rooms = *held->services;
            const TenantId tenant = held->tenant();
            std::set<std::uint64_t> own;
            for (const KeptRule& kept : *all) {
                if (kept.rule.tenant == tenant) own.insert(kept.rule.id);
            }
            rooms.store.post_preview_retention(
                rooms.shard, plain_rules(*all),
                [held = std::move(held), own = std::move(own)](const std::vector<store::RetentionEffect>& effects) {
                    Json items = Json::array();
                    for (const store::RetentionEffect& effect : effects) {
                        if (!own.contains(effect.rule)) continue;
                        items.push_back({{"rule", effect.rule == 0 ? Json() : Json(id_text(effect.rule))},
                                         {"series", effect.series},
                                         {"samples", effect.samples},
                                         {"bytes", effect.bytes}});
                    }
                    held->answer({{"items", std::move(items)}, {"next", nullptr}});
                });
        });
}

}  // namespace

Json rule_json(const KeptRule& kept) {
    Json tiers = Json::array();
    for (const store::TierAge& tier : kept.rule.tiers)
        tiers.push_back({{"resolution_s", tier.tier.count() / 1'000'000'000}, {"age_s", seconds_json(tier.age)}});
    return {{"id", id_text(kept.rule.id)},
            {"name", kept.name},
            {"match", kept.rule.match},
            {"position", kept.position},
            {"raw_age_s", seconds_json(kept.rule.raw_age)},
            {"raw_bytes", kept.rule.raw_bytes ? Json(*kept.rule.raw_bytes) : Json()},
            {"tiers", std::move(tiers)},
            {"version", kept.version}};
}

Result<KeptRule> rule_from(const Json& json) {
    KeptRule kept;
    kept.rule.match = TRY(required_text(json, "match"));
    if (kept.rule.match.empty() || kept.rule.match.size() > match_bytes_max)
        return fail(ErrorCode::InvalidArgument, "'match' is a pattern over tag paths, like \"Acme/Lyon/**\"");
    std::size_t deep = 0;
    for (std::size_t at = 0; (at = kept.rule.match.find("**", at)) != std::string::npos; at += 2) ++deep;
    if (deep > 4) return fail(ErrorCode::InvalidArgument, "'match' may hold ** four times at most");
    kept.name = TRY(text_field(json, "name")).value_or(kept.rule.match);
    const double position = TRY(number_field(json, "position")).value_or(100);
    if (!(position >= 0 && position <= 1e9)) return fail(ErrorCode::InvalidArgument, "'position' must be 0 to 1e9");
    kept.position = static_cast<std::int64_t>(position);
    kept.rule.raw_age = TRY(age_field(json, "raw_age_s"));
    if (const auto bytes = TRY(number_field(json, "raw_bytes"))) {
        if (!(*bytes >= 1e6 && *bytes <= 1e18))
            return fail(ErrorCode::InvalidArgument, "'raw_bytes' must be at least 1000000");
        kept.rule.raw_bytes = static_cast<std::uint64_t>(*bytes);
    }
    kept.rule.tiers = TRY(tiers_from(json));
    for (const store::TierAge& tier : kept.rule.tiers) {
        if (tier.age && kept.rule.raw_age && *tier.age <= *kept.rule.raw_age)
            return fail(ErrorCode::InvalidArgument, "a resolution of 'tiers' must stay longer than raw samples do");
    }
    return kept;
}

std::vector<Route> retention_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/retention-rules", ReadConfiguration, get_rules},
            {"POST", "/api/v1/retention-rules", EditTags, post_rule},
            {"POST", "/api/v1/retention-rules:preview", ReadConfiguration, preview_rules},
            {"PATCH", "/api/v1/retention-rules/{}", EditTags, patch_rule},
            {"DELETE", "/api/v1/retention-rules/{}", EditTags, delete_rule}};
}

}  // namespace lineshaft::rest
