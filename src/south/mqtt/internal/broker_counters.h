/// What the broker counts, for /metrics.
#pragma once

#include "base/counters.h"

namespace lineshaft::mqtt::counters {

extern Gauge connections;
extern Counter connects;
extern Counter messages_in;
extern Counter messages_out;
extern Counter refused_connect;
extern Counter refused_acl;
extern Counter refused_malformed;
extern Counter refused_limit;
extern Counter refused_store;
extern Counter not_decodable;
extern Counter dropped_queue_full;
extern Counter dropped_slow;
extern Counter dropped_expired;
extern Counter dropped_rights;
extern Counter dropped_too_large;
extern Counter dropped_no_member;
extern Counter dropped_busy;
extern Counter cut_connect_timeout;
extern Counter cut_keep_alive;
extern Counter taken_over;

}  // namespace lineshaft::mqtt::counters
