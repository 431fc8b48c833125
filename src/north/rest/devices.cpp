#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

using registry::Device;
using registry::DeviceState;

std::string_view state_text(DeviceState state) {
    switch (state) {
        case DeviceState::Discovered: return "discovered";
        case DeviceState::Accepted: return "accepted";
        case DeviceState::Ignored: return "ignored";
    }
    return "unknown";
}

/// What the store knows of a device: when it last spoke, and how many of its tags are good now.
struct Heard {
    UtcTime last;
    std::size_t values = 0, good = 0;
};

Heard heard_of(const registry::Snapshot& snapshot, DeviceId device, const LastValues& values) {
    Heard heard;
    for (const TagId tag : snapshot.tags_of(device)) {
        const auto at = values.find(tag);
        if (at == values.end()) continue;
        ++heard.values;
        heard.good += at->second.quality.is_good();
        heard.last = std::max(heard.last, at->second.receive_time);
    }
    return heard;
}

Json settings_json(const Device& device) {
    if (device.settings.empty()) return Json();
    Json settings = Json::parse(device.settings, nullptr, false);
    return settings.is_discarded() ? Json() : settings;
}

Json device_json(const registry::Snapshot& snapshot, const Device& device, const LastValues& values) {
    const Heard heard = heard_of(snapshot, device.id, values);
    return {{"id", id_text(device.id.value())},
            {"name", device.name},
            {"title", device.title.empty() ? device.name : device.title},
            {"protocol", device.protocol},
            {"state", state_text(device.state)},
            {"asset", device.asset == AssetId() ? Json() : Json(id_text(device.asset.value()))},
            {"first_heard", time_json(device.first_heard)},
            {"last_heard", time_json(heard.last)},
            {"tag_count", snapshot.tags_of(device.id).size()},
            {"good_share",
             heard.values ? Json(static_cast<double>(heard.good) / static_cast<double>(heard.values)) : Json()},
            {"settings", settings_json(device)},
            {"connection", nullptr}};
}

std::vector<const registry::Tag*> tags_of(const registry::Snapshot& snapshot,
                                          const std::vector<const Device*>& devices) {
    std::vector<const registry::Tag*> tags;
    for (const Device* device : devices) {
        for (const TagId id : snapshot.tags_of(device->id)) {
            if (const registry::Tag* tag = snapshot.tag(id)) tags.push_back(tag);
        }
    }
    return tags;
}

/// Answers with `devices`, their last values and their connections; `whole` says whether a list is asked for.
class DeviceAnswer {
public:
    static void give(Call call, SnapshotOf<registry::Snapshot> snapshot, std::vector<const Device*> devices,
                     Json next, bool list, unsigned status = 200) {
        auto* self =
            new DeviceAnswer{std::move(call), std::move(snapshot), std::move(devices), std::move(next), list, status};
        gather_last(*self->call_.services, *self->snapshot_, tags_of(*self->snapshot_, self->devices_),
                    [self](LastValues values) { self->add_connections(std::move(values)); });
    }

private:
    DeviceAnswer(Call call, SnapshotOf<registry::Snapshot> snapshot, std::vector<const Device*> devices, Json next,
                 bool list, unsigned status)
        : call_(std::move(call)),
          snapshot_(std::move(snapshot)),
          devices_(std::move(devices)),
          next_(std::move(next)),
          list_(list),
          status_(status) {}

    void add_connections(LastValues values) {
        left_ = devices_.size() + 1;
        for (const Device* device : devices_) items_.push_back(device_json(*snapshot_, *device, values));
        for (std::size_t i = 0; i < devices_.size(); ++i) {
            call_.services->extras.connection(call_.services->shard, *devices_[i],
                                              [this, i](Result<std::string> text) {
                                                  if (text && !text->empty())
                                                      items_[i]["connection"] = Json::parse(*text, nullptr, false);
                                                  arrived();
                                              });
        }
        arrived();
    }

    void arrived() {
        if (--left_ > 0) return;
        const std::unique_ptr<DeviceAnswer> self(this);
        if (list_)
            call_.answer({{"items", std::move(items_)}, {"next", std::move(next_)}});
        else
            call_.answer(items_.at(0), status_);
    }

    Call call_;
    SnapshotOf<registry::Snapshot> snapshot_;
    std::vector<const Device*> devices_;
    Json next_;
    bool list_;
    unsigned status_;
    std::vector<Json> items_;
    std::size_t left_ = 0;
};

void get_devices(Call call) {
    const auto asked = call.limit(200);
    if (!asked) return call.answer(asked.error());
    const std::size_t limit = std::min(*asked, page_items_max);
    const std::string state = call.parameter("state"), q = call.parameter("q"), cursor = call.parameter("cursor");
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    std::vector<const Device*> devices;
    for (const auto& [id, device] : snapshot->devices) {
        if (device->tenant != call.tenant()) continue;
        if (!state.empty() && state_text(device->state) != state) continue;
        if (!contains(device->name, q) && !contains(device->title, q)) continue;
        if (!cursor.empty() && device->name <= cursor) continue;
        devices.push_back(device.get());
    }
    std::ranges::sort(devices, {}, &Device::name);
    Json next;
    if (devices.size() > limit) {
        devices.resize(limit);
        next = devices.back()->name;
    }
    DeviceAnswer::give(std::move(call), snapshot, std::move(devices), std::move(next), true);
}

void answer_device(Call call, DeviceId id, unsigned status) {
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    const Device* device = snapshot->device(id);
    if (!device || device->tenant != call.tenant()) {
        return call.answer(Error(ErrorCode::NotFound, fmt::format("there is no device {}", id.value())));
    }
    DeviceAnswer::give(std::move(call), snapshot, {device}, Json(), false, status);
}

void get_device(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    answer_device(std::move(call), DeviceId(*id), 200);
}

/// Settings as the body has them: an object, kept as its text.
Result<std::optional<std::string>> settings_field(const Json& body) {
    const auto at = body.find("settings");
    if (at == body.end() || at->is_null()) return std::nullopt;
    if (!at->is_object()) return fail(ErrorCode::InvalidArgument, "'settings' must be an object");
    return at->dump();
}

/// After a device was made or changed: makes its tags be what its settings name, then answers.
void set_tags(Call call, DeviceId id, std::vector<registry::NewTag> tags, unsigned status) {
    if (tags.empty()) return answer_device(std::move(call), id, status);
    registry::SetDeviceTags what;
    what.device = id;
    what.tags = std::move(tags);
    change(std::move(call), std::move(what),
           [id, status](Call answer, const registry::Changed&) { answer_device(std::move(answer), id, status); });
}

void post_device(Call call) {
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto name = required_text(*body, "name");
    auto protocol = required_text(*body, "protocol");
    auto settings = settings_field(*body);
    auto title = text_field(*body, "title");
    auto asset = id_field(*body, "asset");
    if (!name) return call.answer(name.error());
    if (!protocol) return call.answer(protocol.error());
    if (!settings) return call.answer(settings.error());
    if (!title) return call.answer(title.error());
    if (!asset) return call.answer(asset.error());
    auto tags = call.services->extras.check_settings(*protocol, settings->value_or(""));
    if (!tags) return call.answer(tags.error());
    registry::CreateDevice what;
    what.name = *std::move(name);
    what.title = std::move(*title).value_or("");
    what.protocol = *std::move(protocol);
    what.settings = std::move(*settings).value_or("");
    what.asset = AssetId(asset->value_or(0));
    change(std::move(call), std::move(what),
           [tags = *std::move(tags)](Call answer, const registry::Changed& changed) mutable {
               set_tags(std::move(answer), DeviceId(changed.id), std::move(tags), 201);
           });
}

Result<registry::UpdateDevice> device_update(DeviceId id, const Json& body) {
    registry::UpdateDevice what;
    what.id = id;
    what.title = TRY(text_field(body, "title"));
    what.settings = TRY(settings_field(body));
    if (body.contains("asset")) what.asset = AssetId(TRY(id_field(body, "asset")).value_or(0));
    if (const auto state = TRY(text_field(body, "state"))) {
        if (*state == "accepted")
            what.state = DeviceState::Accepted;
        else if (*state == "ignored")
            what.state = DeviceState::Ignored;
        else
            return fail(ErrorCode::InvalidArgument, "'state' must be accepted or ignored");
    }
    return what;
}

void update_settings(Call call, const Device& device, registry::UpdateDevice what) {
    std::vector<registry::NewTag> tags;
    if (what.settings) {
        auto checked = call.services->extras.check_settings(device.protocol, *what.settings);
        if (!checked) return call.answer(checked.error());
        tags = *std::move(checked);
    }
    const DeviceId id = device.id;
    change(std::move(call), std::move(what),
           [id, tags = std::move(tags)](Call answer, const registry::Changed&) mutable {
               set_tags(std::move(answer), id, std::move(tags), 200);
           });
}

/// The device in the path, or null after answering NotFound.
const Device* device_asked(Call& call, const registry::Snapshot& snapshot) {
    const auto id = call.id();
    const Device* device = id ? snapshot.device(DeviceId(*id)) : nullptr;
    if (device && device->tenant == call.tenant()) return device;
    call.answer(Error(ErrorCode::NotFound, fmt::format("there is no device '{}'", call.arguments[0])));
    return nullptr;
}

void patch_device(Call call) {
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    const Device* device = device_asked(call, *snapshot);
    if (!device) return;
    const auto body = call.body();
    if (!body) return call.answer(body.error());
    auto what = device_update(device->id, *body);
    if (!what) return call.answer(what.error());
    update_settings(std::move(call), *device, *std::move(what));
}

void delete_device(Call call) {
    const auto id = call.id();
    if (!id) return call.answer(id.error());
    change(std::move(call), registry::DeleteDevice{DeviceId(*id), 0},
           [](Call answer, const registry::Changed&) { answer.answer_nothing(); });
}

Result<registry::SetDeviceStates> states_asked(const Call& call, DeviceState state) {
    registry::SetDeviceStates what;
    what.state = state;
    Json body = Json::object();
    if (!call.request.body.empty()) body = TRY(call.body());
    if (const auto asset = TRY(id_field(body, "asset"))) what.asset = AssetId(*asset);
    if (!call.arguments.empty()) {
        what.ids.push_back(DeviceId(TRY(call.id())));
        return what;
    }
    const auto ids = body.find("ids");
    if (ids == body.end() || !ids->is_array())
        return fail(ErrorCode::InvalidArgument, "'ids' must be an array of device ids");
    for (const Json& id : *ids) {
        const Json one = {{"id", id}};
        what.ids.push_back(DeviceId(TRY(id_field(one, "id")).value_or(0)));
    }
    return what;
}

void set_states(Call call, DeviceState state) {
    auto what = states_asked(call, state);
    if (!what) return call.answer(what.error());
    const bool single = !call.arguments.empty();
    change(std::move(call), *std::move(what), [single](Call answer, const registry::Changed& changed) {
        if (single && !changed.items.empty() && changed.items[0].error) return answer.answer(*changed.items[0].error);
        if (single) return answer_device(std::move(answer), DeviceId(changed.items.at(0).id), 200);
        Json items = Json::array();
        for (const registry::ItemResult& item : changed.items) {
            items.push_back(
                {{"id", id_text(item.id)}, {"ok", !item.error}, {"detail", item.error ? item.error->message() : ""}});
        }
        answer.answer({{"items", std::move(items)}});
    });
}

void accept_devices(Call call) { set_states(std::move(call), DeviceState::Accepted); }
void ignore_devices(Call call) { set_states(std::move(call), DeviceState::Ignored); }

void get_registers(Call call) {
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    const Device* device = device_asked(call, *snapshot);
    if (!device) return;
    auto csv = call.services->extras.registers_csv(device->settings);
    if (!csv) return call.answer(csv.error());
    net::HttpResponse response;
    response.headers = {{"Content-Type", "text/csv; charset=utf-8"},
                        {"Content-Disposition", "attachment; filename=\"registers.csv\""}};
    response.body = *std::move(csv);
    call.answer(std::move(response));
}

void put_registers(Call call) {
    const auto snapshot = call.services->registry.snapshot(call.services->shard);
    const Device* device = device_asked(call, *snapshot);
    if (!device) return;
    auto merge = call.services->extras.merge_csv(device->settings, call.request.body);
    if (!merge) return call.answer(merge.error());
    const Json report = {{"rows", merge->rows}, {"errors", Json::parse(merge->errors, nullptr, false)}};
    if (call.parameter("dry_run") == "true" || !report["errors"].empty()) {
        return call.answer(report, call.parameter("dry_run") == "true" ? 200 : 422);
    }
    registry::UpdateDevice what;
    what.id = device->id;
    what.settings = std::move(merge->settings);
    update_settings(std::move(call), *device, std::move(what));
}

}  // namespace

std::vector<Route> device_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/devices", ReadConfiguration, get_devices},
            {"POST", "/api/v1/devices", EditDevices, post_device},
            {"POST", "/api/v1/devices:accept", EditDevices, accept_devices},
            {"POST", "/api/v1/devices:ignore", EditDevices, ignore_devices},
            {"GET", "/api/v1/devices/{}", ReadConfiguration, get_device},
            {"PATCH", "/api/v1/devices/{}", EditDevices, patch_device},
            {"DELETE", "/api/v1/devices/{}", EditDevices, delete_device},
            {"POST", "/api/v1/devices/{}:accept", EditDevices, accept_devices},
            {"POST", "/api/v1/devices/{}:ignore", EditDevices, ignore_devices},
            {"GET", "/api/v1/devices/{}/registers.csv", ReadConfiguration, get_registers},
            {"PUT", "/api/v1/devices/{}/registers.csv", EditDevices, put_registers}};
}

}  // namespace lineshaft::rest
