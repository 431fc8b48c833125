#include "store/internal/ledger.h"

#include <algorithm>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::store {
namespace {

constexpr Duration beat_period = 1min;
constexpr Duration retry_after = 1s;
constexpr std::int64_t hours_resident = 2;
constexpr std::size_t up_times_max = 10'000;
constexpr std::size_t devices_fed_max = 200'000;
constexpr std::size_t strangers_max = 100'000;
// Of a source's batches, after it has connected and in each hour, it is noted whom they speak for.
constexpr int batches_to_learn = 64;
// A device whose number falls by more than this, or to its very beginning, counts anew; a smaller fall is a repeat.
constexpr std::uint64_t own_fall_max = 10'000;

Counter refused_total{"lineshaft_ledger_refused_total", "", "Readings that the ledger counts as refused"};
Counter presence_total{"lineshaft_ledger_presence_total", "", "Sources that connected or went away"};
Counter own_missing_total{"lineshaft_ledger_own_gaps_total", "",
                          "Gaps in the numbers that devices give to their messages themselves"};

}  // namespace

Ledger::Ledger(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::function<void()> ended)
    : shard_(shard), disk_(disk), pool_(pool), options_(std::move(options)), ended_(std::move(ended)) {}

// --- what is known of whom

Ledger::Source& Ledger::source_at(SourceId id) {
    ASSERT(id != SourceId());
    while (sources_.size() < id.value()) sources_.emplace_back();
    return sources_[id.value() - 1];
}

Ledger::Source* Ledger::find_source(SourceId id) {
    return id == SourceId() || id.value() > sources_.size() ? nullptr : &sources_[id.value() - 1];
}

std::string Ledger::name_of(SourceId id) const {
    return id == SourceId() || id.value() > sources_.size() ? std::string() : sources_[id.value() - 1].name;
}

std::uint64_t Ledger::assigned_to(SourceId id) const {
    return id == SourceId() || id.value() > sources_.size() ? 0 : sources_[id.value() - 1].assigned_to;
}

std::vector<std::pair<SourceId, std::string>> Ledger::names() const {
    std::vector<std::pair<SourceId, std::string>> all;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (!sources_[i].name.empty()) all.emplace_back(SourceId(i + 1), sources_[i].name);
    }
    return all;
}

void Ledger::put_source(SourceId id, std::string_view name, std::uint64_t last_sequence) {
    Source& source = source_at(id);
    if (source.name != name) {
        source.name = name;
        ids_[source.name] = id;
        mark(source, id);
        const auto stranger = strangers_.find(source.name);
        if (stranger != strangers_.end()) {
            const PresenceEvent event = stranger->second;
            strangers_.erase(stranger);
            add_presence(id, event);
            Bytes entries;
            append_presence(id, event, entries);
            log_entries(entries);
        }
    }
    // What was numbered before there was a ledger was kept by a historian that numbered without gaps.
    if (last_sequence > 0 && source.assigned_to == 0) {
        source.stored.add(1, last_sequence);
        source.assigned_to = last_sequence;
        mark(source, id);
    }
}

void Ledger::mark(Source& source, SourceId id) {
    if (source.dirty) return;
    source.dirty = true;
    dirty_.push_back(id);
}

/// The entry of an hour; nearly always the newest.
Ledger::Hour& Ledger::ensure_hour(Source& source, std::int64_t hour) {
    std::deque<Hour>& hours = source.hours;
    if (!hours.empty() && hours.back().hour == hour) return hours.back();
    const auto at = std::ranges::lower_bound(hours, hour, {}, &Hour::hour);
    if (at != hours.end() && at->hour == hour) return *at;
    Hour fresh;
    fresh.hour = hour;
    return *hours.insert(at, std::move(fresh));
}

// --- numbers

bool Ledger::take(const Batch& batch) {
    if (batch.source == SourceId()) return false;
    Source& source = source_at(batch.source);
    const std::uint64_t last = batch.first_sequence + batch.size() - 1;
    const std::int64_t hour = hour_of(batch.receive_time);
    if (source.hours.empty() || source.hours.back().hour != hour) source.learn = batches_to_learn;
    const bool is_new = source.learn > 0 && source.learn-- > 0;
    source.assigned_to = std::max(source.assigned_to, last);
    source.last_heard = std::max(source.last_heard, batch.receive_time);
    mark(source, batch.source);
    if (!log_) {  // Read back from the log: it is durable.
        Hour& entry = ensure_hour(source, hour);
        entry.stored.add(batch.first_sequence, last);
        entry.assigned = entry.stored.count();
        entry.dirty = true;
        source.stored.add(batch.first_sequence, last);
        if (!up_.empty() && !up_.back().closed) up_.back().until = std::max(up_.back().until, batch.receive_time);
        return is_new;
    }
    if (!up_logged_) [[unlikely]]
        log_up();
    Hour& entry = ensure_hour(source, hour);
    entry.assigned += batch.size();
    if (source.gathering_no != gathering_no_ || gathering_[source.gathered - 1].hour != hour) {
        gathering_.push_back({batch.source, hour, {}});
        source.gathering_no = gathering_no_;
        source.gathered = gathering_.size();
    }
    gathering_[source.gathered - 1].numbers.add(batch.first_sequence, last);
    if (!waits_for_commit_) wait_for_commit();
    return is_new;
}

/// What is gathered from now on is asked for when this has been answered: a commit later than need be, never too early.
void Ledger::wait_for_commit() {
    flying_.insert(flying_.end(), std::make_move_iterator(gathering_.begin()),
                   std::make_move_iterator(gathering_.end()));
    gathering_.clear();
    ++gathering_no_;
    waits_for_commit_ = true;
    // The batch at hand is about to be appended; a waiter made now would be settled without it.
    shard_.defer([this, life = std::weak_ptr(life_)] {
        if (life.expired()) return;
        log_->when_durable([this, life](Result<void> outcome) {
            if (!life.expired()) commit_synced(outcome);
        });
    });
}

void Ledger::commit_synced(const Result<void>& outcome) {
    waits_for_commit_ = false;
    if (!outcome) {
        // The log writes again what it could not; until then these numbers are not stored. Who waits to write need
        // not: it may be what gives the disk its space back.
        release_writers(UINT64_MAX);
        if (outcome.error().code() == ErrorCode::Closed || closed_) return;
        retry_commit_ = shard_.after(retry_after, [this] {
            if (!waits_for_commit_) wait_for_commit();
        });
        return;
    }
    for (const Taken& taken : flying_) {
        Source& source = source_at(taken.source);
        Hour& hour = ensure_hour(source, taken.hour);
        hour.stored.add(taken.numbers);
        hour.dirty = true;
        source.stored.add(taken.numbers);
        source.stored.limit(stored_ranges_max);
        mark(source, taken.source);
    }
    flying_.clear();
    release_writers(gathering_no_ - 1);
    if (!gathering_.empty()) wait_for_commit();
}

void Ledger::release_writers(std::uint64_t gathering) {
    std::erase_if(early_writers_, [&](auto& waiter) {
        if (waiter.first > gathering) return false;
        writers_.push_back(std::move(waiter.second));
        return true;
    });
    if (!writers_.empty()) start_write();
}

void Ledger::write(flow::Settled done) {
    // Closed and without a commit under way, nothing more becomes durable.
    if ((gathering_.empty() && flying_.empty()) || (closed_ && !waits_for_commit_)) {
        writers_.push_back(std::move(done));
        return start_write();
    }
    early_writers_.emplace_back(gathering_.empty() ? gathering_no_ - 1 : gathering_no_, std::move(done));
}

// --- what doors and the normaliser know

void Ledger::refuse(SourceId id, const Refused& refused) {
    if (id == SourceId() || closed_) return;
    refused_total.add(static_cast<std::int64_t>(refused.count));
    Source& source = source_at(id);
    Hour& hour = ensure_hour(source, hour_of(refused.last));
    const auto same = std::ranges::find_if(
        hour.refused, [&](const Refused& r) { return r.device == refused.device && r.reason == refused.reason; });
    if (same != hour.refused.end()) {
        same->count += refused.count;
        same->last = std::max(same->last, refused.last);
    } else if (hour.refused.size() < refused_kept_max) {
        hour.refused.push_back(refused);
    } else {
        // A broken device with a new name each time: one line for all that are left.
        Refused& last = hour.refused.back();
        last.device.clear();
        last.reason = "others";
        last.count += refused.count;
        last.last = std::max(last.last, refused.last);
    }
    hour.dirty = true;
    mark(source, id);
}

void Ledger::set_presence(std::string_view name, Presence presence, UtcTime since) {
    if (closed_) return;
    const auto known = ids_.find(std::string(name));
    if (known == ids_.end()) {
        if (presence != Presence::Connected)
            strangers_.erase(std::string(name));
        else if (strangers_.size() < strangers_max)
            strangers_[std::string(name)] = {since, presence};
        return;
    }
    const Source& source = source_at(known->second);
    if (!source.presence.empty() && source.presence.back().presence == presence) return;
    presence_total.add();
    if (presence == Presence::Connected) source_at(known->second).learn = batches_to_learn;
    add_presence(known->second, {since, presence});
    Bytes entries;
    append_presence(known->second, {since, presence}, entries);
    log_entries(entries);
}

void Ledger::feeds(SourceId source, std::string_view device) {
    // Only connections can be away; what feeds the devices of a plain HTTP sender explains nothing.
    const Source* known = find_source(source);
    if (!known || known->presence.empty()) return;
    if (!add_feeds(source, device)) return;
    feeds_unwritten_.emplace_back(source, device);
    Bytes entries;
    append_feeds(source, device, entries);
    log_entries(entries);
}

void Ledger::hear_own(SourceId id, std::string_view device, std::uint64_t number, std::uint64_t modulus) {
    if (closed_ || number >= UINT64_MAX - 1) return;
    Source& source = source_at(id);
    auto own = source.own.find(device);
    if (own == source.own.end()) {
        if (source.own.size() >= own_kept_max) return;
        own = source.own.emplace(device, Own{shard_.utc_now(), {}, false}).first;
    }
    Ranges& heard = own->second.heard;
    std::uint64_t unwrapped = number;
    if (modulus > 0 && !heard.empty()) {
        unwrapped = heard.last() - heard.last() % modulus + number % modulus;
        if (unwrapped + modulus / 2 < heard.last()) unwrapped += modulus;
    }
    const bool begins_anew = modulus == 0 && !heard.empty() && unwrapped < heard.last() &&
                             (unwrapped <= 1 || heard.last() - unwrapped > own_fall_max);
    if (begins_anew) own->second = Own{shard_.utc_now(), {}, false};
    if (!heard.empty() && unwrapped > heard.last() + 1) own_missing_total.add();
    // A range more than the number, because 0 has no place in a union that counts from 1.
    heard.add(unwrapped + 1, unwrapped + 1);
    heard.limit(own_ranges_max);
    own->second.dirty = true;
    mark(source, id);
    Ranges one;
    one.add(unwrapped + 1, unwrapped + 1);
    Bytes entries;
    append_own(id, device, own->second.since, one, entries);
    log_entries(entries);
}

// --- the same from log and files

void Ledger::add_refused(SourceId id, std::int64_t hour, const Refused& refused) {
    Source& source = source_at(id);
    Hour& entry = ensure_hour(source, hour);
    merge_refused(entry.refused, refused, refused_kept_max);
    entry.dirty = true;
    mark(source, id);
}

void Ledger::add_presence(SourceId id, const PresenceEvent& event) {
    Source& source = source_at(id);
    const auto same_time = std::ranges::equal_range(source.presence, event.time, {}, &PresenceEvent::time);
    if (std::ranges::find(same_time, event) != same_time.end()) return;
    const auto at = same_time.end();
    if (at == source.presence.end()) {
        source.presence.push_back(event);
        source.presence_unwritten = std::min(source.presence_unwritten + 1, source.presence.size());
    } else {
        source.presence.insert(at, event);
        source.presence_unwritten = source.presence.size();
    }
    mark(source, id);
    while (source.presence.size() > presence_kept_max && source.presence_unwritten < source.presence.size()) {
        source.presence.pop_front();
        source.presence_cut = true;
    }
    // A flapping link between two writes: the oldest of it is given up.
    while (source.presence.size() > 16 * presence_kept_max) {
        source.presence.pop_front();
        source.presence_cut = true;
        source.presence_unwritten = std::min(source.presence_unwritten, source.presence.size());
    }
}

void Ledger::add_own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard) {
    Source& source = source_at(id);
    auto own = source.own.find(device);
    if (own == source.own.end()) {
        if (source.own.size() >= own_kept_max) return;
        own = source.own.emplace(device, Own{since, {}, false}).first;
    }
    if (since < own->second.since) return;
    if (since > own->second.since) own->second = Own{since, {}, false};
    own->second.heard.add(heard);
    own->second.heard.limit(own_ranges_max);
    own->second.dirty = true;
    mark(source, id);
}

/// True when that is new.
bool Ledger::add_feeds(SourceId id, std::string_view device) {
    auto at = feeds_.find(std::string(device));
    if (at == feeds_.end()) {
        if (feeds_.size() >= devices_fed_max) return false;
        at = feeds_.emplace(device, std::vector<SourceId>()).first;
    }
    std::vector<SourceId>& sources = at->second;
    if (std::ranges::find(sources, id) != sources.end()) return false;
    if (sources.size() == feeds_kept_max) sources.erase(sources.begin());
    sources.push_back(id);
    return true;
}

void Ledger::add_up(const UpTime& up) {
    const auto at = std::ranges::lower_bound(up_, up.from, {}, &UpTime::from);
    if (at != up_.end() && at->from == up.from) {
        at->until = std::max(at->until, up.until);
        at->closed |= up.closed;
    } else {
        up_.insert(at, up);
    }
    if (up_.size() > up_times_max) up_.erase(up_.begin());
    up_dirty_ = true;
}

// --- life

void Ledger::start(Log& log) {
    ASSERT(!log_);
    log_ = &log;
    const UtcTime now = shard_.utc_now();
    // A clock that was set back must not make two lives of the house overlap.
    for (UpTime& up : up_) up.until = std::max(up.from, std::min(up.until, now));
    add_up({now, now, false});
    // No connection outlives the house.
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (sources_[i].presence.empty() || sources_[i].presence.back().presence != Presence::Connected) continue;
        add_presence(SourceId(i + 1), {now, Presence::Away});
        append_presence(SourceId(i + 1), {now, Presence::Away}, at_start_);
    }
    written_hour_ = hour_of(now);
    beat_ = shard_.every(beat_period, [this] { beat(); });
}

/// "Still up", once a minute, so that after a kill it is known to the minute when that was.
void Ledger::beat() {
    UpTime& life = up_.back();
    life.until = std::max(life.until, shard_.utc_now());
    up_dirty_ = true;
    log_up();
    const std::int64_t hour = hour_of(shard_.utc_now());
    bool crowded = false;
    for (const SourceId id : dirty_) crowded |= source_at(id).presence_unwritten > presence_kept_max;
    if (hour != written_hour_ || crowded) {
        written_hour_ = hour;
        write([](const Result<void>&) {});
    }
    trim();
}

void Ledger::log_up() {
    up_logged_ = true;
    Bytes entries = std::exchange(at_start_, {});
    append_up(up_.back(), entries);
    // Refusals are counted all the time and kept with the beat: a kill costs a minute of them, no more.
    for (const SourceId id : dirty_) {
        for (const Hour& hour : source_at(id).hours) {
            if (!hour.dirty) continue;
            for (const Refused& refused : hour.refused) append_refused(id, hour.hour, refused, entries);
        }
    }
    log_entries(entries);
}

void Ledger::log_entries(const Bytes& entries) {
    if (!log_ || entries.empty()) return;
    append_ledger(entries, log_->tail());
    log_->gathered();
}

void Ledger::trim() {
    if (rewrite_ || writing_) return;
    const std::int64_t oldest = hour_of(shard_.utc_now()) - hours_resident;
    for (Source& source : sources_) {
        while (!source.hours.empty() && source.hours.front().hour < oldest && !source.hours.front().dirty)
            source.hours.pop_front();
    }
}

void Ledger::close() {
    if (closed_ || !log_) return;
    UpTime& life = up_.back();
    life.until = std::max(life.until, shard_.utc_now());
    life.closed = true;
    log_up();
    closed_ = true;
    beat_.cancel();
    retry_commit_.cancel();
    retry_write_.cancel();
    if (!waits_for_commit_) release_writers(UINT64_MAX);
}

}  // namespace lineshaft::store
