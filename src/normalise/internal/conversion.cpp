#include "normalise/internal/conversion.h"

#include <bit>
#include <cmath>

namespace lineshaft::normalise {
namespace {

constexpr UtcTime earliest{31'536'000'000'000'000};   // 1971-01-01: before it, a clock that was never set.
constexpr UtcTime latest{7'258'118'400'000'000'000};  // 2200-01-01: beyond it, a wrong unit.

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

void without_value(Quality quality, Converted& out) {
    out.type = ValueType::Double;
    out.bits = bits_of(std::numeric_limits<double>::quiet_NaN());
    out.quality = quality;
}

double number_of(const Reading& reading) {
    switch (reading.type) {
        case ValueType::Bool: return reading.bits ? 1 : 0;
        case ValueType::Int: return static_cast<double>(std::bit_cast<std::int64_t>(reading.bits));
        case ValueType::Double: return std::bit_cast<double>(reading.bits);
        case ValueType::String: break;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

Value value_of(const Reading& reading) {
    switch (reading.type) {
        case ValueType::Bool: return reading.bits != 0;
        case ValueType::Int: return std::bit_cast<std::int64_t>(reading.bits);
        case ValueType::Double: return std::bit_cast<double>(reading.bits);
        case ValueType::String: break;
    }
    return std::string(reading.text);
}

/// The rare ways: text to number, number to text, truth to number.
bool convert_slowly(const Reading& reading, ValueType type, Converted& out) {
    auto converted = lineshaft::convert(value_of(reading), type);
    if (!converted) return false;
    out.type = type;
    if (auto* text = std::get_if<std::string>(&*converted)) {
        out.owned = std::move(*text);
        out.text = out.owned;
    } else if (const auto* real = std::get_if<double>(&*converted)) {
        out.bits = bits_of(*real);
    } else if (const auto* whole = std::get_if<std::int64_t>(&*converted)) {
        out.bits = std::bit_cast<std::uint64_t>(*whole);
    } else {
        out.bits = std::get<bool>(*converted) ? 1 : 0;
    }
    return true;
}

/// Scale, offset and range, for numbers.
void to_engineering_value(const Slot& slot, Converted& out) {
    const bool is_real = out.type == ValueType::Double;
    double value =
        is_real ? std::bit_cast<double>(out.bits) : static_cast<double>(std::bit_cast<std::int64_t>(out.bits));
    if (slot.scale != 1 || slot.offset != 0) {
        value = value * slot.scale + slot.offset;
        if (is_real) {
            out.bits = bits_of(value);
        } else if (std::abs(value) < 9.2e18) {
            out.bits = std::bit_cast<std::uint64_t>(static_cast<std::int64_t>(std::llround(value)));
        } else {
            out.why = Why::Type;
            return without_value(Quality::bad_type_mismatch, out);
        }
    }
    if (value < slot.low || value > slot.high) out.quality = worse(out.quality, Quality::uncertain_range);
}

}  // namespace

bool is_without_value(const Reading& reading) {
    return reading.quality.is_bad() && reading.type == ValueType::Double &&
           std::isnan(std::bit_cast<double>(reading.bits));
}

void convert(const Reading& reading, const Slot& slot, Converted& out) {
    out.quality = reading.quality;
    out.why = Why::Kept;
    out.type = slot.type;
    if (is_without_value(reading)) return without_value(reading.quality, out);
    if (reading.type == slot.type) {
        out.bits = reading.bits;
        out.text = reading.text;
    } else if (slot.type == ValueType::Double && reading.type != ValueType::String) {
        out.bits = bits_of(number_of(reading));
    } else if (!convert_slowly(reading, slot.type, out)) {
        // Kept as it is: what the device said must not be lost because the tag was described otherwise.
        out.why = Why::Type;
        out.type = reading.type;
        out.bits = reading.bits;
        out.text = reading.text;
        out.quality = worse(reading.quality, Quality::bad_type_mismatch);
        return;
    }
    if (out.type == ValueType::Double || out.type == ValueType::Int) to_engineering_value(slot, out);
    if (out.type == ValueType::Double && !std::isfinite(std::bit_cast<double>(out.bits))) {
        // The bits stay; Bad keeps it out of every sum.
        if (!out.quality.is_bad()) out.why = Why::NotFinite;
        out.quality = worse(out.quality, Quality::bad);
    }
}

Quality worse(Quality a, Quality b) { return b.code() >> 30 > a.code() >> 30 ? b : a; }

SaneTime sane_time(UtcTime source_time, UtcTime receive_time, const TimeRule& rule) {
    if (source_time.is_none()) return {receive_time};
    if (source_time < earliest || source_time >= latest)
        return {rule.outside == OutsideTime::Accept ? source_time : receive_time, Why::Time};
    if (source_time > receive_time && source_time - receive_time > rule.future_max) return {source_time, Why::Future};
    if (rule.past_max && source_time < receive_time && receive_time - source_time > *rule.past_max)
        return {source_time, Why::Past};
    return {source_time};
}

UtcTime whole_milliseconds(UtcTime receive_time) {
    constexpr std::int64_t millisecond = 1'000'000;
    return UtcTime(receive_time.ns() - receive_time.ns() % millisecond);
}

UtcTime time_of_receipt(Slot& slot, UtcTime receive_time) {
    // How far a burst may run ahead of the clock: a million samples a second of one tag for so long.
    constexpr Duration burst_max = 1s;
    const bool is_taken = receive_time <= slot.last_receipt && slot.last_receipt - receive_time < burst_max;
    slot.last_receipt = is_taken ? slot.last_receipt + 1us : receive_time;
    return slot.last_receipt;
}

}  // namespace lineshaft::normalise
