/// The last stages: group, having, order, limit. One task of the query pool.
#pragma once

#include "fleet/engine.h"
#include "fleet/internal/plan.h"

namespace lineshaft::fleet {

/// `keys` say what the rows' keys are called.
Answer finish(const Plan& plan, const Keys& keys, Rows rows);

}  // namespace lineshaft::fleet
