/// A recorded table as a sequence of messages in time: rows, cycles or a transposed matrix.
///
/// Flow:    file --> decompress --> table --> next(): one record after another; reads ahead by one piece of the file.
/// Errors:  NotFound, Io, Malformed, InvalidArgument; refused rows are counted and passed over.
/// Limits:  a transposed table is held whole: transposed_cells_max.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/sim/sim.h"

namespace lineshaft::sim {

inline constexpr std::size_t transposed_cells_max = 16'000'000;

/// What a device says at one time.
struct Record {
    UtcTime time;        // Of the table; without a time column the distance from its begin.
    std::string values;  // JSON: {"Pressure":0.38,"state":"on"}.
    std::size_t value_count = 0;
    std::uint64_t row = 0;  // Rows of the table that have been played when this is, from 1.
};

class Recording {
public:
    static Result<std::unique_ptr<Recording>> open(const std::string& path, const ReplayOptions& options);
    virtual ~Recording() = default;
    /// nullopt at the end.
    virtual Result<std::optional<Record>> next() = 0;
    virtual bool has_time() const = 0;
    virtual std::uint64_t refused() const = 0;
    /// The first reasons, with line numbers.
    virtual const std::vector<std::string>& reasons() const = 0;
};

/// "valve1/00.csv.gz" → "00".
std::string stem_of(const std::string& path);
/// The device that plays `path`: as asked, or from the file's (for cycles: the folder's) name.
std::string device_of(const std::string& path, const ReplayOptions& options);

}  // namespace lineshaft::sim
