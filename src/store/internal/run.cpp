#include "store/internal/run.h"

#include <algorithm>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

constexpr auto none_left = utc_time_max;

std::size_t first_at_or_after(const Chunk& rows, std::size_t begin, UtcTime time) {
    const auto from = rows.source_times.begin() + static_cast<std::ptrdiff_t>(begin);
    return static_cast<std::size_t>(std::lower_bound(from, rows.source_times.end(), time) -
                                    rows.source_times.begin());
}

bool covers(const Hidden& hidden, UtcTime first, UtcTime last) { return hidden.from <= first && last <= hidden.last; }

template <class Keep>
void keep_rows(Chunk& rows, Keep keep) {
    std::size_t kept = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (!keep(row)) continue;
        if (kept != row) {
            rows.source_times[kept] = rows.source_times[row];
            rows.receive_times[kept] = rows.receive_times[row];
            rows.types[kept] = rows.types[row];
            rows.bits[kept] = rows.bits[row];
            rows.qualities[kept] = rows.qualities[row];
        }
        ++kept;
    }
    rows.source_times.resize(kept);
    rows.receive_times.resize(kept);
    rows.types.resize(kept);
    rows.bits.resize(kept);
    rows.qualities.resize(kept);
}

void drop_hidden(Chunk& rows, const std::vector<Hidden>& hidden) {
    const auto is_hidden = [&](UtcTime time) {
        return std::ranges::any_of(hidden, [time](const Hidden& h) { return covers(h, time, time); });
    };
    if (hidden.empty() || std::ranges::none_of(rows.source_times, is_hidden)) return;
    keep_rows(rows, [&](std::size_t row) { return !is_hidden(rows.source_times[row]); });
}

void drop_unknown(Chunk& rows, const std::optional<UtcTime>& known_at) {
    if (known_at) keep_rows(rows, [&](std::size_t row) { return rows.receive_times[row] <= *known_at; });
}

}  // namespace

void keep_last_versions(Chunk& rows) {
    keep_rows(rows, [&](std::size_t row) {
        return row + 1 == rows.size() || rows.source_times[row + 1] != rows.source_times[row];
    });
}

Run::Run(const Scope& scope, std::uint64_t order, Chunk rows, const std::vector<Hidden>& hidden)
    : scope_(&scope), order_(order), position_(scope.from), rows_(std::move(rows)) {
    for (const Hidden& one : hidden) {
        if (order < one.order) hidden_.push_back(one);
    }
    drop_hidden(rows_, hidden_);
    drop_unknown(rows_, scope.known_at);
    if (scope.versions == Versions::Last) keep_last_versions(rows_);
    ASSERT(rows_.empty() || (rows_.source_times.front() >= scope.from && rows_.source_times.back() <= scope.last));
    is_empty_ = rows_.empty();
    is_settled_ = true;
}

Run::Run(const Scope& scope, SnapshotOf<Segment> segment, SegmentSeries series, const std::vector<Hidden>& hidden)
    : scope_(&scope),
      order_(segment->meta().order),
      segment_(std::move(segment)),
      series_(std::move(series)),
      position_(scope.from),
      head_(std::max(scope.from, series_.first_time)) {
    for (const Hidden& one : hidden) {
        if (order_ >= one.order || segment_->meta().erasures >= one.number) continue;
        if (one.from <= series_.last_time && series_.first_time <= one.last) hidden_.push_back(one);
    }
    is_empty_ = series_.last_time < scope.from || series_.first_time > scope.last ||
                std::ranges::any_of(hidden_, [this](const Hidden& one) {
                    return covers(one, series_.first_time, series_.last_time);
                });
}

/// Tiers that cut time as finely as asked, and those that are all there is.
void Run::choose_levels() {
    TierSet wanted;
    if (scope_->wholes == Wholes::Buckets && !scope_->known_at && !has(scope_->needs, Needs::Rows)) {
        for (const TierRef& ref : series_.tiers) {
            if (scope_->grain.count() % width_of(ref.tier).count() == 0) wanted.add(ref.tier);
        }
    }
    for (const ExpiredRange& range : series_.expired) {
        if (range.last_time >= scope_->from && range.first_time <= scope_->last) wanted.add(range.finest);
    }
    for (auto ref = series_.tiers.rbegin(); ref != series_.tiers.rend(); ++ref) {
        if (wanted.has(ref->tier)) levels_.emplace_back().ref = std::move(*ref);
    }
    series_.tiers.clear();
}

void Run::settle(Losses& losses) {
    if (!is_settled_) {
        choose_levels();
        is_settled_ = true;
    }
    while (!is_empty_ && !is_open()) {
        while (!bounds_.empty() && position_ > bounds_.back()) leave_bound();
        if (bounds_.size() < levels_.size() ? settle_level(losses) : settle_blocks(losses)) return;
    }
}

/// True when there is something next on this level, or nothing any more.
bool Run::settle_level(Losses& losses) {
    item_ = item_at(levels_[bounds_.size()], losses);
    if (item_ && item_->first_time <= bound()) {
        head_ = std::max(item_->first_time, position_);
        return true;
    }
    if (bounds_.empty()) {
        is_empty_ = true;
        return true;
    }
    move_past(bounds_.back());
    return false;
}

bool Run::settle_blocks(Losses& losses) {
    item_.reset();
    if (ensure_blocks(losses)) {
        while (next_block_ < series_.blocks.size()) {
            const BlockRef& block = series_.blocks[next_block_];
            if (block.last_time >= position_ && !std::ranges::any_of(hidden_, [&](const Hidden& one) {
                    return covers(one, block.first_time, block.last_time);
                }))
                break;
            ++next_block_;
        }
        if (next_block_ < series_.blocks.size() && series_.blocks[next_block_].first_time <= bound()) {
            head_ = std::max(series_.blocks[next_block_].first_time, position_);
            return true;
        }
    }
    if (bounds_.empty()) {
        is_empty_ = true;
        return true;
    }
    move_past(bounds_.back());
    return false;
}

void Run::move_past(UtcTime last) {
    if (last >= scope_->last || last == none_left)
        is_empty_ = true;
    else
        position_ = std::max(position_, UtcTime(last.ns() + 1));
}

/// Back to the level above. A block that goes on beyond the bound has more to give.
void Run::leave_bound() {
    bounds_.pop_back();
    while (next_block_ > 0 && series_.blocks[next_block_ - 1].last_time >= position_) --next_block_;
}

bool Run::ensure_blocks(Losses& losses) {
    if (has_blocks_) return true;
    has_blocks_ = true;
    const auto read = segment_->read_blocks(series_);
    if (!read) {
        segment_->report_damage(static_cast<std::uint64_t>(series_.index.data() - segment_->whole().data()) + 1,
                                scope_->tag, series_.first_time, series_.last_time, read.error());
        damage(series_.first_time, series_.last_time, losses);
    }
    return true;
}

void Run::damage(UtcTime first, UtcTime last, Losses& losses) const {
    ++losses.damaged_blocks;
    losses.damaged.push_back({std::max(first, scope_->from), std::min(last, scope_->last)});
}

/// The first item of the level that is not behind. One of a chunk that cannot be read has no bucket.
std::optional<Run::Item> Run::item_at(Level& level, Losses& losses) {
    for (; level.chunk < level.ref.chunks.size(); ++level.chunk, level.is_decoded = false) {
        const TierChunk& chunk = level.ref.chunks[level.chunk];
        if (chunk.last_time < position_) continue;
        if (!level.is_decoded) decode_chunk(level, losses);
        if (level.buckets.empty()) return Item{chunk.first_time, chunk.last_time, nullptr};
        while (level.buckets[level.next].last_time < position_) ++level.next;
        const Bucket& bucket = level.buckets[level.next];
        return Item{bucket.first_time, bucket.last_time, &bucket};
    }
    return std::nullopt;
}

void Run::decode_chunk(Level& level, Losses& losses) {
    const TierChunk& chunk = level.ref.chunks[level.chunk];
    level.is_decoded = true;
    level.next = 0;
    const auto decoded = segment_->decode(scope_->tag, level.ref.tier, chunk, level.buckets);
    if (decoded) return;
    level.buckets.clear();
    segment_->report_damage(chunk.offset, scope_->tag, chunk.first_time, chunk.last_time, decoded.error());
    // The rows beneath say the same, where they still are.
    for (const ExpiredRange& range : series_.expired) {
        if (range.finest == level.ref.tier && range.first_time <= chunk.last_time &&
            range.last_time >= chunk.first_time)
            damage(std::max(range.first_time, chunk.first_time), std::min(range.last_time, chunk.last_time), losses);
    }
}

bool Run::is_hidden(UtcTime first, UtcTime last) const {
    return std::ranges::any_of(hidden_, [&](const Hidden& h) { return last >= h.from && first <= h.last; });
}

const ExpiredRange* Run::expired_at(const Bucket& bucket, Tier tier) const {
    for (const ExpiredRange& range : series_.expired) {
        if (range.finest == tier && range.first_time <= bucket.first_time && bucket.last_time <= range.last_time)
            return &range;
    }
    return nullptr;
}

void Run::tell_expired(const Bucket& bucket, Losses& losses) const {
    for (const ExpiredRange& range : series_.expired) {
        if (range.last_time < bucket.first_time || range.first_time > bucket.last_time) continue;
        const TimeRange told{std::max(range.first_time, scope_->from), std::min(range.last_time, scope_->last)};
        if (losses.expired.empty() || losses.expired.back() != told) losses.expired.push_back(told);
    }
}

bool Run::take_whole(UtcTime limit, Piece& piece, Losses& losses) {
    ASSERT(!is_open() && !is_empty_);
    piece = {};
    piece.order = order_;
    if (!item_) {
        if (bounds_.size() < levels_.size()) return false;
        const BlockRef& block = series_.blocks[next_block_];
        if (!block_may_be_whole(block, limit)) return scope_->numbers && take_numbers(block, limit, piece);
        const auto header = segment_->header_of(scope_->tag, block);
        if (!header) return false;  // decode_next meets it again and reports it.
        whole_ = *header;
        piece.count = whole_.stats.count;
        if (scope_->wholes == Wholes::Blocks) {
            piece.block = &whole_;
            piece.block_bytes = segment_->bytes_of(block);
        } else {
            piece.bucket = &whole_.stats;
        }
        ++next_block_;
        position_ = block.last_time;
        return true;
    }
    if (!item_->bucket) return false;
    const Bucket& bucket = *item_->bucket;
    const Tier tier = levels_[bounds_.size()].ref.tier;
    const bool is_touched = is_hidden(bucket.first_time, bucket.last_time);
    if (expired_at(bucket, tier)) {
        tell_expired(bucket, losses);
        move_past(bucket.last_time);
        // What was erased or not yet known in part cannot be told apart any more: it is left out.
        if (is_touched || scope_->known_at) return piece = {}, true;
        piece.bucket = &bucket;
        piece.expired = tier;
        return true;
    }
    const bool fits = scope_->wholes == Wholes::Buckets && !scope_->known_at && !is_touched &&
                      scope_->grain.count() % width_of(tier).count() == 0 && bucket.first_time >= position_ &&
                      bucket.last_time <= scope_->last && bucket.last_time < limit;
    if (!fits) return false;
    tell_expired(bucket, losses);
    piece.bucket = &bucket;
    piece.count = bucket.count;
    move_past(bucket.last_time);
    return true;
}

/// The next block shares no time with the one after it.
bool Run::is_apart() const {
    return next_block_ + 1 == series_.blocks.size() ||
           series_.blocks[next_block_].last_time < series_.blocks[next_block_ + 1].first_time;
}

/// What the range and the bound leave of a block that is alone in its time. A block that a tier's bucket cuts comes
/// once for each part and is decoded once.
bool Run::take_numbers(const BlockRef& block, UtcTime limit, Piece& piece) {
    const UtcTime last = std::min(block.last_time, bound());
    if (scope_->known_at || last >= limit || is_hidden(block.first_time, block.last_time) || !is_apart())
        return false;
    if (numbers_block_ != next_block_) {
        numbers_block_.reset();
        const auto header = segment_->header_of(scope_->tag, block);
        if (!header || header->stats.count != header->rows) return false;
        if (!decode_numbers(segment_->bytes_of(block), *header, numbers_)) return false;  // decode_next reports it.
        numbers_block_ = next_block_;
    }
    const auto begin = std::ranges::lower_bound(numbers_.times, position_.ns());
    const auto end = std::upper_bound(begin, numbers_.times.end(), last.ns());
    piece.numbers = &numbers_;
    piece.first = static_cast<std::size_t>(begin - numbers_.times.begin());
    piece.count = static_cast<std::size_t>(end - begin);
    ++next_block_;
    position_ = last;
    return true;
}

bool Run::block_may_be_whole(const BlockRef& block, UtcTime limit) const {
    if (scope_->wholes == Wholes::None || scope_->known_at || block.last_time >= limit ||
        block.first_time < position_ || block.last_time > bound() || is_hidden(block.first_time, block.last_time))
        return false;
    if (!is_apart() || scope_->wholes == Wholes::Blocks) return is_apart();
    // Sums of version 1 are rounded: they would not add up to the same.
    if (scope_->needs != Needs::Basic || segment_->version() < 2) return false;
    return scope_->grain.count() == 0 ||
           floor_to(block.first_time, scope_->grain) == floor_to(block.last_time, scope_->grain);
}

void Run::go_down(Losses& losses) {
    ASSERT(!is_open() && !is_empty_);
    if (bounds_.size() == levels_.size()) {
        decode_next(losses);
        return;
    }
    bounds_.push_back(item_->last_time);
    item_.reset();
}

/// False when the block is damaged; it is passed over then.
bool Run::decode_next(Losses& losses) {
    const BlockRef block = series_.blocks[next_block_++];
    row_ = 0;
    rows_.clear();
    const auto header = segment_->header_of(scope_->tag, block);
    const auto decoded = header ? segment_->decode(block, *header, rows_) : std::unexpected(header.error());
    if (!decoded) {
        rows_.clear();
        segment_->report_damage(block.offset, scope_->tag, block.first_time, block.last_time, decoded.error());
        damage(block.first_time, block.last_time, losses);
        return false;
    }
    drop_unknown(rows_, scope_->known_at);
    if (scope_->versions == Versions::Last && header->stats.count != header->rows) keep_last_versions(rows_);
    if (is_hidden(block.first_time, block.last_time)) drop_hidden(rows_, hidden_);
    cut(position_, bound());
    return true;
}

/// Leaves rows of [from, last].
void Run::cut(UtcTime from, UtcTime last) {
    row_ = first_at_or_after(rows_, 0, from);
    if (rows_.empty() || rows_.source_times.back() <= last) return;
    const std::size_t end = first_at_or_after(rows_, row_, UtcTime(last.ns() + 1));
    Chunk within;
    within.append(rows_, row_, end - row_);
    rows_ = std::move(within);
    row_ = 0;
}

bool Run::decode_taken(Losses& losses) {
    --next_block_;
    const bool decoded = decode_next(losses);
    row_ = rows_.size();
    return decoded;
}

UtcTime Run::next_block_time() const {
    if (next_block_ >= series_.blocks.size() || series_.blocks[next_block_].first_time > bound()) return none_left;
    return series_.blocks[next_block_].first_time;
}

void Run::pass_rows(std::size_t row, Losses& losses) {
    ASSERT(row > row_ && row <= rows_.size());
    position_ = rows_.source_times[row - 1];  // Not past it: the next block may have more of this time.
    row_ = row;
    if (is_open()) return;
    if (!segment_) {
        is_empty_ = true;
        return;
    }
    settle(losses);
}

}  // namespace lineshaft::store
