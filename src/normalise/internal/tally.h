/// What went through and what did not, for the status page and /metrics.
///
/// Threads: own shard only; the counters behind /metrics are shared.
/// Limits:  refusals_kept_max, protocols_max.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "normalise/normaliser.h"

namespace lineshaft::normalise {

/// Why a reading is not kept as it was sent.
enum class Why : std::uint8_t {
    Kept,
    Ignored,     // Its device is ignored.
    InboxFull,   // No more discovered devices.
    TagsFull,    // No more discovered tags of this device.
    Name,        // Device or address cannot be a name.
    UnknownTag,  // It names a tag that does not exist.
    NoValue,     // The first thing heard of a tag is that it has no value.
    TextTooLong,
    Type,       // Kept with its own type as BadTypeMismatch.
    NotFinite,  // Kept as Bad: NaN or an infinity.
    Unit,       // Kept as Uncertain: another unit than the tag's.
    Future,     // These three as TimeRule says.
    Past,
    Time,  // None of this age.
    count_
};
std::string_view to_text(Why why);

inline constexpr std::size_t protocols_max = 16;

class Tally {
public:
    /// The protocol of a source: what stands before '/'.
    std::size_t protocol_of(std::string_view source);
    void kept(std::size_t protocol, std::size_t samples);
    void refused(Why why, std::string_view what, UtcTime now);
    void held_back();
    void discovered();
    /// Once a second.
    void tick();

    std::vector<ProtocolRate> rates() const;
    std::vector<Refusal> refusals() const;

private:
    static constexpr std::size_t window_s = 10;
    struct Protocol {
        std::string name;
        std::uint64_t samples = 0;
        std::array<std::uint64_t, window_s> before{};  // `samples` at the last ticks.
    };
    std::vector<Protocol> protocols_;
    std::size_t ticks_ = 0;
    std::array<std::map<std::string, Refusal, std::less<>>, static_cast<std::size_t>(Why::count_)> refusals_;
    std::size_t refusal_count_ = 0;
};

}  // namespace lineshaft::normalise
