#include "store/internal/merge.h"

#include <algorithm>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

/// Keeps the last row of each source time.
void keep_last_versions(Chunk& rows) {
    std::size_t kept = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (row + 1 < rows.size() && rows.source_times[row + 1] == rows.source_times[row]) continue;
        rows.source_times[kept] = rows.source_times[row];
        rows.receive_times[kept] = rows.receive_times[row];
        rows.types[kept] = rows.types[row];
        rows.bits[kept] = rows.bits[row];
        rows.qualities[kept] = rows.qualities[row];
        ++kept;
    }
    rows.source_times.resize(kept);
    rows.receive_times.resize(kept);
    rows.types.resize(kept);
    rows.bits.resize(kept);
    rows.qualities.resize(kept);
}

bool touches(const std::vector<Hidden>& hidden, const BlockRef& block) {
    return std::ranges::any_of(
        hidden, [&](const Hidden& h) { return block.last_time >= h.from && block.first_time <= h.last; });
}

void drop_hidden(Chunk& rows, const std::vector<Hidden>& hidden) {
    const auto is_hidden = [&](UtcTime time) {
        return std::ranges::any_of(hidden, [time](const Hidden& h) { return time >= h.from && time <= h.last; });
    };
    if (hidden.empty() || std::ranges::none_of(rows.source_times, is_hidden)) return;
    Chunk left;
    for (std::size_t row = 0; row < rows.size();) {
        const std::size_t first = row;
        while (row < rows.size() && !is_hidden(rows.source_times[row])) ++row;
        if (row > first) left.append(rows, first, row - first);
        while (row < rows.size() && is_hidden(rows.source_times[row])) ++row;
    }
    rows = std::move(left);
}

std::size_t first_at_or_after(const Chunk& rows, std::size_t begin, UtcTime time) {
    const auto from = rows.source_times.begin() + static_cast<std::ptrdiff_t>(begin);
    return static_cast<std::size_t>(std::lower_bound(from, rows.source_times.end(), time) -
                                    rows.source_times.begin());
}

}  // namespace

bool says_the_same(const Chunk& a, std::size_t row_a, const Chunk& b, std::size_t row_b) {
    if (a.types[row_a] != b.types[row_b] || a.qualities[row_a] != b.qualities[row_b]) return false;
    if (a.types[row_a] == ValueType::String) return a.text_at(row_a) == b.text_at(row_b);
    return a.bits[row_a] == b.bits[row_b];
}

Merge::Merge(TagId tag, UtcTime from, UtcTime last, Versions versions)
    : tag_(tag), from_(from), last_(last), versions_(versions) {}

void Merge::add(SnapshotOf<Segment> segment, std::vector<BlockRef> blocks) {
    std::erase_if(blocks, [this](const BlockRef& b) { return b.last_time < from_ || b.first_time > last_; });
    Run run;
    run.order = segment->meta().order;
    for (const Hidden& hidden : hidden_) {
        if (run.order >= hidden.order || segment->meta().erasures >= hidden.number) continue;
        run.hidden.push_back(hidden);
        std::erase_if(blocks,
                      [&](const BlockRef& b) { return b.first_time >= hidden.from && b.last_time <= hidden.last; });
    }
    if (blocks.empty()) return;
    run.segment = std::move(segment);
    run.blocks = std::move(blocks);
    waiting_.push_back(std::move(run));
}

void Merge::add(std::uint64_t order, Chunk rows) {
    Run run;
    run.order = order;
    for (const Hidden& hidden : hidden_) {
        if (order < hidden.order) run.hidden.push_back(hidden);
    }
    drop_hidden(rows, run.hidden);
    if (rows.empty()) return;
    ASSERT(rows.source_times.front() >= from_ && rows.source_times.back() <= last_);
    run.rows = std::move(rows);
    if (versions_ == Versions::Last) keep_last_versions(run.rows);
    waiting_.push_back(std::move(run));
}

void Merge::activate() {
    if (!sorted_) {
        std::ranges::sort(waiting_, [](const Run& a, const Run& b) { return a.head() > b.head(); });
        sorted_ = true;
    }
    std::erase_if(active_, [](const Run& run) { return run.is_empty(); });
    while (!waiting_.empty()) {
        const bool due =
            std::ranges::all_of(active_, [&](const Run& run) { return waiting_.back().head() <= run.head(); });
        if (!due) return;
        active_.push_back(std::move(waiting_.back()));
        waiting_.pop_back();
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
        Run& run = *std::ranges::min_element(active_, {}, [](const Run& r) { return std::pair(r.head(), r.order); });
        const UtcTime limit = limit_for(run);
        if (!run.is_open()) {
            if (take_whole(run, limit, piece)) return true;
            decode_next(run);
            continue;  // The head may be another now: the block may begin before `from` or be damaged.
        }
        const UtcTime own_next =
            run.next_block < run.blocks.size() ? run.blocks[run.next_block].first_time : utc_time_max;
        const UtcTime end = std::min(limit, own_next);
        if (run.head() < end || (limit == utc_time_max && own_next == utc_time_max && active_.size() == 1)) {
            take_rows(run, end, piece);
        } else {
            take_ties(run.head(), piece);
        }
        if (piece.count > 0) return true;
    }
}

/// The next block as it is, when nothing else lies in its time and it lies within the range.
bool Merge::take_whole(Run& run, UtcTime limit, Piece& piece) {
    const BlockRef block = run.blocks[run.next_block];
    const bool apart =
        run.next_block + 1 == run.blocks.size() || block.last_time < run.blocks[run.next_block + 1].first_time;
    if (block.last_time >= limit || !apart || block.first_time < from_ || block.last_time > last_) return false;
    if (touches(run.hidden, block)) return false;
    auto header = run.segment->header_of(tag_, block);
    if (!header) return false;  // decode_next meets it again and reports it.
    whole_ = *header;
    whole_run_ = &run;
    ++run.next_block;
    piece = {&whole_, run.segment->bytes_of(block), nullptr, 0, whole_.stats.count, run.order};
    return true;
}

void Merge::open(Piece& piece) {
    ASSERT(piece.block && whole_run_);
    Run& run = *whole_run_;
    --run.next_block;
    piece.block = nullptr;
    piece.rows = &run.rows;
    piece.count = decode_next(run) ? run.rows.size() : 0;
    piece.first = 0;
    run.row = run.rows.size();
}

/// False when the block is damaged; it is passed over then.
bool Merge::decode_next(Run& run) {
    const BlockRef block = run.blocks[run.next_block++];
    run.row = 0;
    run.rows.clear();
    const auto header = run.segment->header_of(tag_, block);
    const auto decoded = header ? run.segment->decode(block, *header, run.rows) : std::unexpected(header.error());
    if (!decoded) {
        run.rows.clear();
        ++damaged_blocks_;
        run.segment->report_damage(block.offset, tag_, block.first_time, block.last_time, decoded.error());
        return false;
    }
    if (versions_ == Versions::Last && header->stats.count != header->rows) keep_last_versions(run.rows);
    if (touches(run.hidden, block)) drop_hidden(run.rows, run.hidden);
    run.row = first_at_or_after(run.rows, 0, from_);
    if (block.last_time > last_ && last_ < utc_time_max) {
        const std::size_t end = first_at_or_after(run.rows, run.row, UtcTime(last_.ns() + 1));
        Chunk within;
        within.append(run.rows, run.row, end - run.row);
        run.rows = std::move(within);
        run.row = 0;
    }
    return true;
}

void Merge::take_rows(Run& run, UtcTime limit, Piece& piece) {
    const std::size_t end = limit == utc_time_max ? run.rows.size() : first_at_or_after(run.rows, run.row, limit);
    piece = {nullptr, {}, &run.rows, run.row, end - run.row, run.order};
    run.row = end;
}

/// All versions of one source time, by order of the runs; the last or those that differ are kept.
void Merge::take_ties(UtcTime time, Piece& piece) {
    std::ranges::sort(active_, {}, &Run::order);
    ties_.clear();
    std::uint64_t order = 0;
    for (Run& run : active_) {
        while (!run.is_empty() && run.head() == time) {
            if (!run.is_open()) {
                decode_next(run);
                continue;
            }
            if (ties_.empty() || !says_the_same(ties_, ties_.size() - 1, run.rows, run.row)) {
                if (versions_ == Versions::Last) ties_.clear();
                ties_.append(run.rows, run.row, 1);
            }
            ++run.row;
            order = run.order;
        }
    }
    piece = {nullptr, {}, &ties_, 0, ties_.size(), order};
}

void add_segments(Merge& merge, const std::vector<SnapshotOf<Segment>>& segments, TagId tag, UtcTime from,
                  UtcTime last) {
    for (const auto& segment : segments) {
        if (segment->meta().last_time < from || segment->meta().first_time > last) continue;
        if (!segment->is_whole()) merge.add_damage();
        const auto index = segment->find(tag);
        if (!index) continue;
        auto series = segment->series_at(*index);
        if (!series) {
            segment->report_damage(*index + 1, tag, segment->meta().first_time, segment->meta().last_time,
                                   series.error());
            continue;
        }
        merge.add(segment, std::move(series->blocks));
    }
}

}  // namespace lineshaft::store
