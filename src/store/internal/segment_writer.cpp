#include <algorithm>

#include "base/assert.h"
#include "store/internal/ints.h"
#include "store/internal/segment.h"
#include "store/internal/segment_layout.h"
#include "store/internal/series_codec.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

using namespace segment_layout;

constexpr std::size_t spill_bytes = 1024 * 1024;
// Tiers of broken clocks are not worth a special case: such samples are read as rows.
constexpr UtcTime tiers_from{INT64_MIN / 2};
constexpr UtcTime tiers_to{INT64_MAX / 2};

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

/// Places in the file, each told from the one before.
class Places {
public:
    explicit Places(ByteWriter& out) : out_(out) {}
    void add(std::uint64_t offset, std::uint64_t bytes, std::uint64_t count, UtcTime first, UtcTime last) {
        out_.varint(offset - end_);
        out_.varint(bytes);
        out_.varint(count);
        add(first, last);
        end_ = offset + bytes;
    }
    void add(UtcTime first, UtcTime last) {
        out_.varint(zigzag(wrapping_sub(first.ns(), last_)));
        out_.varint(static_cast<std::uint64_t>(wrapping_sub(last.ns(), first.ns())));
        last_ = last.ns();
    }

private:
    ByteWriter& out_;
    std::uint64_t end_ = 0;
    std::int64_t last_ = 0;
};

Bytes encode_detail(const SegmentSeries& series) {
    Bytes index;
    ByteWriter index_out(index);
    Places blocks(index_out);
    for (const BlockRef& block : series.blocks)
        blocks.add(block.offset, block.bytes, block.rows, block.first_time, block.last_time);

    Bytes head;
    ByteWriter out(head);
    out.le(std::uint32_t{0});
    write_info(out, series.info);
    Places(out).add(series.first_time, series.last_time);
    out.varint(series.blocks.size());
    out.le(crc32c(index));
    out.varint(series.tiers.size());
    for (const TierRef& tier : series.tiers) {
        out.u8(static_cast<std::uint8_t>(tier.tier));
        out.varint(tier.chunks.size());
        Places chunks(out);
        for (const TierChunk& chunk : tier.chunks)
            chunks.add(chunk.offset, chunk.bytes, chunk.buckets, chunk.first_time, chunk.last_time);
    }
    out.varint(series.expired.size());
    Places expired(out);
    for (const ExpiredRange& range : series.expired) {
        expired.add(range.first_time, range.last_time);
        out.u8(static_cast<std::uint8_t>(range.finest));
    }
    store_le(head.data(), static_cast<std::uint32_t>(head.size() - 4));

    Bytes detail;
    ByteWriter whole(detail);
    whole.le(crc32c(head));
    whole.bytes(head);
    whole.bytes(index);
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

void SegmentWriter::begin_series(TagId tag, SeriesInfo info, TierSet keep) {
    ASSERT(series_.tag < tag || meta_.series == 0);
    series_ = {};
    series_.tag = tag;
    series_.info = std::move(info);
    series_.first_time = utc_time_max;
    series_.last_time = utc_time_min;
    keep_ = keep;
    has_tiers_ = false;
}

/// From the first full block on, or at once where a tier is asked for: a series of a few rows has none.
void SegmentWriter::ensure_tiers() {
    if (has_tiers_) return;
    tiers_.begin(keep_);
    has_tiers_ = true;
}

Result<void> SegmentWriter::add(const Chunk& rows, std::size_t first, std::size_t count) {
    pending_.append(rows, first, count);
    const std::size_t wanted = block_rows_wanted();
    while (pending_.size() - pending_from_ >= wanted || pending_.text.size() >= block_text_bytes_max) {
        ensure_tiers();
        std::size_t rows_now = std::min(wanted, pending_.size() - pending_from_);
        std::size_t text = 0;
        for (std::size_t i = 0; i < rows_now && !pending_.text.empty(); ++i) {
            const std::size_t row = pending_from_ + i;
            if (pending_.types[row] == ValueType::String) text += pending_.bits[row] & 0xFFFFFFFF;
            if (text >= block_text_bytes_max) rows_now = i + 1;
        }
        if (rows_now < wanted && text < block_text_bytes_max) break;
        TRY_VOID(write_block(rows_now));
    }
    if (pending_from_ == 0) return {};
    Chunk rest;
    rest.append(pending_, pending_from_, pending_.size() - pending_from_);
    pending_ = std::move(rest);
    pending_from_ = 0;
    return {};
}

Result<void> SegmentWriter::add(Tier tier, const Bucket& bucket) {
    TRY_VOID(write_pending());
    ensure_tiers();
    tiers_.add(tier, bucket);
    const bool goes_on =
        !series_.expired.empty() && series_.expired.back().finest == tier &&
        (series_.blocks.empty() || series_.blocks.back().last_time < series_.expired.back().first_time);
    if (goes_on)
        series_.expired.back().last_time = bucket.last_time;
    else
        series_.expired.push_back({bucket.first_time, bucket.last_time, tier});
    take_times(bucket.first_time, bucket.last_time);
    return write_kept_tiers();
}

Result<void> SegmentWriter::copy(ByteView block, const BlockHeader& header, const Chunk& rows) {
    ensure_tiers();  // Before what is pending: a tier speaks of every block or is not there.
    TRY_VOID(write_pending());
    tiers_.add(rows, 0, rows.size());
    const std::size_t before = buffer_.size();
    ByteWriter(buffer_).bytes(block);
    return take_block(before, header);
}

Result<void> SegmentWriter::write_pending() {
    if (pending_.size() > 0) TRY_VOID(write_block(pending_.size()));
    pending_.clear();
    pending_from_ = 0;
    return {};
}

Result<void> SegmentWriter::write_block(std::size_t count) {
    if (!keep_.empty()) ensure_tiers();
    if (has_tiers_) tiers_.add(pending_, pending_from_, count);
    const std::size_t before = buffer_.size();
    const BlockHeader header = encode_block(series_.tag, pending_, pending_from_, count, buffer_, effort_);
    pending_from_ += count;
    return take_block(before, header);
}

Result<void> SegmentWriter::take_block(std::size_t at, const BlockHeader& header) {
    series_.blocks.push_back(
        {meta_.bytes + at, buffer_.size() - at, header.rows, header.first_time, header.last_time});
    meta_.rows += header.rows;
    take_times(header.first_time, header.last_time);
    TRY_VOID(write_kept_tiers());
    return spill(spill_bytes);
}

void SegmentWriter::take_times(UtcTime first, UtcTime last) {
    series_.first_time = std::min(series_.first_time, first);
    series_.last_time = std::max(series_.last_time, last);
    meta_.first_time = std::min(meta_.first_time, first);
    meta_.last_time = std::max(meta_.last_time, last);
}

/// Tiers that stay in any case go out as they grow: a month of seconds would not fit in memory.
Result<void> SegmentWriter::write_kept_tiers() {
    for (std::size_t i = 0; i < tiers_count && !keep_.empty(); ++i) {
        const auto tier = static_cast<Tier>(i);
        if (keep_.has(tier) && has_tiers_) TRY_VOID(write_chunks(tier, tier_chunk_buckets));
    }
    return {};
}

/// Writes what is finished of `tier` while there are `buckets_min` of it.
Result<void> SegmentWriter::write_chunks(Tier tier, std::size_t buckets_min) {
    std::vector<Bucket>& buckets = tiers_.buckets(tier);
    auto ref = std::ranges::find(series_.tiers, tier, &TierRef::tier);
    std::size_t done = 0;
    while (buckets.size() - done >= std::max<std::size_t>(buckets_min, 1)) {
        if (ref == series_.tiers.end()) ref = series_.tiers.insert(series_.tiers.end(), {tier, {}});
        const auto part = std::span(buckets).subspan(done, std::min(tier_chunk_buckets, buckets.size() - done));
        const std::size_t before = buffer_.size();
        encode_tier_chunk(series_.tag, tier, part, buffer_);
        ref->chunks.push_back({meta_.bytes + before, buffer_.size() - before, static_cast<std::uint32_t>(part.size()),
                               part.front().first_time, part.back().last_time});
        done += part.size();
    }
    buckets.erase(buckets.begin(), buckets.begin() + static_cast<std::ptrdiff_t>(done));
    return spill(spill_bytes);
}

Result<void> SegmentWriter::write_tiers() {
    if (!has_tiers_) return {};
    tiers_.end();
    if (series_.first_time < tiers_from || series_.last_time > tiers_to) {
        series_.tiers.clear();
        return {};
    }
    for (std::size_t i = 0; i < tiers_count; ++i) {
        const auto tier = static_cast<Tier>(i);
        if (tiers_.is_worth_it(tier)) TRY_VOID(write_chunks(tier, 1));
    }
    std::ranges::sort(series_.tiers, {}, &TierRef::tier);
    return {};
}

Result<void> SegmentWriter::spill(std::size_t above) {
    if (buffer_.size() <= above) return {};
    TRY_VOID(file_->append(buffer_));
    meta_.bytes += buffer_.size();
    buffer_.clear();
    return {};
}

Result<void> SegmentWriter::end_series() {
    TRY_VOID(write_pending());
    TRY_VOID(write_tiers());
    if (series_.blocks.empty() && series_.expired.empty()) return {};
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

}  // namespace lineshaft::store
