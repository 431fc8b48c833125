/// Looks every ten minutes at how much room history takes, for the warnings and the metrics of the house.
///
/// Threads: made and ended on its shard; warnings() from any.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "runtime/disk.h"
#include "store/historians.h"

namespace lineshaft::app {

class StorageWatch {
public:
    /// `data`: the path whose disk is watched; `retained_for`: when everything leaves, if it does.
    StorageWatch(Shard& shard, store::Historians& store, Disk& disk, std::string data,
                 std::optional<Duration> retained_for);
    ~StorageWatch() = default;

    /// Within 14 days, going on as now. None: not so soon.
    std::optional<UtcTime> disk_full_at() const;
    std::uint64_t cold_segments_missing() const { return cold_missing_.load(); }

private:
    void look();

    Shard& shard_;
    store::Historians& store_;
    Disk& disk_;
    const std::string data_;
    const std::optional<Duration> retained_for_;
    Timer timer_;
    std::atomic<std::int64_t> disk_full_at_{0};
    std::atomic<std::uint64_t> cold_missing_{0};
};

}  // namespace lineshaft::app
