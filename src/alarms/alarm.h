/// An alarm: a condition that an operator must know of, with its ISA-18.2 state.
///
///   A normal    --condition becomes true-->   B active, unacknowledged
///   B           --acknowledge-->              C active, acknowledged
///   B           --condition ends-->           D returned to normal, unacknowledged
///   C           --condition ends-->           A
///   D           --acknowledge-->              A
///   D           --condition becomes true-->   B        (ANSI/ISA-18.2-2016 figure 6, without shelving and latching)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/event.h"
#include "runtime/snapshot.h"

namespace lineshaft::alarms {

using AlarmId = Strong<struct AlarmIdName, std::uint64_t>;

enum class AlarmState : std::uint8_t {
    Normal = 'A',
    UnacknowledgedActive = 'B',
    AcknowledgedActive = 'C',
    UnacknowledgedNormal = 'D'
};

/// One occurrence, from its first raise until it is normal and acknowledged.
struct Alarm {
    AlarmId id;
    TenantId tenant{1};
    RuleId rule;
    TagId tag;
    LimitKind limit = LimitKind::High;
    Priority priority = Priority::Medium;
    AlarmState state = AlarmState::Normal;
    std::string name, tag_path, device, unit, consequence, action;  // As they were when it was raised.
    UtcTime raised;                                                 // The last time it became active.
    UtcTime cleared;                                                // None while active.
    UtcTime acknowledged_at;                                        // None while unacknowledged.
    std::string acknowledged_by, comment;
    double value = 0;  // That raised it.
    double threshold = 0;
    std::uint32_t raises = 0;  // How often within this occurrence.

    bool is_active() const {
        return state == AlarmState::UnacknowledgedActive || state == AlarmState::AcknowledgedActive;
    }
    bool is_acknowledged() const { return state == AlarmState::AcknowledgedActive || state == AlarmState::Normal; }
};

enum class JournalEvent : std::uint8_t { Raised = 1, Cleared = 2, Acknowledged = 3 };  // On disk. Append only.
std::string_view to_text(JournalEvent event);

struct JournalEntry {
    std::uint64_t number = 0;  // Rises; the cursor.
    UtcTime time;              // Of the happening; for raised and cleared in the source's time.
    AlarmId alarm;
    TenantId tenant{1};
    JournalEvent event = JournalEvent::Raised;
    std::string by, comment;  // Of an acknowledgement.
    double value = 0;
    double threshold = 0;
    LimitKind limit = LimitKind::High;
    Priority priority = Priority::Medium;
    TagId tag;
    std::string tag_path, name;
};

/// Every alarm that is not normal, most urgent first: unacknowledged before acknowledged, then priority, then newest.
struct AlarmList {
    std::uint64_t version = 0;
    std::vector<Alarm> alarms;
    std::vector<Alarm> ended;  // The newest that are normal again, newest first; since the program started.
};

}  // namespace lineshaft::alarms
