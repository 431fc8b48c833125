#include "registry/internal/rows.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/assert.h"

namespace lineshaft::registry {
namespace {

using Json = nlohmann::ordered_json;
using Statement = Database::Statement;

/// None is NULL, so that foreign keys hold.
template <class Id>
void bind_id(Statement& statement, int index, Id id) {
    if (id == Id{}) {
        statement.bind_null(index);
    } else {
        statement.bind(index, id.value());
    }
}

template <class Id>
Id id_at(const Statement& statement, int column) {
    return Id(static_cast<decltype(Id{}.value())>(statement.integer(column)));
}

Result<std::uint64_t> insert(Database& database, Statement& statement) {
    TRY_VOID(statement.run());
    return static_cast<std::uint64_t>(database.last_row_id());
}

template <class Id>
Json id_json(Id id) {
    return id == Id{} ? Json(nullptr) : Json(std::to_string(id.value()));
}

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// Texts are checked to be UTF-8 when they come in; a bad byte must not stop the history all the same.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

constexpr std::string_view level_texts[] = {"", "enterprise", "site", "area", "line", "cell", "unit", "other"};
constexpr std::string_view state_texts[] = {"", "discovered", "accepted", "ignored"};

Json limits_json(const std::vector<Limit>& limits) {
    Json list = Json::array();
    for (const Limit& limit : limits) {
        list.push_back({{"kind", to_text(limit.kind)},
                        {"threshold", limit.threshold},
                        {"deadband", limit.deadband},
                        {"on_delay_ns", limit.on_delay.count()},
                        {"off_delay_ns", limit.off_delay.count()},
                        {"priority", static_cast<int>(limit.priority)}});
    }
    return list;
}

Result<std::vector<Limit>> read_limits(const std::string& text) {
    const Json list = Json::parse(text, nullptr, false);
    const auto corrupt = [] { return fail(ErrorCode::Corrupt, "the limits of a rule are not readable"); };
    if (!list.is_array()) return corrupt();
    std::vector<Limit> limits;
    for (const Json& item : list) {
        if (!item.is_object()) return corrupt();
        Limit limit;
        const std::string kind = item.value("kind", "");
        for (const LimitKind one : {LimitKind::HighHigh, LimitKind::High, LimitKind::Low, LimitKind::LowLow}) {
            if (kind == to_text(one)) limit.kind = one;
        }
        limit.threshold = item.value("threshold", 0.0);
        limit.deadband = item.value("deadband", 0.0);
        limit.on_delay = Duration(item.value("on_delay_ns", std::int64_t{0}));
        limit.off_delay = Duration(item.value("off_delay_ns", std::int64_t{0}));
        limit.priority = static_cast<Priority>(item.value("priority", 3));
        limits.push_back(limit);
    }
    return limits;
}

/// The library throws when a member has another type than asked for.
template <class T, class Read>
Result<T> guarded(Read read, const std::string& text) {
    try {
        return read(text);
    } catch (const nlohmann::json::exception& failure) {
        return fail(ErrorCode::Corrupt, failure.what());
    }
}

Result<std::vector<Limit>> limits_from_json(const std::string& text) {
    return guarded<std::vector<Limit>>(read_limits, text);
}

void bind_fields(Statement& s, const Tenant& row) {
    bind_id(s, 1, row.id);
    bind_id(s, 2, row.parent);
    s.bind(3, row.name).bind(4, row.version);
}

void bind_fields(Statement& s, const Asset& row) {
    bind_id(s, 1, row.id);
    bind_id(s, 2, row.tenant);
    bind_id(s, 3, row.parent);
    s.bind(4, static_cast<int>(row.level)).bind(5, row.name).bind(6, row.version);
}

void bind_fields(Statement& s, const Device& row) {
    bind_id(s, 1, row.id);
    bind_id(s, 2, row.tenant);
    bind_id(s, 3, row.asset);
    s.bind(4, row.name).bind(5, row.title).bind(6, row.protocol).bind(7, row.settings);
    s.bind(8, static_cast<int>(row.state)).bind(9, row.first_heard.ns()).bind(10, row.version);
}

void bind_fields(Statement& s, const Tag& row) {
    bind_id(s, 1, row.id);
    bind_id(s, 2, row.tenant);
    bind_id(s, 3, row.device);
    s.bind(4, row.path).bind(5, row.address).bind(6, static_cast<int>(row.type)).bind(7, row.unit);
    s.bind(8, row.description).bind(9, row.scale).bind(10, row.offset).bind(11, row.deadband);
    s.bind(12, row.range_low).bind(13, row.range_high).bind(14, row.writable).bind(15, row.version);
}

void bind_fields(Statement& s, const AlarmRule& row) {
    bind_id(s, 1, row.id);
    bind_id(s, 2, row.tenant);
    bind_id(s, 3, row.tag);
    s.bind(4, row.name).bind(5, dump(limits_json(row.limits))).bind(6, row.enabled).bind(7, row.consequence);
    s.bind(8, row.action).bind(9, row.version);
}

template <class Row>
Result<std::uint64_t> insert(Database& database, std::string_view sql, const Row& row) {
    auto statement = TRY(database.prepare(sql));
    bind_fields(statement, row);
    return insert(database, statement);
}

template <class Row>
Result<void> update(Database& database, std::string_view sql, const Row& row) {
    auto statement = TRY(database.prepare(sql));
    bind_fields(statement, row);
    TRY_VOID(statement.run());
    ASSERT(database.changes() == 1);
    return {};
}

}  // namespace

Result<std::uint64_t> insert_row(Database& database, const Tenant& row) {
    return insert(database, "INSERT INTO tenants VALUES (?, ?, ?, ?)", row);
}
Result<std::uint64_t> insert_row(Database& database, const Asset& row) {
    return insert(database, "INSERT INTO assets VALUES (?, ?, ?, ?, ?, ?)", row);
}
Result<std::uint64_t> insert_row(Database& database, const Device& row) {
    return insert(database, "INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row);
}
Result<std::uint64_t> insert_row(Database& database, const Tag& row) {
    return insert(database, "INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row);
}
Result<std::uint64_t> insert_row(Database& database, const AlarmRule& row) {
    return insert(database, "INSERT INTO rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row);
}

Result<void> update_row(Database& database, const Tenant& row) {
    return update(database, "UPDATE tenants SET parent = ?2, name = ?3, version = ?4 WHERE id = ?1", row);
}
Result<void> update_row(Database& database, const Asset& row) {
    return update(database,
                  "UPDATE assets SET tenant = ?2, parent = ?3, level = ?4, name = ?5, version = ?6 WHERE id = ?1",
                  row);
}
Result<void> update_row(Database& database, const Device& row) {
    return update(database,
                  "UPDATE devices SET tenant = ?2, asset = ?3, name = ?4, title = ?5, protocol = ?6, settings = ?7, "
                  "state = ?8, first_heard = ?9, version = ?10 WHERE id = ?1",
                  row);
}
Result<void> update_row(Database& database, const Tag& row) {
    return update(
        database,
        "UPDATE tags SET tenant = ?2, device = ?3, path = ?4, address = ?5, type = ?6, unit = ?7, "
        "description = ?8, scale = ?9, \"offset\" = ?10, deadband = ?11, range_low = ?12, range_high = ?13, "
        "writable = ?14, version = ?15 WHERE id = ?1",
        row);
}
Result<void> update_row(Database& database, const AlarmRule& row) {
    return update(database,
                  "UPDATE rules SET tenant = ?2, tag = ?3, name = ?4, limits = ?5, enabled = ?6, consequence = ?7, "
                  "action = ?8, version = ?9 WHERE id = ?1",
                  row);
}

Result<void> delete_row(Database& database, ObjectKind kind, std::uint64_t id) {
    constexpr std::string_view statements[] = {"",
                                               "DELETE FROM tenants WHERE id = ?",
                                               "DELETE FROM assets WHERE id = ?",
                                               "DELETE FROM devices WHERE id = ?",
                                               "DELETE FROM tags WHERE id = ?",
                                               "DELETE FROM rules WHERE id = ?"};
    auto statement = TRY(database.prepare(statements[static_cast<std::size_t>(kind)]));
    TRY_VOID(statement.bind(1, id).run());
    ASSERT(database.changes() == 1);
    return {};
}

Result<std::vector<Tenant>> read_tenants(Database& database) {
    auto s = TRY(database.prepare("SELECT id, parent, name, version FROM tenants ORDER BY id"));
    std::vector<Tenant> rows;
    while (TRY(s.step())) {
        Tenant row;
        row.id = id_at<TenantId>(s, 0);
        row.parent = id_at<TenantId>(s, 1);
        row.name = s.text(2);
        row.version = static_cast<std::uint64_t>(s.integer(3));
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<std::vector<Asset>> read_assets(Database& database) {
    auto s = TRY(database.prepare("SELECT id, tenant, parent, level, name, version FROM assets ORDER BY id"));
    std::vector<Asset> rows;
    while (TRY(s.step())) {
        Asset row;
        row.id = id_at<AssetId>(s, 0);
        row.tenant = id_at<TenantId>(s, 1);
        row.parent = id_at<AssetId>(s, 2);
        row.level = static_cast<AssetLevel>(s.integer(3));
        row.name = s.text(4);
        row.version = static_cast<std::uint64_t>(s.integer(5));
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<std::vector<Device>> read_devices(Database& database) {
    auto s =
        TRY(database.prepare("SELECT id, tenant, asset, name, title, protocol, settings, state, first_heard, "
                             "version FROM devices ORDER BY id"));
    std::vector<Device> rows;
    while (TRY(s.step())) {
        Device row;
        row.id = id_at<DeviceId>(s, 0);
        row.tenant = id_at<TenantId>(s, 1);
        row.asset = id_at<AssetId>(s, 2);
        row.name = s.text(3);
        row.title = s.text(4);
        row.protocol = s.text(5);
        row.settings = s.text(6);
        row.state = static_cast<DeviceState>(s.integer(7));
        row.first_heard = UtcTime(s.integer(8));
        row.version = static_cast<std::uint64_t>(s.integer(9));
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<std::vector<Tag>> read_tags(Database& database) {
    auto s =
        TRY(database.prepare("SELECT id, tenant, device, path, address, type, unit, description, scale, \"offset\", "
                             "deadband, range_low, range_high, writable, version FROM tags ORDER BY id"));
    std::vector<Tag> rows;
    while (TRY(s.step())) {
        Tag row;
        row.id = id_at<TagId>(s, 0);
        row.tenant = id_at<TenantId>(s, 1);
        row.device = id_at<DeviceId>(s, 2);
        row.path = s.text(3);
        row.address = s.text(4);
        row.type = static_cast<ValueType>(s.integer(5));
        row.unit = s.text(6);
        row.description = s.text(7);
        row.scale = s.real(8);
        row.offset = s.real(9);
        row.deadband = s.real(10);
        if (!s.is_null(11)) row.range_low = s.real(11);
        if (!s.is_null(12)) row.range_high = s.real(12);
        row.writable = s.integer(13) != 0;
        row.version = static_cast<std::uint64_t>(s.integer(14));
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<std::vector<AlarmRule>> read_rules(Database& database) {
    auto s =
        TRY(database.prepare("SELECT id, tenant, tag, name, limits, enabled, consequence, action, version "
                             "FROM rules ORDER BY id"));
    std::vector<AlarmRule> rows;
    while (TRY(s.step())) {
        AlarmRule row;
        row.id = id_at<RuleId>(s, 0);
        row.tenant = id_at<TenantId>(s, 1);
        row.tag = id_at<TagId>(s, 2);
        row.name = s.text(3);
        row.limits = TRY(limits_from_json(s.text(4)));
        row.enabled = s.integer(5) != 0;
        row.consequence = s.text(6);
        row.action = s.text(7);
        row.version = static_cast<std::uint64_t>(s.integer(8));
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string to_json(const Tenant& row) { return dump({{"parent", id_json(row.parent)}, {"name", row.name}}); }

std::string to_json(const Asset& row) {
    return dump({{"parent", id_json(row.parent)},
                 {"level", level_texts[static_cast<std::size_t>(row.level)]},
                 {"name", row.name},
                 {"path", row.path}});
}

std::string to_json(const Device& row) {
    Json settings = row.settings.empty() ? Json(nullptr) : Json::parse(row.settings, nullptr, false);
    if (settings.is_discarded()) settings = row.settings;
    return dump({{"name", row.name},
                 {"title", row.title},
                 {"protocol", row.protocol},
                 {"state", state_texts[static_cast<std::size_t>(row.state)]},
                 {"asset", id_json(row.asset)},
                 {"settings", std::move(settings)}});
}

std::string to_json(const Tag& row) {
    return dump({{"device", id_json(row.device)},
                 {"path", row.path},
                 {"address", row.address},
                 {"type", to_text(row.type)},
                 {"unit", row.unit},
                 {"description", row.description},
                 {"scale", row.scale},
                 {"offset", row.offset},
                 {"deadband", row.deadband},
                 {"range_low", optional_json(row.range_low)},
                 {"range_high", optional_json(row.range_high)},
                 {"writable", row.writable}});
}

std::string to_json(const AlarmRule& row) {
    return dump({{"tag", id_json(row.tag)},
                 {"name", row.name},
                 {"enabled", row.enabled},
                 {"consequence", row.consequence},
                 {"action", row.action},
                 {"limits", limits_json(row.limits)}});
}

static Result<Tag> read_tag(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(ErrorCode::Corrupt, "a tag's history is not readable");
    Tag tag;
    tag.device = DeviceId(std::strtoull(json.value("device", "0").c_str(), nullptr, 10));
    tag.path = json.value("path", "");
    tag.address = json.value("address", "");
    tag.type = TRY(value_type_from_text(json.value("type", "double")));
    tag.unit = json.value("unit", "");
    tag.description = json.value("description", "");
    tag.scale = json.value("scale", 1.0);
    tag.offset = json.value("offset", 0.0);
    tag.deadband = json.value("deadband", 0.0);
    if (json.contains("range_low") && json["range_low"].is_number()) tag.range_low = json["range_low"].get<double>();
    if (json.contains("range_high") && json["range_high"].is_number())
        tag.range_high = json["range_high"].get<double>();
    tag.writable = json.value("writable", false);
    return tag;
}

Result<Tag> tag_from_json(const std::string& text) { return guarded<Tag>(read_tag, text); }

Result<void> insert_history_row(Database& database, ObjectKind kind, std::uint64_t id, std::uint64_t version,
                                TenantId tenant, const std::string& json, const HistoryNote& note) {
    auto s = TRY(database.prepare("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    s.bind(1, static_cast<int>(kind)).bind(2, id).bind(3, version).bind(4, tenant.value());
    s.bind(5, note.valid_from.ns()).bind(6, note.valid_to.ns()).bind(7, note.recorded.ns()).bind(8, note.actor);
    s.bind(9, note.deleted).bind(10, json);
    return s.run();
}

Result<UtcTime> end_history(Database& database, ObjectKind kind, std::uint64_t id, std::uint64_t version,
                            UtcTime now) {
    auto s =
        TRY(database.prepare("UPDATE history SET valid_to = max(?4, valid_from) "
                             "WHERE kind = ?1 AND id = ?2 AND version = ?3 RETURNING valid_to"));
    s.bind(1, static_cast<int>(kind)).bind(2, id).bind(3, version).bind(4, now.ns());
    const bool found = TRY(s.step());
    ASSERT(found);
    const UtcTime ended(s.integer(0));
    const bool more = TRY(s.step());
    ASSERT(!more);
    return ended;
}

}  // namespace lineshaft::registry
