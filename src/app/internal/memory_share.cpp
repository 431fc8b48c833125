#include "app/internal/memory_share.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

#include <unistd.h>

namespace lineshaft::app {

std::optional<std::uint64_t> memory_bound(std::string_view text) {
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (error != std::errc() || bytes == 0) return std::nullopt;
    return bytes;
}

std::uint64_t machine_memory() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_bytes = ::sysconf(_SC_PAGESIZE);
    std::uint64_t bytes = static_cast<std::uint64_t>(std::max(pages, 1L)) * static_cast<std::uint64_t>(page_bytes);
    std::string line;
    if (std::ifstream group("/sys/fs/cgroup/memory.max"); std::getline(group, line))
        bytes = std::min(bytes, memory_bound(line).value_or(bytes));
    return bytes;
}

std::uint64_t memtable_share(std::uint64_t memory, std::uint64_t shards) {
    constexpr std::uint64_t each_min = 16ULL << 20;
    constexpr std::uint64_t all_max = 1ULL << 30;
    constexpr std::uint64_t share = 16;
    shards = std::max<std::uint64_t>(shards, 1);
    return std::max(each_min, std::min(memory / share, all_max) / shards);
}

}  // namespace lineshaft::app
