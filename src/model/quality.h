/// Quality of a sample: an OPC UA status code (OPC 10000-4 §7.39), from adapter to chart.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace lineshaft {

/// The top two bits say good, uncertain or bad; the rest says why. The number is OPC UA's and is kept whole.
class Quality {
public:
    constexpr Quality() = default;  // Good.
    constexpr explicit Quality(std::uint32_t code) : code_(code) {}
    constexpr std::uint32_t code() const { return code_; }
    constexpr bool is_good() const { return (code_ >> 30) == 0; }
    constexpr bool is_uncertain() const { return (code_ >> 30) == 1; }
    constexpr bool is_bad() const { return (code_ >> 30) >= 2; }
    friend constexpr auto operator<=>(Quality, Quality) = default;

    static const Quality good;
    static const Quality uncertain;
    static const Quality uncertain_last_usable;  // Kept although nothing new came.
    static const Quality uncertain_range;        // Outside the tag's engineering range.
    static const Quality bad;
    static const Quality bad_no_communication;  // The device does not answer.
    static const Quality bad_device_failure;    // The device says so (Modbus exception 4, …).
    static const Quality bad_sensor_failure;
    static const Quality bad_out_of_service;
    static const Quality bad_configuration;  // Wrong address or type.
    static const Quality bad_type_mismatch;

private:
    std::uint32_t code_ = 0;
};

inline constexpr Quality Quality::good{0x00000000};
inline constexpr Quality Quality::uncertain{0x40000000};
inline constexpr Quality Quality::uncertain_last_usable{0x40900000};
inline constexpr Quality Quality::uncertain_range{0x40940000};
inline constexpr Quality Quality::bad{0x80000000};
inline constexpr Quality Quality::bad_no_communication{0x80310000};
inline constexpr Quality Quality::bad_device_failure{0x808B0000};
inline constexpr Quality Quality::bad_sensor_failure{0x808C0000};
inline constexpr Quality Quality::bad_out_of_service{0x808D0000};
inline constexpr Quality Quality::bad_configuration{0x80890000};
inline constexpr Quality Quality::bad_type_mismatch{0x80740000};

/// "Good", "BadNoCommunication", … ; "Good", "Uncertain" or "Bad" for codes without a name here.
std::string_view to_text(Quality quality);

/// From a name as above (any case) or one of good, uncertain, bad, stale. Unknown names are Bad.
Quality quality_from_text(std::string_view text);

/// From a number: an OPC UA status code (0 is Good) or 192 (good), 64 (uncertain), 500 (stale); other small
/// ones are Bad.
Quality quality_from_number(std::int64_t number);

}  // namespace lineshaft
