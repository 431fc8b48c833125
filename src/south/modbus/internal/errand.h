/// One-off questions to a device that need not be configured: does it answer, and what do these registers hold?
///
/// Threads: own shard only. An errand ends itself by `done`, after which its owner destroys it (a task later).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "south/modbus/internal/connection.h"
#include "south/modbus/internal/plan.h"
#include "south/modbus/modbus.h"

namespace lineshaft::modbus {

class Errand {
public:
    virtual ~Errand() = default;
};

using OnTested = std::move_only_function<void(TestResult)>;
using OnPreview = std::move_only_function<void(Result<std::vector<PreviewValue>>)>;

inline constexpr std::size_t preview_registers_max = 500;

struct ErrandTarget {
    Endpoint endpoint;
    std::uint8_t unit = 1;
    Duration timeout{1s};
};

std::unique_ptr<Errand> start_test(Shard& shard, Network& network, ErrandTarget target, OnTested done);
std::unique_ptr<Errand> start_read(Shard& shard, Network& network, ErrandTarget target,
                                   std::vector<Register> registers, OnPreview done);

}  // namespace lineshaft::modbus
