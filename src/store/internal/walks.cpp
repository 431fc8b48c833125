#include "store/internal/walks.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/assert.h"

namespace lineshaft::store {

bool Scan::Walk::next(Chunk& into, std::size_t rows_max) {
    into.clear();
    while (into.size() < rows_max) {
        if (piece_.count == 0) {
            if (!merge.next(piece_)) break;
            if (piece_.block) merge.open(piece_);
            if (piece_.count == 0) continue;
        }
        const std::size_t take = std::min(piece_.count, rows_max - into.size());
        into.append(*piece_.rows, piece_.first, take);
        piece_.first += take;
        piece_.count -= take;
    }
    return !into.empty();
}

UtcTime Reducer::Walk::start_of(UtcTime time) const {
    return reduction_.resolution.count() == 0 ? utc_time_min : floor_to(time, reduction_.resolution);
}

Bucket& Reducer::Walk::bucket_of(UtcTime time) {
    if (reduction_.buckets.empty() || time > bucket_last_) {
        Bucket& bucket = reduction_.buckets.emplace_back();
        bucket.start = start_of(time);
        const std::int64_t step = reduction_.resolution.count();
        bucket_last_ =
            step == 0 || bucket.start.ns() > INT64_MAX - step ? utc_time_max : UtcTime(bucket.start.ns() + step - 1);
    }
    return reduction_.buckets.back();
}

void Reducer::Walk::add_block(Piece& piece) {
    const BlockHeader& block = *piece.block;
    if (start_of(block.first_time) == start_of(block.last_time)) {
        add_to_bucket(bucket_of(block.first_time), block.stats);
        return;
    }
    merge_.open(piece);
    add_rows(piece);
}

void Reducer::Walk::add_rows(const Piece& piece) {
    if (piece.count == 0) return;
    const Chunk& rows = *piece.rows;
    const std::size_t end = piece.first + piece.count;
    for (std::size_t row = piece.first; row < end;) {
        Bucket& bucket = bucket_of(rows.source_times[row]);
        for (; row < end && rows.source_times[row] <= bucket_last_; ++row)
            add_to_bucket(bucket, rows.source_times[row], rows.number_at(row), rows.qualities[row]);
    }
}

bool Reducer::Walk::step(std::size_t blocks) {
    // Small pieces cost less than blocks, but not nothing.
    for (std::size_t rows = 0; rows < blocks * block_rows;) {
        Piece piece;
        if (!merge_.next(piece)) return false;
        if (piece.block) {
            add_block(piece);
            rows += block_rows;
        } else {
            add_rows(piece);
            rows += piece.count + 16;
        }
    }
    return true;
}

Reduction Reducer::Walk::take() {
    reduction_.damaged_blocks = merge_.damaged_blocks();
    return std::move(reduction_);
}

Scan::Scan(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
Scan::Scan(Scan&&) noexcept = default;
Scan& Scan::operator=(Scan&&) noexcept = default;
Scan::~Scan() = default;
bool Scan::next(Chunk& into) { return walk_->next(into, chunk_rows_max); }
std::uint64_t Scan::damaged_blocks() const { return walk_->merge.damaged_blocks(); }

Reducer::Reducer(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
Reducer::Reducer(Reducer&&) noexcept = default;
Reducer& Reducer::operator=(Reducer&&) noexcept = default;
Reducer::~Reducer() = default;
bool Reducer::step(std::size_t blocks) { return walk_->step(blocks); }
Reduction Reducer::take() { return walk_->take(); }

Duration resolution_for(UtcTime from, UtcTime to, std::size_t buckets_max) {
    static constexpr std::array<Duration, 32> steps = {
        1ms, 2ms, 5ms, 10ms, 20ms, 50ms,    100ms,   200ms,    500ms,    1s,       2s,
        5s,  10s, 15s, 30s,  1min, 2min,    5min,    10min,    15min,    30min,    1h,
        2h,  3h,  6h,  12h,  24h,  24h * 2, 24h * 7, 24h * 14, 24h * 28, 24h * 364};
    if (to <= from) return steps.front();
    const auto span = static_cast<std::uint64_t>(to.ns()) - static_cast<std::uint64_t>(from.ns());
    const std::size_t count = std::max<std::size_t>(buckets_max, 2);
    for (const Duration step : steps) {
        // One more bucket than the quotient: the range need not begin on a whole multiple.
        if (span / static_cast<std::uint64_t>(step.count()) + 2 <= count) return step;
    }
    return Duration(static_cast<std::int64_t>(span / (count - 1)) + 1);
}

}  // namespace lineshaft::store
