#include "transfer/exports.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "transfer/internal/export_job.h"

namespace lineshaft::transfer {
namespace {

Counter job_rows{"lineshaft_export_rows_total", "kind=\"job\"", "Rows exported"};
Counter job_bytes{"lineshaft_export_bytes_total", "kind=\"job\"", "Bytes exported"};
Counter jobs_done{"lineshaft_export_jobs_total", "outcome=\"done\"", "Export jobs ended"};
Counter jobs_failed{"lineshaft_export_jobs_total", "outcome=\"failed\"", "Export jobs ended"};
Gauge kept_bytes{"lineshaft_export_kept_bytes", "", "Bytes of files that exports have made and that are kept"};

constexpr Duration sweep_period = 60s;

bool is_finished(JobState state) { return state == JobState::Done || state == JobState::Failed; }

template <class T>
void answer_on(Shard& caller, Exports::Done<T> done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

std::string_view to_text(JobState state) {
    switch (state) {
        case JobState::Waiting: return "waiting";
        case JobState::Running: return "running";
        case JobState::Done: return "done";
        case JobState::Failed: break;
    }
    return "failed";
}

class Exports::Impl {
public:
    Impl(ExportRooms rooms, Shard& own, Options given) : rooms_(rooms), shard_(own), options_(std::move(given)) {}

    Result<void> open();
    void begin();
    void create(NewExport wanted, Shard& caller, Done<Result<Export>> done);
    void remove(TenantId tenant, std::uint64_t id, Shard& caller, Done<Result<Export>> done);
    Job* find(TenantId tenant, std::uint64_t id);
    std::vector<Export> list(TenantId tenant) const;
    Result<std::pair<ExportFile, std::string>> file_of(TenantId tenant, std::uint64_t id, const std::string& name);
    void close(Task done);

    Shard& shard() { return shard_; }
    ExportRooms& rooms() { return rooms_; }
    template <class Work>
    auto guarded(Work work) {
        return [life = std::weak_ptr(life_), work = std::move(work)](auto&&... args) mutable {
            if (life.lock()) work(std::forward<decltype(args)>(args)...);
        };
    }

private:
    std::string folder_of(const Job& job) const { return job_folder(options_.directory, job.info.id); }
    void run_next();
    void open_part(Job& job);
    void part_opened(Job& job, Result<std::unique_ptr<AppendFile>> file);
    void step(Job& job);
    void stepped(Job& job, Result<Step> step);
    void written(Job& job, bool ended, Result<std::unique_ptr<AppendFile>> file);
    void part_ended(Job& job);
    void job_ended(Job& job, std::optional<Error> error);
    /// Nobody works for `job` now: removes, closes, or says that it may go on.
    bool may_go_on(Job& job);
    Result<void> check_budget(const Job& job);
    void forget(std::uint64_t id);
    void sweep();
    std::uint64_t total_bytes() const;

    ExportRooms rooms_;
    Shard& shard_;
    const Options options_;
    std::map<std::uint64_t, std::unique_ptr<Job>> jobs_;
    Job* running_ = nullptr;
    std::uint64_t last_id_ = 0;
    Timer sweep_timer_;
    bool is_closing_ = false;
    Task closed_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

/// Start-up: jobs of an earlier process. What cannot be read is removed: nobody can get at it any more.
Result<void> Exports::Impl::open() {
    TRY_VOID(rooms_.disk.make_directory(options_.directory));
    for (const std::string& name : TRY(rooms_.disk.list(options_.directory))) {
        std::uint64_t id = 0;
        const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), id);
        if (code != std::errc{} || end != name.data() + name.size()) continue;
        last_id_ = std::max(last_id_, id);
        auto job = load_job(rooms_.disk, options_.directory + "/" + name);
        if (!job) {
            log_warning("export {} is taken away: {}", id, job.error().message());
            TRY_VOID(remove_folder(rooms_.disk, options_.directory + "/" + name));
            continue;
        }
        if ((*job)->info.state == JobState::Running) (*job)->info.state = JobState::Waiting;
        jobs_[id] = *std::move(job);
    }
    return {};
}

void Exports::Impl::begin() {
    sweep_timer_ = shard_.every(sweep_period, [this] { sweep(); });
    sweep();
    run_next();
}

Job* Exports::Impl::find(TenantId tenant, std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second->info.tenant != tenant || found->second->removed) return nullptr;
    return found->second.get();
}

std::vector<Export> Exports::Impl::list(TenantId tenant) const {
    std::vector<Export> list;
    for (const auto& [id, job] : jobs_) {
        if (job->info.tenant == tenant && !job->removed) list.push_back(job->info);
    }
    std::ranges::reverse(list);
    return list;
}

void Exports::Impl::create(NewExport wanted, Shard& caller, Done<Result<Export>> done) {
    if (is_closing_) return answer_on<Result<Export>>(caller, std::move(done), fail(ErrorCode::Closed));
    if (jobs_.size() >= options_.jobs_max)
        return answer_on<Result<Export>>(
            caller, std::move(done),
            fail(ErrorCode::LimitExceeded, fmt::format("{} exports are kept: remove some", jobs_.size())));
    auto parts = parts_of(wanted);
    if (!parts) return answer_on<Result<Export>>(caller, std::move(done), std::unexpected(parts.error()));
    auto job = std::make_unique<Job>();
    last_id_ = std::max<std::uint64_t>(last_id_ + 1, static_cast<std::uint64_t>(shard_.utc_now().ns() / 1'000'000));
    Export& info = job->info;
    info.id = last_id_;
    info.tenant = wanted.tenant;
    info.name = std::move(wanted.name);
    info.by = std::move(wanted.by);
    info.created = shard_.utc_now();
    info.split = wanted.split;
    job->question = std::move(wanted.question);
    info.form = job->question.form;
    info.packing = job->question.packing;
    info.from = job->question.from;
    info.to = job->question.to;
    info.resolution = job->question.resolution;
    info.tags = job->question.tags.size();
    job->parts = *std::move(parts);
    std::string folder = folder_of(*job);
    rooms_.pool.run(
        shard_,
        [&disk = rooms_.disk, folder = std::move(folder),
         job = std::move(job)]() mutable -> Result<std::unique_ptr<Job>> {
            TRY_VOID(save_question(disk, folder, *job));
            TRY_VOID(save_state(disk, folder, job->info, 0, std::nullopt, 0));
            return std::move(job);
        },
        guarded([this, &caller, done = std::move(done)](Result<std::unique_ptr<Job>> saved) mutable {
            if (!saved) return answer_on<Result<Export>>(caller, std::move(done), std::unexpected(saved.error()));
            Export made = (*saved)->info;
            jobs_[made.id] = *std::move(saved);
            answer_on<Result<Export>>(caller, std::move(done), std::move(made));
            run_next();
        }));
}

void Exports::Impl::remove(TenantId tenant, std::uint64_t id, Shard& caller, Done<Result<Export>> done) {
    Job* job = find(tenant, id);
    if (!job)
        return answer_on<Result<Export>>(caller, std::move(done),
                                         fail(ErrorCode::NotFound, fmt::format("there is no export {}", id)));
    Export info = job->info;
    job->removed = true;
    if (job != running_) forget(id);
    answer_on<Result<Export>>(caller, std::move(done), std::move(info));
}

void Exports::Impl::forget(std::uint64_t id) {
    jobs_.erase(id);
    rooms_.pool.post([&disk = rooms_.disk, folder = job_folder(options_.directory, id)] {
        if (const auto removed = remove_folder(disk, folder); !removed)
            log_warning("export files in {} could not be removed: {}", folder, removed.error().message());
    });
}

std::uint64_t Exports::Impl::total_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [id, job] : jobs_) bytes += job->info.bytes;
    return bytes;
}

void Exports::Impl::sweep() {
    const UtcTime now = shard_.utc_now();
    std::vector<std::uint64_t> gone;
    for (const auto& [id, job] : jobs_) {
        if (is_finished(job->info.state) && job->info.expires <= now) gone.push_back(id);
    }
    for (const std::uint64_t id : gone) forget(id);
    kept_bytes.set(static_cast<std::int64_t>(total_bytes()));
}

/// Makes room by taking the oldest finished exports away. Errors: LimitExceeded, DiskFull.
Result<void> Exports::Impl::check_budget(const Job& job) {
    while (total_bytes() > options_.bytes_max) {
        const auto oldest = std::ranges::find_if(jobs_, [&](const auto& entry) {
            return entry.second.get() != &job && is_finished(entry.second->info.state);
        });
        if (oldest == jobs_.end())
            return fail(ErrorCode::LimitExceeded,
                        fmt::format("exports may take {} bytes in all (export.bytes_max)", options_.bytes_max));
        forget(oldest->first);
    }
    return {};
}

// --- Running -------------------------------------------------------------------------------------------------------

void Exports::Impl::run_next() {
    if (running_ || is_closing_) return;
    const auto next =
        std::ranges::find_if(jobs_, [](const auto& entry) { return !is_finished(entry.second->info.state); });
    if (next == jobs_.end()) return;
    running_ = next->second.get();
    running_->info.state = JobState::Running;
    open_part(*running_);
}

bool Exports::Impl::may_go_on(Job& job) {
    ASSERT(&job == running_);
    if (!job.removed && !is_closing_) return true;
    const std::uint64_t id = job.info.id;
    job.exporter.reset();
    job.file.reset();
    running_ = nullptr;
    if (job.removed) forget(id);
    if (is_closing_)
        std::exchange(closed_, nullptr)();
    else
        run_next();
    return false;
}

void Exports::Impl::open_part(Job& job) {
    if (!may_go_on(job)) return;
    if (job.part == job.parts.size()) return job_ended(job, std::nullopt);
    const Part& part = job.parts[job.part];
    Question question = job.question;
    question.from = part.from;
    question.to = part.to;
    job.exporter = std::make_unique<Exporter>(Exporter::Rooms{shard_, rooms_.shards, rooms_.store, rooms_.pool},
                                              std::move(question));
    std::uint64_t bytes = 0;
    job.info.rows = job.done_rows;
    if (job.progress) {
        bytes = job.progress->file_bytes;
        if (const auto resumed = job.exporter->resume(job.progress->mark, job.progress->place, bytes); !resumed)
            return job_ended(job, resumed.error());
        job.info.rows += job.progress->mark.rows;
    }
    job.info.bytes = bytes;
    for (const ExportFile& file : job.info.files) job.info.bytes += file.bytes;
    rooms_.pool.run(
        shard_,
        [&disk = rooms_.disk, path = folder_of(job) + "/" + part.name + ".part",
         bytes]() -> Result<std::unique_ptr<AppendFile>> {
            if (bytes > 0) return disk.reopen(path, bytes);
            if (disk.exists(path)) TRY_VOID(disk.remove(path));
            return disk.create(path);
        },
        guarded([this, &job](Result<std::unique_ptr<AppendFile>> file) { part_opened(job, std::move(file)); }));
}

void Exports::Impl::part_opened(Job& job, Result<std::unique_ptr<AppendFile>> file) {
    if (!file) return job_ended(job, file.error());
    job.file = *std::move(file);
    job.unmarked_bytes = 0;
    step(job);
}

void Exports::Impl::step(Job& job) {
    if (!may_go_on(job)) return;
    job.exporter->step(options_.step_bytes,
                       guarded([this, &job](Result<Step> step) { stepped(job, std::move(step)); }));
}

/// Writes the bytes; now and then keeps the place too.
void Exports::Impl::stepped(Job& job, Result<Step> step) {
    if (!step) return job_ended(job, step.error());
    job.unmarked_bytes += step->bytes.size();
    job.info.rows += step->rows;
    job_rows.add(static_cast<std::int64_t>(step->rows));
    const bool marks = !step->ended && job.unmarked_bytes >= options_.mark_bytes;
    Bytes bytes = std::move(step->bytes);
    std::optional<Progress> progress;
    if (marks) {
        progress.emplace();
        progress->mark = job.exporter->mark(bytes);
        progress->mark.rows = job.info.rows - job.done_rows;
        progress->place = job.exporter->place();
        progress->file_bytes = job.file->size() + bytes.size();
        job.unmarked_bytes = 0;
    }
    job.info.bytes += bytes.size();
    job_bytes.add(static_cast<std::int64_t>(bytes.size()));
    job.info.share = (static_cast<double>(job.part) + job.exporter->share()) / static_cast<double>(job.parts.size());
    if (const auto room = check_budget(job); !room) return job_ended(job, room.error());
    if (progress) job.progress = progress;
    const bool ended = step->ended;
    rooms_.pool.run(
        shard_,
        [&disk = rooms_.disk, folder = folder_of(job), info = job.info, part = job.part, done_rows = job.done_rows,
         file = std::move(job.file), bytes = std::move(bytes), progress = std::move(progress), ended,
         free_min = options_.disk_free_min]() mutable -> Result<std::unique_ptr<AppendFile>> {
            TRY_VOID(file->append(bytes));
            if (!progress && !ended) return std::move(file);
            if (TRY(disk.free_bytes(folder)) < free_min)
                return fail(ErrorCode::DiskFull, "the rest of the disk is left to the data");
            TRY_VOID(file->sync());
            if (progress) TRY_VOID(save_state(disk, folder, info, part, progress, done_rows));
            return std::move(file);
        },
        guarded(
            [this, &job, ended](Result<std::unique_ptr<AppendFile>> file) { written(job, ended, std::move(file)); }));
}

void Exports::Impl::written(Job& job, bool ended, Result<std::unique_ptr<AppendFile>> file) {
    if (!file) return job_ended(job, file.error());
    job.file = *std::move(file);
    ended ? part_ended(job) : step(job);
}

void Exports::Impl::part_ended(Job& job) {
    const Part& part = job.parts[job.part];
    job.info.files.push_back({part.name, job.file->size(), job.info.rows - job.done_rows});
    job.info.damaged_blocks += job.exporter->damaged_blocks();
    job.done_rows = job.info.rows;
    job.progress.reset();
    job.exporter.reset();
    job.file.reset();
    ++job.part;
    rooms_.pool.run(
        shard_,
        [&disk = rooms_.disk, folder = folder_of(job), name = part.name, info = job.info, at = job.part,
         rows = job.done_rows]() -> Result<void> {
            TRY_VOID(disk.rename(folder + "/" + name + ".part", folder + "/" + name));
            TRY_VOID(disk.sync_directory(folder));
            return save_state(disk, folder, info, at, std::nullopt, rows);
        },
        guarded([this, &job](Result<void> saved) {
            if (!saved) return job_ended(job, saved.error());
            open_part(job);
        }));
}

void Exports::Impl::job_ended(Job& job, std::optional<Error> error) {
    job.exporter.reset();
    job.file.reset();
    job.info.state = error ? JobState::Failed : JobState::Done;
    if (error) {
        job.info.error = error->message();
        log_warning("export {} failed: {}", job.info.id, error->message());
    } else {
        job.info.share = 1;
    }
    (error ? jobs_failed : jobs_done).add();
    job.info.finished = shard_.utc_now();
    job.info.expires = job.info.finished + options_.expiry;
    kept_bytes.set(static_cast<std::int64_t>(total_bytes()));
    rooms_.pool.run(
        shard_,
        [&disk = rooms_.disk, folder = folder_of(job), info = job.info, part = job.part, rows = job.done_rows] {
            return save_state(disk, folder, info, part, std::nullopt, rows);
        },
        guarded([this, &job](Result<void> saved) {
            if (!saved)
                log_warning("the end of export {} could not be kept: {}", job.info.id, saved.error().message());
            if (!may_go_on(job)) return;
            running_ = nullptr;
            run_next();
        }));
}

Result<std::pair<ExportFile, std::string>> Exports::Impl::file_of(TenantId tenant, std::uint64_t id,
                                                                  const std::string& name) {
    Job* job = find(tenant, id);
    if (!job) return fail(ErrorCode::NotFound, fmt::format("there is no export {}", id));
    const auto& files = job->info.files;
    if (name.empty() && job->parts.size() > 1)
        return fail(ErrorCode::InvalidArgument, "the export has several files: say which with ?name=");
    const auto found = name.empty()
                           ? files.begin()
                           : std::ranges::find(files, name, [](const ExportFile& file) { return file.name; });
    if (found == files.end()) {
        const bool is_coming = name.empty() || std::ranges::find(job->parts, name, &Part::name) != job->parts.end();
        if (is_coming && job->info.state != JobState::Failed)
            return fail(ErrorCode::Conflict, "the file is not finished yet: see its state");
        return fail(ErrorCode::NotFound, fmt::format("export {} has no such file", id));
    }
    return std::pair(*found, folder_of(*job) + "/" + found->name);
}

void Exports::Impl::close(Task done) {
    ASSERT(!is_closing_);
    is_closing_ = true;
    sweep_timer_.cancel();
    if (!running_) return done();
    closed_ = std::move(done);
}

// --- The front door ------------------------------------------------------------------------------------------------

Exports::Exports(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Exports::~Exports() = default;

Result<std::unique_ptr<Exports>> Exports::create(ExportRooms rooms, Shard& shard, Options options) {
    auto impl = std::make_unique<Impl>(rooms, shard, std::move(options));
    TRY_VOID(impl->open());
    shard.post([at = impl.get()] { at->begin(); });
    return std::unique_ptr<Exports>(new Exports(std::move(impl)));
}

void Exports::post_create(Shard& caller, NewExport wanted, Done<Result<Export>> done) {
    // Days without data at both ends are not worth a file.
    impl_->rooms().store.post_stats(impl_->shard(), [&caller, impl = impl_.get(), wanted = std::move(wanted),
                                                     done = std::move(done)](store::Stats stats) mutable {
        if (wanted.split == Split::Day) {
            Question& q = wanted.question;
            q.from = std::max(q.from, stats.oldest);
            q.to = std::max(q.from + Duration(1), std::min(q.to, UtcTime(stats.newest.ns() + 1)));
        }
        impl->create(std::move(wanted), caller, std::move(done));
    });
}

void Exports::post_list(Shard& caller, TenantId tenant, Done<std::vector<Export>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, done = std::move(done)]() mutable {
        answer_on(caller, std::move(done), impl->list(tenant));
    });
}

void Exports::post_get(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Export>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, done = std::move(done)]() mutable {
        const Job* job = impl->find(tenant, id);
        if (!job)
            return answer_on<Result<Export>>(caller, std::move(done),
                                             fail(ErrorCode::NotFound, fmt::format("there is no export {}", id)));
        answer_on<Result<Export>>(caller, std::move(done), job->info);
    });
}

void Exports::post_remove(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Export>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, done = std::move(done)]() mutable {
        impl->remove(tenant, id, caller, std::move(done));
    });
}

void Exports::post_open(Shard& caller, TenantId tenant, std::uint64_t id, std::string name,
                        Done<Result<Opened>> done) {
    impl_->shard().post(
        [impl = impl_.get(), &caller, tenant, id, name = std::move(name), done = std::move(done)]() mutable {
            auto file = impl->file_of(tenant, id, name);
            if (!file) return answer_on<Result<Opened>>(caller, std::move(done), std::unexpected(file.error()));
            const Form form = impl->find(tenant, id)->info.form;
            impl->rooms().pool.run(
                caller,
                [&disk = impl->rooms().disk, file = *std::move(file), form]() -> Result<Opened> {
                    return Opened{file.first, form, std::shared_ptr<const ReadFile>(TRY(disk.open(file.second)))};
                },
                std::move(done));
        });
}

void Exports::close(Task done) { impl_->close(std::move(done)); }

}  // namespace lineshaft::transfer
