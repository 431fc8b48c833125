#include "store/internal/log.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::store {
namespace {

constexpr Duration retry_after = 1s;
constexpr std::uint64_t reserve_step_max = 4 * 1024 * 1024;
constexpr std::string_view name_prefix = "log-";
constexpr std::string_view name_suffix = ".wal";

Counter commits_total{"lineshaft_store_commits_total", "", "Group commits synced"};
Counter commit_bytes_total{"lineshaft_store_commit_bytes_total", "", "Bytes synced to the log"};
Counter commits_failed_total{"lineshaft_store_commits_failed_total", "", "Group commits that the disk refused"};

/// Room for `needed` bytes, a whole number of steps. Where there is none the append itself says what that means.
void reserve(AppendFile& file, std::uint64_t needed, std::uint64_t step) {
    if (step > 0) (void)file.reserve((needed + step - 1) / step * step);
}

}  // namespace

std::string log_name(std::uint64_t number) { return fmt::format("{}{:012x}{}", name_prefix, number, name_suffix); }

std::optional<std::uint64_t> log_number(std::string_view name) {
    if (!name.starts_with(name_prefix) || !name.ends_with(name_suffix)) return std::nullopt;
    name.remove_prefix(name_prefix.size());
    name.remove_suffix(name_suffix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return number;
}

Log::Log(Shard& shard, Disk& disk, WorkerPool& pool, Options options, std::function<void()> changed)
    : shard_(shard),
      disk_(disk),
      pool_(pool),
      directory_(std::move(options.directory)),
      file_bytes_(options.file_bytes),
      changed_(std::move(changed)),
      tail_(commit_record_bytes),
      next_number_(options.next_number),
      next_commit_(options.next_commit),
      files_(std::move(options.files)) {}

void Log::gathered() { schedule(); }

void Log::when_durable(flow::Settled settled) {
    if (state_ != State::Ok || closing_) {
        const Error error = closing_
                                ? Error(ErrorCode::Closed)
                                : Error(state_ == State::DiskFull ? ErrorCode::DiskFull : ErrorCode::Io, detail_);
        shard_.post([settled = std::move(settled), error]() mutable { settled(std::unexpected(error)); });
        return;
    }
    if (!flying_ && tail_.size() == commit_record_bytes) {
        shard_.post([settled = std::move(settled)]() mutable { settled({}); });
        return;
    }
    // What is in flight covers it only if nothing was gathered since; then the next commit is empty and quick.
    if (tail_.size() == commit_record_bytes)
        flying_waiters_.push_back(std::move(settled));
    else
        waiters_.push_back(std::move(settled));
}

void Log::schedule() {
    if (flying_ || scheduled_ || state_ != State::Ok) return;
    scheduled_ = true;
    shard_.defer([this] {
        scheduled_ = false;
        if (!flying_ && state_ == State::Ok) start();
        if (closing_) finish_closing();
    });
}

void Log::start() {
    if (tail_.size() == commit_record_bytes && failed_.empty()) return;
    flying_ = true;
    flying_waiters_ = std::exchange(waiters_, {});
    Commit commit;
    commit.bytes = std::exchange(tail_, Bytes(commit_record_bytes));
    if (!failed_.empty()) {
        commit.bytes.insert(commit.bytes.begin() + commit_record_bytes, failed_.begin(), failed_.end());
        failed_.clear();
    }
    flying_bytes_ = commit.bytes.size();
    encode_commit(next_commit_, commit.bytes);

    if (roll_ || !file_ || files_.back().bytes >= file_bytes_) {
        roll_ = false;
        file_.reset();
        commit.header = {shard_.id(), next_number_++, next_commit_};
        files_.push_back({commit.header.number, 0, false});
    }
    commit.path = directory_ + "/" + log_name(files_.back().number);
    commit.file = std::move(file_);
    pool_.run(
        shard_,
        [&disk = disk_, directory = directory_, step = std::min<std::uint64_t>(file_bytes_, reserve_step_max),
         commit = std::move(commit)]() mutable { return write(disk, directory, step, std::move(commit)); },
        [this](Commit done) { finished(std::move(done)); });
}

/// On the log pool.
Log::Commit Log::write(Disk& disk, const std::string& directory, std::uint64_t reserve_step, Commit commit) {
    const auto append = [&]() -> Result<void> {
        const bool fresh = !commit.file;
        if (fresh) {
            commit.file = TRY(disk.create(commit.path));
            reserve(*commit.file, log_header_bytes + commit.bytes.size(), reserve_step);
            TRY_VOID(commit.file->append(encode_log_header(commit.header)));
        }
        if (!fresh) reserve(*commit.file, commit.file->size() + commit.bytes.size(), reserve_step);
        TRY_VOID(commit.file->append(commit.bytes));
        TRY_VOID(commit.file->sync());
        if (fresh) TRY_VOID(disk.sync_directory(directory));
        return {};
    };
    commit.outcome = append();
    if (!commit.outcome && commit.header.number != 0) {
        // A file that never held a synced commit: take it away, or each retry would leave one more.
        commit.file.reset();
        commit.removed = disk.remove(commit.path).has_value();
    }
    return commit;
}

void Log::finished(Commit commit) {
    flying_ = false;
    flying_bytes_ = 0;
    if (!commit.outcome) {
        failed_.assign(commit.bytes.begin() + commit_record_bytes, commit.bytes.end());
        if (commit.removed) files_.pop_back();
        fail_with(commit.outcome.error());
    } else {
        if (state_ != State::Ok) log_info("{}: the log is written again", directory_);
        state_ = State::Ok;
        detail_.clear();
        ++next_commit_;
        file_ = std::move(commit.file);
        files_.back().bytes += commit.bytes.size();
        commits_total.add();
        commit_bytes_total.add(static_cast<std::int64_t>(commit.bytes.size()));
        settle_flying({});
        // Nothing to do while the disk worked is left for later: the next commit starts at once.
        if (!flying_) start();
    }
    changed_();
    if (closing_) finish_closing();
}

void Log::settle_flying(const Result<void>& outcome) {
    for (flow::Settled& settled : std::exchange(flying_waiters_, {})) settled(outcome);
}

void Log::fail_with(const Error& error) {
    if (state_ == State::Ok)
        log_error("{}: the log cannot be written, nothing is acknowledged: {}", directory_, error.message());
    commits_failed_total.add();
    state_ = error.code() == ErrorCode::DiskFull ? State::DiskFull : State::Failed;
    detail_ = error.detail();
    file_.reset();
    roll_ = true;
    const Error told(state_ == State::DiskFull ? ErrorCode::DiskFull : ErrorCode::Io, detail_);
    settle_flying(std::unexpected(told));
    for (flow::Settled& settled : std::exchange(waiters_, {})) settled(std::unexpected(told));
    retry_ = shard_.after(retry_after, [this] {
        if (!flying_) start();
    });
}

std::uint64_t Log::bytes() const {
    std::uint64_t sum = 0;
    for (const LogFile& file : files_) sum += file.bytes;
    return sum;
}

std::uint64_t Log::roll() {
    roll_ = true;
    return next_number_;
}

std::vector<LogFile> Log::release(std::uint64_t number) {
    std::vector<LogFile> released;
    std::erase_if(files_, [&](const LogFile& file) {
        // The one that a job is writing stays for the next time.
        if (file.number >= number || (flying_ && &file == &files_.back())) return false;
        released.push_back(file);
        return true;
    });
    return released;
}

void Log::close(Task done) {
    ASSERT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    if (!scheduled_) shard_.post([this] { finish_closing(); });
}

/// As far as it goes: while a commit runs its end comes back here.
void Log::finish_closing() {
    if (flying_ || scheduled_ || !closed_) return;
    if (state_ == State::Ok && tail_.size() > commit_record_bytes) return start();
    retry_.cancel();
    file_.reset();
    for (flow::Settled& settled : std::exchange(waiters_, {})) settled(fail(ErrorCode::Closed));
    state_ = std::max(state_, State::Closed);
    std::exchange(closed_, nullptr)();
}

}  // namespace lineshaft::store
