/// A client that has said who it is: what travels from the shard that accepted it to the home of its session.
#pragma once

#include <string>

#include "base/bytes.h"
#include "south/mqtt/authenticator.h"
#include "wire/mqtt/packet.h"

namespace lineshaft::mqtt {

struct Hello {
    Bytes bytes;                             // The CONNECT.
    lineshaft::wire::mqtt::Connect connect;  // Views into `bytes`, whose buffer moves along.
    Bytes rest;                              // What came behind it in the same read.
    Identity identity;
    std::string client_id;  // As assigned, when the client sent none.
};

}  // namespace lineshaft::mqtt
