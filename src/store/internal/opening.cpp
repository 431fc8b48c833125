#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/assert.h"
#include "base/log.h"
#include "store/internal/body.h"

namespace lineshaft::store {
namespace {

constexpr Duration tick_period = 1min;

bool is_segment(std::string_view name) { return name.ends_with(".seg"); }

/// The job that wrote a segment; 0 for other names.
std::uint64_t job_of(std::string_view name) {
    std::uint64_t job = 0;
    const std::string_view digits = name.substr(0, name.find('-'));
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), job, 16);
    return error == std::errc() && end == digits.data() + digits.size() ? job : 0;
}

}  // namespace

Result<void> Historian::Body::open() {
    TRY_VOID(disk_.make_directory(options_.path));
    lock_ = TRY(disk_.lock(options_.path + "/LOCK"));
    const std::vector<std::string> names = TRY(disk_.list(options_.path));
    bool rebuilt = false;
    auto manifest = load_manifest(names);
    if (!manifest) {
        if (manifest.error().code() != ErrorCode::Corrupt) return std::unexpected(manifest.error());
        // Every segment file says what it is: all of them together are the store.
        set_aside("MANIFEST", manifest.error().detail());
        manifest = Manifest();
        rebuilt = true;
    }
    for (const std::string& name : names)
        next_number_ = std::max(next_number_, is_segment(name) ? job_of(name) + 1 : 1);
    next_number_ = std::max(next_number_, manifest->next_number);
    manifest_sources_ = manifest->sources;
    for (const SourceMeta& source : manifest->sources)
        catalog_.put_source(source.id, source.name, source.last_sequence);
    log_number_min_ = manifest->log_number_min;
    TRY_VOID(open_segments(*manifest, names, rebuilt));
    TRY_VOID(load_catalog());
    active_ = std::make_unique<MemTable>();
    active_->order = next_number_++;
    TRY_VOID(replay_log(*manifest, names));
    ticker_ = shard_.every(tick_period, [this] { tick(); });
    return {};
}

Result<Manifest> Historian::Body::load_manifest(const std::vector<std::string>& names) {
    const auto bytes = disk_.read(options_.path + "/MANIFEST");
    if (bytes) return decode_manifest(*bytes);
    if (bytes.error().code() != ErrorCode::NotFound) return std::unexpected(bytes.error());
    const auto is_data = [](const std::string& name) { return is_segment(name) || log_number(name); };
    if (std::ranges::none_of(names, is_data)) {
        // A new store. From now on there is a manifest, or it was lost.
        TRY_VOID(disk_.replace(options_.path + "/MANIFEST", encode_manifest(Manifest(), shard_.id())));
        return Manifest();
    }
    // Stores made before that have none until their first flush: as long as the first log file is there everything is
    // in the log, and segments are those of a flush that did not come to its end.
    if (std::ranges::any_of(names, is_segment) && !disk_.exists(options_.path + "/" + log_name(1)))
        return fail(ErrorCode::Corrupt, "the manifest is gone, but there are segments");
    return Manifest();
}

void Historian::Body::set_aside(const std::string& name, const std::string& why) {
    ++damaged_files_;
    damage_detail_ = fmt::format("{} was set aside: {}", name, why);
    log_error("{}: {}", options_.path, damage_detail_);
    (void)disk_.rename(options_.path + "/" + name, options_.path + "/" + name + ".corrupt");
}

Result<void> Historian::Body::open_segments(const Manifest& manifest, const std::vector<std::string>& names,
                                            bool rebuilt) {
    std::unordered_set<std::string> wanted;
    if (rebuilt) {
        for (const std::string& name : names) {
            if (is_segment(name)) wanted.insert(name);
        }
    }
    for (const SegmentMeta& meta : manifest.segments) wanted.insert(meta.name);
    for (const std::string& name : names) {
        // Left by a flush or a compaction that did not come to its end.
        const bool orphan = (is_segment(name) && !wanted.contains(name)) || name.ends_with(".new");
        if (orphan) TRY_VOID(disk_.remove(options_.path + "/" + name));
    }
    Edit edit;
    for (const std::string& name : wanted) {
        auto segment = Segment::open(disk_, options_.path, name);
        if (segment) {
            next_number_ = std::max(next_number_, (*segment)->meta().order + 1);
            edit.added.push_back(*std::move(segment));
            continue;
        }
        const ErrorCode code = segment.error().code();
        if (code != ErrorCode::Corrupt && code != ErrorCode::NotFound) return std::unexpected(segment.error());
        set_aside(name, segment.error().detail());
    }
    segments_ = segments_after(segments_, edit);
    return {};
}

Result<void> Historian::Body::load_catalog() {
    const auto add = [this](const Series& series) {
        catalog_.set_info(catalog_.ensure_series(series.tag), series.info);
    };
    const auto bytes = disk_.read(options_.path + "/CATALOG");
    if (bytes) {
        const auto all = decode_catalog(*bytes);
        if (all) {
            for (const Series& series : *all) add(series);
            return {};
        }
        if (all.error().code() != ErrorCode::Corrupt) return std::unexpected(all.error());
        set_aside("CATALOG", all.error().detail());
    } else if (bytes.error().code() != ErrorCode::NotFound) {
        return std::unexpected(bytes.error());
    }
    // From the segments, oldest names first so that the newest stand.
    Segments by_order = segments_;
    std::ranges::sort(by_order, {}, [](const auto& segment) { return segment->meta().order; });
    for (const auto& segment : by_order) {
        for (std::size_t i = 0; i < segment->series_count(); ++i) {
            const auto series = segment->series_at(i);
            if (series) add({series->tag, series->info});
        }
    }
    catalog_dirty_ = true;
    return {};
}

Result<void> Historian::Body::replay_log(const Manifest& manifest, const std::vector<std::string>& names) {
    std::vector<std::uint64_t> numbers;  // Sorted, as the names are.
    for (const std::string& name : names) {
        const auto number = log_number(name);
        if (!number) continue;
        if (*number >= manifest.log_number_min)
            numbers.push_back(*number);
        else
            TRY_VOID(disk_.remove(options_.path + "/" + name));
    }
    std::uint64_t current = 0;
    LogVisitor visitor;
    visitor.file = [&current](std::uint64_t number) { current = number; };
    visitor.series = [this](const Series& series) {
        if (series.tag == TagId()) return;
        SeriesState& state = catalog_.ensure_series(series.tag);
        if (!catalog_.set_info(state, series.info)) return;
        catalog_dirty_ = true;
        if (state.active_order == active_->order) state.active->set_info(state.info);
    };
    visitor.source = [this](SourceId id, std::string_view name) { catalog_.put_source(id, name, 0); };
    visitor.samples = [this, &current](const Batch& batch) -> Result<void> {
        if (batch.empty()) return {};
        take_rows(batch);
        if (active_->bytes >= options_.memtable_bytes) return flush_at_start(current);
        return {};
    };
    Replayed replayed = TRY(replay(disk_, options_.path, numbers, visitor));
    damaged_files_ += static_cast<std::uint64_t>(std::ranges::count_if(replayed.files, &LogFile::damaged));
    if (!replayed.reports.empty()) damage_detail_ = replayed.reports.back();
    Log::Options options;
    options.directory = options_.path;
    options.file_bytes = options_.log_file_bytes;
    options.next_number = std::max(log_number_min_, numbers.empty() ? 1 : numbers.back() + 1);
    options.next_number = std::max<std::uint64_t>(options.next_number, 1);
    options.next_commit = replayed.next_commit;
    options.files = std::move(replayed.files);
    log_ = std::make_unique<Log>(shard_, disk_, log_pool_, std::move(options), [this] { changed(); });
    if (replayed.batches > 0) log_info("{}: {} batches read back from the log", options_.path, replayed.batches);
    // Damaged log files are set aside once what could be read of them is safe in segments.
    if (!replayed.reports.empty() && active_->rows > 0) freeze();
    return {};
}

/// A log larger than memory: the table goes to segments at once. Files before `log_number` are not needed then; those
/// from it on are read again should the start be cut short, which changes nothing.
Result<void> Historian::Body::flush_at_start(std::uint64_t log_number) {
    const Target target{disk_, options_.path, shard_.id(), next_number_++};
    const std::vector<SegmentMeta> metas = TRY(write_table(target, *active_));
    Edit edit;
    for (const SegmentMeta& meta : metas) edit.added.push_back(TRY(Segment::open(disk_, options_.path, meta.name)));
    edit.log_number_min = log_number;
    edit.is_flush = true;
    edit.sources = catalog_.sources();
    active_ = std::make_unique<MemTable>();
    active_->order = next_number_++;
    TRY_VOID(disk_.replace(options_.path + "/CATALOG", encode_catalog(catalog_.series(), shard_.id())));
    TRY_VOID(disk_.replace(options_.path + "/MANIFEST", encode_manifest(manifest_after(edit), shard_.id())));
    segments_ = segments_after(segments_, edit);
    manifest_sources_ = edit.sources;
    log_number_min_ = std::max(log_number_min_, log_number);
    return {};
}

}  // namespace lineshaft::store
