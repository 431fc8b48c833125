#include "south/http/internal/line_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"

namespace lineshaft::south {
namespace {

namespace lp = wire::line_protocol;

constexpr std::size_t piece_bytes_min = 16 * 1024;
constexpr std::size_t piece_bytes_first = 192 * 1024;
constexpr std::size_t piece_bytes_max = 2 * 1024 * 1024;
constexpr std::size_t value_bytes_usual = 20;
constexpr std::size_t line_bytes_max = 8 * 1024 * 1024;

}  // namespace

Result<std::string_view> DeviceNames::find(std::string_view key, ReadingBatch& batch, std::uint64_t serial) {
    auto known = names_.find(key);
    if (known == names_.end()) {
        std::string device = TRY(lp::device_name(key));
        if (names_.size() >= names_kept_max) names_.clear();
        known = names_.emplace(std::string(key), Name{std::move(device), 0, {}}).first;
    }
    Name& name = known->second;
    if (name.serial != serial) {
        name.serial = serial;
        name.kept = batch.keep(name.device);
    }
    return name.kept;
}

LineReader::LineReader(Body body, lp::Precision precision, DeviceNames& names, std::uint64_t& serials)
    : body_(std::move(body)),
      precision_(precision),
      names_(names),
      serials_(serials),
      piece_bytes_(piece_bytes_first) {}

Result<bool> LineReader::read(ReadingBatch& batch) {
    ++serials_;
    std::string text = TRY(next_piece());
    if (text.empty()) return false;
    parse(batch.keep_whole(std::move(text)), batch);
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

/// Fills `batch` from `piece`, which it keeps. What does not fit any more goes back to the rest.
void LineReader::parse(std::string_view piece, ReadingBatch& batch) {
    lp::Parser parser(piece, precision_, next_number_);
    batch.readings.reserve(std::min(limits::batch_samples_max, piece.size() / value_bytes_usual));
    std::size_t used = piece.size();
    const lp::Line* line = nullptr;
    while ((line = parser.next())) {
        if (batch.size() + line->fields.size() > limits::batch_samples_max && !batch.empty()) {
            used = static_cast<std::size_t>(line->key.data() - piece.data());
            rest_.insert(0, piece.substr(used));
            break;
        }
        add(*line, parser, batch);
    }
    next_number_ = line ? line->number : parser.next_number();
    refused_count_ += parser.refused_count();
    for (const lp::LineError& error : parser.errors()) {
        if (errors_.size() < lp::errors_kept_max) errors_.push_back(error);
    }
    if (!batch.empty()) {
        const std::size_t full_bytes = used * limits::batch_samples_max / batch.size();
        piece_bytes_ = std::clamp(full_bytes, piece_bytes_min, piece_bytes_max);
    }
}

void LineReader::add(const lp::Line& line, lp::Parser& parser, ReadingBatch& batch) {
    const auto device = names_.find(line.key, batch, serials_);
    if (!device) return parser.refuse(line.number, device.error().detail());
    for (const lp::Field& field : line.fields) {
        Reading& r = batch.readings.emplace_back();
        r.device = *device;
        r.address = field.name_escaped ? batch.keep(lp::unescape_name(field.name)) : field.name;
        r.type = field.type;
        r.bits = field.bits;
        r.text = field.text_escaped ? batch.keep(lp::unescape_text(field.text)) : field.text;
        r.source_time = line.time;
    }
}

}  // namespace lineshaft::south
