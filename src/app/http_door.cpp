#include "app/http_door.h"

#include "north/ui/assets.h"

namespace lineshaft::app {
namespace {

/// A browser sends its origin with a WebSocket request and no CSRF token: a page of another site must not use the
/// cookie. Programs send no origin.
bool is_same_origin(const net::HttpRequest& request) {
    const std::string_view origin = request.header("origin");
    if (origin.empty()) return true;
    const auto host = origin.find("://");
    return host != std::string_view::npos && origin.substr(host + 3) == request.header("host");
}

}  // namespace

void HttpDoor::handle(net::HttpRequest request, net::HttpReply reply) {
    if (south::HttpIngest::handles(request)) {
        // Who it is may need a second look in the database; the ingest itself then asks the snapshot.
        struct Held {
            net::HttpRequest request;
            net::HttpReply reply;
        };
        auto held = std::make_unique<Held>(Held{std::move(request), std::move(reply)});
        const net::HttpRequest& asked = held->request;
        return rest::identify(rooms_.shard, rooms_.access, asked,
                              [this, held = std::move(held)](const Result<access::Principal>&) {
                                  rooms_.ingest.handle(std::move(held->request), std::move(held->reply));
                              });
    }
    if (!rest::Api::handles(request)) return reply(ui::answer(request));
    rooms_.api.handle(std::move(request), [reply = std::move(reply)](net::HttpResponse response) mutable {
        ui::add_security_headers(response);
        reply(std::move(response));
    });
}

std::expected<std::unique_ptr<net::WebSocketHandler>, net::HttpResponse> HttpDoor::upgrade(
    const net::HttpRequest& request) {
    if (request.path != "/api/v1/live") {
        return std::unexpected(rest::problem(Error(ErrorCode::NotFound, "the live socket is /api/v1/live")));
    }
    if (!is_same_origin(request)) {
        return std::unexpected(rest::problem(Error(ErrorCode::Forbidden, "the page comes from another site")));
    }
    auto who = rest::identify_now(rooms_.shard, rooms_.access, request);
    if (!who) return std::unexpected(rest::problem(who.error()));
    if (const auto may = access::check(*who, access::Action::ReadData); !may)
        return std::unexpected(rest::problem(may.error()));
    return live::make_live_socket(rooms_.live, *std::move(who));
}

bool HttpDoor::upgrade_stream(const net::HttpRequest& request, std::function<void(std::unique_ptr<Stream>)>& accept) {
    if (!rooms_.accept_mqtt || !is_same_origin(request)) return false;
    accept = rooms_.accept_mqtt;
    return true;
}

}  // namespace lineshaft::app
