#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

/// Gives the answer of another room on as it is.
auto passing_on(Call call) {
    return [held = std::make_unique<Call>(std::move(call))](Result<std::string> text) {
        if (!text) return held->answer(text.error());
        net::HttpResponse response;
        response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
        response.body = *std::move(text);
        held->answer(std::move(response));
    };
}

void test(Call call) {
    Services& services = *call.services;
    const std::string body = call.request.body;
    services.extras.modbus_test(services.shard, body, passing_on(std::move(call)));
}

void read(Call call) {
    Services& services = *call.services;
    const std::string body = call.request.body;
    services.extras.modbus_read(services.shard, body, passing_on(std::move(call)));
}

}  // namespace

std::vector<Route> modbus_routes() {
    return {{"POST", "/api/v1/modbus:test", access::Action::TestAdapters, test},
            {"POST", "/api/v1/modbus:read", access::Action::TestAdapters, read}};
}

}  // namespace lineshaft::rest
