// Changes of tenants and assets.
#include <algorithm>

#include "registry/internal/check.h"

namespace lineshaft::registry {
namespace {

/// The asker's own tenant or one below it; others do not exist for it.
Result<const Tenant*> find_tenant(const Edit& edit, TenantId id) {
    for (const Tenant* at = edit.view().tenants.get(id); at; at = edit.view().tenants.get(at->parent)) {
        if (at->id == edit.tenant()) return edit.view().tenants.get(id);
    }
    return fail(ErrorCode::NotFound, fmt::format("there is no tenant {}", id.value()));
}

Result<void> check_tenant_name(const Edit& edit, TenantId parent, TenantId self, const std::string& name) {
    TRY_VOID(check_level("a tenant's name", name));
    for (const auto& [id, tenant] : edit.view().tenants) {
        if (id == self || tenant->parent != parent || tenant->name != name) continue;
        return fail(ErrorCode::Conflict, fmt::format("there is a tenant '{}' already: choose another name", name));
    }
    return {};
}

Result<void> check_asset(const Edit& edit, const Asset& asset) {
    TRY_VOID(check_level("an asset's name", asset.name));
    if (asset.level < AssetLevel::Enterprise || asset.level > AssetLevel::Other) {
        return fail(ErrorCode::InvalidArgument,
                    "an asset's level is enterprise, site, area, line, cell, unit or other");
    }
    std::size_t depth = 1;
    for (AssetId at = asset.parent; at != AssetId{}; ++depth) {
        const Asset* above = TRY(find(edit, edit.view().assets, at));
        if (at == asset.id) {
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("'{}' cannot lie below itself: choose another parent", asset.name));
        }
        at = above->parent;
    }
    if (depth > asset_depth_max) {
        return fail(ErrorCode::InvalidArgument, fmt::format("assets may be {} levels deep", asset_depth_max));
    }
    for (const auto& [id, other] : edit.view().assets) {
        if (id == asset.id || other->tenant != asset.tenant || other->parent != asset.parent) continue;
        if (other->name != asset.name) continue;
        return fail(ErrorCode::Conflict, fmt::format("'{}' is there already: choose another name", other->path));
    }
    return {};
}

std::string path_of(const Snapshot& view, const Asset& asset) {
    const Asset* parent = view.asset(asset.parent);
    return parent ? parent->path + '/' + asset.name : asset.name;
}

/// What lies below an asset that has moved gets its new path.
void show_below(Edit& edit, AssetId id) {
    std::vector<Asset> children;
    for (const auto& [child, asset] : edit.view().assets) {
        if (asset->parent == id) children.push_back(*asset);
    }
    for (Asset& child : children) {
        child.path = path_of(edit.view(), child);
        edit.show(child);
        show_below(edit, child.id);
    }
}

}  // namespace

Result<Changed> apply(Edit& edit, const CreateTenant& change) {
    Tenant tenant;
    tenant.parent = change.parent == TenantId{} ? edit.tenant() : change.parent;
    tenant.name = change.name;
    TRY_VOID(find_tenant(edit, tenant.parent));
    TRY_VOID(check_tenant_name(edit, tenant.parent, {}, tenant.name));
    return changed(TRY(edit.create(std::move(tenant))));
}

Result<Changed> apply(Edit& edit, const UpdateTenant& change) {
    const Tenant before = *TRY(find_tenant(edit, change.id));
    TRY_VOID(check_version(before, change.version));
    Tenant tenant = before;
    if (change.name) tenant.name = *change.name;
    TRY_VOID(check_tenant_name(edit, tenant.parent, tenant.id, tenant.name));
    return changed(TRY(edit.update(before, std::move(tenant))));
}

Result<Changed> apply(Edit& edit, const CreateAsset& change) {
    Asset asset;
    asset.tenant = edit.tenant();
    asset.parent = change.parent;
    asset.level = change.level;
    asset.name = change.name;
    TRY_VOID(check_asset(edit, asset));
    asset.path = path_of(edit.view(), asset);
    return changed(TRY(edit.create(std::move(asset))));
}

Result<Changed> apply(Edit& edit, const UpdateAsset& change) {
    const Asset before = *TRY(find(edit, edit.view().assets, change.id));
    TRY_VOID(check_version(before, change.version));
    Asset asset = before;
    if (change.parent) asset.parent = *change.parent;
    if (change.level) asset.level = *change.level;
    if (change.name) asset.name = *change.name;
    TRY_VOID(check_asset(edit, asset));
    asset.path = path_of(edit.view(), asset);
    const Asset after = TRY(edit.update(before, std::move(asset)));
    if (after.path != before.path) show_below(edit, after.id);
    return changed(after);
}

Result<Changed> apply(Edit& edit, const DeleteAsset& change) {
    const Asset asset = *TRY(find(edit, edit.view().assets, change.id));
    TRY_VOID(check_version(asset, change.version));
    for (const auto& [id, other] : edit.view().assets) {
        if (other->parent != asset.id) continue;
        return fail(ErrorCode::Conflict,
                    fmt::format("'{}' lies below '{}': move or delete it first", other->path, asset.path));
    }
    std::vector<Device> placed;
    for (const auto& [id, device] : edit.view().devices) {
        if (device->asset == asset.id) placed.push_back(*device);
    }
    for (const Device& before : placed) {
        Device device = before;
        device.asset = {};
        TRY_VOID(edit.update(before, std::move(device)));
    }
    TRY_VOID(edit.remove(asset));
    return changed(asset);
}

}  // namespace lineshaft::registry
