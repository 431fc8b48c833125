#include "store/inspect.h"

#include <fmt/format.h>

#include "store/internal/ledger_record.h"
#include "store/internal/manifest.h"
#include "store/internal/replay.h"
#include "store/internal/segment.h"

namespace lineshaft::store {
namespace {

Result<void> read_tiers(const Segment& segment, const SegmentSeries& series) {
    std::vector<Bucket> buckets;
    for (const TierRef& tier : series.tiers) {
        for (const TierChunk& chunk : tier.chunks) {
            buckets.clear();
            if (const auto decoded = segment.decode(series.tag, tier.tier, chunk, buckets); !decoded)
                return fail(
                    decoded.error().code(),
                    fmt::format("a rollup of tag {} from {} to {}: {}", series.tag.value(),
                                to_rfc3339(chunk.first_time), to_rfc3339(chunk.last_time), decoded.error().detail()));
        }
    }
    return {};
}

/// Rows of a segment whose blocks all decode. Errors: Corrupt.
Result<std::uint64_t> read_segment(Disk& disk, const std::string& directory, const std::string& name) {
    const auto segment = TRY(Segment::open(disk, directory, name));
    std::uint64_t rows = 0;
    Chunk chunk;
    for (std::size_t i = 0; i < segment->series_count(); ++i) {
        const SegmentSeries series = TRY(segment->series_at(i));
        for (const BlockRef& block : series.blocks) {
            const auto at = [&](const Error& error) {
                return fail(error.code(),
                            fmt::format("tag {} from {} to {}: {}", series.tag.value(), to_rfc3339(block.first_time),
                                        to_rfc3339(block.last_time), error.detail()));
            };
            const auto header = segment->header_of(series.tag, block);
            if (!header) return at(header.error());
            chunk.clear();
            const auto decoded = segment->decode(block, *header, chunk);
            if (!decoded) return at(decoded.error());
            rows += chunk.size();
        }
        TRY_VOID(read_tiers(*segment, series));
    }
    if (!segment->is_whole()) return fail(ErrorCode::Corrupt, "its table fails its checksum");
    if (rows != segment->meta().rows)
        return fail(ErrorCode::Corrupt, fmt::format("it holds {} rows and says {}", rows, segment->meta().rows));
    return rows;
}

/// A torn end is no damage: nobody was told of what it held.
Result<void> read_log(Disk& disk, const std::string& directory, std::uint64_t number) {
    LogVisitor visitor;
    visitor.series = [](const Series&) {};
    visitor.source = [](SourceId, std::string_view) {};
    visitor.samples = [](const Batch&) -> Result<void> { return {}; };
    visitor.file = [](std::uint64_t) {};
    const Replayed replayed = TRY(replay(disk, directory, {number}, visitor));
    if (!replayed.reports.empty()) return fail(ErrorCode::Corrupt, replayed.reports.front());
    return {};
}

Result<void> read_edits(Disk& disk, const std::string& directory, const std::string& name, std::uint32_t magic) {
    const Bytes bytes = TRY(disk.read(directory + "/" + name));
    const EditLog::Loaded loaded = TRY(decode_edit_file(bytes, magic, name));
    if (loaded.is_damaged) return fail(ErrorCode::Corrupt, loaded.why);
    return {};
}

/// A torn end is none when its copy goes on behind it.
Result<void> read_manifest(Disk& disk, const std::string& directory, const std::string& name) {
    TRY_VOID(read_edits(disk, directory, name, manifest_magic));
    const Bytes bytes = TRY(disk.read(directory + "/" + name));
    const EditLog::Loaded loaded = TRY(decode_edit_file(bytes, manifest_magic, name));
    TRY_VOID(decode_manifest(bytes));
    if (loaded.bytes == bytes.size()) return {};
    const auto other = disk.read(directory + (name == "MANIFEST" ? "/MANIFEST.2" : "/MANIFEST"));
    if (!other) return {};
    const EditLog::Loaded copy = TRY(decode_edit_file(*other, manifest_magic, name));
    if (copy.last_number > loaded.last_number) return fail(ErrorCode::Corrupt, name + " is damaged at its end");
    return {};
}

class NoLedger final : public LedgerVisitor {};

Result<void> read_ledger(Disk& disk, const std::string& directory, const std::string& name) {
    const Bytes bytes = TRY(disk.read(directory + "/" + name));
    NoLedger nobody;
    const LedgerFileRead read = TRY(read_ledger_file(bytes, nobody));
    if (read.damaged) return fail(ErrorCode::Corrupt, "part of it fails its checksum");
    return {};
}

Result<void> read_one(Disk& disk, const std::string& directory, const std::string& name, Inspection& inspection) {
    if (name.ends_with(".seg")) {
        inspection.rows += TRY(read_segment(disk, directory, name));
        return {};
    }
    if (const auto number = log_number(name)) return read_log(disk, directory, *number);
    if (name.starts_with("MANIFEST")) return read_manifest(disk, directory, name);
    if (name.starts_with("CATALOG")) return read_edits(disk, directory, name, catalog_magic);
    if (ledger_month(name) > 0) return read_ledger(disk, directory, name);
    TRY_VOID(disk.read(directory + "/" + name));
    return {};
}

}  // namespace

Result<Inspection> inspect(Disk& disk, const std::string& directory,
                           const std::function<bool(std::uint64_t bytes)>& progress) {
    Inspection inspection;
    for (const std::string& name : TRY(disk.list(directory))) {
        if (name == "LOCK" || name.ends_with(".new")) continue;
        if (name.ends_with(".corrupt")) {
            inspection.damages.push_back({name, "it was found damaged before and set aside"});
            continue;
        }
        const auto file = disk.open(directory + "/" + name);
        const std::uint64_t bytes = file ? (*file)->size() : 0;
        const auto read =
            file ? read_one(disk, directory, name, inspection) : Result<void>(std::unexpected(file.error()));
        // Compacted or expired since it was listed.
        if (!read && !disk.exists(directory + "/" + name)) continue;
        if (!read) inspection.damages.push_back({name, read.error().detail()});
        ++inspection.files;
        inspection.bytes += bytes;
        if (!progress(bytes)) return fail(ErrorCode::Closed, "it was told to stop");
    }
    return inspection;
}

namespace {

Result<std::vector<std::string>> named_and_not_there(Disk& disk, const std::string& directory) {
    auto bytes = disk.read(directory + "/MANIFEST");
    if (!bytes) bytes = disk.read(directory + "/MANIFEST.2");
    if (!bytes && bytes.error().code() == ErrorCode::NotFound) return std::vector<std::string>();
    if (!bytes) return std::unexpected(bytes.error());
    std::vector<std::string> names;
    for (const SegmentMeta& meta : TRY(decode_manifest(*bytes)).segments) {
        if (!disk.exists(directory + "/" + meta.name)) names.push_back(meta.name);
    }
    return names;
}

}  // namespace

Result<std::vector<std::string>> segments_elsewhere(Disk& disk, const std::string& directory) {
    auto names = TRY(named_and_not_there(disk, directory));
    // Merged between two looks: then the manifest does not name them any more.
    if (!names.empty()) return named_and_not_there(disk, directory);
    return names;
}

}  // namespace lineshaft::store
