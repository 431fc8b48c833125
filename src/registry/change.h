/// What may be asked of the registry: changes as values, each by somebody, each in one tenant.
///
/// In updates an empty optional leaves the field as it is. `version` is the version the asker has read; 0 takes whatever
/// is there. A stale version is a Conflict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "registry/snapshot.h"

namespace lineshaft::registry {

/// Who asks: into the history and the audit log.
struct Actor {
    std::string name;     // "user anna", "token telegraf", "discovery".
    std::string address;  // Of the request; empty for the program itself.
};

struct CreateTenant {
    std::string name;
    TenantId parent;  // None: the asker's.
};
struct UpdateTenant {
    TenantId id;
    std::optional<std::string> name;
    std::uint64_t version = 0;
};

struct CreateAsset {
    AssetId parent;  // None: at the top.
    AssetLevel level = AssetLevel::Other;
    std::string name;
};
/// Moving an asset moves what is below it.
struct UpdateAsset {
    AssetId id;
    std::optional<AssetId> parent;  // Holding none: to the top.
    std::optional<AssetLevel> level;
    std::optional<std::string> name;
    std::uint64_t version = 0;
};
/// Only an asset without children; its devices become unplaced.
struct DeleteAsset {
    AssetId id;
    std::uint64_t version = 0;
};

/// By hand: accepted at once.
struct CreateDevice {
    std::string name;
    std::string title;
    std::string protocol;
    std::string settings;  // JSON or empty.
    AssetId asset;
};
struct UpdateDevice {
    DeviceId id;
    std::optional<std::string> title;
    std::optional<std::string> settings;
    std::optional<AssetId> asset;  // Holding none: unplaced.
    std::optional<DeviceState> state;
    std::uint64_t version = 0;
};
/// With its tags and their rules. What the store has of them stays until its retention ends.
struct DeleteDevice {
    DeviceId id;
    std::uint64_t version = 0;
};
/// Accept or ignore many at once. Each for itself: see Changed::items.
struct SetDeviceStates {
    std::vector<DeviceId> ids;
    DeviceState state = DeviceState::Accepted;
    std::optional<AssetId> asset;
};

/// A tag that a device's map names.
struct NewTag {
    std::string address;
    ValueType type = ValueType::Double;
    std::string unit;
    std::string description;
    double scale = 1;
    double offset = 0;
    bool writable = false;
};
/// Makes the tags of a device be these, by address: new ones are created, known ones get type, unit, scale, offset and
/// writable. Others stay when `others` says Keep; with Remove they are deleted.
struct SetDeviceTags {
    enum class Others : std::uint8_t { Keep, Remove };
    DeviceId device;
    std::vector<NewTag> tags;
    Others others = Others::Keep;
};
struct UpdateTag {
    TagId id;
    std::optional<std::string> path;
    std::optional<ValueType> type;
    std::optional<std::string> unit;
    std::optional<std::string> description;
    std::optional<double> scale;
    std::optional<double> offset;
    std::optional<double> deadband;
    std::optional<std::optional<double>> range_low;  // Holding an empty one: no limit.
    std::optional<std::optional<double>> range_high;
    std::optional<bool> writable;
    std::uint64_t version = 0;
};
struct DeleteTag {
    TagId id;
    std::uint64_t version = 0;
};

struct CreateRule {
    TagId tag;
    std::string name;
    std::vector<Limit> limits;
    bool enabled = true;
    std::string consequence;
    std::string action;
};
struct UpdateRule {
    RuleId id;
    std::optional<std::string> name;
    std::optional<std::vector<Limit>> limits;
    std::optional<bool> enabled;
    std::optional<std::string> consequence;
    std::optional<std::string> action;
    std::uint64_t version = 0;
};
struct DeleteRule {
    RuleId id;
    std::uint64_t version = 0;
};

using Change = std::variant<CreateTenant, UpdateTenant, CreateAsset, UpdateAsset, DeleteAsset, CreateDevice,
                            UpdateDevice, DeleteDevice, SetDeviceStates, SetDeviceTags, UpdateTag, DeleteTag,
                            CreateRule, UpdateRule, DeleteRule>;

/// How one of many went.
struct ItemResult {
    std::uint64_t id = 0;
    std::optional<Error> error;
};

/// What a change did.
struct Changed {
    std::uint64_t id = 0;           // Of the object: created, updated or deleted.
    std::uint64_t version = 0;      // Its new version.
    std::vector<ItemResult> items;  // SetDeviceStates: one each, in the order asked.
    std::vector<TagId> tags;        // SetDeviceTags: one each, in the order asked.
    /// The snapshot that shows it; the caller's shard has it by now.
    std::uint64_t snapshot_version = 0;
};

/// A tag that a normaliser has met for the first time, under an id from its block.
struct DiscoveredTag {
    TagId id;
    TenantId tenant{1};
    std::string device;
    std::string protocol;
    std::string address;
    ValueType type = ValueType::Double;
    std::string unit;
    UtcTime first_time;  // Of its first sample.
};

/// Ids that nobody else will get.
struct TagIdRange {
    TagId first;
    std::uint64_t count = 0;
};

/// On disk. Append only.
enum class ObjectKind : std::uint8_t { Tenant = 1, Asset, Device, Tag, Rule };
std::string_view to_text(ObjectKind kind);

/// One version of an object. Two times: when it was so in the plant (valid), and when we were told (recorded).
struct HistoryEntry {
    ObjectKind kind = ObjectKind::Tag;
    std::uint64_t id = 0;
    std::uint64_t version = 0;
    UtcTime valid_from;
    UtcTime valid_to;  // utc_time_max while it is so.
    UtcTime recorded;
    std::string actor;
    bool deleted = false;  // The object ended with this version; `row` is how it was last.
    std::string row;       // JSON of all its fields.
};

}  // namespace lineshaft::registry
