/// How complete the data of tags is, for every answer that says so.
#pragma once

#include <map>
#include <unordered_map>

#include "north/rest/internal/history.h"
#include "store/ledger.h"

namespace lineshaft::rest {

inline constexpr std::size_t completeness_series_max = 50;  // Of one answer; with more only the counts are given.

/// What adapters are told to do: the poll periods of Modbus devices. Settings are read once a device.
class ConfiguredCadences {
public:
    std::optional<Duration> of(const registry::Device& device, const registry::Tag& tag);

private:
    struct Polled {
        std::optional<Duration> all;
        std::unordered_map<std::string, Duration> by_address;
    };
    std::map<DeviceId, Polled> devices_;
};

store::TagQuestion question_about(const registry::Snapshot& snapshot, const registry::Tag& tag,
                                  ConfiguredCadences& cadences);

/// Works out the completeness of each series of `answer`, which lives until `done` has run.
void gather_completeness(Services& services, HistoryAnswer& answer, std::move_only_function<void()> done);
/// What is known beyond the counts.
void add_completeness(const store::Completeness& known, Json& into);

}  // namespace lineshaft::rest
