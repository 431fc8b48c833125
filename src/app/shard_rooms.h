/// The rooms of one shard: from its doors to its store, and its part of the north side.
///
/// Threads: made before the shards start; open, close and everything else on the own shard.
#pragma once

#include <memory>
#include <vector>

#include "app/extras.h"
#include "app/http_door.h"
#include "app/normaliser_doors.h"
#include "flow/ingress.h"
#include "net/network.h"
#include "north/websocket/live_hub.h"
#include "route/router.h"
#include "rules/engine.h"
#include "wire/telemetry/telemetry.h"

namespace lineshaft::app {

/// What belongs to the house as a whole. All of it outlives the rooms of the shards.
struct Common {
    Shards& shards;
    registry::Registry& registry;
    access::Access& access;
    alarms::Board& alarms;
    audit::Log& audit;
    store::Historians& store;
    flow::CommandSink& commands;
    ModbusDevices& modbus;
    const net::TlsIdentity& identity;
    backup::Service& backup;
    fleet::Engine& fleet;
};

/// Where a shard listens; none is off.
struct DoorPlan {
    std::optional<Endpoint> http, https, mqtt, mqtts;
};

class ShardRooms {
public:
    ShardRooms(Common common, std::size_t index, std::unique_ptr<registry::TagIds> ids,
               const normalise::Normaliser::Options& hall);
    ~ShardRooms();

    normalise::Normaliser& normaliser() { return normaliser_; }
    live::LiveHub& hub() { return hub_; }
    live::LiveDesk& desk() { return *desk_; }
    rules::Engine& engine() { return engine_; }
    flow::ReadingSink& readings() { return *ingress_; }
    mqtt::PayloadDecoder decoder();

    /// Second step, when the rooms of all shards exist.
    void connect(const std::vector<std::unique_ptr<ShardRooms>>& all);
    /// Third step, when the broker and the extras exist. `broker` null: MQTT is off.
    void furnish(mqtt::Broker* broker, Extras& extras, transfer::Transfers& transfers);

    // From here on on the own shard.
    /// Follows the registry, starts the adapters.
    Result<void> begin();
    /// Listens; ports that were 0 come back as they are.
    Result<DoorPlan> open(DoorPlan plan);
    /// Moves the TLS doors to where everybody reaches them.
    Result<void> open_to_all(const std::optional<Endpoint>& https, const std::optional<Endpoint>& mqtts);
    /// Closes doors and adapters; `done` when what came in has been answered.
    void close(Task done);
    void release();

private:
    Result<std::unique_ptr<net::HttpServer>> serve(const Endpoint& at, bool tls);
    Result<std::unique_ptr<Listener>> listen_mqtt(const Endpoint& at, Network& network);
    Result<south::Sender> sender_of(const net::HttpRequest& request);
    void follow(const SnapshotOf<registry::Snapshot>& snapshot);

    Common common_;
    const std::size_t index_;
    Shard& shard_;

    BlockIds ids_;
    StoreNames names_;
    Inbox inbox_;
    alarms::BoardSink events_;
    rules::Engine engine_;
    live::LiveHub hub_;
    route::Router router_;
    normalise::Normaliser normaliser_;
    wire::telemetry::Decoder decoder_;

    std::unique_ptr<flow::Ingress> ingress_;
    std::unique_ptr<live::LiveDesk> desk_;
    mqtt::Broker* broker_ = nullptr;
    std::unique_ptr<south::HttpIngest> http_ingest_;
    std::unique_ptr<rest::Api> api_;
    std::unique_ptr<live::Services> live_services_;
    std::unique_ptr<HttpDoor> door_;

    std::unique_ptr<Network> tcp_;
    std::unique_ptr<net::TlsNetwork> tls_;
    std::unique_ptr<net::HttpServer> http_, https_;
    std::unique_ptr<Listener> mqtt_, mqtts_;
    registry::Registry::Subscription subscription_;
};

}  // namespace lineshaft::app
