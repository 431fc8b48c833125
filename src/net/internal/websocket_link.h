/// A WebSocket on a stream: frames, pings, the close handshake. What the messages mean is its sink's business.
///
/// Flow:    stream → Decoder → sink; send → frame → stream.
/// Threads: own shard only. The sink may destroy the link inside any of its calls.
/// Errors:  Closed (close handshake or end of the peer), Malformed, TooLarge, Timeout (silence), and the stream's own.
#pragma once

#include <memory>
#include <optional>

#include "net/http_server.h"
#include "runtime/stream.h"
#include "wire/websocket/frame.h"

namespace lineshaft::net {

class WebSocketLink final : public StreamHandler {
public:
    using Opcode = wire::websocket::Opcode;
    using Delivery = wire::websocket::Delivery;

    class Sink {
    public:
        virtual ~Sink() = default;
        virtual void on_message(Opcode opcode, ByteView payload) = 0;
        virtual void on_link_drained() = 0;
        /// Last call.
        virtual void on_link_closed(const Error& why) = 0;
    };

    WebSocketLink(Shard& shard, const HttpOptions& options, std::unique_ptr<Stream> stream, Delivery delivery,
                  Sink& sink);

    /// Begins to deliver, first `early`: what came behind the upgrade request.
    void start(Bytes early);
    void send(Opcode opcode, ByteView payload);
    std::size_t unsent_bytes() const { return stream_->unsent_bytes(); }
    void pause_reading();
    void resume_reading();
    void close(std::uint16_t code);
    const Peer& peer() const { return stream_->peer(); }

    void on_data(ByteView bytes) override;
    void on_drained() override;
    void on_closed(const Error& why) override;

private:
    void decode(ByteView bytes);
    void decode_kept_soon();
    void take_control(Opcode opcode, ByteView payload);
    void end_with(std::uint16_t code, Error why);
    void tick();

    Shard& shard_;
    const HttpOptions& options_;
    const std::unique_ptr<Stream> stream_;
    Sink& sink_;
    wire::websocket::Decoder decoder_;
    Bytes kept_;  // Came while the sink paused.
    std::optional<Error> why_;
    Timer ping_timer_;
    Timer close_timer_;
    int silent_ticks_ = 0;
    bool started_ = false;
    bool paused_ = false;
    bool closing_ = false;   // Our Close frame is out; nothing may follow it.
    bool finished_ = false;  // The peer has nothing more to say, or may not say it.
    std::shared_ptr<const int> life_ =
        std::make_shared<const int>(0);  // Tells callers up the stack that we are gone.
};

/// For WebSocketHandler: one message a call.
std::unique_ptr<class Session> make_websocket_session(class SessionHost& host, std::unique_ptr<Stream> stream,
                                                      std::unique_ptr<WebSocketHandler> handler, Bytes early);

/// For sub-protocols that are a byte stream in binary frames, such as MQTT.
std::unique_ptr<Stream> make_websocket_stream(Shard& shard, const HttpOptions& options,
                                              std::unique_ptr<Stream> stream, Bytes early);

}  // namespace lineshaft::net
