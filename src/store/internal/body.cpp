#include "store/internal/body.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/days.h"

namespace lineshaft::store {
namespace {

constexpr Duration retry_after = 1s;
constexpr double flush_bytes_per_second = 30e6;  // What a slow disk and a busy processor still manage.

Counter samples_total{"lineshaft_store_samples_total", "", "Samples taken"};
Counter flushes_total{"lineshaft_store_flushes_total", "", "Memory tables written to segments"};

State state_of(const Error& error) { return error.code() == ErrorCode::DiskFull ? State::DiskFull : State::Failed; }

}  // namespace

Historian::Body::Body(Shard& shard, Disk& disk, WorkerPool& log_pool, WorkerPool& disk_pool, Options options)
    : shard_(shard),
      disk_(disk),
      log_pool_(log_pool),
      disk_pool_(disk_pool),
      options_(std::move(options)),
      manifest_log_(disk, options_.path, {"MANIFEST", "MANIFEST.2"}, manifest_magic, shard.id()),
      catalog_log_(disk, options_.path, {"CATALOG"}, catalog_magic, shard.id()) {}

void Historian::Body::register_series(TagId tag, const SeriesInfo& info) {
    ASSERT(tag != TagId());
    SeriesState& state = catalog_.ensure_series(tag);
    if (!catalog_.set_info(state, info)) return;
    note_name(state);
    if (state.active_order != active_->order) return;  // Logged with its first sample.
    state.active->set_info(state.info);
    append_series(tag, info, log_->tail());
    log_->gathered();
}

SourceId Historian::Body::source_id(std::string_view name) {
    const auto [id, fresh] = catalog_.ensure_source(name);
    if (fresh) {
        append_source(id, name, log_->tail());
        ledger_->put_source(id, name, 0);
    }
    return id;
}

bool Historian::Body::is_ready() const {
    // With one table on its way to disk a second one may fill; not a third.
    return !closing_ && log_->is_ready() && (!frozen_ || !active_->is_full(options_.memtable_bytes));
}

void Historian::Body::offer(const Batch& batch) {
    ASSERT(shard_.is_current() && !closing_);
    if (batch.empty()) return;
    take_rows(batch);
    append_samples(batch, log_->tail());
    log_->gathered();
    samples_total.add(static_cast<std::int64_t>(batch.size()));
    samples_taken_ += batch.size();
    check_table();
}

/// Each row touches a series' state, its place in the table and the end of its rows, all of them somewhere else. They are
/// asked for some rows ahead, so that the memory works on many at a time.
void Historian::Body::take_rows(const Batch& batch) {
    if (active_->rows == 0) active_since_ = shard_.now();
    constexpr std::size_t ahead = 32;
    std::array<SeriesState*, ahead> states;
    const UtcTime rounded = kept_receive_time(utc_time_min, batch.receive_time);
    for (std::size_t begin = 0; begin < batch.size(); begin += ahead) {
        const std::size_t count = std::min(ahead, batch.size() - begin);
        for (std::size_t i = 0; i < count; ++i) catalog_.prefetch(batch.tags[begin + i]);
        for (std::size_t i = 0; i < count; ++i) {
            states[i] = &catalog_.ensure_series(batch.tags[begin + i]);
            __builtin_prefetch(states[i], 1);
        }
        for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(states[i]->active, 1);
        for (std::size_t i = 0; i < count; ++i) {
            if (states[i]->active_order == active_->order) __builtin_prefetch(states[i]->active->tail(), 1);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const UtcTime source = batch.source_times[begin + i];
            take_row(*states[i], batch, begin + i, source == batch.receive_time ? source : rounded);
        }
    }
    active_->rows += batch.size();
    catalog_.raise_sequence(batch.source, batch.first_sequence + batch.size() - 1);
    if (ledger_->take(batch)) [[unlikely]]
        note_feeds(batch);
}

/// Which devices a source speaks for, so that its absence explains their gaps.
void Historian::Body::note_feeds(const Batch& batch) {
    std::string_view before;
    for (const TagId tag : batch.tags) {
        const std::string_view device = catalog_.ensure_series(tag).info->device;
        if (device != before && !device.empty()) ledger_->feeds(batch.source, device);
        before = device;
    }
}

void Historian::Body::take_row(SeriesState& state, const Batch& batch, std::size_t row, UtcTime receive) {
    if (state.active_order != active_->order) [[unlikely]]
        enter_table(state);
    const UtcTime source = batch.source_times[row];
    const ValueType type = batch.types[row];
    const std::string_view text = type == ValueType::String ? batch.text_at(row) : std::string_view();
    active_->bytes +=
        state.active->add(active_->arena, source, receive, type, batch.bits[row], batch.qualities[row], text);
    if (state.last == SeriesState::Last::Unknown) [[unlikely]]
        look_up_last(state);
    state.take_last(source, batch.receive_time, type, batch.bits[row], batch.qualities[row], text);
}

/// The first row of a series in this table: it gets a place, and its name goes to the log before its samples.
void Historian::Body::enter_table(SeriesState& state) {
    // New, or not seen since the start: the catalog has to name it before the log that does may go.
    if (!state.is_in_catalog) note_name(state);
    state.before = state.active;
    state.before_order = state.active_order;
    state.active = &active_->series.emplace_back(state.tag, state.info);
    state.active_order = active_->order;
    active_->bytes += sizeof(MemSeries);
    if (log_) append_series(state.tag, *state.info, log_->tail());
}

void Historian::Body::check_table() {
    if (!active_->is_full(options_.memtable_bytes)) return;
    if (frozen_)
        flush_again_ = true;
    else
        freeze();
}

void Historian::Body::freeze() {
    ASSERT(!frozen_ && active_->rows > 0);
    frozen_ = SnapshotOf<MemTable>(std::move(active_));
    active_ = std::make_unique<MemTable>();
    active_->order = next_number_++;
    // What the frozen table holds is in files below this one, or will be in later ones as well: harmless.
    frozen_log_min_ = log_->roll();
    frozen_sources_ = catalog_.sources();
    start_flush();
}

void Historian::Body::start_flush() {
    if (flush_running_ || !frozen_) return;
    flush_running_ = true;
    disk_pool_.run(
        shard_,
        [&disk = disk_, directory = options_.path, shard = shard_.id(), job = next_number_++, table = frozen_,
         mature = mature_before(tidy_now())] {
            Written<std::vector<SegmentMeta>> written{write_table({disk, directory, shard, job, mature}, *table), {}};
            if (!written.outcome) return written;
            for (const SegmentMeta& meta : *written.outcome) {
                auto segment = Segment::open(disk, directory, meta.name);
                if (!segment) {
                    written.outcome = std::unexpected(segment.error());
                    break;
                }
                written.segments.push_back(*std::move(segment));
            }
            return written;
        },
        [this](Written<std::vector<SegmentMeta>> written) { flushed(std::move(written)); });
}

void Historian::Body::flushed(Written<std::vector<SegmentMeta>> written) {
    if (!written.outcome) {
        flush_running_ = false;
        const Error& error = written.outcome.error();
        if (jobs_state_ == State::Ok)
            log_error("{}: memory cannot be written to segments, trying again: {}", options_.path, error.message());
        jobs_state_ = state_of(error);
        jobs_detail_ = error.message();
        settle_flushes(UINT64_MAX, std::unexpected(error));
        if (!closing_) flush_retry_ = shard_.after(retry_after, [this] { start_flush(); });
        return maybe_close();
    }
    flushes_total.add();
    Edit edit;
    edit.added = std::move(written.segments);
    edit.sources = frozen_sources_;
    edit.log_number_min = frozen_log_min_;
    edit.is_flush = true;
    for (const auto& segment : edit.added) compaction_use_.flushed_bytes += segment->meta().bytes;
    note_hour(edit);
    note_flush(std::move(edit));
}

/// The ledger first: the log that it could be made from again may go once the edit stands.
void Historian::Body::note_flush(Edit edit) {
    flush_waits_ = false;
    ledger_->write([this, edit = std::move(edit)](const Result<void>& outcome) mutable {
        if (!outcome && !closing_) {
            jobs_state_ = state_of(outcome.error());
            jobs_detail_ = outcome.error().message();
            settle_flushes(UINT64_MAX, outcome);
            flush_waits_ = true;
            flush_retry_ =
                shard_.after(retry_after, [this, edit = std::move(edit)]() mutable { note_flush(std::move(edit)); });
            return;
        }
        // While closing the edit is tried all the same: without it the log stays, and says it all again.
        if (outcome)
            edits_.push_back(std::move(edit));
        else
            flush_running_ = false;
        start_edit();
        maybe_close();
    });
}

void Historian::Body::settle_flushes(std::uint64_t order, const Result<void>& outcome) {
    std::vector<flow::Settled> settled;
    std::erase_if(flush_waiters_, [&](auto& waiter) {
        if (waiter.first > order) return false;
        settled.push_back(std::move(waiter.second));
        return true;
    });
    for (flow::Settled& done : settled) done(outcome);
}

void Historian::Body::when_ready(Task task) {
    ready_waiters_.push_back(std::move(task));
    changed();
}

void Historian::Body::changed() {
    if (ready_waiters_.empty() || !is_ready()) return;
    for (Task& task : std::exchange(ready_waiters_, {})) shard_.post(std::move(task));
}

void Historian::Body::flush(flow::Settled done) {
    if (closing_) {
        shard_.post([done = std::move(done)]() mutable { done(fail(ErrorCode::Closed)); });
        return;
    }
    if (active_->rows == 0 && !frozen_) {
        shard_.post([done = std::move(done)]() mutable { done({}); });
        return;
    }
    flush_waiters_.emplace_back(active_->rows > 0 ? active_->order : frozen_->order, std::move(done));
    if (!frozen_)
        freeze();
    else if (active_->rows > 0)
        flush_again_ = true;
}

void Historian::Body::close(Task done) {
    ASSERT(!closing_);
    closing_ = true;
    stop_merging_ = true;  // It can take minutes; the next start merges.
    close_done_ = std::move(done);
    ticker_.cancel();
    // The next start is quick then; otherwise the log is read back, which loses nothing either.
    const double seconds = static_cast<double>(active_->bytes) / flush_bytes_per_second;
    const bool in_time =
        options_.close_flush_max && seconds <= std::chrono::duration<double>(*options_.close_flush_max).count();
    if (in_time && active_->rows > 0 && !frozen_ && jobs_state_ == State::Ok && log_->state() == State::Ok) freeze();
    flush_retry_.cancel();
    if (flush_waits_) flush_running_ = false;  // It comes again from the log.
    edit_retry_.cancel();
    ready_waiters_.clear();
    ledger_->close();
    log_->close([this] {
        log_closed_ = true;
        maybe_close();
    });
}

void Historian::Body::maybe_close() {
    const bool edit_waits = !edits_.empty() && !edit_failed_;
    if (!closing_ || closed_ || !log_closed_ || compaction_writing_ || edit_running_ || cleanings_ > 0 ||
        edit_waits || ledger_->is_writing())
        return;
    // A flush that failed, or whose edit did, is in the log and comes again at the next start. One that is still being
    // written, or waits for the ledger, is waited for.
    if (flush_running_ && std::ranges::none_of(edits_, &Edit::is_flush)) return;
    closed_ = true;
    settle_flushes(UINT64_MAX, fail(ErrorCode::Closed));
    lock_.reset();
    std::exchange(close_done_, nullptr)();
}

}  // namespace lineshaft::store
