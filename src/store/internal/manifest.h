/// The manifest: which files are the store. It is replaced whole, so a flush or a compaction happens at one instant.
/// The catalog beside it names every series ever seen, so that a start need not open all segments.
///
/// file     := magic:u32 version:u16 shard:u16 body_bytes:u64 body_crc:u32 crc:u32 body        header 24 bytes
///             magic "LSMF" for MANIFEST, "LSCT" for CATALOG; crc covers the 20 bytes before it
/// body     := (kind:u8 bytes:varint entry)*
/// numbers  := next_number:varint log_number_min:varint        kind 1: log files below log_number_min are not needed
/// segment  := name:text order:varint rows:varint bytes:varint series:varint first:i64 last:i64             kind 2
/// source   := id:varint last_sequence:varint name:text                                                     kind 3
/// series   := tag:varint info                                                                              kind 4
/// A reader passes over kinds from 128 on that it does not know; an unknown kind below means VersionUnknown.
#pragma once

#include <vector>

#include "store/internal/segment.h"

namespace lineshaft::store {

struct SourceMeta {
    SourceId id;
    std::uint64_t last_sequence = 0;
    std::string name;
};

struct Manifest {
    std::uint64_t next_number = 1;
    std::uint64_t log_number_min = 0;
    std::vector<SegmentMeta> segments;
    std::vector<SourceMeta> sources;
};

Bytes encode_manifest(const Manifest& manifest, ShardId shard);
/// Errors: Corrupt, VersionUnknown.
Result<Manifest> decode_manifest(ByteView bytes);

Bytes encode_catalog(const std::vector<Series>& series, ShardId shard);
/// Errors: Corrupt, VersionUnknown.
Result<std::vector<Series>> decode_catalog(ByteView bytes);

}  // namespace lineshaft::store
