/// One HTTP connection: requests in, in order, one at a time; answers out; upgrade to WebSocket.
///
///   Idle ──first byte──► Header ──empty line──► Body ──whole──► Handling ──reply──► Answering ──► Idle
///                           └── malformed, too large, too slow: answered, then ──────────────────► Closing
///
/// Pipelining: what comes while a request is in work waits in input_; beyond input_bytes_max nothing is read.
/// Threads:    own shard only.
/// Limits:     HttpOptions; one request's body and answer_bytes_ahead_max of its answer are in memory.
#pragma once

#include <memory>

#include "net/internal/http_parser.h"
#include "net/internal/http_session.h"
#include "net/internal/http_text.h"

namespace lineshaft::net {

class HttpConnection final : public Session, public StreamHandler {
public:
    HttpConnection(SessionHost& host, std::unique_ptr<Stream> stream);
    ~HttpConnection() override;

    void start();
    void close_soon() override;

    void on_data(ByteView bytes) override;
    void on_drained() override;
    void on_closed(const Error& why) override;

private:
    enum class Phase : std::uint8_t { Idle, Header, Body, Handling, Answering, Closing, Ended };
    class Ticket;
    struct Answer;

    void process(ByteView bytes);
    std::size_t parse(ByteView bytes);
    void process_input_soon();
    void keep(ByteView bytes);
    void dispatch(ByteView early);
    void upgrade(HttpRequest request, ByteView early);
    void offer_stream(HttpRequest& request, std::string_view key, ByteView early);
    void offer_handler(HttpRequest& request, std::string_view key, ByteView early);
    void answer(HttpResponse response);
    void pump();
    bool pump_pieces();
    void wait_for_pieces();
    void pump_body();
    void finish_answer();
    void refuse(const HttpFailure& failure);
    void send(std::string_view text);
    void close();
    void cut();
    bool may_take_next() const;

    void set_deadline(Duration after);
    void clear_deadline() { deadline_ = Instant(); }
    void wait_for_deadline(Duration after);
    void on_deadline();
    void on_body_deadline();
    void on_write_deadline();

    SessionHost& host_;
    std::unique_ptr<Stream> stream_;
    std::shared_ptr<HttpConnection*> self_;  // For tickets; null inside once we are gone.
    std::unique_ptr<RequestParser> parser_;  // Only while a request comes in: an idle connection is small.
    std::unique_ptr<Answer> answer_;
    Bytes input_;
    std::uint64_t sent_bytes_ = 0;
    std::uint64_t progress_bytes_ = 0;  // Of the body, or taken by the peer, at the start of the deadline's span.
    std::uint64_t body_bytes_ = 0;
    Instant deadline_;
    Instant timer_is_set_for_;  // None: no timer.
    Timer timer_;
    Phase phase_ = Phase::Idle;
    bool processing_ = false;
    bool process_is_due_ = false;
    bool reading_is_paused_ = false;
    bool keeps_alive_ = true;
    bool is_head_ = false;
    bool is_http_1_0_ = false;
    bool said_continue_ = false;
};

}  // namespace lineshaft::net
