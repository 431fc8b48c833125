#include "registry/snapshot_builder.h"

#include <algorithm>

namespace lineshaft::registry {
namespace {

template <class Id>
void settle(std::vector<Id>& changed) {
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
}

}  // namespace

SnapshotBuilder::SnapshotBuilder() = default;

SnapshotBuilder::SnapshotBuilder(const Snapshot& before, Seen seen) : next_(before) {
    if (seen == Seen::No) return;
    next_.changed_tags.clear();
    next_.changed_devices.clear();
    next_.changed_rules.clear();
}

SnapshotBuilder& SnapshotBuilder::put(Tenant tenant) {
    const TenantId id = tenant.id;
    next_.tenants.put(id, std::make_shared<const Tenant>(std::move(tenant)));
    return *this;
}

SnapshotBuilder& SnapshotBuilder::put(Asset asset) {
    const AssetId id = asset.id;
    next_.assets.put(id, std::make_shared<const Asset>(std::move(asset)));
    return *this;
}

SnapshotBuilder& SnapshotBuilder::put(Device device) {
    const DeviceId id = device.id;
    const Device* before = next_.device(id);
    if (!before || before->name != device.name || before->tenant != device.tenant) {
        const DeviceId holder = next_.devices_by_name_.find(device.tenant, device.name);
        ASSERT(holder == DeviceId{} || holder == id);
        if (before) next_.devices_by_name_.remove(before->tenant, before->name);
        next_.devices_by_name_.put(device.tenant, device.name, id);
    }
    next_.devices.put(id, std::make_shared<const Device>(std::move(device)));
    next_.changed_devices.push_back(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::put(Tag tag) {
    const TagId id = tag.id;
    const Tag* before = next_.tag(id);
    if (!before || before->path != tag.path || before->tenant != tag.tenant) {
        const TagId holder = next_.tags_by_path_.find(tag.tenant, tag.path);
        ASSERT(holder == TagId{} || holder == id);
        if (before) next_.tags_by_path_.remove(before->tenant, before->path);
        next_.tags_by_path_.put(tag.tenant, tag.path, id);
    }
    if (!before || before->device != tag.device) {
        if (before) leave(next_.tags_of_device_, before->device, id);
        next_.tags_of_device_.ensure(tag.device).push_back(id);
    }
    next_.tags.put(id, std::make_shared<const Tag>(std::move(tag)));
    next_.changed_tags.push_back(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::put(AlarmRule rule) {
    const RuleId id = rule.id;
    const AlarmRule* before = next_.rules.get(id);
    if (!before || before->tag != rule.tag) {
        if (before) leave(next_.rules_of_tag_, before->tag, id);
        next_.rules_of_tag_.ensure(rule.tag).push_back(id);
    }
    next_.rules.put(id, std::make_shared<const AlarmRule>(std::move(rule)));
    next_.changed_rules.push_back(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::remove(TenantId id) {
    next_.tenants.remove(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::remove(AssetId id) {
    next_.assets.remove(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::remove(DeviceId id) {
    const Device* before = next_.device(id);
    if (!before) return *this;
    next_.devices_by_name_.remove(before->tenant, before->name);
    next_.devices.remove(id);
    next_.changed_devices.push_back(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::remove(TagId id) {
    const Tag* before = next_.tag(id);
    if (!before) return *this;
    next_.tags_by_path_.remove(before->tenant, before->path);
    leave(next_.tags_of_device_, before->device, id);
    next_.tags.remove(id);
    next_.changed_tags.push_back(id);
    return *this;
}

SnapshotBuilder& SnapshotBuilder::remove(RuleId id) {
    const AlarmRule* before = next_.rules.get(id);
    if (!before) return *this;
    leave(next_.rules_of_tag_, before->tag, id);
    next_.rules.remove(id);
    next_.changed_rules.push_back(id);
    return *this;
}

template <class Owner, class Id>
void SnapshotBuilder::leave(Table<Owner, std::vector<Id>>& lists, Owner owner, Id id) {
    auto& list = lists.ensure(owner);
    std::erase(list, id);
    if (list.empty()) lists.remove(owner);
}

SnapshotOf<Snapshot> SnapshotBuilder::build() {
    settle(next_.changed_tags);
    settle(next_.changed_devices);
    settle(next_.changed_rules);
    ++next_.version;
    auto built = std::make_shared<const Snapshot>(std::move(next_));
    next_ = Snapshot();
    return built;
}

}  // namespace lineshaft::registry
