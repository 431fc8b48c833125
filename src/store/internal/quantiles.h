/// Percentiles of any number of values in bounded memory, with an error that is known, not hoped for.
///
/// Up to `exact_max` values are kept and the answer is exact. Beyond, full buffers are sorted and thinned: every 16th
/// value stands for its neighbours; two thinned buffers of one weight are merged and every other value is left out
/// (Munro, Paterson 1980; Manku, Rajagopalan, Lindsay 1998). Each thinning moves a rank by at most half of what one
/// value stands for, so error() bounds how far the rank of an answer may be from the one asked for, as a share of all.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace lineshaft::store {

class Quantiles {
public:
    static constexpr std::size_t exact_max = 65'536;
    static constexpr std::size_t thinned = 4096;

    void add(double value) {
        newest_.push_back(value);
        if (newest_.size() == exact_max) thin_newest();
    }
    std::size_t count() const { return thinned_count_ + newest_.size(); }

    /// `percent` 0 … 100, between two values in proportion (as OPC UA, spreadsheets and numpy do). NaN of nothing.
    double at(double percent) {
        if (count() == 0) return std::numeric_limits<double>::quiet_NaN();
        const double rank = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count() - 1);
        if (thinned_count_ == 0) return exact_at(rank);
        return weighted_at(rank);
    }
    double error() const {
        return count() == 0 ? 0 : static_cast<double>(rank_error_) / static_cast<double>(count());
    }
    void clear() { *this = {}; }

private:
    double exact_at(double rank) {
        const auto below = static_cast<std::size_t>(rank);
        const auto at = newest_.begin() + static_cast<std::ptrdiff_t>(below);
        std::nth_element(newest_.begin(), at, newest_.end());
        const double low = *at;
        const double part = rank - static_cast<double>(below);
        if (part == 0) return low;
        const double high = *std::min_element(at + 1, newest_.end());
        return low + (high - low) * part;
    }
    double weighted_at(double rank) const {
        std::vector<std::pair<double, std::size_t>> all;
        for (const double value : newest_) all.emplace_back(value, 1);
        for (std::size_t level = 0; level < levels_.size(); ++level) {
            for (const double value : levels_[level]) all.emplace_back(value, first_weight << level);
        }
        std::sort(all.begin(), all.end());
        double passed = 0;
        for (const auto& [value, weight] : all) {
            passed += static_cast<double>(weight);
            if (passed > rank) return value;
        }
        return all.back().first;
    }
    void thin_newest() {
        std::sort(newest_.begin(), newest_.end());
        std::vector<double> kept;
        kept.reserve(thinned);
        for (std::size_t i = first_weight / 2; i < newest_.size(); i += first_weight) kept.push_back(newest_[i]);
        thinned_count_ += newest_.size();
        newest_.clear();
        rank_error_ += first_weight / 2;
        std::size_t level = 0;
        for (; level < levels_.size() && !levels_[level].empty(); ++level) {
            std::vector<double> both(2 * thinned);
            std::merge(kept.begin(), kept.end(), levels_[level].begin(), levels_[level].end(), both.begin());
            levels_[level].clear();
            // Now the lower, now the upper of each two, so that the error has no direction.
            for (std::size_t i = 0; i < thinned; ++i) kept[i] = both[2 * i + (upper_ ? 1 : 0)];
            upper_ = !upper_;
            rank_error_ += first_weight << level;
        }
        if (level == levels_.size()) levels_.emplace_back();
        levels_[level] = std::move(kept);
    }

    static constexpr std::size_t first_weight = exact_max / thinned;
    std::vector<double> newest_;
    std::vector<std::vector<double>> levels_;  // Of weight first_weight · 2^level; empty or full.
    std::size_t thinned_count_ = 0;
    std::size_t rank_error_ = 0;
    bool upper_ = false;
};

}  // namespace lineshaft::store
