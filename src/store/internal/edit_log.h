/// A small file that says how something is now: a whole state, then what has changed since, record by record.
///
/// file    := header record*                                                      all little-endian, crc32c
/// header  := magic:u32 version:u16 shard:u16 first_record:u64 crc:u32            20 bytes
/// record  := crc:u32 size:u32 number:u64 body:u8[size]                           crc covers size, number and body
///            the first record, numbered first_record, is a whole state; each further one has the next number
///
/// A change is one append and one sync; when the changes outgrow the state the file is replaced whole, at one instant.
/// A torn last record was never acknowledged and is passed over. With two copies of the file a change is in both before
/// it counts, and the one that reaches further is believed: losing one loses nothing.
///
/// Threads: one at a time; blocks, so on the disk pool or at start. Errors: DiskFull, Io.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/strong.h"
#include "runtime/disk.h"

namespace lineshaft::store {

class EditLog {
public:
    /// What a file, or the best of its copies, holds. Bodies lie in `files`.
    struct Loaded {
        std::vector<Bytes> files;       // Keeps the bytes that `records` views.
        std::vector<ByteView> records;  // The first is a whole state. Empty: there is no file.
        std::uint64_t last_number = 0;
        std::uint64_t bytes = 0;           // That hold the records.
        bool is_old = false;               // Of version 1: one record without numbers, the file's body.
        bool all_alike = true;             // Every copy holds the same, to its end: it may be appended to.
        bool is_damaged = false;           // Something behind the last record was once written: changes are lost.
        std::vector<std::string> damaged;  // Names of copies that are not whole.
        std::string why;
    };

    /// `names` are copies of one another in `directory`.
    EditLog(Disk& disk, std::string directory, std::vector<std::string> names, std::uint32_t magic, ShardId shard);

    /// Errors: VersionUnknown, Io. Damage is told in the answer. A good file can be appended to after this.
    Result<Loaded> load();
    /// False until load() found all copies alike, or rewrite() succeeded; and after any failure.
    bool can_append() const { return can_append_; }
    /// The changes have outgrown the state.
    bool is_long() const { return bytes_ > 2 * base_bytes_ + 64 * 1024; }
    std::uint64_t bytes() const { return bytes_; }

    Result<void> append(ByteView change);
    Result<void> rewrite(ByteView state);

private:
    Result<void> open_to_append();

    Disk& disk_;
    const std::string directory_;
    const std::vector<std::string> names_;
    const std::uint32_t magic_;
    const ShardId shard_;
    std::vector<std::unique_ptr<AppendFile>> files_;
    std::uint64_t last_number_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t base_bytes_ = 0;
    bool can_append_ = false;
};

/// The bytes of a file with one state and nothing since: for tests, and for whoever writes a store's files elsewhere.
Bytes encode_edit_file(std::uint32_t magic, ShardId shard, std::uint64_t number, ByteView state);
/// What the bytes of a file hold; the answer views `file`. Errors: VersionUnknown.
Result<EditLog::Loaded> decode_edit_file(ByteView file, std::uint32_t magic, const std::string& name);

}  // namespace lineshaft::store
