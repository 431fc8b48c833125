#include "transfer/imports.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "transfer/internal/export_job.h"
#include "transfer/internal/import_queue.h"

namespace lineshaft::transfer {
namespace {

Counter uploaded{"lineshaft_import_bytes_total", "", "Bytes of files uploaded for import"};

constexpr Duration sweep_period = 60s;

bool is_ended(ImportState state) { return state == ImportState::Done || state == ImportState::Failed; }

template <class T>
void answer_on(Shard& caller, Imports::Done<T> done, T answer) {
    caller.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

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
        // First what makes it an import: cut off here, the next start takes the rest away.
        if (disk.exists(folder + "/job.json")) (void)disk.remove(folder + "/job.json");
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
