#include "backup/restore.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace lineshaft::backup {
namespace {

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

class Restorer {
public:
    Restorer(Repository& repository, Disk& disk, const std::string& directory, Progress& progress)
        : repository_(repository), disk_(disk), directory_(directory), progress_(progress) {}

    Result<void> begin(const std::string& snapshot) {
        TRY_VOID(disk_.make_directory(directory_));
        const std::string mark = directory_ + "/" + unfinished_mark;
        if (const auto begun = disk_.read(mark)) {
            if (as_text(*begun) == snapshot) return {};
            return fail(ErrorCode::Conflict,
                        fmt::format("{} holds an unfinished restore of {}: name that snapshot, or "
                                    "another directory",
                                    directory_, as_text(*begun)));
        }
        for (const std::string& name : TRY(disk_.list(directory_))) {
            if (name != std::string(unfinished_mark) + ".new" && name != "lost+found")
                return fail(ErrorCode::Conflict,
                            fmt::format("{} is not empty ({}): nothing is ever overwritten; name a new directory",
                                        directory_, name));
        }
        return disk_.replace(mark, as_bytes(snapshot));
    }

    Result<void> restore(const FileEntry& file) {
        const std::string path = directory_ + "/" + file.path;
        TRY_VOID(ensure_directory(parent_of(path)));
        if (disk_.exists(path)) {
            if (TRY(is_whole(path, file))) {
                progress_.bytes += file.bytes;
                ++progress_.files;
                return {};
            }
            TRY_VOID(disk_.remove(path));
        }
        const std::string part = path + ".part";
        if (disk_.exists(part)) TRY_VOID(disk_.remove(part));
        const auto out = TRY(disk_.create(part));
        for (std::size_t i = 0; i < file.pieces.size(); ++i) {
            if (progress_.stop) return fail(ErrorCode::Closed, "the restore was told to stop; it goes on from here");
            const Bytes piece = TRY(repository_.get(file.pieces[i]));
            const std::uint64_t expected =
                std::min<std::uint64_t>(piece_bytes_max, file.bytes - i * std::uint64_t{piece_bytes_max});
            if (piece.size() != expected)
                return fail(ErrorCode::Corrupt,
                            fmt::format("{}: a piece has {} bytes instead of {}", file.path, piece.size(), expected));
            TRY_VOID(out->append(piece));
            progress_.bytes += piece.size();
            progress_.added_bytes += piece.size();
        }
        TRY_VOID(out->sync());
        TRY_VOID(disk_.rename(part, path));
        ++progress_.files;
        return {};
    }

    Result<void> end() {
        for (const std::string& directory : directories_) TRY_VOID(disk_.sync_directory(directory));
        TRY_VOID(disk_.sync_directory(directory_));
        // Only now is it a data directory.
        TRY_VOID(disk_.remove(directory_ + "/" + unfinished_mark));
        return disk_.sync_directory(directory_);
    }

private:
    Result<void> ensure_directory(const std::string& path) {
        if (directories_.contains(path)) return {};
        TRY_VOID(disk_.make_directory(path));
        for (std::string level = path; level.size() > directory_.size(); level = parent_of(level))
            directories_.insert(level);
        return {};
    }

    /// Written whole by the run before.
    Result<bool> is_whole(const std::string& path, const FileEntry& file) {
        const auto there = TRY(disk_.open(path));
        if (there->size() != file.bytes) return false;
        Bytes piece;
        for (std::size_t i = 0; i < file.pieces.size(); ++i) {
            const std::uint64_t at = i * std::uint64_t{piece_bytes_max};
            piece.resize(std::min<std::uint64_t>(piece_bytes_max, file.bytes - at));
            TRY_VOID(there->read_at(at, piece));
            if (repository_.id_of(piece) != file.pieces[i]) return false;
        }
        return true;
    }

    Repository& repository_;
    Disk& disk_;
    const std::string& directory_;
    Progress& progress_;
    std::set<std::string> directories_;
};

}  // namespace

Result<SnapshotInfo> restore(Repository& repository, Disk& disk, const std::string& snapshot,
                             const std::string& directory, Progress& progress) {
    const Snapshot chosen = TRY(repository.snapshot(snapshot));
    Restorer restorer(repository, disk, directory, progress);
    TRY_VOID(restorer.begin(chosen.info.id));
    progress.files_all = chosen.info.files;
    progress.bytes_all = chosen.info.bytes;
    for (const FileEntry& file : chosen.files) TRY_VOID(restorer.restore(file));
    TRY_VOID(restorer.end());
    return chosen.info;
}

}  // namespace lineshaft::backup
