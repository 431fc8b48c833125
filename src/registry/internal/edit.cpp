#include "registry/internal/edit.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lineshaft::registry {
namespace {

struct ActionOf {
    std::string_view operator()(const CreateTenant&) const { return "tenant.create"; }
    std::string_view operator()(const UpdateTenant&) const { return "tenant.update"; }
    std::string_view operator()(const CreateAsset&) const { return "asset.create"; }
    std::string_view operator()(const UpdateAsset&) const { return "asset.update"; }
    std::string_view operator()(const DeleteAsset&) const { return "asset.delete"; }
    std::string_view operator()(const CreateDevice&) const { return "device.create"; }
    std::string_view operator()(const UpdateDevice&) const { return "device.update"; }
    std::string_view operator()(const DeleteDevice&) const { return "device.delete"; }
    std::string_view operator()(const SetDeviceStates& change) const {
        switch (change.state) {
            case DeviceState::Accepted: return "device.accept";
            case DeviceState::Ignored: return "device.ignore";
            case DeviceState::Discovered: break;
        }
        return "device.discover";
    }
    std::string_view operator()(const SetDeviceTags&) const { return "device.set_tags"; }
    std::string_view operator()(const UpdateTag&) const { return "tag.update"; }
    std::string_view operator()(const DeleteTag&) const { return "tag.delete"; }
    std::string_view operator()(const CreateRule&) const { return "alarm_rule.create"; }
    std::string_view operator()(const UpdateRule&) const { return "alarm_rule.update"; }
    std::string_view operator()(const DeleteRule&) const { return "alarm_rule.delete"; }
};

std::string_view or_null(const std::string& json) { return json.empty() ? std::string_view("null") : json; }

}  // namespace

std::string_view action_of(const Change& change) { return std::visit(ActionOf{}, change); }

audit::Entry Edit::audit_entry(std::string_view action) const {
    audit::Entry entry;
    entry.time = now_;
    entry.tenant = tenant_;
    entry.actor = actor_.name;
    entry.address = actor_.address;
    entry.action = action;
    if (items_.empty()) return entry;
    const Item& main = last_;
    entry.target = told_ == 1
                       ? fmt::format("{} {} {}", to_text(main.kind), main.id, main.name)
                       : fmt::format("{} {} {} and {} more", to_text(main.kind), main.id, main.name, told_ - 1);
    if (told_ == 1) {
        entry.detail = fmt::format(R"({{"before":{},"after":{}}})", or_null(main.before), or_null(main.after));
    } else {
        std::string list;
        std::size_t listed = 0;
        for (const Item& item : items_) {
            // Half of an entry's bound: settings may be long.
            if (list.size() + item.before.size() + item.after.size() > audit::entry_bytes_max / 2) break;
            list += fmt::format(R"({}{{"target":"{} {}","before":{},"after":{}}})", list.empty() ? "" : ",",
                                to_text(item.kind), item.id, or_null(item.before), or_null(item.after));
            ++listed;
        }
        entry.detail = fmt::format(R"({{"items":[{}],"omitted":{}}})", list, told_ - listed);
    }
    return entry;
}

Result<TagIdRange> take_tag_ids(Database& database, std::uint64_t count) {
    auto s = TRY(database.prepare("UPDATE counters SET value = value + ? WHERE name = 'tag_ids' RETURNING value"));
    s.bind(1, count);
    const bool found = TRY(s.step());
    if (!found) return fail(ErrorCode::Corrupt, "database: the counter of tag ids is missing");
    const auto last = static_cast<std::uint64_t>(s.integer(0));
    s.reset();
    return TagIdRange{TagId(last - count + 1), count};
}

std::string free_path(const Snapshot& view, TenantId tenant, const std::string& device, const std::string& address) {
    const std::string path = device + '/' + address;
    if (!view.tag_at(tenant, path)) return path;
    for (int n = 2;; ++n) {
        std::string other = fmt::format("{}~{}", path, n);
        if (!view.tag_at(tenant, other)) return other;
    }
}

}  // namespace lineshaft::registry
