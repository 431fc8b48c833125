#include "model/reading.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lineshaft {

std::string_view ReadingBatch::keep(std::string_view text) {
    if (text.empty()) return {};
    if (text.size() > chunk_bytes_ - chunk_used_) {
        chunk_bytes_ =
            std::max<std::size_t>({4096, text.size(), std::min<std::size_t>(chunk_bytes_ * 2, 256 * 1024)});
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes_));
        chunk_used_ = 0;
    }
    char* at = chunks_.back().get() + chunk_used_;
    std::memcpy(at, text.data(), text.size());
    chunk_used_ += text.size();
    return {at, text.size()};
}

std::string_view ReadingBatch::keep_whole(std::string text) { return kept_.emplace_back(std::move(text)); }

std::string_view ReadingBatch::keep_shared(std::shared_ptr<const std::string> text) {
    return *shared_.emplace_back(std::move(text));
}

void ReadingBatch::add(std::string_view device, std::string_view address, const Value& value, UtcTime source_time,
                       Quality quality) {
    Reading& r = readings.emplace_back();
    r.device = keep(device);
    r.address = keep(address);
    r.type = type_of(value);
    r.source_time = source_time;
    r.quality = quality;
    if (const auto* s = std::get_if<std::string>(&value))
        r.text = keep(*s);
    else if (const auto* b = std::get_if<bool>(&value))
        r.bits = *b ? 1 : 0;
    else if (const auto* i = std::get_if<std::int64_t>(&value))
        r.bits = std::bit_cast<std::uint64_t>(*i);
    else
        r.bits = std::bit_cast<std::uint64_t>(std::get<double>(value));
}

}  // namespace lineshaft
