// Changes of devices.
#include "base/limits.h"
#include "registry/internal/check.h"

namespace lineshaft::registry {
namespace {

Result<void> check_device(const Edit& edit, const Device& device) {
    TRY_VOID(check_text("a device's title", device.title));
    TRY_VOID(check_settings(device.settings));
    if (device.asset != AssetId{}) TRY_VOID(find(edit, edit.view().assets, device.asset));
    if (device.state < DeviceState::Discovered || device.state > DeviceState::Ignored) {
        return fail(ErrorCode::InvalidArgument, "a device's state is discovered, accepted or ignored");
    }
    return {};
}

Result<void> set_state(Edit& edit, DeviceId id, const SetDeviceStates& change) {
    const Device before = *TRY(find(edit, edit.view().devices, id));
    Device device = before;
    device.state = change.state;
    if (change.asset) device.asset = *change.asset;
    TRY_VOID(check_device(edit, device));
    TRY_VOID(edit.update(before, std::move(device)));
    return {};
}

/// An error of the disk, as opposed to one of the item: it ends the whole change.
bool is_of_disk(const Error& error) {
    switch (error.code()) {
        case ErrorCode::InvalidArgument:
        case ErrorCode::NotFound:
        case ErrorCode::Conflict: return false;
        default: return true;
    }
}

}  // namespace

Result<Changed> apply(Edit& edit, const CreateDevice& change) {
    Device device;
    device.tenant = edit.tenant();
    device.asset = change.asset;
    device.name = change.name;
    device.title = change.title;
    device.protocol = change.protocol;
    device.settings = change.settings;
    device.state = DeviceState::Accepted;
    TRY_VOID(check_path("a device's name", device.name, limits::device_name_bytes_max));
    TRY_VOID(check_level("a device's protocol", device.protocol));
    TRY_VOID(check_device(edit, device));
    if (edit.view().device_named(device.tenant, device.name)) {
        return fail(
            ErrorCode::Conflict,
            fmt::format("there is a device '{}' already: change that one or choose another name", device.name));
    }
    return changed(TRY(edit.create(std::move(device))));
}

Result<Changed> apply(Edit& edit, const UpdateDevice& change) {
    const Device before = *TRY(find(edit, edit.view().devices, change.id));
    TRY_VOID(check_version(before, change.version));
    Device device = before;
    if (change.title) device.title = *change.title;
    if (change.settings) device.settings = *change.settings;
    if (change.asset) device.asset = *change.asset;
    if (change.state) device.state = *change.state;
    TRY_VOID(check_device(edit, device));
    return changed(TRY(edit.update(before, std::move(device))));
}

Result<Changed> apply(Edit& edit, const DeleteDevice& change) {
    const Device device = *TRY(find(edit, edit.view().devices, change.id));
    TRY_VOID(check_version(device, change.version));
    const std::vector<TagId> tags = edit.view().tags_of(device.id);  // Copies: the lists change below.
    for (const TagId tag : tags) {
        const std::vector<RuleId> rules = edit.view().rules_of(tag);
        for (const RuleId rule : rules) TRY_VOID(edit.remove(*edit.view().rules.at(rule)));
        TRY_VOID(edit.remove(*edit.view().tags.at(tag)));
    }
    TRY_VOID(edit.remove(device));
    return changed(device);
}

Result<Changed> apply(Edit& edit, const SetDeviceStates& change) {
    Changed result;
    if (change.asset && *change.asset != AssetId{}) TRY_VOID(find(edit, edit.view().assets, *change.asset));
    for (const DeviceId id : change.ids) {
        const auto set = set_state(edit, id, change);
        if (!set && is_of_disk(set.error())) return std::unexpected(set.error());
        ItemResult& item = result.items.emplace_back();
        item.id = id.value();
        if (!set) item.error = set.error();
    }
    return result;
}

}  // namespace lineshaft::registry
