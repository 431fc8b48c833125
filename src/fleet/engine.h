/// Answers questions over many tags: finds the series, reads them on all cores, joins, filters, groups.
///
/// Flow:    caller's shard: path patterns ─► keys (kept per snapshot of the registry)
///            ─post─► home shards: open walks over a slice of keys ─post─► caller
///            ─► query pool: decode, aggregate, where, per ─post─► caller … next slice
///            ─► query pool: group, having, order, limit ─post─► done
///          A few slices are under way at a time, so memory does not grow with the number of tags.
/// Threads: post_ask from any shard, `done` on it; create and close as their rooms'.
/// Errors:  NotFound (no tag fits), LimitExceeded (says what to narrow), Timeout, Overloaded, Closed.
/// Limits:  series_per_query_max, rows_per_query_max, queries_max, Query::time_limit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleet/query.h"
#include "registry/registry.h"
#include "runtime/worker_pool.h"
#include "store/historians.h"

namespace lineshaft::fleet {

inline constexpr std::size_t series_per_query_max = 200'000;
inline constexpr std::size_t rows_per_query_max = 2'000'000;  // Between stages; the answer has Query::limit.
inline constexpr std::size_t queries_max = 8;                 // At once, per shard.

/// Rows and where they come from. Texts (captures) and numbers in the order of `columns`.
struct Answer {
    struct Row {
        std::vector<std::uint32_t> texts;  // Into `strings`.
        UtcTime time;                      // When has_time.
        std::vector<double> numbers;       // NaN for none.
    };
    UtcTime from, to;
    std::vector<std::string> text_columns;
    bool has_time = false;
    std::vector<std::string> number_columns;
    std::vector<std::string> strings;
    std::vector<Row> rows;
    bool more = false;          // The limit ended it.
    std::uint64_t series = 0;   // That fit the patterns.
    std::uint64_t samples = 0;  // That were looked at or counted.
    std::uint64_t good = 0;     // Of these.
    std::uint64_t damaged_blocks = 0;
    Duration took{};
};

/// Json: {"columns":[…],"rows":[[…]],…}, times in ms since 1970. Csv: a line of names, RFC 3339 times.
enum class Form : std::uint8_t { Json, Csv };
std::string to_text(const Answer& answer, Form form);

class Engine {
public:
    /// `pool` has as many threads as there are cores to use; all of them outlive the engine.
    static std::unique_ptr<Engine> create(Shards& shards, registry::Registry& registry, store::Historians& store,
                                          WorkerPool& pool);
    ~Engine();

    using Done = std::move_only_function<void(Result<Answer>)>;
    void post_ask(Shard& caller, TenantId tenant, Query query, Done done);
    /// The answer as to_text writes it, written on the query pool.
    using TextDone = std::move_only_function<void(Result<std::string>)>;
    void post_text(Shard& caller, TenantId tenant, Query query, Form form, TextDone done);

    /// Ends what runs with Closed; `done` runs on `caller` when nothing is under way.
    void close(Shard& caller, Task done);

    class Body;  // Private: see internal/.

private:
    explicit Engine(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

}  // namespace lineshaft::fleet
