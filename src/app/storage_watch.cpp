#include "app/storage_watch.h"

#include "base/counters.h"

namespace lineshaft::app {
namespace {

constexpr Duration look_every = 10min;
constexpr Duration warned_before = 14 * 24h;

Gauge storage_bytes{"lineshaft_storage_bytes", "", "Bytes of segments on all paths"};
Gauge storage_backlog{"lineshaft_storage_merge_backlog_segments", "",
                      "Segments that should be merged and are not yet"};
Gauge cold_missing_segments{"lineshaft_storage_cold_missing_segments", "",
                            "Segments on the cold path that cannot be read"};
Gauge disk_full_s{"lineshaft_storage_disk_full_seconds", "",
                  "Until the disk is full, going on as now; 0: not foreseen"};

}  // namespace

StorageWatch::StorageWatch(Shard& shard, store::Historians& store, Disk& disk, std::string data,
                           std::optional<Duration> retained_for)
    : shard_(shard), store_(store), disk_(disk), data_(std::move(data)), retained_for_(retained_for) {
    timer_ = shard_.every(look_every, [this] { look(); });
    look();
}

std::optional<UtcTime> StorageWatch::disk_full_at() const {
    const UtcTime at(disk_full_at_.load());
    return at.is_none() ? std::nullopt : std::optional(at);
}

void StorageWatch::look() {
    store_.post_storage(shard_, [this](const store::StorageReport& report) {
        const UtcTime now = shard_.utc_now();
        const auto free = disk_.free_bytes(data_);
        const store::Forecast forecast =
            store::forecast(report.hours, now, report.stats.segment_bytes, free.value_or(UINT64_MAX), retained_for_);
        const bool is_soon = forecast.full_at && *forecast.full_at - now < warned_before;
        disk_full_at_ = is_soon ? forecast.full_at->ns() : 0;
        cold_missing_ = report.cold.segments_missing;
        storage_bytes.set(static_cast<std::int64_t>(report.stats.segment_bytes));
        storage_backlog.set(static_cast<std::int64_t>(report.compaction.backlog_segments));
        cold_missing_segments.set(static_cast<std::int64_t>(report.cold.segments_missing));
        disk_full_s.set(forecast.full_at ? (*forecast.full_at - now).count() / 1'000'000'000 : 0);
    });
}

}  // namespace lineshaft::app
