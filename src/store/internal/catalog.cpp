#include "store/internal/catalog.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::store {

bool SeriesState::is_last(ValueType type, std::uint64_t bits, Quality quality, std::string_view text) const {
    if (type != last_type || quality != last_quality) return false;
    return type == ValueType::String ? text == *last_text : bits == last_bits;
}

void SeriesState::keep_text(std::string_view text) {
    if (!last_text) last_text = std::make_unique<std::string>();
    *last_text = text;
}

std::optional<LastValue> SeriesState::last_value() const {
    if (last != Last::Known) return std::nullopt;
    LastValue value{last_source_time, last_receive_time, Value(), last_quality};
    switch (last_type) {
        case ValueType::Bool: value.value = last_bits != 0; break;
        case ValueType::Int: value.value = std::bit_cast<std::int64_t>(last_bits); break;
        case ValueType::Double: value.value = std::bit_cast<double>(last_bits); break;
        case ValueType::String: value.value = *last_text; break;
    }
    return value;
}

SeriesState& Catalog::make(TagId tag) {
    SeriesState& state = series_.emplace_back();
    state.tag = tag;
    // Nobody has named it: samples are kept all the same, under their number.
    state.info = std::make_shared<const SeriesInfo>(
        SeriesInfo{fmt::format("tag/{}", tag.value()), "", ValueType::Double, "", TenantId(1)});
    by_tag_.insert(tag, &state);
    return state;
}

bool Catalog::set_info(SeriesState& state, const SeriesInfo& info) {
    if (*state.info == info) return false;
    state.info = std::make_shared<const SeriesInfo>(info);
    return true;
}

std::vector<Series> Catalog::series() const {
    std::vector<Series> all;
    all.reserve(series_.size());
    for (const SeriesState& state : series_) all.push_back({state.tag, *state.info});
    std::ranges::sort(all, {}, &Series::tag);
    return all;
}

std::pair<SourceId, bool> Catalog::ensure_source(std::string_view name) {
    const auto known = source_ids_.find(std::string(name));
    if (known != source_ids_.end()) return {known->second, false};
    const SourceId id(sources_.size() + 1);
    put_source(id, name, 0);
    return {id, true};
}

void Catalog::put_source(SourceId id, std::string_view name, std::uint64_t last_sequence) {
    // Ids are given one after another, so a gap means a damaged log; a wild number must not ask for memory.
    if (id.value() == 0 || id.value() > sources_.size() + 1'000'000) return;
    while (sources_.size() < id.value()) sources_.push_back({SourceId(sources_.size() + 1), 0, ""});
    SourceMeta& source = sources_[id.value() - 1];
    source.name = name;
    source.last_sequence = std::max(source.last_sequence, last_sequence);
    if (!name.empty()) source_ids_.insert_or_assign(source.name, id);
}

void Catalog::raise_sequence(SourceId id, std::uint64_t last_sequence) {
    if (id.value() == 0 || id.value() > sources_.size()) return;
    std::uint64_t& known = sources_[id.value() - 1].last_sequence;
    known = std::max(known, last_sequence);
}

std::uint64_t Catalog::last_sequence(SourceId id) const {
    return id.value() == 0 || id.value() > sources_.size() ? 0 : sources_[id.value() - 1].last_sequence;
}

}  // namespace lineshaft::store
