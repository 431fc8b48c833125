/// Events: something happened that people or programs may want to know. Commands: something shall be done.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strong.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"

namespace lineshaft {

/// ISA-18.2 priorities; the number is shown in the badge.
enum class Priority : std::uint8_t { Critical = 1, High = 2, Medium = 3, Low = 4 };

/// Which limit of a tag. HH/H above, L/LL below (ISA-18.2 §10).
enum class LimitKind : std::uint8_t { HighHigh = 1, High = 2, Low = 3, LowLow = 4 };

/// "HH", "H", "L", "LL".
std::string_view to_text(LimitKind kind);
std::string_view to_text(Priority priority);

/// A condition of a rule became true or false for a tag. Rules make it, the alarm board takes it.
struct ConditionEvent {
    TenantId tenant{1};
    RuleId rule;
    TagId tag;
    LimitKind limit = LimitKind::High;
    Priority priority = Priority::Medium;
    bool active = false;
    UtcTime time;  // Source time of the sample that decided, plus the delay.
    double value = 0;
    double threshold = 0;
    Quality quality;
    bool by_late_data = false;  // The deciding sample was older than one already judged.
};

/// Write a value to a tag's device.
struct Command {
    TenantId tenant{1};
    TagId tag;
    Value value;
    std::string idempotency_key;  // The same key within a day has the same outcome and is not done twice.
    std::string actor;            // "user anna", "token telegraf".
    Instant deadline;
};

enum class CommandOutcome : std::uint8_t { Written, Refused, Failed, TimedOut };

struct CommandResult {
    CommandOutcome outcome = CommandOutcome::Failed;
    std::string detail;  // What the device said.
};

}  // namespace lineshaft
