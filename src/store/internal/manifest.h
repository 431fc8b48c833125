/// The manifest: which files are the store. Each change of it is one record of an edit log (edit_log.h, magic "LSMF", in
/// two copies), so a flush, a merge or an erasure happens at one instant. The catalog beside it (magic "LSCT") names
/// every series ever seen, so that a start need not open all segments.
///
/// body     := (kind:u8 bytes:varint entry)*                                 of a state and of a change alike
/// numbers  := next_number:varint log_number_min:varint        kind 1: log files below log_number_min are not needed
/// segment  := name:text order:varint rows:varint bytes:varint series:varint first:i64 last:i64
///             [erasures:varint flags:u8]                                                          kind 2: is there
///             flags: 1 lies on the cold path
/// source   := id:varint last_sequence:varint name:text                                                     kind 3
/// series   := tag:varint info                                                                              kind 4
/// gone     := name:text                                                                 kind 5: a segment that left
/// erasure  := from:i64 last:i64 order:varint number:varint tags:varint tag:varint[tags], rising, each from the one
///             before                                                                                       kind 6
/// done     := number:varint                                      kind 7: the erasure has left every file
/// damage   := tag:varint from:i64 last:i64 blocks:varint file:text why:text                              kind 128
/// hour     := hour:zigzag samples:varint bytes:varint                    kind 129: came to rest in that hour of UTC
/// A reader passes over kinds from 128 on that it does not know; an unknown kind below means VersionUnknown.
#pragma once

#include <set>
#include <vector>

#include "store/internal/edit_log.h"
#include "store/internal/erasures.h"
#include "store/life.h"

namespace lineshaft::store {

inline constexpr std::uint32_t manifest_magic = 0x46'4D'53'4C;  // "LSMF".
inline constexpr std::uint32_t catalog_magic = 0x54'43'53'4C;   // "LSCT".
inline constexpr std::size_t hours_kept = 35 * 24;
inline constexpr std::size_t damage_kept = 200;

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
    std::vector<Erasure> erasures;
    std::vector<Damage> damage;
    std::vector<HourUse> hours;
};

/// What changes at one instant.
struct ManifestChange {
    std::uint64_t next_number = 1;
    std::uint64_t log_number_min = 0;
    std::vector<SegmentMeta> added;
    std::vector<std::string> gone;
    std::vector<SourceMeta> sources;
    std::vector<Erasure> erasures;
    std::vector<std::uint64_t> erasures_done;
    std::vector<Damage> damage;
    std::vector<HourUse> hours;  // Each replaces what was known of its hour.
};

/// Replaces what was known of its hour.
void put_hour(const HourUse& hour, std::vector<HourUse>& hours);

Bytes encode_state(const Manifest& manifest);
Bytes encode_change(const ManifestChange& change);
/// Applies a state's or a change's bytes to what is known so far. Errors: Corrupt, VersionUnknown.
Result<void> apply_manifest(ByteView body, Manifest& manifest);

/// A whole file with one state: as a store without further changes has it.
Bytes encode_manifest(const Manifest& manifest, ShardId shard);
/// Errors: Corrupt, VersionUnknown.
Result<Manifest> decode_manifest(ByteView file);

struct CatalogEntry {
    TagId tag;
    SnapshotOf<SeriesInfo> info;
};
Bytes encode_catalog_entries(const std::vector<CatalogEntry>& entries);
/// Calls `take` for each series. Errors: Corrupt, VersionUnknown.
Result<void> read_catalog(ByteView body, const std::function<void(TagId, SeriesInfo&&)>& take);

}  // namespace lineshaft::store
