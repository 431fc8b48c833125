#include "store/internal/catalog.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::store {

void SeriesState::take_last(UtcTime source, UtcTime receive, ValueType type, std::uint64_t bits, Quality quality,
                            std::string_view text) {
    if (last == Last::Known) {
        if (source < last_source_time) return;
        const bool same = source == last_source_time && type == last_type && quality == last_quality &&
                          (type == ValueType::String ? text == last_text : bits == last_bits);
        if (same) return;  // A repeat: it was received when it was received first.
    }
    last = Last::Known;
    last_source_time = source;
    last_receive_time = receive;
    last_type = type;
    last_bits = bits;
    last_quality = quality;
    if (type == ValueType::String) last_text = text;
}

std::optional<LastValue> SeriesState::last_value() const {
    if (last != Last::Known) return std::nullopt;
    LastValue value{last_source_time, last_receive_time, Value(), last_quality};
    switch (last_type) {
        case ValueType::Bool: value.value = last_bits != 0; break;
        case ValueType::Int: value.value = std::bit_cast<std::int64_t>(last_bits); break;
        case ValueType::Double: value.value = std::bit_cast<double>(last_bits); break;
        case ValueType::String: value.value = last_text; break;
    }
    return value;
}

SeriesState& Catalog::find_or_make(TagId tag) {
    const auto [at, fresh] = series_.try_emplace(tag);
    if (fresh) {
        at->second.tag = tag;
        // Nobody has named it: samples are kept all the same, under their number.
        at->second.info = std::make_shared<const SeriesInfo>(
            SeriesInfo{fmt::format("tag/{}", tag.value()), "", ValueType::Double, "", TenantId(1)});
    }
    return at->second;
}

SeriesState* Catalog::find_series(TagId tag) {
    const auto at = series_.find(tag);
    return at == series_.end() ? nullptr : &at->second;
}

bool Catalog::set_info(SeriesState& state, const SeriesInfo& info) {
    if (*state.info == info) return false;
    state.info = std::make_shared<const SeriesInfo>(info);
    return true;
}

std::vector<Series> Catalog::series() const {
    std::vector<Series> all;
    all.reserve(series_.size());
    for (const auto& [tag, state] : series_) all.push_back({tag, *state.info});
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
