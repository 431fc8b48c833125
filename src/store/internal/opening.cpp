#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/assert.h"
#include "base/log.h"
#include "store/internal/body.h"
#include "store/internal/days.h"

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
    Known known = TRY(load_manifest(names));
    const Manifest& manifest = known.manifest;
    for (const std::string& name : names)
        next_number_ = std::max(next_number_, is_segment(name) ? job_of(name) + 1 : 1);
    next_number_ = std::max(next_number_, manifest.next_number);
    manifest_sources_ = manifest.sources;
    for (const SourceMeta& source : manifest.sources)
        catalog_.put_source(source.id, source.name, source.last_sequence);
    log_number_min_ = manifest.log_number_min;
    for (const Erasure& erasure : manifest.erasures) {
        erasures_.add(erasure);
        next_number_ = std::max(next_number_, erasure.hidden.number + 1);
    }
    damage_ = manifest.damage;
    hours_ = manifest.hours;
    TRY_VOID(open_segments(known, names));
    look_for_cold();
    TRY_VOID(load_catalog());
    TRY_VOID(open_ledger(names));
    active_ = std::make_unique<MemTable>();
    active_->order = next_number_++;
    TRY_VOID(replay_log(manifest, names));
    ledger_->start(*log_);
    samples_noted_ = samples_taken_;  // What was replayed did not come now.
    noted_at_ = shard_.now();
    ticker_ = shard_.every(tick_period, [this] { tick(); });
    return {};
}

Result<void> Historian::Body::open_ledger(const std::vector<std::string>& names) {
    ledger_ = std::make_unique<Ledger>(
        shard_, disk_, disk_pool_, Ledger::Options{options_.path, options_.retention_age}, [this] { maybe_close(); });
    TRY_VOID(ledger_->open(names));
    if (!ledger_->damage().empty()) damage_detail_ = ledger_->damage();
    // A catalog that lost its sources must not give their ids to others.
    for (const auto& [id, name] : ledger_->names()) catalog_.put_source(id, name, ledger_->assigned_to(id));
    for (const SourceMeta& source : catalog_.sources())
        ledger_->put_source(source.id, source.name, source.last_sequence);
    return {};
}

/// Two copies; with both damaged or gone what is left of them is completed from the segments themselves.
Result<Historian::Body::Known> Historian::Body::load_manifest(const std::vector<std::string>& names) {
    Known known;
    EditLog::Loaded loaded = TRY(manifest_log_.load());
    for (const std::string& name : loaded.damaged) set_aside(name, loaded.why);
    for (const ByteView record : loaded.records) {
        const auto applied = apply_manifest(record, known.manifest);
        if (applied) continue;
        if (applied.error().code() != ErrorCode::Corrupt) return std::unexpected(applied.error());
        loaded.is_damaged = true;
        set_aside("MANIFEST", applied.error().detail());
        break;
    }
    known.lost = loaded.is_damaged;
    if (!loaded.records.empty() || known.lost) return known;
    const auto is_data = [](const std::string& name) { return is_segment(name) || log_number(name); };
    if (std::ranges::none_of(names, is_data)) {
        // A new store. From now on there is a manifest, or it was lost.
        TRY_VOID(manifest_log_.rewrite(encode_state(Manifest())));
        return known;
    }
    // Stores made before that have none until their first flush: as long as the first log file is there everything is
    // in the log, and segments are those of a flush that did not come to its end.
    if (std::ranges::any_of(names, is_segment) && !disk_.exists(options_.path + "/" + log_name(1))) {
        set_aside("MANIFEST", "the manifest is gone, but there are segments");
        known.lost = true;
    }
    return known;
}

void Historian::Body::set_aside(const std::string& name, const std::string& why) {
    ++damaged_files_;
    damage_detail_ = fmt::format("{} was set aside: {}", name, why);
    log_error("{}: {}", options_.path, damage_detail_);
    (void)disk_.rename(options_.path + "/" + name, options_.path + "/" + name + ".corrupt");
}

Result<void> Historian::Body::open_segments(Known& known, const std::vector<std::string>& names) {
    std::unordered_set<std::string> wanted;
    for (const SegmentMeta& meta : known.manifest.segments) wanted.insert(meta.name);
    const std::unordered_set<std::string> there(names.begin(), names.end());
    for (const std::string& name : names) {
        if (!is_segment(name) || wanted.contains(name)) {
            if (name.ends_with(".new")) TRY_VOID(disk_.remove(options_.path + "/" + name));
        } else if (known.lost && job_of(name) >= known.manifest.next_number) {
            // Written after what is left of the manifest. Earlier ones had been replaced when it was written.
            known.manifest.segments.push_back({.name = name});
        } else {
            // Left by a flush or a merge that did not come to its end.
            TRY_VOID(disk_.remove(options_.path + "/" + name));
        }
    }
    Edit edit;
    for (const SegmentMeta& meta : known.manifest.segments) {
        // Of a manifest that is not the last one: what is gone was replaced since.
        if (known.lost && !there.contains(meta.name) && !meta.is_cold) continue;
        if (meta.is_cold && !there.contains(meta.name)) {
            absent_.push_back(meta);  // Until its path has been looked for.
            next_number_ = std::max(next_number_, meta.order + 1);
            continue;
        }
        // A restored store has all its files in one place.
        SegmentMeta here = meta;
        here.is_cold = false;
        auto segment = Segment::open(disk_, options_.path, here);
        if (segment) {
            next_number_ = std::max(next_number_, (*segment)->meta().order + 1);
            edit.added.push_back(*std::move(segment));
            continue;
        }
        const ErrorCode code = segment.error().code();
        if (code != ErrorCode::Corrupt && code != ErrorCode::NotFound) return std::unexpected(segment.error());
        set_aside(meta.name, segment.error().detail());
        if (meta.rows > 0)
            damage_.push_back({meta.name, TagId(), meta.first_time, meta.last_time, 0, damage_detail_});
    }
    segments_ = segments_after(segments_, edit);
    return {};
}

Result<void> Historian::Body::load_catalog() {
    const auto add = [this](TagId tag, SeriesInfo&& info) {
        SeriesState& state = catalog_.ensure_series(tag);
        catalog_.set_info(state, info);
        state.is_in_catalog = true;
    };
    EditLog::Loaded loaded = TRY(catalog_log_.load());
    for (const ByteView record : loaded.records) {
        const auto read = read_catalog(record, add);
        if (read) continue;
        if (read.error().code() != ErrorCode::Corrupt) return std::unexpected(read.error());
        loaded.is_damaged = true;
        loaded.why = read.error().detail();
    }
    if (loaded.is_damaged) set_aside("CATALOG", loaded.why);
    if (!loaded.records.empty() && !loaded.is_damaged) return {};
    // From the segments, oldest names first so that the newest stand.
    Segments by_order = segments_;
    std::ranges::sort(by_order, {}, [](const auto& segment) { return segment->meta().order; });
    for (const auto& segment : by_order) {
        if (!segment->is_whole()) continue;
        for (std::size_t i = 0; i < segment->series_count(); ++i) {
            auto series = segment->series_at(i);
            if (series) add(series->tag, std::move(series->info));
        }
    }
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
        note_name(state);
        if (state.active_order == active_->order) state.active->set_info(state.info);
    };
    visitor.source = [this](SourceId id, std::string_view name) {
        catalog_.put_source(id, name, 0);
        ledger_->put_source(id, name, 0);
    };
    visitor.ledger = [this](ByteView entries) { ledger_->replay(entries); };
    visitor.samples = [this, &current](const Batch& batch) -> Result<void> {
        if (batch.empty()) return {};
        take_rows(batch);
        if (active_->is_full(options_.memtable_bytes)) return flush_at_start(current);
        return {};
    };
    visitor.erased = [this, &current](ByteView record) { return erase_at_start(record, current); };
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
    const Target target{disk_, options_.path, shard_.id(), next_number_++, mature_before(tidy_now())};
    const std::vector<SegmentMeta> metas = TRY(write_table(target, *active_));
    Edit edit;
    for (const SegmentMeta& meta : metas) edit.added.push_back(TRY(Segment::open(disk_, options_.path, meta.name)));
    edit.log_number_min = log_number;
    edit.is_flush = true;
    edit.sources = catalog_.sources();
    TRY_VOID(ledger_->write_now());
    active_ = std::make_unique<MemTable>();
    active_->order = next_number_++;
    return edit_at_start(edit);
}

Result<void> Historian::Body::edit_at_start(const Edit& edit) {
    TRY_VOID(write_edit(manifest_log_, catalog_log_, writing_of(edit)));
    take_state(edit);
    return {};
}

}  // namespace lineshaft::store
