#include "store/internal/erasures.h"

#include <algorithm>

namespace lineshaft::store {

void write_tags(const std::vector<TagId>& tags, ByteWriter& out) {
    out.varint(tags.size());
    std::uint64_t before = 0;
    for (const TagId tag : tags) out.varint(tag.value() - std::exchange(before, tag.value()));
}

std::vector<TagId> read_tags(ByteReader& in) {
    std::vector<TagId> tags;
    const std::uint64_t count = in.varint();
    if (count > in.left()) in.fail();
    std::uint64_t before = 0;
    for (std::uint64_t i = 0; in.ok() && i < count; ++i) tags.emplace_back(before += in.varint());
    return tags;
}

Bytes encode_erasure(const Erasure& erasure) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.le(erasure.hidden.from.ns());
    out.le(erasure.hidden.last.ns());
    write_tags(erasure.tags, out);
    return bytes;
}

Result<Erasure> decode_erasure(ByteView bytes) {
    ByteReader in(bytes);
    Erasure erasure;
    erasure.hidden.from = UtcTime(in.le<std::int64_t>());
    erasure.hidden.last = UtcTime(in.le<std::int64_t>());
    erasure.tags = read_tags(in);
    if (!in.ok()) return fail(ErrorCode::Corrupt, "an erasure in the log does not follow the format");
    return erasure;
}

bool may_hide_in(const Erasure& erasure, const Segment& segment) {
    const SegmentMeta& meta = segment.meta();
    const Hidden& hidden = erasure.hidden;
    if (meta.order >= hidden.order || meta.erasures >= hidden.number) return false;
    if (meta.last_time < hidden.from || meta.first_time > hidden.last) return false;
    return std::ranges::any_of(erasure.tags, [&](TagId tag) { return segment.find(tag).has_value(); });
}

void Erasures::add(Erasure erasure) {
    for (const TagId tag : erasure.tags) by_tag_[tag].push_back(erasure.hidden);
    all_.push_back(std::move(erasure));
}

void Erasures::remove(std::uint64_t number) {
    const auto at = std::ranges::find(all_, number, [](const Erasure& e) { return e.hidden.number; });
    if (at == all_.end()) return;
    for (const TagId tag : at->tags) {
        const auto known = by_tag_.find(tag);
        std::erase_if(known->second, [&](const Hidden& hidden) { return hidden.number == number; });
        if (known->second.empty()) by_tag_.erase(known);
    }
    all_.erase(at);
}

bool Erasures::has(std::uint64_t number) const {
    return std::ranges::find(all_, number, [](const Erasure& e) { return e.hidden.number; }) != all_.end();
}

std::vector<Hidden> Erasures::of(TagId tag) const {
    const auto at = by_tag_.find(tag);
    return at == by_tag_.end() ? std::vector<Hidden>() : at->second;
}

bool Erasures::concern(const Segment& segment) const {
    return std::ranges::any_of(all_, [&](const Erasure& erasure) { return may_hide_in(erasure, segment); });
}

}  // namespace lineshaft::store
