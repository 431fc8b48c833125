#include "registry/tag_ids.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"

namespace lineshaft::registry {

TagIds::TagIds(Registry& registry, Shard& shard, TagIdRange first)
    : registry_(registry), shard_(shard), ranges_{first}, left_(first.count) {}

Result<std::unique_ptr<TagIds>> TagIds::create(Registry& registry, Shard& shard) {
    const TagIdRange first = TRY(registry.reserve_tag_ids(block_ids));
    return std::unique_ptr<TagIds>(new TagIds(registry, shard, first));
}

std::optional<TagId> TagIds::take() {
    if (left_ <= block_ / 2) refill();
    if (left_ == 0) return std::nullopt;
    TagIdRange& range = ranges_.front();
    ASSERT(range.count > 0);
    const TagId id = range.first;
    range = {TagId(id.value() + 1), range.count - 1};
    if (range.count == 0) ranges_.pop_front();
    --left_;
    return id;
}

void TagIds::refill() {
    if (refilling_) return;
    refilling_ = true;
    const std::uint64_t count = std::min(block_ * 2, block_ids_max);
    const std::weak_ptr<const int> life = life_;
    registry_.post_reserve_tag_ids(shard_, count, [this, life](Result<TagIdRange> range) {
        if (life.expired()) return;
        refilling_ = false;
        if (!range) return log_error("registry: no new tag ids: {}", range.error().message());
        ranges_.push_back(*range);
        left_ += range->count;
        block_ = range->count;
    });
}

}  // namespace lineshaft::registry
