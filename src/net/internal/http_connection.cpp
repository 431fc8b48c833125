#include "net/internal/http_connection.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "net/internal/websocket_link.h"

namespace lineshaft::net {
namespace {

Counter answers[] = {
    {"lineshaft_http_requests_total", "class=\"1xx\"", "Requests answered, by class of status"},
    {"lineshaft_http_requests_total", "class=\"2xx\"", "Requests answered, by class of status"},
    {"lineshaft_http_requests_total", "class=\"3xx\"", "Requests answered, by class of status"},
    {"lineshaft_http_requests_total", "class=\"4xx\"", "Requests answered, by class of status"},
    {"lineshaft_http_requests_total", "class=\"5xx\"", "Requests answered, by class of status"},
};
Counter malformed{"lineshaft_http_refused_total", "reason=\"malformed\"", "Connections ended over a bad request"};
Counter too_large{"lineshaft_http_refused_total", "reason=\"too_large\"", "Connections ended over a bad request"};
Counter not_supported{"lineshaft_http_refused_total", "reason=\"not_supported\"",
                      "Connections ended over a bad request"};
Counter slow_header{"lineshaft_http_refused_total", "reason=\"slow_header\"", "Connections ended over a bad request"};
Counter slow_body{"lineshaft_http_refused_total", "reason=\"slow_body\"", "Connections ended over a bad request"};
Counter slow_reader{"lineshaft_http_refused_total", "reason=\"slow_reader\"", "Connections ended over a bad request"};
Counter forgotten{"lineshaft_http_forgotten_total", "", "Requests dropped by their handler without an answer"};

constexpr std::size_t input_bytes_max = 64 * 1024;          // Of pipelined requests.
constexpr std::size_t answer_bytes_ahead_max = 256 * 1024;  // Given to the stream and not taken by the peer.
constexpr std::size_t slice_bytes = 64 * 1024;

Counter& counter_of(ErrorCode code) {
    if (code == ErrorCode::TooLarge) return too_large;
    return code == ErrorCode::NotSupported ? not_supported : malformed;
}

bool may_have_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

/// What a handler holds for its request: one answer, at any time, whether or not we still live.
class HttpConnection::Ticket {
public:
    Ticket(std::shared_ptr<HttpConnection*> to, Shard& shard) : to_(std::move(to)), shard_(&shard) {}
    Ticket(Ticket&&) = default;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
        if (!to_ || !shard_->is_current() || !*to_) return;
        forgotten.add();
        use(problem(500, Error(ErrorCode::Internal, "the request was dropped without an answer")));
    }
    void use(HttpResponse response) {
        ASSERT(to_ && shard_->is_current());
        const auto to = std::exchange(to_, nullptr);
        if (*to) (*to)->answer(std::move(response));
    }

private:
    std::shared_ptr<HttpConnection*> to_;
    Shard* shard_;
};

/// What is left to send.
struct HttpConnection::Answer {
    HttpResponse response;
    std::string_view body;  // Of response.body or static_body: what is not given to the stream yet.
    BodyFraming framing = BodyFraming::Length;
    std::uint64_t pieces_left = 0;  // Bytes, of pieces whose length was told.
    bool waits = false;             // For the handler, not for the peer.
};

HttpConnection::HttpConnection(SessionHost& host, std::unique_ptr<Stream> stream)
    : host_(host), stream_(std::move(stream)), self_(std::make_shared<HttpConnection*>(this)) {}

HttpConnection::~HttpConnection() { *self_ = nullptr; }

void HttpConnection::start() {
    set_deadline(host_.options().header_timeout);
    stream_->start(*this);
}

void HttpConnection::close_soon() {
    keeps_alive_ = false;
    if (phase_ == Phase::Idle || phase_ == Phase::Header || phase_ == Phase::Body) close();
}

void HttpConnection::on_data(ByteView bytes) {
    if (phase_ == Phase::Closing || phase_ == Phase::Ended) return;
    if (!input_.empty() || !may_take_next()) return keep(bytes);
    process(bytes);
}

void HttpConnection::on_drained() {
    if (answer_ && answer_->waits) return;
    if (answer_) return pump();
    if (!input_.empty()) process_input_soon();
}

void HttpConnection::on_closed(const Error&) { cut(); }

// --- Requests ------------------------------------------------------------------------------------------------------

bool HttpConnection::may_take_next() const {
    return phase_ <= Phase::Body && !processing_ && stream_->unsent_bytes() <= answer_bytes_ahead_max;
}

/// Works through `bytes`, request by request, and keeps the rest for later.
void HttpConnection::process(ByteView bytes) {
    processing_ = true;
    while (!bytes.empty() && phase_ <= Phase::Body) {
        const std::size_t taken = parse(bytes);
        if (phase_ > Phase::Body) break;
        bytes = bytes.subspan(taken);
        if (parser_ && parser_->is_done()) {
            dispatch(bytes);
            if (stream_ && stream_->unsent_bytes() > answer_bytes_ahead_max) break;
        } else if (taken == 0) {
            break;  // A header that is not whole: given again with more behind it.
        }
    }
    processing_ = false;
    if (phase_ < Phase::Closing && !bytes.empty()) keep(bytes);
}

/// Feeds the parser; returns what it took. A refusal leaves phase_ at Closing.
std::size_t HttpConnection::parse(ByteView bytes) {
    const HttpOptions& options = host_.options();
    const bool begins = phase_ == Phase::Idle;
    if (begins) {
        parser_ = std::make_unique<RequestParser>(options.header_bytes_max, options.body_bytes_max);
        phase_ = Phase::Header;
        said_continue_ = false;
        body_bytes_ = 0;
    }
    const auto taken = parser_->feed(bytes);
    if (!taken) {
        refuse(taken.error());
        return 0;
    }
    body_bytes_ += *taken;
    if (begins && !parser_->is_header_done()) set_deadline(options.header_timeout);
    if (phase_ == Phase::Header && parser_->is_header_done()) {
        phase_ = Phase::Body;
        progress_bytes_ = body_bytes_;
        if (!parser_->is_done()) set_deadline(options.body_timeout);
    }
    const bool waits_for_body = phase_ == Phase::Body && !parser_->is_done() && *taken == bytes.size();
    if (waits_for_body && parser_->expects_continue() && !std::exchange(said_continue_, true)) {
        send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return *taken;
}

void HttpConnection::keep(ByteView bytes) {
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    // A header that is still coming is bounded by the parser; what waits behind a request in work is bounded here.
    if (phase_ <= Phase::Body && !processing_ && may_take_next()) {
        if (input_.size() > bytes.size()) process_input_soon();
        return;
    }
    if (input_.size() <= input_bytes_max || reading_is_paused_) return;
    reading_is_paused_ = true;
    stream_->pause_reading();
}

void HttpConnection::process_input_soon() {
    if (std::exchange(process_is_due_, true)) return;
    host_.shard().defer([self = self_] {
        if (!*self) return;
        HttpConnection& here = **self;
        here.process_is_due_ = false;
        if (!here.stream_ || !here.may_take_next()) return;
        const Bytes input = std::exchange(here.input_, {});
        here.process(input);
        if (!*self || !here.stream_ || !here.reading_is_paused_ || here.input_.size() > input_bytes_max) return;
        here.reading_is_paused_ = false;
        here.stream_->resume_reading();
    });
}

/// A whole request is there. `early` is what came behind it.
void HttpConnection::dispatch(ByteView early) {
    keeps_alive_ = keeps_alive_ && parser_->keeps_alive();
    is_http_1_0_ = parser_->is_http_1_0();
    const bool wants_websocket = parser_->upgrades_to("websocket");
    HttpRequest request = parser_->take_request();
    parser_.reset();
    clear_deadline();
    phase_ = Phase::Handling;
    is_head_ = request.method == "HEAD";
    request.peer = stream_->peer();
    if (wants_websocket) return upgrade(std::move(request), early);
    host_.handler().handle(
        std::move(request),
        [ticket = Ticket(self_, host_.shard())](HttpResponse response) mutable { ticket.use(std::move(response)); });
}

// --- Upgrade -------------------------------------------------------------------------------------------------------

void HttpConnection::upgrade(HttpRequest request, ByteView early) {
    const std::string key(request.header("sec-websocket-key"));
    if (request.method != "GET" || is_http_1_0_ || !is_websocket_key(key)) {
        return refuse({400, Error(ErrorCode::Malformed, "a WebSocket begins with GET and a Sec-WebSocket-Key")});
    }
    if (request.header("sec-websocket-version") != "13") {
        HttpResponse response = problem(426, Error(ErrorCode::NotSupported, "WebSocket versions other than 13"));
        response.headers.emplace_back("Sec-WebSocket-Version", "13");
        return answer(std::move(response));
    }
    has_token(request.header("sec-websocket-protocol"), "mqtt") ? offer_stream(request, key, early)
                                                                : offer_handler(request, key, early);
}

void HttpConnection::offer_stream(HttpRequest& request, std::string_view key, ByteView early) {
    std::function<void(std::unique_ptr<Stream>)> accept;
    if (!host_.handler().upgrade_stream(request, accept) || !accept) {
        return answer(problem(404, Error(ErrorCode::NotFound, "no MQTT at this address")));
    }
    send(upgrade_head(key, "mqtt"));
    answers[0].add();
    phase_ = Phase::Ended;
    Bytes kept(early.begin(), early.end());
    Shard& shard = host_.shard();
    auto stream = make_websocket_stream(shard, host_.options(), std::move(stream_), std::move(kept));
    host_.ended(*this);
    accept(std::move(stream));
}

void HttpConnection::offer_handler(HttpRequest& request, std::string_view key, ByteView early) {
    auto handler = host_.handler().upgrade(request);
    if (!handler) return answer(std::move(handler).error());
    ASSERT(*handler);
    send(upgrade_head(key, {}));
    answers[0].add();
    phase_ = Phase::Ended;
    Bytes kept(early.begin(), early.end());
    host_.replaced(*this, make_websocket_session(host_, std::move(stream_), std::move(*handler), std::move(kept)));
}

// --- Answers -------------------------------------------------------------------------------------------------------

void HttpConnection::answer(HttpResponse response) {
    if (phase_ != Phase::Handling) return;  // The connection has ended meanwhile.
    ASSERT(response.status >= 100 && response.status < 600);
    answers[response.status / 100 - 1].add();
    keeps_alive_ = keeps_alive_ && !host_.is_closing();

    answer_ = std::make_unique<Answer>();
    Answer& answer = *answer_;
    answer.response = std::move(response);
    const HttpResponse& r = answer.response;
    answer.body = r.body.empty() ? r.static_body : std::string_view(r.body);
    if (!may_have_body(r.status)) {
        answer.framing = BodyFraming::None;
    } else if (r.pieces && r.length) {
        answer.pieces_left = *r.length;
    } else if (r.pieces) {
        answer.framing = is_http_1_0_ ? BodyFraming::UntilClose : BodyFraming::Chunked;
        if (is_http_1_0_) keeps_alive_ = false;
    }
    send(response_head(r, {.framing = answer.framing,
                           .length = r.pieces ? answer.pieces_left : answer.body.size(),
                           .keeps_alive = keeps_alive_,
                           .is_http_1_0 = is_http_1_0_,
                           .date = host_.date()}));
    if (is_head_ || answer.framing == BodyFraming::None) {
        answer.response.pieces = nullptr;
        answer.framing = BodyFraming::None;
        answer.body = {};
    }
    phase_ = Phase::Answering;
    progress_bytes_ = 0;
    set_deadline(host_.options().write_timeout);
    pump();
}

/// Gives the stream more of the answer, as long as the peer keeps up.
void HttpConnection::pump() {
    if (answer_->response.pieces) {
        if (!pump_pieces()) return;
    } else {
        pump_body();
        if (!answer_->body.empty()) return;
    }
    finish_answer();
}

void HttpConnection::pump_body() {
    std::string_view& body = answer_->body;
    while (!body.empty() && stream_->unsent_bytes() < answer_bytes_ahead_max) {
        const std::string_view slice = body.substr(0, slice_bytes);
        send(slice);
        body.remove_prefix(slice.size());
    }
}

/// True when the last piece is out.
bool HttpConnection::pump_pieces() {
    const bool is_chunked = answer_->framing == BodyFraming::Chunked;
    while (stream_->unsent_bytes() < slice_bytes) {
        Result<std::optional<std::string>> piece = answer_->response.pieces();
        if (!piece) {
            cut();  // Without its last chunk the peer sees that the answer is not whole.
            return false;
        }
        const bool has_length = answer_->response.length.has_value() && answer_->framing == BodyFraming::Length;
        const bool is_short = !*piece && answer_->pieces_left > 0;
        const bool is_long = *piece && (*piece)->size() > answer_->pieces_left;
        if (has_length && (is_short || is_long)) {
            cut();
            return false;
        }
        if (!*piece) {
            if (is_chunked) send("0\r\n\r\n");
            return true;
        }
        const std::string& bytes = **piece;
        if (bytes.empty()) {
            wait_for_pieces();
            return false;
        }
        if (has_length) answer_->pieces_left -= bytes.size();
        if (is_chunked) send(fmt::format("{:x}\r\n", bytes.size()));
        send(bytes);
        if (is_chunked) send("\r\n");
    }
    return false;
}

/// Nothing at hand: go on when the handler says so, or when others have had their turn.
void HttpConnection::wait_for_pieces() {
    auto go_on = [self = self_] {
        if (!*self || !(*self)->answer_) return;
        (*self)->answer_->waits = false;
        (*self)->pump();
    };
    if (!answer_->response.when_more) return host_.shard().defer(std::move(go_on));
    answer_->waits = true;
    answer_->response.when_more(std::move(go_on));
}

void HttpConnection::finish_answer() {
    answer_.reset();
    if (!keeps_alive_) return close();
    phase_ = Phase::Idle;
    set_deadline(host_.options().idle_timeout);
    if (!processing_ && !input_.empty()) process_input_soon();
}

void HttpConnection::refuse(const HttpFailure& failure) {
    counter_of(failure.error.code()).add();
    keeps_alive_ = false;
    is_head_ = false;
    phase_ = Phase::Handling;
    answer(problem(failure.status, failure.error));
}

void HttpConnection::send(std::string_view text) {
    sent_bytes_ += text.size();
    stream_->send(as_bytes(text));
}

void HttpConnection::close() {
    if (phase_ >= Phase::Closing) return;
    phase_ = Phase::Closing;
    clear_deadline();
    parser_.reset();
    input_ = {};
    stream_->close();
}

void HttpConnection::cut() {
    if (phase_ == Phase::Ended) return;
    phase_ = Phase::Ended;
    timer_.cancel();
    answer_.reset();
    host_.ended(*this);  // Which destroys the stream with us, after this task.
}

// --- Deadlines -----------------------------------------------------------------------------------------------------

/// One timer a connection, moved only when it fires: a deadline changes with every request, a timer costs memory.
void HttpConnection::set_deadline(Duration after) {
    deadline_ = host_.shard().now() + after;
    if (timer_is_set_for_.is_none() || deadline_ < timer_is_set_for_) wait_for_deadline(after);
}

void HttpConnection::wait_for_deadline(Duration after) {
    timer_is_set_for_ = host_.shard().now() + after;
    timer_ = host_.shard().after(after, [this] {
        timer_is_set_for_ = Instant();
        if (deadline_.is_none() || phase_ >= Phase::Closing) return;
        const Duration left = deadline_ - host_.shard().now();
        left > Duration::zero() ? wait_for_deadline(left) : on_deadline();
    });
}

void HttpConnection::on_deadline() {
    switch (phase_) {
        case Phase::Idle: return close();
        case Phase::Header:
            slow_header.add();
            return refuse({408, Error(ErrorCode::Timeout, "the header did not come in time")});
        case Phase::Body: return on_body_deadline();
        case Phase::Answering: return on_write_deadline();
        case Phase::Handling:
        case Phase::Closing:
        case Phase::Ended: return;
    }
}

void HttpConnection::on_body_deadline() {
    if (body_bytes_ - progress_bytes_ >= host_.options().body_progress_bytes_min) {
        progress_bytes_ = body_bytes_;
        return set_deadline(host_.options().body_timeout);
    }
    slow_body.add();
    refuse({408, Error(ErrorCode::Timeout, "the body came too slowly")});
}

void HttpConnection::on_write_deadline() {
    const std::uint64_t taken = sent_bytes_ - stream_->unsent_bytes();
    const bool waits_for_us = answer_ && answer_->waits && stream_->unsent_bytes() == 0;
    if (taken > progress_bytes_ || waits_for_us) {
        progress_bytes_ = taken;
        return set_deadline(host_.options().write_timeout);
    }
    slow_reader.add();
    cut();
}

}  // namespace lineshaft::net
