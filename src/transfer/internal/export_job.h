/// A job on disk: what was asked (written once) and how far it has come (replaced at every mark).
///
/// Formats: <directory>/<id>/question.json, state.json, groups-<n> (Parquet: the footer so far), *.part, finished files.
#pragma once

#include <optional>
#include <vector>

#include "transfer/exports.h"
#include "transfer/internal/exporter.h"

namespace lineshaft::transfer {

/// One file of a job.
struct Part {
    std::string name;
    UtcTime from, to;
};

/// Where a part is gone on with.
struct Progress {
    std::uint64_t file_bytes = 0;
    Place place;
    Mark mark;
};

struct Job {
    Export info;
    Question question;
    std::vector<Part> parts;
    std::size_t part = 0;              // The one that is written.
    std::optional<Progress> progress;  // Of it.
    std::uint64_t done_rows = 0;       // In finished parts.

    // While it runs.
    std::unique_ptr<Exporter> exporter;
    std::unique_ptr<AppendFile> file;  // Away on the pool while it is written to.
    std::uint64_t unmarked_bytes = 0;
    bool removed = false;
};

/// The files that a job makes: one, or one for each UTC day. Errors: InvalidArgument (too many days).
Result<std::vector<Part>> parts_of(const NewExport& wanted);

std::string job_folder(const std::string& directory, std::uint64_t id);
/// Blocks. Errors: Io, DiskFull.
Result<void> save_question(Disk& disk, const std::string& folder, const Job& job);
Result<void> save_state(Disk& disk, const std::string& folder, const Export& info, std::size_t part,
                        const std::optional<Progress>& progress, std::uint64_t done_rows);
/// Errors: NotFound, Corrupt, Io.
Result<std::unique_ptr<Job>> load_job(Disk& disk, const std::string& folder);
/// Everything in the folder, and the folder.
Result<void> remove_folder(Disk& disk, const std::string& folder);

}  // namespace lineshaft::transfer
