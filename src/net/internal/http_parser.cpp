#include "net/internal/http_parser.h"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft::net {
namespace {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using boost::beast::string_view;
using boost::system::error_code;

// A body is reserved ahead up to this much; an announced length alone must not take memory.
constexpr std::uint64_t reserve_bytes_max = 1024 * 1024;

std::string lower(string_view text) {
    std::string out(text.data(), text.size());
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::string_view view_of(string_view text) { return {text.data(), text.size()}; }

asio::const_buffer buffer_of(ByteView bytes) { return {bytes.data(), bytes.size()}; }

HttpFailure failure(unsigned status, ErrorCode code, std::string detail) {
    return HttpFailure{status, Error(code, std::move(detail))};
}

/// What Beast found wrong, for the peer.
HttpFailure to_failure(const error_code& code) {
    if (code == http::error::header_limit) {
        return failure(431, ErrorCode::TooLarge, "the header is larger than the limit");
    }
    if (code == http::error::body_limit)
        return failure(413, ErrorCode::TooLarge, "the body is larger than the limit");
    if (code == http::error::bad_version) {
        return failure(505, ErrorCode::NotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    return failure(400, ErrorCode::Malformed, "HTTP: " + code.message());
}

/// One feed for both kinds: Beast wants to be called again until it needs more.
template <class Parser>
std::size_t put_all(Parser& parser, ByteView bytes, error_code& code) {
    std::size_t taken = 0;
    while (taken < bytes.size() && !parser.is_done()) {
        const std::size_t size = parser.put(buffer_of(bytes.subspan(taken)), code);
        taken += size;
        if (code == http::error::need_more) {
            code = {};
            break;
        }
        if (code || size == 0) break;
    }
    return taken;
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
public:
    Impl(std::size_t header_bytes_max, std::size_t body_bytes_max) {
        header_limit(static_cast<std::uint32_t>(header_bytes_max));
        body_limit(body_bytes_max);
        eager(true);
    }

    HttpRequest request;
    std::optional<HttpFailure> failed;
    unsigned version = 11;
    bool expects_continue = false;

private:
    void on_request_impl(http::verb, string_view method, string_view target, int number, error_code& code) override {
        request.method = std::string(method.data(), method.size());
        version = static_cast<unsigned>(number);
        auto parsed = net::parse_target(view_of(target), request);
        if (!parsed) refuse(std::move(parsed).error(), code);
    }
    void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
        if (in_body_) return;  // A trailer: nothing may depend on what comes after the body was accepted.
        request.headers.emplace_back(lower(name), std::string(value.data(), value.size()));
    }
    void on_header_impl(error_code& code) override {
        std::size_t hosts = 0;
        for (const auto& [name, value] : request.headers) {
            if (name == "host") {
                ++hosts;
            } else if (name == "transfer-encoding" && (lower(value) != "chunked" || version == 10)) {
                return refuse(failure(501, ErrorCode::NotSupported, "transfer encodings other than chunked"), code);
            } else if (name == "expect") {
                if (lower(value) != "100-continue") {
                    return refuse(failure(417, ErrorCode::NotSupported, "an expectation other than 100-continue"),
                                  code);
                }
                expects_continue = version != 10;
            }
        }
        if (hosts > 1 || (hosts == 0 && version != 10)) {
            refuse(failure(400, ErrorCode::Malformed, "a request must have one Host field"), code);
        }
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& size, error_code&) override {
        in_body_ = true;
        if (size) request.body.reserve(static_cast<std::size_t>(std::min(*size, reserve_bytes_max)));
    }
    std::size_t on_body_impl(string_view body, error_code&) override {
        request.body.append(body.data(), body.size());
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& code) override {
        return on_body_impl(body, code);
    }
    void on_finish_impl(error_code&) override {}
    void on_response_impl(int, string_view, int, error_code&) override {}

    void refuse(HttpFailure why, error_code& code) {
        failed = std::move(why);
        code = http::error::bad_value;  // Stops Beast; `failed` tells why.
    }

    bool in_body_ = false;
};

RequestParser::RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max, body_bytes_max)) {}
RequestParser::~RequestParser() = default;

std::expected<std::size_t, HttpFailure> RequestParser::feed(ByteView bytes) {
    error_code code;
    const std::size_t taken = put_all(*impl_, bytes, code);
    if (impl_->failed) return std::unexpected(*impl_->failed);
    if (code) return std::unexpected(to_failure(code));
    return taken;
}

bool RequestParser::is_header_done() const { return impl_->is_header_done(); }
bool RequestParser::is_done() const { return impl_->is_done(); }
bool RequestParser::expects_continue() const { return impl_->expects_continue; }
bool RequestParser::keeps_alive() const { return impl_->keep_alive(); }
bool RequestParser::is_http_1_0() const { return impl_->version == 10; }
bool RequestParser::upgrades_to(std::string_view protocol) const {
    const std::string value = lower(string_view(impl_->request.header("upgrade")));
    return impl_->upgrade() && value == protocol;
}
HttpRequest RequestParser::take_request() {
    ASSERT(is_done());
    return std::move(impl_->request);
}

class ResponseParser::Impl final : public http::basic_parser<false> {
public:
    Impl(bool is_head, Piece to) : piece(std::move(to)) {
        eager(true);
        skip(is_head);
        body_limit(boost::none);
        header_limit(64 * 1024);
    }

    HttpClientResponse response;
    Piece piece;

private:
    void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int status, string_view, int, error_code&) override {
        response.status = static_cast<unsigned>(status);
    }
    void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
        response.headers.emplace_back(lower(name), std::string(value.data(), value.size()));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view body, error_code& code) override {
        if (!piece) {
            response.body.append(body.data(), body.size());
        } else if (!piece(view_of(body))) {
            code = http::error::end_of_stream;
        }
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& code) override {
        return on_body_impl(body, code);
    }
    void on_finish_impl(error_code&) override {}
};

ResponseParser::ResponseParser(bool is_head, Piece piece)
    : impl_(std::make_unique<Impl>(is_head, std::move(piece))), is_head_(is_head) {}
ResponseParser::~ResponseParser() = default;

Result<std::size_t> ResponseParser::feed(ByteView bytes) {
    error_code code;
    const std::size_t taken = put_all(*impl_, bytes, code);
    if (code == http::error::end_of_stream) return fail(ErrorCode::Closed);
    if (code) return std::unexpected(to_failure(code).error);
    const unsigned status = impl_->response.status;
    if (impl_->is_done() && status < 200 && status != 101) {
        impl_ = std::make_unique<Impl>(is_head_, std::move(impl_->piece));
        return taken + TRY(feed(bytes.subspan(taken)));
    }
    return taken;
}

Result<void> ResponseParser::feed_end() {
    error_code code;
    if (impl_->got_some()) impl_->put_eof(code);
    if (code || !impl_->is_done()) return fail(ErrorCode::Malformed, "the server closed before its answer was whole");
    return {};
}

bool ResponseParser::is_done() const { return impl_->is_done(); }
HttpClientResponse ResponseParser::take_response() { return std::move(impl_->response); }

}  // namespace lineshaft::net
