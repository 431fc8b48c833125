/// Which shape a column of integers takes: the choice behind encode_ints().
///
/// A cheap look at each order of differences (widths, extremes, runs), then a dearer one (symbols, dictionary) at those
/// that came close. All costs are bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/internal/ints.h"
#include "store/internal/packing.h"

namespace lineshaft::store {

enum class Coding : std::uint8_t {  // On disk. Append only.
    Constant = 0,
    Runs = 1,
    Banded = 2,
    Zigzag = 3,
    Dictionary = 4,
    Same = 5,
    Stretches = 6
};

using Residuals = std::vector<std::int64_t>;

struct Plan {
    std::size_t bytes = SIZE_MAX;
    int order = 0;
    Coding coding = Coding::Constant;
    std::int64_t base = 0;
    std::vector<std::int64_t> entries;   // Of the dictionary, rising.
    std::vector<std::uint64_t> indexes;  // Into them, a residual's each.
    Packing packing;
    Bytes stretches;  // Two columns, encoded: the values of runs and their lengths.
};

/// The number that is packed for a residual; not for dictionaries.
inline std::uint64_t packed_number(std::int64_t residual, const Plan& plan) {
    if (plan.coding == Coding::Zigzag) return zigzag(residual);
    return static_cast<std::uint64_t>(wrapping_sub(residual, plan.base));
}

/// The best plan over the orders; makes `numbers`, which are not empty, the differences of that order. Columns within a
/// column are `flat`: they hold no columns.
Plan best_plan(Residuals& numbers, bool flat);

/// encode_ints() for a column within a column.
void encode_flat(std::span<const std::int64_t> values, ByteWriter& out);

}  // namespace lineshaft::store
