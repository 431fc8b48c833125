#include "runtime/gate.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

TEST(Gate, ClosesAtOnceWhenNobodyIsInside) {
    Gate gate;
    bool closed = false;
    gate.close([&] { closed = true; });
    EXPECT_TRUE(closed);
    EXPECT_EQ(gate.enter().error().code(), ErrorCode::Closed);
}

TEST(Gate, WaitsForTheLastPassAndLetsNobodyInMeanwhile) {
    Gate gate;
    int closed = 0;
    {
        Gate::Pass first = *gate.enter();
        {
            const Gate::Pass second = *gate.enter();
            gate.close([&] { ++closed; });
            EXPECT_TRUE(gate.is_closing());
            EXPECT_FALSE(gate.enter());
        }
        EXPECT_EQ(closed, 0);
        const Gate::Pass moved = std::move(first);
        EXPECT_EQ(closed, 0);
    }
    EXPECT_EQ(closed, 1);
}

TEST(Gate, APassThatIsAssignedToLeavesWhenItsPlaceDies) {
    Gate gate;
    bool closed = false;
    Gate::Pass kept;
    {
        Gate::Pass other = *gate.enter();
        kept = std::move(other);
    }
    gate.close([&] { closed = true; });
    EXPECT_FALSE(closed);
    kept = Gate::Pass();
    EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace lineshaft
