#include "alarms/internal/journal_store.h"

namespace lineshaft::alarms::journal_store {
namespace {

constexpr registry::Migration migrations[] = {{1, R"(
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, rule INTEGER NOT NULL, tag INTEGER NOT NULL, kind INTEGER NOT NULL,
    priority INTEGER NOT NULL, state INTEGER NOT NULL, name TEXT NOT NULL, tag_path TEXT NOT NULL, device TEXT NOT NULL,
    unit TEXT NOT NULL, consequence TEXT NOT NULL, action TEXT NOT NULL, raised INTEGER NOT NULL,
    cleared INTEGER NOT NULL, acknowledged_at INTEGER NOT NULL, acknowledged_by TEXT NOT NULL, comment TEXT NOT NULL,
    value REAL NOT NULL, threshold REAL NOT NULL, raises INTEGER NOT NULL) STRICT;
CREATE TABLE alarm_journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, alarm INTEGER NOT NULL, tenant INTEGER NOT NULL,
    event INTEGER NOT NULL, by TEXT NOT NULL, comment TEXT NOT NULL, value REAL NOT NULL, threshold REAL NOT NULL,
    kind INTEGER NOT NULL, priority INTEGER NOT NULL, tag INTEGER NOT NULL, tag_path TEXT NOT NULL,
    name TEXT NOT NULL) STRICT;
CREATE INDEX alarm_journal_by_time ON alarm_journal (tenant, time);
CREATE INDEX alarm_journal_by_tag ON alarm_journal (tenant, tag, number);
)"}};

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Result<void> write_entry(registry::Database& database, const JournalEntry& e) {
    auto insert =
        TRY(database.prepare("INSERT INTO alarm_journal (time, alarm, tenant, event, by, comment, value, threshold,"
                             " kind, priority, tag, tag_path, name) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"));
    insert.bind(1, e.time.ns()).bind(2, number(e.alarm.value())).bind(3, std::int64_t{e.tenant.value()});
    insert.bind(4, std::int64_t{static_cast<int>(e.event)}).bind(5, e.by).bind(6, e.comment);
    insert.bind(7, e.value).bind(8, e.threshold).bind(9, std::int64_t{static_cast<int>(e.limit)});
    insert.bind(10, std::int64_t{static_cast<int>(e.priority)}).bind(11, number(e.tag.value()));
    insert.bind(12, e.tag_path).bind(13, e.name);
    return insert.run();
}

Result<void> write_alarm(registry::Database& database, AlarmId id, const std::optional<Alarm>& alarm) {
    if (!alarm) {
        auto remove = TRY(database.prepare("DELETE FROM alarm WHERE id = ?"));
        remove.bind(1, number(id.value()));
        return remove.run();
    }
    const Alarm& a = *alarm;
    auto insert =
        TRY(database.prepare("INSERT OR REPLACE INTO alarm VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
    insert.bind(1, number(a.id.value())).bind(2, std::int64_t{a.tenant.value()}).bind(3, number(a.rule.value()));
    insert.bind(4, number(a.tag.value())).bind(5, std::int64_t{static_cast<int>(a.limit)});
    insert.bind(6, std::int64_t{static_cast<int>(a.priority)}).bind(7, std::int64_t{static_cast<int>(a.state)});
    insert.bind(8, a.name).bind(9, a.tag_path).bind(10, a.device).bind(11, a.unit).bind(12, a.consequence);
    insert.bind(13, a.action).bind(14, a.raised.ns()).bind(15, a.cleared.ns()).bind(16, a.acknowledged_at.ns());
    insert.bind(17, a.acknowledged_by).bind(18, a.comment).bind(19, a.value).bind(20, a.threshold);
    insert.bind(21, std::int64_t{a.raises});
    return insert.run();
}

}  // namespace

Result<void> migrate(registry::Database& database) { return database.migrate("alarms", migrations); }

Result<std::vector<Alarm>> load(registry::Database& database) {
    auto select = TRY(database.prepare("SELECT * FROM alarm ORDER BY id"));
    std::vector<Alarm> alarms;
    while (TRY(select.step())) {
        Alarm& a = alarms.emplace_back();
        a.id = AlarmId(static_cast<std::uint64_t>(select.integer(0)));
        a.tenant = TenantId(static_cast<std::uint32_t>(select.integer(1)));
        a.rule = RuleId(static_cast<std::uint64_t>(select.integer(2)));
        a.tag = TagId(static_cast<std::uint64_t>(select.integer(3)));
        a.limit = static_cast<LimitKind>(select.integer(4));
        a.priority = static_cast<Priority>(select.integer(5));
        a.state = static_cast<AlarmState>(select.integer(6));
        a.name = select.text(7);
        a.tag_path = select.text(8);
        a.device = select.text(9);
        a.unit = select.text(10);
        a.consequence = select.text(11);
        a.action = select.text(12);
        a.raised = UtcTime(select.integer(13));
        a.cleared = UtcTime(select.integer(14));
        a.acknowledged_at = UtcTime(select.integer(15));
        a.acknowledged_by = select.text(16);
        a.comment = select.text(17);
        a.value = select.real(18);
        a.threshold = select.real(19);
        a.raises = static_cast<std::uint32_t>(select.integer(20));
    }
    return alarms;
}

Result<std::uint64_t> last_alarm_id(registry::Database& database) {
    auto select =
        TRY(database.prepare("SELECT MAX(COALESCE((SELECT MAX(id) FROM alarm), 0),"
                             " COALESCE((SELECT MAX(alarm) FROM alarm_journal), 0))"));
    if (!TRY(select.step())) return 0;
    return static_cast<std::uint64_t>(select.integer(0));
}

Result<void> write(registry::Database& database, const std::vector<JournalEntry>& entries,
                   const std::map<AlarmId, std::optional<Alarm>>& alarms) {
    auto transaction = TRY(database.begin());
    for (const JournalEntry& entry : entries) TRY_VOID(write_entry(database, entry));
    for (const auto& [id, alarm] : alarms) TRY_VOID(write_alarm(database, id, alarm));
    return transaction.commit();
}

Result<std::vector<JournalEntry>> read(registry::Database& database, const Board::JournalQuery& query) {
    auto select = TRY(
        database.prepare("SELECT number, time, alarm, tenant, event, by, comment, value, threshold, kind, priority, "
                         "tag, tag_path, name"
                         " FROM alarm_journal WHERE tenant = ?1 AND time >= ?2 AND time < ?3 AND (?4 = 0 OR tag = ?4)"
                         " AND (?5 = 0 OR number < ?5) ORDER BY number DESC LIMIT ?6"));
    select.bind(1, std::int64_t{query.tenant.value()}).bind(2, query.from.ns()).bind(3, query.to.ns());
    select.bind(4, number(query.tag.value())).bind(5, number(query.before)).bind(6, number(query.limit));
    std::vector<JournalEntry> entries;
    while (TRY(select.step())) {
        JournalEntry& e = entries.emplace_back();
        e.number = static_cast<std::uint64_t>(select.integer(0));
        e.time = UtcTime(select.integer(1));
        e.alarm = AlarmId(static_cast<std::uint64_t>(select.integer(2)));
        e.tenant = TenantId(static_cast<std::uint32_t>(select.integer(3)));
        e.event = static_cast<JournalEvent>(select.integer(4));
        e.by = select.text(5);
        e.comment = select.text(6);
        e.value = select.real(7);
        e.threshold = select.real(8);
        e.limit = static_cast<LimitKind>(select.integer(9));
        e.priority = static_cast<Priority>(select.integer(10));
        e.tag = TagId(static_cast<std::uint64_t>(select.integer(11)));
        e.tag_path = select.text(12);
        e.name = select.text(13);
    }
    return entries;
}

}  // namespace lineshaft::alarms::journal_store
