#include "store/internal/completion.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace lineshaft::store {
namespace {

constexpr std::size_t buckets_wanted = 512;
constexpr std::size_t rows_whole_max = 20'000;  // So many are read one by one.
constexpr std::size_t rows_newest = 4096;
constexpr std::size_t pieces_closer = 64;  // A stretch with many samples falls into so many.
constexpr std::size_t refinements_max = 64;
constexpr double gap_factor = 1.75;

Duration gap_max_of(Duration period) {
    return Duration(std::llround(static_cast<double>(period.count()) * gap_factor));
}

using Interval = std::pair<UtcTime, UtcTime>;

/// The stretches within [from, to) where `presence` was so; what is not known is neither.
std::vector<Interval> intervals_of(const std::vector<PresenceEvent>& events, Presence presence, UtcTime from,
                                   UtcTime to) {
    std::vector<Interval> found;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].presence != presence) continue;
        const UtcTime begin = std::max(events[i].time, from);
        const UtcTime end = i + 1 < events.size() ? std::min(events[i + 1].time, to) : to;
        if (begin < end) found.emplace_back(begin, end);
    }
    return found;
}

std::vector<Interval> common(const std::vector<Interval>& a, const std::vector<Interval>& b) {
    std::vector<Interval> both;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        const UtcTime begin = std::max(a[i].first, b[j].first), end = std::min(a[i].second, b[j].second);
        if (begin < end) both.emplace_back(begin, end);
        if (a[i].second < b[j].second)
            ++i;
        else
            ++j;
    }
    return both;
}

}  // namespace

Completion::Completion(Historian& store, const Ledger& ledger, TagQuestion question, UtcTime from, UtcTime to)
    : store_(store), ledger_(ledger), question_(std::move(question)), from_(from), to_(to) {
    to_ = std::max(from_, std::min(to_, ledger_.now() + 1ns));
    until_ = to_;
    if (question_.cadence) period_ = *question_.cadence;
    start();
}

void Completion::start() {
    Query query;
    query.tag = question_.tag;
    query.from = from_;
    query.to = to_;
    query.resolution = resolution_for(from_, to_, buckets_wanted);
    auto reducer = store_.reducer(query);
    if (reducer)
        reducer_.emplace(*std::move(reducer));
    else
        error_ = reducer.error();
}

bool Completion::step() {
    if (error_) return false;
    switch (phase_) {
        case Phase::Reduce:
            if (!reducer_->step()) {
                reduction_ = reducer_->take();
                reducer_.reset();
                count();
                phase_ = answer_.samples <= rows_whole_max ? Phase::Rows : Phase::Newest;
            }
            return true;
        case Phase::Rows:
            read_rows();
            phase_ = Phase::Done;
            return false;
        case Phase::Newest:
            read_newest();
            phase_ = Phase::Refine;
            return true;
        case Phase::Refine:
            if (refine()) return true;
            phase_ = Phase::Done;
            return false;
        case Phase::Done: return false;
    }
    return false;
}

void Completion::count() {
    answer_.damaged_blocks = reduction_.damaged_blocks;
    for (const Bucket& bucket : reduction_.buckets) {
        answer_.samples += bucket.count;
        answer_.good += bucket.good;
        answer_.uncertain += bucket.uncertain;
    }
    answer_.bad = answer_.samples - answer_.good - answer_.uncertain;
}

void Completion::set_period(const Chunk& rows) {
    if (question_.cadence) {
        answer_.cadence_from = CadenceFrom::Configured;
    } else if (const auto learned = learn_period(rows)) {
        period_ = *learned;
        answer_.cadence_from = CadenceFrom::Learned;
    }
    if (period_.count() > 0) answer_.cadence = period_;
    until_ = std::max(from_, expected_until(rows, to_, ledger_.now()));
}

void Completion::read_rows() {
    auto rows = store_.scan(question_.tag, from_, to_, rows_whole_max);
    if (!rows) {
        error_ = rows.error();
        return;
    }
    set_period(*rows);
    count_lateness(*rows, answer_);
    stretches_ = stretches_of(*rows, gap_max_of(period_));
    // A tag that changed its pace within the range: each part has its own.
    paces_ = paces_of(stretches_, period_, question_.cadence.has_value() || period_.count() == 0);
}

void Completion::read_newest() {
    stretches_ = stretches_of(reduction_.buckets);
    std::uint64_t count = 0;
    UtcTime begin = from_;
    for (std::size_t i = stretches_.size(); i-- > 0 && count < rows_newest;) {
        const Stretch& stretch = stretches_[i];
        begin = stretch.first;
        const std::uint64_t wanted = rows_newest - count;
        if (stretch.count > 2 * wanted) {
            const double share = static_cast<double>(wanted) / static_cast<double>(stretch.count);
            const auto span = static_cast<double>((stretch.last - stretch.first).count());
            begin = stretch.last - Duration(std::llround(span * share));
        }
        count += stretch.count;
    }
    auto rows = store_.scan(question_.tag, begin, to_, 4 * rows_newest);
    if (!rows) {
        error_ = rows.error();
        return;
    }
    set_period(*rows);
    count_lateness(*rows, answer_);
    paces_ = period_.count() > 0 ? paces_of(stretches_, period_, question_.cadence.has_value())
                                 : std::vector<Pace>(stretches_.size());
}

/// Looks closer at one stretch; false when there is none left, or it has been enough.
bool Completion::refine() {
    if (refinements_ == refinements_max) return false;
    std::size_t at = 0;
    const auto is_suspect = [this](std::size_t i) {
        const Stretch& s = stretches_[i];
        return !s.is_rows && (missing_within(s, paces_[i]) > 0 || (s.bad > 0 && !s.is_bad()));
    };
    while (at < stretches_.size() && !is_suspect(at)) ++at;
    if (at == stretches_.size()) return false;
    ++refinements_;
    const Stretch whole = stretches_[at];
    std::vector<Stretch> parts;
    if (whole.count <= rows_whole_max) {
        auto rows = store_.scan(question_.tag, whole.first, whole.last + 1ns, rows_whole_max);
        if (rows) parts = stretches_of(*rows, gap_max_of(paces_[at].period));
    } else {
        Query query;
        query.tag = question_.tag;
        query.from = whole.first;
        query.to = whole.last + 1ns;
        query.resolution = resolution_for(whole.first, whole.last, pieces_closer);
        if (auto reduction = store_.reduce(query)) parts = stretches_of(reduction->buckets);
    }
    if (parts.empty() || (parts.size() == 1 && parts[0] == whole)) {
        stretches_[at].is_rows = true;  // There is nothing closer to be had.
        return true;
    }
    // The parts go at the pace that their whole was judged by: too few of them to learn a better one.
    const Pace pace = paces_[at];
    paces_.erase(paces_.begin() + static_cast<std::ptrdiff_t>(at));
    paces_.insert(paces_.begin() + static_cast<std::ptrdiff_t>(at), parts.size(), pace);
    stretches_.erase(stretches_.begin() + static_cast<std::ptrdiff_t>(at));
    stretches_.insert(stretches_.begin() + static_cast<std::ptrdiff_t>(at), parts.begin(), parts.end());
    return true;
}

std::optional<LedgerReading> Completion::needs() const {
    bool needs_past = false;
    (void)ledger_.around(question_.device, from_, to_, needs_past);
    const bool is_old = hour_of(from_) < hour_of(ledger_.now()) - 2;
    std::vector<SourceId> sources = ledger_.sources_of(question_.device);
    if (error_ || !(needs_past || is_old) || sources.empty()) return std::nullopt;
    return ledger_.reading(from_, to_, std::move(sources));
}

/// One block at most: whether the tag has anything older.
bool Completion::existed_before() {
    const auto rows = store_.scan(question_.tag, utc_time_min, from_, 1);
    return rows && !rows->empty();
}

std::vector<Circumstance> Completion::circumstances(const LedgerPast& past, UtcTime from, UtcTime to) const {
    std::vector<Circumstance> all;
    for (const TimeRange& range : reduction_.damaged) all.push_back({range.from, range.last, GapReason::Damaged});
    if (const auto age = ledger_.options().retention_age)
        all.push_back({utc_time_min, ledger_.now() - *age, GapReason::Expired});
    const std::vector<UpTime> ups = ledger_.up_times(utc_time_min, utc_time_max);
    for (std::size_t i = 1; i < ups.size(); ++i) {
        if (ups[i - 1].until < to && ups[i].from > from)
            all.push_back({ups[i - 1].until, ups[i].from, GapReason::Server});
    }
    // Away: when none of those who speak for the device was there.
    std::vector<Interval> away, there;
    bool is_first = true;
    for (const auto& [id, events] : past.presence) {
        std::vector<Interval> one = intervals_of(events, Presence::Away, from, to);
        away = is_first ? std::move(one) : common(away, one);
        is_first = false;
        std::ranges::copy(intervals_of(events, Presence::Connected, from, to), std::back_inserter(there));
    }
    for (const auto& [begin, end] : away) all.push_back({begin, end, GapReason::Link});
    for (const auto& [key, hour] : past.hours) {
        for (const Refused& refused : hour.refused) {
            if (refused.device == question_.device)
                all.push_back({refused.first - period_, refused.last + period_, GapReason::Refused});
        }
    }
    for (const auto& [begin, end] : there) all.push_back({begin, end, GapReason::Device});
    return all;
}

/// A tag that reports by exception may be silent. That nobody could have reported is known all the same.
std::vector<Missing> Completion::without_cadence(const std::vector<Circumstance>& circumstances, UtcTime from,
                                                 UtcTime to) const {
    std::vector<Missing> all;
    for (const Circumstance& one : circumstances) {
        if (one.reason == GapReason::Device || one.reason == GapReason::Refused || one.reason == GapReason::Expired)
            continue;
        const UtcTime begin = std::max(one.from, from), end = std::min(one.to, to);
        if (begin >= end) continue;
        const bool is_crossed =
            std::ranges::any_of(stretches_, [&](const Stretch& s) { return s.first < end && s.last >= begin; });
        all.push_back({begin, end, one.reason, std::nullopt, !is_crossed});
    }
    std::ranges::sort(all, {}, &Missing::from);
    // Server before link: the earlier in the list of circumstances explains more.
    std::vector<Missing> apart;
    for (Missing& one : all) {
        if (!apart.empty() && one.from < apart.back().to) one.from = apart.back().to;
        if (one.from < one.to) apart.push_back(one);
    }
    return apart;
}

Result<Completeness> Completion::take(const LedgerPast& past) {
    if (error_) return std::unexpected(*error_);
    bool unused = false;
    LedgerPast known = ledger_.around(question_.device, from_, to_, unused);
    known.add(past);
    UtcTime from = from_;
    // Before its first sample a tag was not there, so nothing was missing.
    if (!stretches_.empty() && stretches_.front().first > from_ && !existed_before()) from = stretches_.front().first;
    const bool silent = stretches_.empty();
    if (silent && !existed_before()) {
        if (period_.count() > 0) answer_.expected = 0;
        return std::move(answer_);
    }
    const std::vector<Circumstance> why = circumstances(known, from, to_);
    std::vector<Missing> missing;
    std::uint64_t lacking = 0;
    std::vector<Gap> gaps = find_gaps(stretches_, paces_, from, until_);
    if (silent) gaps.push_back({from, to_, std::nullopt, std::nullopt, true});
    if (silent && period_.count() > 0) gaps.back().samples = static_cast<std::uint64_t>((to_ - from) / period_);
    const Duration piece_min = std::max<Duration>(2 * period_, 2s);
    for (const Gap& gap : gaps) {
        if (!gap.reason) lacking += gap.samples.value_or(0);  // Bad samples are samples: counted already.
        std::ranges::move(explain(gap, why, piece_min), std::back_inserter(missing));
    }
    if (period_.count() > 0) {
        answer_.expected = answer_.samples + lacking;
    } else if (!silent) {
        std::ranges::move(without_cadence(why, from, to_), std::back_inserter(missing));
        std::ranges::sort(missing, {}, &Missing::from);
    }
    put_missing(std::move(missing), answer_);
    return std::move(answer_);
}

}  // namespace lineshaft::store
