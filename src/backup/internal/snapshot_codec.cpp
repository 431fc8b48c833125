#include "backup/internal/snapshot_codec.h"

#include <algorithm>

namespace lineshaft::backup {
namespace {

constexpr std::uint16_t version = 1;
constexpr std::size_t text_bytes_max = 4096;
constexpr std::uint8_t flag_immutable = 1;

void write_text(ByteWriter& out, std::string_view text) {
    out.varint(text.size());
    out.bytes(as_bytes(text));
}

std::string read_text(ByteReader& in) {
    const std::uint64_t size = in.varint();
    if (size > text_bytes_max) in.fail();
    return std::string(in.text(in.ok() ? size : 0));
}

PieceId read_id(ByteReader& in) {
    PieceId id{};
    const ByteView bytes = in.bytes(id.size());
    if (bytes.size() == id.size()) std::ranges::copy(bytes, id.begin());
    return id;
}

Result<FileEntry> read_file(ByteReader& in) {
    FileEntry file;
    file.path = read_text(in);
    file.bytes = in.varint();
    file.immutable = (in.u8() & flag_immutable) != 0;
    file.print = read_id(in);
    const std::uint64_t pieces = in.varint();
    if (!in.ok() || !is_safe_path(file.path) || pieces != pieces_of(file.bytes) ||
        pieces > in.left() / sizeof(PieceId))
        return fail(ErrorCode::Corrupt, "the snapshot has a file that does not follow the format");
    file.pieces.reserve(pieces);
    for (std::uint64_t i = 0; i < pieces; ++i) file.pieces.push_back(read_id(in));
    return file;
}

}  // namespace

std::uint64_t pieces_of(std::uint64_t bytes) {
    return bytes / piece_bytes_max + (bytes % piece_bytes_max != 0 ? 1 : 0);
}

bool is_safe_path(std::string_view path) {
    if (path.empty() || path.find('\0') != std::string_view::npos) return false;
    while (true) {
        const auto slash = path.find('/');
        const std::string_view level = path.substr(0, slash);
        if (level.empty() || level == "." || level == "..") return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

Bytes encode_snapshot(const Snapshot& snapshot) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.le(version);
    out.le(std::uint16_t{0});
    out.le(snapshot.info.time.ns());
    out.le(static_cast<std::uint64_t>(snapshot.info.took.count()));
    out.le(snapshot.info.added_bytes);
    out.le(snapshot.info.stored_bytes);
    write_text(out, snapshot.info.version);
    write_text(out, snapshot.info.host);
    out.varint(snapshot.files.size());
    for (const FileEntry& file : snapshot.files) {
        write_text(out, file.path);
        out.varint(file.bytes);
        out.u8(file.immutable ? flag_immutable : 0);
        out.bytes(file.print);
        out.varint(file.pieces.size());
        for (const PieceId& id : file.pieces) out.bytes(id);
    }
    return bytes;
}

Result<Snapshot> decode_snapshot(ByteView bytes) {
    ByteReader in(bytes);
    Snapshot snapshot;
    SnapshotInfo& info = snapshot.info;
    if (in.le<std::uint16_t>() > version) return fail(ErrorCode::VersionUnknown, "the snapshot");
    in.bytes(2);
    info.time = UtcTime(in.le<std::int64_t>());
    info.took = Duration(static_cast<std::int64_t>(in.le<std::uint64_t>()));
    info.added_bytes = in.le<std::uint64_t>();
    info.stored_bytes = in.le<std::uint64_t>();
    info.version = read_text(in);
    info.host = read_text(in);
    info.files = in.varint();
    if (!in.ok() || info.files > snapshot_files_max || info.files > in.left())
        return fail(ErrorCode::Corrupt, "the snapshot ends within its header");
    for (std::uint64_t i = 0; i < info.files; ++i) {
        FileEntry file = TRY(read_file(in));
        if (!snapshot.files.empty() && snapshot.files.back().path >= file.path)
            return fail(ErrorCode::Corrupt, "the snapshot names a file twice or out of order");
        if (file.bytes > UINT64_MAX - info.bytes) return fail(ErrorCode::Corrupt, "the snapshot is impossibly large");
        info.bytes += file.bytes;
        snapshot.files.push_back(std::move(file));
    }
    if (!in.ok() || in.left() > 0)
        return fail(ErrorCode::Corrupt, "the snapshot has another size than its files need");
    return snapshot;
}

}  // namespace lineshaft::backup
