/// The audit log on the disk: opening, appending, reading back, verifying. Blocking.
///
/// Threads: open and append by one thread at a time; list and verify from any, given an Extent.
/// Errors:  Io, DiskFull, VersionUnknown. What was not appended whole is not there.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/internal/chain.h"
#include "audit/log.h"

namespace lineshaft::audit {

/// One segment and how much of it is good.
struct SegmentExtent {
    std::string path;
    std::uint64_t first_number = 1;
    std::uint64_t bytes = 0;
};
/// The log as it was at a moment.
struct Extent {
    std::vector<SegmentExtent> segments;
    Link end;
};

class Segments {
public:
    static Result<Segments> open(Disk& disk, std::string directory, std::uint64_t segment_bytes_max, UtcTime now);

    /// All of `entries` or none, synced. Their times are set. Returns the number of the first.
    Result<std::uint64_t> append(std::span<Entry* const> entries);
    const Extent& extent() const { return extent_; }

    static Result<Page> list(Disk& disk, const Extent& extent, const Filter& filter,
                             std::optional<std::uint64_t> cursor, std::size_t limit);
    /// Against what `head` on the disk says; and against what a running log knows.
    static Result<Verdict> verify(Disk& disk, const std::string& directory);
    static Result<Verdict> verify(Disk& disk, const Extent& extent);

private:
    Segments(Disk& disk, std::string directory, std::uint64_t segment_bytes_max)
        : disk_(&disk), directory_(std::move(directory)), segment_bytes_max_(segment_bytes_max) {}
    Result<void> read_segment(const std::string& name);
    /// Sets the end of the chain; says what is wrong with it, if anything is.
    Result<std::string> find_end(const Link& head);
    Result<void> go_on_after_damage(std::string what, UtcTime now);
    Result<void> start_segment();
    Result<void> write(ByteView bytes);
    void save_head();

    Disk* disk_;
    std::string directory_;
    std::uint64_t segment_bytes_max_;
    Extent extent_;
    std::uint64_t next_index_ = 1;      // In file names.
    std::unique_ptr<AppendFile> file_;  // The last segment; null after a failure, until it is opened again.
};

}  // namespace lineshaft::audit
