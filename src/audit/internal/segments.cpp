#include "audit/internal/segments.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::audit {
namespace {

// One page looks at no more than this, so that a filter that finds nothing does not read decades in one go.
constexpr std::size_t page_bytes_read_max = 256 * 1024 * 1024;

Counter entries_total{"lineshaft_audit_entries_total", "", "Entries kept in the audit log"};
Counter failures_total{"lineshaft_audit_failures_total", "", "Appends to the audit log that failed"};

std::string head_path(const std::string& directory) { return directory + "/head"; }

bool is_segment_name(std::string_view name) { return name.starts_with("audit-") && name.ends_with(".log"); }

Result<std::vector<std::string>> segment_names(Disk& disk, const std::string& directory) {
    auto names = TRY(disk.list(directory));
    std::erase_if(names, [](const std::string& name) { return !is_segment_name(name); });
    std::sort(names.begin(), names.end());
    return names;
}

/// Number 0 when there is no head yet.
Result<Link> read_head(Disk& disk, const std::string& directory) {
    if (!disk.exists(head_path(directory))) return Link{};
    const Bytes bytes = TRY(disk.read(head_path(directory)));
    return decode_head(as_text(bytes));
}

bool matches(const Entry& entry, const Filter& filter) {
    return (!filter.tenant || entry.tenant == *filter.tenant) &&
           (filter.actor.empty() || entry.actor == filter.actor) && entry.action.starts_with(filter.action_prefix) &&
           entry.target.find(filter.target_part) != std::string::npos && entry.time >= filter.from &&
           entry.time < filter.to;
}

/// Where the records of a segment begin; stops at the first that does not fit.
std::vector<std::size_t> record_offsets(ByteView segment) {
    std::vector<std::size_t> offsets;
    for (std::size_t at = header_bytes; at < segment.size();) {
        const std::size_t bytes = record_bytes(segment.subspan(at));
        if (bytes == 0 || bytes > segment.size() - at) break;
        offsets.push_back(at);
        at += bytes;
    }
    return offsets;
}

}  // namespace

Result<Segments> Segments::open(Disk& disk, std::string directory, std::uint64_t segment_bytes_max, UtcTime now) {
    Segments self(disk, std::move(directory), segment_bytes_max);
    TRY_VOID(disk.make_directory(self.directory_));
    const auto head = read_head(disk, self.directory_);
    if (!head && head.error().code() != ErrorCode::Corrupt) return std::unexpected(head.error());
    const Link kept = head.value_or(Link{});
    auto names = TRY(segment_names(disk, self.directory_));
    for (const std::string& name : names) TRY_VOID(self.read_segment(name));
    std::string damage = TRY(self.find_end(kept));
    if (!head && damage.empty()) damage = head.error().detail();
    if (!damage.empty()) {
        TRY_VOID(self.go_on_after_damage(std::move(damage), now));
    } else if (self.extent_.end != kept) {
        self.save_head();
    }
    return self;
}

Result<void> Segments::read_segment(const std::string& name) {
    const std::string path = directory_ + '/' + name;
    const auto file = TRY(disk_->open(path));
    Bytes start(static_cast<std::size_t>(std::min<std::uint64_t>(file->size(), header_bytes)));
    TRY_VOID(file->read_at(0, start));
    const auto header = decode_header(start);
    if (!header && header.error().code() == ErrorCode::VersionUnknown) return std::unexpected(header.error());
    extent_.segments.push_back({path, header ? header->number + 1 : 0, file->size()});
    next_index_ = std::max<std::uint64_t>(next_index_, std::strtoull(name.c_str() + 6, nullptr, 10) + 1);
    return {};
}

Result<std::string> Segments::find_end(const Link& head) {
    // A last segment without a header was being made when the power went: nothing in it was ever answered. It may go
    // if what was answered is all there without it.
    auto last = extent_.segments.end();
    while (last != extent_.segments.begin() && std::prev(last)->first_number == 0) --last;
    Walk walk;
    if (last != extent_.segments.begin()) {
        const Bytes bytes = TRY(disk_->read(std::prev(last)->path));
        walk = TRY(walk_segment(bytes, nullptr));
    }
    if (walk.end.number < head.number) {
        extent_.end = head;
        if (walk.wrong.empty()) walk.wrong = fmt::format("the log ends with entry {}", walk.end.number);
        return fmt::format("{}; {} entries were kept", walk.wrong, head.number);
    }
    extent_.end = walk.end;
    for (auto torn = last; torn != extent_.segments.end(); ++torn) TRY_VOID(disk_->remove(torn->path));
    extent_.segments.erase(last, extent_.segments.end());
    if (extent_.segments.empty()) return std::string();
    if (!walk.wrong.empty()) log_warning("audit: cut off a torn tail ({})", walk.wrong);
    extent_.segments.back().bytes = walk.good_bytes;
    return std::string();
}

Result<void> Segments::go_on_after_damage(std::string what, UtcTime now) {
    log_error("audit: the log is damaged ({}); it goes on in a new file", what);
    TRY_VOID(start_segment());
    Entry entry;
    entry.time = now;
    entry.actor = "lineshaft";
    entry.action = "audit.damage";
    entry.target = std::move(what);
    entry.detail = "{}";
    entry.outcome = Outcome::Failed;
    Entry* const entries[] = {&entry};
    TRY_VOID(append(entries));
    return {};
}

Result<void> Segments::start_segment() {
    const std::string path = fmt::format("{}/audit-{:08}.log", directory_, next_index_);
    // A name left by an attempt that failed was never written to by anyone who got an answer.
    if (disk_->exists(path)) TRY_VOID(disk_->remove(path));
    file_ = TRY(disk_->create(path));
    const Bytes header = encode_header(extent_.end);
    const auto written = file_->append(header);
    if (!written) {
        file_.reset();
        return written;
    }
    TRY_VOID(disk_->sync_directory(directory_));
    ++next_index_;
    extent_.segments.push_back({path, extent_.end.number + 1, header.size()});
    return {};
}

Result<std::uint64_t> Segments::append(std::span<Entry* const> entries) {
    Bytes bytes;
    Link end = extent_.end;
    for (const Entry* entry : entries) end = encode_record(end, *entry, bytes);
    const auto written = write(bytes);
    if (!written) {
        failures_total.add();
        file_.reset();
        return std::unexpected(written.error());
    }
    const std::uint64_t first = extent_.end.number + 1;
    extent_.end = end;
    extent_.segments.back().bytes += bytes.size();
    entries_total.add(static_cast<std::int64_t>(entries.size()));
    save_head();
    return first;
}

Result<void> Segments::write(ByteView bytes) {
    if (extent_.segments.empty() || extent_.segments.back().bytes > segment_bytes_max_) {
        TRY_VOID(start_segment());
    } else if (!file_) {
        const SegmentExtent& last = extent_.segments.back();
        file_ = TRY(disk_->reopen(last.path, last.bytes));
    }
    TRY_VOID(file_->append(bytes));
    return file_->sync();
}

void Segments::save_head() {
    // The entries are safe already. Without the new head only a cut of exactly these would stay unseen, so their
    // actions go on; the next entry writes the head again.
    const auto saved = disk_->replace(head_path(directory_), as_bytes(encode_head(extent_.end)));
    if (saved) return;
    failures_total.add();
    log_error("audit: the head could not be written: {}", saved.error().message());
}

Result<Page> Segments::list(Disk& disk, const Extent& extent, const Filter& filter,
                            std::optional<std::uint64_t> cursor, std::size_t limit) {
    Page page;
    limit = std::clamp<std::size_t>(limit, 1, page_entries_max);
    const std::uint64_t before = cursor.value_or(UINT64_MAX);
    std::uint64_t last_seen = before;
    std::size_t bytes_read = 0;
    for (auto segment = extent.segments.rbegin(); segment != extent.segments.rend(); ++segment) {
        if (segment->first_number >= before) continue;
        const auto file = TRY(disk.open(segment->path));
        const ByteView whole = file->map();
        const ByteView bytes = whole.first(std::min<std::size_t>(whole.size(), segment->bytes));
        const auto offsets = record_offsets(bytes);
        for (auto at = offsets.rbegin(); at != offsets.rend(); ++at) {
            auto record = decode_record(bytes.subspan(*at));
            if (!record || record->kept.number >= before) continue;  // A damaged one is verify()'s to tell.
            if (page.items.size() == limit || bytes_read > page_bytes_read_max) {
                page.next = last_seen;
                return page;
            }
            bytes_read += record->bytes;
            last_seen = record->kept.number;
            if (matches(record->kept.entry, filter)) page.items.push_back(std::move(record->kept));
        }
    }
    return page;
}

namespace {

/// The walk over all segments.
class Verifier {
public:
    explicit Verifier(Link expected) : expected_(expected), seen_(expected.number == 0) {}

    void wrong(std::string what) {
        if (verdict_.ok) verdict_.detail = std::move(what);
        verdict_.ok = false;
    }

    void walk(const std::string& name, ByteView bytes, bool is_last) {
        const auto walk = walk_segment(bytes, [&](const Record& record) {
            ++verdict_.entries;
            if (Link{record.kept.number, record.hash} == expected_) seen_ = true;
            if (record.kept.entry.action == "audit.damage") wrong(name + ": " + record.kept.entry.target);
        });
        const bool torn = is_last && seen_;  // After all that was answered: the next start cuts it off.
        if (!walk) {
            if (!torn) wrong(name + ": " + walk.error().detail());
            return;
        }
        if (decode_header(bytes).value() != end_) wrong(name + " does not follow from the segment before");
        if (!walk->wrong.empty() && !torn) wrong(name + ": " + walk->wrong);
        end_ = walk->end;
    }

    Verdict verdict() {
        if (!seen_) wrong(fmt::format("entry {} was kept and is not there as it was", expected_.number));
        verdict_.head = to_hex(end_.hash);
        return verdict_;
    }

private:
    const Link expected_;  // The newest entry that was answered.
    bool seen_;
    Link end_;
    Verdict verdict_;
};

}  // namespace

Result<Verdict> Segments::verify(Disk& disk, const std::string& directory) {
    const auto head = read_head(disk, directory);
    if (!head && head.error().code() != ErrorCode::Corrupt) return std::unexpected(head.error());
    Verifier verifier(head.value_or(Link{}));
    if (!head) verifier.wrong(head.error().detail());
    const auto names = TRY(segment_names(disk, directory));
    for (const std::string& name : names) {
        const auto file = TRY(disk.open(directory + '/' + name));
        verifier.walk(name, file->map(), name == names.back());
    }
    return verifier.verdict();
}

Result<Verdict> Segments::verify(Disk& disk, const Extent& extent) {
    Verifier verifier(extent.end);
    for (const SegmentExtent& segment : extent.segments) {
        const auto file = TRY(disk.open(segment.path));
        const ByteView whole = file->map();
        // What is being written at this moment is not looked at.
        const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(whole.size(), segment.bytes));
        verifier.walk(segment.path.substr(segment.path.rfind('/') + 1), whole.first(bytes), false);
    }
    return verifier.verdict();
}

}  // namespace lineshaft::audit
