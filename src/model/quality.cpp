#include "model/quality.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace lineshaft {
namespace {

constexpr std::array<std::pair<Quality, std::string_view>, 11> names{{
    {Quality::good, "Good"},
    {Quality::uncertain, "Uncertain"},
    {Quality::uncertain_last_usable, "UncertainLastUsableValue"},
    {Quality::uncertain_range, "UncertainEngineeringUnitsExceeded"},
    {Quality::bad, "Bad"},
    {Quality::bad_no_communication, "BadNoCommunication"},
    {Quality::bad_device_failure, "BadDeviceFailure"},
    {Quality::bad_sensor_failure, "BadSensorFailure"},
    {Quality::bad_out_of_service, "BadOutOfService"},
    {Quality::bad_configuration, "BadConfigurationError"},
    {Quality::bad_type_mismatch, "BadTypeMismatch"},
}};

bool same(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view to_text(Quality quality) {
    for (const auto& [code, name] : names) {
        if (code == quality) return name;
    }
    return quality.is_good() ? "Good" : quality.is_uncertain() ? "Uncertain" : "Bad";
}

Quality quality_from_text(std::string_view text) {
    for (const auto& [code, name] : names) {
        if (same(name, text)) return code;
    }
    return same(text, "stale") ? Quality::uncertain_last_usable : Quality::bad;
}

Quality quality_from_number(std::int64_t number) {
    switch (number) {
        case 0: return Quality::good;  // OPC UA's Good; Sparkplug's 0 is translated by its own adapter.
        case 192: return Quality::good;
        case 64: return Quality::uncertain;
        case 500: return Quality::uncertain_last_usable;
        default: break;
    }
    if (number < 0 || number > 0xFFFFFFFF) return Quality::bad;
    return number < 0x10000 ? Quality::bad : Quality(static_cast<std::uint32_t>(number));
}

}  // namespace lineshaft
