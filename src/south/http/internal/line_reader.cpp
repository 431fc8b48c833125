#include "south/http/internal/line_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"
#include "runtime/shard.h"

namespace lineshaft::south {
namespace {

namespace lp = wire::line_protocol;

constexpr std::size_t piece_bytes_min = 16 * 1024;
constexpr std::size_t piece_bytes_first = 192 * 1024;
constexpr std::size_t piece_bytes_max = 2 * 1024 * 1024;
constexpr std::size_t value_bytes_usual = 20;
constexpr std::size_t line_bytes_max = 8 * 1024 * 1024;

}  // namespace

Result<DeviceNames::Name*> DeviceNames::find(std::string_view key, TenantId tenant) {
    auto known = names_.find(key);
    if (known == names_.end()) {
        std::string device = TRY(lp::device_name(key));
        if (names_.size() >= names_kept_max) names_.clear();
        known = names_.emplace(std::string(key), Name{.device = std::move(device)}).first;
    }
    Name& name = known->second;
    if (name.tenant != tenant) {
        name.tenant = tenant;
        name.home = home_shard(tenant, name.device, homes_).value();
    }
    return &name;
}

LineReader::LineReader(Body body, lp::Precision precision, TenantId tenant, DeviceNames& names,
                       std::uint64_t& serials)
    : body_(std::move(body)),
      precision_(precision),
      tenant_(tenant),
      names_(names),
      serials_(serials),
      piece_bytes_(piece_bytes_first) {}

Result<bool> LineReader::read(std::vector<ReadingBatch>& batches) {
    ++serials_;
    batches.clear();
    const auto text = std::make_shared<const std::string>(TRY(next_piece()));
    if (text->empty()) return false;
    batches.resize(names_.homes());
    for (std::size_t home = 0; home < batches.size(); ++home) {
        batches[home].home = ShardId(static_cast<std::uint16_t>(home));
        batches[home].keep_shared(text);
    }
    parse(*text, batches);
    return true;
}

/// Whole lines, as much as one batch will probably hold; nothing at the end.
Result<std::string> LineReader::next_piece() {
    std::size_t wanted = piece_bytes_;
    while (true) {
        TRY_VOID(body_.read(rest_, wanted));
        if (body_.has_ended()) return std::exchange(rest_, {});
        if (const std::size_t newline = rest_.rfind('\n'); newline != std::string::npos) {
            std::string piece = rest_.substr(0, newline + 1);
            rest_.erase(0, newline + 1);
            return piece;
        }
        if (rest_.size() > line_bytes_max)
            return fail(ErrorCode::TooLarge,
                        fmt::format("line {} is longer than {} bytes", next_number_, line_bytes_max));
        wanted = rest_.size() * 2;
    }
}

/// Fills `batches` from `piece`, which they keep. What does not fit any more goes back to the rest.
void LineReader::parse(std::string_view piece, std::vector<ReadingBatch>& batches) {
    lp::Parser parser(piece, precision_, next_number_);
    const std::size_t usual = piece.size() / value_bytes_usual / batches.size();
    for (ReadingBatch& batch : batches) batch.readings.reserve(std::min(limits::batch_samples_max, usual));
    std::size_t used = piece.size();
    std::size_t largest = 0;
    const lp::Line* line = nullptr;
    while ((line = parser.next())) {
        const auto name = names_.find(line->key, tenant_);
        if (!name) {
            parser.refuse(line->number, name.error().detail());
            continue;
        }
        ReadingBatch& batch = batches[(*name)->home];
        if (batch.size() + line->fields.size() > limits::batch_samples_max && !batch.empty()) {
            used = static_cast<std::size_t>(line->key.data() - piece.data());
            rest_.insert(0, piece.substr(used));
            break;
        }
        add(*line, **name, batch);
        largest = std::max(largest, batch.size());
    }
    next_number_ = line ? line->number : parser.next_number();
    refused_count_ += parser.refused_count();
    for (const lp::LineError& error : parser.errors()) {
        if (errors_.size() < lp::errors_kept_max) errors_.push_back(error);
    }
    if (largest > 0)
        piece_bytes_ = std::clamp(used * limits::batch_samples_max / largest, piece_bytes_min, piece_bytes_max);
}

void LineReader::add(const lp::Line& line, DeviceNames::Name& name, ReadingBatch& batch) const {
    if (name.serial != serials_) {
        name.serial = serials_;
        name.kept = batch.keep(name.device);
    }
    for (const lp::Field& field : line.fields) {
        Reading& r = batch.readings.emplace_back();
        r.device = name.kept;
        r.address = field.name_escaped ? batch.keep(lp::unescape_name(field.name)) : field.name;
        r.type = field.type;
        r.bits = field.bits;
        r.text = field.text_escaped ? batch.keep(lp::unescape_text(field.text)) : field.text;
        r.source_time = line.time;
    }
}

}  // namespace lineshaft::south
