#include "store/internal/writers.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/internal/days.h"
#include "store/internal/merge.h"

namespace lineshaft::store {
namespace {

constexpr std::size_t partitions_max = 64;

/// How time is cut into files: by 2^shift days. More than one only when the rows touch very many days.
class Partitions {
public:
    explicit Partitions(std::set<std::int64_t> days) {
        while (days.size() > partitions_max) {
            ++shift_;
            std::set<std::int64_t> coarser;
            for (const std::int64_t day : days) coarser.insert(day >> 1);
            days = std::move(coarser);
        }
    }
    std::int64_t of(UtcTime time) const { return utc_day(time) >> shift_; }

private:
    int shift_ = 0;
};

/// One open segment per partition; series come in rising order of tags.
class Sheaf {
public:
    Sheaf(const Target& target, Partitions partitions, std::uint64_t order)
        : target_(target), partitions_(partitions), order_(order) {}

    void begin_series(TagId tag, const SeriesInfo& info) {
        tag_ = tag;
        info_ = info;
    }

    Result<void> add(const Chunk& rows, std::size_t first, std::size_t count) {
        const std::size_t end = first + count;
        while (first < end) {
            const std::int64_t partition = partitions_.of(rows.source_times[first]);
            std::size_t until = end;
            if (partitions_.of(rows.source_times[end - 1]) != partition) {
                const auto at = std::partition_point(rows.source_times.begin() + static_cast<std::ptrdiff_t>(first),
                                                     rows.source_times.begin() + static_cast<std::ptrdiff_t>(end),
                                                     [&](UtcTime time) { return partitions_.of(time) == partition; });
                until = static_cast<std::size_t>(at - rows.source_times.begin());
            }
            SegmentWriter& writer = *TRY(writer_of(partition));
            TRY_VOID(writer.add(rows, first, until - first));
            first = until;
        }
        return {};
    }

    Result<void> end_series() {
        for (SegmentWriter* writer : touched_) TRY_VOID(writer->end_series());
        touched_.clear();
        return {};
    }

    Result<std::vector<SegmentMeta>> finish() {
        std::vector<SegmentMeta> metas;
        for (auto& [partition, writer] : writers_) metas.push_back(TRY(writer->finish()));
        TRY_VOID(target_.disk.sync_directory(target_.directory));
        return metas;
    }

    /// After a failure: takes back what was written. What cannot be removed is an orphan, removed at the next start.
    void undo() {
        writers_.clear();
        for (std::size_t part = 0; part < parts_; ++part)
            (void)target_.disk.remove(target_.directory + "/" + name_of(part));
    }

private:
    std::string name_of(std::size_t part) const { return fmt::format("{:012x}-{:03x}.seg", target_.job, part); }

    Result<SegmentWriter*> writer_of(std::int64_t partition) {
        auto& writer = writers_[partition];
        if (!writer) {
            const std::string name = name_of(parts_++);
            writer = TRY(SegmentWriter::create(target_.disk, target_.directory, name, target_.shard, order_));
        }
        if (std::ranges::find(touched_, writer.get()) == touched_.end()) {
            writer->begin_series(tag_, info_);
            touched_.push_back(writer.get());
        }
        return writer.get();
    }

    const Target& target_;
    const Partitions partitions_;
    const std::uint64_t order_;
    std::map<std::int64_t, std::unique_ptr<SegmentWriter>> writers_;
    std::vector<SegmentWriter*> touched_;
    std::size_t parts_ = 0;
    TagId tag_;
    SeriesInfo info_;
};

Result<std::vector<SegmentMeta>> write_series(Sheaf& sheaf, const std::vector<const MemSeries*>& all) {
    Chunk rows;
    for (const MemSeries* series : all) {
        rows.clear();
        series->copy(utc_time_min, utc_time_max, rows);
        sheaf.begin_series(series->tag(), series->info());
        TRY_VOID(sheaf.add(rows, 0, rows.size()));
        TRY_VOID(sheaf.end_series());
    }
    return sheaf.finish();
}

/// The name of a tag as its newest segment has it.
Result<SeriesInfo> info_of(const std::vector<SnapshotOf<Segment>>& sources, TagId tag) {
    std::optional<SeriesInfo> info;
    std::uint64_t order = 0;
    for (const auto& segment : sources) {
        const auto index = segment->find(tag);
        if (!index || (info && segment->meta().order < order)) continue;
        auto series = segment->series_at(*index);
        if (!series) continue;
        info = std::move(series->info);
        order = segment->meta().order;
    }
    if (!info) return fail(ErrorCode::Corrupt, fmt::format("no index of tag {} is whole", tag.value()));
    return *std::move(info);
}

Result<void> compact_series(Sheaf& sheaf, const std::vector<SnapshotOf<Segment>>& sources, TagId tag,
                            std::uint64_t& damaged_blocks) {
    const auto info = info_of(sources, tag);
    if (!info) {
        ++damaged_blocks;
        return {};
    }
    Merge merge(tag, utc_time_min, utc_time_max, Versions::All);
    add_segments(merge, sources, tag, utc_time_min, utc_time_max);
    sheaf.begin_series(tag, *info);
    Piece piece;
    while (merge.next(piece)) {
        if (piece.block) merge.open(piece);
        if (piece.count > 0) TRY_VOID(sheaf.add(*piece.rows, piece.first, piece.count));
    }
    damaged_blocks += merge.damaged_blocks();
    return sheaf.end_series();
}

}  // namespace

Result<std::vector<SegmentMeta>> write_table(const Target& target, const MemTable& table) {
    std::vector<const MemSeries*> all;
    std::set<std::int64_t> days;
    for (const MemSeries& series : table.series) {
        if (series.size() == 0) continue;
        all.push_back(&series);
        series.collect_days(days);
    }
    std::ranges::sort(all, {}, &MemSeries::tag);
    Sheaf sheaf(target, Partitions(std::move(days)), table.order);
    auto written = write_series(sheaf, all);
    if (!written) sheaf.undo();
    return written;
}

Result<Compacted> compact(const Target& target, const std::vector<SnapshotOf<Segment>>& sources) {
    std::set<std::int64_t> days;
    std::set<TagId> tags;
    std::uint64_t order = 0;
    Compacted compacted;
    for (const auto& segment : sources) {
        order = std::max(order, segment->meta().order);
        days.insert(utc_day(segment->meta().first_time));
        days.insert(utc_day(segment->meta().last_time));
        compacted.damaged_blocks += segment->damaged_blocks();
        for (std::size_t i = 0; i < segment->series_count(); ++i) tags.insert(segment->tag_at(i));
    }
    // Between a segment's ends there may be any day; beyond the bound a range is cut coarser.
    for (std::int64_t day = days.empty() ? 0 : *days.begin(), end = days.empty() ? 0 : *days.rbegin();
         day < end && days.size() <= 4 * partitions_max; ++day)
        days.insert(day);
    Sheaf sheaf(target, Partitions(std::move(days)), order);
    for (const TagId tag : tags) {
        const auto done = compact_series(sheaf, sources, tag, compacted.damaged_blocks);
        if (!done) {
            sheaf.undo();
            return std::unexpected(done.error());
        }
    }
    auto finished = sheaf.finish();
    if (!finished) {
        sheaf.undo();
        return std::unexpected(finished.error());
    }
    compacted.segments = *std::move(finished);
    return compacted;
}

std::vector<SnapshotOf<Segment>> overlapping(const std::vector<SnapshotOf<Segment>>& segments, UtcTime from,
                                             UtcTime last) {
    std::vector<SnapshotOf<Segment>> found;
    for (bool grown = true; grown;) {
        grown = false;
        for (const auto& segment : segments) {
            const SegmentMeta& meta = segment->meta();
            if (meta.last_time < from || meta.first_time > last) continue;
            if (std::ranges::find(found, segment) != found.end()) continue;
            found.push_back(segment);
            from = std::min(from, meta.first_time);
            last = std::max(last, meta.last_time);
            grown = true;
        }
    }
    return found;
}

}  // namespace lineshaft::store
