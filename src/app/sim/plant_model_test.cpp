#include "app/sim/plant_model.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

using namespace lineshaft;
using namespace lineshaft::sim;

namespace {

/// The first time at which `is` holds, within `within`.
std::optional<Duration> first_time(PlantModel& plant, Duration within,
                                   const std::function<bool(const PlantModel&)>& is) {
    const Duration end = plant.elapsed() + within;
    while (plant.elapsed() < end) {
        plant.advance(PlantModel::step);
        if (is(plant)) return plant.elapsed();
    }
    return std::nullopt;
}

bool vibrates(const PlantModel& p) { return p.conveyor().vibration_mm_s > 7.1; }
bool bowl_is_low(const PlantModel& p) { return p.filler().bowl_level_pct < 20; }
bool torque_is_high(const PlantModel& p) { return p.capper().torque_nm > 2.6; }
bool motor_is_hot(const PlantModel& p) { return p.filler().motor.temperature_c > 80; }

}  // namespace

TEST(PlantModel, TheSameSeedGivesTheSamePlant) {
    PlantModel a(7), b(7), other(8);
    for (int i = 0; i < 600; ++i) {
        a.advance(100ms);
        other.advance(100ms);
    }
    for (int i = 0; i < 300; ++i) b.advance(200ms);
    EXPECT_EQ(a.conveyor().vibration_mm_s, b.conveyor().vibration_mm_s);
    EXPECT_EQ(a.energy().energy_kwh, b.energy().energy_kwh);
    EXPECT_NE(a.conveyor().vibration_mm_s, other.conveyor().vibration_mm_s);
}

TEST(PlantModel, RunsWithinSeconds) {
    PlantModel plant(1);
    plant.advance(15s);
    EXPECT_EQ(plant.filler().state, PackState::Execute);
    EXPECT_EQ(plant.capper().state, PackState::Execute);
    EXPECT_NEAR(plant.filler().speed_bpm, 200, 5);
    EXPECT_LT(plant.conveyor().vibration_mm_s, 4);
    EXPECT_NEAR(plant.filler().bowl_level_pct, 70, 5);
    EXPECT_NEAR(plant.energy().voltage_v, 400, 5);
}

TEST(PlantModel, EveryFaultComesBeforeTwoMinutesHaveGoneByOrJustAfterAndComesAgain) {
    for (const std::uint64_t seed : {1, 2, 3, 99}) {
        for (const auto& fault : {vibrates, bowl_is_low, torque_is_high}) {
            PlantModel plant(seed);
            EXPECT_FALSE(fault(plant));
            EXPECT_LT(first_time(plant, 600s, fault).value_or(1h), 120s);
        }
        PlantModel plant(seed);
        EXPECT_LT(first_time(plant, 600s, motor_is_hot).value_or(1h), 150s);
        EXPECT_TRUE(first_time(plant, 60s, std::not_fn(motor_is_hot)));
        EXPECT_LT(first_time(plant, 600s, vibrates).value_or(1h), PlantModel::story + 120s);
        EXPECT_TRUE(first_time(plant, 60s, std::not_fn(vibrates)));
    }
}

TEST(PlantModel, RecoversAfterEachStory) {
    PlantModel plant(5);
    for (int story = 1; story <= 5; ++story) {
        plant.advance(PlantModel::story);
        EXPECT_EQ(plant.filler().state, PackState::Execute) << story;
        EXPECT_EQ(plant.capper().state, PackState::Execute) << story;
        EXPECT_FALSE(vibrates(plant) || bowl_is_low(plant) || torque_is_high(plant) || motor_is_hot(plant)) << story;
    }
}

TEST(PlantModel, BottlesAreNeitherMadeNorLost) {
    PlantModel plant(3);
    const double at_start = plant.conveyor().queue;
    for (int i = 0; i < 100; ++i) {
        plant.advance(7s);
        const double in = at_start + plant.filler().produced;
        const double out = plant.capper().produced + plant.capper().rejected + plant.conveyor().queue;
        EXPECT_NEAR(in, out, 1.5);
        EXPECT_LE(plant.conveyor().queue, 130);
        EXPECT_GE(plant.conveyor().queue, 0);
    }
    EXPECT_GT(plant.capper().produced, 1000U);
    EXPECT_GT(plant.filler().rejected + plant.capper().rejected, 5U);
}

TEST(PlantModel, EnergyIsPowerOverTime) {
    PlantModel plant(3);
    double sum_kwh = 0;
    for (int i = 0; i < 6000; ++i) {
        plant.advance(100ms);
        sum_kwh += plant.energy().power_kw * 0.1 / 3600;
    }
    EXPECT_NEAR(plant.energy().energy_kwh, sum_kwh, 1e-9);
    EXPECT_GT(plant.energy().power_kw, 3);
}

TEST(PlantModel, SetpointsActOnTheLine) {
    PlantModel plant(1);
    plant.setpoints().speed_bpm = 120;
    plant.setpoints().cap_torque_nm = 9;
    plant.advance(15s);
    EXPECT_NEAR(plant.filler().speed_bpm, 120, 5);
    EXPECT_EQ(plant.setpoints().cap_torque_nm, 4);
    EXPECT_NEAR(plant.capper().torque_nm, 4, 0.3);
    plant.setpoints().filler_enabled = false;
    plant.advance(15s);
    EXPECT_EQ(plant.filler().state, PackState::Stopped);
    EXPECT_EQ(plant.filler().speed_bpm, 0);
    plant.advance(60s);
    EXPECT_EQ(plant.capper().state, PackState::Suspended);  // Starved.
    plant.setpoints().filler_enabled = true;
    plant.setpoints().capper_enabled = false;
    EXPECT_TRUE(first_time(
        plant, 200s, [](const PlantModel& p) { return p.filler().state == PackState::Suspended; }));  // Blocked.
}
