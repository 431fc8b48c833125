/// Readings: what an adapter or the broker saw, before it is known which tag it belongs to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"

namespace lineshaft {

/// One reading. The texts live in the batch that holds it.
struct Reading {
    TagId tag;                 // Set by adapters whose map names tags (Modbus); none otherwise.
    std::string_view device;   // The device's name: "Acme/Lyon/Packing/Line3/Filler". Decides the shard.
    std::string_view address;  // The name of the value within the device: "temperature", "motor/current".
    std::string_view unit;     // As the source says it; mostly empty.
    ValueType type = ValueType::Double;
    std::uint64_t bits = 0;  // As in Batch; unused for strings.
    std::string_view text;   // Strings.
    UtcTime source_time;     // None: the source gave no time.
    Quality quality;
};

/// Readings from one source. Move-only, so that the views stay good.
///
/// A batch that lies on a device's home shard holds readings of that shard's devices only; flow::Ingress sees to it.
class ReadingBatch {
public:
    TenantId tenant{1};
    std::string source;  // Who speaks: "mqtt/filler-1", "http/telegraf", "modbus/capper". Numbers its samples.
    UtcTime receive_time;
    std::optional<ShardId> home;  // Where all of its devices live, from a door that has looked; none: not looked up.
    std::vector<Reading> readings;

    ReadingBatch() = default;
    ReadingBatch(ReadingBatch&&) noexcept = default;
    ReadingBatch& operator=(ReadingBatch&&) noexcept = default;

    std::size_t size() const { return readings.size(); }
    bool empty() const { return readings.empty(); }

    /// Keeps a copy of `text` as long as the batch lives.
    std::string_view keep(std::string_view text);
    /// Keeps `text` itself (a whole body): views into the result are good as long as the batch lives.
    std::string_view keep_whole(std::string text);
    /// The same for a text that batches share: a body whose lines go to several shards.
    std::string_view keep_shared(std::shared_ptr<const std::string> text);
    void add(std::string_view device, std::string_view address, const Value& value, UtcTime source_time,
             Quality quality);

private:
    std::deque<std::string> kept_;  // Whole texts; a deque never moves its elements.
    std::vector<std::shared_ptr<const std::string>> shared_;
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t chunk_used_ = 0;
    std::size_t chunk_bytes_ = 0;
};

}  // namespace lineshaft
