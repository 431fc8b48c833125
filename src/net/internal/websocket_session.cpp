// The two uses of a WebSocketLink: messages for a handler, and a byte stream for a protocol.
#include <algorithm>

#include "base/counters.h"
#include "net/internal/http_session.h"
#include "net/internal/websocket_link.h"

namespace lineshaft::net {
namespace {

namespace close_code = wire::websocket::close_code;

Gauge open_sockets{"lineshaft_websockets", "", "Open WebSockets"};

struct Counted {
    Counted() { open_sockets.add(1); }
    ~Counted() { open_sockets.add(-1); }
};

class WebSocketSession final : public Session, public WebSocket, public WebSocketLink::Sink {
public:
    WebSocketSession(SessionHost& host, std::unique_ptr<Stream> stream, std::unique_ptr<WebSocketHandler> handler)
        : host_(host),
          link_(host.shard(), host.options(), std::move(stream), WebSocketLink::Delivery::Messages, *this),
          handler_(std::move(handler)) {}

    void start(Bytes early) {
        link_.start(std::move(early));
        handler_->on_open(*this);
    }

    void send_text(std::string message) override { link_.send(WebSocketLink::Opcode::Text, as_bytes(message)); }
    void send_binary(std::string message) override { link_.send(WebSocketLink::Opcode::Binary, as_bytes(message)); }
    std::size_t unsent_bytes() const override { return link_.unsent_bytes(); }
    void close() override { link_.close(close_code::normal); }

    void close_soon() override { link_.close(close_code::going_away); }

    void on_message(WebSocketLink::Opcode opcode, ByteView payload) override {
        opcode == WebSocketLink::Opcode::Text ? handler_->on_text(as_text(payload))
                                              : handler_->on_binary(as_text(payload));
    }
    void on_link_drained() override { handler_->on_drained(); }
    void on_link_closed(const Error&) override {
        handler_->on_closed();
        host_.ended(*this);
    }

private:
    const Counted counted_;
    SessionHost& host_;
    WebSocketLink link_;
    const std::unique_ptr<WebSocketHandler> handler_;
};

class WebSocketStream final : public Stream, public WebSocketLink::Sink {
public:
    WebSocketStream(Shard& shard, const HttpOptions& options, std::unique_ptr<Stream> stream, Bytes early)
        : shard_(shard),
          options_(options),
          early_(std::move(early)),
          link_(shard, options_, std::move(stream), WebSocketLink::Delivery::Pieces, *this) {}

    void start(StreamHandler& handler) override {
        const bool first = !handler_ && !started_;
        handler_ = &handler;
        started_ = true;
        if (first) link_.start(std::move(early_));
    }
    void send(ByteView bytes) override {
        if (closing_ || bytes.empty()) return;
        output_.insert(output_.end(), bytes.begin(), bytes.end());
        flush_soon();
    }
    std::size_t unsent_bytes() const override { return output_.size() + link_.unsent_bytes(); }
    void pause_reading() override { link_.pause_reading(); }
    void resume_reading() override { link_.resume_reading(); }
    void close() override {
        closing_ = true;
        flush_soon();
    }
    const Peer& peer() const override { return link_.peer(); }

    void on_message(WebSocketLink::Opcode, ByteView payload) override { handler_->on_data(payload); }
    void on_link_drained() override {
        if (output_.empty()) handler_->on_drained();
    }
    void on_link_closed(const Error& why) override { handler_->on_closed(why); }

private:
    /// One frame for all that one task sends: a broker writes many small packets at once.
    void flush_soon() {
        if (std::exchange(flush_is_due_, true)) return;
        shard_.defer([this, life = std::weak_ptr<const int>(life_)] {
            if (life.expired()) return;
            flush_is_due_ = false;
            const Bytes output = std::exchange(output_, {});
            if (!output.empty()) link_.send(WebSocketLink::Opcode::Binary, output);
            if (closing_) link_.close(close_code::normal);
        });
    }

    const Counted counted_;
    Shard& shard_;
    const HttpOptions options_;  // The stream may outlive its server.
    Bytes early_;
    Bytes output_;
    StreamHandler* handler_ = nullptr;
    bool started_ = false;
    bool closing_ = false;
    bool flush_is_due_ = false;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
    WebSocketLink link_;
};

}  // namespace

std::unique_ptr<Session> make_websocket_session(SessionHost& host, std::unique_ptr<Stream> stream,
                                                std::unique_ptr<WebSocketHandler> handler, Bytes early) {
    auto session = std::make_unique<WebSocketSession>(host, std::move(stream), std::move(handler));
    session->start(std::move(early));
    return session;
}

std::unique_ptr<Stream> make_websocket_stream(Shard& shard, const HttpOptions& options,
                                              std::unique_ptr<Stream> stream, Bytes early) {
    return std::make_unique<WebSocketStream>(shard, options, std::move(stream), std::move(early));
}

}  // namespace lineshaft::net
