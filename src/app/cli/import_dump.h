/// A file of another store on its way into a house: uploaded in pieces, read there, watched from here.
///
///   file --8 MB a piece--> PUT /imports/{id}/file --> :start --> GET until it is done
///
/// The number of the job is kept beside the user's caches, so that an interrupted import goes on: the upload where it
/// stopped, the reading without us. A dry run reads here and asks nobody.
///
/// Threads: one.
/// Errors:  NotFound, what the house answers, what the formats refuse.
#pragma once

#include <atomic>

#include "app/cli/client.h"
#include "wire/dump/dump.h"

namespace lineshaft::cli {

struct DumpOptions {
    std::string file, rejected;
    bool dry_run = false, resume = false, quiet = false;
    wire::dump::Options read;
    std::string utc_offset, date_order, time, precision;  // As the user wrote them, for the house.
};

/// What the file's beginning looks like, unpacked. Errors: NotFound, NotSupported, Malformed.
Result<wire::dump::Format> format_of_file(const std::string& file);

/// The import as the API tells it: {"format","points","refused","refusals","tags",…} and "interrupted" when it was.
Result<Json> import_dump(const Client& client, const DumpOptions& options, const std::atomic<bool>& interrupted);

}  // namespace lineshaft::cli
