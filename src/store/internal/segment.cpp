#include "store/internal/segment.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/ints.h"
#include "store/internal/segment_layout.h"
#include "store/internal/series_codec.h"

namespace lineshaft::store {
namespace {

using namespace segment_layout;

constexpr std::size_t table_checked_at_open_max = 64 * 1024;

Counter damaged_blocks_total{"lineshaft_store_damaged_blocks_total", "",
                             "Blocks whose checksum failed; never served"};

/// Places in the file as a writer told them. See segment.h.
class Places {
public:
    Places(ByteReader& in, std::uint64_t file_bytes) : in_(in), file_bytes_(file_bytes) {}
    template <class Place>
    void read(Place& place, std::uint32_t& count) {
        place.offset = end_ + in_.varint();
        place.bytes = in_.varint();
        const std::uint64_t number = in_.varint();
        count = static_cast<std::uint32_t>(number);
        read_times(place);
        if (place.offset > file_bytes_ || place.bytes > file_bytes_ - place.offset || number > UINT32_MAX) in_.fail();
        end_ = place.offset + place.bytes;
    }
    template <class Place>
    void read_times(Place& place) {
        place.first_time = UtcTime(wrapping_add(last_, unzigzag(in_.varint())));
        place.last_time = UtcTime(wrapping_add(place.first_time.ns(), static_cast<std::int64_t>(in_.varint())));
        if (place.last_time < place.first_time) in_.fail();
        last_ = place.last_time.ns();
    }

private:
    ByteReader& in_;
    const std::uint64_t file_bytes_;
    std::uint64_t end_ = 0;
    std::int64_t last_ = 0;
};

std::optional<Tier> read_tier(ByteReader& in) {
    const std::uint8_t number = in.u8();
    if (number < tiers_count) return static_cast<Tier>(number);
    in.fail();
    return std::nullopt;
}

}  // namespace

Result<SnapshotOf<Segment>> Segment::open(Disk& disk, const std::string& directory, std::string name) {
    const std::string path = directory + "/" + name;
    return from(TRY(disk.open(path)), path, std::move(name));
}

Segment::~Segment() {
    for (auto& slot : damage_) delete slot.load(std::memory_order_acquire);
}

Result<SnapshotOf<Segment>> Segment::from(std::unique_ptr<ReadFile> file, std::string path, std::string name) {
    auto segment = std::unique_ptr<Segment>(new Segment());
    segment->path_ = std::move(path);
    segment->meta_.name = std::move(name);
    segment->file_ = std::move(file);
    segment->bytes_ = segment->file_->map();
    TRY_VOID(segment->read_frame());
    return SnapshotOf<Segment>(std::move(segment));
}

Result<SnapshotOf<Segment>> Segment::open(Disk& disk, const std::string& directory, const SegmentMeta& known) {
    const std::string path = directory + "/" + known.name;
    auto segment = std::unique_ptr<Segment>(new Segment());
    segment->path_ = path;
    segment->meta_.name = known.name;
    segment->meta_.erasures = known.erasures;
    segment->meta_.is_cold = known.is_cold;
    segment->file_ = TRY(disk.open(path));
    segment->bytes_ = segment->file_->map();
    TRY_VOID(segment->read_frame());
    return SnapshotOf<Segment>(std::move(segment));
}

Result<void> Segment::read_frame() {
    const auto corrupt = [this](const char* what) { return fail(ErrorCode::Corrupt, path_ + ": " + what); };
    if (bytes_.size() < header_bytes + trailer_bytes) return corrupt("shorter than a segment");
    const ByteView header = bytes_.first(header_bytes);
    const ByteView trailer = bytes_.last(trailer_bytes);
    if (load_le<std::uint32_t>(header.data()) != magic) return corrupt("does not begin as a segment");
    if (crc32c(header.first(header_bytes - 4)) != load_le<std::uint32_t>(header.data() + header_bytes - 4))
        return corrupt("the header fails its checksum");
    version_ = load_le<std::uint16_t>(header.data() + 4);
    if (version_ > segment_layout::version)
        return fail(ErrorCode::VersionUnknown, path_ + " has a later segment version");
    ByteReader in(trailer);
    const auto table_offset = in.le<std::uint64_t>();
    meta_.series = in.le<std::uint64_t>();
    meta_.rows = in.le<std::uint64_t>();
    meta_.first_time = UtcTime(in.le<std::int64_t>());
    meta_.last_time = UtcTime(in.le<std::int64_t>());
    table_crc_ = in.le<std::uint32_t>();
    in.bytes(4);
    const auto crc = in.le<std::uint32_t>();
    if (in.le<std::uint32_t>() != magic || crc != crc32c(trailer.first(trailer_bytes - 8)))
        return corrupt("the trailer fails its checksum: the file was cut or damaged");
    const std::size_t tables = bytes_.size() - trailer_bytes;
    if (table_offset > tables || meta_.series != (tables - table_offset) / entry_bytes ||
        (tables - table_offset) % entry_bytes != 0)
        return corrupt("the table has another size than the trailer says");
    table_ = bytes_.subspan(table_offset, tables - table_offset);
    if (table_.size() <= table_checked_at_open_max && !is_whole()) return corrupt("the table fails its checksum");
    meta_.order = load_le<std::uint64_t>(header.data() + 8);
    meta_.bytes = bytes_.size();
    return {};
}

bool Segment::is_whole() const {
    const TableState known = table_state_.load(std::memory_order_acquire);
    if (known != TableState::Unknown) return known == TableState::Whole;
    const bool whole = crc32c(table_) == table_crc_;
    if (!whole) log_error("{}: the table of series fails its checksum: nothing in it is served", path_);
    table_state_.store(whole ? TableState::Whole : TableState::Broken, std::memory_order_release);
    return whole;
}

TagId Segment::tag_at(std::size_t index) const {
    return TagId(load_le<std::uint64_t>(table_.data() + index * entry_bytes));
}

std::optional<std::size_t> Segment::find(TagId tag) const {
    if (!is_whole()) return std::nullopt;
    std::size_t low = 0;
    std::size_t high = series_count();
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (tag_at(middle) < tag)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == series_count() || tag_at(low) != tag) return std::nullopt;
    return low;
}

Result<SegmentSeries> Segment::outline_at(std::size_t index) const {
    ASSERT(index < series_count());
    const std::byte* entry = table_.data() + index * entry_bytes;
    const auto offset = load_le<std::uint64_t>(entry + 8);
    const auto size = load_le<std::uint32_t>(entry + 16);
    const auto crc_known = load_le<std::uint32_t>(entry + 20);
    SegmentSeries series;
    series.tag = tag_at(index);
    const auto corrupt = [&] {
        return fail(ErrorCode::Corrupt, fmt::format("{}: the index of tag {}", path_, series.tag.value()));
    };
    if (offset > bytes_.size() || size > bytes_.size() - offset || size < 8) return corrupt();
    const ByteView detail = bytes_.subspan(offset, size);
    if (load_le<std::uint32_t>(detail.data()) != crc_known) return corrupt();
    ByteView head = detail.subspan(4);
    if (version_ > 1) {
        const std::size_t head_bytes = load_le<std::uint32_t>(detail.data() + 4);
        if (head_bytes > head.size() - 4) return corrupt();
        head = head.first(4 + head_bytes);
    }
    if (crc32c(head) != crc_known) return corrupt();
    series.index = detail.subspan(4 + head.size());
    ByteReader in(head.subspan(version_ > 1 ? 4 : 0));
    if (!read_head(in, series) || (version_ > 1 && in.left() != 0)) return corrupt();
    return series;
}

/// False when it does not follow the format.
bool Segment::read_head(ByteReader& in, SegmentSeries& series) const {
    series.info = read_info(in);
    if (version_ == 1) {
        series.blocks_count = in.varint();
        series.index = in.bytes(in.left());
        series.index_crc = crc32c(series.index);
        // Where it begins and ends only the blocks tell.
        if (!in.ok() || !read_blocks(series) || series.blocks.empty()) return false;
        series.first_time = series.blocks.front().first_time;
        series.last_time = series.blocks.back().last_time;
        series.blocks.clear();
        return true;
    }
    Places(in, bytes_.size()).read_times(series);
    series.blocks_count = in.varint();
    series.index_crc = in.le<std::uint32_t>();
    const std::uint64_t tiers = in.varint();
    for (std::uint64_t i = 0; i < tiers && in.ok(); ++i) {
        const auto tier = read_tier(in);
        const std::uint64_t chunks = in.varint();
        if (!tier || (!series.tiers.empty() && series.tiers.back().tier >= *tier)) return false;
        TierRef& ref = series.tiers.emplace_back();
        ref.tier = *tier;
        Places places(in, bytes_.size());
        for (std::uint64_t c = 0; c < chunks && in.ok(); ++c) {
            TierChunk& chunk = ref.chunks.emplace_back();
            places.read(chunk, chunk.buckets);
        }
    }
    const std::uint64_t expired = in.varint();
    Places places(in, bytes_.size());
    for (std::uint64_t i = 0; i < expired && in.ok(); ++i) {
        ExpiredRange& range = series.expired.emplace_back();
        places.read_times(range);
        range.finest = read_tier(in).value_or(Tier::Second);
    }
    return in.ok();
}

Result<void> Segment::read_blocks(SegmentSeries& series) const {
    if (!series.blocks.empty()) return {};
    const auto corrupt = [&] {
        return fail(ErrorCode::Corrupt, fmt::format("{}: the blocks of tag {}", path_, series.tag.value()));
    };
    if (crc32c(series.index) != series.index_crc || series.blocks_count > series.index.size()) return corrupt();
    ByteReader in(series.index);
    Places places(in, bytes_.size());
    series.blocks.resize(series.blocks_count);
    for (BlockRef& block : series.blocks) places.read(block, block.rows);
    if (in.ok() && in.left() == 0) return {};
    series.blocks.clear();
    return corrupt();
}

Result<SegmentSeries> Segment::series_at(std::size_t index) const {
    SegmentSeries series = TRY(outline_at(index));
    TRY_VOID(read_blocks(series));
    return series;
}

Result<void> Segment::decode(TagId tag, Tier tier, const TierChunk& chunk, std::vector<Bucket>& into) const {
    TRY_VOID(decode_tier_chunk(bytes_.subspan(chunk.offset, chunk.bytes), tag, tier, into));
    if (into.size() == chunk.buckets && into.front().first_time == chunk.first_time &&
        into.back().last_time == chunk.last_time)
        return {};
    into.clear();
    return fail(ErrorCode::Corrupt, path_ + ": the index means another tier");
}

Result<BlockHeader> Segment::header_of(TagId tag, const BlockRef& block) const {
    const BlockHeader header = TRY(read_block_header(bytes_of(block)));
    if (header.tag != tag || header.rows != block.rows || header.first_time != block.first_time ||
        header.last_time != block.last_time || header.body_offset + header.body_bytes != block.bytes)
        return fail(ErrorCode::Corrupt, path_ + ": the index means another block");
    return header;
}

Result<void> Segment::decode(const BlockRef& block, const BlockHeader& header, Chunk& into) const {
    return decode_block(bytes_of(block), header, into);
}

void Segment::report_damage(std::uint64_t offset, TagId tag, UtcTime from, UtcTime to, const Error& why) const {
    auto found = std::make_unique<const BlockDamage>(offset, tag, from, to, why.detail());
    for (auto& slot : damage_) {
        const BlockDamage* seen = nullptr;
        if (slot.compare_exchange_strong(seen, found.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
            static_cast<void>(found.release());  // The segment's now.
            damaged_blocks_total.add();
            log_error("{}: a block at {} of tag {} from {} to {} is damaged and left out: {}", path_, offset,
                      tag.value(), to_rfc3339(from), to_rfc3339(to), why.detail());
            return;
        }
        if (seen->offset == offset) return;
    }
}

std::vector<Segment::BlockDamage> Segment::damage() const {
    std::vector<BlockDamage> list;
    for (const auto& slot : damage_) {
        if (const BlockDamage* found = slot.load(std::memory_order_acquire)) list.push_back(*found);
    }
    return list;
}

std::uint64_t Segment::damaged_blocks() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        damage_, [](const auto& slot) { return slot.load(std::memory_order_relaxed) != nullptr; }));
}

}  // namespace lineshaft::store
