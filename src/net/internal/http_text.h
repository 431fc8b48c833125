/// The text of HTTP answers. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "net/http_server.h"
#include "net/internal/http_parser.h"

namespace lineshaft::net {

/// "Fri, 20 Nov 2026 10:00:00 GMT".
std::string http_date(UtcTime time);

std::string_view reason_phrase(unsigned status);

/// An error as application/problem+json (RFC 9457).
HttpResponse problem(unsigned status, const Error& error);

/// How the end of a body is told.
enum class BodyFraming : std::uint8_t { None, Length, Chunked, UntilClose };

struct HeadOptions {
    BodyFraming framing = BodyFraming::Length;
    std::size_t length = 0;
    bool keeps_alive = true;
    bool is_http_1_0 = false;
    std::string_view date;
};

/// Status line and fields, to the empty line. Line ends inside values become spaces; fields that framing owns
/// (Content-Length, Transfer-Encoding, Connection) are ours and left out of `response`'s.
std::string response_head(const HttpResponse& response, const HeadOptions& options);

/// "HTTP/1.1 101 …" for a WebSocket; empty `protocol`: none was chosen.
std::string upgrade_head(std::string_view key, std::string_view protocol);

/// Whether `key` is 16 bytes in base64, as Sec-WebSocket-Key must be.
bool is_websocket_key(std::string_view key);

/// Whether a comma-separated field has this token; case does not matter.
bool has_token(std::string_view list, std::string_view token);

}  // namespace lineshaft::net
