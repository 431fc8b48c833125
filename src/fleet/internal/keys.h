/// Which tags a query is about, put together by what their paths' patterns caught.
///
/// Threads: immutable once made; made on the query pool from a snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/query.h"
#include "registry/snapshot.h"
#include "runtime/shard.h"

namespace lineshaft::fleet {

struct Keys {
    struct Series {
        TagId tag;
        ShardId home;
    };
    std::size_t captures = 0;
    std::size_t sources = 0;  // Distinct patterns.
    std::size_t count = 0;
    std::vector<std::string> strings;
    std::vector<std::uint32_t> texts;   // [key * captures + capture], into strings; keys in the order of their texts.
    std::vector<std::uint32_t> begins;  // [key * sources + source], into series; one more at the end.
    std::vector<Series> series;

    const Series* begin(std::size_t key, std::size_t source) const {
        return series.data() + begins[key * sources + source];
    }
    const Series* end(std::size_t key, std::size_t source) const {
        return series.data() + begins[key * sources + source + 1];
    }
    std::size_t series_of(std::size_t key, std::size_t source) const {
        return begins[key * sources + source + 1] - begins[key * sources + source];
    }
};

/// The distinct patterns of a query's selects, and which of them each select has.
struct Sources {
    explicit Sources(const Query& query);
    std::vector<const PathPattern*> patterns;
    std::vector<std::size_t> of_select;
};

/// Errors: LimitExceeded (more than series_per_query_max), NotFound (nothing fits).
Result<Keys> find_keys(const registry::Snapshot& snapshot, TenantId tenant, const Query& query,
                       const Sources& sources, std::size_t shard_count);

}  // namespace lineshaft::fleet
