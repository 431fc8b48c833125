#include "backup/service.h"

#include <algorithm>
#include <semaphore>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/data_directory.h"
#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::backup {
namespace {

constexpr Duration look_period = 20s;
constexpr Duration retry_after = 15min;

Counter done_total{"lineshaft_backups_total", "", "Backups taken"};
Counter failures_total{"lineshaft_backup_failures_total", "", "Backups that failed"};
Gauge last_success_seconds{"lineshaft_backup_last_success_seconds", "", "Time of the newest snapshot, since 1970"};
Gauge last_bytes{"lineshaft_backup_bytes", "", "Bytes of the newest snapshot, when restored"};
Gauge last_added_bytes{"lineshaft_backup_added_bytes", "",
                       "Bytes that the last backup had to read because they were new"};
Gauge last_seconds{"lineshaft_backup_duration_seconds", "", "How long the last backup took"};

/// What the plan's repository holds, as the worker saw it.
struct Seen {
    std::vector<std::string> ids;
    std::vector<SnapshotInfo> snapshots;  // Newest first.
    std::string error;
    bool encrypted = false;
};

struct Outcome {
    Result<SnapshotInfo> taken;
    Seen seen;
};

}  // namespace

struct Service::State {
    State(Shard& the_home, Disk& the_disk, std::unique_ptr<WorkerPool> the_pool, store::Historians& the_store,
          audit::Log& the_audit, Plan the_plan)
        : home(the_home),
          disk(the_disk),
          store(the_store),
          audit(the_audit),
          plan(std::move(the_plan)),
          since(the_home.utc_now()),
          pool(std::move(the_pool)) {}

    // Set once.
    Shard& home;
    Disk& disk;
    store::Historians& store;
    audit::Log& audit;
    const Plan plan;
    const UtcTime since;

    // Home shard only.
    bool running = false;
    bool closing = false;
    bool looked = false;  // The repository's newest snapshot is known.
    UtcTime retry_at;     // After a failure.
    Request request;
    std::optional<Job> last_job;
    Seen seen;
    Timer timer;
    Task close_done;

    // Worker only.
    std::unique_ptr<Repository> repository;  // Of the plan; kept open, as opening takes a while on purpose.
    Seen known;

    // Any thread.
    Progress progress;
    std::binary_semaphore stopped{0};  // Ends the worker's waiting.
    std::atomic<std::int64_t> last_success_ns{0};
    std::atomic<bool> failed{false};

    // Declared last: ends first, and what it still does may use all of the above.
    std::unique_ptr<WorkerPool> pool;

    Request planned() const { return {plan.path, plan.passphrase_file, plan.unencrypted, "plan", ""}; }
    UtcTime last_success() const { return UtcTime(last_success_ns.load()); }
    UtcTime next_due() const {
        if (!plan.schedule) return {};
        // One that was missed while the house was off is made up for.
        return std::max(next_run(*plan.schedule, last_success().is_none() ? since : last_success()), retry_at);
    }
    std::optional<Job> job() const {
        std::optional<Job> now = last_job;
        if (!now || now->state != Job::State::Running) return now;
        now->files = progress.files;
        now->files_all = progress.files_all;
        now->bytes = progress.bytes;
        now->bytes_all = progress.bytes_all;
        now->added_bytes = progress.added_bytes;
        now->stored_bytes = progress.stored_bytes;
        return now;
    }

    void look();
    Result<Job> begin(Request wanted);
    void pin();
    void work(std::vector<store::Pinned> history);
    void ended(Result<SnapshotInfo> outcome);
    void see(Seen now);
    void record(audit::Outcome outcome, const std::string& detail);
    Report report() const;

    // On the worker.
    Result<Repository*> ensure(const Request& wanted, std::unique_ptr<Repository>& own);
    Seen refresh();
    Result<SnapshotInfo> run_one(const Request& wanted, std::vector<store::Pinned> history);
    Outcome run(const Request& wanted, std::vector<store::Pinned> history);
};

/// Every now and then: is it time?
void Service::State::look() {
    if (!looked || running || closing || !plan.schedule || home.utc_now() < next_due()) return;
    const auto begun = begin(planned());
    if (!begun) log_warning("the planned backup does not begin: {}", begun.error().message());
}

Result<Job> Service::State::begin(Request wanted) {
    if (closing) return fail(ErrorCode::Closed);
    if (running) return fail(ErrorCode::Conflict, "a backup is running: wait until it has ended");
    if (wanted.path.empty() || wanted.path.front() != '/')
        return fail(ErrorCode::InvalidArgument,
                    "no directory for backups is named: set backup.path, or name one from its root on");
    running = true;
    request = std::move(wanted);
    for (auto* number : {&progress.files, &progress.files_all, &progress.bytes, &progress.bytes_all,
                         &progress.added_bytes, &progress.stored_bytes})
        number->store(0);
    Job job;
    job.number = last_job ? last_job->number + 1 : 1;
    job.path = request.path;
    job.started = home.utc_now();
    last_job = job;
    log_info("backup to {} begins", request.path);
    // The repository first: when it cannot be opened, nobody need flush.
    pool->run(
        home,
        [this, wanted = request]() -> Result<void> {
            std::unique_ptr<Repository> own;
            TRY_VOID(ensure(wanted, own));
            return {};
        },
        [this](Result<void> opened) {
            if (!opened) return ended(std::unexpected(opened.error()));
            pin();
        });
    return job;
}

void Service::State::pin() {
    store.post_pin(home, [this](Result<std::vector<store::Pinned>> history) {
        if (!history) return ended(std::unexpected(history.error()));
        work(*std::move(history));
    });
}

void Service::State::work(std::vector<store::Pinned> history) {
    pool->run(
        home,
        [this, wanted = request, history = std::move(history)]() mutable { return run(wanted, std::move(history)); },
        [this](Outcome outcome) {
            see(std::move(outcome.seen));
            ended(std::move(outcome.taken));
        });
}

void Service::State::see(Seen now) {
    seen = std::move(now);
    if (seen.snapshots.empty()) return;
    const SnapshotInfo& newest = seen.snapshots.front();
    last_success_ns = newest.time.ns();
    last_success_seconds.set(newest.time.ns() / 1'000'000'000);
    last_bytes.set(static_cast<std::int64_t>(newest.bytes));
}

void Service::State::ended(Result<SnapshotInfo> outcome) {
    running = false;
    Job job = *this->job();
    job.ended = home.utc_now();
    job.state = outcome ? Job::State::Done : Job::State::Failed;
    if (outcome) {
        job.snapshot = outcome->id;
        retry_at = {};
        done_total.add();
        last_added_bytes.set(static_cast<std::int64_t>(outcome->added_bytes));
        last_seconds.set(outcome->took.count() / 1'000'000'000);
        log_info("backup {}: {} files, {} bytes, of which {} were new", outcome->id, outcome->files, outcome->bytes,
                 outcome->added_bytes);
    } else {
        job.error = outcome.error().message();
        // What was copied stays; the next try goes on from there.
        retry_at = home.utc_now() + retry_after;
        failures_total.add();
        log_error("backup to {} failed: {}", request.path, job.error);
    }
    failed = !outcome;
    last_job = job;
    record(outcome ? audit::Outcome::Done : audit::Outcome::Failed, outcome ? outcome->id : job.error);
    if (closing && close_done) std::exchange(close_done, nullptr)();
}

void Service::State::record(audit::Outcome outcome, const std::string& detail) {
    audit::Entry entry;
    entry.actor = request.actor;
    entry.address = request.address;
    entry.action = "backup.create";
    entry.target = "backup " + request.path;
    entry.detail = nlohmann::json{{outcome == audit::Outcome::Done ? "snapshot" : "error", detail}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
    entry.outcome = outcome;
    audit.post_record(home, std::move(entry), [](const Result<std::uint64_t>& kept) {
        if (!kept) log_error("the backup could not be recorded: {}", kept.error().message());
    });
}

/// The plan's repository stays open; another one is `own`ed by the run.
Result<Repository*> Service::State::ensure(const Request& wanted, std::unique_ptr<Repository>& own) {
    const bool is_plan = wanted.path == plan.path && wanted.passphrase_file == plan.passphrase_file;
    if (is_plan && repository && Repository::is_at(disk, plan.path)) return repository.get();
    const auto passphrase = TRY(read_passphrase(disk, wanted.passphrase_file));
    auto opened =
        TRY(Repository::ensure(disk, wanted.path, passphrase,
                               wanted.unencrypted ? Repository::Unencrypted::Yes : Repository::Unencrypted::No));
    auto& place = is_plan ? repository : own;
    place = std::move(opened);
    return place.get();
}

Result<SnapshotInfo> Service::State::run_one(const Request& wanted, std::vector<store::Pinned> history) {
    std::unique_ptr<Repository> own;
    Repository& target = *TRY(ensure(wanted, own));
    const auto lock = TRY(target.lock());
    Sources sources = TRY(gather(disk, plan.data_directory, std::move(history)));
    if (!plan.configuration.empty()) {
        const ByteView text = as_bytes(plan.configuration);
        const Bytes& kept = sources.memory.emplace_back(text.begin(), text.end());
        std::erase_if(sources.files, [](const SourceFile& file) { return file.path == "configuration.yaml"; });
        SourceFile& source = sources.files.emplace_back();
        source.path = "configuration.yaml";
        source.bytes = kept.size();
        source.view = kept;
    }
    Throttle throttle(home.clock(), plan.bytes_per_second,
                      [this](Duration duration) { (void)stopped.try_acquire_for(duration); });
    auto taken = take(disk, target, sources, home.clock(), plan.version, throttle, progress);
    if (taken && wanted.path == plan.path && plan.keep != KeepRule()) {
        // A snapshot that was taken is a success, whatever becomes of the old ones.
        if (const auto pruned = target.prune(plan.keep); !pruned)
            log_warning("old backups could not be removed: {}", pruned.error().message());
    }
    return taken;
}

Outcome Service::State::run(const Request& wanted, std::vector<store::Pinned> history) {
    auto taken = run_one(wanted, std::move(history));
    return {std::move(taken), refresh()};
}

/// Reads the plan's repository again if it has changed.
Seen Service::State::refresh() {
    if (plan.path.empty()) return {};
    const auto read = [this]() -> Result<void> {
        if (!Repository::is_at(disk, plan.path)) {
            known = {};
            repository.reset();
            return {};
        }
        if (!repository) {
            const auto passphrase = TRY(read_passphrase(disk, plan.passphrase_file));
            repository = TRY(Repository::open(disk, plan.path, passphrase));
        }
        std::vector<std::string> now = TRY(repository->snapshot_ids());
        if (now == known.ids) return {};
        known.snapshots = TRY(repository->snapshots());
        std::ranges::reverse(known.snapshots);
        known.ids = std::move(now);
        return {};
    };
    const auto done = read();
    known.encrypted = repository && repository->is_encrypted();
    known.error = done ? "" : done.error().message();
    return known;
}

Report Service::State::report() const {
    Report report;
    report.plan = plan;
    report.job = job();
    report.last_success = last_success();
    report.next_run = next_due();
    report.overdue = plan.schedule && backup::is_overdue(last_success(), since, home.utc_now());
    report.snapshots = seen.snapshots;
    report.encrypted = seen.encrypted;
    report.error = seen.error;
    return report;
}

std::string_view to_text(Job::State state) {
    switch (state) {
        case Job::State::Running: return "running";
        case Job::State::Done: return "done";
        case Job::State::Failed: return "failed";
    }
    return "failed";
}

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() = default;

std::unique_ptr<Service> Service::create(Shard& caller, Disk& disk, std::unique_ptr<WorkerPool> pool,
                                         store::Historians& store, audit::Log& audit, Plan plan) {
    auto service = std::unique_ptr<Service>(
        new Service(std::make_unique<State>(caller, disk, std::move(pool), store, audit, std::move(plan))));
    State* state = service->state_.get();
    caller.post([state] {
        if (state->closing) return;
        state->timer = state->home.every(look_period, [state] { state->look(); });
        state->pool->run(
            state->home, [state] { return state->refresh(); },
            [state](Seen seen) {
                state->see(std::move(seen));
                state->looked = true;
            });
    });
    return service;
}

void Service::post_start(Shard& caller, Request request, Done<Job> done) {
    state_->home.post(
        [state = state_.get(), &caller, request = std::move(request), done = std::move(done)]() mutable {
            if (request.path.empty()) {
                const Request plan = state->planned();
                request.path = plan.path;
                if (request.passphrase_file.empty()) request.passphrase_file = plan.passphrase_file;
                request.unencrypted = request.unencrypted || plan.unencrypted;
            }
            caller.post([begun = state->begin(std::move(request)), done = std::move(done)]() mutable {
                done(std::move(begun));
            });
        });
}

void Service::post_report(Shard& caller, Done<Report> done) {
    state_->home.post([state = state_.get(), &caller, done = std::move(done)]() mutable {
        const auto answer = [state, &caller](Done<Report> to) {
            caller.post([report = state->report(), to = std::move(to)]() mutable { to(std::move(report)); });
        };
        // While the worker is busy for long, what is remembered must do.
        if (state->running || state->closing) return answer(std::move(done));
        state->pool->run(
            state->home, [state] { return state->refresh(); },
            [state, answer, done = std::move(done)](Seen seen) mutable {
                state->see(std::move(seen));
                answer(std::move(done));
            });
    });
}

bool Service::is_overdue() const {
    return state_->plan.schedule &&
           backup::is_overdue(state_->last_success(), state_->since, state_->home.clock().utc_now());
}

bool Service::has_failed() const { return state_->failed; }

void Service::close(Task done) {
    state_->closing = true;
    state_->timer.cancel();
    state_->progress.stop = true;
    state_->stopped.release();
    if (!state_->running) return state_->home.post(std::move(done));
    state_->close_done = std::move(done);
}

}  // namespace lineshaft::backup
