/// How the two PLCs of the line show themselves over Modbus, and how Lineshaft is told about them. Pure.
///
/// The register map and the memory come from one table, so they cannot disagree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/sim/modbus_server.h"
#include "app/sim/plant_model.h"
#include "model/event.h"
#include "south/modbus/register_map.h"

namespace lineshaft::sim {

enum class Plc : std::uint8_t { Filler, Capper };

/// Empty memory of the right size, setpoints as the model starts with.
RegisterBank make_bank(Plc plc, const PlantModel& plant);
/// Measurements of the model into the memory.
void to_bank(Plc plc, const PlantModel& plant, RegisterBank& bank);
/// Setpoints from the memory to the model.
void from_bank(Plc plc, const RegisterBank& bank, PlantModel& plant);

/// "…/Filler/PLC": what the device is called in Lineshaft.
std::string plc_device_name(Plc plc, std::string_view root);
/// The settings Lineshaft needs to poll it.
modbus::DeviceSettings plc_settings(Plc plc, const Endpoint& address);

/// A limit that makes sense on a tag of the line, for a demo's alarm rules.
struct SuggestedAlarm {
    std::string tag;  // Its path.
    std::string name;
    LimitKind kind = LimitKind::High;
    double threshold = 0;
    double deadband = 0;
    Duration on_delay{0};
    Priority priority = Priority::Medium;
    std::string consequence;
    std::string action;
};
std::vector<SuggestedAlarm> suggested_alarms(std::string_view root);

}  // namespace lineshaft::sim
