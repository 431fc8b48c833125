#include "app/internal/memory_share.h"

#include <gtest/gtest.h>

namespace lineshaft::app {
namespace {

constexpr std::uint64_t mib = 1ULL << 20;

TEST(MemoryShare, IsASixteenthOfTheMachineForAllShards) {
    EXPECT_EQ(memtable_share(4096 * mib, 2), 128 * mib);
    EXPECT_EQ(memtable_share(4096 * mib, 4), 64 * mib);
}

TEST(MemoryShare, LeavesASmallGatewayItsMemoryAndALargeServerItsLimits) {
    EXPECT_EQ(memtable_share(256 * mib, 1), 16 * mib);
    EXPECT_EQ(memtable_share(256 * mib, 4), 16 * mib);
    EXPECT_EQ(memtable_share(512 * 1024 * mib, 8), 128 * mib);
}

TEST(MemoryShare, ReadsTheBoundOfAControlGroup) {
    EXPECT_EQ(memory_bound("536870912\n"), 512 * mib);
    EXPECT_EQ(memory_bound("max\n"), std::nullopt);
    EXPECT_EQ(memory_bound(""), std::nullopt);
    EXPECT_GT(machine_memory(), 16 * mib);
}

}  // namespace
}  // namespace lineshaft::app
