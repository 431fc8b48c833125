// Taking samples away for good, and putting right what was wrong.
//
//   erase ─► rows of the tags in the active table? freeze it (wait until there is room for a frozen one)
//         ─► hidden from readers at once ─► a record in the log: durable ─► done
//                                        ─► edit {+ erasure} ─► the segments that hold them are rewritten ─► edit {- erasure}
//
// Order decides what is hidden: runs that are older than the table that is active then. The log says the same by the
// place of the record: what is before it is erased when it is read back, what comes after is not.
#include <algorithm>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/body.h"

namespace lineshaft::store {
namespace {

Counter erasures_total{"lineshaft_store_erasures_total", "", "Ranges of tags erased"};
Counter corrections_total{"lineshaft_store_corrected_samples_total", "", "Samples offered as corrections"};

}  // namespace

void Historian::Body::erase(std::vector<TagId> tags, UtcTime from, UtcTime to, Erased erased,
                            std::move_only_function<void(Result<Erased>)> done) {
    const auto refuse = [&](ErrorCode code, const char* why) {
        shard_.post([done = std::move(done), code, why]() mutable { done(fail(code, why)); });
    };
    if (closing_) return refuse(ErrorCode::Closed, "");
    if (to < from) return refuse(ErrorCode::InvalidArgument, "the range ends before it begins");
    if (tags.size() > erase_tags_max) return refuse(ErrorCode::InvalidArgument, "too many tags at once");
    std::ranges::sort(tags);
    tags.erase(std::ranges::unique(tags).begin(), tags.end());
    std::erase_if(tags, [&](TagId tag) { return !catalog_.find_series(tag); });
    if (tags.empty() || to == from) {
        shard_.post([done = std::move(done)]() mutable { done(Erased()); });
        return;
    }
    erase_waiters_.push_back({std::move(tags), from, UtcTime(to.ns() - 1), erased, std::move(done)});
    start_erase();
}

bool Historian::Body::is_in_active(const std::vector<TagId>& tags, UtcTime from, UtcTime last) {
    return std::ranges::any_of(tags, [&](TagId tag) {
        const SeriesState* state = catalog_.find_series(tag);
        if (!state || state->active_order != active_->order || state->active->size() == 0) return false;
        return state->active->last_time() >= from && state->active->first_time() <= last;
    });
}

/// One after another; comes again when a flush has ended.
void Historian::Body::start_erase() {
    while (!erase_waiters_.empty()) {
        EraseWaiter& next = erase_waiters_.front();
        if (is_in_active(next.tags, next.from, next.last)) {
            if (frozen_) return;
            freeze();
        }
        EraseWaiter erase = std::move(next);
        erase_waiters_.pop_front();
        const Erasure erasure = take_erasure(std::move(erase.tags), erase.from, erase.last);
        append_erasure(encode_erasure(erasure), log_->tail());
        log_->gathered();
        Edit edit;
        edit.erasures.push_back(erasure);
        edits_.push_back(std::move(edit));
        erasures_total.add();
        log_->when_durable(
            [done = std::move(erase.done), erased = erase.erased](const Result<void>& durable) mutable {
                if (durable)
                    done(erased);
                else
                    done(std::unexpected(durable.error()));
            });
        start_edit();
    }
}

Erasure Historian::Body::take_erasure(std::vector<TagId> tags, UtcTime from, UtcTime last) {
    Erasure erasure{{from, last, active_->order, next_number_++}, std::move(tags)};
    for (const TagId tag : erasure.tags) {
        SeriesState& state = *catalog_.find_series(tag);
        if (state.last == SeriesState::Last::Known && state.last_source_time >= from &&
            state.last_source_time <= last)
            state.last = SeriesState::Last::Unknown;
    }
    erasures_.add(erasure);
    return erasure;
}

/// A record of the log: what was read back before it is erased.
Result<void> Historian::Body::erase_at_start(ByteView record, std::uint64_t log_number) {
    Erasure read = TRY(decode_erasure(record));
    std::erase_if(read.tags, [&](TagId tag) { return !catalog_.find_series(tag); });
    if (read.tags.empty()) return {};
    if (is_in_active(read.tags, read.hidden.from, read.hidden.last)) TRY_VOID(flush_at_start(log_number));
    Edit edit;
    edit.erasures.push_back(take_erasure(std::move(read.tags), read.hidden.from, read.hidden.last));
    return edit_at_start(edit);
}

void Historian::Body::correct(TagId tag, const Chunk& rows, SourceId source, Corrected corrected,
                              std::move_only_function<void(Result<Corrected>)> done) {
    const auto refuse = [&](ErrorCode code, const char* why) {
        shard_.post([done = std::move(done), code, why]() mutable { done(fail(code, why)); });
    };
    if (closing_) return refuse(ErrorCode::Closed, "");
    if (!catalog_.find_series(tag)) return refuse(ErrorCode::NotFound, "no series has this tag id");
    if (rows.size() > correction_samples_max) return refuse(ErrorCode::InvalidArgument, "too many samples at once");
    if (!is_ready()) return refuse(ErrorCode::Overloaded, "the historian takes nothing at this moment");
    std::size_t row = 0;
    while (row < rows.size()) {
        Batch batch;
        batch.source = source;
        batch.first_sequence = last_sequence(source) + 1;
        batch.receive_time = shard_.utc_now();
        for (; row < rows.size() && batch.size() < limits::batch_samples_max; ++row) {
            batch.add(tag, rows.source_times[row], rows.value_at(row), rows.qualities[row]);
        }
        offer(batch);
    }
    corrections_total.add(static_cast<std::int64_t>(rows.size()));
    log_->when_durable([done = std::move(done), corrected](const Result<void>& durable) mutable {
        if (durable)
            done(corrected);
        else
            done(std::unexpected(durable.error()));
    });
}

}  // namespace lineshaft::store
