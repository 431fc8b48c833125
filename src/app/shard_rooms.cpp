#include "app/shard_rooms.h"

#include "app/house.h"
#include "app/openapi.h"
#include "base/log.h"

namespace lineshaft::app {

ShardRooms::ShardRooms(Common common, std::size_t index, std::unique_ptr<registry::TagIds> ids,
                       const normalise::Normaliser::Options& hall)
    : common_(common),
      index_(index),
      shard_(common.shards.at(index)),
      ids_(shard_, std::move(ids)),
      names_(common.store.at(shard_.id())),
      inbox_(shard_, common.registry),
      events_(common.alarms),
      engine_(shard_, events_),
      hub_(shard_, common.shards, common.store.at(shard_.id())),
      router_(common.store.at(shard_.id()), {&engine_, &hub_}),
      normaliser_(shard_, router_, ids_, names_, names_, inbox_, hall) {}

ShardRooms::~ShardRooms() = default;

void ShardRooms::connect(const std::vector<std::unique_ptr<ShardRooms>>& all) {
    std::vector<flow::ReadingSink*> homes;
    std::vector<live::LiveHub*> hubs;
    for (const auto& rooms : all) {
        homes.push_back(&rooms->normaliser_);
        hubs.push_back(&rooms->hub_);
    }
    ingress_ = std::make_unique<flow::Ingress>(shard_, common_.shards, std::move(homes));
    desk_ = std::make_unique<live::LiveDesk>(shard_, std::move(hubs));
}

void ShardRooms::furnish(mqtt::Broker* broker, Extras& extras, transfer::Transfers& transfers) {
    broker_ = broker;
    http_ingest_ = std::make_unique<south::HttpIngest>(
        shard_, *ingress_, [this](const net::HttpRequest& request) { return sender_of(request); },
        south::HttpIngest::Options{.homes = common_.shards.count()});
    api_ = std::make_unique<rest::Api>(rest::Services{shard_, common_.shards, common_.registry, common_.access,
                                                      common_.store, common_.alarms, common_.audit, common_.commands,
                                                      extras, version(), openapi_json(), std::string(openapi_yaml()),
                                                      &common_.backup, &common_.fleet, &transfers});
    live_services_ = std::make_unique<live::Services>(live::Services{
        shard_, common_.shards, common_.registry, common_.access, common_.alarms, *desk_, rest::alarms_text});
    std::function<void(std::unique_ptr<Stream>)> accept_mqtt;
    if (broker_) accept_mqtt = [this](std::unique_ptr<Stream> stream) { broker_->accept(index_, std::move(stream)); };
    door_ = std::make_unique<HttpDoor>(
        HttpDoor::Rooms{shard_, common_.access, *http_ingest_, *api_, *live_services_, std::move(accept_mqtt)});
}

mqtt::PayloadDecoder ShardRooms::decoder() {
    return [this](const mqtt::Publication& publication, ReadingBatch& batch) {
        return decoder_.decode_mqtt(publication.topic, publication.payload, publication.device, batch).has_value();
    };
}

Result<south::Sender> ShardRooms::sender_of(const net::HttpRequest& request) {
    const access::Principal who = TRY(rest::identify_now(shard_, common_.access, request));
    TRY_VOID(access::check(who, access::Action::WriteTelemetry));
    return south::Sender{who.tenant, who.name, who.device, true};
}

void ShardRooms::follow(const SnapshotOf<registry::Snapshot>& snapshot) {
    normaliser_.set_snapshot(snapshot);
    engine_.apply(*snapshot, [&](const registry::Tag& tag) {
        const registry::Device* device = snapshot->device(tag.device);
        return device && home_shard(tag.tenant, device->name, common_.shards.count()) == shard_.id();
    });
    common_.modbus.apply(shard_, *snapshot);
}

Result<void> ShardRooms::begin() {
    tcp_ = net::make_tcp_network(shard_);
    tls_ = TRY(net::make_tls_network(shard_, common_.identity, ""));
    TRY_VOID(common_.modbus.start(index_, *tcp_, *ingress_));
    follow(common_.registry.snapshot(shard_));
    subscription_ = common_.registry.on_change(
        shard_, [this](const SnapshotOf<registry::Snapshot>& snapshot) { follow(snapshot); });
    return {};
}

Result<std::unique_ptr<net::HttpServer>> ShardRooms::serve(const Endpoint& at, bool tls) {
    return net::serve_http(shard_, at, tls ? &common_.identity : nullptr, *door_);
}

Result<std::unique_ptr<Listener>> ShardRooms::listen_mqtt(const Endpoint& at, Network& network) {
    return network.listen(at, [this](std::unique_ptr<Stream> stream) { broker_->accept(index_, std::move(stream)); });
}

Result<DoorPlan> ShardRooms::open(DoorPlan plan) {
    if (plan.http) {
        http_ = TRY(serve(*plan.http, false));
        plan.http = http_->endpoint();
    }
    if (plan.https) {
        https_ = TRY(serve(*plan.https, true));
        plan.https = https_->endpoint();
    }
    if (plan.mqtt && broker_) {
        mqtt_ = TRY(listen_mqtt(*plan.mqtt, *tcp_));
        plan.mqtt = mqtt_->endpoint();
    }
    if (plan.mqtts && broker_) {
        mqtts_ = TRY(listen_mqtt(*plan.mqtts, *tls_));
        plan.mqtts = mqtts_->endpoint();
    }
    return plan;
}

Result<void> ShardRooms::open_to_all(const std::optional<Endpoint>& https, const std::optional<Endpoint>& mqtts) {
    if (https && https_) {
        auto wide = TRY(serve(*https, true));
        // The one on loopback ends by itself when its last connection has been answered.
        net::HttpServer* narrow = https_.release();
        https_ = std::move(wide);
        narrow->close(5s, [this, narrow] { shard_.post([narrow] { delete narrow; }); });
    }
    if (mqtts && mqtts_) mqtts_ = TRY(listen_mqtt(*mqtts, *tls_));
    return {};
}

void ShardRooms::close(Task done) {
    subscription_ = {};
    mqtt_.reset();
    mqtts_.reset();
    common_.modbus.stop(index_);
    // Each of the servers counts, and one more for the way here.
    auto left = std::make_unique<int>(1 + (http_ ? 1 : 0) + (https_ ? 1 : 0));
    int* count = left.get();
    auto all = std::make_unique<std::pair<std::unique_ptr<int>, Task>>(std::move(left), std::move(done));
    auto* held = all.release();
    const auto arrived = [this, held, count] {
        if (--*count > 0) return;
        http_ingest_->close([held] {
            const std::unique_ptr<std::pair<std::unique_ptr<int>, Task>> last(held);
            last->second();
        });
    };
    if (http_) http_->close(5s, arrived);
    if (https_) https_->close(5s, arrived);
    arrived();
}

void ShardRooms::release() {
    http_.reset();
    https_.reset();
    tls_.reset();
    tcp_.reset();
}

}  // namespace lineshaft::app
