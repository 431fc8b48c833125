#include "fleet/internal/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/assert.h"

namespace lineshaft::fleet {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> names_of(const std::vector<Select>& selects) {
    std::vector<std::string> names;
    for (const Select& select : selects) names.push_back(select.name);
    return names;
}

std::vector<std::string> names_of(const std::vector<Column>& columns) {
    std::vector<std::string> names;
    for (const Column& column : columns) names.push_back(column.name);
    return names;
}

std::size_t place_of(const std::vector<std::string>& names, const std::string& name) {
    const auto found = std::ranges::find(names, name);
    ASSERT(found != names.end());
    return static_cast<std::size_t>(found - names.begin());
}

Bound bound_to(const Expression& expression, const std::vector<std::string>& names) {
    Bound bound;
    if (expression.is_empty()) return bound;
    bound.expression = &expression;
    for (const std::string& name : expression.names()) bound.columns.push_back(place_of(names, name));
    return bound;
}

store::Needs needs_of(Aggregate aggregate) {
    if (aggregate == Aggregate::Deviation) return store::Needs::Squares;
    if (aggregate == Aggregate::TimeWeighted || aggregate == Aggregate::Integral) return store::Needs::Integral;
    return store::Needs::Basic;
}

}  // namespace

void Rows::append(const Rows& other) {
    ASSERT(other.size() == 0 || other.width == width);
    keys.insert(keys.end(), other.keys.begin(), other.keys.end());
    times.insert(times.end(), other.times.begin(), other.times.end());
    values.insert(values.end(), other.values.begin(), other.values.end());
}

double Bound::of_row(const double* row) const {
    std::array<double, names_max> values;
    for (std::size_t i = 0; i < columns.size(); ++i) values[i] = row[columns[i]];
    return expression->evaluate(values.data());
}

void Bound::of_columns(const std::vector<std::vector<double>>& all, std::size_t count,
                       std::vector<double>& into) const {
    std::vector<const double*> places;
    for (const std::vector<double>& column : all) places.push_back(column.data());
    of_columns(places, count, into);
}

void Bound::of_columns(std::span<const double* const> all, std::size_t count, std::vector<double>& into) const {
    into.resize(count);
    std::array<const double*, names_max> places{};
    for (std::size_t i = 0; i < columns.size(); ++i) places[i] = all[columns[i]];
    expression->evaluate(places.data(), count, into.data());
}

Plan::Plan(Query asked, std::size_t shards) : query(std::move(asked)), sources(query), shard_count(shards) {
    const std::size_t count = sources.patterns.size();
    reduces.assign(count, false);
    scans.assign(count, false);
    needs.assign(count, store::Needs::Basic);
    for (std::size_t i = 0; i < query.select.size(); ++i) {
        const Select& select = query.select[i];
        const std::size_t source = sources.of_select[i];
        of_samples.push_back(!select.value.is_empty() || !select.when.is_empty());
        sample_needs.push_back(needs_of(select.aggregate));
        has_samples = has_samples || of_samples.back();
        (of_samples.back() ? scans : reduces)[source] = true;
        if (!of_samples.back()) needs[source] = needs[source] | sample_needs.back();
    }
    bind_samples();

    before = names_of(query.select);
    where = bound_to(query.where, before);
    for (const Column& column : query.per) per_of.push_back(bound_to(column.of, before));
    if (query.has_per) before = names_of(query.per);
    for (const Column& column : query.group) group_of.push_back(bound_to(column.of, before));
    after = query.has_group ? names_of(query.group) : before;
    having = bound_to(query.having, after);
    has_time = query.is_last || (query.has_per ? query.per_bucket.has_value() : query.bucket.has_value());
}

/// Conditions read other selects' samples, so those are scanned too.
void Plan::bind_samples() {
    const std::vector<std::string> names = names_of(query.select);
    for (const Select& select : query.select) {
        for (const std::string& name : select.when.names()) scans[sources.of_select[place_of(names, name)]] = true;
    }
    std::vector<std::size_t> stream_of(scans.size(), 0);
    for (std::size_t source = 0; source < scans.size(); ++source) {
        stream_of[source] = streams.size();
        if (scans[source]) streams.push_back(source);
    }
    for (const Select& select : query.select) {
        value.push_back(bound_to(select.value, names));
        when.push_back(bound_to(select.when, names));
        for (Bound* bound : {&value.back(), &when.back()}) {
            for (std::size_t& column : bound->columns) column = stream_of[sources.of_select[column]];
        }
    }
}

double value_of(const store::Bucket& bucket, Aggregate aggregate) {
    if (aggregate == Aggregate::Samples) return static_cast<double>(bucket.count);
    if (aggregate == Aggregate::Count) return static_cast<double>(bucket.usable);
    if (bucket.usable == 0) return nan;
    switch (aggregate) {
        case Aggregate::Mean: return bucket.mean();
        case Aggregate::Min: return bucket.min;
        case Aggregate::Max: return bucket.max;
        case Aggregate::First: return bucket.first;
        case Aggregate::Last: return bucket.last;
        case Aggregate::Sum: return bucket.sum.value();
        case Aggregate::TimeWeighted: return bucket.time_weighted_mean();
        case Aggregate::Integral: return bucket.integral_seconds();
        case Aggregate::Deviation: return std::sqrt(std::max(0.0, bucket.variance_population()));
        case Aggregate::Range: return bucket.max - bucket.min;
        case Aggregate::Delta: return bucket.last - bucket.first;
        default: return nan;
    }
}

void Tally::add(double value) {
    if (value != value) return;
    if (count_++ == 0) first_ = min_ = max_ = value;
    last_ = value;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
    sum_.add(value);
    squares_.add_product(value, value);
}

double Tally::of(Aggregate aggregate) const {
    const auto count = static_cast<double>(count_);
    if (aggregate == Aggregate::Count) return count;
    if (count_ == 0) return nan;
    switch (aggregate) {
        case Aggregate::Mean: return sum_.value() / count;
        case Aggregate::Min: return min_;
        case Aggregate::Max: return max_;
        case Aggregate::First: return first_;
        case Aggregate::Last: return last_;
        case Aggregate::Sum: return sum_.value();
        case Aggregate::Range: return max_ - min_;
        case Aggregate::Delta: return last_ - first_;
        case Aggregate::Deviation: {
            const double mean = sum_.value() / count;
            return std::sqrt(std::max(0.0, squares_.value() / count - mean * mean));
        }
        default: return nan;
    }
}

}  // namespace lineshaft::fleet
