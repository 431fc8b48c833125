#include "registry/snapshot.h"

namespace lineshaft::registry {
namespace {

const std::vector<TagId> no_tags;
const std::vector<RuleId> no_rules;

}  // namespace

const Device* Snapshot::device_named(TenantId tenant, std::string_view name) const {
    return devices.get(devices_by_name_.find(tenant, name));
}

const Tag* Snapshot::tag_at(TenantId tenant, std::string_view path) const {
    return tags.get(tags_by_path_.find(tenant, path));
}

const Tag* Snapshot::tag(TagId id) const { return tags.get(id); }
const Device* Snapshot::device(DeviceId id) const { return devices.get(id); }
const Asset* Snapshot::asset(AssetId id) const { return assets.get(id); }

const std::vector<TagId>& Snapshot::tags_of(DeviceId id) const {
    const auto* found = tags_of_device_.get(id);
    return found ? *found : no_tags;
}

const std::vector<RuleId>& Snapshot::rules_of(TagId id) const {
    const auto* found = rules_of_tag_.get(id);
    return found ? *found : no_rules;
}

std::vector<const Tag*> Snapshot::tags_below(TenantId tenant, std::string_view prefix) const {
    std::vector<const Tag*> found;
    if (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);
    if (prefix.empty()) {
        tags_by_path_.walk(tenant, "", [&](const auto& entry) {
            found.push_back(tags.get(entry.id));
            return true;
        });
        return found;
    }
    // "a/b" itself, then what begins with "a/b/": between the two there may be "a/b-c", which is not below.
    if (const Tag* exact = tag_at(tenant, prefix)) found.push_back(exact);
    const std::string below = std::string(prefix) + '/';
    tags_by_path_.walk(tenant, below, [&](const auto& entry) {
        if (!entry.name.starts_with(below)) return false;
        found.push_back(tags.get(entry.id));
        return true;
    });
    return found;
}

}  // namespace lineshaft::registry
