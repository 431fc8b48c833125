#include "north/rest/retention_rules.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "north/rest/internal/retention.h"

namespace lineshaft::rest {
namespace {

constexpr std::string_view version_1 = R"sql(
CREATE TABLE retention_rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE retention_rules_history (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    actor TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;
)sql";
constexpr std::array migrations = {registry::Migration{1, version_1}};

Result<void> keep_version(registry::Database& database, const KeptRule& kept, const registry::Actor& actor,
                          UtcTime now, bool deleted) {
    auto insert = TRY(database.prepare(
        "INSERT INTO retention_rules_history (id, version, tenant, recorded, actor, deleted, content) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)"));
    insert.bind(1, kept.rule.id).bind(2, kept.version).bind(3, kept.rule.tenant->value()).bind(4, now.ns());
    const std::string content = rule_json(kept).dump();
    insert.bind(5, std::string_view(actor.name)).bind(6, deleted ? 1 : 0).bind(7, std::string_view(content));
    return insert.run();
}

Result<void> record(audit::Log* log, const char* action, const registry::Actor& actor, const Json& before,
                    const KeptRule& kept, const Json& after) {
    if (!log) return {};
    audit::Entry entry;
    entry.tenant = *kept.rule.tenant;
    entry.actor = actor.name;
    entry.address = actor.address;
    entry.action = action;
    entry.target = fmt::format("retention rule {} {}", kept.rule.id, kept.rule.match);
    entry.detail = Json{{"before", before}, {"after", after}}.dump();
    const auto recorded = log->record(std::move(entry));
    if (!recorded) return std::unexpected(recorded.error());
    return {};
}

Result<KeptRule> find_rule(registry::Database& database, TenantId tenant, std::uint64_t id) {
    for (KeptRule& kept : TRY(load_retention_rules(database))) {
        if (kept.rule.id == id && kept.rule.tenant == tenant) return std::move(kept);
    }
    return fail(ErrorCode::NotFound, "there is no such retention rule");
}

}  // namespace

Result<std::vector<KeptRule>> load_retention_rules(registry::Database& database) {
    TRY_VOID(database.migrate("retention", migrations));
    auto select = TRY(database.prepare(
        "SELECT id, tenant, position, name, content, version FROM retention_rules ORDER BY position, id"));
    std::vector<KeptRule> all;
    while (TRY(select.step())) {
        const Json content = Json::parse(select.text(4), nullptr, false);
        if (!content.is_object()) return fail(ErrorCode::Corrupt, "a retention rule is not JSON");
        KeptRule kept = TRY(rule_from(content));
        kept.rule.id = static_cast<std::uint64_t>(select.integer(0));
        kept.rule.tenant = TenantId(static_cast<std::uint32_t>(select.integer(1)));
        kept.position = select.integer(2);
        kept.name = select.text(3);
        kept.version = static_cast<std::uint64_t>(select.integer(5));
        all.push_back(std::move(kept));
    }
    select.reset();
    return all;
}

std::vector<store::RetentionRule> plain_rules(const std::vector<KeptRule>& kept) {
    std::vector<store::RetentionRule> rules;
    for (const KeptRule& one : kept) rules.push_back(one.rule);
    return rules;
}

Result<KeptRule> put_retention_rule(registry::Database& database, audit::Log* log, KeptRule rule,
                                    const registry::Actor& actor, UtcTime now) {
    const auto all = TRY(load_retention_rules(database));
    const bool is_new = rule.rule.id == 0;
    Json before;
    if (is_new) {
        if (all.size() >= store::retention_rules_max)
            return fail(ErrorCode::LimitExceeded, fmt::format("more than {} rules", store::retention_rules_max));
        rule.version = 1;
    } else {
        const KeptRule known = TRY(find_rule(database, *rule.rule.tenant, rule.rule.id));
        if (rule.version != known.version)
            return fail(ErrorCode::Conflict, fmt::format("the rule is at version {} now", known.version));
        before = rule_json(known);
        rule.version += 1;
    }
    auto transaction = TRY(database.begin());
    if (is_new) {
        auto insert = TRY(database.prepare(
            "INSERT INTO retention_rules (tenant, position, name, content, version) VALUES (?, ?, ?, ?, 1)"));
        insert.bind(1, rule.rule.tenant->value()).bind(2, rule.position).bind(3, std::string_view(rule.name));
        const std::string content = rule_json(rule).dump();
        insert.bind(4, std::string_view(content));
        TRY_VOID(insert.run());
        rule.rule.id = static_cast<std::uint64_t>(database.last_row_id());
    } else {
        auto update = TRY(database.prepare(
            "UPDATE retention_rules SET position = ?, name = ?, content = ?, version = ? WHERE id = ?"));
        const std::string content = rule_json(rule).dump();
        update.bind(1, rule.position).bind(2, std::string_view(rule.name)).bind(3, std::string_view(content));
        update.bind(4, rule.version).bind(5, rule.rule.id);
        TRY_VOID(update.run());
    }
    TRY_VOID(keep_version(database, rule, actor, now, false));
    TRY_VOID(record(log, is_new ? "retention.create" : "retention.update", actor, before, rule, rule_json(rule)));
    TRY_VOID(transaction.commit());
    return rule;
}

Result<void> delete_retention_rule(registry::Database& database, audit::Log* log, TenantId tenant, std::uint64_t id,
                                   const registry::Actor& actor, UtcTime now) {
    KeptRule known = TRY(find_rule(database, tenant, id));
    auto transaction = TRY(database.begin());
    auto remove = TRY(database.prepare("DELETE FROM retention_rules WHERE id = ?"));
    remove.bind(1, id);
    TRY_VOID(remove.run());
    const Json before = rule_json(known);
    known.version += 1;
    TRY_VOID(keep_version(database, known, actor, now, true));
    TRY_VOID(record(log, "retention.delete", actor, before, known, nullptr));
    return transaction.commit();
}

}  // namespace lineshaft::rest
