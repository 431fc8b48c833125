#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "audit/log.h"
#include "backup/data_directory.h"
#include "backup/restore.h"
#include "registry/database.h"
#include "store/inspect.h"

namespace lineshaft::backup {
namespace {

constexpr int audit_tries_max = 3;

bool is_damage(const Error& error) {
    return error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::NotFound ||
           error.code() == ErrorCode::Io || error.code() == ErrorCode::VersionUnknown ||
           error.code() == ErrorCode::Malformed;
}

/// The finding names the file already.
std::string without_path(std::string why, const std::string& path, const std::string& file) {
    for (const std::string& prefix : {path + "/" + file + ": ", file + ": "}) {
        if (why.starts_with(prefix)) return why.substr(prefix.size());
    }
    return why;
}

/// Every piece that a snapshot names is there; whether it is good was seen before.
void check_snapshot(Repository& repository, const std::string& file, Verdict& verdict) {
    const auto snapshot = repository.snapshot(file.substr(file.rfind('/') + 1));
    if (!snapshot) return;  // Found before.
    ++verdict.snapshots;
    for (const FileEntry& entry : snapshot->files) {
        for (const PieceId& id : entry.pieces) {
            if (repository.has(id)) continue;
            verdict.findings.push_back(
                {Repository::file_of(id),
                 fmt::format("is gone or set aside; snapshot {} needs it for {}", snapshot->info.id, entry.path)});
            break;  // One of a file is enough to read.
        }
    }
}

class DataWalk {
public:
    DataWalk(Disk& disk, const std::string& directory, Progress& progress)
        : disk_(disk), directory_(directory), progress_(progress) {}

    Result<Verdict> run() {
        TRY_VOID(walk(""));
        return std::move(verdict_);
    }

private:
    Result<void> walk(const std::string& below) {
        for (const std::string& name : TRY(disk_.list(place(below)))) {
            const std::string path = below.empty() ? name : below + "/" + name;
            if (progress_.stop) return fail(ErrorCode::Closed, "it was told to stop");
            if (!disk_.list(place(path))) {
                look(path);
            } else if (path == "audit") {
                TRY_VOID(look_at_audit());
            } else if (below == "history") {
                TRY_VOID(look_at_store(path));
            } else {
                TRY_VOID(walk(path));
            }
        }
        return {};
    }

    void look(const std::string& path) {
        const Kind kind = kind_of(path);
        if (path == unfinished_mark) found(path, "the restore into this directory has not come to its end");
        if (kind.treatment == Treatment::LeaveOut) return;
        const auto bytes = disk_.read(place(path));
        if (!bytes && bytes.error().code() == ErrorCode::NotFound) return;  // Replaced since it was listed.
        if (!bytes) return found(path, bytes.error().detail());
        count(bytes->size());
        if (kind.treatment != Treatment::Database) return;
        if (const auto checked = registry::Database::check(place(path)); !checked)
            found(path, checked.error().detail());
    }

    Result<void> look_at_audit() {
        // A log that grows meanwhile may be seen between an entry and the head that counts it.
        Result<audit::Verdict> verdict = audit::Log::verify(disk_, place("audit"));
        for (int tries = 1; tries < audit_tries_max && verdict && !verdict->ok; ++tries)
            verdict = audit::Log::verify(disk_, place("audit"));
        if (!verdict && !is_damage(verdict.error())) return std::unexpected(verdict.error());
        if (!verdict) found("audit", verdict.error().detail());
        if (verdict && !verdict->ok) found("audit", verdict->detail);
        for (const std::string& name : TRY(disk_.list(place("audit")))) {
            if (const auto file = disk_.open(place("audit/" + name))) count((*file)->size());
        }
        return {};
    }

    Result<void> look_at_store(const std::string& path) {
        const store::Inspection inspection = TRY(store::inspect(disk_, place(path), [this](std::uint64_t bytes) {
            progress_.bytes += bytes;
            ++progress_.files;
            return !progress_.stop;
        }));
        verdict_.files += inspection.files;
        verdict_.bytes += inspection.bytes;
        if (const auto missing = store::segments_elsewhere(disk_, place(path))) {
            for (const std::string& name : *missing)
                found(path + "/" + name, "is not there: on the cold path, or lost");
        }
        for (const store::Inspection::Damage& damage : inspection.damages)
            found(path + "/" + damage.name, damage.why);
        return {};
    }

    void count(std::uint64_t bytes) {
        ++verdict_.files;
        verdict_.bytes += bytes;
        progress_.bytes += bytes;
        ++progress_.files;
    }
    void found(const std::string& path, const std::string& why) { verdict_.findings.push_back({path, why}); }
    std::string place(const std::string& path) const { return path.empty() ? directory_ : directory_ + "/" + path; }

    Disk& disk_;
    const std::string& directory_;
    Progress& progress_;
    Verdict verdict_;
};

}  // namespace

Result<Verdict> verify_repository(Disk& disk, const std::string& path, const std::optional<std::string>& passphrase,
                                  Damaged damaged, Progress& progress) {
    Verdict verdict;
    auto opened = Repository::open(disk, path, passphrase);
    if (!opened && opened.error().code() == ErrorCode::Corrupt) {
        verdict.findings.push_back({"REPOSITORY", opened.error().detail()});
        return verdict;
    }
    const std::unique_ptr<Repository> held = TRY(std::move(opened));
    Repository& repository = *held;
    // Somebody who removes pieces meanwhile would look like damage. A medium that cannot be written needs no lock.
    const auto lock = repository.lock();
    if (!lock && lock.error().code() == ErrorCode::Conflict) return std::unexpected(lock.error());
    const std::vector<std::string> files = TRY(repository.files());
    progress.files_all = files.size();
    for (const std::string& file : files) {
        if (progress.stop) return fail(ErrorCode::Closed, "it was told to stop");
        const auto checked = repository.check(file);
        ++progress.files;
        if (checked) {
            ++verdict.files;
            verdict.bytes += *checked;
            progress.bytes += *checked;
            continue;
        }
        if (!is_damage(checked.error())) return std::unexpected(checked.error());
        verdict.findings.push_back({file, without_path(checked.error().detail(), path, file)});
        if (damaged == Damaged::SetAside && file.starts_with("pieces/")) TRY_VOID(repository.set_aside(file));
    }
    for (const std::string& file : files) {
        if (file.starts_with("snapshots/")) check_snapshot(repository, file, verdict);
    }
    for (const std::string& stranger : TRY(repository.strangers()))
        verdict.findings.push_back({stranger, "does not belong to these backups"});
    return verdict;
}

Result<Verdict> verify_data(Disk& disk, const std::string& directory, Progress& progress) {
    if (!disk.exists(directory + "/house.json"))
        return fail(ErrorCode::NotFound, directory + " is no data directory: there is no house.json in it");
    return DataWalk(disk, directory, progress).run();
}

}  // namespace lineshaft::backup
