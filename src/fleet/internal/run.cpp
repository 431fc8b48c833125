#include "fleet/internal/run.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/counters.h"
#include "fleet/internal/finish.h"

namespace lineshaft::fleet {
namespace {

constexpr std::size_t slices_at_once = 4;
constexpr std::size_t slices_aimed_at = 32;
constexpr std::size_t keys_per_slice_min = 16;  // Fewer are not worth a task.
constexpr std::size_t keys_per_slice_max = 64;
constexpr std::size_t inline_rows_max = 4'000;  // So few are finished on the shard: a hand-over costs more.
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Counter queries_total{"lineshaft_fleet_queries_total", "", "Fleet queries answered or refused"};
Counter refused_total{"lineshaft_fleet_queries_refused_total", "",
                      "Fleet queries that ended without an answer: too large, too long, nothing fits"};
Counter samples_total{"lineshaft_fleet_samples_total", "", "Samples that fleet queries looked at"};

bool is_true(double value) { return value == value && value != 0; }

}  // namespace

void Run::start(Engine::Body& engine, Shard& caller, TenantId tenant, Query query, std::optional<Form> form,
                Done done) {
    (new Run(engine, caller, tenant, std::move(query), form, std::move(done)))->find();
}

Run::Run(Engine::Body& engine, Shard& caller, TenantId tenant, Query query, std::optional<Form> form, Done done)
    : engine_(engine),
      caller_(caller),
      tenant_(tenant),
      plan_(std::move(query), engine.shards.count()),
      form_(form),
      done_(std::move(done)),
      begun_(caller.now()) {
    deadline_ = caller.after(plan_.query.time_limit, [this] {
        stop(Error(ErrorCode::Timeout,
                   fmt::format("the query took more than {} s: narrow the patterns or the range, or "
                               "raise time_limit",
                               plan_.query.time_limit / 1s)));
    });
    for (const PathPattern* pattern : plan_.sources.patterns) patterns_ += pattern->text() + '\n';
    for (const std::string& name : plan_.query.captures()) patterns_ += name + '\n';
}

void Run::find() {
    snapshot_ = engine_.registry.snapshot(caller_);
    keys_ = engine_.cached(caller_, tenant_, snapshot_->version, patterns_);
    if (keys_) return begin();
    ++under_way_;
    engine_.pool.run(
        caller_, [this] { return find_keys(*snapshot_, tenant_, plan_.query, plan_.sources, plan_.shard_count); },
        [this](Result<Keys> keys) { found(std::move(keys)); });
}

void Run::found(Result<Keys> keys) {
    --under_way_;
    if (!keys) {
        stop(keys.error());
        return go_on();
    }
    keys_ = std::make_shared<const Keys>(*std::move(keys));
    engine_.keep(caller_, tenant_, snapshot_->version, patterns_, keys_);
    begin();
}

void Run::begin() {
    snapshot_.reset();
    if (plan_.query.is_last) return ask_last();
    keys_per_slice_ = std::clamp(keys_->count / slices_aimed_at, keys_per_slice_min, keys_per_slice_max);
    rows_.resize((keys_->count + keys_per_slice_ - 1) / keys_per_slice_);
    go_on();
}

/// The newest values lie in memory: one question to each home shard.
void Run::ask_last() {
    struct Place {
        std::uint32_t key, source;
    };
    last_.assign(keys_->sources, std::vector<double>(keys_->count, nan));
    last_source_times_.assign(keys_->sources, std::vector<std::int64_t>(keys_->count, INT64_MIN));
    std::vector<std::vector<TagId>> tags(plan_.shard_count);
    std::vector<std::vector<Place>> places(plan_.shard_count);
    for (std::uint32_t key = 0; key < keys_->count; ++key) {
        for (std::uint32_t source = 0; source < keys_->sources; ++source) {
            for (const Keys::Series* one = keys_->begin(key, source); one != keys_->end(key, source); ++one) {
                tags[one->home.value()].push_back(one->tag);
                places[one->home.value()].push_back({key, source});
            }
        }
    }
    ++under_way_;
    for (std::size_t home = 0; home < plan_.shard_count; ++home) {
        if (tags[home].empty()) continue;
        ++under_way_;
        engine_.store.post_last(
            caller_, ShardId(static_cast<std::uint16_t>(home)), std::move(tags[home]),
            [this, places = std::move(places[home])](const std::vector<std::optional<store::LastValue>>& values) {
                for (std::size_t i = 0; i < values.size(); ++i) {
                    if (!values[i]) continue;
                    ++totals_.samples;
                    totals_.good += values[i]->quality.is_good();
                    std::int64_t& newest = last_source_times_[places[i].source][places[i].key];
                    if (values[i]->quality.is_bad() || values[i]->source_time.ns() < newest) continue;
                    newest = values[i]->source_time.ns();
                    last_[places[i].source][places[i].key] = to_double(values[i]->value);
                }
                last_arrived();
            });
    }
    last_arrived();
}

void Run::last_arrived() {
    if (--under_way_ > 0) return;
    if (error_) return go_on();
    std::vector<std::vector<double>> columns;  // By select.
    for (const std::size_t source : plan_.sources.of_select) columns.push_back(last_[source]);
    std::vector<double> passes;
    if (plan_.where.expression) plan_.where.of_columns(columns, keys_->count, passes);
    Rows rows;
    rows.width = columns.size();
    for (std::uint32_t key = 0; key < keys_->count; ++key) {
        std::int64_t newest = INT64_MIN;
        for (const auto& times : last_source_times_) newest = std::max(newest, times[key]);
        if (newest == INT64_MIN || (plan_.where.expression && !is_true(passes[key]))) continue;
        rows.keys.push_back(key);
        rows.times.push_back(newest);
        for (const std::vector<double>& column : columns) rows.values.push_back(column[key]);
    }
    rows_.push_back(std::move(rows));
    finish_rows();
}

/// As many slices under way as keep the pool busy, then the end.
void Run::go_on() {
    if (engine_.is_closing()) stop(Error(ErrorCode::Closed, "fleet queries"));
    while (!error_ && under_way_ < slices_at_once && next_key_ < keys_->count) open_slice();
    if (under_way_ > 0) return;
    if (error_) return answer(std::unexpected(*error_));
    finish_rows();
}

void Run::open_slice() {
    const std::size_t end = std::min(next_key_ + keys_per_slice_, keys_->count);
    std::vector<std::vector<Wanted>> wanted(plan_.shard_count);
    for (; next_key_ < end; ++next_key_) {
        for (std::size_t source = 0; source < keys_->sources; ++source) {
            for (const auto* one = keys_->begin(next_key_, source); one != keys_->end(next_key_, source); ++one)
                wanted[one->home.value()].push_back(
                    {static_cast<std::uint32_t>(next_key_), static_cast<std::uint32_t>(source), one->tag});
        }
    }
    auto* slice = new Slice;
    slice->index = slices_++;
    slice->homes_missing = static_cast<std::size_t>(
        std::ranges::count_if(wanted, [](const std::vector<Wanted>& list) { return !list.empty(); }));
    ++under_way_;
    for (std::size_t home = 0; home < plan_.shard_count; ++home) {
        if (wanted[home].empty()) continue;
        const ShardId id(static_cast<std::uint16_t>(home));
        engine_.shards.at(id).post([this, slice, id, list = std::move(wanted[home])] {
            Slice part;
            if (!cancelled_) open_at(plan_, engine_.store.at(id), list, part);
            caller_.post([this, slice, part = std::move(part)]() mutable {
                std::ranges::move(part.opened, std::back_inserter(slice->opened));
                if (part.error) slice->error = std::move(part.error);
                if (--slice->homes_missing == 0) opened(slice);
            });
        });
    }
}

/// On the home shard. A tag without samples has no series; that is no error.
void Run::open_at(const Plan& plan, store::Historian& home, const std::vector<Wanted>& wanted, Slice& into) {
    const Query& asked = plan.query;
    for (const Wanted& one : wanted) {
        const auto add = [&](auto made, auto place) {
            if (made) {
                Opened& opened = into.opened.emplace_back();
                opened.key = one.key;
                opened.source = one.source;
                opened.*place = *std::move(made);
            } else if (made.error().code() != ErrorCode::NotFound) {
                into.error = made.error();
            }
        };
        store::Query query{.tag = one.tag, .from = asked.from, .to = asked.to};
        if (plan.scans[one.source]) add(home.scan(query), &Opened::scan);
        if (!plan.reduces[one.source]) continue;
        query.resolution = asked.bucket.value_or(Duration(0));
        query.needs = plan.needs[one.source];
        add(home.reducer(query), &Opened::reducer);
    }
}

void Run::opened(Slice* slice) {
    const std::unique_ptr<Slice> own(slice);
    if (slice->error) {
        stop(*slice->error);
        --under_way_;
        return go_on();
    }
    std::ranges::sort(slice->opened, {}, [](const Opened& one) { return std::pair(one.key, one.source); });
    engine_.pool.run(
        caller_,
        [this, left = rows_per_query_max - std::min(rows_per_query_max, row_count_),
         opened = std::move(slice->opened)]() mutable {
            return work_through(plan_, std::move(opened), cancelled_, left);
        },
        [this, index = slice->index](UnitDone unit) { worked(index, std::move(unit)); });
}

void Run::worked(std::size_t index, UnitDone unit) {
    --under_way_;
    if (unit.error) stop(*unit.error);
    row_count_ += unit.rows.size();
    totals_.samples += unit.samples;
    totals_.good += unit.good;
    totals_.damaged_blocks += unit.damaged_blocks;
    rows_[index] = std::move(unit.rows);
    go_on();
}

/// The first reason counts. What is under way ends soon.
void Run::stop(Error why) {
    if (!error_) error_ = std::move(why);
    cancelled_ = true;
}

void Run::finish_rows() {
    if (error_) return answer(std::unexpected(*error_));
    const auto work = [this] {
        Rows all;
        all.width = plan_.before.size();
        for (const Rows& rows : rows_) all.append(rows);
        Finished finished{finish(plan_, *keys_, std::move(all)), {}};
        finished.answer.samples = totals_.samples;
        finished.answer.good = totals_.good;
        finished.answer.damaged_blocks = totals_.damaged_blocks;
        finished.answer.took = caller_.clock().now() - begun_;
        if (form_) finished.text = to_text(finished.answer, *form_);
        return finished;
    };
    std::size_t rows = 0;
    for (const Rows& one : rows_) rows += one.size();
    if (rows <= inline_rows_max) return answer(work());
    ++under_way_;
    engine_.pool.run(caller_, work, [this](Finished finished) { answer(std::move(finished)); });
}

void Run::answer(Result<Finished> result) {
    const std::unique_ptr<Run> own(this);
    deadline_.cancel();
    queries_total.add();
    if (!result) refused_total.add();
    samples_total.add(totals_.samples);
    engine_.ended(caller_);
    done_(std::move(result));
}

}  // namespace lineshaft::fleet
