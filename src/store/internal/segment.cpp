#include "store/internal/segment.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal/ints.h"
#include "store/internal/series_codec.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

constexpr std::uint32_t magic = 0x47'53'53'4C;  // "LSSG".
constexpr std::uint16_t version = 1;
constexpr std::size_t header_bytes = 4 + 2 + 2 + 8 + 4;
constexpr std::size_t entry_bytes = 8 + 8 + 4 + 4;
constexpr std::size_t trailer_bytes = 8 + 8 + 8 + 8 + 8 + 4 + 2 + 2 + 4 + 4;
static_assert(header_bytes == 20 && entry_bytes == 24 && trailer_bytes == 56);
constexpr std::size_t spill_bytes = 1024 * 1024;
constexpr std::size_t table_checked_at_open_max = 64 * 1024;

Counter damaged_blocks_total{"lineshaft_store_damaged_blocks_total", "",
                             "Blocks whose checksum failed; never served"};

Bytes encode_header(ShardId shard, std::uint64_t order) {
    Bytes header;
    ByteWriter out(header);
    out.le(magic);
    out.le(version);
    out.le(shard.value());
    out.le(order);
    out.le(crc32c(header));
    return header;
}

Bytes encode_detail(const SegmentSeries& series) {
    Bytes body;
    ByteWriter out(body);
    write_info(out, series.info);
    out.varint(series.blocks.size());
    std::uint64_t end = 0;
    std::int64_t last = 0;
    for (const BlockRef& block : series.blocks) {
        out.varint(block.offset - end);
        out.varint(block.bytes);
        out.varint(block.rows);
        out.varint(zigzag(wrapping_sub(block.first_time.ns(), last)));
        out.varint(static_cast<std::uint64_t>(wrapping_sub(block.last_time.ns(), block.first_time.ns())));
        end = block.offset + block.bytes;
        last = block.last_time.ns();
    }
    Bytes detail;
    ByteWriter whole(detail);
    whole.le(crc32c(body));
    whole.bytes(body);
    return detail;
}

}  // namespace

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(Disk& disk, const std::string& directory,
                                                             std::string name, ShardId shard, std::uint64_t order) {
    auto writer = std::unique_ptr<SegmentWriter>(new SegmentWriter());
    writer->file_ = TRY(disk.create(directory + "/" + name));
    writer->meta_.name = std::move(name);
    writer->meta_.order = order;
    writer->meta_.first_time = utc_time_max;
    writer->meta_.last_time = utc_time_min;
    writer->buffer_ = encode_header(shard, order);
    return writer;
}

void SegmentWriter::begin_series(TagId tag, SeriesInfo info) {
    ASSERT(series_.tag < tag || meta_.series == 0);
    series_ = {tag, std::move(info), {}};
}

Result<void> SegmentWriter::add(const Chunk& rows, std::size_t first, std::size_t count) {
    pending_.append(rows, first, count);
    while (pending_.size() - pending_from_ >= block_rows || pending_.text.size() >= block_text_bytes_max) {
        std::size_t rows_now = std::min(block_rows, pending_.size() - pending_from_);
        std::size_t text = 0;
        for (std::size_t i = 0; i < rows_now && !pending_.text.empty(); ++i) {
            const std::size_t row = pending_from_ + i;
            if (pending_.types[row] == ValueType::String) text += pending_.bits[row] & 0xFFFFFFFF;
            if (text >= block_text_bytes_max) rows_now = i + 1;
        }
        if (rows_now < block_rows && text < block_text_bytes_max) break;
        TRY_VOID(write_block(rows_now));
    }
    if (pending_from_ == 0) return {};
    Chunk rest;
    rest.append(pending_, pending_from_, pending_.size() - pending_from_);
    pending_ = std::move(rest);
    pending_from_ = 0;
    return {};
}

Result<void> SegmentWriter::write_block(std::size_t count) {
    const std::size_t before = buffer_.size();
    const BlockHeader header = encode_block(series_.tag, pending_, pending_from_, count, buffer_);
    series_.blocks.push_back(
        {meta_.bytes + before, buffer_.size() - before, header.rows, header.first_time, header.last_time});
    pending_from_ += count;
    meta_.rows += count;
    meta_.first_time = std::min(meta_.first_time, header.first_time);
    meta_.last_time = std::max(meta_.last_time, header.last_time);
    return spill(spill_bytes);
}

Result<void> SegmentWriter::spill(std::size_t above) {
    if (buffer_.size() <= above) return {};
    TRY_VOID(file_->append(buffer_));
    meta_.bytes += buffer_.size();
    buffer_.clear();
    return {};
}

Result<void> SegmentWriter::end_series() {
    if (pending_.size() > 0) TRY_VOID(write_block(pending_.size()));
    pending_.clear();
    pending_from_ = 0;
    if (series_.blocks.empty()) return {};
    const Bytes detail = encode_detail(series_);
    ByteWriter table(table_);
    table.le(series_.tag.value());
    table.le(static_cast<std::uint64_t>(details_.size()));  // Made absolute by finish().
    table.le(static_cast<std::uint32_t>(detail.size()));
    table.le(load_le<std::uint32_t>(detail.data()));
    ByteWriter(details_).bytes(detail);
    ++meta_.series;
    return {};
}

Result<SegmentMeta> SegmentWriter::finish() {
    const std::uint64_t details_at = meta_.bytes + buffer_.size();
    ByteWriter out(buffer_);
    out.bytes(details_);
    for (std::size_t at = 0; at < table_.size(); at += entry_bytes)
        store_le(table_.data() + at + 8, load_le<std::uint64_t>(table_.data() + at + 8) + details_at);
    out.bytes(table_);
    Bytes trailer;
    ByteWriter end(trailer);
    end.le(details_at + details_.size());
    end.le(meta_.series);
    end.le(meta_.rows);
    end.le(meta_.first_time.ns());
    end.le(meta_.last_time.ns());
    end.le(crc32c(table_));
    end.le(version);
    end.le(std::uint16_t{0});
    end.le(crc32c(trailer));
    end.le(magic);
    out.bytes(trailer);
    TRY_VOID(spill(0));
    TRY_VOID(file_->sync());
    file_.reset();
    return meta_;
}

Result<SnapshotOf<Segment>> Segment::open(Disk& disk, const std::string& directory, std::string name) {
    const std::string path = directory + "/" + name;
    return from(TRY(disk.open(path)), path, std::move(name));
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
    if (load_le<std::uint16_t>(header.data() + 4) > version)
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

Result<SegmentSeries> Segment::series_at(std::size_t index) const {
    ASSERT(index < series_count());
    const std::byte* entry = table_.data() + index * entry_bytes;
    const auto offset = load_le<std::uint64_t>(entry + 8);
    const auto size = load_le<std::uint32_t>(entry + 16);
    SegmentSeries series;
    series.tag = tag_at(index);
    const auto corrupt = [&] {
        return fail(ErrorCode::Corrupt, fmt::format("{}: the index of tag {}", path_, series.tag.value()));
    };
    if (offset > bytes_.size() || size > bytes_.size() - offset || size < 4) return corrupt();
    const ByteView detail = bytes_.subspan(offset, size);
    const auto crc = load_le<std::uint32_t>(detail.data());
    if (crc != load_le<std::uint32_t>(entry + 20) || crc != crc32c(detail.subspan(4))) return corrupt();
    ByteReader in(detail.subspan(4));
    series.info = read_info(in);
    const std::uint64_t blocks = in.varint();
    if (!in.ok() || blocks > detail.size()) return corrupt();
    series.blocks.reserve(blocks);
    std::uint64_t end = 0;
    std::int64_t last = 0;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        BlockRef block;
        block.offset = end + in.varint();
        block.bytes = in.varint();
        block.rows = static_cast<std::uint32_t>(in.varint());
        block.first_time = UtcTime(wrapping_add(last, unzigzag(in.varint())));
        block.last_time = UtcTime(wrapping_add(block.first_time.ns(), static_cast<std::int64_t>(in.varint())));
        if (!in.ok() || block.offset > bytes_.size() || block.bytes > bytes_.size() - block.offset) return corrupt();
        end = block.offset + block.bytes;
        last = block.last_time.ns();
        series.blocks.push_back(block);
    }
    return series;
}

ByteView Segment::bytes_of(const BlockRef& block) const { return bytes_.subspan(block.offset, block.bytes); }

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
    for (auto& slot : damage_) {
        std::uint64_t seen = slot.load(std::memory_order_relaxed);
        if (seen == 0 && slot.compare_exchange_strong(seen, offset, std::memory_order_relaxed)) {
            damaged_blocks_total.add();
            log_error("{}: a block at {} of tag {} from {} to {} is damaged and left out: {}", path_, offset,
                      tag.value(), to_rfc3339(from), to_rfc3339(to), why.detail());
            return;
        }
        if (seen == offset) return;
    }
}

std::uint64_t Segment::damaged_blocks() const {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(damage_, [](const auto& slot) { return slot.load(std::memory_order_relaxed) != 0; }));
}

}  // namespace lineshaft::store
