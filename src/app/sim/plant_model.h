/// The bottling line as physics: bottles, levels, torques, temperatures, energy. Pure: time is passed in, chance comes
/// from a seed, so two runs with the same seed and steps are the same to the last bit.
///
///   supply --> [bowl] --> filler ==conveyor, up to 120 bottles==> capper --> out
///                          | motor, fan     | bearing              | chuck
///
/// A story repeats every four minutes, so that there is always something to see:
///
///     0      20 ─────────── 60    65 ── 95     90 ─── 115      115 ─── 160            240 s
///     calm   bearing wears        supply shut   chuck worn      filler's fan stands    calm
///
/// Each chapter ends with a repair and the line recovers. Setpoints are honoured within their ranges.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "base/time.h"

namespace lineshaft::sim {

/// ANSI/ISA-TR88.00.02 states; the numbers are those of its table.
enum class PackState : std::uint8_t {
    Clearing = 1,
    Stopped = 2,
    Starting = 3,
    Idle = 4,
    Suspended = 5,
    Execute = 6,
    Stopping = 7,
    Aborting = 8,
    Aborted = 9,
    Holding = 10,
    Held = 11,
    Unholding = 12,
    Suspending = 13,
    Unsuspending = 14,
    Resetting = 15,
    Completing = 16,
    Complete = 17,
};
std::string_view to_text(PackState state);

/// What an operator may change.
struct Setpoints {
    double speed_bpm = 200;       // Bottles per minute, 60 … 300.
    double fill_volume_ml = 500;  // 100 … 1000.
    double cap_torque_nm = 1.8;   // 0.5 … 4.
    bool filler_enabled = true;
    bool capper_enabled = true;
};

struct Motor {
    double load = 0;  // 0 … 1.3.
    double current_a = 0;
    double temperature_c = 30;
};

struct Filler {
    PackState state = PackState::Idle;
    double speed_bpm = 0;
    double bowl_level_pct = 70;
    double fill_volume_ml = 500;
    double flow_l_min = 0;
    double supply_pressure_bar = 3;
    double product_temperature_c = 8;
    Motor motor;
    std::uint32_t produced = 0;
    std::uint32_t rejected = 0;
};

struct Capper {
    PackState state = PackState::Idle;
    double speed_bpm = 0;
    double torque_nm = 0;
    double hopper_level_pct = 80;
    Motor motor;
    std::uint32_t produced = 0;
    std::uint32_t rejected = 0;
};

struct Conveyor {
    double speed_m_s = 0;
    double queue = 0;           // Bottles between filler and capper.
    double vibration_mm_s = 0;  // RMS velocity of the drive bearing.
    double bearing_temperature_c = 30;
};

struct EnergyMeter {
    double power_kw = 0;
    double energy_kwh = 0;
    double voltage_v = 400;
    double current_a = 0;
    double power_factor = 0.87;
};

struct Environment {
    double temperature_c = 22;
    double humidity_pct = 45;
};

class PlantModel {
public:
    static constexpr Duration step = 100ms;
    static constexpr Duration story = 240s;

    explicit PlantModel(std::uint64_t seed);

    /// Moves the line on by `by` in steps; the rest below one step is kept for the next call.
    void advance(Duration by);

    Setpoints& setpoints() { return setpoints_; }
    const Setpoints& setpoints() const { return setpoints_; }
    const Filler& filler() const { return filler_; }
    const Capper& capper() const { return capper_; }
    const Conveyor& conveyor() const { return conveyor_; }
    const EnergyMeter& energy() const { return energy_; }
    const Environment& environment() const { return environment_; }
    Duration elapsed() const { return elapsed_; }

private:
    void take_step();
    void step_filler(double dt);
    void step_conveyor(double dt);
    void step_capper(double dt);
    void step_motor(Motor& motor, double load, double rated_a, bool is_cooled, double dt);
    void step_energy(double dt);
    void step_environment();
    /// 0 … 1: how far a chapter of the story has come; 0 outside of it.
    double chapter(Duration from, Duration to) const;
    double noise(double amplitude);

    Random random_;
    Duration elapsed_{0};
    Duration rest_{0};
    Setpoints setpoints_;
    Filler filler_;
    Capper capper_;
    Conveyor conveyor_;
    EnergyMeter energy_;
    Environment environment_;
    double filled_ = 0;  // Bottles and parts of bottles.
    double capped_ = 0;
};

}  // namespace lineshaft::sim
