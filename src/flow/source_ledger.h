/// The corridor, beside the readings: what a door knows of a source that no reading says.
///
/// Threads: any; calls never wait.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/strong.h"

namespace lineshaft::flow {

class SourceLedger {
public:
    virtual ~SourceLedger() = default;
    /// A connection of `source` (named as in ReadingBatch) is there from now on.
    virtual void connected(TenantId tenant, std::string_view source) = 0;
    /// It is gone. Repeats of either are harmless.
    virtual void disconnected(TenantId tenant, std::string_view source) = 0;
    /// `count` things of `source` were refused at the door, before they became readings. `device` may be empty.
    virtual void refused(TenantId tenant, std::string_view source, std::string_view device, std::string_view reason,
                         std::uint64_t count) = 0;
};

}  // namespace lineshaft::flow
