/// The number of shards of a data directory, kept in its house.json.
///
/// Threads: any; blocks, for start-up only. Errors: ConfigInvalid when another number is asked for now; Corrupt.
#pragma once

#include <cstddef>

#include "app/config.h"
#include "runtime/disk.h"

namespace lineshaft::app {

/// Decided at the first start, by the configuration or the machine's cores: devices are spread over the stores by it.
Result<std::size_t> pin_shard_count(Disk& disk, const Config& config);

}  // namespace lineshaft::app
