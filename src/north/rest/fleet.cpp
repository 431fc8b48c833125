// Questions over many tags at once: the room fleet answers, here they only come in.
#include "fleet/engine.h"
#include "north/rest/internal/call.h"

namespace lineshaft::rest {
namespace {

void post_fleet_query(Call call) {
    fleet::Engine* engine = call.services->fleet;
    if (!engine) return call.answer(Error(ErrorCode::NotSupported, "this house answers no fleet queries"));
    auto query = fleet::parse_query(call.request.body, call.services->shard.utc_now());
    if (!query) return call.answer(query.error());
    const bool csv = call.accepts("text/csv");
    Shard& shard = call.services->shard;
    const TenantId tenant = call.tenant();
    auto held = std::make_unique<Call>(std::move(call));
    engine->post_text(shard, tenant, *std::move(query), csv ? fleet::Form::Csv : fleet::Form::Json,
                      [held = std::move(held), csv](Result<std::string> text) {
                          if (!text) return held->answer(text.error());
                          net::HttpResponse response;
                          response.headers = {{"Content-Type", csv ? "text/csv; charset=utf-8" : "application/json"},
                                              {"Cache-Control", "no-store"}};
                          response.body = *std::move(text);
                          held->answer(std::move(response));
                      });
}

}  // namespace

std::vector<Route> fleet_routes() {
    return {{"POST", "/api/v1/fleet-query", access::Action::ReadData, post_fleet_query}};
}

}  // namespace lineshaft::rest
