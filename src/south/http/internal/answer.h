/// What the door says to senders: problem+json that InfluxDB clients understand as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"
#include "wire/line_protocol/line_protocol.h"

namespace lineshaft::south {

net::HttpResponse no_content();

/// With Retry-After where the same request may work later.
net::HttpResponse problem(const Error& error);
/// The status instead of the error's own.
net::HttpResponse problem(unsigned status, const Error& error);

/// A partial write: the good lines are kept, these are not.
net::HttpResponse partial_write(std::uint64_t lines, std::uint64_t refused_count,
                                const std::vector<wire::line_protocol::LineError>& errors);

/// 200 for telemetry of which something was left out.
net::HttpResponse partial_telemetry(std::size_t kept, std::size_t skipped);

}  // namespace lineshaft::south
