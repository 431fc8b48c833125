// The directory of a repository:
//
//   REPOSITORY             how the secret is locked; written once, with a copy beside it
//   pieces/ab/abcdef…      one piece each, under its id in hex
//   snapshots/<id>         one snapshot each; appears whole or not at all, after all that it names
//   lock                   held by whoever changes it
//   *.new, *.damaged       begun and not finished; set aside
#include "backup/repository.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/internal/seal.h"
#include "backup/internal/snapshot_codec.h"
#include "base/log.h"

namespace lineshaft::backup {
namespace {

constexpr std::size_t snapshot_bytes_max = std::size_t{1} << 30;

constexpr const char* head_file = "REPOSITORY";
constexpr const char* head_copy_file = "REPOSITORY.copy";

/// Without it nothing can be read, so there are two. Errors: of the first.
Result<Head> read_head(Disk& disk, const std::string& path) {
    const auto read = [&](const char* name) -> Result<Head> {
        const Bytes bytes = TRY(disk.read(path + "/" + name));
        return decode_head(bytes);
    };
    auto head = read(head_file);
    if (head || head.error().code() == ErrorCode::VersionUnknown) return head;
    auto copy = read(head_copy_file);
    if (!copy) return head;
    log_warning("{}/{} cannot be read, its copy is: {}", path, head_file, head.error().detail());
    return copy;
}

std::string fan_of(std::size_t index) { return fmt::format("pieces/{:02x}", index); }

/// "20261120T023000.123Z-1f2e3d4c": names sort by time.
std::string new_snapshot_id(UtcTime time) {
    const std::int64_t ms = time.ns() / 1'000'000;
    std::string text = to_rfc3339(UtcTime(ms / 1000 * 1'000'000'000));
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    text.insert(text.size() - 1, fmt::format(".{:03}", ms % 1000));
    std::array<std::byte, 4> random;
    must_fill_random(random);
    return text + "-" + to_hex(random);
}

bool is_snapshot_id(std::string_view name) {
    return name.size() == 29 && name[8] == 'T' && name[15] == '.' && name[19] == 'Z' && name[20] == '-' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == 'T' || c == 'Z' || c == '-' ||
                      c == '.';
           });
}

std::unexpected<Error> about(const std::string& file, const Error& error) {
    return fail(error.code(), fmt::format("{}: {}", file, error.detail()));
}

}  // namespace

std::string to_json(const SnapshotInfo& info) {
    return nlohmann::json{{"id", info.id},
                          {"time", to_rfc3339(info.time)},
                          {"version", info.version},
                          {"host", info.host},
                          {"files", info.files},
                          {"bytes", info.bytes},
                          {"added_bytes", info.added_bytes},
                          {"stored_bytes", info.stored_bytes},
                          {"duration_s", static_cast<double>(info.took.count()) / 1e9}}
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct Repository::State {
    Disk& disk;
    std::string path;
    Sealer sealer;
    std::optional<std::unordered_set<PieceId, HashOfPiece>> known;  // Read when first asked for.

    std::string place(const std::string& file) const { return path + "/" + file; }

    Result<void> load_known() {
        if (known) return {};
        std::unordered_set<PieceId, HashOfPiece> all;
        for (std::size_t i = 0; i < 256; ++i) {
            const auto names = disk.list(place(fan_of(i)));
            if (!names && names.error().code() == ErrorCode::NotFound) continue;
            if (!names) return std::unexpected(names.error());
            for (const std::string& name : *names) {
                if (const auto id = piece_id_from(name)) all.insert(*id);
            }
        }
        known = std::move(all);
        return {};
    }

    Result<Snapshot> read_snapshot(const std::string& id) {
        const std::string file = "snapshots/" + id;
        const auto bytes = disk.read(place(file));
        if (!bytes) return std::unexpected(bytes.error());
        const auto plain = sealer.open(SealedKind::Snapshot, id, *bytes, snapshot_bytes_max);
        if (!plain) return about(file, plain.error());
        auto snapshot = decode_snapshot(*plain);
        if (!snapshot) return about(file, snapshot.error());
        snapshot->info.id = id;
        return *std::move(snapshot);
    }

    Result<std::vector<std::string>> snapshot_ids() {
        std::vector<std::string> ids = TRY(disk.list(place("snapshots")));
        std::erase_if(ids, [](const std::string& name) { return !is_snapshot_id(name); });
        return ids;
    }

    Result<void> write_new(const std::string& file, ByteView bytes) {
        const std::string fresh = place(file) + ".new";
        if (disk.exists(fresh)) TRY_VOID(disk.remove(fresh));
        const auto write = [&]() -> Result<void> {
            const auto out = TRY(disk.create(fresh));
            TRY_VOID(out->append(bytes));
            return out->sync();
        };
        auto written = write();
        if (written) return disk.rename(fresh, place(file));
        (void)disk.remove(fresh);  // Makes room again when the disk was full.
        return written;
    }
};

Repository::Repository(std::unique_ptr<State> state) : state_(std::move(state)) {}
Repository::~Repository() = default;

bool Repository::is_at(Disk& disk, const std::string& path) {
    return disk.exists(path + "/" + head_file) || disk.exists(path + "/" + head_copy_file);
}

Result<std::unique_ptr<Repository>> Repository::create(Disk& disk, std::string path,
                                                       const std::optional<std::string>& passphrase,
                                                       PassphraseCost cost) {
    if (is_at(disk, path)) return fail(ErrorCode::Conflict, path + " holds backups already");
    TRY_VOID(disk.make_directory(path));
    for (const std::string& name : TRY(disk.list(path))) {
        // An earlier attempt may have ended here.
        if (name != "pieces" && name != "snapshots" && name != "lock" && name != "lost+found" &&
            name != "REPOSITORY.new")
            return fail(ErrorCode::Conflict,
                        fmt::format("{} holds other files ({}): name an empty directory", path, name));
    }
    for (std::size_t i = 0; i < 256; ++i) TRY_VOID(disk.make_directory(path + "/" + fan_of(i)));
    TRY_VOID(disk.make_directory(path + "/snapshots"));
    TRY_VOID(disk.sync_directory(path + "/pieces"));
    const Head head = TRY(make_head(passphrase, cost));
    TRY_VOID(disk.replace(path + "/" + head_copy_file, encode_head(head)));
    TRY_VOID(disk.replace(path + "/" + head_file, encode_head(head)));
    return open(disk, std::move(path), passphrase);
}

Result<std::unique_ptr<Repository>> Repository::open(Disk& disk, std::string path,
                                                     const std::optional<std::string>& passphrase) {
    const auto head = read_head(disk, path);
    if (!head && head.error().code() == ErrorCode::NotFound)
        return fail(ErrorCode::NotFound, path + " holds no backups: there is no REPOSITORY in it");
    if (!head) return about(path, head.error());
    auto sealer = unlock(*head, passphrase);
    if (!sealer) return about(path, sealer.error());
    return std::unique_ptr<Repository>(
        new Repository(std::make_unique<State>(State{disk, std::move(path), *std::move(sealer), {}})));
}

Result<std::unique_ptr<Repository>> Repository::ensure(Disk& disk, const std::string& path,
                                                       const std::optional<std::string>& passphrase,
                                                       Unencrypted unencrypted) {
    if (is_at(disk, path)) return open(disk, path, passphrase);
    if (!passphrase && unencrypted == Unencrypted::No)
        return fail(ErrorCode::InvalidArgument,
                    path +
                        " would hold keys and passwords' hashes: name a passphrase file, or say that it shall not be "
                        "encrypted");
    return create(disk, path, passphrase);
}

bool Repository::is_encrypted() const { return state_->sealer.is_encrypted(); }
const std::string& Repository::path() const { return state_->path; }

Result<std::unique_ptr<DiskLock>> Repository::lock() {
    auto lock = state_->disk.lock(state_->place("lock"));
    if (!lock && lock.error().code() == ErrorCode::Locked)
        return fail(
            ErrorCode::Conflict,
            fmt::format("another run works on these backups ({}): wait until it has ended", lock.error().detail()));
    return lock;
}

std::string Repository::file_of(const PieceId& id) {
    const std::string hex = to_hex(id);
    return fmt::format("pieces/{}/{}", hex.substr(0, 2), hex);
}

PieceId Repository::id_of(ByteView piece) const { return state_->sealer.id_of(piece); }

bool Repository::has(const PieceId& id) const { return state_->load_known() && state_->known->contains(id); }

Result<std::uint64_t> Repository::put(const PieceId& id, ByteView piece) {
    TRY_VOID(state_->load_known());
    if (state_->known->contains(id)) return 0;
    const Bytes sealed = TRY(state_->sealer.seal(SealedKind::Piece, to_hex(id), piece));
    TRY_VOID(state_->write_new(file_of(id), sealed));
    state_->known->insert(id);
    return sealed.size();
}

Result<Bytes> Repository::get(const PieceId& id) {
    const std::string file = file_of(id);
    const auto sealed = state_->disk.read(state_->place(file));
    if (!sealed && sealed.error().code() == ErrorCode::NotFound)
        return fail(ErrorCode::Corrupt, fmt::format("{} is gone", state_->place(file)));
    if (!sealed) return std::unexpected(sealed.error());
    auto plain = state_->sealer.open(SealedKind::Piece, to_hex(id), *sealed, piece_bytes_max);
    if (!plain) return about(state_->place(file), plain.error());
    if (id_of(*plain) != id) return fail(ErrorCode::Corrupt, state_->place(file) + ": is not what its name says");
    return plain;
}

Result<void> Repository::sync() {
    for (std::size_t i = 0; i < 256; ++i) {
        // All of them: an earlier run that was killed may have left names that were not synced.
        TRY_VOID(state_->disk.sync_directory(state_->place(fan_of(i))));
    }
    return {};
}

Result<std::uint64_t> Repository::add(Snapshot& snapshot) {
    snapshot.info.id = new_snapshot_id(snapshot.info.time);
    const Bytes sealed = TRY(state_->sealer.seal(SealedKind::Snapshot, snapshot.info.id, encode_snapshot(snapshot)));
    TRY_VOID(state_->write_new("snapshots/" + snapshot.info.id, sealed));
    TRY_VOID(state_->disk.sync_directory(state_->place("snapshots")));
    return sealed.size();
}

Result<std::vector<std::string>> Repository::snapshot_ids() { return state_->snapshot_ids(); }

Result<std::vector<SnapshotInfo>> Repository::snapshots() {
    std::vector<SnapshotInfo> all;
    for (const std::string& id : TRY(state_->snapshot_ids())) all.push_back(TRY(state_->read_snapshot(id)).info);
    std::ranges::sort(all, {}, [](const SnapshotInfo& info) { return std::pair(info.time, info.id); });
    return all;
}

Result<Snapshot> Repository::snapshot(const std::string& id) {
    const std::vector<std::string> ids = TRY(state_->snapshot_ids());
    if (id == "latest") {
        if (ids.empty()) return fail(ErrorCode::NotFound, state_->path + " holds no snapshot yet");
        return state_->read_snapshot(ids.back());
    }
    std::vector<std::string> found;
    for (const std::string& one : ids) {
        if (one.starts_with(id)) found.push_back(one);
    }
    if (found.empty() || id.empty()) return fail(ErrorCode::NotFound, fmt::format("there is no snapshot {}", id));
    if (found.size() > 1)
        return fail(ErrorCode::NotFound, fmt::format("{} snapshots begin with {}", found.size(), id));
    return state_->read_snapshot(found.front());
}

Result<Repository::Pruned> Repository::prune(const KeepRule& rule) {
    std::vector<Snapshot> all;
    std::vector<UtcTime> times;
    // All of them first: what one of them needs is not known until it is read.
    for (const std::string& id : TRY(state_->snapshot_ids())) {
        all.push_back(TRY(state_->read_snapshot(id)));
        times.push_back(all.back().info.time);
    }
    const std::vector<bool> kept = choose_kept(times, rule);
    std::unordered_set<PieceId, HashOfPiece> needed;
    Pruned pruned;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!kept[i]) {
            pruned.removed.push_back(all[i].info.id);
            continue;
        }
        for (const FileEntry& file : all[i].files) needed.insert(file.pieces.begin(), file.pieces.end());
    }
    for (const std::string& id : pruned.removed) TRY_VOID(state_->disk.remove(state_->place("snapshots/" + id)));
    TRY_VOID(state_->disk.sync_directory(state_->place("snapshots")));
    // Only now may pieces go: a power cut before this leaves more than is needed, never less.
    for (std::size_t i = 0; i < 256; ++i) TRY_VOID(sweep(fan_of(i), needed, pruned));
    state_->known.reset();
    return pruned;
}

Result<void> Repository::sweep(const std::string& directory, const Pieces& needed, Pruned& pruned) {
    const auto names = state_->disk.list(state_->place(directory));
    if (!names && names.error().code() == ErrorCode::NotFound) return {};
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
        const std::string file = state_->place(directory + "/" + name);
        const auto id = piece_id_from(name);
        const bool is_ours = id || name.ends_with(".new") || name.ends_with(".damaged");
        if (!is_ours || (id && needed.contains(*id))) continue;
        pruned.bytes += TRY(state_->disk.open(file))->size();
        ++pruned.pieces;
        TRY_VOID(state_->disk.remove(file));
    }
    return {};
}

Result<std::vector<std::string>> Repository::files() {
    std::vector<std::string> all{head_file, head_copy_file};
    for (const std::string& id : TRY(state_->snapshot_ids())) all.push_back("snapshots/" + id);
    state_->known.reset();
    TRY_VOID(state_->load_known());
    std::vector<std::string> pieces;
    for (const PieceId& id : *state_->known) pieces.push_back(file_of(id));
    std::ranges::sort(pieces);
    std::ranges::move(pieces, std::back_inserter(all));
    return all;
}

Result<std::vector<std::string>> Repository::strangers() {
    std::vector<std::string> all;
    const auto look = [&](const std::string& directory, const auto& is_ours) -> Result<void> {
        const auto names = state_->disk.list(directory.empty() ? state_->path : state_->place(directory));
        if (!names && names.error().code() == ErrorCode::NotFound) return {};
        if (!names) return std::unexpected(names.error());
        for (const std::string& name : *names) {
            if (!is_ours(name) && !name.ends_with(".new"))
                all.push_back(directory.empty() ? name : directory + "/" + name);
        }
        return {};
    };
    TRY_VOID(look("", [](const std::string& top) {
        return top == head_file || top == head_copy_file || top == "pieces" || top == "snapshots" || top == "lock" ||
               top == "lost+found";
    }));
    TRY_VOID(look("snapshots", [](const std::string& id) { return is_snapshot_id(id); }));
    for (std::size_t i = 0; i < 256; ++i) {
        TRY_VOID(look(fan_of(i), [i](const std::string& hex) {
            const auto id = piece_id_from(hex);
            return hex.ends_with(".damaged") || (id && static_cast<std::size_t>((*id)[0]) == i);
        }));
    }
    return all;
}

Result<std::uint64_t> Repository::check(const std::string& file) {
    const Bytes bytes = TRY(state_->disk.read(state_->place(file)));
    if (file == head_file || file == head_copy_file) {
        TRY_VOID(decode_head(bytes));
    } else if (file.starts_with("snapshots/")) {
        TRY_VOID(state_->read_snapshot(file.substr(10)));
    } else {
        const PieceId id = TRY(piece_id_from(file.substr(file.rfind('/') + 1)));
        TRY_VOID(get(id));
    }
    return bytes.size();
}

Result<std::optional<std::string>> read_passphrase(Disk& disk, const std::string& file) {
    if (file.empty()) return std::nullopt;
    const Bytes bytes = TRY(disk.read(file));
    std::string text(as_text(bytes));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (text.empty()) return fail(ErrorCode::BackupPassphrase, file + " is empty");
    return text;
}

Result<void> Repository::set_aside(const std::string& file) {
    TRY_VOID(state_->disk.rename(state_->place(file), state_->place(file) + ".damaged"));
    state_->known.reset();
    return state_->disk.sync_directory(state_->place(file.substr(0, file.rfind('/'))));
}

}  // namespace lineshaft::backup
