/// The ledger's files: reading the newest at start, writing what has changed.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/ledger.h"

namespace lineshaft::store {
namespace {

constexpr Duration retry_after = 1s;
constexpr std::uint64_t compact_bytes_min = 8 * 1024 * 1024;
constexpr std::uint64_t compact_factor = 4;
constexpr std::size_t up_times_carried = 1000;

Counter writes_total{"lineshaft_ledger_writes_total", "", "Writes of the ledger to its files"};
Counter bytes_total{"lineshaft_ledger_bytes_total", "", "Bytes written to the ledger's files"};

}  // namespace

/// Applies what is read.
class Ledger::Loading final : public LedgerVisitor {
public:
    Loading(Ledger& ledger, std::int64_t oldest_hour) : ledger_(ledger), oldest_hour_(oldest_hour) {}

    void source(SourceId id, std::string_view name) override {
        if (id.value() > sources_max) return;
        Source& source = ledger_.source_at(id);
        if (!source.name.empty()) return;
        source.name = name;
        ledger_.ids_[source.name] = id;
    }
    void stored(SourceId id, std::uint64_t assigned_to, UtcTime heard, const Ranges& stored) override {
        if (id.value() > sources_max) return;
        Source& source = ledger_.source_at(id);
        source.assigned_to = std::max(source.assigned_to, assigned_to);
        source.last_heard = std::max(source.last_heard, heard);
        source.stored.add(stored);
        source.stored.limit(stored_ranges_max);
        ledger_.mark(source, id);
    }
    void hour(SourceId id, std::int64_t hour, const Ranges& stored) override {
        if (hour < oldest_hour_ || id.value() > sources_max) return;
        Source& source = ledger_.source_at(id);
        Hour& entry = ledger_.ensure_hour(source, hour);
        entry.stored.add(stored);
        entry.assigned = entry.stored.count();
        entry.dirty = true;
        ledger_.mark(source, id);
    }
    void refused(SourceId id, std::int64_t hour, const Refused& refused) override {
        if (hour >= oldest_hour_ && id.value() <= sources_max) ledger_.add_refused(id, hour, refused);
    }
    void presence(SourceId id, const PresenceEvent& event) override {
        if (id.value() <= sources_max) ledger_.add_presence(id, event);
    }
    void up(const UpTime& up) override { ledger_.add_up(up); }
    void feeds(SourceId id, std::string_view device) override {
        if (id.value() <= sources_max && ledger_.add_feeds(id, device))
            ledger_.feeds_unwritten_.emplace_back(id, device);
    }
    void own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard) override {
        if (id.value() <= sources_max) ledger_.add_own(id, device, since, heard);
    }

private:
    // Ids count from 1 without gaps: a wild one is damage that the checksum missed, and must not cost memory.
    static constexpr std::uint64_t sources_max = 10'000'000;

    Ledger& ledger_;
    const std::int64_t oldest_hour_;
};

Result<void> Ledger::open(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (const std::uint32_t month = ledger_month(name); month > 0) months_.push_back(month);
    }
    std::ranges::sort(months_);
    const std::int64_t oldest_hour = hour_of(shard_.utc_now()) - 2;
    while (!months_.empty()) {
        const std::string path = options_.directory + "/" + ledger_name(months_.back());
        const auto file = TRY(disk_.open(path));
        Loading loading(*this, oldest_hour);
        const auto read = read_ledger_file(file->map(), loading);
        if (read) {
            file_bytes_ = base_bytes_ = read->good_bytes;
            if (read->damaged) damage_ = fmt::format("{}: part of it is damaged; what is whole was read", path);
            break;
        }
        if (read.error().code() != ErrorCode::Corrupt) return std::unexpected(read.error());
        damage_ = fmt::format("{}: {}", path, read.error().detail());
        TRY_VOID(disk_.rename(path, path + ".corrupt"));
        months_.pop_back();
    }
    if (!damage_.empty()) log_error("{}", damage_);
    forget_changes();
    return {};
}

void Ledger::replay(ByteView entries) {
    Loading loading(*this, INT64_MIN);
    const auto read = read_entries(entries, loading);
    if (!read) log_error("{}: a ledger entry of the log is damaged", options_.directory);
}

std::vector<std::string> Ledger::files() const {
    std::vector<std::string> names;
    for (const std::uint32_t month : months_) names.push_back(ledger_name(month));
    return names;
}

void Ledger::forget_changes() {
    for (const SourceId id : dirty_) {
        Source& source = source_at(id);
        source.dirty = false;
        source.presence_unwritten = 0;
        for (Hour& hour : source.hours) hour.dirty = false;
        for (auto& [device, own] : source.own) own.dirty = false;
    }
    dirty_.clear();
    feeds_unwritten_.clear();
    up_dirty_ = false;
}

/// What has changed since the write before.
void Ledger::collect(RecordPacker& into) {
    for (const SourceId id : dirty_) {
        const Source& source = source_at(id);
        if (!source.name.empty()) append_source_entry(id, source.name, into.entries());
        append_stored(id, source.assigned_to, source.last_heard, source.stored, into.entries());
        for (const Hour& hour : source.hours) {
            if (!hour.dirty) continue;
            if (!hour.stored.empty()) append_hour(id, hour.hour, hour.stored, into.entries());
            for (const Refused& refused : hour.refused) append_refused(id, hour.hour, refused, into.entries());
        }
        for (std::size_t i = source.presence.size() - source.presence_unwritten; i < source.presence.size(); ++i)
            append_presence(id, source.presence[i], into.entries());
        for (const auto& [device, own] : source.own) {
            if (own.dirty) append_own(id, device, own.since, own.heard, into.entries());
        }
    }
    for (const auto& [id, device] : feeds_unwritten_) append_feeds(id, device, into.entries());
    if (up_dirty_ && !up_.empty()) {
        // The life before too: its end may have become known by the log.
        if (up_.size() > 1) append_up(up_[up_.size() - 2], into.entries());
        append_up(up_.back(), into.entries());
    }
}

/// Everything that memory holds: the beginning of a file, so that the newest file is enough at the next start.
void Ledger::carry(RecordPacker& into) const {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        const Source& source = sources_[i];
        const SourceId id(i + 1);
        if (!source.name.empty()) append_source_entry(id, source.name, into.entries());
        if (source.assigned_to > 0)
            append_stored(id, source.assigned_to, source.last_heard, source.stored, into.entries());
        for (const Hour& hour : source.hours) {
            if (!hour.stored.empty()) append_hour(id, hour.hour, hour.stored, into.entries());
            for (const Refused& refused : hour.refused) append_refused(id, hour.hour, refused, into.entries());
        }
        for (const PresenceEvent& event : source.presence) append_presence(id, event, into.entries());
        for (const auto& [device, own] : source.own) append_own(id, device, own.since, own.heard, into.entries());
    }
    for (const auto& [device, sources] : feeds_) {
        for (const SourceId id : sources) append_feeds(id, device, into.entries());
    }
    const std::size_t first = up_.size() > up_times_carried ? up_.size() - up_times_carried : 0;
    for (std::size_t i = first; i < up_.size(); ++i) append_up(up_[i], into.entries());
}

/// Months whose samples retention has taken.
void Ledger::expire(Job& job) {
    if (!options_.retention_age) return;
    const UtcTime kept = shard_.utc_now() - *options_.retention_age;
    while (months_.size() > 1 && month_start(months_.front() + 1) < kept) {
        job.expired.push_back(options_.directory + "/" + ledger_name(months_.front()));
        months_.erase(months_.begin());
    }
}

Ledger::Job Ledger::next_job() {
    Job job;
    const std::uint32_t now = month_of(shard_.utc_now());
    if (months_.empty() || now > months_.back()) {
        months_.push_back(std::max(now, std::uint32_t{1}));
        file_.reset();
        job.whole = true;
    } else if (rewrite_ || (file_bytes_ > compact_bytes_min && file_bytes_ > compact_factor * base_bytes_)) {
        job.whole = job.keep = true;
    }
    job.path = options_.directory + "/" + ledger_name(months_.back());
    if (job.whole) {
        RecordPacker packer(encode_ledger_header(shard_.id(), months_.back()));
        carry(packer);
        job.bytes = packer.take();
    } else {
        RecordPacker packer;
        collect(packer);
        job.bytes = packer.take();
        job.good_bytes = file_bytes_;
    }
    job.file = std::move(file_);
    expire(job);
    forget_changes();
    return job;
}

Ledger::Job Ledger::run(Disk& disk, Job job) {
    const auto work = [&]() -> Result<void> {
        if (job.whole) {
            job.file.reset();
            if (job.keep && disk.exists(job.path)) {
                const auto file = TRY(disk.open(job.path));
                RecordPacker packer(std::move(job.bytes));
                const auto kept = compact(file->map(), packer);
                job.bytes = packer.take();
                if (!kept && kept.error().code() != ErrorCode::Corrupt) return kept;
            }
            TRY_VOID(disk.replace(job.path, job.bytes));
            job.good_bytes = job.bytes.size();
            job.file = TRY(disk.reopen(job.path, job.good_bytes));
        } else if (!job.bytes.empty()) {
            if (!job.file) job.file = TRY(disk.reopen(job.path, job.good_bytes));
            TRY_VOID(job.file->append(job.bytes));
            TRY_VOID(job.file->sync());
            job.good_bytes += job.bytes.size();
        }
        // What cannot be removed now is tried again by nobody: a few kilobytes a month.
        for (const std::string& path : job.expired) (void)disk.remove(path);
        return {};
    };
    job.outcome = work();
    if (!job.outcome) job.file.reset();
    return job;
}

void Ledger::start_write() {
    if (writing_) return;
    writing_ = true;
    flying_writers_ = std::exchange(writers_, {});
    // The pool's answer may come when this has died: the historian waits for it, a test need not.
    pool_.run(
        shard_, [&disk = disk_, job = next_job()]() mutable { return run(disk, std::move(job)); },
        [this, life = std::weak_ptr(life_)](Job job) {
            if (!life.expired()) written(std::move(job));
        });
}

void Ledger::written(Job job) {
    writing_ = false;
    if (job.outcome) {
        writes_total.add();
        bytes_total.add(static_cast<std::int64_t>(job.bytes.size()));
        if (job.whole) base_bytes_ = job.good_bytes;
        file_bytes_ = job.good_bytes;
        file_ = std::move(job.file);
        rewrite_ = false;
    } else {
        log_error("{}: the ledger cannot be written, trying again: {}", job.path, job.outcome.error().message());
        rewrite_ = true;
        if (!closed_) retry_write_ = shard_.after(retry_after, [this] { start_write(); });
    }
    for (flow::Settled& done : std::exchange(flying_writers_, {})) done(job.outcome);
    if (!job.outcome) {
        for (flow::Settled& done : std::exchange(writers_, {})) done(job.outcome);
    } else if (!writers_.empty()) {
        start_write();
    }
    ended_();
}

Result<void> Ledger::write_now() {
    ASSERT(!writing_);
    Job job = run(disk_, next_job());
    TRY_VOID(std::move(job.outcome));
    if (job.whole) base_bytes_ = job.good_bytes;
    file_bytes_ = job.good_bytes;
    file_ = std::move(job.file);
    return {};
}

}  // namespace lineshaft::store
