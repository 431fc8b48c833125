#include "store/internal/writers.h"

#include <algorithm>
#include <set>

#include "store/internal/sheaf.h"

namespace lineshaft::store {
namespace {

Result<std::vector<SegmentMeta>> write_series(Sheaf& sheaf, const std::vector<const MemSeries*>& all) {
    Chunk rows;
    for (const MemSeries* series : all) {
        rows.clear();
        series->copy(utc_time_min, utc_time_max, rows);
        sheaf.begin_series(series->tag(), series->info());
        TRY_VOID(sheaf.add(rows, 0, rows.size()));
        TRY_VOID(sheaf.end_series());
    }
    return sheaf.finish();
}

}  // namespace

Result<std::vector<SegmentMeta>> write_table(const Target& target, const MemTable& table) {
    std::vector<const MemSeries*> all;
    std::set<std::int64_t> days;
    for (const MemSeries& series : table.series) {
        if (series.size() == 0) continue;
        all.push_back(&series);
        series.collect_days(days);
    }
    std::ranges::sort(all, {}, &MemSeries::tag);
    Sheaf sheaf(target, Partitions(days, target.mature), table.order);
    auto written = write_series(sheaf, all);
    if (!written) sheaf.undo();
    return written;
}

}  // namespace lineshaft::store
