/// The hall: a raw reading becomes a sample of a tag, with the tag's type, scale, unit, quality and a sane time.
///
/// Flow:    flow::ReadingSink; readings of this shard's devices in, Batches to one flow::DurableSink (the router).
///          Names nobody has heard before get a TagId from a block reserved ahead, are told to the store at once and
///          to the registry in bulk, so their first sample is kept and nothing waits for SQL.
/// Threads: one Normaliser per shard, own shard only.
/// Errors:  none to the door for a wrong value: one that does not fit its tag's type is kept with the type it came with,
///          as BadTypeMismatch; NaN and infinities are kept as Bad; all are counted, and logged once a tag.
///          InvalidArgument through `settled` when readings were not kept at all (inbox full, unusable names, times that
///          TimeRule refuses); readings of ignored devices are dropped and counted.
/// Limits:  limits::batch_samples_max, batch_text_bytes_max, devices_discovered_max, tags_discovered_per_device_max,
///          string_value_bytes_max, device_name_bytes_max, tag_path_bytes_max, refusals_kept_max.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/sample_sink.h"
#include "normalise/doors.h"
#include "registry/snapshot.h"

namespace lineshaft::normalise {

inline constexpr std::size_t refusals_kept_max = 256;

/// For the status page: who sends what that is not kept as sent, and why.
struct Refusal {
    std::string what;    // The device or the tag.
    std::string reason;  // "ignored device", "type", "time", …
    std::uint64_t count = 0;
    UtcTime last;
};

struct ProtocolRate {
    std::string protocol;  // "mqtt", "http", "modbus": the source up to '/'.
    std::uint64_t samples = 0;
    double samples_per_second = 0;  // Over the last ten seconds.
};

/// What becomes of readings whose time lies outside of what their receiver finds believable.
enum class OutsideTime : std::uint8_t {
    Accept,      // Kept as they came.
    Quarantine,  // Kept as Uncertain; a time that is none of this age (before 1971, after 2200) becomes that of receipt.
    Refuse,      // Not kept; the sender is told.
};

/// Times are believed from receipt - past_max to receipt + future_max. What lies beyond is counted whatever the rule.
struct TimeRule {
    Duration future_max = 10min;       // Clocks that are not synchronised differ by less.
    std::optional<Duration> past_max;  // None: late data is welcome, however late.
    OutsideTime outside = OutsideTime::Quarantine;
};

class Normaliser final : public flow::ReadingSink {
public:
    struct Options {
        std::size_t devices_discovered_max = limits::devices_discovered_max;
        std::size_t tags_discovered_per_device_max = limits::tags_discovered_per_device_max;
        Duration heartbeat = 300s;  // A tag with a deadband is kept at least this often.
        TimeRule time;
    };

    /// Everything given outlives the normaliser.
    Normaliser(Shard& shard, flow::DurableSink& samples, TagIdSource& ids, SeriesRegistrar& series,
               SourceRegistrar& sources, DiscoverySink& discoveries, Options options);
    ~Normaliser() override;

    /// What is known now. Call it before the first offer and for every new version.
    void set_snapshot(SnapshotOf<registry::Snapshot> snapshot);

    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override;
    void when_ready(Task task) override;

    std::vector<ProtocolRate> rates() const;
    /// Most frequent first.
    std::vector<Refusal> refusals() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lineshaft::normalise
