/// Shared facts that never change once published: every shard holds the newest version it was told of.
#pragma once

#include <memory>

namespace lineshaft {

/// The one place for shared_ptr: an immutable value that many shards read while a newer one is made.
template <class T>
using SnapshotOf = std::shared_ptr<const T>;

}  // namespace lineshaft
