/// Alarms and their journal as tables. SQL pool only; every call is one transaction.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "alarms/board.h"

namespace lineshaft::alarms::journal_store {

/// Errors: as registry::Database.
Result<void> migrate(registry::Database& database);
Result<std::vector<Alarm>> load(registry::Database& database);
/// The highest alarm id ever given.
Result<std::uint64_t> last_alarm_id(registry::Database& database);
Result<void> write(registry::Database& database, const std::vector<JournalEntry>& entries,
                   const std::map<AlarmId, std::optional<Alarm>>& alarms);
Result<std::vector<JournalEntry>> read(registry::Database& database, const Board::JournalQuery& query);

}  // namespace lineshaft::alarms::journal_store
