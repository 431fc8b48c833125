#include "app/normaliser_doors.h"

#include <utility>

#include <fmt/format.h>

#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::app {
namespace {

Counter not_registered{"lineshaft_discovery_failed_total", "",
                       "Discovered tags that the registry could not take; recorded all the same"};

/// Sources of other tenants than the first carry its number.
std::string stored_name(TenantId tenant, std::string_view name) {
    return tenant == TenantId(1) ? std::string(name) : fmt::format("{}:{}", tenant.value(), name);
}

}  // namespace

void BlockIds::when_available(Task task) {
    waiting_.push_back(std::move(task));
    if (look_.is_set()) return;
    look_ = shard_.every(10ms, [this] {
        if (block_->left() == 0) return;
        look_.cancel();
        for (Task& waiting : std::exchange(waiting_, {})) waiting();
    });
}

void StoreNames::register_series(const normalise::Series& series) {
    store_.register_series(series.tag, {series.path, series.unit, series.type, series.device, series.tenant});
}

normalise::SourceRegistrar::Source StoreNames::source_named(TenantId tenant, std::string_view name) {
    const SourceId id = store_.source_id(stored_name(tenant, name));
    return {id, store_.last_sequence(id)};
}

void StoreNames::refused(SourceId source, std::string_view device, std::string_view reason, UtcTime receive_time) {
    store_.refuse(source, {std::string(device), std::string(reason), 1, receive_time, receive_time});
}

void DoorLedger::connected(TenantId tenant, std::string_view source) {
    ledgers_.post_presence(stored_name(tenant, source), store::Presence::Connected, system_clock().utc_now());
}

void DoorLedger::disconnected(TenantId tenant, std::string_view source) {
    ledgers_.post_presence(stored_name(tenant, source), store::Presence::Away, system_clock().utc_now());
}

void DoorLedger::refused(TenantId tenant, std::string_view source, std::string_view device, std::string_view reason,
                         std::uint64_t count) {
    const UtcTime now = system_clock().utc_now();
    ledgers_.post_refusal(ShardId(0), stored_name(tenant, source),
                          {std::string(device), std::string(reason), count, now, now});
}

void Inbox::discovered(std::vector<normalise::Discovery> tags) {
    std::vector<registry::DiscoveredTag> rows;
    rows.reserve(tags.size());
    for (normalise::Discovery& tag : tags) {
        rows.push_back({tag.tag, tag.tenant, std::move(tag.device), std::move(tag.protocol), std::move(tag.address),
                        tag.type, std::move(tag.unit), tag.first_heard});
    }
    const auto count = static_cast<std::int64_t>(rows.size());
    registry_.post_discovered(shard_, std::move(rows), [count](Result<void> result) {
        if (result) return;
        not_registered.add(count);
        log_error("{} new tags are recorded but not in the registry until the next start: {}", count,
                  result.error().message());
    });
}

}  // namespace lineshaft::app
