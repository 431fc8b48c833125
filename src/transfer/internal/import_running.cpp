// The import that runs: stretch by stretch, each durable before the next one is read.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "transfer/internal/import_queue.h"

namespace lineshaft::transfer {
namespace {

Counter points_done{"lineshaft_import_points_total", "", "Points imported from files and durable"};
Counter lines_refused{"lineshaft_import_refused_total", "", "Lines of imported files that could not be read or kept"};

constexpr std::uint64_t points_per_save = 500'000;
constexpr Duration names_look_period = 50ms;
constexpr int names_looks_max = 100;

}  // namespace

void Imports::Impl::run_next() {
    if (running_ || is_closing_) return;
    const auto next = std::ranges::find_if(jobs_, [](const auto& entry) {
        return entry.second->info.state == ImportState::Waiting && !entry.second->removed;
    });
    if (next == jobs_.end()) return;
    running_ = next->second.get();
    ImportJob& job = *running_;
    job.info.state = ImportState::Running;
    job.saved_points = job.info.points;
    job.kept_refused = 0;
    job.error.reset();
    struct Files {
        std::shared_ptr<const ReadFile> data;
        std::unique_ptr<AppendFile> refused;
    };
    pool_.run(
        shard_,
        [&disk = disk_, folder = folder_of(job.info.id)]() -> Result<Files> {
            Files files;
            files.data = TRY(disk.open(folder + "/data"));
            if (disk.exists(folder + "/refused.csv")) TRY_VOID(disk.remove(folder + "/refused.csv"));
            files.refused = TRY(disk.create(folder + "/refused.csv"));
            TRY_VOID(files.refused->append(as_bytes("line,reason\n")));
            return files;
        },
        guarded([this, &job](Result<Files> files) {
            if (!files) return ended(job, files.error());
            job.refused_file = std::move(files->refused);
            const std::uint64_t skip = job.info.dry_run ? UINT64_MAX : job.info.points;
            job.reader = std::make_unique<ImportReader>(files->data, job.info.options, skip);
            read(job);
        }));
}

bool Imports::Impl::may_go_on(ImportJob& job) {
    ASSERT(&job == running_);
    if (!job.removed && !is_closing_) return true;
    job.reader.reset();
    job.refused_file.reset();
    job.batches.clear();
    running_ = nullptr;
    const Import info = job.info;
    if (job.removed)
        forget(info.id);
    else
        save(info);
    if (is_closing_)
        std::exchange(closed_, nullptr)();
    else
        run_next();
    return false;
}

/// What went to the pool, and what it has made of it.
struct Imports::Impl::WasRead {
    std::unique_ptr<ImportReader> reader;
    std::unique_ptr<AppendFile> refused_file;
    Result<ImportReader::Stretch> stretch;
};

void Imports::Impl::read(ImportJob& job) {
    if (!may_go_on(job)) return;
    pool_.run(
        shard_,
        [reader = std::move(job.reader), refused = std::move(job.refused_file)]() mutable -> WasRead {
            auto stretch = reader->read();
            if (const auto kept = refused->append(as_bytes(reader->take_refused())); !kept)
                stretch = std::unexpected(kept.error());
            return {std::move(reader), std::move(refused), std::move(stretch)};
        },
        guarded([this, &job](WasRead read) { was_read(job, std::move(read)); }));
}

void Imports::Impl::was_read(ImportJob& job, WasRead read) {
    job.reader = std::move(read.reader);
    job.refused_file = std::move(read.refused_file);
    Result<ImportReader::Stretch>& stretch = read.stretch;
    Import& info = job.info;
    const ImportReader& reader = *job.reader;
    info.read_bytes = reader.read_bytes();
    if (reader.format() != wire::dump::Format::Auto) info.options.format = reader.format();
    info.refused = reader.refused() + job.kept_refused;
    info.refusals = reader.refusals();
    info.tags = reader.tags();
    info.tag_count = reader.tag_count();
    info.first = reader.first();
    info.last = reader.last();
    if (info.dry_run) info.points = reader.points();
    if (!stretch) return ended(job, stretch.error());
    job.batches = std::move(stretch->batches);
    job.stretch_points = stretch->points;
    job.last_stretch = stretch->ended;
    give(job);
}

/// Offers what was read; the next stretch is read when all of it is durable.
void Imports::Impl::give(ImportJob& job) {
    while (!job.batches.empty()) {
        ReadingBatch& batch = job.batches.front();
        batch.tenant = job.info.tenant;
        batch.source = "import/" + job.info.name;
        batch.receive_time = shard_.utc_now();
        flow::Settled done = guarded([this, &job](Result<void> result) { settled(job, std::move(result)); });
        if (readings_.offer(batch, done) == flow::Took::None) return wait_for_room(job);
        ++job.unsettled;
        job.batches.pop_front();
    }
    if (job.unsettled == 0) stretch_done(job);
}

void Imports::Impl::wait_for_room(ImportJob& job) {
    job.waits = true;
    readings_.when_ready(guarded([this, id = job.info.id] {
        if (!running_ || running_->info.id != id || !std::exchange(running_->waits, false)) return;
        give(*running_);
    }));
}

void Imports::Impl::settled(ImportJob& job, Result<void> result) {
    --job.unsettled;
    if (!result && !job.error) job.error = std::move(result).error();
    if (job.unsettled > 0) return;
    if (job.batches.empty()) return stretch_done(job);
    if (is_closing_ && job.waits) may_go_on(job);
}

void Imports::Impl::count_refused(ImportJob& job, std::uint64_t count) {
    job.kept_refused += count;
    job.info.refused += count;
    if (job.info.refusals.size() < refusals_shown_max) job.info.refusals.push_back({0, job.error->message()});
}

void Imports::Impl::stretch_done(ImportJob& job) {
    if (job.error && job.error->code() == ErrorCode::InvalidArgument) {
        // Names that could not be kept say nothing about the next ones.
        count_refused(job, 1);
        job.error.reset();
    }
    if (job.error) return ended(job, *std::exchange(job.error, std::nullopt));
    if (!job.info.dry_run) {
        job.info.points += job.stretch_points;
        points_done.add(static_cast<std::int64_t>(job.stretch_points));
    }
    if (job.last_stretch) {
        job.looks_left = names_looks_max;
        return wait_for_names(job);
    }
    if (job.info.points - job.saved_points >= points_per_save) {
        job.saved_points = job.info.points;
        save(job.info);
    }
    read(job);
}

/// Who asks for the tags of an import that is done shall find them.
void Imports::Impl::wait_for_names(ImportJob& job) {
    if (!may_go_on(job)) return;
    const bool waits = options_.are_named && !job.info.dry_run && job.looks_left > 0 &&
                       !options_.are_named(job.info.tenant, job.info.tags);
    if (!waits) return ended(job, std::nullopt);
    --job.looks_left;
    job.look = shard_.after(names_look_period, [this, &job] { wait_for_names(job); });
}

void Imports::Impl::ended(ImportJob& job, std::optional<Error> error) {
    Import& info = job.info;
    info.state = error ? ImportState::Failed : ImportState::Done;
    info.error = error ? error->message() : std::string();
    info.finished = shard_.utc_now();
    info.expires = info.finished + options_.expiry;
    if (error) log_warning("import {} of {} failed: {}", info.id, info.name, error->message());
    lines_refused.add(static_cast<std::int64_t>(info.refused));
    job.reader.reset();
    job.refused_file.reset();
    job.batches.clear();
    if (!may_go_on(job)) return;
    save(info);
    running_ = nullptr;
    run_next();
}

void Imports::Impl::close(Task done) {
    ASSERT(!is_closing_);
    is_closing_ = true;
    sweep_timer_.cancel();
    if (!running_) return done();
    closed_ = std::move(done);
    // A house that is full may stay so: nobody waits for that.
    if (running_->waits && running_->unsettled == 0) may_go_on(*running_);
}

}  // namespace lineshaft::transfer
