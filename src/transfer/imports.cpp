#include "transfer/imports.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "transfer/internal/export_job.h"
#include "transfer/internal/import_job.h"

namespace lineshaft::transfer {
namespace {

Counter points_done{"lineshaft_import_points_total", "", "Points imported from files and durable"};
Counter lines_refused{"lineshaft_import_refused_total", "", "Lines of imported files that could not be read or kept"};
Counter uploaded{"lineshaft_import_bytes_total", "", "Bytes of files uploaded for import"};

constexpr Duration sweep_period = 60s;
constexpr std::uint64_t points_per_save = 500'000;
constexpr Duration names_look_period = 50ms;
constexpr int names_looks_max = 100;

bool is_ended(ImportState state) { return state == ImportState::Done || state == ImportState::Failed; }

template <class T>
void answer_on(Shard& caller, Imports::Done<T> done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

struct ImportJob {
    Import info;
    bool removed = false;
    bool appending = false;

    // While it runs.
    std::unique_ptr<ImportReader> reader;  // Both are away on the pool while it reads.
    std::unique_ptr<AppendFile> refused_file;
    std::deque<ReadingBatch> batches;
    std::uint64_t stretch_points = 0, kept_refused = 0;
    std::size_t unsettled = 0;
    bool last_stretch = false;
    bool waits = false;  // For room in the house.
    std::optional<Error> error;
    std::uint64_t saved_points = 0;
    int looks_left = 0;
    Timer look;
};

}  // namespace

std::string_view to_text(ImportState state) {
    switch (state) {
        case ImportState::Uploading: return "uploading";
        case ImportState::Waiting: return "waiting";
        case ImportState::Running: return "running";
        case ImportState::Done: return "done";
        case ImportState::Failed: break;
    }
    return "failed";
}

class Imports::Impl {
public:
    using Answer = Done<Result<Import>>;

    Impl(Disk& disk, WorkerPool& pool, Shard& own, flow::ReadingSink& readings, Options given)
        : disk_(disk), pool_(pool), shard_(own), readings_(readings), options_(std::move(given)) {}

    Result<void> open();
    void begin();
    void create(Import wanted, Shard& caller, Answer done);
    void append(TenantId tenant, std::uint64_t id, std::uint64_t offset, std::string bytes, Shard& caller,
                Answer done);
    void start(TenantId tenant, std::uint64_t id, bool dry_run, Shard& caller, Answer done);
    void remove(TenantId tenant, std::uint64_t id, Shard& caller, Answer done);
    Result<Import> get(TenantId tenant, std::uint64_t id);
    std::vector<Import> list(TenantId tenant) const;
    void close(Task done);

    Shard& shard() { return shard_; }
    WorkerPool& pool() { return pool_; }
    Disk& disk() { return disk_; }
    std::string folder_of(std::uint64_t id) const { return job_folder(options_.directory, id); }

private:
    template <class Work>
    auto guarded(Work work) {
        return [life = std::weak_ptr(life_), work = std::move(work)](auto&&... args) mutable {
            if (life.lock()) work(std::forward<decltype(args)>(args)...);
        };
    }
    ImportJob* find(TenantId tenant, std::uint64_t id);
    static Error unknown(std::uint64_t id) {
        return Error(ErrorCode::NotFound, fmt::format("there is no import {}", id));
    }
    void save(const Import& info);
    void forget(std::uint64_t id);
    void sweep();
    std::uint64_t total_bytes() const;
    Result<void> check_append(const ImportJob& job, std::uint64_t offset, std::size_t size) const;

    void run_next();
    void read(ImportJob& job);
    struct WasRead;
    void was_read(ImportJob& job, WasRead read);
    void give(ImportJob& job);
    void wait_for_room(ImportJob& job);
    void settled(ImportJob& job, Result<void> result);
    void stretch_done(ImportJob& job);
    void count_refused(ImportJob& job, std::uint64_t count);
    void wait_for_names(ImportJob& job);
    void ended(ImportJob& job, std::optional<Error> error);
    bool may_go_on(ImportJob& job);

    Disk& disk_;
    WorkerPool& pool_;
    Shard& shard_;
    flow::ReadingSink& readings_;
    const Options options_;
    std::map<std::uint64_t, std::unique_ptr<ImportJob>> jobs_;
    ImportJob* running_ = nullptr;
    std::uint64_t last_id_ = 0;
    Timer sweep_timer_;
    bool is_closing_ = false;
    Task closed_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

Result<void> Imports::Impl::open() {
    TRY_VOID(disk_.make_directory(options_.directory));
    for (const std::string& name : TRY(disk_.list(options_.directory))) {
        std::uint64_t id = 0;
        const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), id);
        if (code != std::errc{} || end != name.data() + name.size()) continue;
        last_id_ = std::max(last_id_, id);
        auto info = load_import(disk_, options_.directory + "/" + name);
        if (!info) {
            log_warning("import {} is taken away: {}", id, info.error().message());
            TRY_VOID(remove_folder(disk_, options_.directory + "/" + name));
            continue;
        }
        if (info->state == ImportState::Running) info->state = ImportState::Waiting;
        jobs_[id] = std::make_unique<ImportJob>();
        jobs_[id]->info = *std::move(info);
    }
    return {};
}

void Imports::Impl::begin() {
    sweep_timer_ = shard_.every(sweep_period, [this] { sweep(); });
    run_next();
}

ImportJob* Imports::Impl::find(TenantId tenant, std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second->info.tenant != tenant || found->second->removed) return nullptr;
    return found->second.get();
}

Result<Import> Imports::Impl::get(TenantId tenant, std::uint64_t id) {
    const ImportJob* job = find(tenant, id);
    if (!job) return std::unexpected(unknown(id));
    return job->info;
}

std::vector<Import> Imports::Impl::list(TenantId tenant) const {
    std::vector<Import> list;
    for (const auto& [id, job] : jobs_) {
        if (job->info.tenant == tenant && !job->removed) list.push_back(job->info);
    }
    std::ranges::reverse(list);
    return list;
}

std::uint64_t Imports::Impl::total_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [id, job] : jobs_) bytes += job->info.received;
    return bytes;
}

void Imports::Impl::save(const Import& info) {
    pool_.post([&disk = disk_, folder = folder_of(info.id), info] {
        if (const auto saved = save_import(disk, folder, info); !saved)
            log_warning("import {} could not be kept: {}", info.id, saved.error().message());
    });
}

void Imports::Impl::forget(std::uint64_t id) {
    jobs_.erase(id);
    pool_.post([&disk = disk_, folder = folder_of(id)] {
        for (const char* name : {"/job.json"}) {
            if (disk.exists(folder + name)) (void)disk.remove(folder + name);
        }
        if (const auto removed = remove_folder(disk, folder); !removed)
            log_warning("import files in {} could not be removed: {}", folder, removed.error().message());
    });
}

void Imports::Impl::sweep() {
    const UtcTime now = shard_.utc_now();
    std::vector<std::uint64_t> gone;
    for (const auto& [id, job] : jobs_) {
        const bool rests = is_ended(job->info.state) || job->info.state == ImportState::Uploading;
        if (rests && !job->appending && job->info.expires <= now) gone.push_back(id);
    }
    for (const std::uint64_t id : gone) forget(id);
}

void Imports::Impl::create(Import wanted, Shard& caller, Answer done) {
    if (is_closing_) return answer_on<Result<Import>>(caller, std::move(done), fail(ErrorCode::Closed));
    if (jobs_.size() >= options_.jobs_max)
        return answer_on<Result<Import>>(caller, std::move(done),
                                         fail(ErrorCode::LimitExceeded, "too many imports are kept: remove some"));
    last_id_ = std::max<std::uint64_t>(last_id_ + 1, static_cast<std::uint64_t>(shard_.utc_now().ns() / 1'000'000));
    wanted.id = last_id_;
    wanted.created = shard_.utc_now();
    wanted.expires = wanted.created + options_.expiry;
    pool_.run(
        shard_,
        [&disk = disk_, folder = folder_of(wanted.id), wanted]() -> Result<void> {
            TRY_VOID(disk.make_directory(folder));
            TRY_VOID(disk.sync_directory(folder.substr(0, folder.rfind('/'))));
            return save_import(disk, folder, wanted);
        },
        guarded([this, wanted, &caller, done = std::move(done)](Result<void> saved) mutable {
            if (!saved) return answer_on<Result<Import>>(caller, std::move(done), std::unexpected(saved.error()));
            jobs_[wanted.id] = std::make_unique<ImportJob>();
            jobs_[wanted.id]->info = wanted;
            answer_on<Result<Import>>(caller, std::move(done), std::move(wanted));
        }));
}

Result<void> Imports::Impl::check_append(const ImportJob& job, std::uint64_t offset, std::size_t size) const {
    if (job.info.state != ImportState::Uploading || job.appending)
        return fail(ErrorCode::Conflict, "the file is not being uploaded, or another piece is on its way");
    if (offset != job.info.received)
        return fail(ErrorCode::Conflict, fmt::format("{} bytes were received: go on from there", job.info.received));
    if (total_bytes() + size > options_.bytes_max)
        return fail(ErrorCode::LimitExceeded,
                    fmt::format("uploads may take {} bytes in all (import.bytes_max)", options_.bytes_max));
    return {};
}

void Imports::Impl::append(TenantId tenant, std::uint64_t id, std::uint64_t offset, std::string bytes, Shard& caller,
                           Answer done) {
    ImportJob* job = find(tenant, id);
    if (!job) return answer_on<Result<Import>>(caller, std::move(done), std::unexpected(unknown(id)));
    if (const auto may = check_append(*job, offset, bytes.size()); !may)
        return answer_on<Result<Import>>(caller, std::move(done), std::unexpected(may.error()));
    job->appending = true;
    uploaded.add(static_cast<std::int64_t>(bytes.size()));
    pool_.run(
        shard_,
        [&disk = disk_, path = folder_of(id) + "/data", offset, bytes = std::move(bytes),
         free_min = options_.disk_free_min]() -> Result<std::uint64_t> {
            if (TRY(disk.free_bytes(path.substr(0, path.rfind('/')))) < free_min + bytes.size())
                return fail(ErrorCode::DiskFull, "the rest of the disk is left to the data");
            const bool is_new = !disk.exists(path);
            auto file = is_new ? TRY(disk.create(path)) : TRY(disk.reopen(path, offset));
            TRY_VOID(file->append(as_bytes(bytes)));
            TRY_VOID(file->sync());
            if (is_new) TRY_VOID(disk.sync_directory(path.substr(0, path.rfind('/'))));
            return file->size();
        },
        guarded([this, id, job, &caller, done = std::move(done)](Result<std::uint64_t> size) mutable {
            job->appending = false;
            if (size) {
                job->info.received = *size;
                job->info.expires = shard_.utc_now() + options_.expiry;
            }
            Result<Import> answer = job->info;
            if (!size) answer = std::unexpected(size.error());
            if (job->removed) forget(id);
            answer_on<Result<Import>>(caller, std::move(done), std::move(answer));
        }));
}

void Imports::Impl::start(TenantId tenant, std::uint64_t id, bool dry_run, Shard& caller, Answer done) {
    ImportJob* job = find(tenant, id);
    if (!job) return answer_on<Result<Import>>(caller, std::move(done), std::unexpected(unknown(id)));
    Import& info = job->info;
    const bool may_start = !job->appending && (info.state == ImportState::Uploading || is_ended(info.state));
    if (!may_start || job == running_)
        return answer_on<Result<Import>>(caller, std::move(done),
                                         fail(ErrorCode::Conflict, "the import runs already"));
    if (info.received == 0 || (info.bytes > 0 && info.received != info.bytes))
        return answer_on<Result<Import>>(
            caller, std::move(done),
            fail(ErrorCode::Conflict, fmt::format("{} of {} bytes were received", info.received, info.bytes)));
    // What failed goes on behind what is durable; anything else begins anew.
    const bool goes_on = info.state == ImportState::Failed && !info.dry_run && !dry_run;
    if (!goes_on) info.points = 0;
    info.dry_run = dry_run;
    info.error.clear();
    info.finished = UtcTime();
    info.state = ImportState::Waiting;
    save(info);
    Import answer = info;
    run_next();
    answer_on<Result<Import>>(caller, std::move(done), std::move(answer));
}

void Imports::Impl::remove(TenantId tenant, std::uint64_t id, Shard& caller, Answer done) {
    ImportJob* job = find(tenant, id);
    if (!job) return answer_on<Result<Import>>(caller, std::move(done), std::unexpected(unknown(id)));
    Import info = job->info;
    job->removed = true;
    if (job != running_ && !job->appending) forget(id);
    answer_on<Result<Import>>(caller, std::move(done), std::move(info));
}

// --- Running -------------------------------------------------------------------------------------------------------

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

// --- The front door ------------------------------------------------------------------------------------------------

Imports::Imports(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Imports::~Imports() = default;

Result<std::unique_ptr<Imports>> Imports::create(Disk& disk, WorkerPool& pool, Shard& shard,
                                                 flow::ReadingSink& readings, Options options) {
    auto impl = std::make_unique<Impl>(disk, pool, shard, readings, std::move(options));
    TRY_VOID(impl->open());
    shard.post([at = impl.get()] { at->begin(); });
    return std::unique_ptr<Imports>(new Imports(std::move(impl)));
}

void Imports::post_create(Shard& caller, Import wanted, Done<Result<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, wanted = std::move(wanted), done = std::move(done)]() mutable {
        impl->create(std::move(wanted), caller, std::move(done));
    });
}

void Imports::post_append(Shard& caller, TenantId tenant, std::uint64_t id, std::uint64_t offset, std::string bytes,
                          Done<Result<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, offset, bytes = std::move(bytes),
                         done = std::move(done)]() mutable {
        impl->append(tenant, id, offset, std::move(bytes), caller, std::move(done));
    });
}

void Imports::post_start(Shard& caller, TenantId tenant, std::uint64_t id, bool dry_run, Done<Result<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, dry_run, done = std::move(done)]() mutable {
        impl->start(tenant, id, dry_run, caller, std::move(done));
    });
}

void Imports::post_list(Shard& caller, TenantId tenant, Done<std::vector<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, done = std::move(done)]() mutable {
        answer_on(caller, std::move(done), impl->list(tenant));
    });
}

void Imports::post_get(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, done = std::move(done)]() mutable {
        answer_on(caller, std::move(done), impl->get(tenant, id));
    });
}

void Imports::post_remove(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<Import>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, done = std::move(done)]() mutable {
        impl->remove(tenant, id, caller, std::move(done));
    });
}

void Imports::post_refused(Shard& caller, TenantId tenant, std::uint64_t id, Done<Result<std::string>> done) {
    impl_->shard().post([impl = impl_.get(), &caller, tenant, id, done = std::move(done)]() mutable {
        if (const auto known = impl->get(tenant, id); !known)
            return answer_on<Result<std::string>>(caller, std::move(done), std::unexpected(known.error()));
        impl->pool().run(
            caller,
            [&disk = impl->disk(), path = impl->folder_of(id) + "/refused.csv"]() -> Result<std::string> {
                if (!disk.exists(path)) return std::string("line,reason\n");
                const auto bytes = TRY(disk.read(path));
                return std::string(as_text(bytes));
            },
            std::move(done));
    });
}

void Imports::close(Task done) { impl_->close(std::move(done)); }

}  // namespace lineshaft::transfer
