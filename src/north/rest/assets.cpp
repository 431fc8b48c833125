#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

using registry::AssetLevel;

constexpr std::array<std::pair<AssetLevel, std::string_view>, 7> level_names{{{AssetLevel::Enterprise, "enterprise"},
                                                                              {AssetLevel::Site, "site"},
                                                                              {AssetLevel::Area, "area"},
                                                                              {AssetLevel::Line, "line"},
                                                                              {AssetLevel::Cell, "cell"},
                                                                              {AssetLevel::Unit, "unit"},
                                                                              {AssetLevel::Other, "other"}}};

std::string_view level_text(AssetLevel level) {
    for (const auto& [value, name] : level_names) {
        if (value == level) return name;
    }
    return "other";
}

Result<std::optional<AssetLevel>> level_field(const Json& body) {
    const auto text = TRY(text_field(body, "level"));
    if (!text) return std::nullopt;
    for (const auto& [value, name] : level_names) {
        if (name == *text) return value;
    }
    return fail(ErrorCode::InvalidArgument,
                fmt::format("level '{}' is none of enterprise, site, area, line, cell, unit, other", *text));
}

Json asset_json(const registry::Asset& asset) {
    return {{"id", id_text(asset.id.value())},
            {"parent", asset.parent == AssetId() ? Json() : Json(id_text(asset.parent.value()))},
            {"level", level_text(asset.level)},
            {"name", asset.name},
            {"path", asset.path}};
}

void get_assets(Call call) {
    std::vector<const registry::Asset*> assets;
    for (const auto& [id, asset] : call.snapshot().assets) {
        if (asset->tenant == call.tenant()) assets.push_back(asset.get());
    }
    std::ranges::sort(assets, {}, &registry::Asset::path);
    Json items = Json::array();
    for (const registry::Asset* asset : assets) items.push_back(asset_json(*asset));
    call.answer({{"items", std::move(items)}, {"next", nullptr}});
}

void answer_asset(Call call, AssetId id, unsigned status) {
    const registry::Asset* asset = call.snapshot().asset(id);
    if (!asset) return call.answer(Error(ErrorCode::NotFound, "the asset has just been deleted"));
    call.answer(asset_json(*asset), status);
}

Result<registry::CreateAsset> new_asset(const Json& body) {
    registry::CreateAsset what;
    what.name = TRY(required_text(body, "name"));
    what.level = TRY(level_field(body)).value_or(AssetLevel::Other);
    what.parent = AssetId(TRY(id_field(body, "parent")).value_or(0));
    return what;
}

void post_asset(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto what = new_asset(*body);
    if (!what) return call.answer(what.error());
    change(std::move(call), *std::move(what), [](Call answer, const registry::Changed& changed) {
        answer_asset(std::move(answer), AssetId(changed.id), 201);
    });
}

Result<registry::UpdateAsset> asset_update(AssetId id, const Json& body) {
    registry::UpdateAsset what;
    what.id = id;
    what.name = TRY(text_field(body, "name"));
    what.level = TRY(level_field(body));
    if (body.contains("parent")) what.parent = AssetId(TRY(id_field(body, "parent")).value_or(0));
    return what;
}

void patch_asset(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto what = asset_update(AssetId(*id), *body);
    if (!what) return call.answer(what.error());
    change(std::move(call), *std::move(what), [](Call answer, const registry::Changed& changed) {
        answer_asset(std::move(answer), AssetId(changed.id), 200);
    });
}

void delete_asset(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    change(std::move(call), registry::DeleteAsset{AssetId(*id), 0},
           [](Call answer, const registry::Changed&) { answer.answer_nothing(); });
}

}  // namespace

std::vector<Route> asset_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/assets", ReadConfiguration, get_assets},
            {"POST", "/api/v1/assets", EditAssets, post_asset},
            {"PATCH", "/api/v1/assets/{}", EditAssets, patch_asset},
            {"DELETE", "/api/v1/assets/{}", EditAssets, delete_asset}};
}

}  // namespace lineshaft::rest
