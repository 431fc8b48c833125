/// A body of line protocol as batches of readings.
///
/// The text of a piece of the body travels inside its batch, so names and values are views and not copies. Device names
/// come from a cache on the bytes of the key: sorting and unescaping tags is done once a device, not once a line.
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

/// From a line's key, as sent, to the device it names.
class DeviceNames {
public:
    /// Within one batch (a serial number that is never used again) a name is kept once.
    /// Errors: as line_protocol::device_name.
    Result<std::string_view> find(std::string_view key, ReadingBatch& batch, std::uint64_t serial);

private:
    static constexpr std::size_t names_kept_max = 100'000;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    struct Name {
        std::string device;
        std::uint64_t serial = 0;
        std::string_view kept;  // In the batch of that serial.
    };
    std::unordered_map<std::string, Name, Hash, std::equal_to<>> names_;
};

class LineReader {
public:
    LineReader(Body body, wire::line_protocol::Precision precision, DeviceNames& names, std::uint64_t& serials);

    /// Adds the readings of the next piece to the empty `batch`; there may be none in it. False at the end of the body.
    /// Errors: as Body.
    Result<bool> read(ReadingBatch& batch);

    std::uint64_t lines() const { return next_number_ - 1; }
    std::uint64_t refused_count() const { return refused_count_; }
    const std::vector<wire::line_protocol::LineError>& errors() const { return errors_; }

private:
    Result<std::string> next_piece();
    void parse(std::string_view piece, ReadingBatch& batch);
    void add(const wire::line_protocol::Line& line, wire::line_protocol::Parser& parser, ReadingBatch& batch);

    Body body_;
    const wire::line_protocol::Precision precision_;
    DeviceNames& names_;
    std::uint64_t& serials_;
    std::string rest_;         // Read and not yet parsed.
    std::size_t piece_bytes_;  // About as much as one batch holds.
    std::uint64_t next_number_ = 1;
    std::uint64_t refused_count_ = 0;
    std::vector<wire::line_protocol::LineError> errors_;
};

}  // namespace lineshaft::south
