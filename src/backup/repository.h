/// A backup repository: a directory in which every piece of every snapshot lies once, under the hash of what it holds.
///
/// Flow:    take.h puts pieces and at the end one snapshot; restore.h reads them; prune removes.
/// Threads: one at a time; blocks: a pool of its own, or the command line.
/// Errors:  NotFound (no repository), Conflict (there is one already), BackupPassphrase, Corrupt (names the file),
///          VersionUnknown, Locked (another process works on it), DiskFull, Io.
/// Limits:  piece_bytes_max; snapshot_files_max.
/// Formats: docs/formats/backup.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "backup/keep.h"
#include "base/bytes.h"
#include "runtime/disk.h"

namespace lineshaft::backup {

inline constexpr std::size_t piece_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t snapshot_files_max = 4'000'000;

/// SHA-256 of a piece; with a passphrase keyed, so that it tells a stranger nothing.
using PieceId = std::array<std::byte, 32>;
struct HashOfPiece {
    std::size_t operator()(const PieceId& id) const noexcept { return load_le<std::size_t>(id.data()); }
};

/// One file of a snapshot.
struct FileEntry {
    std::string path;  // Below the data directory, '/' between levels.
    std::uint64_t bytes = 0;
    PieceId print{};              // Of head, tail and size: tells an immutable file again without reading it.
    bool immutable = false;       // A file of this path never changes.
    std::vector<PieceId> pieces;  // Each of piece_bytes_max, the last of what is left.
    friend bool operator==(const FileEntry&, const FileEntry&) = default;
};

struct SnapshotInfo {
    std::string id;       // "20261120T023000.123Z-1f2e3d4c".
    UtcTime time;         // What it shows is not older than this.
    std::string version;  // Of the program that took it.
    std::string host;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;         // When restored.
    std::uint64_t added_bytes = 0;   // Read because they were new.
    std::uint64_t stored_bytes = 0;  // Added to the repository.
    Duration took{};
};
/// As the API and the command line show it: {"id","time","version","host","files","bytes","added_bytes","stored_bytes",
/// "duration_s"}.
std::string to_json(const SnapshotInfo& info);

struct Snapshot {
    SnapshotInfo info;
    std::vector<FileEntry> files;  // By path.
};

/// What guessing a passphrase once costs: RFC 9106's second recommendation. Paid once for each opening.
struct PassphraseCost {
    std::uint32_t kib = 64 * 1024, passes = 3;
};

class Repository {
public:
    static bool is_at(Disk& disk, const std::string& path);
    /// Makes an empty one. No passphrase: nothing in it is encrypted. Errors: Conflict, also when the directory holds
    /// something else.
    static Result<std::unique_ptr<Repository>> create(Disk& disk, std::string path,
                                                      const std::optional<std::string>& passphrase,
                                                      PassphraseCost cost = {});
    /// Errors: NotFound, BackupPassphrase (wrong, missing, or not needed), Corrupt, VersionUnknown.
    static Result<std::unique_ptr<Repository>> open(Disk& disk, std::string path,
                                                    const std::optional<std::string>& passphrase);
    /// Opens the one that is there, or makes one. Without a passphrase only when `unencrypted` says that this is meant.
    /// Errors: also InvalidArgument.
    enum class Unencrypted : std::uint8_t { No, Yes };
    static Result<std::unique_ptr<Repository>> ensure(Disk& disk, const std::string& path,
                                                      const std::optional<std::string>& passphrase,
                                                      Unencrypted unencrypted);
    ~Repository();

    bool is_encrypted() const;
    const std::string& path() const;
    /// Keeps others from changing it until the answer dies. Errors: Locked.
    Result<std::unique_ptr<DiskLock>> lock();

    PieceId id_of(ByteView piece) const;
    /// Adds the piece unless it is there; gives the bytes that it took. Durable after sync().
    Result<std::uint64_t> put(const PieceId& id, ByteView piece);
    bool has(const PieceId& id) const;
    /// Errors: Corrupt, NotFound (gone).
    Result<Bytes> get(const PieceId& id);
    /// Everything that was put survives a power cut.
    Result<void> sync();

    /// Names the snapshot and makes it visible, after sync(). Gives the bytes that it took.
    Result<std::uint64_t> add(Snapshot& snapshot);
    /// Their ids, without reading them.
    Result<std::vector<std::string>> snapshot_ids();
    /// Oldest first. Errors: Corrupt names the first that cannot be read.
    Result<std::vector<SnapshotInfo>> snapshots();
    /// "latest", an id or the only one that begins so. Errors: NotFound, Corrupt.
    Result<Snapshot> snapshot(const std::string& id);

    struct Pruned {
        std::vector<std::string> removed;  // Ids.
        std::uint64_t pieces = 0;
        std::uint64_t bytes = 0;
    };
    /// Removes snapshots beyond `rule`, then every piece that none of the others needs. Refuses (Corrupt) while a
    /// snapshot cannot be read: what it needs is not known.
    Result<Pruned> prune(const KeepRule& rule);

    /// Every file that belongs to it, below its path; and those that do not belong to anything.
    Result<std::vector<std::string>> files();
    Result<std::vector<std::string>> strangers();
    /// Reads one of files() whole; gives its size. Errors: Corrupt.
    Result<std::uint64_t> check(const std::string& file);
    /// Renames a damaged piece, so that it counts as gone.
    Result<void> set_aside(const std::string& file);
    /// Where a piece lies, below path().
    static std::string file_of(const PieceId& id);

private:
    struct State;
    using Pieces = std::unordered_set<PieceId, HashOfPiece>;
    Result<void> sweep(const std::string& directory, const Pieces& needed, Pruned& pruned);
    explicit Repository(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// The passphrase in a file, without the line's end; none for an empty name. Errors: BackupPassphrase, NotFound, Io.
Result<std::optional<std::string>> read_passphrase(Disk& disk, const std::string& file);

}  // namespace lineshaft::backup
