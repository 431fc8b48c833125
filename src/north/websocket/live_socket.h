/// The live socket, /api/v1/live: a browser says which tags it shows, and gets their values and the alarms as they come.
///
/// Flow:    client text frames {"op":"subscribe","tags":[…]|"prefix":…}, unsubscribe, alarms; server frames: tags, then
///          values in binary (docs/formats/live.md), strings and alarms as text.
/// Threads: own shard only.
/// Limits:  tags_per_socket_max; a socket that does not read gets the newest value of each tag when it reads again, and
///          every alarm.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "access/access.h"
#include "alarms/board.h"
#include "net/http_server.h"
#include "north/websocket/live_hub.h"
#include "registry/registry.h"

namespace lineshaft::live {

inline constexpr std::size_t tags_per_socket_max = 20'000;

struct Services {
    Shard& shard;
    Shards& shards;
    registry::Registry& registry;
    access::Access& access;
    alarms::Board& alarms;
    LiveDesk& desk;
    /// The alarm list as GET /alarms gives it: {"items":…,"counts":…}.
    std::function<std::string(const alarms::AlarmList&, TenantId)> alarms_text;
};

/// `services` outlives the handler. The principal has been checked for ReadData.
std::unique_ptr<net::WebSocketHandler> make_live_socket(Services& services, access::Principal principal);

}  // namespace lineshaft::live
