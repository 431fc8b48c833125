/// Retention rules as they are kept: in the registry's database, every version, audited.
///
/// Threads: blocking; on the SQL pool, or at start. Errors: as registry::Database; NotFound, InvalidArgument, Conflict.
#pragma once

#include <string>
#include <vector>

#include "base/strong.h"
#include "registry/registry.h"
#include "store/life.h"

namespace lineshaft::rest {

struct KeptRule {
    store::RetentionRule rule;  // With its id and tenant.
    std::string name;
    std::int64_t position = 0;  // Lower ones are asked first.
    std::uint64_t version = 0;
};

/// Of every tenant, in the order in which they are asked.
Result<std::vector<KeptRule>> load_retention_rules(registry::Database& database);
std::vector<store::RetentionRule> plain_rules(const std::vector<KeptRule>& kept);

/// Id 0: a new one. A version that is not the newest is a Conflict. Gives the rule as it is now.
Result<KeptRule> put_retention_rule(registry::Database& database, audit::Log* log, KeptRule rule,
                                    const registry::Actor& actor, UtcTime now);
Result<void> delete_retention_rule(registry::Database& database, audit::Log* log, TenantId tenant, std::uint64_t id,
                                   const registry::Actor& actor, UtcTime now);

}  // namespace lineshaft::rest
