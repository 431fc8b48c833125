/// A reading's value, quality and time as its tag wants them. Pure.
#pragma once

#include "model/reading.h"
#include "normalise/internal/slot.h"
#include "normalise/internal/tally.h"

namespace lineshaft::normalise {

/// A value on its way into a batch. `text` may point into `owned`.
struct Converted {
    ValueType type = ValueType::Double;
    std::uint64_t bits = 0;
    std::string_view text;
    Quality quality;
    Why why = Why::Kept;  // Type, when it did not fit; NotFinite.
    std::string owned;
};

/// The device says that it has no value: a Bad reading of NaN.
bool is_without_value(const Reading& reading);

/// `reading` with the type, scale, offset and range of `slot`.
void convert(const Reading& reading, const Slot& slot, Converted& out);

/// The worse of two; the first when both are alike.
Quality worse(Quality a, Quality b);

/// When a sample was so: the source's time if it can be right; a time that is none of this age becomes that of receipt,
/// unless the rule accepts all.
struct SaneTime {
    UtcTime time;
    Why why = Why::Kept;  // Future, Past or Time, when it is not believed.
};
SaneTime sane_time(UtcTime source_time, UtcTime receive_time, const TimeRule& rule);

/// `receive_time` in whole milliseconds: what lies below is chance, and would cost more to keep than the values.
UtcTime whole_milliseconds(UtcTime receive_time);

/// The time of a sample that brought none of its own: that of receipt, or the next microsecond after the last such one
/// of its tag, because two samples of a tag at one time are one sample. A clock that was set back is followed.
UtcTime time_of_receipt(Slot& slot, UtcTime receive_time);

}  // namespace lineshaft::normalise
