/// An import's file on its way into readings; runs on the pool, a stretch at a time.
///
/// Formats: <directory>/<id>/job.json, data (as uploaded), refused.csv.
#pragma once

#include <deque>
#include <unordered_map>

#include "model/reading.h"
#include "transfer/imports.h"
#include "wire/table/decompress.h"

namespace lineshaft::transfer {

/// Reads a file from its beginning; gives readings behind the first `skip` points.
class ImportReader final : wire::dump::Sink {
public:
    ImportReader(std::shared_ptr<const ReadFile> file, const wire::dump::Options& options, std::uint64_t skip);

    struct Stretch {
        std::deque<ReadingBatch> batches;
        std::uint64_t points = 0;  // In them.
        bool ended = false;
    };
    /// Some thousand points more. Errors: Malformed, NotSupported, InvalidArgument.
    Result<Stretch> read();

    // What was seen so far, skipped points included.
    std::uint64_t read_bytes() const { return at_; }
    wire::dump::Format format() const { return reader_.format(); }
    std::uint64_t points() const { return points_; }
    std::uint64_t refused() const { return refused_; }
    UtcTime first() const { return first_; }
    UtcTime last() const { return last_; }
    std::uint64_t tag_count() const { return tag_numbers_.size() + untold_tags_; }
    const std::vector<ImportRefusal>& refusals() const { return refusals_; }
    const std::vector<ImportedTag>& tags() const { return tags_; }
    /// Refused lines since the last call, as CSV.
    std::string take_refused() { return std::exchange(refused_text_, {}); }

private:
    void on_point(const wire::dump::Point& point) override;
    void on_refused(std::uint64_t line, std::string reason) override;
    void count_tag(const wire::dump::Point& point);

    const std::shared_ptr<const ReadFile> file_;
    const std::uint64_t skip_;
    wire::dump::Reader reader_;
    std::unique_ptr<wire::table::Decompressor> unpack_;
    std::uint64_t at_ = 0;
    std::uint64_t points_ = 0, refused_ = 0, untold_tags_ = 0;
    UtcTime first_, last_;
    Stretch stretch_;
    std::size_t batch_text_ = 0;  // Bytes of texts in the batch that is being filled.
    std::string key_, refused_text_;
    std::vector<ImportRefusal> refusals_;
    std::vector<ImportedTag> tags_;
    std::unordered_map<std::string, std::size_t> tag_numbers_;
};

/// Blocks. Errors: Io, DiskFull.
Result<void> save_import(Disk& disk, const std::string& folder, const Import& info);
/// Errors: NotFound, Corrupt, Io.
Result<Import> load_import(Disk& disk, const std::string& folder);

}  // namespace lineshaft::transfer
