#include "app/sim/plant_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lineshaft::sim {
namespace {

constexpr double bowl_l = 60;
constexpr double queue_max = 120;
constexpr double trip_temperature_c = 95;

/// Moves `value` towards `target` with the time constant `tau_s`.
void approach(double& value, double target, double tau_s, double dt) {
    value += (target - value) * (1 - std::exp(-dt / tau_s));
}

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

}  // namespace

std::string_view to_text(PackState state) {
    static constexpr std::string_view names[] = {"Undefined", "Clearing",   "Stopped",   "Starting",   "Idle",
                                                 "Suspended", "Execute",    "Stopping",  "Aborting",   "Aborted",
                                                 "Holding",   "Held",       "Unholding", "Suspending", "Unsuspending",
                                                 "Resetting", "Completing", "Complete"};
    return names[static_cast<std::size_t>(state)];
}

PlantModel::PlantModel(std::uint64_t seed) : random_(seed) {
    filler_.motor.temperature_c = 48;
    capper_.motor.temperature_c = 44;
    conveyor_.bearing_temperature_c = 38;
    conveyor_.queue = 40;
}

void PlantModel::advance(Duration by) {
    rest_ += by;
    for (; rest_ >= step; rest_ -= step) take_step();
}

void PlantModel::take_step() {
    const double dt = seconds(step);
    setpoints_.speed_bpm = std::clamp(setpoints_.speed_bpm, 60.0, 300.0);
    setpoints_.fill_volume_ml = std::clamp(setpoints_.fill_volume_ml, 100.0, 1000.0);
    setpoints_.cap_torque_nm = std::clamp(setpoints_.cap_torque_nm, 0.5, 4.0);
    step_environment();
    step_filler(dt);
    step_conveyor(dt);
    step_capper(dt);
    step_energy(dt);
    elapsed_ += step;
}

double PlantModel::chapter(Duration from, Duration to) const {
    const Duration now = elapsed_ % story;
    if (now < from || now >= to) return 0;
    return std::max(1e-6, seconds(now - from) / seconds(to - from));
}

double PlantModel::noise(double amplitude) {
    // The sum of three is close enough to a bell curve.
    return amplitude * (random_.unit() + random_.unit() + random_.unit() - 1.5);
}

void PlantModel::step_filler(double dt) {
    const bool is_cooled = chapter(115s, 160s) == 0;
    const bool is_supplied = chapter(65s, 95s) == 0;
    Filler& f = filler_;
    if (f.motor.temperature_c > trip_temperature_c && f.state == PackState::Execute) {
        f.state = PackState::Aborted;
    } else if (f.state == PackState::Aborted) {
        // The fan runs again and the motor has cooled down: somebody clears the fault.
        if (is_cooled && f.motor.temperature_c < 70) f.state = PackState::Clearing;
    } else if (!setpoints_.filler_enabled) {
        f.state = PackState::Stopped;
    } else if (f.bowl_level_pct < 5 || conveyor_.queue >= queue_max) {
        f.state = PackState::Suspended;
    } else if (f.state == PackState::Suspended) {
        if (f.bowl_level_pct > 25 && conveyor_.queue < queue_max * 0.7) f.state = PackState::Execute;
    } else if (f.state != PackState::Execute) {
        f.state = f.state == PackState::Idle       ? PackState::Starting
                  : f.state == PackState::Starting ? PackState::Execute
                                                   : PackState::Idle;
    }

    const double target = f.state == PackState::Execute ? setpoints_.speed_bpm + noise(1.5) : 0;
    approach(f.speed_bpm, target, 2.5, dt);
    if (f.speed_bpm < 0.5) f.speed_bpm = 0;
    // A low bowl fills short: less head above the valve.
    const double head = std::min(1.0, 0.9 + f.bowl_level_pct / 200);
    approach(f.fill_volume_ml, setpoints_.fill_volume_ml * head + noise(1.2), 1.0, dt);
    f.flow_l_min = f.speed_bpm * f.fill_volume_ml / 1000;
    const double inflow_l_min = is_supplied ? std::clamp(f.flow_l_min + (70 - f.bowl_level_pct) * 4, 0.0, 180.0) : 0;
    f.bowl_level_pct =
        std::clamp(f.bowl_level_pct + (inflow_l_min - f.flow_l_min) / 60 * dt / bowl_l * 100, 0.0, 100.0);
    approach(f.supply_pressure_bar, is_supplied ? 3.0 - inflow_l_min / 400 + noise(0.03) : 0.2, 1.5, dt);
    approach(f.product_temperature_c,
             8 + (environment_.temperature_c - 22) * 0.1 + (f.flow_l_min < 5 ? 2 : 0) + noise(0.05), 30, dt);

    const double bottles = f.speed_bpm / 60 * dt;
    const double before = std::floor(filled_);
    filled_ += bottles;
    const auto whole = static_cast<std::uint32_t>(std::floor(filled_) - before);
    for (std::uint32_t i = 0; i < whole; ++i) {
        const bool is_short = f.fill_volume_ml < setpoints_.fill_volume_ml * 0.96;
        const bool bad = random_.unit() < (is_short ? 0.4 : 0.002);
        (bad ? f.rejected : f.produced) += 1;
        if (!bad) conveyor_.queue += 1;
    }
    step_motor(f.motor, f.speed_bpm / 240, 14, is_cooled, dt);
}

void PlantModel::step_conveyor(double dt) {
    const double wear = chapter(20s, 60s);
    Conveyor& c = conveyor_;
    approach(c.speed_m_s, 0.12 + std::max(filler_.speed_bpm, capper_.speed_bpm) / 60 * 0.11, 1.5, dt);
    // A damaged bearing gets worse faster and faster.
    const double damage = wear > 0 ? 9.5 * (std::exp(3 * wear) - 1) / (std::exp(3.0) - 1) : 0;
    const double target = 0.5 + 2.2 * c.speed_m_s + damage;
    approach(c.vibration_mm_s, std::max(0.1, target + noise(0.35)), 0.6, dt);
    approach(c.bearing_temperature_c, environment_.temperature_c + 14 * c.speed_m_s / 0.5 + 3.2 * damage, 25, dt);
}

void PlantModel::step_capper(double dt) {
    const double worn = chapter(90s, 115s);
    Capper& c = capper_;
    if (!setpoints_.capper_enabled) {
        c.state = PackState::Stopped;
    } else if (conveyor_.queue < 2 || c.hopper_level_pct < 2) {
        c.state = PackState::Suspended;
    } else if (c.state == PackState::Suspended) {
        if (conveyor_.queue > 15 && c.hopper_level_pct > 10) c.state = PackState::Execute;
    } else if (c.state != PackState::Execute) {
        c.state = c.state == PackState::Idle       ? PackState::Starting
                  : c.state == PackState::Starting ? PackState::Execute
                                                   : PackState::Idle;
    }

    // It runs a little faster when bottles pile up and slower when they get few.
    const double pull = std::clamp(0.8 + conveyor_.queue / 200, 0.8, 1.15);
    const double target = c.state == PackState::Execute ? setpoints_.speed_bpm * pull + noise(1.5) : 0;
    approach(c.speed_bpm, target, 2.0, dt);
    if (c.speed_bpm < 0.5) c.speed_bpm = 0;
    const double torque =
        c.speed_bpm > 5 ? setpoints_.cap_torque_nm + 1.5 * std::min(1.0, worn * 2) + noise(0.06) : 0;
    approach(c.torque_nm, torque, 0.8, dt);

    const double bottles = std::min(conveyor_.queue, c.speed_bpm / 60 * dt);
    const double before = std::floor(capped_);
    capped_ += bottles;
    conveyor_.queue -= bottles;
    const auto whole = static_cast<std::uint32_t>(std::floor(capped_) - before);
    for (std::uint32_t i = 0; i < whole; ++i) {
        const bool bad = random_.unit() < (worn > 0.3 ? 0.25 : 0.003);
        (bad ? c.rejected : c.produced) += 1;
    }
    // 4,000 caps fill the hopper; somebody refills it in time.
    c.hopper_level_pct -= bottles / 40;
    if (c.hopper_level_pct < 20) c.hopper_level_pct = 95;
    step_motor(c.motor, c.speed_bpm / 260 * (1 + 0.3 * worn), 6, true, dt);
}

void PlantModel::step_motor(Motor& motor, double load, double rated_a, bool is_cooled, double dt) {
    motor.load = load;
    motor.current_a = std::max(0.0, rated_a * (0.25 + 0.75 * load) * (load > 0.01 ? 1 : 0.05) + noise(0.15));
    // Without its fan a motor loses a third of the heat only.
    const double rise = 45 * load * load * (is_cooled ? 1 : 3.4);
    approach(motor.temperature_c, environment_.temperature_c + rise, is_cooled ? 30 : 38, dt);
}

void PlantModel::step_energy(double dt) {
    const double base_kw = 3.2;
    const double motors_kw = 0.55 * filler_.motor.current_a + 0.55 * capper_.motor.current_a;
    const double target =
        base_kw + motors_kw + 2.4 * conveyor_.speed_m_s + 0.08 * std::max(0.0, conveyor_.vibration_mm_s - 2);
    approach(energy_.power_kw, target + noise(0.1), 0.5, dt);
    energy_.energy_kwh += energy_.power_kw * dt / 3600;
    approach(energy_.voltage_v, 401 - energy_.power_kw * 0.12 + noise(1.2), 0.5, dt);
    energy_.power_factor = std::clamp(0.8 + energy_.power_kw * 0.004, 0.8, 0.93);
    energy_.current_a = energy_.power_kw * 1000 / (std::numbers::sqrt3 * energy_.voltage_v * energy_.power_factor);
}

void PlantModel::step_environment() {
    const double hours = seconds(elapsed_) / 3600;
    environment_.temperature_c = 22 + 1.5 * std::sin(hours * 2 * std::numbers::pi / 2) + noise(0.02);
    environment_.humidity_pct = 45 - 5 * std::sin(hours * 2 * std::numbers::pi / 2) + noise(0.1);
}

}  // namespace lineshaft::sim
