#include "store/internal/ints_plan.h"

#include <algorithm>
#include <array>
#include <bit>

namespace lineshaft::store {
namespace {

constexpr std::size_t dictionary_max = 64;    // More would rather be a band.
constexpr unsigned dictionary_width_min = 7;  // Symbols alone tell narrower numbers apart.

std::size_t varint_bytes(std::uint64_t value) { return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7; }

/// What the cheap look at one order of differences finds.
struct Shape {
    Plan plan;
    Measure measure;
};

std::size_t bytes_of_runs(const Residuals& residuals) {
    std::size_t bytes = 2;
    std::size_t run = 0;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        ++run;
        if (i + 1 < residuals.size() && residuals[i + 1] == residuals[i]) continue;
        bytes += varint_bytes(zigzag(residuals[i])) + varint_bytes(run);
        run = 0;
    }
    return bytes;
}

Shape shape_of(const Residuals& residuals, int order) {
    Shape shape;
    shape.plan.order = order;
    lanes().measure(residuals, shape.measure);
    const std::int64_t least = shape.measure.least;
    if (least == shape.measure.most) {
        shape.plan.bytes = 1 + varint_bytes(zigzag(least));
        shape.plan.base = least;
        return shape;
    }
    const Packing band = best_packing(shape.measure.banded, residuals.size());
    const std::size_t band_bytes = band.bytes + varint_bytes(zigzag(least));
    shape.plan.bytes = band_bytes;
    shape.plan.coding = Coding::Banded;
    shape.plan.base = least;
    shape.plan.packing = band;
    const Packing zig = best_packing(shape.measure.zigzagged, residuals.size());
    if (zig.bytes < shape.plan.bytes) {
        shape.plan.bytes = zig.bytes;
        shape.plan.coding = Coding::Zigzag;
        shape.plan.packing = zig;
    }
    // A run takes two bytes at least.
    if (2 + 2 * (shape.measure.changes + 1) < shape.plan.bytes) {
        const std::size_t run_bytes = bytes_of_runs(residuals);
        if (run_bytes < shape.plan.bytes) {
            shape.plan.bytes = run_bytes;
            shape.plan.coding = Coding::Runs;
        }
    }
    return shape;
}

/// The distinct residuals in the order of their appearance, and each residual's place among them. False if too many.
bool few_distinct(const Residuals& residuals, std::vector<std::int64_t>& distinct,
                  std::vector<std::uint64_t>& places) {
    constexpr std::size_t slots = 256;
    std::array<std::int64_t, slots> held;
    std::array<std::uint8_t, slots> index{};  // One more than the place; 0 for free.
    places.resize(residuals.size());
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        const std::int64_t r = residuals[i];
        std::size_t at = (static_cast<std::uint64_t>(r) * 0x9E37'79B9'7F4A'7C15ULL) >> 56;
        while (index[at] != 0 && held[at] != r) at = (at + 1) % slots;
        if (index[at] == 0) {
            if (distinct.size() == dictionary_max) return false;
            distinct.push_back(r);
            held[at] = r;
            index[at] = static_cast<std::uint8_t>(distinct.size());
        }
        places[i] = index[at] - 1U;
    }
    return true;
}

void consider_dictionary(const Residuals& residuals, Plan& best) {
    Plan plan;
    plan.order = best.order;
    plan.coding = Coding::Dictionary;
    std::vector<std::int64_t> distinct;
    if (!few_distinct(residuals, distinct, plan.indexes) || distinct.size() < 2) return;
    plan.entries = distinct;
    std::ranges::sort(plan.entries);
    std::size_t head = 1 + varint_bytes(zigzag(plan.entries[0]));
    for (std::size_t i = 1; i < plan.entries.size(); ++i)
        head += varint_bytes(static_cast<std::uint64_t>(wrapping_sub(plan.entries[i], plan.entries[i - 1])) - 1);
    if (head >= best.bytes) return;
    std::array<std::uint64_t, dictionary_max> rank{};
    for (std::size_t i = 0; i < distinct.size(); ++i)
        rank[i] =
            static_cast<std::uint64_t>(std::ranges::lower_bound(plan.entries, distinct[i]) - plan.entries.begin());
    Widths widths{};
    for (std::uint64_t& place : plan.indexes) {
        place = rank[place];
        ++widths[static_cast<std::size_t>(std::bit_width(place))];
    }
    plan.packing = best_packing(widths, plan.indexes.size());
    consider_entropy(plan.indexes, widths, plan.packing);
    plan.bytes = head + plan.packing.bytes;
    if (plan.bytes < best.bytes) best = std::move(plan);
}

/// Runs as two columns: where values come in long runs whose lengths or values are alike.
void consider_stretches(const Residuals& residuals, std::size_t changes, Plan& best) {
    constexpr std::size_t worth_trying_bytes = 24;
    // Each run takes three bits or so.
    if (best.bytes < worth_trying_bytes || changes * 3 > std::min(residuals.size(), best.bytes * 8)) return;
    Residuals values;
    Residuals lengths;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
        if (i == 0 || residuals[i] != residuals[i - 1]) {
            values.push_back(residuals[i]);
            lengths.push_back(0);
        }
        ++lengths.back();
    }
    Plan plan;
    plan.order = best.order;
    plan.coding = Coding::Stretches;
    ByteWriter out(plan.stretches);
    out.varint(values.size());
    encode_flat(values, out);
    encode_flat(lengths, out);
    plan.bytes = plan.stretches.size();
    if (plan.bytes < best.bytes) best = std::move(plan);
}

/// The closer and dearer look: symbols, and a dictionary where numbers are wide but few.
void improve(Shape& shape, const Residuals& residuals) {
    if (shape.plan.bytes <= 16) return;
    const Measure& measure = shape.measure;
    const bool narrow_band = widest_of(measure.banded) < widest_of(measure.zigzagged);
    Plan plan;
    plan.order = shape.plan.order;
    plan.coding = narrow_band ? Coding::Banded : Coding::Zigzag;
    plan.base = narrow_band ? measure.least : 0;
    const std::size_t base_bytes = narrow_band ? varint_bytes(zigzag(measure.least)) : 0;
    std::vector<std::uint64_t> numbers(residuals.size());
    for (std::size_t i = 0; i < residuals.size(); ++i) numbers[i] = packed_number(residuals[i], plan);
    plan.packing.bytes = shape.plan.bytes - std::min(shape.plan.bytes, base_bytes);  // What it has to beat.
    consider_entropy(numbers, narrow_band ? measure.banded : measure.zigzagged, plan.packing);
    if (plan.packing.entropy) {
        plan.bytes = plan.packing.bytes + base_bytes;
        shape.plan = std::move(plan);
    }
    if (widest_of(measure.banded) >= dictionary_width_min) consider_dictionary(residuals, shape.plan);
}

Residuals differences(const Residuals& numbers) {
    Residuals result(numbers.size());
    result[0] = numbers[0];
    for (std::size_t i = 1; i < numbers.size(); ++i) result[i] = wrapping_sub(numbers[i], numbers[i - 1]);
    return result;
}

}  // namespace

Plan best_plan(Residuals& numbers, bool flat) {
    constexpr int orders = 3;
    constexpr std::size_t small_enough = 6;
    std::array<Residuals, orders> residuals;
    std::array<Shape, orders> shapes;
    residuals[0] = std::move(numbers);
    std::size_t least = SIZE_MAX;
    int looked = 0;
    for (; looked < orders && least > small_enough; ++looked) {
        const auto at = static_cast<std::size_t>(looked);
        // Second differences of what first differences made worse are worse still.
        if (looked == 2 && shapes[1].plan.bytes > shapes[0].plan.bytes) break;
        if (looked > 0) residuals[at] = differences(residuals[at - 1]);
        shapes[at] = shape_of(residuals[at], looked);
        least = std::min(least, shapes[at].plan.bytes);
    }
    std::size_t best = 0;
    for (int order = 0; order < looked; ++order) {
        const auto at = static_cast<std::size_t>(order);
        // The closer look only where it may win. Order 0 of a few set points looks wide and is a dictionary.
        if (shapes[at].plan.bytes <= least + least / 4)
            improve(shapes[at], residuals[at]);
        else if (order == 0)
            consider_dictionary(residuals[at], shapes[at].plan);
        if (shapes[at].plan.bytes < shapes[best].plan.bytes) best = at;
    }
    if (!flat) {
        // Runs show in the order with the fewest changes, whatever else was best.
        std::size_t calm = 0;
        for (std::size_t at = 1; at < static_cast<std::size_t>(looked); ++at)
            if (shapes[at].measure.changes < shapes[calm].measure.changes) calm = at;
        Plan plan;
        plan.order = static_cast<int>(calm);
        plan.bytes = shapes[best].plan.bytes;
        consider_stretches(residuals[calm], shapes[calm].measure.changes, plan);
        if (plan.coding == Coding::Stretches) {
            best = calm;
            shapes[best].plan = std::move(plan);
        }
    }
    numbers = std::move(residuals[best]);
    return std::move(shapes[best].plan);
}

}  // namespace lineshaft::store
