#include "audit/log.h"

#include <future>
#include <mutex>

#include <fmt/format.h>

#include "audit/internal/segments.h"

namespace lineshaft::audit {

std::string_view to_text(Outcome outcome) {
    switch (outcome) {
        case Outcome::Done: return "done";
        case Outcome::Refused: return "refused";
        case Outcome::Failed: return "failed";
    }
    return "unknown";
}

struct Log::State {
    struct Waiting {
        Entry entry;
        std::move_only_function<void(Result<std::uint64_t>)> answer;
    };

    // Set once.
    Disk& disk;
    const Clock& clock;
    WorkerPool& pool;
    const Options options;
    // One thread at a time writes: whoever has set `writing`. It takes all that wait, so they share one sync.
    Segments segments;
    // The mutex is a leaf: nothing is locked under it, nothing blocks under it.
    std::mutex mutex;
    std::vector<Waiting> waiting;
    bool writing = false;
    Extent extent;  // Of `segments` after the last write, for readers.
};

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::open(Disk& disk, const Clock& clock, WorkerPool& pool, Options options) {
    auto segments = TRY(Segments::open(disk, options.directory, options.segment_bytes_max, clock.utc_now()));
    Extent extent = segments.extent();
    auto state = std::unique_ptr<State>(
        new State{disk, clock, pool, std::move(options), std::move(segments), {}, {}, false, std::move(extent)});
    return std::unique_ptr<Log>(new Log(std::move(state)));
}

Result<std::uint64_t> Log::record(Entry entry) {
    std::promise<Result<std::uint64_t>> kept;
    auto future = kept.get_future();
    add(std::move(entry), [&kept](Result<std::uint64_t> number) { kept.set_value(std::move(number)); });
    keep_waiting();
    return future.get();
}

void Log::post_record(Shard& caller, Entry entry, Done<std::uint64_t> done) {
    add(std::move(entry), [&caller, done = std::move(done)](Result<std::uint64_t> number) mutable {
        caller.post([done = std::move(done), number = std::move(number)]() mutable { done(std::move(number)); });
    });
    state_->pool.post([this] { keep_waiting(); });
}

void Log::add(Entry entry, std::move_only_function<void(Result<std::uint64_t>)> answer) {
    if (entry.time.is_none()) entry.time = state_->clock.utc_now();
    const std::size_t bytes =
        entry.actor.size() + entry.address.size() + entry.action.size() + entry.target.size() + entry.detail.size();
    if (bytes > entry_bytes_max) {
        return answer(fail(ErrorCode::TooLarge,
                           fmt::format("an audit entry of {} bytes; {} are allowed", bytes, entry_bytes_max)));
    }
    const std::lock_guard lock(state_->mutex);
    state_->waiting.push_back({std::move(entry), std::move(answer)});
}

void Log::keep_waiting() {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    if (state.writing) return;  // Whoever writes looks again before it stops.
    state.writing = true;
    while (!state.waiting.empty()) {
        auto group = std::exchange(state.waiting, {});
        lock.unlock();
        std::vector<Entry*> entries;
        for (auto& waiting : group) entries.push_back(&waiting.entry);
        const auto first = state.segments.append(entries);
        Extent extent = state.segments.extent();
        lock.lock();
        state.extent = std::move(extent);
        lock.unlock();
        for (std::size_t i = 0; i < group.size(); ++i) {
            group[i].answer(first ? Result<std::uint64_t>(*first + i) : std::unexpected(first.error()));
        }
        lock.lock();
    }
    state.writing = false;
}

Result<Page> Log::list(const Filter& filter, std::optional<std::uint64_t> cursor, std::size_t limit) {
    std::unique_lock lock(state_->mutex);
    const Extent extent = state_->extent;
    lock.unlock();
    return Segments::list(state_->disk, extent, filter, cursor, limit);
}

void Log::post_list(Shard& caller, Filter filter, std::optional<std::uint64_t> cursor, std::size_t limit,
                    Done<Page> done) {
    state_->pool.run(
        caller, [this, filter = std::move(filter), cursor, limit] { return list(filter, cursor, limit); },
        std::move(done));
}

void Log::post_verify(Shard& caller, Done<Verdict> done) {
    state_->pool.run(
        caller,
        [this] {
            std::unique_lock lock(state_->mutex);
            const Extent extent = state_->extent;
            lock.unlock();
            return Segments::verify(state_->disk, extent);
        },
        std::move(done));
}

std::uint64_t Log::entries() const {
    const std::lock_guard lock(state_->mutex);
    return state_->extent.end.number;
}

Result<Verdict> Log::verify(Disk& disk, const std::string& directory) { return Segments::verify(disk, directory); }

}  // namespace lineshaft::audit
