#include "transfer/internal/import_job.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/utf8.h"

namespace lineshaft::transfer {
namespace {

using Json = nlohmann::json;

constexpr std::size_t stretch_points = 16 * 1024;
constexpr std::size_t batch_points = 4096;
constexpr std::size_t batch_text_bytes = 1024 * 1024;
// A small piece of packed bytes may become very many points.
constexpr std::size_t packed_slice_bytes = 4 * 1024;
constexpr std::size_t plain_slice_bytes = 64 * 1024;
constexpr std::size_t tags_told_max = 1'000'000;

}  // namespace

ImportReader::ImportReader(std::shared_ptr<const ReadFile> file, const wire::dump::Options& options,
                           std::uint64_t skip)
    : file_(std::move(file)), skip_(skip), reader_(options) {}

Result<ImportReader::Stretch> ImportReader::read() {
    stretch_ = {};
    const std::uint64_t size = file_->size();
    std::optional<Error> failed;
    const auto take = [&](ByteView plain) {
        if (failed) return;
        if (const auto fed = reader_.feed(as_text(plain), *this); !fed) failed = fed.error();
    };
    Bytes slice;
    std::uint64_t skipped_at = points_;
    while (at_ < size && stretch_.points < stretch_points && points_ - skipped_at < 64 * stretch_points) {
        const bool is_plain = unpack_ && std::string_view(unpack_->name()) == "plain";
        slice.resize(std::min<std::uint64_t>(is_plain ? plain_slice_bytes : packed_slice_bytes, size - at_));
        TRY_VOID(file_->read_at(at_, slice));
        if (!unpack_) unpack_ = wire::table::Decompressor::create(slice);
        at_ += slice.size();
        TRY_VOID(unpack_->feed(slice, take));
        if (failed) return std::unexpected(*failed);
    }
    if (at_ == size) {
        if (unpack_) TRY_VOID(unpack_->finish());
        TRY_VOID(reader_.finish(*this));
        stretch_.ended = true;
    }
    return std::exchange(stretch_, {});
}

void ImportReader::on_point(const wire::dump::Point& point) {
    const auto is_name = [](std::string_view text, std::size_t max) {
        return !text.empty() && text.size() <= max && is_utf8(text);
    };
    if (!is_name(point.device, limits::device_name_bytes_max) ||
        !is_name(point.address, limits::tag_path_bytes_max / 2))
        return on_refused(point.line, "the name of device or value is empty, too long or not UTF-8");
    if (point.type == ValueType::String &&
        (point.text.size() > limits::string_value_bytes_max || !is_utf8(point.text)))
        return on_refused(point.line, "the text is too long or not UTF-8");
    if (point.time.is_none()) return on_refused(point.line, "the first instant of 1970 stands for no time");
    ++points_;
    if (first_.is_none() || point.time < first_) first_ = point.time;
    last_ = std::max(last_, point.time);
    count_tag(point);
    if (points_ <= skip_) return;
    // Long texts fill a batch before its readings do.
    if (stretch_.batches.empty() || stretch_.batches.back().size() >= batch_points ||
        batch_text_ >= batch_text_bytes) {
        stretch_.batches.emplace_back();
        batch_text_ = 0;
    }
    batch_text_ += point.text.size();
    ReadingBatch& batch = stretch_.batches.back();
    Reading reading;
    const Reading* before = batch.readings.empty() ? nullptr : &batch.readings.back();
    const auto keep = [&](std::string_view text, std::string_view same) {
        return before && text == same ? same : batch.keep(text);
    };
    reading.device = keep(point.device, before ? before->device : std::string_view());
    reading.address = keep(point.address, before ? before->address : std::string_view());
    reading.unit = keep(point.unit, before ? before->unit : std::string_view());
    reading.type = point.type;
    reading.bits = point.type == ValueType::String ? 0 : point.bits;
    if (point.type == ValueType::String) reading.text = batch.keep(point.text);
    reading.source_time = point.time;
    reading.quality = point.quality;
    batch.readings.push_back(reading);
    ++stretch_.points;
}

void ImportReader::count_tag(const wire::dump::Point& point) {
    key_.assign(point.device);
    key_ += '\0';
    key_ += point.address;
    auto found = tag_numbers_.find(key_);
    if (found == tag_numbers_.end()) {
        if (tag_numbers_.size() >= tags_told_max) {
            untold_tags_ = 1;  // "More than".
            return;
        }
        found = tag_numbers_.emplace(key_, tag_numbers_.size()).first;
        if (tags_.size() < tags_shown_max)
            tags_.push_back(
                {std::string(point.device), std::string(point.address), point.type, 0, point.time, point.time});
    }
    if (found->second >= tags_.size()) return;
    ImportedTag& tag = tags_[found->second];
    ++tag.points;
    tag.first = std::min(tag.first, point.time);
    tag.last = std::max(tag.last, point.time);
}

void ImportReader::on_refused(std::uint64_t line, std::string reason) {
    ++refused_;
    refused_text_ += fmt::format("{},\"", line);
    for (const char c : reason) {
        if (c == '"') refused_text_ += '"';
        refused_text_ += c;
    }
    refused_text_ += "\"\n";
    if (refusals_.size() < refusals_shown_max) refusals_.push_back({line, std::move(reason)});
}

Result<void> save_import(Disk& disk, const std::string& folder, const Import& info) {
    const auto& o = info.options;
    Json tags = Json::array(), refusals = Json::array();
    for (const ImportedTag& tag : info.tags)
        tags.push_back(
            {tag.device, tag.address, static_cast<unsigned>(tag.type), tag.points, tag.first.ns(), tag.last.ns()});
    for (const ImportRefusal& refusal : info.refusals) refusals.push_back({refusal.line, refusal.reason});
    const Json json = {{"version", 1},
                       {"id", info.id},
                       {"tenant", info.tenant.value()},
                       {"name", info.name},
                       {"by", info.by},
                       {"state", static_cast<unsigned>(info.state)},
                       {"error", info.error},
                       {"dry_run", info.dry_run},
                       {"created", info.created.ns()},
                       {"finished", info.finished.ns()},
                       {"expires", info.expires.ns()},
                       {"bytes", info.bytes},
                       {"read_bytes", info.read_bytes},
                       {"points", info.points},
                       {"refused", info.refused},
                       {"tag_count", info.tag_count},
                       {"first", info.first.ns()},
                       {"last", info.last.ns()},
                       {"tags", std::move(tags)},
                       {"refusals", std::move(refusals)},
                       {"format", wire::dump::to_text(o.format)},
                       {"device", o.device},
                       {"precision", static_cast<unsigned>(o.precision)},
                       {"tag_columns", o.tag_columns},
                       {"skipped", o.skipped},
                       {"time", o.time.ns()},
                       {"time_column", o.table.time_column},
                       {"date_order", static_cast<unsigned>(o.table.date_order)},
                       {"utc_offset", o.table.utc_offset.count()},
                       {"delimiter", static_cast<int>(o.table.delimiter)}};
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return disk.replace(folder + "/job.json", as_bytes(text));
}

Result<Import> load_import(Disk& disk, const std::string& folder) {
    const Bytes text = TRY(disk.read(folder + "/job.json"));
    Import info;
    try {  // The JSON library speaks so.
        const Json json = Json::parse(as_text(text));
        const auto time = [&](const char* name) { return UtcTime(json.at(name).get<std::int64_t>()); };
        info.id = json.at("id");
        info.tenant = TenantId(json.at("tenant").get<decltype(info.tenant.value())>());
        info.name = json.at("name");
        info.by = json.at("by");
        info.state = static_cast<ImportState>(json.at("state").get<unsigned>());
        info.error = json.at("error");
        info.dry_run = json.at("dry_run");
        info.created = time("created");
        info.finished = time("finished");
        info.expires = time("expires");
        info.bytes = json.at("bytes");
        info.read_bytes = json.at("read_bytes");
        info.points = json.at("points");
        info.refused = json.at("refused");
        info.tag_count = json.at("tag_count");
        info.first = time("first");
        info.last = time("last");
        for (const Json& tag : json.at("tags"))
            info.tags.push_back({tag.at(0), tag.at(1), static_cast<ValueType>(tag.at(2).get<unsigned>()), tag.at(3),
                                 UtcTime(tag.at(4).get<std::int64_t>()), UtcTime(tag.at(5).get<std::int64_t>())});
        for (const Json& refusal : json.at("refusals")) info.refusals.push_back({refusal.at(0), refusal.at(1)});
        auto& o = info.options;
        o.format = TRY(wire::dump::format_from_text(json.at("format").get<std::string>()));
        o.device = json.at("device");
        o.precision = static_cast<wire::line_protocol::Precision>(json.at("precision").get<unsigned>());
        o.tag_columns = json.at("tag_columns").get<std::vector<std::string>>();
        o.skipped = json.at("skipped").get<std::set<std::string>>();
        o.time = time("time");
        o.table.time_column = json.at("time_column");
        o.table.date_order = static_cast<wire::table::DateOrder>(json.at("date_order").get<unsigned>());
        o.table.utc_offset = Duration(json.at("utc_offset").get<std::int64_t>());
        o.table.delimiter = static_cast<char>(json.at("delimiter").get<int>());
    } catch (const Json::exception& e) {
        return fail(ErrorCode::Corrupt, fmt::format("{}: {}", folder, e.what()));
    }
    if (disk.exists(folder + "/data")) info.received = TRY(disk.open(folder + "/data"))->size();
    return info;
}

}  // namespace lineshaft::transfer
