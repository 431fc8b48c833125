/// The log's bytes: what a record is and what it holds.
///
/// file    := header record*                                                  all little-endian, crc32c
/// header  := magic:u32 "LSWL" version:u16 shard:u16 number:u64 first_commit:u64 crc:u32         28 bytes
/// record  := crc:u32 size:u32 kind:u8 body:u8[size]          crc covers size, kind, body
/// commit  := number:u64                                      what follows, up to the next commit, is synced together
/// series  := tag:varint info                                 before the first samples of a tag in a file
/// source  := id:varint name:text
/// ledger  := entry*                                          what the ledger keeps: see ledger_record.h
/// samples := source:varint first_sequence:varint receive_time:i64 rows:varint flags:u8
///            tag:zigzag-delta[rows] time:zigzag-delta[rows] (type:u8 | type:u8[rows]) quality:varint[rows or 0]
///            value[rows] text
///            flags: 1 the types differ; 2 there are qualities (else all Good with code 0)
///            time: the first from receive_time, the others from the row before
///            value: bool u8; int zigzag varint; double f64; string length:varint, its bytes in `text`, row after row
///
/// A file is written commit by commit; commit n+1 is begun only when n was synced. So after a power cut only the last
/// commit can be torn: a record that fails its checksum is the end of the log unless a later commit record follows,
/// which proves that the bytes were once on disk: then the file is corrupt.
#pragma once

#include <functional>
#include <span>

#include "base/bytes.h"
#include "model/sample.h"
#include "store/series.h"

namespace lineshaft::store {

enum class RecordKind : std::uint8_t {
    Commit = 1,
    Series = 2,
    Source = 3,
    Samples = 4,
    Ledger = 5,
    Erasure = 6
};  // On disk. Append only.

inline constexpr std::size_t log_header_bytes = 4 + 2 + 2 + 8 + 8 + 4;
inline constexpr std::size_t record_prefix_bytes = 4 + 4 + 1;
inline constexpr std::size_t commit_record_bytes = record_prefix_bytes + 8;
static_assert(log_header_bytes == 28 && commit_record_bytes == 17);

struct LogHeader {
    ShardId shard;
    std::uint64_t number = 0;
    std::uint64_t first_commit = 0;
};
Bytes encode_log_header(const LogHeader& header);
/// Errors: Corrupt, VersionUnknown.
Result<LogHeader> decode_log_header(ByteView file);

/// Overwrites the first commit_record_bytes of `into`.
void encode_commit(std::uint64_t number, std::span<std::byte> into);
void append_series(TagId tag, const SeriesInfo& info, Bytes& into);
void append_source(SourceId id, std::string_view name, Bytes& into);
void append_samples(const Batch& batch, Bytes& into);
void append_ledger(ByteView entries, Bytes& into);
/// What was offered before is erased where `erasure` says (see erasures.h), what comes after is not.
void append_erasure(ByteView erasure, Bytes& into);

struct Record {
    RecordKind kind{};
    ByteView body;
    std::size_t bytes = 0;  // With the prefix.
};
/// The record at the front of `bytes`. Errors: Corrupt (ends before, or fails its checksum).
Result<Record> read_record(ByteView bytes);

// Errors: Corrupt.
Result<std::uint64_t> decode_commit(ByteView body);
Result<Series> decode_series(ByteView body);
Result<std::pair<SourceId, std::string>> decode_source(ByteView body);
Result<void> decode_samples(ByteView body, Batch& into);

}  // namespace lineshaft::store
