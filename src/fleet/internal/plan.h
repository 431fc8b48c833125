/// A query made ready to be worked through: names are places, and who needs what is known.
///
/// Threads: immutable once made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fleet/internal/keys.h"
#include "fleet/query.h"
#include "store/historian.h"

namespace lineshaft::fleet {

/// Rows between the stages: row-major values, `width` of them each.
struct Rows {
    std::size_t width = 0;
    std::vector<std::uint32_t> keys;  // Into Keys, or groups.
    std::vector<std::int64_t> times;
    std::vector<double> values;

    std::size_t size() const { return keys.size(); }
    const double* row(std::size_t i) const { return values.data() + i * width; }
    void append(const Rows& other);
};

/// An expression whose names are columns.
struct Bound {
    const Expression* expression = nullptr;  // Null: nothing to evaluate.
    std::vector<std::size_t> columns;
    double of_row(const double* row) const;
    /// Of each row of `all[i]`, `count` of them.
    void of_columns(std::span<const double* const> all, std::size_t count, std::vector<double>& into) const;
    void of_columns(const std::vector<std::vector<double>>& all, std::size_t count, std::vector<double>& into) const;
};

struct Plan {
    Plan(Query query, std::size_t shard_count);
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    const Query query;
    const Sources sources;
    const std::size_t shard_count;

    // By source: what is opened of each series.
    std::vector<bool> reduces;
    std::vector<store::Needs> needs;
    std::vector<bool> scans;
    bool has_samples = false;                // Some select looks at each sample.
    std::vector<bool> of_samples;            // By select: has a value or a condition of its own.
    std::vector<store::Needs> sample_needs;  // By select: of the buckets that its samples come to.
    std::vector<std::size_t> streams;        // Sources that are scanned.
    std::vector<Bound> value, when;          // By select, over streams.

    Bound where;                      // Over selects.
    std::vector<Bound> per_of;        // Over selects.
    std::vector<Bound> group_of;      // Over the columns before.
    Bound having;                     // Over the columns at the end.
    std::vector<std::string> before;  // The columns before group.
    std::vector<std::string> after;   // And at the end.
    bool has_time = false;            // Before group.

private:
    void bind_samples();
};

/// What a bucket comes to. NaN where there is nothing.
double value_of(const store::Bucket& bucket, Aggregate aggregate);

/// Aggregates of numbers that come one after another; NaN is passed over.
class Tally {
public:
    void add(double value);
    double of(Aggregate aggregate) const;

private:
    std::uint64_t count_ = 0;
    double first_ = 0, last_ = 0, min_ = 0, max_ = 0;
    store::Sum sum_, squares_;
};

}  // namespace lineshaft::fleet
