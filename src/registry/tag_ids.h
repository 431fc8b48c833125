/// Tag ids at hand: one shard's block, refilled before it runs out, so that a new tag never waits for SQL.
///
/// Threads: own shard only.
/// Limits:  block_ids at first, twice as many with each refill up to block_ids_max: where many tags are new, more follow.
///          What a block has left at the end of the process is never used, ids are 64 bits wide.
#pragma once

#include <deque>
#include <optional>

#include "registry/registry.h"

namespace lineshaft::registry {

class TagIds {
public:
    static constexpr std::uint64_t block_ids = 16'384;
    static constexpr std::uint64_t block_ids_max = 262'144;

    /// Reserves the first block; blocks. Before the shards start. `registry` outlives this.
    static Result<std::unique_ptr<TagIds>> create(Registry& registry, Shard& shard);

    /// None only when more than a block's ids were taken while one refill was under way: try again a little later.
    std::optional<TagId> take();
    std::uint64_t left() const { return left_; }

private:
    TagIds(Registry& registry, Shard& shard, TagIdRange first);
    void refill();

    Registry& registry_;
    Shard& shard_;
    std::deque<TagIdRange> ranges_;
    std::uint64_t left_ = 0;
    std::uint64_t block_ = block_ids;  // The last one's size.
    bool refilling_ = false;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);  // A refill may come back after this has died.
};

}  // namespace lineshaft::registry
