/// A job's segments while they are written: one per day or partition, open side by side; series in rising order of tags.
///
/// Threads: one. Errors: DiskFull, Io.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "store/internal/days.h"
#include "store/internal/writers.h"

namespace lineshaft::store {

inline constexpr std::size_t partitions_max = 64;

/// How time is cut into files: by days and partitions, coarser only when the rows touch very many of them.
class Partitions {
public:
    Partitions(const std::set<std::int64_t>& days, std::int64_t mature) : mature_(mature) {
        for (;; ++shift_) {
            std::set<std::int64_t> files;
            for (const std::int64_t day : days) files.insert(of(day));
            if (files.size() <= partitions_max) return;
        }
    }
    std::int64_t of(UtcTime time) const { return of(utc_day(time)); }

private:
    std::int64_t of(std::int64_t day) const { return cell_of(day, mature_) >> shift_; }

    const std::int64_t mature_;
    int shift_ = 0;
};

/// One open segment per partition; series come in rising order of tags.
class Sheaf {
public:
    Sheaf(const Target& target, Partitions partitions, std::uint64_t order)
        : target_(target), partitions_(partitions), order_(order) {}

    void begin_series(TagId tag, const SeriesInfo& info, TierSet keep = {}) {
        tag_ = tag;
        info_ = info;
        keep_ = keep;
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

    Result<void> add(Tier tier, const Bucket& bucket) {
        return TRY(writer_of(partitions_.of(bucket.first_time)))->add(tier, bucket);
    }

    /// False when the block does not lie in one file.
    bool is_apart(const BlockHeader& header) const {
        return partitions_.of(header.first_time) == partitions_.of(header.last_time);
    }
    Result<void> copy(ByteView block, const BlockHeader& header, const Chunk& rows) {
        return TRY(writer_of(partitions_.of(header.first_time)))->copy(block, header, rows);
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
            writer->set_effort(target_.effort);
        }
        if (std::ranges::find(touched_, writer.get()) == touched_.end()) {
            writer->begin_series(tag_, info_, keep_);
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
    TierSet keep_;
};

}  // namespace lineshaft::store
