/// How much memory the machine gives us, and how much of it samples may take before they become segments.
///
/// Larger tables make fuller blocks and fewer merges: each sample is written less often. A small gateway has to keep
/// its memory for its work.
///
/// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lineshaft::app {

/// Bytes of memory: what the machine has, or less where a control group bounds us (cgroup v2 `memory.max`).
std::uint64_t machine_memory();

/// The bound in such a file; none: "max", or not a number.
std::optional<std::uint64_t> memory_bound(std::string_view text);

/// Bytes of the memory table of one of `shards` shards: a sixteenth of `memory` for all of them, at least 16 MiB each,
/// at most 1 GiB together. A table that is being written out takes as much again.
std::uint64_t memtable_share(std::uint64_t memory, std::uint64_t shards);

}  // namespace lineshaft::app
