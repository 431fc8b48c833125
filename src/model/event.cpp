#include "model/event.h"

namespace lineshaft {

std::string_view to_text(LimitKind kind) {
    switch (kind) {
        case LimitKind::HighHigh: return "HH";
        case LimitKind::High: return "H";
        case LimitKind::Low: return "L";
        case LimitKind::LowLow: return "LL";
    }
    return "?";
}

std::string_view to_text(Priority priority) {
    switch (priority) {
        case Priority::Critical: return "critical";
        case Priority::High: return "high";
        case Priority::Medium: return "medium";
        case Priority::Low: return "low";
    }
    return "?";
}

}  // namespace lineshaft
