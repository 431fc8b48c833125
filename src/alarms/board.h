/// The alarm board: what is wrong in the plant now, who has seen it, and the journal of it all.
///
/// Flow:    takes ConditionEvents (from any shard through post_event), gives alarm lists to every shard and the journal.
/// Threads: lives on shard 0; post_… from any shard; list() and on_change for the shard they name.
/// Errors:  NotFound, Conflict, InvalidArgument; Io and DiskFull from the database. An acknowledgement is answered when
///          it is on disk. States and journal survive the end of the program; a condition that could not be written is
///          shown all the same and written when the disk takes it again.
/// Limits:  alarms_max open alarms, unwritten_max entries that wait for the disk; beyond it entries are counted as lost
///          from the journal and told in the log, the alarm itself is still shown.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "alarms/alarm.h"
#include "flow/sample_sink.h"
#include "registry/registry.h"

namespace lineshaft::alarms {

class Board {
public:
    static constexpr std::size_t alarms_max = 100'000;
    static constexpr std::size_t unwritten_max = 1'000'000;
    static constexpr std::size_t comment_bytes_max = 4096;
    static constexpr std::size_t ended_max = 200;

    /// Reads the open alarms from the registry's database. Blocks; before the shards start. Errors: as Database.
    static Result<std::unique_ptr<Board>> create(Shards& shards, registry::Registry& registry);
    ~Board();

    /// For rule engines at start: the conditions that were active when the program ended.
    std::vector<ConditionEvent> active_conditions() const;

    /// The sink for the rule engine of a shard; any shard.
    void post_event(const ConditionEvent& event);

    /// The newest list that `shard` was told of; never null. Own shard.
    const SnapshotOf<AlarmList>& list(const Shard& shard) const;
    using OnChange = std::function<void(const SnapshotOf<AlarmList>&)>;
    /// Calls on `shard` for each new list, at most ten times a second. Returns a number for off_change.
    std::uint64_t on_change(const Shard& shard, OnChange on_change);
    void off_change(const Shard& shard, std::uint64_t id);

    using Acked = std::move_only_function<void(std::vector<registry::ItemResult>)>;
    /// One result for each id: NotFound when there is no such open alarm in the tenant, Conflict when somebody has
    /// acknowledged it already.
    void post_acknowledge(Shard& caller, TenantId tenant, std::vector<AlarmId> ids, std::string by,
                          std::string comment, Acked done);

    struct JournalQuery {
        TenantId tenant{1};
        UtcTime from = utc_time_min;
        UtcTime to = utc_time_max;  // Not included.
        TagId tag;                  // None: all.
        std::uint64_t before = 0;   // Cursor: entries with smaller numbers; 0: from the newest.
        std::size_t limit = 100;
    };
    /// Newest first.
    void post_journal(Shard& caller, JournalQuery query, registry::Done<std::vector<JournalEntry>> done);

    /// Writes what waits; `done` runs on shard 0.
    void close(Task done);

private:
    struct Key {
        RuleId rule;
        LimitKind limit;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct View {
        SnapshotOf<AlarmList> list;
        std::map<std::uint64_t, OnChange> listeners;
        std::uint64_t next_id = 1;
    };

    Board(Shards& shards, registry::Registry& registry);

    void take(const ConditionEvent& event);
    void raise(const ConditionEvent& event);
    void clear(const ConditionEvent& event);
    std::vector<registry::ItemResult> acknowledge(TenantId tenant, const std::vector<AlarmId>& ids,
                                                  const std::string& by, const std::string& comment);
    void end(std::map<Key, Alarm>::iterator at);
    void note(const Alarm& alarm, JournalEvent event, UtcTime time, const std::string& by = {},
              const std::string& comment = {});
    void want_publication();
    void publish();
    void want_writing();
    void write();

    Shards& shards_;
    registry::Registry& registry_;
    // Shard 0 only.
    std::map<Key, Alarm> open_;
    std::deque<Alarm> ended_;
    std::uint64_t next_alarm_ = 1;
    std::uint64_t version_ = 0;
    bool publication_wanted_ = false;
    Timer publication_;
    std::vector<JournalEntry> unwritten_;
    std::map<AlarmId, std::optional<Alarm>> unwritten_alarms_;  // Newest state of each; nullopt: it is over.
    std::vector<Task> after_writing_;                           // Run when everything noted so far is on disk.
    bool writing_ = false;
    Timer retry_;
    // views_[i] is touched by shard i only.
    std::vector<std::unique_ptr<View>> views_;
};

/// The flow::EventSink of one shard's rule engine.
class BoardSink final : public flow::EventSink {
public:
    explicit BoardSink(Board& board) : board_(board) {}
    void offer(const ConditionEvent& event) override { board_.post_event(event); }

private:
    Board& board_;
};

}  // namespace lineshaft::alarms
