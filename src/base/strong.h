/// Ids that cannot be swapped: a value with a name the compiler checks.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace lineshaft {

/// No implicit way in, none out, no arithmetic: an id is not a number. `value()` is the one door.
template <class Name, class Raw>
class Strong {
public:
    constexpr Strong() = default;
    constexpr explicit Strong(Raw raw) : raw_(raw) {}
    constexpr Raw value() const { return raw_; }
    friend constexpr auto operator<=>(Strong, Strong) = default;

private:
    Raw raw_{};
};

/// 0 is "none" for every id.
using TenantId = Strong<struct TenantIdName, std::uint32_t>;
using UserId = Strong<struct UserIdName, std::uint64_t>;
using DeviceId = Strong<struct DeviceIdName, std::uint64_t>;
using AssetId = Strong<struct AssetIdName, std::uint64_t>;
using TagId = Strong<struct TagIdName, std::uint64_t>;
using RuleId = Strong<struct RuleIdName, std::uint64_t>;
using SourceId = Strong<struct SourceIdName, std::uint64_t>;
using ShardId = Strong<struct ShardIdName, std::uint16_t>;

}  // namespace lineshaft

template <class Name, class Raw>
struct std::hash<lineshaft::Strong<Name, Raw>> {
    std::size_t operator()(lineshaft::Strong<Name, Raw> id) const noexcept { return std::hash<Raw>{}(id.value()); }
};
