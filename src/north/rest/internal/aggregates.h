/// Aggregates of a bucket by their names: what `aggregates=mean,twa,p95` asks for, and its values.
///
/// Where OPC UA Part 13 has an aggregate of the kind, ours follows it, with usable samples (good and uncertain ones) as
/// its data and stepped interpolation: docs/user/history-and-query.md has the list.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/historian.h"

namespace lineshaft::rest {

enum class Fill : std::uint8_t {
    None,      // Buckets without samples are left out.
    Null,      // They are there, empty.
    Previous,  // What held before goes on.
    Linear,    // On the line between the samples around them.
};

struct Aggregate {
    std::string name;  // As asked.
    double (*value)(const store::Bucket& bucket, double modulus, double seconds) = nullptr;
    std::size_t percentile = 0;  // Without `value`: an index into Query::percentiles.
    bool is_filled = false;      // A value of the tag, so that filling makes sense; counts are 0 then, others none.
    bool is_count = false;
};

struct Aggregates {
    std::vector<Aggregate> list;
    store::Needs needs = store::Needs::Basic;
    std::vector<double> percentiles;
    bool states = false;
    double modulus = 0;
    Fill fill = Fill::None;

    bool is_asked() const { return !list.empty() || states; }
};

/// Reads `names`, parted by commas. Errors: InvalidArgument (names the one that is unknown).
Result<Aggregates> aggregates_named(std::string_view names);
/// Names of all, for messages.
std::string aggregate_names();

double value_of(const Aggregates& all, const Aggregate& one, const store::Reduction& reduction, std::size_t bucket,
                UtcTime from, UtcTime to);

/// Adds the buckets without samples, count 0, that [from, to) has.
void fill_gaps(store::Reduction& reduction, UtcTime from, UtcTime to, Fill fill);

}  // namespace lineshaft::rest
