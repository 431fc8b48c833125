#include "south/mqtt/internal/journal.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"

namespace lineshaft::mqtt {

Journal::Journal(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::unique_ptr<AppendFile> file,
                 std::size_t file_bytes)
    : shard_(shard),
      disk_(disk),
      pool_(pool),
      options_(std::move(options)),
      file_(std::move(file)),
      file_bytes_(file_bytes),
      snapshot_bytes_(file_bytes) {}

RecordWriter Journal::write() {
    commit_soon();
    return RecordWriter(pending_, ClockPair{shard_.utc_now(), shard_.now()});
}

void Journal::when_durable(flow::Settled settled) {
    if (failed_) {
        shard_.post([settled = std::move(settled), why = why_]() mutable { settled(std::unexpected(why)); });
        return;
    }
    waiting_.push_back(std::move(settled));
    commit_soon();
}

void Journal::when_idle(Task done) {
    if (!running_) return shard_.post(std::move(done));
    idle_.push_back(std::move(done));
}

void Journal::commit_soon() {
    if (running_ || failed_) return;
    running_ = true;
    shard_.defer([this] { commit(); });
}

void Journal::commit() {
    ASSERT(running_ && committing_.empty());
    const std::size_t limit = std::max(options_.rewrite_bytes_min, 2 * snapshot_bytes_);
    if (!file_ || file_bytes_ + pending_.size() > limit) return rewrite();
    committing_ = std::exchange(waiting_, {});
    pool_.run(
        shard_,
        [file = std::move(file_), bytes = std::exchange(pending_, {})]() mutable {
            Outcome outcome;
            outcome.result = file->append(bytes);
            if (outcome.result) outcome.result = file->sync();
            outcome.file_bytes = file->size();
            outcome.file = std::move(file);
            return outcome;
        },
        [this](Outcome outcome) { finish(std::move(outcome), false); });
}

/// What is pending is part of the state, hence of the snapshot: who waits for it waits for the snapshot.
void Journal::rewrite() {
    committing_ = std::exchange(waiting_, {});
    pending_.clear();
    file_.reset();
    Bytes bytes;
    options_.write_snapshot(bytes);
    pool_.run(
        shard_,
        [&disk = disk_, path = options_.path, bytes = std::move(bytes)] {
            Outcome outcome;
            outcome.file_bytes = bytes.size();
            outcome.result = disk.replace(path, bytes);
            if (!outcome.result) return outcome;
            auto file = disk.reopen(path, bytes.size());
            if (file) {
                outcome.file = std::move(*file);
            } else {
                outcome.result = std::unexpected(file.error());
            }
            return outcome;
        },
        [this](Outcome outcome) { finish(std::move(outcome), true); });
}

void Journal::finish(Outcome outcome, bool rewritten) {
    running_ = false;
    auto told = std::exchange(committing_, {});
    if (outcome.result) {
        if (failed_) log_info("mqtt: the journal {} is written again", options_.path);
        failed_ = false;
        file_ = std::move(outcome.file);
        file_bytes_ = outcome.file_bytes;
        if (rewritten) snapshot_bytes_ = file_bytes_;
    } else {
        if (!failed_) log_error("mqtt: the journal {}: {}", options_.path, outcome.result.error().message());
        failed_ = true;
        why_ = outcome.result.error();
        file_.reset();  // Never trusted again: a later success would not mean that the earlier bytes are there.
        pending_.clear();
        std::ranges::move(std::exchange(waiting_, {}), std::back_inserter(told));
        retry_ = shard_.after(options_.retry_period, [this] {
            if (running_) return;
            running_ = true;
            rewrite();
        });
    }
    const Result<void> result = std::move(outcome.result);
    for (flow::Settled& settled : told) settled(result);
    if (!failed_ && (!pending_.empty() || !waiting_.empty())) commit_soon();
    if (!running_) {
        for (Task& done : std::exchange(idle_, {})) done();
    }
}

}  // namespace lineshaft::mqtt
