/// A question over many tags at once, as it is asked.
///
///   select  path patterns ─► keys: one per combination of what {name} caught     bucket ─► values of a key and bucket
///   where   which buckets stay                                                   per    ─► values of a key and day
///   group   over keys (and time)        having, order_by, limit                  ─► rows
///
/// Errors:  InvalidArgument names the field and what it may be; Malformed for what is not JSON.
/// Limits:  query_bytes_max, selects_max, expression_nodes_max, expression_depth_max.
/// Formats: docs/user/fleet-queries.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::fleet {

inline constexpr std::size_t query_bytes_max = 64 * 1024;
inline constexpr std::size_t selects_max = 16;
inline constexpr std::size_t names_max = 48;  // Of captures, selects and computed values together.
inline constexpr std::size_t expression_nodes_max = 256;
inline constexpr std::size_t expression_depth_max = 32;

enum class Aggregate : std::uint8_t {
    Mean,
    Min,
    Max,
    First,
    Last,
    Sum,
    Count,         // Of usable samples; of rows in per and group.
    Samples,       // Of all samples, the bad ones too. Select only.
    TimeWeighted,  // Mean over time, each value holding until the next. Select only.
    Integral,      // Value times seconds. Select only.
    Deviation,     // Standard deviation of the population.
    Range,         // max - min.
    Delta,         // last - first.
    LongestRun,    // Per only: the most buckets in a row that pass `where`.
    Transitions,   // Per only: how often `where` became true.
    MeanRun,       // Per only: seconds of a run of buckets that pass `where`, begun and ended within the range.
};
/// Errors: InvalidArgument (names them all).
Result<Aggregate> aggregate_from_text(std::string_view text);
std::string_view to_text(Aggregate aggregate);

/// Arithmetic, comparisons, and/or/not over named numbers. A comparison with NaN is false.
class Expression {
public:
    /// Errors: InvalidArgument (says where).
    static Result<Expression> parse(std::string_view text);
    Expression();
    Expression(Expression&&) noexcept;
    Expression& operator=(Expression&&) noexcept;
    ~Expression();

    bool is_empty() const;
    const std::vector<std::string>& names() const;
    /// `values[i]` is the value of names()[i].
    double evaluate(const double* values) const;
    /// Of `count` rows at once: columns[i][row] is the value of names()[i].
    void evaluate(const double* const* columns, std::size_t count, double* into) const;
    /// As written.
    const std::string& text() const;

private:
    struct Program;
    std::unique_ptr<Program> program_;
};

/// "readings/{fleet:East|West}/*/truck_*/velocity": a level is text, * (any one level), ** (any number of levels),
/// {name} (any one level, caught) or {name:a|b*} (one of these, caught); text and alternatives may hold *.
class PathPattern {
public:
    /// Errors: InvalidArgument.
    static Result<PathPattern> parse(std::string_view text);

    /// What is caught, in the order of captures(); false when `path` does not fit.
    bool match(std::string_view path, std::vector<std::string_view>& caught) const;
    const std::vector<std::string>& captures() const { return captures_; }
    /// Whole levels of text that every match begins with: "readings".
    const std::string& prefix() const { return prefix_; }
    const std::string& text() const { return text_; }

private:
    struct Level {
        enum class Kind : std::uint8_t { Any, Deep, OneOf } kind = Kind::Any;
        int capture = -1;
        std::vector<std::string> choices;
    };
    bool match_from(std::size_t level, std::string_view rest, bool at_end, std::size_t& steps,
                    std::vector<std::string_view>& caught) const;

    std::string text_;
    std::string prefix_;
    std::vector<Level> levels_;
    std::vector<std::string> captures_;
};

struct Select {
    std::string name;
    PathPattern tags;
    Aggregate aggregate = Aggregate::Mean;
    Expression value;  // Over each sample: the select's own name is the sample; empty: the sample itself.
    Expression when;   // Which samples count: over selects' samples of the same source time; empty: all.
};

/// A value made from the values of the stage before.
struct Column {
    std::string name;
    Aggregate aggregate = Aggregate::Count;
    Expression of;  // Empty for aggregates that count.
};

struct Order {
    std::string name;
    bool descending = false;
};

struct Query {
    std::vector<Select> select;
    bool is_last = false;  // "values": "last": the newest values, no range.
    UtcTime from, to;
    std::optional<Duration> bucket;  // None: one for the whole range.
    Expression where;

    bool has_per = false;
    std::optional<Duration> per_bucket;  // None: one for the whole range.
    std::vector<Column> per;

    bool has_group = false;
    std::vector<std::string> group_by;  // Captures, and "time".
    std::vector<Column> group;

    Expression having;
    std::vector<Order> order_by;
    std::size_t limit = 10'000;
    Duration time_limit = 30s;

    /// The captures of every select, in the order of the first one's path.
    const std::vector<std::string>& captures() const { return select.front().tags.captures(); }
};

/// Reads the JSON of POST /api/v1/fleet-query and checks every name in it. Errors: Malformed, InvalidArgument, TooLarge.
Result<Query> parse_query(std::string_view json, UtcTime now);

}  // namespace lineshaft::fleet
