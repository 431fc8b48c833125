/// Which tag a reading belongs to: devices and tags of this shard, as the registry knows them and as they were
/// discovered since.
///
/// A discovered tag lives here from its first reading on; when the registry has written it, the next snapshot confirms
/// it under the same id. Should the registry know the same name under another id, that id wins.
///
/// Threads: own shard only. Pointers are good until the next set_snapshot.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/reading.h"
#include "normalise/doors.h"
#include "normalise/internal/slot.h"
#include "normalise/internal/tally.h"
#include "normalise/normaliser.h"
#include "registry/snapshot.h"

namespace lineshaft::normalise {

/// Where a reading belongs, or why it belongs nowhere.
struct Found {
    Slot* slot = nullptr;
    Why why = Why::Kept;
};

class Catalogue {
public:
    using OnDiscovered = std::function<void(const Slot& slot)>;

    Catalogue(const Normaliser::Options& options, TagIdSource& ids, SeriesRegistrar& series,
              OnDiscovered on_discovered);

    void set_snapshot(SnapshotOf<registry::Snapshot> snapshot);

    /// The slot of `reading`, made if its names are new. False when a new tag needs an id and there is none now.
    bool find(TenantId tenant, const Reading& reading, Found& found);
    /// Before the readings of another batch: their texts lie elsewhere.
    void forget_last() { last_name_ = {}; }

private:
    Found find_by_tag(const Reading& reading);
    Device* device_named(TenantId tenant, std::string_view name, Why& why);
    bool make_slot(Device& device, const Reading& reading, Found& found);
    Slot& add_slot(Device& device, TagId tag, std::string_view address);
    void remove_slot(Slot& slot);

    void take_from_registry(Device& device);
    void bind(Device& device, const registry::Tag& tag);
    void set(Slot& slot, const registry::Tag& tag);
    void drop(Device& device);
    void count_inbox(const registry::Snapshot* before);
    void refresh_all();

    const Normaliser::Options options_;
    TagIdSource& ids_;
    SeriesRegistrar& series_;
    OnDiscovered on_discovered_;
    SnapshotOf<registry::Snapshot> snapshot_;

    using Names = std::unordered_map<std::string_view, std::unique_ptr<Device>>;  // Keys are the devices' own.
    std::map<TenantId, Names> devices_;
    std::unordered_map<DeviceId, Device*> by_id_;
    std::unordered_map<TagId, Slot*> by_tag_;
    std::size_t in_inbox_ = 0;        // Of the registry, all shards.
    std::size_t not_registered_ = 0;  // Of ours.

    // The last device found: the fields of a line share one name.
    std::string_view last_name_;
    TenantId last_tenant_;
    Device* last_device_ = nullptr;
};

}  // namespace lineshaft::normalise
