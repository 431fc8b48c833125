/// A retention rule as JSON, alike in the API and in the database.
#pragma once

#include "north/rest/internal/call.h"
#include "north/rest/retention_rules.h"

namespace lineshaft::rest {

Json rule_json(const KeptRule& kept);
/// What may be set: name, match, position, raw_age_s, raw_bytes, tiers. Errors: InvalidArgument.
Result<KeptRule> rule_from(const Json& json);

}  // namespace lineshaft::rest
