#include "store/internal/merge.h"

#include <algorithm>
#include <tuple>

#include "base/assert.h"

namespace lineshaft::store {

bool says_the_same(const Chunk& a, std::size_t row_a, const Chunk& b, std::size_t row_b) {
    if (a.types[row_a] != b.types[row_b] || a.qualities[row_a] != b.qualities[row_b]) return false;
    if (a.types[row_a] == ValueType::String) return a.text_at(row_a) == b.text_at(row_b);
    return a.bits[row_a] == b.bits[row_b];
}

Merge::Merge(Scope scope) : scope_(std::make_unique<Scope>(scope)) {}

Merge::Merge(TagId tag, UtcTime from, UtcTime last, Versions versions)
    : Merge(Scope{.tag = tag, .from = from, .last = last, .versions = versions, .wholes = Wholes::Blocks}) {}

void Merge::add(SnapshotOf<Segment> segment, SegmentSeries series) {
    for (const ExpiredRange& range : series.expired) {
        if (range.last_time < scope_->from || range.first_time > scope_->last) continue;
        coarsest_left_ = std::max(coarsest_left_.value_or(range.finest), range.finest);
    }
    Run run(*scope_, std::move(segment), std::move(series), hidden_);
    if (!run.is_empty()) waiting_.push_back(std::move(run));
}

void Merge::add(std::uint64_t order, Chunk rows) {
    Run run(*scope_, order, std::move(rows), hidden_);
    if (!run.is_empty()) waiting_.push_back(std::move(run));
}

void Merge::add_damage(UtcTime first, UtcTime last) {
    ++losses_.damaged_blocks;
    losses_.damaged.push_back({std::max(first, scope_->from), std::min(last, scope_->last)});
}

void Merge::activate() {
    if (!sorted_) {
        std::ranges::sort(waiting_, [](const Run& a, const Run& b) { return a.head() > b.head(); });
        sorted_ = true;
    }
    for (Run& run : active_) run.settle(losses_);
    std::erase_if(active_, [](const Run& run) { return run.is_empty(); });
    while (!waiting_.empty()) {
        const bool due =
            std::ranges::all_of(active_, [&](const Run& run) { return waiting_.back().head() <= run.head(); });
        if (!due) return;
        Run run = std::move(waiting_.back());
        waiting_.pop_back();
        run.settle(losses_);
        if (!run.is_empty()) active_.push_back(std::move(run));
    }
}

/// Where the stretch that only `run` has something to say about ends, at the latest.
UtcTime Merge::limit_for(const Run& run) const {
    UtcTime limit = utc_time_max;
    for (const Run& other : active_) {
        if (&other != &run) limit = std::min(limit, other.head());
    }
    if (!waiting_.empty()) limit = std::min(limit, waiting_.back().head());
    return limit;
}

bool Merge::next(Piece& piece) {
    for (;;) {
        whole_run_ = nullptr;
        activate();
        if (active_.empty()) return false;
        // Closed ones first: of those that begin together all must be open before rows are compared.
        Run& run = *std::ranges::min_element(
            active_, {}, [](const Run& r) { return std::tuple(r.head(), r.is_open(), r.order()); });
        const UtcTime limit = limit_for(run);
        if (!run.is_open()) {
            if (run.take_whole(limit, piece, losses_)) {
                whole_run_ = &run;
                return true;
            }
            run.go_down(losses_);
            continue;  // The head may be another now: what is beneath may begin later, or be damaged.
        }
        const UtcTime own_next = run.next_block_time();
        const UtcTime end = std::min(limit, own_next);
        if (run.head() < end || (limit == utc_time_max && own_next == utc_time_max && active_.size() == 1)) {
            take_rows(run, end, piece);
        } else {
            take_ties(run.head(), piece);
        }
        if (piece.count > 0) return true;
    }
}

void Merge::open(Piece& piece) {
    ASSERT(piece.block && whole_run_);
    const std::uint64_t order = piece.order;
    piece = {};
    piece.order = order;
    piece.rows = &whole_run_->rows();
    piece.count = whole_run_->decode_taken(losses_) ? whole_run_->rows().size() : 0;
}

void Merge::take_rows(Run& run, UtcTime limit, Piece& piece) {
    const auto& times = run.rows().source_times;
    const auto from = times.begin() + static_cast<std::ptrdiff_t>(run.row());
    const std::size_t end =
        limit == utc_time_max ? times.size()
                              : static_cast<std::size_t>(std::lower_bound(from, times.end(), limit) - times.begin());
    piece = {};
    piece.rows = &run.rows();
    piece.first = run.row();
    piece.count = end - run.row();
    piece.order = run.order();
    run.pass_rows(end, losses_);
}

/// All versions of one source time, by order of the runs; the last or those that differ are kept.
void Merge::take_ties(UtcTime time, Piece& piece) {
    std::ranges::sort(active_, {}, &Run::order);
    ties_.clear();
    std::uint64_t order = 0;
    for (Run& run : active_) {
        while (!run.is_empty() && run.head() == time) {
            if (!run.is_open()) {
                run.go_down(losses_);
                run.settle(losses_);
                continue;
            }
            if (ties_.empty() || !says_the_same(ties_, ties_.size() - 1, run.rows(), run.row())) {
                if (scope_->versions == Versions::Last) ties_.clear();
                ties_.append(run.rows(), run.row(), 1);
            }
            order = run.order();
            run.pass_rows(run.row() + 1, losses_);
        }
    }
    piece = {};
    piece.rows = &ties_;
    piece.count = ties_.size();
    piece.order = order;
}

void add_segments(Merge& merge, const std::vector<SnapshotOf<Segment>>& segments) {
    const Scope& scope = merge.scope();
    for (const auto& segment : segments) {
        const SegmentMeta& meta = segment->meta();
        if (meta.last_time < scope.from || meta.first_time > scope.last) continue;
        if (!segment->is_whole()) merge.add_damage(meta.first_time, meta.last_time);
        const auto index = segment->find(scope.tag);
        if (!index) continue;
        auto series = segment->outline_at(*index);
        if (!series) {
            segment->report_damage(*index + 1, scope.tag, meta.first_time, meta.last_time, series.error());
            merge.add_damage(meta.first_time, meta.last_time);
            continue;
        }
        merge.add(segment, *std::move(series));
    }
}

}  // namespace lineshaft::store
