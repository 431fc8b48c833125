/// The web port of one shard: sends each request to the room that answers it.
///
///   /api/v1/telemetry, /write, /api/v2/write, /ping --> south/http
///   /api/…, /health, /metrics                       --> north/rest
///   /api/v1/live (WebSocket)                        --> north/websocket
///   any path, WebSocket sub-protocol "mqtt"         --> south/mqtt
///   everything else                                 --> the web UI
///
/// Threads: own shard only.
#pragma once

#include <functional>

#include "north/rest/rest.h"
#include "north/websocket/live_socket.h"
#include "south/http/http_ingest.h"

namespace lineshaft::app {

class HttpDoor final : public net::HttpHandler {
public:
    struct Rooms {
        Shard& shard;
        access::Access& access;
        south::HttpIngest& ingest;
        rest::Api& api;
        live::Services& live;
        std::function<void(std::unique_ptr<Stream>)> accept_mqtt;  // Empty: MQTT is off.
    };
    explicit HttpDoor(Rooms rooms) : rooms_(std::move(rooms)) {}

    void handle(net::HttpRequest request, net::HttpReply reply) override;
    std::expected<std::unique_ptr<net::WebSocketHandler>, net::HttpResponse> upgrade(
        const net::HttpRequest& request) override;
    bool upgrade_stream(const net::HttpRequest& request,
                        std::function<void(std::unique_ptr<Stream>)>& accept) override;

private:
    Rooms rooms_;
};

}  // namespace lineshaft::app
