/// The samples of several series side by side, by source time: what conditions over samples look at.
///
/// Threads: one.
#pragma once

#include <atomic>
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
        store::Chunk chunk;
        std::vector<std::int64_t> times;
        std::vector<double> numbers;
        std::vector<Quality> qualities;
        std::size_t at = 0;
        bool is_over = true;
    };
    void refill(Stream& stream);
    std::size_t take_rows();
    void add_rows(std::size_t count, std::vector<std::vector<Bucketed>>& of_select);

    const Plan& plan_;
    std::vector<Stream> streams_;
    std::vector<std::int64_t> times_;
    std::vector<std::vector<double>> columns_;     // By stream; NaN where it has no sample.
    std::vector<std::vector<Quality>> qualities_;  // By stream.
    std::vector<double> passes_;
    std::vector<double> values_;
    std::uint64_t samples_ = 0;
    std::uint64_t good_ = 0;
};

}  // namespace lineshaft::fleet
