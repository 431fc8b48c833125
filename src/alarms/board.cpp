#include "alarms/board.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "alarms/internal/journal_store.h"
#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::alarms {
namespace {

Counter raised_total{"lineshaft_alarms_raised_total", "", "Alarms that became active"};
Counter acknowledged_total{"lineshaft_alarms_acknowledged_total", "", "Alarms acknowledged"};
Counter journal_lost{"lineshaft_alarm_journal_lost_total", "",
                     "Journal entries lost because the disk took nothing for too long"};
Gauge open_alarms{"lineshaft_alarms_open", "", "Alarms that are active or not acknowledged"};

constexpr auto publish_every = 100ms;
constexpr auto retry_after = 5s;

bool is_before(const Alarm& a, const Alarm& b) {
    const auto urgency = [](const Alarm& alarm) {
        return (alarm.is_acknowledged() ? 10 : 0) + static_cast<int>(alarm.priority);
    };
    return std::tuple(urgency(a), b.raised, b.id) < std::tuple(urgency(b), a.raised, a.id);
}

AlarmState after_acknowledge(AlarmState state) {
    return state == AlarmState::UnacknowledgedActive ? AlarmState::AcknowledgedActive : AlarmState::Normal;
}

/// At most `bytes_max` of `text`, and no half character at its end.
void cut(std::string& text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
    text.resize(bytes_max);
}

}  // namespace

std::string_view to_text(JournalEvent event) {
    switch (event) {
        case JournalEvent::Raised: return "raised";
        case JournalEvent::Cleared: return "cleared";
        case JournalEvent::Acknowledged: return "acknowledged";
    }
    return "unknown";
}

Result<std::unique_ptr<Board>> Board::create(Shards& shards, registry::Registry& registry) {
    registry::Database& database = registry.database();
    TRY_VOID(journal_store::migrate(database));
    auto board = std::unique_ptr<Board>(new Board(shards, registry));
    for (Alarm& alarm : TRY(journal_store::load(database))) {
        const Key key{alarm.rule, alarm.limit};
        board->open_.emplace(key, std::move(alarm));
    }
    board->next_alarm_ = TRY(journal_store::last_alarm_id(database)) + 1;
    auto list = std::make_shared<AlarmList>();
    for (const auto& [key, alarm] : board->open_) list->alarms.push_back(alarm);
    std::ranges::sort(list->alarms, is_before);
    for (auto& view : board->views_) view->list = list;
    open_alarms.set(static_cast<std::int64_t>(board->open_.size()));
    return board;
}

Board::Board(Shards& shards, registry::Registry& registry) : shards_(shards), registry_(registry) {
    for (std::size_t i = 0; i < shards.count(); ++i) views_.push_back(std::make_unique<View>());
}

Board::~Board() = default;

std::vector<ConditionEvent> Board::active_conditions() const {
    std::vector<ConditionEvent> events;
    for (const auto& [key, alarm] : open_) {
        if (!alarm.is_active()) continue;
        ConditionEvent event;
        event.tenant = alarm.tenant;
        event.rule = alarm.rule;
        event.tag = alarm.tag;
        event.limit = alarm.limit;
        event.priority = alarm.priority;
        event.active = true;
        event.time = alarm.raised;
        event.value = alarm.value;
        event.threshold = alarm.threshold;
        events.push_back(event);
    }
    return events;
}

void Board::post_event(const ConditionEvent& event) {
    shards_.at(0).post([this, event] { take(event); });
}

void Board::take(const ConditionEvent& event) {
    if (event.active)
        raise(event);
    else
        clear(event);
    want_publication();
    want_writing();
}

void Board::raise(const ConditionEvent& event) {
    const auto& snapshot = *registry_.snapshot(shards_.at(0));
    const Key key{event.rule, event.limit};
    auto at = open_.find(key);
    if (at == open_.end()) {
        if (open_.size() >= alarms_max) {
            log_error("more than {} alarms are open: alarm of rule {} is not shown", alarms_max, event.rule.value());
            return;
        }
        at = open_.emplace(key, Alarm()).first;
        at->second.id = AlarmId(next_alarm_++);
    }
    Alarm& alarm = at->second;
    alarm.tenant = event.tenant;
    alarm.rule = event.rule;
    alarm.tag = event.tag;
    alarm.limit = event.limit;
    alarm.priority = event.priority;
    alarm.state = AlarmState::UnacknowledgedActive;
    alarm.raised = event.time;
    alarm.cleared = alarm.acknowledged_at = UtcTime();
    alarm.acknowledged_by.clear();
    alarm.comment.clear();
    alarm.value = std::isnan(event.value) ? 0 : event.value;  // SQL knows no NaN.
    alarm.threshold = event.threshold;
    ++alarm.raises;
    if (const auto rule = snapshot.rules.find(event.rule); rule != snapshot.rules.end()) {
        alarm.name = rule->second->name;
        alarm.consequence = rule->second->consequence;
        alarm.action = rule->second->action;
    }
    if (const registry::Tag* tag = snapshot.tag(event.tag)) {
        alarm.tag_path = tag->path;
        alarm.unit = tag->unit;
        if (const registry::Device* device = snapshot.device(tag->device)) alarm.device = device->name;
    }
    if (alarm.name.empty()) alarm.name = alarm.tag_path;
    raised_total.add();
    note(alarm, JournalEvent::Raised, event.time);
}

void Board::clear(const ConditionEvent& event) {
    const auto at = open_.find({event.rule, event.limit});
    if (at == open_.end() || !at->second.is_active()) return;
    Alarm& alarm = at->second;
    alarm.cleared = event.time;
    const bool over = alarm.state == AlarmState::AcknowledgedActive;
    alarm.state = over ? AlarmState::Normal : AlarmState::UnacknowledgedNormal;
    Alarm now = alarm;
    now.value = event.value;
    note(now, JournalEvent::Cleared, event.time);
    if (over)
        end(at);
    else
        unwritten_alarms_[alarm.id] = alarm;
}

void Board::end(std::map<Key, Alarm>::iterator at) {
    ended_.push_front(std::move(at->second));
    if (ended_.size() > ended_max) ended_.pop_back();
    open_.erase(at);
}

std::vector<registry::ItemResult> Board::acknowledge(TenantId tenant, const std::vector<AlarmId>& ids,
                                                     const std::string& by, const std::string& comment) {
    std::vector<registry::ItemResult> results;
    const UtcTime now = shards_.at(0).utc_now();
    std::unordered_map<AlarmId, Alarm*> by_id;  // Many are asked for at once: one walk for all of them.
    for (auto& [key, alarm] : open_) by_id.emplace(alarm.id, &alarm);
    for (const AlarmId id : ids) {
        registry::ItemResult& result = results.emplace_back();
        result.id = id.value();
        const auto at = by_id.find(id);
        Alarm* alarm = at == by_id.end() ? nullptr : at->second;
        if (!alarm || alarm->tenant != tenant) {
            result.error =
                Error(ErrorCode::NotFound, fmt::format("alarm {} is not open: it is over, or never was", id.value()));
            continue;
        }
        if (alarm->is_acknowledged()) {
            result.error =
                Error(ErrorCode::Conflict, fmt::format("{} has acknowledged it already", alarm->acknowledged_by));
            continue;
        }
        alarm->state = after_acknowledge(alarm->state);
        alarm->acknowledged_at = now;
        alarm->acknowledged_by = by;
        alarm->comment = comment;
        acknowledged_total.add();
        note(*alarm, JournalEvent::Acknowledged, now, by, comment);
        if (alarm->state == AlarmState::Normal) {
            end(open_.find(Key{alarm->rule, alarm->limit}));
            by_id.erase(id);
        }
    }
    return results;
}

void Board::post_acknowledge(Shard& caller, TenantId tenant, std::vector<AlarmId> ids, std::string by,
                             std::string comment, Acked done) {
    cut(comment, comment_bytes_max);
    shards_.at(0).post([this, &caller, tenant, ids = std::move(ids), by = std::move(by), comment = std::move(comment),
                        done = std::move(done)]() mutable {
        auto results = acknowledge(tenant, ids, by, comment);
        publish();  // Whoever gets the answer shall see it in the list.
        after_writing_.push_back([&caller, results = std::move(results), done = std::move(done)]() mutable {
            caller.post(
                [results = std::move(results), done = std::move(done)]() mutable { done(std::move(results)); });
        });
        want_writing();
    });
}

void Board::note(const Alarm& alarm, JournalEvent event, UtcTime time, const std::string& by,
                 const std::string& comment) {
    if (alarm.state == AlarmState::Normal)
        unwritten_alarms_[alarm.id] = std::nullopt;
    else
        unwritten_alarms_[alarm.id] = alarm;
    if (unwritten_.size() >= unwritten_max) {
        journal_lost.add();
        return;
    }
    JournalEntry& entry = unwritten_.emplace_back();
    entry.time = time;
    entry.alarm = alarm.id;
    entry.tenant = alarm.tenant;
    entry.event = event;
    entry.by = by;
    entry.comment = comment;
    entry.value = std::isfinite(alarm.value) ? alarm.value : 0;
    entry.threshold = alarm.threshold;
    entry.limit = alarm.limit;
    entry.priority = alarm.priority;
    entry.tag = alarm.tag;
    entry.tag_path = alarm.tag_path;
    entry.name = alarm.name;
}

void Board::want_writing() {
    if (writing_ || retry_.is_set()) return;
    writing_ = true;
    shards_.at(0).defer([this] { write(); });
}

void Board::write() {
    if (unwritten_.empty() && unwritten_alarms_.empty()) {
        writing_ = false;
        for (Task& task : std::exchange(after_writing_, {})) task();
        return;
    }
    struct Work {
        std::vector<JournalEntry> entries;
        std::map<AlarmId, std::optional<Alarm>> alarms;
    };
    auto work = std::make_unique<Work>(Work{std::exchange(unwritten_, {}), std::exchange(unwritten_alarms_, {})});
    Work* held = work.get();
    auto waiting = std::exchange(after_writing_, {});
    registry_.post_sql(
        shards_.at(0),
        [held](registry::Database& database) { return journal_store::write(database, held->entries, held->alarms); },
        [this, work = std::move(work), waiting = std::move(waiting)](Result<void> result) mutable {
            writing_ = false;
            if (result) {
                for (Task& task : waiting) task();
                if (!unwritten_.empty() || !unwritten_alarms_.empty() || !after_writing_.empty()) want_writing();
                return;
            }
            // Nothing is answered; all of it is tried again, in front of what came since.
            log_error("the alarm journal could not be written, again in 5 s: {}", result.error().message());
            std::ranges::move(unwritten_, std::back_inserter(work->entries));
            unwritten_ = std::move(work->entries);
            work->alarms.swap(unwritten_alarms_);
            for (auto& [id, alarm] : work->alarms) unwritten_alarms_[id] = std::move(alarm);
            std::ranges::move(after_writing_, std::back_inserter(waiting));
            after_writing_ = std::move(waiting);
            retry_ = shards_.at(0).after(retry_after, [this] {
                retry_.cancel();
                want_writing();
            });
        });
}

void Board::want_publication() {
    if (publication_wanted_) return;
    publication_wanted_ = true;
    publication_ = shards_.at(0).after(publish_every, [this] { publish(); });
}

void Board::publish() {
    publication_wanted_ = false;
    publication_.cancel();
    auto list = std::make_shared<AlarmList>();
    list->version = ++version_;
    list->alarms.reserve(open_.size());
    for (const auto& [key, alarm] : open_) list->alarms.push_back(alarm);
    std::ranges::sort(list->alarms, is_before);
    list->ended.assign(ended_.begin(), ended_.end());
    open_alarms.set(static_cast<std::int64_t>(open_.size()));
    const SnapshotOf<AlarmList> fixed = std::move(list);
    for (std::size_t i = 0; i < shards_.count(); ++i) {
        shards_.at(i).post([this, i, fixed] {
            views_[i]->list = fixed;
            for (auto& [id, listener] : views_[i]->listeners) listener(fixed);
        });
    }
}

const SnapshotOf<AlarmList>& Board::list(const Shard& shard) const { return views_[shard.id().value()]->list; }

std::uint64_t Board::on_change(const Shard& shard, OnChange on_change) {
    View& view = *views_[shard.id().value()];
    view.listeners.emplace(view.next_id, std::move(on_change));
    return view.next_id++;
}

void Board::off_change(const Shard& shard, std::uint64_t id) { views_[shard.id().value()]->listeners.erase(id); }

void Board::post_journal(Shard& caller, JournalQuery query, registry::Done<std::vector<JournalEntry>> done) {
    registry_.post_sql(
        caller, [query](registry::Database& database) { return journal_store::read(database, query); },
        std::move(done));
}

void Board::close(Task done) {
    after_writing_.push_back(std::move(done));
    want_writing();
}

}  // namespace lineshaft::alarms
