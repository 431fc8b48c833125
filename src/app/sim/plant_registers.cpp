#include "app/sim/plant_registers.h"

#include <functional>
#include <span>

#include <fmt/format.h>

#include "south/modbus/register_value.h"

namespace lineshaft::sim {
namespace {

using modbus::Register;
using modbus::RegisterType;
using modbus::Table;

/// A register with where its value comes from and, for setpoints, where it goes.
struct Point {
    Register reg;
    std::function<Value(const PlantModel&)> get;
    std::function<void(PlantModel&, double)> set;
};

Register input(std::string name, std::uint16_t address, RegisterType type, double scale, std::string unit) {
    return {.name = std::move(name),
            .table = Table::Input,
            .address = address,
            .type = type,
            .scale = scale,
            .unit = std::move(unit)};
}
Register setpoint(std::string name, std::uint16_t address, double scale, std::string unit) {
    return {.name = std::move(name),
            .table = Table::Holding,
            .address = address,
            .type = RegisterType::UInt16,
            .scale = scale,
            .unit = std::move(unit),
            .writable = true};
}
Register bit(std::string name, Table table, std::uint16_t address) {
    return {.name = std::move(name),
            .table = table,
            .address = address,
            .type = RegisterType::Bool,
            .writable = table == Table::Coil};
}

std::int64_t number_of(PackState state) { return static_cast<std::int64_t>(state); }

const std::vector<Point>& filler_points() {
    using P = const PlantModel&;
    static const std::vector<Point> points{
        {input("state", 0, RegisterType::UInt16, 1, ""),
         [](P p) -> Value { return number_of(p.filler().state); },
         {}},
        {input("speed", 1, RegisterType::UInt16, 0.1, "/min"), [](P p) -> Value { return p.filler().speed_bpm; }, {}},
        {input("bowl_level", 2, RegisterType::UInt16, 0.1, "%"),
         [](P p) -> Value { return p.filler().bowl_level_pct; },
         {}},
        {input("fill_volume", 3, RegisterType::UInt16, 0.1, "mL"),
         [](P p) -> Value { return p.filler().fill_volume_ml; },
         {}},
        {input("product_temperature", 4, RegisterType::Int16, 0.1, "Cel"),
         [](P p) -> Value { return p.filler().product_temperature_c; },
         {}},
        {input("supply_pressure", 5, RegisterType::UInt16, 0.01, "bar"),
         [](P p) -> Value { return p.filler().supply_pressure_bar; },
         {}},
        {input("motor_current", 6, RegisterType::UInt16, 0.01, "A"),
         [](P p) -> Value { return p.filler().motor.current_a; },
         {}},
        {input("motor_temperature", 7, RegisterType::Int16, 0.1, "Cel"),
         [](P p) -> Value { return p.filler().motor.temperature_c; },
         {}},
        {input("produced", 8, RegisterType::UInt32, 1, ""),
         [](P p) -> Value { return std::int64_t{p.filler().produced}; },
         {}},
        {input("rejected", 10, RegisterType::UInt32, 1, ""),
         [](P p) -> Value { return std::int64_t{p.filler().rejected}; },
         {}},
        {input("flow", 12, RegisterType::Float32, 1, "L/min"),
         [](P p) -> Value { return p.filler().flow_l_min; },
         {}},
        {setpoint("speed_setpoint", 0, 1, "/min"), [](P p) -> Value { return p.setpoints().speed_bpm; },
         [](PlantModel& p, double v) { p.setpoints().speed_bpm = v; }},
        {setpoint("fill_volume_setpoint", 1, 1, "mL"), [](P p) -> Value { return p.setpoints().fill_volume_ml; },
         [](PlantModel& p, double v) { p.setpoints().fill_volume_ml = v; }},
        {bit("enabled", Table::Coil, 0), [](P p) -> Value { return p.setpoints().filler_enabled; },
         [](PlantModel& p, double v) { p.setpoints().filler_enabled = v != 0; }},
        {bit("running", Table::Discrete, 0), [](P p) -> Value { return p.filler().state == PackState::Execute; }, {}},
        {bit("supply_ok", Table::Discrete, 1), [](P p) -> Value { return p.filler().supply_pressure_bar > 1; }, {}},
    };
    return points;
}

const std::vector<Point>& capper_points() {
    using P = const PlantModel&;
    static const std::vector<Point> points{
        {input("state", 0, RegisterType::UInt16, 1, ""),
         [](P p) -> Value { return number_of(p.capper().state); },
         {}},
        {input("speed", 1, RegisterType::UInt16, 0.1, "/min"), [](P p) -> Value { return p.capper().speed_bpm; }, {}},
        {input("torque", 2, RegisterType::UInt16, 0.01, "N.m"),
         [](P p) -> Value { return p.capper().torque_nm; },
         {}},
        {input("motor_temperature", 3, RegisterType::Int16, 0.1, "Cel"),
         [](P p) -> Value { return p.capper().motor.temperature_c; },
         {}},
        {input("motor_current", 4, RegisterType::UInt16, 0.01, "A"),
         [](P p) -> Value { return p.capper().motor.current_a; },
         {}},
        {input("hopper_level", 5, RegisterType::UInt16, 0.1, "%"),
         [](P p) -> Value { return p.capper().hopper_level_pct; },
         {}},
        {input("produced", 6, RegisterType::UInt32, 1, ""),
         [](P p) -> Value { return std::int64_t{p.capper().produced}; },
         {}},
        {input("rejected", 8, RegisterType::UInt32, 1, ""),
         [](P p) -> Value { return std::int64_t{p.capper().rejected}; },
         {}},
        {input("infeed_queue", 10, RegisterType::UInt16, 1, ""),
         [](P p) -> Value { return static_cast<std::int64_t>(p.conveyor().queue); },
         {}},
        {setpoint("torque_setpoint", 0, 0.01, "N.m"), [](P p) -> Value { return p.setpoints().cap_torque_nm; },
         [](PlantModel& p, double v) { p.setpoints().cap_torque_nm = v; }},
        {bit("enabled", Table::Coil, 0), [](P p) -> Value { return p.setpoints().capper_enabled; },
         [](PlantModel& p, double v) { p.setpoints().capper_enabled = v != 0; }},
        {bit("running", Table::Discrete, 0), [](P p) -> Value { return p.capper().state == PackState::Execute; }, {}},
    };
    return points;
}

const std::vector<Point>& points_of(Plc plc) { return plc == Plc::Filler ? filler_points() : capper_points(); }

std::vector<std::uint8_t>& bits_of(RegisterBank& bank, Table table) {
    return table == Table::Coil ? bank.coils : bank.discrete;
}
std::vector<std::uint16_t>& words_of_table(RegisterBank& bank, Table table) {
    return table == Table::Holding ? bank.holding : bank.input;
}

void put(const Point& point, const PlantModel& plant, RegisterBank& bank) {
    const auto words = modbus::encode_value(point.reg, point.get(plant));
    if (!words) return;  // Beyond the range of its register; the last value stays.
    if (modbus::is_bit_table(point.reg.table)) {
        bits_of(bank, point.reg.table)[point.reg.address] = (*words)[0] != 0;
    } else {
        std::ranges::copy(*words, words_of_table(bank, point.reg.table).begin() + point.reg.address);
    }
}

}  // namespace

RegisterBank make_bank(Plc plc, const PlantModel& plant) {
    RegisterBank bank;
    // A few spare addresses, as real devices have them.
    bank.coils.resize(8);
    bank.discrete.resize(8);
    bank.holding.resize(16);
    bank.input.resize(32);
    for (const Point& point : points_of(plc)) put(point, plant, bank);
    return bank;
}

void to_bank(Plc plc, const PlantModel& plant, RegisterBank& bank) {
    for (const Point& point : points_of(plc)) put(point, plant, bank);
}

void from_bank(Plc plc, const RegisterBank& bank, PlantModel& plant) {
    for (const Point& point : points_of(plc)) {
        if (!point.set) continue;
        const Register& reg = point.reg;
        if (reg.table == Table::Coil) {
            point.set(plant, bank.coils[reg.address]);
        } else {
            const std::span words(bank.holding.data() + reg.address, modbus::words_of(reg.type));
            point.set(plant, to_double(modbus::decode_value(reg, words)));
        }
    }
}

std::string plc_device_name(Plc plc, std::string_view root) {
    return fmt::format("{}/{}/PLC", root, plc == Plc::Filler ? "Filler" : "Capper");
}

modbus::DeviceSettings plc_settings(Plc plc, const Endpoint& address) {
    modbus::DeviceSettings settings{.address = address};
    for (const Point& point : points_of(plc)) settings.registers.push_back(point.reg);
    return settings;
}

std::vector<SuggestedAlarm> suggested_alarms(std::string_view root) {
    const auto path = [&](std::string_view below) { return fmt::format("{}/{}", root, below); };
    return {
        {path("Conveyor/vibration"), "Conveyor bearing vibration", LimitKind::High, 4.5, 0.5, 2s, Priority::Medium,
         "The bearing wears and will seize.", "Plan a bearing change at the next stop."},
        {path("Conveyor/vibration"), "Conveyor bearing vibration", LimitKind::HighHigh, 7.1, 0.5, 2s, Priority::High,
         "The bearing may seize within hours and stop the line.", "Stop the conveyor and change the bearing."},
        {path("Filler/PLC/bowl_level"), "Filler bowl level", LimitKind::Low, 30, 3, 1s, Priority::Medium,
         "Bottles are filled short and rejected.", "Check the product supply valve."},
        {path("Filler/PLC/bowl_level"), "Filler bowl level", LimitKind::LowLow, 15, 3, 1s, Priority::High,
         "The filler stops; the line starves.", "Open the product supply or stop the line."},
        {path("Filler/PLC/motor_temperature"), "Filler motor temperature", LimitKind::High, 75, 3, 1s, Priority::High,
         "The motor trips at 95 degrees.", "Check the motor's fan; reduce the speed."},
        {path("Capper/PLC/torque"), "Capper torque", LimitKind::High, 2.6, 0.2, 2s, Priority::Medium,
         "Caps are damaged and bottles rejected.", "Check the chuck and the torque setpoint."},
    };
}

}  // namespace lineshaft::sim
