/// HTTP/1.1 messages out of bytes. The one place (with its .cpp) that knows Boost.Beast; no I/O, no clock.
///
/// Flow:    feed() what came; it says how much it took. What it did not take is given again, with more behind it: a
///          header is only read when it is whole.
/// Errors:  HttpFailure, with the status that tells the peer.
/// Limits:  header and body size as given; a body takes memory only as it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/http_client.h"
#include "net/http_server.h"

namespace lineshaft::net {

/// Why a request cannot be handled.
struct HttpFailure {
    unsigned status = 400;
    Error error;
};

class RequestParser {
public:
    RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max);
    ~RequestParser();

    /// Returns how many of `bytes` it took, never more than belong to this request.
    std::expected<std::size_t, HttpFailure> feed(ByteView bytes);

    bool is_header_done() const;
    bool is_done() const;
    /// After the header:
    bool expects_continue() const;
    bool keeps_alive() const;
    bool is_http_1_0() const;
    /// "Connection: upgrade" and an Upgrade field with this value (lower case).
    bool upgrades_to(std::string_view protocol) const;
    /// When is_done. Moves it out.
    HttpRequest take_request();

private:
    class Impl;
    const std::unique_ptr<Impl> impl_;
};

/// For the client. Interim answers (100, 103) are skipped.
class ResponseParser {
public:
    using Piece = std::move_only_function<bool(std::string_view)>;

    /// `is_head`: the answer has no body whatever its header says. Without `piece` the body is gathered.
    ResponseParser(bool is_head, Piece piece);
    ~ResponseParser();

    /// Errors: Malformed, TooLarge, Closed (the piece function said stop).
    Result<std::size_t> feed(ByteView bytes);
    /// The server has closed; right for a body without a length. Errors: Malformed (the answer is cut).
    Result<void> feed_end();

    bool is_done() const;
    HttpClientResponse take_response();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
    const bool is_head_;
};

/// Splits and decodes a request target: "/a%20b?c=d". Errors: status 400.
std::expected<void, HttpFailure> parse_target(std::string_view target, HttpRequest& into);

}  // namespace lineshaft::net
