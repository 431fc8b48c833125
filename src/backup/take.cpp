#include "backup/take.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <unistd.h>

#include "backup/internal/seal.h"
#include "backup/internal/snapshot_codec.h"

namespace lineshaft::backup {
namespace {

// What identifies an immutable file without reading it whole: in a segment the head holds its order, the tail its table
// with the checksums of all that is before.
constexpr std::uint64_t head_print_bytes = 4 * 1024, tail_print_bytes = 64 * 1024;

using Known = std::unordered_map<std::string, FileEntry>;

class Taker {
public:
    Taker(Disk& disk, Repository& repository, Throttle& throttle, Progress& progress)
        : disk_(disk), repository_(repository), throttle_(throttle), progress_(progress) {}

    /// Files of the newest snapshot: most of them are the same today.
    void remember(const Snapshot& snapshot) {
        for (const FileEntry& file : snapshot.files) {
            if (file.immutable) known_.emplace(file.path, file);
        }
    }

    Result<FileEntry> take(const SourceFile& source) {
        FileEntry entry;
        entry.path = source.path;
        entry.bytes = source.bytes;
        entry.immutable = source.immutable;
        if (source.immutable) {
            entry.print = TRY(print_of(source));
            if (is_known(entry)) {
                entry.pieces = known_.at(entry.path).pieces;
                progress_.bytes += entry.bytes;
                ++progress_.files;
                return entry;
            }
        }
        for (std::uint64_t at = 0; at < source.bytes; at += piece_bytes_max) {
            if (progress_.stop)
                return fail(ErrorCode::Closed, "the backup was told to stop; the next one goes on from here");
            const ByteView piece = TRY(read(source, at, std::min<std::uint64_t>(piece_bytes_max, source.bytes - at)));
            const PieceId id = repository_.id_of(piece);
            const std::uint64_t stored = TRY(repository_.put(id, piece));
            if (stored > 0) progress_.added_bytes += piece.size();
            progress_.stored_bytes += stored;
            progress_.bytes += piece.size();
            entry.pieces.push_back(id);
            throttle_.took(piece.size());
        }
        ++progress_.files;
        return entry;
    }

private:
    bool is_known(const FileEntry& entry) const {
        const auto before = known_.find(entry.path);
        return before != known_.end() && before->second.bytes == entry.bytes && before->second.print == entry.print &&
               std::ranges::all_of(before->second.pieces, [this](const PieceId& id) { return repository_.has(id); });
    }

    Result<ByteView> read(const SourceFile& source, std::uint64_t at, std::uint64_t bytes) {
        if (!source.file && source.at.empty()) return source.view.subspan(at, bytes);
        if (!source.file && (!opened_ || opened_path_ != source.at)) {
            opened_ = TRY(disk_.open(source.at));
            opened_path_ = source.at;
        }
        room_.resize(bytes);
        TRY_VOID((source.file ? *source.file : *opened_).read_at(at, room_));
        return ByteView(room_);
    }

    Result<PieceId> print_of(const SourceFile& source) {
        Bytes both(8);
        store_le(both.data(), source.bytes);
        const std::uint64_t head = std::min(source.bytes, head_print_bytes);
        const std::uint64_t tail = std::min(source.bytes - head, tail_print_bytes);
        for (const auto& [at, bytes] : {std::pair{std::uint64_t{0}, head}, std::pair{source.bytes - tail, tail}}) {
            const ByteView part = TRY(read(source, at, bytes));
            throttle_.took(bytes);
            both.insert(both.end(), part.begin(), part.end());
        }
        return repository_.id_of(both);
    }

    Disk& disk_;
    Repository& repository_;
    Throttle& throttle_;
    Progress& progress_;
    Known known_;
    Bytes room_;
    std::unique_ptr<ReadFile> opened_;
    std::string opened_path_;
};

Result<std::vector<FileEntry>> take_files(Disk& disk, Repository& repository, Sources& sources, Throttle& throttle,
                                          Progress& progress) {
    std::ranges::sort(sources.files, {}, &SourceFile::path);
    progress.files_all = sources.files.size();
    std::uint64_t bytes_all = 0;
    for (const SourceFile& file : sources.files) bytes_all += file.bytes;
    progress.bytes_all = bytes_all;
    Taker taker(disk, repository, throttle, progress);
    // Without a snapshot that can be read everything is read again; the pieces are still kept once.
    if (const auto newest = repository.snapshot("latest")) taker.remember(*newest);
    std::vector<FileEntry> files;
    for (const SourceFile& file : sources.files) {
        auto entry = taker.take(file);
        if (!entry) return fail(entry.error().code(), fmt::format("{}: {}", file.path, entry.error().detail()));
        files.push_back(*std::move(entry));
    }
    TRY_VOID(repository.sync());
    return files;
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Throttle::Throttle(const Clock& clock, std::uint64_t bytes_per_second, Wait wait)
    : clock_(clock), rate_(bytes_per_second), wait_(std::move(wait)), paid_until_(clock.now()) {}

void Throttle::took(std::uint64_t bytes) {
    if (rate_ == 0) return;
    const Instant now = clock_.now();
    // Time that was not used is not saved up: what follows a pause shall not come at once.
    paid_until_ = std::max(paid_until_, now) +
                  Duration(static_cast<std::int64_t>(static_cast<double>(bytes) / static_cast<double>(rate_) * 1e9));
    if (paid_until_ > now) wait_(paid_until_ - now);
}

Result<SnapshotInfo> take(Disk& disk, Repository& repository, Sources& sources, const Clock& clock,
                          const std::string& version, Throttle& throttle, Progress& progress) {
    const Instant begun = clock.now();
    auto taken = take_files(disk, repository, sources, throttle, progress);
    for (const std::string& path : std::exchange(sources.temporary, {})) (void)disk.remove(path);
    Snapshot snapshot{{}, TRY(std::move(taken))};
    SnapshotInfo& info = snapshot.info;
    info.time = clock.utc_now();
    info.version = version;
    info.host = host_name();
    info.files = snapshot.files.size();
    info.bytes = progress.bytes_all;
    info.added_bytes = progress.added_bytes;
    info.stored_bytes = progress.stored_bytes;
    info.took = clock.now() - begun;
    TRY_VOID(repository.add(snapshot));
    return info;
}

}  // namespace lineshaft::backup
