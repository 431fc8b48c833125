#include "net/internal/websocket_link.h"

#include "base/counters.h"

namespace lineshaft::net {

namespace close_code = wire::websocket::close_code;

namespace {

Counter refused{"lineshaft_websocket_refused_total", "reason=\"malformed\"", "WebSockets ended by Lineshaft"};
Counter too_large{"lineshaft_websocket_refused_total", "reason=\"too_large\"", "WebSockets ended by Lineshaft"};
Counter silent{"lineshaft_websocket_refused_total", "reason=\"silent\"", "WebSockets ended by Lineshaft"};

}  // namespace

WebSocketLink::WebSocketLink(Shard& shard, const HttpOptions& options, std::unique_ptr<Stream> stream,
                             Delivery delivery, Sink& sink)
    : shard_(shard),
      options_(options),
      stream_(std::move(stream)),
      sink_(sink),
      decoder_({wire::websocket::Role::Server, delivery, options.websocket_message_bytes_max}) {}

void WebSocketLink::start(Bytes early) {
    kept_ = std::move(early);
    started_ = true;
    ping_timer_ = shard_.every(options_.ping_interval, [this] { tick(); });
    stream_->start(*this);
    if (!kept_.empty()) decode_kept_soon();
}

void WebSocketLink::send(Opcode opcode, ByteView payload) {
    if (closing_) return;
    Bytes header;
    wire::websocket::append_header(header, opcode, payload.size());
    stream_->send(header);
    stream_->send(payload);
}

void WebSocketLink::pause_reading() {
    paused_ = true;
    stream_->pause_reading();
}

void WebSocketLink::resume_reading() {
    if (!std::exchange(paused_, false) || !started_) return;
    if (!kept_.empty()) return decode_kept_soon();
    stream_->resume_reading();
}

void WebSocketLink::close(std::uint16_t code) {
    if (closing_) return;
    send(Opcode::Close, wire::websocket::close_payload(code));
    closing_ = true;
    if (paused_) resume_reading();  // The peer's Close frame must get through.
    close_timer_ = shard_.after(options_.close_timeout, [this] { stream_->close(); });
}

void WebSocketLink::on_data(ByteView bytes) {
    silent_ticks_ = 0;
    if (kept_.empty() && !paused_) return decode(bytes);
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());  // Bounded: the stream has been told to pause.
}

void WebSocketLink::on_drained() {
    if (!closing_) sink_.on_link_drained();
}

void WebSocketLink::on_closed(const Error& why) {
    finished_ = closing_ = true;
    ping_timer_.cancel();
    close_timer_.cancel();
    const Error reason = why_ ? *why_ : why;
    sink_.on_link_closed(reason);
}

void WebSocketLink::decode(ByteView bytes) {
    const std::weak_ptr<const int> life = life_;
    while (!finished_) {
        if (paused_ && !bytes.empty()) {
            kept_.insert(kept_.end(), bytes.begin(), bytes.end());
            return;
        }
        const auto event = decoder_.next(bytes);
        if (!event) return end_with(decoder_.failure_code(), event.error());
        if (!*event) return;
        const auto [opcode, payload] = **event;
        if (opcode != Opcode::Text && opcode != Opcode::Binary) {
            take_control(opcode, payload);
        } else if (!closing_) {
            sink_.on_message(opcode, payload);
        }
        if (life.expired()) return;
    }
}

void WebSocketLink::decode_kept_soon() {
    shard_.defer([this, life = std::weak_ptr<const int>(life_)] {
        if (life.expired() || paused_) return;
        const Bytes kept = std::exchange(kept_, {});
        decode(kept);
        if (!life.expired() && !paused_) stream_->resume_reading();
    });
}

void WebSocketLink::take_control(Opcode opcode, ByteView payload) {
    if (opcode == Opcode::Ping) {
        // A peer that only pings and never reads its pongs is bounded like any that does not read.
        send(Opcode::Pong, payload);
    } else if (opcode == Opcode::Close) {
        send(Opcode::Close,
             payload.first(std::min<std::size_t>(payload.size(), 2)));  // Echo, unless we closed first.
        closing_ = finished_ = true;
        why_.emplace(ErrorCode::Closed);
        stream_->close();
    }
}

void WebSocketLink::end_with(std::uint16_t code, Error why) {
    (why.code() == ErrorCode::TooLarge ? too_large : refused).add();
    send(Opcode::Close, wire::websocket::close_payload(code));
    closing_ = finished_ = true;
    why_ = std::move(why);
    stream_->close();
}

/// A ping every ping_interval; a peer that says nothing for two whole intervals, not even a pong, is gone.
void WebSocketLink::tick() {
    if (finished_ || paused_) return;  // A peer that we hold back cannot be heard.
    if (++silent_ticks_ < 3) return send(Opcode::Ping, {});
    silent.add();
    finished_ = closing_ = true;
    why_.emplace(ErrorCode::Timeout, "the WebSocket peer is silent");
    stream_->close();
}

}  // namespace lineshaft::net
