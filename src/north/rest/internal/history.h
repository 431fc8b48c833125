/// A question about the past and its answer, in the three forms it is given in.
#pragma once

#include <string>
#include <vector>

#include "north/rest/internal/aggregates.h"
#include "north/rest/internal/call.h"
#include "store/completeness.h"

namespace lineshaft::rest {

struct HistorySeries {
    const registry::Tag* tag = nullptr;
    bool is_raw = false;
    bool is_points = false;  // Values at given times, between samples too.
    store::Chunk raw;
    store::Reduction reduced;
    std::vector<store::Point> points;
    std::optional<store::Completeness> completeness;  // Of the whole range, where it was worked out.
};

struct HistoryAnswer {
    SnapshotOf<registry::Snapshot> snapshot;  // Keeps the tags alive.
    UtcTime from, to;
    std::optional<UtcTime> known_at;
    Aggregates aggregates;  // Asked for by name; else the usual ones.
    std::vector<HistorySeries> series;
};

Json history_json(const HistoryAnswer& answer);
std::string history_csv(const HistoryAnswer& answer);
/// docs/formats/columns.md.
std::string history_columns(const HistoryAnswer& answer);

}  // namespace lineshaft::rest
