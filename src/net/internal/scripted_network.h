/// For tests and fuzzing: a network without sockets. The test plays the peers.
///
///   ScriptedNetwork network(shard);  serve_http(shard, network, {"", 80}, handler);
///   auto peer = network.connect_peer();  peer->send("GET / HTTP/1.1\r\n…");  run the shard;  peer->received
///
/// Threads: one.
#pragma once

#include <memory>
#include <string>

#include "base/limits.h"
#include "runtime/stream.h"

namespace lineshaft::net::testing {

/// The other end of a stream, in the test's hand.
class ScriptedPeer {
public:
    void send(std::string_view text) {
        if (gone || closed) return;
        if (paused || !handler) {
            waiting += text;
        } else {
            handler->on_data(as_bytes(text));
        }
    }
    /// Ends its side.
    void end() {
        if (StreamHandler* told = gone || closed ? nullptr : std::exchange(handler, nullptr)) {
            closed = true;
            told->on_closed(Error(ErrorCode::Closed));
        }
    }
    /// A stalled peer takes nothing more until it is freed.
    void stall() { stalled = true; }
    void read_again(std::size_t bytes = SIZE_MAX) {
        const std::size_t taken = std::min(bytes, unsent.size());
        received += unsent.substr(0, taken);
        unsent.erase(0, taken);
        stalled = bytes != SIZE_MAX;
        if (unsent.empty() && taken > 0 && handler && !gone) handler->on_drained();
    }
    bool is_open() const { return !gone && !closed; }
    std::string take_received() { return std::exchange(received, {}); }

    std::string received;
    std::string unsent;
    std::string waiting;  // Sent by the peer while the stream was paused.
    StreamHandler* handler = nullptr;
    bool stalled = false;
    bool paused = false;
    bool closed = false;  // By either side, orderly.
    bool gone = false;    // The stream was destroyed.
};

class ScriptedStream final : public Stream {
public:
    ScriptedStream(Shard& shard, std::shared_ptr<ScriptedPeer> peer, Peer described)
        : shard_(shard), peer_(std::move(peer)), described_(std::move(described)) {}
    ~ScriptedStream() override { peer_->gone = true; }

    void start(StreamHandler& handler) override {
        peer_->handler = &handler;
        resume_reading();
    }
    void send(ByteView bytes) override {
        if (peer_->closed || closing_) return;
        if (peer_->stalled) {
            peer_->unsent += as_text(bytes);
            return;
        }
        peer_->received += as_text(bytes);
        if (std::exchange(drain_is_due_, true)) return;
        later([this] {
            drain_is_due_ = false;
            if (peer_->unsent.empty() && peer_->handler && !peer_->closed) peer_->handler->on_drained();
        });
    }
    std::size_t unsent_bytes() const override { return peer_->unsent.size(); }
    void pause_reading() override { peer_->paused = true; }
    void resume_reading() override {
        peer_->paused = false;
        if (peer_->waiting.empty()) return;
        later([this] {
            if (!peer_->paused && peer_->handler && !peer_->waiting.empty()) {
                const std::string text = std::exchange(peer_->waiting, {});
                peer_->handler->on_data(as_bytes(text));
            }
        });
    }
    void close() override {
        if (std::exchange(closing_, true)) return;
        later([this] {
            if (!peer_->closed) peer_->end();
        });
    }
    const Peer& peer() const override { return described_; }

private:
    template <class Work>
    void later(Work work) {
        shard_.defer([peer = peer_, work = std::move(work)]() mutable {
            if (!peer->gone) work();
        });
    }

    Shard& shard_;
    const std::shared_ptr<ScriptedPeer> peer_;
    const Peer described_;
    bool closing_ = false;
    bool drain_is_due_ = false;
};

class ScriptedNetwork final : public Network {
public:
    explicit ScriptedNetwork(Shard& shard) : shard_(shard) {}

    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, OnAccept accept) override {
        accept_ = std::move(accept);
        return std::make_unique<Door>(*this, at);
    }
    void connect(const Endpoint&, Duration, OnConnect done) override { done(fail(ErrorCode::Unreachable)); }

    /// A new connection from `host`; a refused one is gone at once.
    std::shared_ptr<ScriptedPeer> connect_peer(const std::string& host = "127.0.0.1") {
        auto peer = std::make_shared<ScriptedPeer>();
        peer->gone = !accept_;
        const Endpoint from{host, 40'000};
        if (accept_) {
            accept_(std::make_unique<ScriptedStream>(
                shard_, peer,
                Peer{.address = from, .loopback = is_loopback(from), .encrypted = false, .certificate_subject = {}}));
        }
        return peer;
    }

private:
    struct Door final : Listener {
        Door(ScriptedNetwork& of, Endpoint where) : network(of), at(std::move(where)) {}
        ~Door() override { network.accept_ = nullptr; }
        Endpoint endpoint() const override { return at; }
        ScriptedNetwork& network;
        const Endpoint at;
    };

    Shard& shard_;
    OnAccept accept_;
};

}  // namespace lineshaft::net::testing
