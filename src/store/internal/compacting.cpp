// From many segments to few: see writers.h.
#include <algorithm>
#include <set>

#include "store/internal/merge.h"
#include "store/internal/sheaf.h"

namespace lineshaft::store {
namespace {

using Sources = std::vector<SnapshotOf<Segment>>;

// Smaller blocks are packed anew, into full ones.
constexpr std::uint32_t copied_rows_min = block_rows * 3 / 4;

struct TieredBucket {
    Tier tier = Tier::Second;
    Bucket bucket;
    UtcTime start() const { return bucket.start; }
    UtcTime end() const { return bucket.start + width_of(tier); }
};

/// The name of a tag as its newest segment has it.
Result<SeriesInfo> info_of(const Sources& sources, TagId tag) {
    std::optional<SeriesInfo> info;
    std::uint64_t order = 0;
    for (const auto& segment : sources) {
        const auto index = segment->find(tag);
        if (!index || (info && segment->meta().order < order)) continue;
        auto series = segment->outline_at(*index);
        if (!series) continue;
        info = std::move(series->info);
        order = segment->meta().order;
    }
    if (!info) return fail(ErrorCode::Corrupt, fmt::format("no index of tag {} is whole", tag.value()));
    return *std::move(info);
}

/// One series from its sources into the new files.
class Passage {
public:
    Passage(Sheaf& sheaf, const Sources& sources, const Sieve& sieve, Effort effort, Compacted& into)
        : sheaf_(sheaf), sources_(sources), sieve_(sieve), effort_(effort), into_(into) {}

    Result<void> run(TagId tag) {
        const auto info = info_of(sources_, tag);
        if (!info) return {};  // Its damage has been noted.
        tag_ = tag;
        plan_ = sieve_.plan_of(*info);
        hidden_ = sieve_.erasures.of(tag);
        collect_buckets();
        if (plan_.raw_from > utc_time_min) expire_rows();
        thin_out();
        TierSet keep = plan_.keep;
        for (const TieredBucket& bucket : buckets_) keep.add(bucket.tier);
        sheaf_.begin_series(tag, *info, keep);
        TRY_VOID(pass_rows());
        TRY_VOID(pass_buckets(utc_time_max));
        return sheaf_.end_series();
    }

private:
    /// What rollups alone still speak of.
    void collect_buckets() {
        buckets_.clear();
        next_bucket_ = 0;
        for (const auto& segment : sources_) {
            const auto index = segment->find(tag_);
            const auto series = index ? segment->outline_at(*index) : fail(ErrorCode::NotFound);
            if (!series) continue;
            for (const ExpiredRange& range : series->expired) collect(*segment, *series, range);
        }
        std::ranges::sort(buckets_, [](const TieredBucket& a, const TieredBucket& b) {
            if (a.start() != b.start()) return a.start() < b.start();
            return std::pair(a.tier, a.bucket.count) > std::pair(b.tier, b.bucket.count);
        });
        // Rows of late arrival may not come back beside what has been rolled up.
        if (!buckets_.empty()) plan_.raw_from = std::max(plan_.raw_from, buckets_.back().end());
    }

    void collect(const Segment& segment, const SegmentSeries& series, const ExpiredRange& range) {
        const auto tier = std::ranges::find(series.tiers, range.finest, &TierRef::tier);
        if (tier == series.tiers.end()) return;
        std::vector<Bucket> decoded;
        for (const TierChunk& chunk : tier->chunks) {
            if (chunk.last_time < range.first_time || chunk.first_time > range.last_time) continue;
            decoded.clear();
            const auto done = segment.decode(tag_, tier->tier, chunk, decoded);
            if (!done) {
                segment.report_damage(chunk.offset, tag_, chunk.first_time, chunk.last_time, done.error());
                continue;
            }
            for (const Bucket& bucket : decoded) {
                if (bucket.first_time < range.first_time || bucket.last_time > range.last_time) continue;
                if (!is_erased(segment.meta(), bucket)) buckets_.push_back({tier->tier, bucket});
            }
        }
    }

    /// A bucket has no parts: touched by an erasure it goes whole.
    bool is_erased(const SegmentMeta& meta, const Bucket& bucket) const {
        return std::ranges::any_of(hidden_, [&](const Hidden& hidden) {
            return meta.order < hidden.order && meta.erasures < hidden.number && bucket.last_time >= hidden.from &&
                   bucket.first_time <= hidden.last;
        });
    }

    Merge stream(UtcTime from, UtcTime last, Versions versions) {
        Merge merge(tag_, from, last, versions);
        merge.hide(hidden_);
        add_segments(merge, sources_);
        return merge;
    }

    /// Rows that are too old become buckets of the finest resolution that is kept there.
    void expire_rows() {
        Merge merge = stream(utc_time_min, UtcTime(plan_.raw_from.ns() - 1), Versions::Last);
        std::vector<TieredBucket> made;
        TierBuilder builder;
        std::optional<Tier> tier;
        RetentionEffect freed;
        const auto end = [&] {
            if (!tier) return;
            builder.end();
            for (const Bucket& bucket : builder.buckets(*tier)) made.push_back({*tier, bucket});
            builder.buckets(*tier).clear();
            tier.reset();
        };
        Piece piece;
        while (merge.next(piece)) {
            if (piece.block) merge.open(piece);
            freed.samples += piece.count;
            for (std::size_t i = 0; i < piece.count; ++i) {
                const std::size_t row = piece.first + i;
                const auto wanted = plan_.tier_at(piece.rows->source_times[row]);
                if (wanted != tier) end();
                if (!wanted) continue;
                if (!tier) {
                    TierSet one;
                    one.add(*wanted);
                    builder.begin(one);
                    tier = wanted;
                }
                builder.add(*piece.rows, row, 1);
            }
        }
        end();
        note_freed(freed);
        // Where a bucket is there already, it speaks: what came late for it was too late.
        std::vector<TieredBucket> all;
        std::ranges::merge(buckets_, made, std::back_inserter(all),
                           [](const TieredBucket& a, const TieredBucket& b) { return a.start() < b.start(); });
        buckets_ = std::move(all);
    }

    /// Takes overlapping ones away, and makes coarser ones of those that are finer than the rule leaves.
    void thin_out() {
        std::vector<TieredBucket> kept;
        TierBuilder builder;
        std::optional<Tier> to;
        const auto end = [&] {
            if (!to) return;
            builder.end();
            for (const Bucket& bucket : builder.buckets(*to)) kept.push_back({*to, bucket});
            builder.buckets(*to).clear();
            to.reset();
        };
        UtcTime until = utc_time_min;
        for (const TieredBucket& bucket : buckets_) {
            if (bucket.start() < until) continue;
            until = bucket.end();
            const auto wanted = plan_.rule ? plan_.tier_at(bucket.start()) : bucket.tier;
            if (!wanted) continue;
            if (*wanted <= bucket.tier) {
                end();
                kept.push_back(bucket);
                continue;
            }
            if (to != wanted) {
                end();
                TierSet both;
                both.add(bucket.tier);
                both.add(*wanted);
                builder.begin(both);
                to = wanted;
            }
            builder.add(bucket.tier, bucket.bucket);
        }
        end();
        buckets_ = std::move(kept);
    }

    Result<void> pass_buckets(UtcTime before) {
        while (next_bucket_ < buckets_.size() && buckets_[next_bucket_].start() < before) {
            const TieredBucket& bucket = buckets_[next_bucket_++];
            TRY_VOID(sheaf_.add(bucket.tier, bucket.bucket));
        }
        return {};
    }

    Result<void> pass_rows() {
        TRY_VOID(pass_buckets(plan_.raw_from));
        Merge merge = stream(plan_.raw_from, utc_time_max, Versions::All);
        Piece piece;
        while (merge.next(piece)) {
            if (!piece.block) {
                if (piece.count > 0) TRY_VOID(sheaf_.add(*piece.rows, piece.first, piece.count));
                continue;
            }
            const BlockHeader header = *piece.block;
            const ByteView bytes = piece.block_bytes;
            merge.open(piece);
            if (piece.count == 0) continue;
            if (effort_ == Effort::Usual && header.rows >= copied_rows_min && sheaf_.is_apart(header)) {
                TRY_VOID(sheaf_.copy(bytes, header, *piece.rows));
                into_.copied_bytes += bytes.size();
            } else {
                TRY_VOID(sheaf_.add(*piece.rows, piece.first, piece.count));
            }
        }
        return {};
    }

    void note_freed(RetentionEffect freed) {
        if (!plan_.rule || freed.samples == 0) return;
        RetentionEffect& sum = into_.freed[*plan_.rule];
        sum.series += 1;
        sum.samples += freed.samples;
    }

    Sheaf& sheaf_;
    const Sources& sources_;
    const Sieve& sieve_;
    const Effort effort_;
    Compacted& into_;
    TagId tag_;
    SeriesPlan plan_;
    std::vector<Hidden> hidden_;
    std::vector<TieredBucket> buckets_;  // Oldest first.
    std::size_t next_bucket_ = 0;
};

/// Every place of `segment` whose bytes are not what was written.
void find_damage(const Segment& segment, std::vector<Damage>& damage) {
    const SegmentMeta& meta = segment.meta();
    if (!segment.is_whole()) {
        damage.push_back({meta.name, TagId(), meta.first_time, meta.last_time, 0, "the table of series"});
        return;
    }
    for (std::size_t i = 0; i < segment.series_count(); ++i) {
        if (!segment.series_at(i))
            damage.push_back(
                {meta.name, segment.tag_at(i), meta.first_time, meta.last_time, 0, "the index of a series"});
    }
    for (const Segment::BlockDamage& block : segment.damage())
        damage.push_back({meta.name, block.tag, block.from, block.last, 1, block.why});
}

}  // namespace

Result<Compacted> compact(const Target& target, const Sources& sources, const Sieve& sieve) {
    std::set<std::int64_t> days;
    std::set<TagId> tags;
    std::uint64_t order = 0;
    Compacted compacted;
    for (const auto& segment : sources) {
        order = std::max(order, segment->meta().order);
        days.insert(utc_day(segment->meta().first_time));
        days.insert(utc_day(segment->meta().last_time));
        if (!segment->is_whole()) continue;
        for (std::size_t i = 0; i < segment->series_count(); ++i) tags.insert(segment->tag_at(i));
    }
    for (const RetentionRule& rule : sieve.rules) compacted.freed.push_back({.rule = rule.id});
    // Between a segment's ends there may be any day; beyond the bound a range is cut coarser.
    const std::int64_t first = days.empty() ? 0 : *days.begin();
    const std::int64_t last = days.empty() ? 0 : *days.rbegin();
    for (std::int64_t day = first; day < last && days.size() <= 100 * partitions_max; ++day) days.insert(day);
    Sheaf sheaf(target, Partitions(days, target.mature), order);
    Passage passage(sheaf, sources, sieve, target.effort, compacted);
    for (const TagId tag : tags) {
        const bool is_told_to_stop = target.stop && target.stop->load(std::memory_order_relaxed);
        const Result<void> done = is_told_to_stop ? fail(ErrorCode::Closed) : passage.run(tag);
        if (done) continue;
        sheaf.undo();
        return std::unexpected(done.error());
    }
    auto finished = sheaf.finish();
    if (!finished) {
        sheaf.undo();
        return std::unexpected(finished.error());
    }
    compacted.segments = *std::move(finished);
    for (SegmentMeta& meta : compacted.segments) meta.erasures = sieve.erasures_number;
    for (const auto& segment : sources) find_damage(*segment, compacted.damage);
    return compacted;
}

}  // namespace lineshaft::store
