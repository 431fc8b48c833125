/// How complete an answer is: what was expected, what came, what is missing and why.
///
/// Expected is known when the cadence is: configured (a poll period) or learned (evenly spaced samples). A tag that
/// reports by exception has none, and then nothing is said to be missing but what the house knows otherwise: that it
/// was down, that the device was away, that blocks are damaged or have expired.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace lineshaft::store {

inline constexpr std::size_t missing_kept_max = 100;

enum class GapReason : std::uint8_t {
    Unknown,
    Link,     // The source was not connected, or its samples say BadNoCommunication.
    Device,   // It was connected and silent, or says itself that it has no value.
    Refused,  // Something came and was refused; the ledger has the counts.
    Server,   // Lineshaft itself was down.
    Expired,  // Retention took it.
    Damaged,  // On disk, and its checksum failed.
};
/// "unknown", "link", "device", "refused", "server", "expired", "damaged".
std::string_view to_text(GapReason reason);

/// [from, to) without usable samples.
struct Missing {
    UtcTime from;
    UtcTime to;
    GapReason reason = GapReason::Unknown;
    std::optional<std::uint64_t> samples;  // So many by the cadence.
    bool is_exact = true;                  // False: they are missing somewhere in here.
    friend bool operator==(const Missing&, const Missing&) = default;
};

enum class CadenceFrom : std::uint8_t { Unknown, Configured, Learned };
/// "unknown", "configured", "learned".
std::string_view to_text(CadenceFrom from);

struct Completeness {
    std::uint64_t samples = 0;
    std::uint64_t good = 0;
    std::uint64_t uncertain = 0;
    std::uint64_t bad = 0;
    std::uint64_t damaged_blocks = 0;

    CadenceFrom cadence_from = CadenceFrom::Unknown;
    std::optional<Duration> cadence;        // The usual one of the range; it may change within.
    std::optional<std::uint64_t> expected;  // None: unknown.
    std::vector<Missing> missing;           // Oldest first, the longest missing_kept_max of them.
    std::uint64_t missing_more = 0;         // So many shorter ones were left out.
    Duration missing_time{0};               // Of all of them.

    // Of the samples that were looked at one by one: the newest of the range, or all of them.
    std::uint64_t examined = 0;
    std::uint64_t late = 0;          // Received more than late_after after their source time.
    std::uint64_t out_of_order = 0;  // Received after a sample with a later source time.
};
inline constexpr Duration late_after = std::chrono::seconds(10);

}  // namespace lineshaft::store
