/// The samples of several series side by side, by source time: what conditions over samples look at.
///
/// A device sends its values together, so most stretches have the same times in every series: they are looked at where
/// they were decoded. Elsewhere rows are put together one by one, for a short stretch, and then it is tried again.
///
/// Threads: one.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "fleet/internal/unit.h"

namespace lineshaft::fleet {

/// Buckets of one select, oldest first.
struct Bucketed {
    std::int64_t start;
    store::Bucket bucket;
};

/// The first time of the bucket that `time` lies in.
std::int64_t bucket_start(const Query& query, std::int64_t time);

class SampleJoin {
public:
    /// `scans[i]` is the plan's stream i; null where the key has no such series.
    SampleJoin(const Plan& plan, std::vector<store::Scan*> scans);
    /// Fills in the buckets of each select that looks at samples.
    void run(std::vector<std::vector<Bucketed>>& of_select, const std::atomic<bool>& cancelled);

    std::uint64_t samples() const { return samples_; }
    std::uint64_t good() const { return good_; }

private:
    struct Stream {
        store::Scan* scan = nullptr;
        store::NumbersView rows;  // Numbers that are not bad; those before `at` are done with.
        store::Numbers usable;    // Where there are others among them.
        std::size_t at = 0;
        bool is_over = true;
        std::size_t left() const { return rows.size() - at; }
    };
    /// A stream's part in the stretch at hand.
    struct Column {
        const double* values = nullptr;  // NaN where it has no sample.
        std::span<const Quality> qualities;
        bool is_full = false;  // It has a sample in every row.
        std::vector<double> own_values;
        std::vector<Quality> own_qualities;
    };
    void refill(Stream& stream);
    void keep_usable(Stream& stream);
    std::size_t take_rows();
    std::size_t side_by_side() const;
    void take_as_they_are(std::size_t count);
    std::size_t take_one_by_one();
    void add_rows(std::size_t count, std::vector<std::vector<Bucketed>>& of_select);
    store::NumbersView pick(std::size_t select, const Column& own, std::size_t count);
    void add(std::size_t select, store::NumbersView rows, std::vector<Bucketed>& buckets) const;

    const Plan& plan_;
    std::vector<Stream> streams_;
    // The stretch at hand.
    const std::int64_t* times_ = nullptr;
    std::vector<Column> columns_;               // By stream.
    std::vector<const double*> column_values_;  // Of each.
    std::vector<std::int64_t> own_times_;
    std::vector<double> nothing_;
    std::vector<double> passes_;
    std::vector<double> values_;
    store::Numbers picked_;
    std::uint64_t samples_ = 0;
    std::uint64_t good_ = 0;
};

}  // namespace lineshaft::fleet
