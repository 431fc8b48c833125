#include "model/sample.h"

#include <bit>

namespace lineshaft {

void Batch::clear() {
    tags.clear();
    source_times.clear();
    types.clear();
    bits.clear();
    qualities.clear();
    text.clear();
}

void Batch::reserve(std::size_t count) {
    tags.reserve(count);
    source_times.reserve(count);
    types.reserve(count);
    bits.reserve(count);
    qualities.reserve(count);
}

void Batch::add_text(TagId tag, UtcTime source_time, std::string_view value, Quality quality) {
    tags.push_back(tag);
    source_times.push_back(source_time);
    types.push_back(ValueType::String);
    bits.push_back(static_cast<std::uint64_t>(text.size()) << 32 | value.size());
    qualities.push_back(quality);
    text += value;
}

void Batch::add(TagId tag, UtcTime source_time, const Value& value, Quality quality) {
    if (const auto* s = std::get_if<std::string>(&value)) return add_text(tag, source_time, *s, quality);
    std::uint64_t raw = 0;
    if (const auto* b = std::get_if<bool>(&value))
        raw = *b ? 1 : 0;
    else if (const auto* i = std::get_if<std::int64_t>(&value))
        raw = std::bit_cast<std::uint64_t>(*i);
    else
        raw = std::bit_cast<std::uint64_t>(std::get<double>(value));
    add(tag, source_time, type_of(value), raw, quality);
}

Value Batch::value_at(std::size_t row) const {
    switch (types[row]) {
        case ValueType::Bool: return bits[row] != 0;
        case ValueType::Int: return std::bit_cast<std::int64_t>(bits[row]);
        case ValueType::Double: return std::bit_cast<double>(bits[row]);
        case ValueType::String: return std::string(text_at(row));
    }
    return 0.0;
}

Sample Batch::sample_at(std::size_t row) const {
    return {tags[row], source_times[row], receive_time, value_at(row), qualities[row]};
}

}  // namespace lineshaft
