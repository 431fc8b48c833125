/// Works out how complete a tag's data of a range is, in small steps on the tag's shard.
///
///   reduce to some hundred buckets ─► few samples: read them all
///                                  ─► many: read the newest (cadence, lateness), then look closer only at stretches
///                                     that lack something, at most refinements_max of them
///   then the ledger explains the gaps
///
/// Threads: the shard of historian and ledger.
#pragma once

#include "store/historian.h"
#include "store/internal/gaps.h"
#include "store/internal/ledger.h"

namespace lineshaft::store {

class Completion {
public:
    Completion(Historian& store, const Ledger& ledger, TagQuestion question, UtcTime from, UtcTime to);

    /// False when all of the data has been seen.
    bool step();
    /// After that: what old months may know beside. None: memory knows enough.
    std::optional<LedgerReading> needs() const;
    /// At the end. `past`: what was read of that. Errors: NotFound.
    Result<Completeness> take(const LedgerPast& past);

private:
    enum class Phase : std::uint8_t { Reduce, Rows, Newest, Refine, Done };

    void start();
    void count();
    void read_rows();
    void read_newest();
    bool refine();
    void set_period(const Chunk& rows);
    bool existed_before();
    std::vector<Circumstance> circumstances(const LedgerPast& past, UtcTime from, UtcTime to) const;
    std::vector<Missing> without_cadence(const std::vector<Circumstance>& circumstances, UtcTime from,
                                         UtcTime to) const;

    Historian& store_;
    const Ledger& ledger_;
    const TagQuestion question_;
    const UtcTime from_;
    UtcTime to_;  // At most now: what is to come is not missing.
    Phase phase_ = Phase::Reduce;
    std::optional<Reducer> reducer_;
    std::optional<Error> error_;
    Reduction reduction_;
    UtcTime until_;  // Samples before this can be expected.
    Duration period_{0};
    std::vector<Stretch> stretches_;
    std::vector<Pace> paces_;
    std::size_t refinements_ = 0;
    Completeness answer_;
};

}  // namespace lineshaft::store
