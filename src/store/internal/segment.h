/// A segment: an immutable file with samples of many series, in blocks, and what is needed to find them.
///
/// segment := header (block | tier)* detail* table trailer                     all little-endian, crc32c
/// header  := magic:u32 "LSSG" version:u16 shard:u16 order:u64 crc:u32         20 bytes
/// block   := see block.h; the blocks of a series follow one another, oldest first
/// tier    := see tiers.h; the tiers of a series follow its blocks
/// detail  := crc:u32 head_bytes:u32 head index                                crc covers head_bytes and head
/// head    := info first:zigzag span:varint blocks:varint index_crc:u32 tiers:varint (tier:u8 chunks:varint chunk*)*
///            expired:varint (first:zigzag span:varint tier:u8)*
/// chunk   := skip:varint bytes:varint buckets:varint first:zigzag span:varint
/// index   := (skip:varint bytes:varint rows:varint first:zigzag span:varint)*
///            skip: from the end of the block or chunk before (0 at first) to this one's offset; first: from the last
///            time of the one before (0 at first); times are those of samples
/// expired := stretches whose rows have gone and which only tiers from `tier` on speak of
/// table   := (tag:u64 detail_offset:u64 detail_bytes:u32 detail_crc:u32)*     24 bytes each, tags rise
/// trailer := table_offset:u64 series:u64 rows:u64 first_time:i64 last_time:i64 table_crc:u32 version:u16 reserved:u16
///            crc:u32 magic:u32                                                56 bytes, at the end of the file
///
/// Version 1 had no tiers: detail := crc:u32 info blocks:varint index, the crc over all of it.
///
/// `order` tells which of two versions of one sample came later: that of the segment with the higher order.
/// Threads: a writer belongs to one thread; an open Segment is immutable and may be read by any.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "runtime/snapshot.h"
#include "store/internal/tiers.h"

namespace lineshaft::store {

/// What the manifest keeps of a segment.
struct SegmentMeta {
    std::string name;
    std::uint64_t order = 0;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::uint64_t series = 0;
    UtcTime first_time;
    UtcTime last_time;
    std::uint64_t erasures = 0;  // Those with a number up to this are gone from it physically.
    bool is_cold = false;        // Lies on the cold path.
};

struct BlockRef {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint32_t rows = 0;
    UtcTime first_time;
    UtcTime last_time;
};

/// A stretch whose rows have gone by retention: tiers from `finest` on speak of it.
struct ExpiredRange {
    UtcTime first_time;
    UtcTime last_time;
    Tier finest = Tier::Second;
    friend bool operator==(const ExpiredRange&, const ExpiredRange&) = default;
};

struct SegmentSeries {
    TagId tag;
    SeriesInfo info;
    UtcTime first_time;  // Of all that is said of it here, rows or not.
    UtcTime last_time;
    std::vector<TierRef> tiers;         // Finest first. Each speaks of all that is there, finer ones not of expired.
    std::vector<ExpiredRange> expired;  // Oldest first; between them are blocks.
    std::vector<BlockRef> blocks;       // See read_blocks.
    ByteView index;                     // The blocks as they are in the file, within the segment's bytes.
    std::uint64_t blocks_count = 0;
    std::uint32_t index_crc = 0;
};

class SegmentWriter {
public:
    /// Errors: DiskFull, Io.
    static Result<std::unique_ptr<SegmentWriter>> create(Disk& disk, const std::string& directory, std::string name,
                                                         ShardId shard, std::uint64_t order);
    /// From the next series on; Cold makes larger blocks.
    void set_effort(Effort effort) { effort_ = effort; }
    /// Series in rising order of tags; rows of a series in rising order of source time. Tiers are written where they
    /// are worth it, those of `keep` always.
    void begin_series(TagId tag, SeriesInfo info, TierSet keep = {});
    Result<void> add(const Chunk& rows, std::size_t first, std::size_t count);
    /// A bucket of a stretch whose rows do not stay, in its place among the rows; `tier` is one to keep and is the
    /// finest that is left of the stretch. Two stretches with and without rows share no bucket of `tier`.
    Result<void> add(Tier tier, const Bucket& bucket);
    /// A whole block as it is in another segment; `rows` is what is in it.
    Result<void> copy(ByteView block, const BlockHeader& header, const Chunk& rows);
    Result<void> end_series();
    /// Writes what is left and syncs. The caller syncs the directory.
    Result<SegmentMeta> finish();

private:
    SegmentWriter() = default;
    void ensure_tiers();
    Result<void> write_pending();
    Result<void> write_block(std::size_t count);
    Result<void> take_block(std::size_t at, const BlockHeader& header);
    void take_times(UtcTime first, UtcTime last);
    Result<void> write_kept_tiers();
    Result<void> write_tiers();
    Result<void> write_chunks(Tier tier, std::size_t buckets_min);
    Result<void> spill(std::size_t above);

    std::unique_ptr<AppendFile> file_;
    std::size_t block_rows_wanted() const { return effort_ == Effort::Cold ? cold_block_rows : block_rows; }

    Effort effort_ = Effort::Usual;
    SegmentMeta meta_;
    Bytes buffer_;
    SegmentSeries series_;
    TierBuilder tiers_;
    bool has_tiers_ = false;  // Of the series: a few rows have none.
    TierSet keep_;
    Chunk pending_;
    std::size_t pending_from_ = 0;
    Bytes details_;
    Bytes table_;
};

class Segment {
public:
    /// Errors: NotFound, Corrupt, VersionUnknown, Io.
    static Result<SnapshotOf<Segment>> open(Disk& disk, const std::string& directory, std::string name);
    static Result<SnapshotOf<Segment>> from(std::unique_ptr<ReadFile> file, std::string path, std::string name);
    /// As the manifest knows it: what the file does not say of itself is taken from `known`.
    static Result<SnapshotOf<Segment>> open(Disk& disk, const std::string& directory, const SegmentMeta& known);
    ~Segment();

    const SegmentMeta& meta() const { return meta_; }
    std::uint16_t version() const { return version_; }
    /// The file as it is.
    ByteView whole() const { return bytes_; }
    std::size_t series_count() const { return meta_.series; }
    TagId tag_at(std::size_t index) const;
    std::optional<std::size_t> find(TagId tag) const;
    /// The table of series is what was written. A large one is checked when it is first used, not at opening: a
    /// million series times thousands of segments would be gigabytes to read at a start.
    bool is_whole() const;
    /// False once is_whole() has found otherwise.
    bool seems_whole() const { return table_state_.load(std::memory_order_acquire) != TableState::Broken; }
    /// All but the blocks. Errors: Corrupt.
    Result<SegmentSeries> outline_at(std::size_t index) const;
    /// Fills in the blocks of an outline. Errors: Corrupt.
    Result<void> read_blocks(SegmentSeries& series) const;
    /// Both. Errors: Corrupt.
    Result<SegmentSeries> series_at(std::size_t index) const;
    ByteView bytes_of(const BlockRef& block) const { return bytes_.subspan(block.offset, block.bytes); }
    /// Errors: Corrupt.
    Result<void> decode(TagId tag, Tier tier, const TierChunk& chunk, std::vector<Bucket>& into) const;
    /// The block, its header checked and the one that the index means. Errors: Corrupt.
    Result<BlockHeader> header_of(TagId tag, const BlockRef& block) const;
    Result<void> decode(const BlockRef& block, const BlockHeader& header, Chunk& into) const;

    /// Counts and logs a damaged place once, however often it is met.
    void report_damage(std::uint64_t offset, TagId tag, UtcTime from, UtcTime to, const Error& why) const;
    std::uint64_t damaged_blocks() const;
    struct BlockDamage {
        std::uint64_t offset = 0;
        TagId tag;
        UtcTime from;
        UtcTime last;
        std::string why;
    };
    std::vector<BlockDamage> damage() const;

private:
    Segment() = default;
    Result<void> read_frame();
    bool read_head(ByteReader& in, SegmentSeries& series) const;

    enum class TableState : std::uint8_t { Unknown, Whole, Broken };

    SegmentMeta meta_;
    std::string path_;
    std::unique_ptr<ReadFile> file_;
    ByteView bytes_;
    ByteView table_;
    std::uint32_t table_crc_ = 0;
    std::uint16_t version_ = 0;
    mutable std::atomic<TableState> table_state_{TableState::Unknown};  // Two threads that check it agree.
    // Places found damaged, in the order of finding; each is set once, by whichever reader meets it first. More than
    // these are one disk that is dying.
    mutable std::array<std::atomic<const BlockDamage*>, 32> damage_{};
};

}  // namespace lineshaft::store
