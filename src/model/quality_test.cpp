#include "model/quality.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

TEST(Quality, TheTopTwoBitsSayGoodUncertainOrBad) {
    EXPECT_TRUE(Quality().is_good());
    EXPECT_TRUE(Quality(0x3FFFFFFF).is_good());
    EXPECT_TRUE(Quality::uncertain_range.is_uncertain());
    EXPECT_TRUE(Quality::bad_no_communication.is_bad());
    EXPECT_TRUE(Quality(0xC0000000).is_bad());  // Reserved by OPC UA: never good.
}

TEST(Quality, EveryNameIsReadBackInAnyCase) {
    for (const Quality quality :
         {Quality::good, Quality::uncertain, Quality::uncertain_last_usable, Quality::uncertain_range, Quality::bad,
          Quality::bad_no_communication, Quality::bad_device_failure, Quality::bad_sensor_failure,
          Quality::bad_out_of_service, Quality::bad_configuration, Quality::bad_type_mismatch}) {
        EXPECT_EQ(quality_from_text(to_text(quality)), quality);
    }
    EXPECT_EQ(quality_from_text("bADnoCommunication"), Quality::bad_no_communication);
    EXPECT_EQ(quality_from_text("stale"), Quality::uncertain_last_usable);
    EXPECT_EQ(quality_from_text("whatever"), Quality::bad);
    EXPECT_EQ(quality_from_text(""), Quality::bad);
}

TEST(Quality, CodesWithoutANameAreShownByTheirClass) {
    EXPECT_EQ(to_text(Quality(0x00A30000)), "Good");
    EXPECT_EQ(to_text(Quality(0x40990000)), "Uncertain");
    EXPECT_EQ(to_text(Quality(0x80990000)), "Bad");
}

TEST(Quality, NumbersAreOpcUaCodesOrTheClassicOnes) {
    EXPECT_EQ(quality_from_number(0), Quality::good);
    EXPECT_EQ(quality_from_number(192), Quality::good);
    EXPECT_EQ(quality_from_number(64), Quality::uncertain);
    EXPECT_EQ(quality_from_number(500), Quality::uncertain_last_usable);
    EXPECT_EQ(quality_from_number(0x80310000), Quality::bad_no_communication);
    for (const std::int64_t number : {std::int64_t{1}, std::int64_t{-1}, std::int64_t{1} << 32, INT64_MIN}) {
        EXPECT_EQ(quality_from_number(number), Quality::bad) << number;
    }
}

}  // namespace
}  // namespace lineshaft
