/// A text table on its way into a house: read, understood, turned into line protocol, sent, counted.
///
///   file --> unpack --> rows --> line protocol, 2 MB a piece --> POST /write, several at a time --> acknowledged
///
/// Every piece is acknowledged when it is on disk. Where the unbroken run of acknowledged pieces ends is kept beside the
/// user's caches, so that an interrupted import goes on from there; sending a row twice leaves it there once.
///
/// Threads: the reader on the calling thread, senders on threads of their own.
/// Errors:  NotFound, Malformed, InvalidArgument; what the house answers; Closed when interrupted.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/cli/client.h"
#include "app/sim/sim.h"
#include "wire/table/table.h"

namespace lineshaft::cli {

struct ImportOptions {
    std::string file, device, rejected;
    bool dry_run = false;
    bool resume = false;
    sim::Shape shape = sim::Shape::Rows;
    UtcTime start;  // For tables without times.
    Duration period{0};
    std::map<std::string, std::string> renamed;  // Column -> tag.
    std::set<std::string> skipped;               // Columns.
    wire::table::Options table;
};

struct ImportReport {
    std::string device;
    wire::table::Layout layout;
    std::uint64_t rows = 0, values = 0, refused = 0;
    std::uint64_t resumed_at_line = 0;
    UtcTime first_time, last_time;
    double seconds = 0;
    bool interrupted = false;
};

/// `interrupted` is looked at between pieces. Refused rows and progress go to stderr unless `quiet`.
Result<ImportReport> import_file(const Client& client, const ImportOptions& options, bool quiet,
                                 const std::atomic<bool>& interrupted);

}  // namespace lineshaft::cli
