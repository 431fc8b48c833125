#include "store/internal/edit_log.h"

#include <tuple>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

constexpr std::uint16_t version = 2;
constexpr std::size_t header_bytes = 20;
constexpr std::size_t old_header_bytes = 24;
constexpr std::size_t prefix_bytes = 4 + 4 + 8;

void append_record(std::uint64_t number, ByteView body, Bytes& into) {
    const std::size_t at = into.size();
    ByteWriter out(into);
    out.le(std::uint32_t{0});
    out.le(static_cast<std::uint32_t>(body.size()));
    out.le(number);
    out.bytes(body);
    store_le(into.data() + at, crc32c(ByteView(into).subspan(at + 4)));
}

/// The record numbered `number` at the front of `bytes`; null when there is none.
const std::byte* record_at(ByteView bytes, std::uint64_t number, std::size_t& size) {
    if (bytes.size() < prefix_bytes) return nullptr;
    size = load_le<std::uint32_t>(bytes.data() + 4);
    if (size > bytes.size() - prefix_bytes || load_le<std::uint64_t>(bytes.data() + 8) != number) return nullptr;
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4, prefix_bytes - 4 + size))) return nullptr;
    return bytes.data() + prefix_bytes;
}

/// A later record that is whole: proof that what is before it was once on disk.
bool has_record_after(ByteView bytes, std::uint64_t number) {
    for (std::size_t at = 0; at + prefix_bytes <= bytes.size(); ++at) {
        const auto later = load_le<std::uint64_t>(bytes.data() + at + 8);
        std::size_t size = 0;
        if (later > number && later - number < 1'000'000 && record_at(bytes.subspan(at), later, size)) return true;
    }
    return false;
}

/// Of two copies: which to believe. When both reach equally far the whole one proves that nothing came after.
bool reaches_further(const EditLog::Loaded& one, const EditLog::Loaded& best) {
    if (one.records.empty()) return false;
    if (best.records.empty()) return true;
    const auto reach = [](const EditLog::Loaded& copy) {
        return std::tuple(!copy.is_old, copy.last_number, !copy.is_damaged);
    };
    return reach(one) > reach(best);
}

}  // namespace

Bytes encode_edit_file(std::uint32_t magic, ShardId shard, std::uint64_t number, ByteView state) {
    Bytes file;
    file.reserve(header_bytes + prefix_bytes + state.size());
    ByteWriter out(file);
    out.le(magic);
    out.le(version);
    out.le(shard.value());
    out.le(number);
    out.le(crc32c(file));
    append_record(number, state, file);
    return file;
}

EditLog::EditLog(Disk& disk, std::string directory, std::vector<std::string> names, std::uint32_t magic,
                 ShardId shard)
    : disk_(disk), directory_(std::move(directory)), names_(std::move(names)), magic_(magic), shard_(shard) {
    ASSERT(!names_.empty());
}

Result<EditLog::Loaded> decode_edit_file(ByteView file, std::uint32_t magic, const std::string& name) {
    EditLog::Loaded loaded;
    const auto damaged = [&](const char* what) {
        loaded.is_damaged = true;
        loaded.why = name + what;
        loaded.damaged.push_back(name);
        return std::move(loaded);
    };
    if (file.size() < header_bytes) return damaged(" ends within its header");
    const auto file_version = load_le<std::uint16_t>(file.data() + 4);
    const std::size_t head = file_version == 1 ? old_header_bytes : header_bytes;
    if (file.size() < head || load_le<std::uint32_t>(file.data()) != magic ||
        load_le<std::uint32_t>(file.data() + head - 4) != crc32c(file.first(head - 4)))
        return damaged(" fails its header's checksum");
    if (file_version > version) return fail(ErrorCode::VersionUnknown, name);
    if (file_version == 1) {
        const ByteView body = file.subspan(head);
        if (load_le<std::uint64_t>(file.data() + 8) != body.size()) return damaged(" has another size than it says");
        if (load_le<std::uint32_t>(file.data() + 16) != crc32c(body)) return damaged(" fails its checksum");
        loaded.records.push_back(body);
        loaded.bytes = file.size();
        loaded.is_old = true;
        return loaded;
    }
    std::uint64_t number = load_le<std::uint64_t>(file.data() + 8);
    std::size_t at = head;
    std::size_t size = 0;
    while (const std::byte* body = record_at(file.subspan(at), number, size)) {
        loaded.records.emplace_back(body, size);
        at += prefix_bytes + size;
        loaded.last_number = number++;
    }
    loaded.bytes = at;
    if (loaded.records.empty()) return damaged(" has no whole state");
    if (at == file.size()) return loaded;
    loaded.all_alike = false;
    if (has_record_after(file.subspan(at), number)) return damaged(" is damaged before its end");
    return loaded;
}

Result<EditLog::Loaded> EditLog::load() {
    Loaded best;
    std::vector<std::string> damaged;
    std::string why;
    bool all_alike = true;
    std::string best_name;
    std::size_t best_size = 0;
    for (const std::string& name : names_) {
        auto read = disk_.read(directory_ + "/" + name);
        if (!read && read.error().code() != ErrorCode::NotFound) return std::unexpected(read.error());
        Loaded one;
        if (read) {
            one = TRY(decode_edit_file(*read, magic_, name));
            one.files.push_back(*std::move(read));
        }
        damaged.insert(damaged.end(), one.damaged.begin(), one.damaged.end());
        if (!one.why.empty()) why = one.why;
        all_alike &= one.all_alike && !one.is_damaged && !one.records.empty() && !one.is_old;
        if (name != names_.front()) all_alike &= one.last_number == best.last_number && one.bytes == best.bytes;
        if (!reaches_further(one, best)) continue;
        best = std::move(one);
        best_name = name;
        best_size = best.files.front().size();
    }
    best.damaged = std::move(damaged);
    best.why = std::move(why);
    best.all_alike = all_alike;
    best.is_damaged = !best.damaged.empty() && (best.is_damaged || best.records.empty());
    last_number_ = best.last_number;
    bytes_ = best.bytes;
    base_bytes_ = best.records.empty() ? 0 : best.records.front().size();
    if (!best.records.empty()) {
        // Its end may be in the kernel's memory only, if the process that wrote it was killed: what the reader does
        // next, like removing files that a change has replaced, must not outlive it.
        const auto file = TRY(disk_.reopen(directory_ + "/" + best_name, best_size));
        TRY_VOID(file->sync());
        TRY_VOID(disk_.sync_directory(directory_));
    }
    can_append_ = all_alike && open_to_append().has_value();
    return best;
}

Result<void> EditLog::open_to_append() {
    files_.clear();
    for (const std::string& name : names_) files_.push_back(TRY(disk_.reopen(directory_ + "/" + name, bytes_)));
    return {};
}

Result<void> EditLog::append(ByteView change) {
    ASSERT(can_append_);
    can_append_ = false;  // Until all has gone well: what a failed append left behind is cut off by the next rewrite.
    Bytes record;
    append_record(last_number_ + 1, change, record);
    for (const auto& file : files_) {
        TRY_VOID(file->append(record));
        TRY_VOID(file->sync());
    }
    ++last_number_;
    bytes_ += record.size();
    can_append_ = true;
    return {};
}

Result<void> EditLog::rewrite(ByteView state) {
    can_append_ = false;
    files_.clear();
    // A number that no record of a failed append can have: of two copies the one replaced now reaches further.
    const std::uint64_t number = last_number_ += 2;
    const Bytes file = encode_edit_file(magic_, shard_, number, state);
    for (const std::string& name : names_) TRY_VOID(disk_.replace(directory_ + "/" + name, file));
    bytes_ = file.size();
    base_bytes_ = state.size();
    TRY_VOID(open_to_append());
    can_append_ = true;
    return {};
}

}  // namespace lineshaft::store
