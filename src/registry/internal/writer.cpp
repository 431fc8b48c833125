#include "registry/internal/writer.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/counters.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"

namespace lineshaft::registry {
namespace {

Counter changes_total{"lineshaft_registry_changes_total", "", "Changes of the plant that were committed"};
Counter discovered_total{"lineshaft_registry_discovered_tags_total", "", "Tags met for the first time"};
Counter refused_total{"lineshaft_registry_refused_tags_total", "", "Tags met for the first time that were not taken"};

/// Assets come by id, and a parent may have a higher id than its child: paths are made from the top.
void put_with_path(SnapshotBuilder& builder, const std::unordered_map<AssetId, Asset*>& by_id, Asset& asset) {
    if (builder.view().asset(asset.id)) return;
    asset.path = asset.name;
    const auto parent = by_id.find(asset.parent);
    if (parent != by_id.end()) {
        put_with_path(builder, by_id, *parent->second);
        asset.path = builder.view().asset(asset.parent)->path + '/' + asset.name;
    }
    builder.put(asset);
}

// A last bound: the normaliser's setting lies at or below it.
constexpr std::size_t tags_per_device_max = 1'000'000;

}  // namespace

Result<std::unique_ptr<Writer>> Writer::create(const std::string& path, audit::Log* audit_log, DeviceState discovery,
                                               UtcTime now) {
    auto database = TRY(open_database(path, now));
    auto writer = std::unique_ptr<Writer>(new Writer(std::move(database), audit_log, discovery));
    TRY_VOID(writer->load());
    return writer;
}

Result<void> Writer::load() {
    SnapshotBuilder builder;
    for (Tenant& tenant : TRY(read_tenants(*database_))) builder.put(std::move(tenant));
    auto assets = TRY(read_assets(*database_));
    std::unordered_map<AssetId, Asset*> by_id;
    for (Asset& asset : assets) by_id.emplace(asset.id, &asset);
    for (Asset& asset : assets) put_with_path(builder, by_id, asset);
    for (Device& device : TRY(read_devices(*database_))) {
        if (device.state == DeviceState::Discovered) ++devices_discovered_;
        builder.put(std::move(device));
    }
    for (Tag& tag : TRY(read_tags(*database_))) builder.put(std::move(tag));
    for (AlarmRule& rule : TRY(read_rules(*database_))) builder.put(std::move(rule));
    newest_ = builder.build();
    return {};
}

SnapshotOf<Snapshot> Writer::take_unseen() {
    if (seen_) return nullptr;
    seen_ = true;
    return newest_;
}

void Writer::advance(Edit& edit) {
    // Before the new snapshot takes over: how many devices entered or left the inbox.
    const Snapshot& after = edit.view();
    for (const DeviceId id : after.changed_devices) {
        const Device* was = newest_->device(id);
        const Device* is = after.device(id);
        if (was && was->state == DeviceState::Discovered) --devices_discovered_;
        if (is && is->state == DeviceState::Discovered) ++devices_discovered_;
    }
    newest_ = edit.build();
    seen_ = false;
}

Result<Changed> Writer::change(TenantId tenant, const Change& change, const Actor& actor, UtcTime now) {
    if (!newest_->tenants.contains(tenant)) {
        return fail(ErrorCode::NotFound, fmt::format("there is no tenant {}", tenant.value()));
    }
    auto transaction = TRY(database_->begin());
    Edit edit(*database_, *newest_, seen(), tenant, actor, now);
    Changed result = TRY(std::visit([&](const auto& one) { return apply(edit, one); }, change));
    result.snapshot_version = newest_->version;
    if (edit.is_empty()) return result;
    // The entry comes first: an action that is not in the log must not have happened. The reverse is told below.
    audit::Entry entry = edit.audit_entry(action_of(change));
    if (audit_log_) TRY_VOID(audit_log_->record(entry));
    const auto committed = transaction.commit();
    if (!committed) {
        entry.outcome = audit::Outcome::Failed;
        entry.detail = R"({"reason":"the change could not be committed"})";
        if (audit_log_ && !audit_log_->record(std::move(entry))) {
            log_error("registry: {} was not committed, and the audit log could not be told", action_of(change));
        }
        return std::unexpected(committed.error());
    }
    advance(edit);
    changes_total.add();
    result.snapshot_version = newest_->version;
    return result;
}

struct Writer::Discovery {
    std::unordered_map<DeviceId, std::unordered_set<std::string>> addresses;  // Of the devices touched.
    std::size_t taken = 0;
    std::size_t refused = 0;
    std::size_t devices_new = 0;
    std::string reason;  // Of the first refused.
    ErrorCode code = ErrorCode::LimitExceeded;

    void refuse(ErrorCode why, std::string text) {
        if (refused++ > 0) return;
        reason = std::move(text);
        code = why;
    }
};

Result<void> Writer::discover(std::vector<DiscoveredTag> tags, UtcTime now) {
    auto transaction = TRY(database_->begin());
    const Actor actor{"discovery", ""};
    Edit edit(*database_, *newest_, seen(), TenantId(1), actor, now);
    Discovery so_far;
    for (DiscoveredTag& tag : tags) TRY_VOID(discover_one(edit, tag, so_far));
    if (!edit.is_empty()) {
        TRY_VOID(transaction.commit());
        advance(edit);
        discovered_total.add(static_cast<std::int64_t>(so_far.taken));
    }
    if (so_far.refused == 0) return {};
    refused_total.add(static_cast<std::int64_t>(so_far.refused));
    return fail(so_far.code, fmt::format("{} new tags were not taken: {}", so_far.refused, so_far.reason));
}

Result<bool> Writer::has_history(ObjectKind kind, std::uint64_t id) {
    auto select = TRY(database_->prepare("SELECT 1 FROM history WHERE kind = ? AND id = ? LIMIT 1"));
    select.bind(1, std::int64_t{static_cast<int>(kind)}).bind(2, static_cast<std::int64_t>(id));
    return select.step();
}

Result<void> Writer::discover_one(Edit& edit, DiscoveredTag& found, Discovery& so_far) {
    const auto is_name = [](const std::string& text, std::size_t bytes_max) {
        return !text.empty() && text.size() <= bytes_max && is_printable_utf8(text);
    };
    if (!is_name(found.device, limits::device_name_bytes_max) ||
        !is_name(found.address, limits::tag_path_bytes_max) ||
        found.device.size() + 1 + found.address.size() > limits::tag_path_bytes_max || found.id == TagId{} ||
        !edit.view().tenants.contains(found.tenant)) {
        so_far.refuse(ErrorCode::InvalidArgument, "a name is empty, too long or not printable");
        return {};
    }
    const UtcTime first = found.first_time.is_none() || found.first_time > edit.now() ? edit.now() : found.first_time;
    const Device* known = edit.view().device_named(found.tenant, found.device);
    DeviceId device = known ? known->id : DeviceId{};
    if (!known) {
        if (discovery_ == DeviceState::Discovered &&
            devices_discovered_ + so_far.devices_new >= limits::devices_discovered_max) {
            so_far.refuse(ErrorCode::LimitExceeded,
                          fmt::format("the inbox holds {} devices: accept, ignore or delete some",
                                      limits::devices_discovered_max));
            return {};
        }
        Device row;
        row.tenant = found.tenant;
        row.name = found.device;
        row.protocol = found.protocol;
        row.state = discovery_;
        row.first_heard = first;
        device = TRY(edit.create(std::move(row), first)).id;
        ++so_far.devices_new;
    }
    auto [addresses, is_new] = so_far.addresses.try_emplace(device);
    if (is_new) {
        for (const TagId id : edit.view().tags_of(device)) addresses->second.insert(edit.view().tags.at(id)->address);
    }
    if (addresses->second.contains(found.address) || edit.view().tags.contains(found.id)) return {};
    // An id with a history belongs to a tag that somebody has deleted: the store still has its samples, and that is all.
    if (TRY(has_history(ObjectKind::Tag, found.id.value()))) return {};
    if (addresses->second.size() >= tags_per_device_max) {
        so_far.refuse(ErrorCode::LimitExceeded, fmt::format("device '{}' has {} tags: name further ones by hand",
                                                            found.device, tags_per_device_max));
        return {};
    }
    Tag tag;
    tag.id = found.id;
    tag.tenant = found.tenant;
    tag.device = device;
    tag.path = free_path(edit.view(), found.tenant, found.device, found.address);
    tag.type = found.type;
    tag.unit = is_name(found.unit, 64) ? found.unit : std::string();
    addresses->second.insert(found.address);
    tag.address = std::move(found.address);
    TRY_VOID(edit.create(std::move(tag), first));
    ++so_far.taken;
    return {};
}

Result<TagIdRange> Writer::reserve_tag_ids(std::uint64_t count) {
    auto transaction = TRY(database_->begin());
    const TagIdRange range = TRY(take_tag_ids(*database_, count));
    TRY_VOID(transaction.commit());
    return range;
}

Result<std::vector<HistoryEntry>> Writer::history(TenantId tenant, ObjectKind kind, std::uint64_t id) {
    auto s =
        TRY(database_->prepare("SELECT version, valid_from, valid_to, recorded, actor, deleted, content FROM history "
                               "WHERE kind = ? AND id = ? AND tenant = ? ORDER BY version DESC"));
    s.bind(1, static_cast<int>(kind)).bind(2, id).bind(3, tenant.value());
    std::vector<HistoryEntry> entries;
    while (TRY(s.step())) {
        HistoryEntry& entry = entries.emplace_back();
        entry.kind = kind;
        entry.id = id;
        entry.version = static_cast<std::uint64_t>(s.integer(0));
        entry.valid_from = UtcTime(s.integer(1));
        entry.valid_to = UtcTime(s.integer(2));
        entry.recorded = UtcTime(s.integer(3));
        entry.actor = s.text(4);
        entry.deleted = s.integer(5) != 0;
        entry.row = s.text(6);
    }
    if (entries.empty()) {
        return fail(ErrorCode::NotFound, fmt::format("there never was a {} {}", to_text(kind), id));
    }
    return entries;
}

Result<Tag> Writer::tag_at(TenantId tenant, TagId id, UtcTime at) {
    // Values older than the tag's first version were recorded under what was first known of it.
    auto s =
        TRY(database_->prepare("SELECT version, content FROM history WHERE kind = ?1 AND id = ?2 AND tenant = ?3 "
                               "AND deleted = 0 ORDER BY (valid_from <= ?4) DESC, "
                               "CASE WHEN valid_from <= ?4 THEN -version ELSE version END LIMIT 1"));
    s.bind(1, static_cast<int>(ObjectKind::Tag)).bind(2, id.value()).bind(3, tenant.value()).bind(4, at.ns());
    if (!TRY(s.step())) return fail(ErrorCode::NotFound, fmt::format("there never was a tag {}", id.value()));
    Tag tag = TRY(tag_from_json(s.text(1)));
    tag.id = id;
    tag.tenant = tenant;
    tag.version = static_cast<std::uint64_t>(s.integer(0));
    return tag;
}

}  // namespace lineshaft::registry
