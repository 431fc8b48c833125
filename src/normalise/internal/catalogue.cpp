#include "normalise/internal/catalogue.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "normalise/internal/conversion.h"

namespace lineshaft::normalise {
namespace {
constexpr std::size_t prefetched_slots = 16;
}

Catalogue::Catalogue(const Normaliser::Options& options, TagIdSource& ids, SeriesRegistrar& series,
                     OnDiscovered on_discovered)
    : options_(options),
      ids_(ids),
      series_(series),
      on_discovered_(std::move(on_discovered)),
      snapshot_(std::make_shared<const registry::Snapshot>()) {}

bool Catalogue::find(TenantId tenant, const Reading& reading, Found& found) {
    if (reading.tag != TagId()) {
        found = find_by_tag(reading);
        return true;
    }
    const std::string_view name = reading.device;
    const bool is_last =
        name.data() == last_name_.data() && name.size() == last_name_.size() && tenant == last_tenant_;
    if (!is_last || !last_device_) {
        Why why = Why::Kept;
        last_device_ = device_named(tenant, name, why);
        last_name_ = name;
        last_tenant_ = tenant;
        if (!last_device_) {
            found = {nullptr, why};
            return true;
        }
        // Its values come one after another: the memory may look for all of them at once.
        const std::size_t soon = std::min(last_device_->slots.size(), prefetched_slots);
        for (std::size_t i = 0; i < soon; ++i) __builtin_prefetch(last_device_->slots[i].get());
    }
    Device& device = *last_device_;
    if (device.is_ignored) {
        found = {nullptr, Why::Ignored};
        return true;
    }
    if (device.guess >= device.slots.size()) device.guess = 0;
    if (!device.slots.empty() && device.slots[device.guess]->address == reading.address) {
        found = {device.slots[device.guess++].get(), Why::Kept};
        return true;
    }
    if (const auto known = device.by_address.find(reading.address); known != device.by_address.end()) {
        device.guess = known->second->position + 1;
        found = {known->second, Why::Kept};
        return true;
    }
    return make_slot(device, reading, found);
}

Found Catalogue::find_by_tag(const Reading& reading) {
    const auto known = by_tag_.find(reading.tag);
    if (known != by_tag_.end()) {
        if (known->second->device->is_ignored) return {nullptr, Why::Ignored};
        return {known->second, Why::Kept};
    }
    const registry::Tag* tag = snapshot_->tag(reading.tag);
    const registry::Device* device = tag ? snapshot_->device(tag->device) : nullptr;
    if (!device) return {nullptr, Why::UnknownTag};
    Why why = Why::Kept;
    last_name_ = {};
    Device* loaded = device_named(device->tenant, device->name, why);
    const auto found = by_tag_.find(reading.tag);
    if (!loaded || found == by_tag_.end()) return {nullptr, Why::UnknownTag};
    if (loaded->is_ignored) return {nullptr, Why::Ignored};
    return {found->second, Why::Kept};
}

/// Known here, known to the registry, or new.
Device* Catalogue::device_named(TenantId tenant, std::string_view name, Why& why) {
    Names& names = devices_[tenant];
    if (const auto known = names.find(name); known != names.end()) return known->second.get();

    const registry::Device* registered = snapshot_->device_named(tenant, name);
    if (!registered) {
        if (name.empty() || name.size() > limits::device_name_bytes_max || !is_printable_utf8(name)) {
            why = Why::Name;
            return nullptr;
        }
        if (in_inbox_ + not_registered_ >= options_.devices_discovered_max) {
            why = Why::InboxFull;
            return nullptr;
        }
    }
    auto made = std::make_unique<Device>();
    Device& device = *made;
    device.tenant = tenant;
    device.name = name;
    names.emplace(device.name, std::move(made));
    device.is_new = !registered;
    if (registered)
        take_from_registry(device);
    else
        ++not_registered_;
    return &device;
}

bool Catalogue::make_slot(Device& device, const Reading& reading, Found& found) {
    const std::string_view address = reading.address;
    found.slot = nullptr;
    if (address.empty() || device.name.size() + 1 + address.size() > limits::tag_path_bytes_max ||
        !is_printable_utf8(address))
        found.why = Why::Name;
    else if (is_without_value(reading))
        found.why = Why::NoValue;  // Its type would be a guess.
    else if (device.slots.size() >= options_.tags_discovered_per_device_max)
        found.why = Why::TagsFull;
    else
        found.why = Why::Kept;
    if (found.why != Why::Kept) return true;

    const TagId tag = ids_.next();
    if (tag == TagId()) return false;
    Slot& slot = add_slot(device, tag, address);
    slot.path = device.name + "/" + slot.address;
    slot.type = reading.type;
    if (reading.unit.size() <= limits::tag_path_bytes_max && is_printable_utf8(reading.unit))
        slot.unit = reading.unit;
    series_.register_series({tag, device.tenant, slot.path, device.name, slot.unit, slot.type});
    on_discovered_(slot);
    found.slot = &slot;
    return true;
}

Slot& Catalogue::add_slot(Device& device, TagId tag, std::string_view address) {
    Slot& slot = *device.slots.emplace_back(std::make_unique<Slot>());
    slot.tag = tag;
    slot.device = &device;
    slot.position = device.slots.size() - 1;
    slot.address = address;
    device.by_address[slot.address] = &slot;
    device.guess = device.slots.size();
    by_tag_[tag] = &slot;
    return slot;
}

void Catalogue::remove_slot(Slot& slot) {
    Device& device = *slot.device;
    by_tag_.erase(slot.tag);
    if (const auto known = device.by_address.find(slot.address);
        known != device.by_address.end() && known->second == &slot)
        device.by_address.erase(known);
    const std::size_t position = slot.position;
    device.slots.erase(device.slots.begin() + static_cast<std::ptrdiff_t>(position));
    for (std::size_t i = position; i < device.slots.size(); ++i) device.slots[i]->position = i;
    device.guess = 0;
}

void Catalogue::set_snapshot(SnapshotOf<registry::Snapshot> snapshot) {
    const SnapshotOf<registry::Snapshot> before = std::exchange(snapshot_, std::move(snapshot));
    last_name_ = {};
    last_device_ = nullptr;
    // Without a gap the changes listed are all there are.
    const bool is_next = snapshot_->version == before->version + 1;
    count_inbox(is_next ? before.get() : nullptr);
    if (!is_next) return refresh_all();

    std::unordered_set<Device*> touched;
    const auto touch = [&](TenantId tenant, std::string_view name) {
        const auto names = devices_.find(tenant);
        if (names == devices_.end()) return;
        if (const auto known = names->second.find(name); known != names->second.end())
            touched.insert(known->second.get());
    };
    for (const DeviceId id : snapshot_->changed_devices) {
        if (const auto known = by_id_.find(id); known != by_id_.end()) touched.insert(known->second);
        if (const registry::Device* device = snapshot_->device(id)) touch(device->tenant, device->name);
    }
    for (const TagId id : snapshot_->changed_tags) {
        if (const auto known = by_tag_.find(id); known != by_tag_.end()) touched.insert(known->second->device);
        const registry::Tag* tag = snapshot_->tag(id);
        if (!tag) continue;
        if (const auto known = by_id_.find(tag->device); known != by_id_.end()) touched.insert(known->second);
    }
    for (Device* device : touched) take_from_registry(*device);
}

void Catalogue::refresh_all() {
    std::vector<Device*> all;
    for (const auto& [tenant, names] : devices_) {
        for (const auto& [name, device] : names) all.push_back(device.get());
    }
    for (Device* device : all) take_from_registry(*device);
}

/// How many devices wait in the inbox: from the changes since `before`, or anew.
void Catalogue::count_inbox(const registry::Snapshot* before) {
    const auto waits = [](const registry::Device* device) {
        return device && device->state == registry::DeviceState::Discovered ? 1 : 0;
    };
    if (before) {
        for (const DeviceId id : snapshot_->changed_devices) {
            in_inbox_ += static_cast<std::size_t>(waits(snapshot_->device(id)));
            in_inbox_ -= static_cast<std::size_t>(waits(before->device(id)));
        }
        return;
    }
    in_inbox_ = 0;
    for (const auto& [id, device] : snapshot_->devices) in_inbox_ += static_cast<std::size_t>(waits(device.get()));
}

/// Makes `device` what the registry says; drops it when the registry has no device of its name any more.
void Catalogue::take_from_registry(Device& device) {
    const registry::Device* registered = snapshot_->device_named(device.tenant, device.name);
    if (!registered) {
        if (device.id != DeviceId()) drop(device);
        return;
    }
    if (std::exchange(device.is_new, false)) --not_registered_;
    if (device.id != registered->id) {
        by_id_.erase(device.id);
        device.id = registered->id;
        by_id_[device.id] = &device;
    }
    device.is_ignored = registered->state == registry::DeviceState::Ignored;
    for (const TagId id : snapshot_->tags_of(device.id)) {
        if (const registry::Tag* tag = snapshot_->tag(id)) bind(device, *tag);
    }
    for (std::size_t i = device.slots.size(); i-- > 0;) {
        Slot& slot = *device.slots[i];
        const registry::Tag* tag = slot.is_registered ? snapshot_->tag(slot.tag) : nullptr;
        if (slot.is_registered && (!tag || tag->device != device.id)) remove_slot(slot);
    }
}

void Catalogue::bind(Device& device, const registry::Tag& tag) {
    auto known = by_tag_.find(tag.id);
    if (known != by_tag_.end() && (known->second->device != &device || known->second->address != tag.address)) {
        remove_slot(*known->second);  // Moved to another device, or to another address.
        known = by_tag_.end();
    }
    if (known != by_tag_.end()) return set(*known->second, tag);

    const auto same_name = device.by_address.find(tag.address);
    if (same_name == device.by_address.end()) return set(add_slot(device, tag.id, tag.address), tag);
    Slot& slot = *same_name->second;
    by_tag_.erase(slot.tag);
    slot.tag = tag.id;
    by_tag_[tag.id] = &slot;
    slot.is_registered = false;  // Under this id it is new to the store.
    set(slot, tag);
}

void Catalogue::set(Slot& slot, const registry::Tag& tag) {
    const bool is_new =
        !slot.is_registered || slot.path != tag.path || slot.unit != tag.unit || slot.type != tag.type;
    slot.is_registered = true;
    slot.path = tag.path;
    slot.unit = tag.unit;
    if (slot.type != tag.type) slot.is_type_reported = false;
    slot.type = tag.type;
    slot.scale = tag.scale;
    slot.offset = tag.offset;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    slot.low = tag.range_low.value_or(-infinity);
    slot.high = tag.range_high.value_or(infinity);
    const bool is_number = slot.type == ValueType::Double || slot.type == ValueType::Int;
    if (!is_number || !(tag.deadband > 0)) {
        slot.deadband.reset();
    } else if (!slot.deadband || slot.deadband->width != tag.deadband) {
        slot.deadband = std::make_unique<Deadband>();
        slot.deadband->width = tag.deadband;
    }
    slot.is_plain =
        slot.scale == 1 && slot.offset == 0 && slot.low == -infinity && slot.high == infinity && !slot.deadband;
    if (is_new)
        series_.register_series({slot.tag, slot.device->tenant, slot.path, slot.device->name, slot.unit, slot.type});
}

void Catalogue::drop(Device& device) {
    for (const auto& slot : device.slots) by_tag_.erase(slot->tag);
    by_id_.erase(device.id);
    Names& names = devices_[device.tenant];
    names.erase(names.find(device.name));
}

}  // namespace lineshaft::normalise
