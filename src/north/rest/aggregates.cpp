#include "north/rest/internal/aggregates.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace lineshaft::rest {
namespace {

using store::Bucket;
using store::Needs;

enum class Kind : std::uint8_t { Value, Count, Other };

double share(std::uint64_t part, const Bucket& b) {
    return b.count ? static_cast<double>(part) / static_cast<double>(b.count) : std::nan("");
}

struct Known {
    std::string_view name;
    Needs needs;
    Kind kind;
    double (*value)(const Bucket& b, double modulus, double seconds);
};

constexpr Needs basic = Needs::Basic;
const std::array known = {
    Known{"min", basic, Kind::Value, [](const Bucket& b, double, double) { return b.min; }},
    Known{"max", basic, Kind::Value, [](const Bucket& b, double, double) { return b.max; }},
    Known{"range", basic, Kind::Other, [](const Bucket& b, double, double) { return b.max - b.min; }},
    Known{"first", basic, Kind::Value, [](const Bucket& b, double, double) { return b.first; }},
    Known{"last", basic, Kind::Value, [](const Bucket& b, double, double) { return b.last; }},
    Known{"mean", basic, Kind::Value, [](const Bucket& b, double, double) { return b.mean(); }},
    Known{"sum", basic, Kind::Other,
          [](const Bucket& b, double, double) { return b.usable ? b.sum.value() : std::nan(""); }},
    Known{"count", basic, Kind::Count, [](const Bucket& b, double, double) { return static_cast<double>(b.count); }},
    Known{"good", basic, Kind::Count, [](const Bucket& b, double, double) { return static_cast<double>(b.good); }},
    Known{"share_good", basic, Kind::Other, [](const Bucket& b, double, double) { return share(b.good, b); }},
    Known{"share_uncertain", basic, Kind::Other,
          [](const Bucket& b, double, double) { return share(b.uncertain, b); }},
    Known{"share_bad", basic, Kind::Other,
          [](const Bucket& b, double, double) { return share(b.count - b.good - b.uncertain, b); }},
    Known{"std", Needs::Squares, Kind::Other,
          [](const Bucket& b, double, double) { return std::sqrt(b.variance_sample()); }},
    Known{"std_population", Needs::Squares, Kind::Other,
          [](const Bucket& b, double, double) { return std::sqrt(b.variance_population()); }},
    Known{"variance", Needs::Squares, Kind::Other,
          [](const Bucket& b, double, double) { return b.variance_sample(); }},
    Known{"variance_population", Needs::Squares, Kind::Other,
          [](const Bucket& b, double, double) { return b.variance_population(); }},
    Known{"twa", Needs::Integral, Kind::Value,
          [](const Bucket& b, double, double) { return b.time_weighted_mean(); }},
    Known{
        "integral", Needs::Integral, Kind::Other,
        [](const Bucket& b, double, double) { return b.covered.count() > 0 ? b.integral_seconds() : std::nan(""); }},
    Known{"covered", Needs::Integral, Kind::Other,
          [](const Bucket& b, double, double seconds) {
              return seconds > 0 ? static_cast<double>(b.covered.count()) / 1e9 / seconds : std::nan("");
          }},
    Known{"delta", basic, Kind::Other, [](const Bucket& b, double, double) { return b.last - b.first; }},
    Known{"increase", Needs::Resets, Kind::Other,
          [](const Bucket& b, double modulus, double) { return b.increase(modulus); }},
    Known{"rate", Needs::Resets, Kind::Other,
          [](const Bucket& b, double modulus, double seconds) {
              return seconds > 0 ? b.increase(modulus) / seconds : std::nan("");
          }},
};

std::optional<double> percentile_named(std::string_view name) {
    if (name == "median") return 50;
    if (name.size() < 2 || name[0] != 'p') return std::nullopt;
    double percent = 0;
    const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), percent);
    if (error != std::errc() || end != name.data() + name.size() || !(percent >= 0 && percent <= 100))
        return std::nullopt;
    return percent;
}

Result<void> add(Aggregates& all, std::string_view name) {
    if (std::ranges::find(all.list, name, &Aggregate::name) != all.list.end()) return {};
    if (name == "states") {
        all.states = true;
        all.needs = all.needs | Needs::Rows;
        return {};
    }
    if (const auto percent = percentile_named(name)) {
        all.needs = all.needs | Needs::Rows;
        all.list.push_back({std::string(name), nullptr, all.percentiles.size(), true, false});
        all.percentiles.push_back(*percent);
        return {};
    }
    const auto found = std::ranges::find(known, name, &Known::name);
    if (found == known.end())
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("there is no aggregate '{}': take some of {}", name, aggregate_names()));
    all.needs = all.needs | found->needs;
    all.list.push_back({std::string(name), found->value, 0, found->kind == Kind::Value, found->kind == Kind::Count});
    return {};
}

/// The value that an empty bucket is given, in `last`.
void put_value(Bucket& empty, const Bucket* left, const Bucket* right, Fill fill) {
    if (fill == Fill::Null || !left) return;
    if (fill == Fill::Previous) {
        empty.last = left->last;
        return;
    }
    if (!right) return;
    const double whole = static_cast<double>(store::span_between(left->last_time, right->first_time).count());
    const double part = static_cast<double>(store::span_between(left->last_time, empty.start).count());
    if (whole > 0) empty.last = left->last + (right->first - left->last) * (part / whole);
}

}  // namespace

std::string aggregate_names() {
    std::string names;
    for (const Known& one : known) names += fmt::format("{}, ", one.name);
    return names + "states, median, p0 to p100";
}

Result<Aggregates> aggregates_named(std::string_view names) {
    Aggregates all;
    while (!names.empty()) {
        const std::size_t comma = std::min(names.find(','), names.size());
        if (comma > 0) TRY_VOID(add(all, names.substr(0, comma)));
        names.remove_prefix(std::min(comma + 1, names.size()));
    }
    return all;
}

double value_of(const Aggregates& all, const Aggregate& one, const store::Reduction& reduction, std::size_t at,
                UtcTime from, UtcTime to) {
    const Bucket& bucket = reduction.buckets[at];
    if (bucket.count == 0) return one.is_count ? 0 : one.is_filled ? bucket.last : std::nan("");
    if (!one.value) return reduction.rows[at].percentiles[one.percentile];
    const UtcTime begin = std::max(bucket.start, from);
    const UtcTime end = std::min(bucket.start + reduction.resolution, to);
    return one.value(bucket, all.modulus, static_cast<double>(store::span_between(begin, end).count()) / 1e9);
}

void fill_gaps(store::Reduction& reduction, UtcTime from, UtcTime to, Fill fill) {
    const std::int64_t step = reduction.resolution.count();
    if (fill == Fill::None || step <= 0 || to <= from) return;
    std::vector<Bucket> filled;
    std::vector<store::BucketRows> rows;
    const bool has_rows = !reduction.rows.empty();
    const std::int64_t over = ((from.ns() % step) + step) % step;
    const Bucket* left = nullptr;
    std::size_t next = 0;
    for (UtcTime start = from - Duration(over); start < to; start = start + Duration(step)) {
        if (next < reduction.buckets.size() && reduction.buckets[next].start == start) {
            left = &reduction.buckets[next];
            filled.push_back(*left);
            if (has_rows) rows.push_back(std::move(reduction.rows[next]));
            ++next;
            continue;
        }
        Bucket& empty = filled.emplace_back();
        empty.start = start;
        put_value(empty, left, next < reduction.buckets.size() ? &reduction.buckets[next] : nullptr, fill);
        if (has_rows) rows.emplace_back();
    }
    reduction.buckets = std::move(filled);
    reduction.rows = std::move(rows);
}

}  // namespace lineshaft::rest
