/// A small HTTP/1.1 client: one request a connection, for the CLI and for outbound webhooks.
///
/// Threads: request() blocks: CLI and worker pools only.
/// Errors:  Unreachable, Timeout, Malformed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::net {

struct HttpClientRequest {
    std::string method = "GET";
    std::string url;  // "http://127.0.0.1:8080/api/v1/tags?limit=10", http or https.
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string trusted_ca;  // PEM for https; empty: the system's.
    Duration timeout = 30s;
};

struct HttpClientResponse {
    unsigned status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
    std::string body;
};

Result<HttpClientResponse> request(const HttpClientRequest& request);

/// As request, but hands the body over piece by piece; false from `piece` stops.
Result<HttpClientResponse> request_streamed(const HttpClientRequest& request,
                                            std::move_only_function<bool(std::string_view)> piece);

}  // namespace lineshaft::net
