/// A snapshot as bytes, before it is sealed.
///
/// snapshot := version:u16 zero:u16 time:i64 took:u64 added:u64 stored:u64 version:text host:text files:varint file*
/// file     := path:text bytes:varint flags:u8 print:u8[32] pieces:varint piece:u8[32]*        flags 1: immutable
/// text     := length:varint UTF-8
/// Paths rise, are relative, and have no level "..", "." or "". A file has as many pieces as its bytes ask for.
///
/// Errors: Corrupt, VersionUnknown.
#pragma once

#include "backup/repository.h"

namespace lineshaft::backup {

Bytes encode_snapshot(const Snapshot& snapshot);
/// The id is the name of the file and stays empty here.
Result<Snapshot> decode_snapshot(ByteView bytes);

/// A path that stays below a directory.
bool is_safe_path(std::string_view path);
std::uint64_t pieces_of(std::uint64_t bytes);

}  // namespace lineshaft::backup
