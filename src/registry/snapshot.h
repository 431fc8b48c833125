/// What the plant consists of, as every shard sees it: immutable, versioned.
///
/// A version shares what did not change with the one before, so that a new one costs what changed and not what is there.
///
/// Threads: a snapshot may be read from any thread; it never changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/event.h"
#include "model/value.h"
#include "registry/table.h"
#include "runtime/snapshot.h"

namespace lineshaft::registry {

/// ISA-95 equipment levels (IEC 62264-1); any depth, so a node may also have none of them.
enum class AssetLevel : std::uint8_t { Enterprise = 1, Site, Area, Line, Cell, Unit, Other };

struct Tenant {
    TenantId id;
    TenantId parent;  // None for the first.
    std::string name;
    std::uint64_t version = 0;  // Of this row, from 1: what an update must name.
};

struct Asset {
    AssetId id;
    TenantId tenant;
    AssetId parent;  // None at the top.
    AssetLevel level = AssetLevel::Other;
    std::string name;  // One path level: no '/'.
    std::string path;  // "Acme/Lyon/Packing/Line3".
    std::uint64_t version = 0;
};

/// Discovered: heard of, recorded, in the inbox. Accepted: part of the plant. Ignored: recorded no more.
enum class DeviceState : std::uint8_t { Discovered = 1, Accepted = 2, Ignored = 3 };

struct Device {
    DeviceId id;
    TenantId tenant;
    AssetId asset;         // None: not placed.
    std::string name;      // As readings name it: "Acme/Lyon/Packing/Line3/Filler". Unique in its tenant.
    std::string title;     // For people; empty: the name.
    std::string protocol;  // "mqtt", "http", "modbus", …
    std::string settings;  // JSON of the adapter: see docs (Modbus: address, unit, polling, register map).
    DeviceState state = DeviceState::Discovered;
    UtcTime first_heard;
    std::uint64_t version = 0;
};

/// One limit of a tag's alarm rule.
struct Limit {
    LimitKind kind = LimitKind::High;
    double threshold = 0;
    double deadband = 0;  // In the tag's unit; the condition ends at threshold -/+ deadband.
    Duration on_delay{0};
    Duration off_delay{0};
    Priority priority = Priority::Medium;
    friend bool operator==(const Limit&, const Limit&) = default;
};

/// Limits of one tag, with what an operator needs to know (ISA-18.2 rationalisation).
struct AlarmRule {
    RuleId id;
    TenantId tenant;
    TagId tag;
    std::string name;
    std::vector<Limit> limits;  // At most one of each kind.
    bool enabled = true;
    std::string consequence;
    std::string action;  // What the operator shall do.
    std::uint64_t version = 0;
};

struct Tag {
    TagId id;
    TenantId tenant;
    DeviceId device;
    std::string path;     // Unique in its tenant: device name + '/' + address unless renamed.
    std::string address;  // Within the device, as readings name it.
    ValueType type = ValueType::Double;
    std::string unit;  // UCUM code; empty: none.
    std::string description;
    double scale = 1;  // value = raw * scale + offset, for numbers.
    double offset = 0;
    double deadband = 0;                          // Changes of at most this size are not kept; 0 keeps all.
    std::optional<double> range_low, range_high;  // Engineering range.
    bool writable = false;
    std::uint64_t version = 0;
};

/// All of it.
class Snapshot {
public:
    std::uint64_t version = 0;  // Rises with every change.
    Table<TenantId, Tenant> tenants;
    Table<AssetId, Asset> assets;
    Table<DeviceId, Device> devices;
    Table<TagId, Tag> tags;
    Table<RuleId, AlarmRule> rules;

    /// By name within a tenant; null when there is none.
    const Device* device_named(TenantId tenant, std::string_view name) const;
    const Tag* tag_at(TenantId tenant, std::string_view path) const;
    const Tag* tag(TagId id) const;
    const Device* device(DeviceId id) const;
    const Asset* asset(AssetId id) const;
    /// The tags of a device, the rules of a tag.
    const std::vector<TagId>& tags_of(DeviceId id) const;
    const std::vector<RuleId>& rules_of(TagId id) const;
    /// Tags of a tenant whose path is `prefix` or lies below it ("" is all), in path order.
    std::vector<const Tag*> tags_below(TenantId tenant, std::string_view prefix) const;

    /// Ids touched since the snapshot before (created, changed or removed), so that shards refresh only those.
    std::vector<TagId> changed_tags;
    std::vector<DeviceId> changed_devices;
    std::vector<RuleId> changed_rules;

private:
    friend class SnapshotBuilder;
    Index<TagId> tags_by_path_;
    Index<DeviceId> devices_by_name_;
    Table<DeviceId, std::vector<TagId>> tags_of_device_;
    Table<TagId, std::vector<RuleId>> rules_of_tag_;
};

}  // namespace lineshaft::registry
