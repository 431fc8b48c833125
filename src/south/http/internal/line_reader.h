/// A body of line protocol as batches of readings, one for each shard that devices of it live on.
///
/// The text of a piece of the body travels with its batches, so names and values are views and not copies. What a line's
/// key means, the device and its home shard, comes from a cache on the bytes of the key: sorting and unescaping tags is
/// done once a device, not once a line.
///
/// Threads: own shard only.
/// Limits:  limits::batch_samples_max readings a batch, names_kept_max.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/reading.h"
#include "south/http/internal/body.h"
#include "wire/line_protocol/line_protocol.h"

namespace lineshaft::south {

/// From a line's key, as sent, to the device it names and where that lives.
class DeviceNames {
public:
    struct Name {
        std::string device;
        TenantId tenant;  // Of the home.
        std::size_t home = 0;
        std::uint64_t serial = 0;
        std::string_view kept;  // In the batch of that serial.
    };

    explicit DeviceNames(std::size_t homes) : homes_(homes) {}

    /// Good until the next call. Errors: as line_protocol::device_name.
    Result<Name*> find(std::string_view key, TenantId tenant);
    std::size_t homes() const { return homes_; }

private:
    static constexpr std::size_t names_kept_max = 250'000;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    const std::size_t homes_;
    std::unordered_map<std::string, Name, Hash, std::equal_to<>> names_;
};

class LineReader {
public:
    /// `serials`: a number that is never used again comes from it for each piece.
    LineReader(Body body, wire::line_protocol::Precision precision, TenantId tenant, DeviceNames& names,
               std::uint64_t& serials);

    /// Makes `batches` the readings of the next piece, batches[i] those of shard i; all of them may be empty. False at
    /// the end of the body. Errors: as Body.
    Result<bool> read(std::vector<ReadingBatch>& batches);

    std::uint64_t lines() const { return next_number_ - 1; }
    std::uint64_t refused_count() const { return refused_count_; }
    const std::vector<wire::line_protocol::LineError>& errors() const { return errors_; }

private:
    Result<std::string> next_piece();
    void parse(std::string_view piece, std::vector<ReadingBatch>& batches);
    void add(const wire::line_protocol::Line& line, DeviceNames::Name& name, ReadingBatch& batch) const;

    Body body_;
    const wire::line_protocol::Precision precision_;
    const TenantId tenant_;
    DeviceNames& names_;
    std::uint64_t& serials_;
    std::string rest_;         // Read and not yet parsed.
    std::size_t piece_bytes_;  // About as much as fills the batches.
    std::uint64_t next_number_ = 1;
    std::uint64_t refused_count_ = 0;
    std::vector<wire::line_protocol::LineError> errors_;
};

}  // namespace lineshaft::south
