#include "store/internal/walks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"

namespace lineshaft::store {

bool Scan::Walk::next(Chunk& into, std::size_t rows_max) {
    into.clear();
    if (sources_.is_nothing()) return false;
    if (!merge_) merge_ = sources_.stream({.from = sources_.from, .last = sources_.last});
    ASSERT(!merge_->scope().numbers);
    while (into.size() < rows_max) {
        if (piece_.count == 0 || !piece_.rows) {
            if (!merge_->next(piece_)) break;
            continue;
        }
        const std::size_t take = std::min(piece_.count, rows_max - into.size());
        into.append(*piece_.rows, piece_.first, take);
        piece_.first += take;
        piece_.count -= take;
    }
    return !into.empty();
}

bool Scan::Walk::next(NumbersView& into) {
    into = {};
    if (sources_.is_nothing()) return false;
    if (!merge_) merge_ = sources_.stream({.from = sources_.from, .last = sources_.last, .numbers = true});
    ASSERT(merge_->scope().numbers);
    while (merge_->next(piece_)) {
        if (piece_.count == 0) continue;
        if (piece_.numbers) {
            into = piece_.numbers->view().part(piece_.first, piece_.count);
            return true;
        }
        if (!piece_.rows) continue;
        numbers_.assign(*piece_.rows, piece_.first, piece_.count);
        into = numbers_.view();
        return true;
    }
    return false;
}

const Losses& Scan::Walk::losses() const {
    static const Losses none;
    return merge_ ? merge_->losses() : none;
}

UtcTime Reducer::Walk::start_of(UtcTime time) const {
    return reduction_.resolution.count() == 0 ? query_.from : floor_to(time, reduction_.resolution);
}

UtcTime Reducer::Walk::end_of(const Bucket& bucket) const {
    const std::int64_t step = reduction_.resolution.count();
    const UtcTime end =
        step == 0 || bucket.start.ns() > INT64_MAX - step ? utc_time_max : bucket.start + Duration(step);
    return std::min(end, query_.hold_until ? std::min(query_.to, *query_.hold_until) : query_.to);
}

/// Opens the stream and looks up what holds when the range begins. Where only a coarser tier is left the answer is as
/// coarse as that.
void Reducer::Walk::begin() {
    const bool only_rows = needs(Needs::Rows);
    merge_ = sources_.stream({.from = sources_.from,
                              .last = sources_.last,
                              .wholes = only_rows ? Wholes::None : Wholes::Buckets,
                              .grain = query_.resolution,
                              .needs = query_.needs,
                              .numbers = !query_.states});
    reduction_.resolution = query_.resolution;
    const auto coarsest = merge_->coarsest_left();
    if (coarsest && query_.resolution.count() % width_of(*coarsest).count() != 0) {
        const std::int64_t width = width_of(*coarsest).count();
        reduction_.resolution = Duration((query_.resolution.count() + width - 1) / width * width);
    }
    if (!needs_past()) return;
    const Chunk row = sources_.before(query_.from);
    if (row.empty()) return;
    carry(row.source_times[0], row);
    if (query_.states) states_.enter(row.source_times[0], row, 0);
    // The newest sample may be Bad; a counter goes on from the newest that is not.
    UtcTime time = row.source_times[0];
    for (int attempt = 0; !has_usable_ && needs(Needs::Resets) && attempt < 16; ++attempt) {
        const Chunk older = sources_.before(time);
        if (older.empty()) break;
        time = older.source_times[0];
        const double value = older.number_at(0);
        has_usable_ = value == value && !older.qualities[0].is_bad();
        if (has_usable_) last_usable_ = value;
    }
}

void Reducer::Walk::carry(UtcTime time, const Chunk& row) {
    past_time_ = time;
    past_value_ = row.number_at(0);
    past_holds_ = past_value_ == past_value_ && !row.qualities[0].is_bad();
    if (!past_holds_) return;
    has_usable_ = true;
    last_usable_ = past_value_;
}

Bucket& Reducer::Walk::bucket_of(UtcTime time) {
    if (is_open_ && time <= bucket_last_) return reduction_.buckets.back();
    if (is_open_) close_bucket();
    is_open_ = true;
    Bucket& bucket = reduction_.buckets.emplace_back();
    bucket.start = start_of(time);
    const std::int64_t step = reduction_.resolution.count();
    bucket_last_ =
        step == 0 || bucket.start.ns() > INT64_MAX - step ? utc_time_max : UtcTime(bucket.start.ns() + step - 1);
    const UtcTime begin = std::max(bucket.start, query_.from);
    if (needs(Needs::Integral) && past_holds_)
        hold(bucket, std::max(begin, past_time_), std::min(time, end_of(bucket)), past_value_);
    if (needs_past() && has_usable_) bucket.before = last_usable_;
    if (query_.states) states_.open(begin);
    return bucket;
}

void Reducer::Walk::close_bucket() {
    is_open_ = false;
    Bucket& bucket = reduction_.buckets.back();
    past_holds_ = bucket.holds;
    past_value_ = bucket.last;
    past_time_ = bucket.last_time;
    if (bucket.usable > 0) {
        has_usable_ = true;
        last_usable_ = bucket.last;
    }
    if (needs(Needs::Integral) && bucket.holds) hold(bucket, bucket.last_time, end_of(bucket), bucket.last);
    if (!needs(Needs::Squares)) bucket.squares = {};
    if (!needs(Needs::Integral)) {
        bucket.integral = {};
        bucket.covered = {};
    }
    if (!needs(Needs::Resets)) {
        bucket.resets = 0;
        bucket.reset_from = {};
    }
    if (!needs(Needs::Rows)) return;
    BucketRows& rows = reduction_.rows.emplace_back();
    for (const double percent : query_.percentiles) rows.percentiles.push_back(quantiles_.at(percent));
    reduction_.percentile_error = std::max(reduction_.percentile_error, quantiles_.error());
    quantiles_.clear();
    if (query_.states) states_.close(end_of(bucket), query_.hold_until, rows);
}

void Reducer::Walk::add_bucket(const Piece& piece) {
    add_to_bucket(bucket_of(std::max(piece.bucket->first_time, sources_.from)), *piece.bucket);
}

void Reducer::Walk::add_rows(const Piece& piece) {
    const Chunk& rows = *piece.rows;
    const std::size_t end = piece.first + piece.count;
    for (std::size_t row = piece.first; row < end;) {
        Bucket& bucket = bucket_of(rows.source_times[row]);
        std::size_t until = row + 1;
        while (until < end && rows.source_times[until] <= bucket_last_) ++until;
        add_rows(bucket, rows, row, until);
        row = until;
    }
}

void Reducer::Walk::add_rows(Bucket& bucket, const Chunk& rows, std::size_t first, std::size_t end) {
    // A late sample among expired rows: their bucket already reaches further.
    for (; first < end && bucket.count > 0 && rows.source_times[first] < bucket.last_time; ++first) {
        Bucket one;
        add_to_bucket(one, rows.source_times[first], rows.number_at(first), rows.qualities[first]);
        add_to_bucket(bucket, one);
    }
    if (query_.needs == Needs::Basic) {
        for (std::size_t row = first; row < end; ++row)
            add_basic(bucket, rows.source_times[row], rows.number_at(row), rows.qualities[row]);
        return;
    }
    for (std::size_t row = first; row < end; ++row) {
        const double value = rows.number_at(row);
        add_to_bucket(bucket, rows.source_times[row], value, rows.qualities[row]);
        if (!query_.percentiles.empty() && value == value && !rows.qualities[row].is_bad()) quantiles_.add(value);
        if (query_.states) states_.enter(rows.source_times[row], rows, row);
    }
}

void Reducer::Walk::add_numbers(const NumbersView& rows) {
    for (std::size_t row = 0; row < rows.size();) {
        Bucket& bucket = bucket_of(UtcTime(rows.times[row]));
        const auto later = rows.times.subspan(row);
        const auto count =
            static_cast<std::size_t>(std::ranges::upper_bound(later, bucket_last_.ns()) - later.begin());
        add_numbers(bucket, rows.part(row, count));
        row += count;
    }
}

void Reducer::Walk::add_numbers(Bucket& bucket, const NumbersView& rows) {
    std::size_t first = 0;
    for (; first < rows.size() && bucket.count > 0 && rows.times[first] < bucket.last_time.ns(); ++first) {
        Bucket one;
        add_to_bucket(one, UtcTime(rows.times[first]), rows.values[first], rows.quality_at(first));
        add_to_bucket(bucket, one);
    }
    if (query_.needs == Needs::Basic) return store::add_numbers(bucket, rows.part(first, rows.size() - first));
    // As add_to_bucket(), without what close_bucket() would drop.
    for (std::size_t row = first; row < rows.size(); ++row) {
        const UtcTime time(rows.times[row]);
        const double value = rows.values[row];
        const Quality quality = rows.quality_at(row);
        const bool usable = value == value && !quality.is_bad();
        if (needs(Needs::Integral) && bucket.holds) hold(bucket, bucket.last_time, time, bucket.last);
        if (usable && needs(Needs::Resets) && bucket.usable > 0 && value < bucket.last) {
            ++bucket.resets;
            bucket.reset_from.add(bucket.last);
        }
        if (usable && needs(Needs::Squares)) bucket.squares.add_product(value, value);
        add_basic(bucket, time, value, quality);
        bucket.holds = usable;
        if (usable && !query_.percentiles.empty()) quantiles_.add(value);
    }
}

bool Reducer::Walk::step(std::size_t blocks) {
    if (sources_.is_nothing()) {
        reduction_.resolution = query_.resolution;
        return false;
    }
    if (!merge_) begin();
    // Small pieces cost less than blocks, but not nothing.
    for (std::size_t rows = 0; rows < blocks * block_rows;) {
        Piece piece;
        if (!merge_->next(piece)) return false;
        if (piece.bucket) {
            add_bucket(piece);
            rows += block_rows / 8;
        } else if (piece.count > 0) {
            if (piece.numbers)
                add_numbers(piece.numbers->view().part(piece.first, piece.count));
            else
                add_rows(piece);
            rows += piece.count + 16;
        }
    }
    return true;
}

Reduction Reducer::Walk::take() {
    if (is_open_) close_bucket();
    if (!merge_) return std::move(reduction_);
    reduction_.damaged_blocks = merge_->losses().damaged_blocks;
    reduction_.damaged = merge_->losses().damaged;
    reduction_.expired = merge_->losses().expired;
    return std::move(reduction_);
}

Scan::Scan(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
Scan::Scan(Scan&&) noexcept = default;
Scan& Scan::operator=(Scan&&) noexcept = default;
Scan::~Scan() = default;
bool Scan::next(Chunk& into) { return walk_->next(into, chunk_rows_max); }
bool Scan::next(NumbersView& into) { return walk_->next(into); }
Chunk Scan::take(std::size_t limit) {
    Chunk rows;
    walk_->next(rows, limit);
    if (rows.size() < limit) return rows;
    Chunk rest;
    rows.more = walk_->next(rest, 1);
    return rows;
}
std::uint64_t Scan::damaged_blocks() const { return walk_->losses().damaged_blocks; }
std::vector<TimeRange> Scan::damaged() const { return walk_->losses().damaged; }
std::vector<TimeRange> Scan::expired() const { return walk_->losses().expired; }

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
