/// Makes the next snapshot from the one before. For the registry, and for tests of rooms that read snapshots.
///
/// Threads: one thread.
#pragma once

#include "registry/snapshot.h"

namespace lineshaft::registry {

class SnapshotBuilder {
public:
    /// Whether readers have seen `before`: what it says has changed is carried on if they have not.
    enum class Seen : std::uint8_t { No, Yes };

    /// Starts from nothing.
    SnapshotBuilder();
    /// `before` outlives the builder.
    explicit SnapshotBuilder(const Snapshot& before, Seen seen = Seen::Yes);

    /// What is built so far; good for look-ups between changes.
    const Snapshot& view() const { return next_; }

    /// Create or replace by id. A device or tag takes its place in the indexes; names must not be taken by another id.
    SnapshotBuilder& put(Tenant tenant);
    SnapshotBuilder& put(Asset asset);
    SnapshotBuilder& put(Device device);
    SnapshotBuilder& put(Tag tag);
    SnapshotBuilder& put(AlarmRule rule);

    /// Nothing happens when there is none. Removing a device leaves its tags, removing a tag its rules: see Registry.
    SnapshotBuilder& remove(TenantId id);
    SnapshotBuilder& remove(AssetId id);
    SnapshotBuilder& remove(DeviceId id);
    SnapshotBuilder& remove(TagId id);
    SnapshotBuilder& remove(RuleId id);

    /// The next version; the builder is empty afterwards.
    SnapshotOf<Snapshot> build();

private:
    template <class Owner, class Id>
    static void leave(Table<Owner, std::vector<Id>>& lists, Owner owner, Id id);

    Snapshot next_;
};

}  // namespace lineshaft::registry
