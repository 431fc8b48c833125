/// A tag as the hot path needs it, and the device it belongs to.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"

namespace lineshaft::normalise {

struct Device;

/// What a deadband remembers: the last sample kept and the last one held back.
///
///   value   •                 ──── kept
///           |  o  o  o  o     ──── held back: within the deadband of the kept one
///           |              x  ──── leaves it: the last o is kept as well, so the line bends where it did
struct Deadband {
    double width = 0;
    bool has_kept = false;
    bool has_held = false;
    UtcTime newest;  // Source time of the newest sample seen; older ones pass untouched.
    UtcTime kept_time;
    double kept_value = 0;
    Quality kept_quality;
    UtcTime held_time;
    std::uint64_t held_bits = 0;
    Quality held_quality;
};

/// What every reading needs lies in its first 64 bytes.
struct alignas(64) Slot {
    TagId tag;
    std::string address;
    ValueType type = ValueType::Double;
    bool is_plain = true;        // No scale, range or deadband: the value goes through as it is.
    bool is_registered = false;  // The registry has it.
    bool is_type_reported = false;
    bool is_unit_reported = false;
    bool is_not_finite_reported = false;
    UtcTime last_receipt;  // The last time given by time_of_receipt.

    Device* device = nullptr;
    std::size_t position = 0;  // In Device::slots.
    std::string path;
    std::string unit;
    double scale = 1;
    double offset = 0;
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    std::unique_ptr<Deadband> deadband;
};

struct Device {
    TenantId tenant;
    std::string name;
    DeviceId id;          // None until the registry has it.
    bool is_new = false;  // Counted among those that the registry does not have yet.
    bool is_ignored = false;
    bool is_time_reported = false;
    std::vector<std::unique_ptr<Slot>> slots;
    std::unordered_map<std::string_view, Slot*> by_address;  // Keys are the slots' own.
    std::size_t guess = 0;  // Devices send their values in the same order: the next one is most likely this.
};

}  // namespace lineshaft::normalise
