/// A network in memory: who listens is found by endpoint, bytes travel by tasks, a test may cut, delay or refuse.
///
///   MemoryNetwork network(shard);           // One for both sides; both live on `shard`.
///   network.listen({"plc", 502}, …);  network.connect({"plc", 502}, 1s, …);  shard.run();
///
/// Threads: one.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "manual_shard.h"
#include "runtime/stream.h"

namespace lineshaft::testing {

class MemoryNetwork final : public Network {
public:
    explicit MemoryNetwork(ManualShard& shard) : shard_(shard) {}
    ~MemoryNetwork() override { *alive_ = nullptr; }

    /// Nobody answers: connecting ends with Timeout.
    bool swallows_connects = false;
    /// Bytes arrive one by one.
    bool splits = false;

    /// Ends all connections for both sides.
    void cut() {
        for (End* end : std::vector<End*>(ends_)) {
            if (std::ranges::find(ends_, end) != ends_.end()) end->end(Error(ErrorCode::Closed, "connection reset"));
        }
    }
    std::size_t connections() const { return ends_.size() / 2; }

    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, OnAccept accept) override {
        Endpoint endpoint = at;
        if (endpoint.port == 0) endpoint.port = next_port_++;
        if (accepts_.contains(to_text(endpoint))) return fail(ErrorCode::PortTaken, to_text(endpoint));
        accepts_[to_text(endpoint)] = std::move(accept);
        return std::make_unique<Listening>(alive_, endpoint);
    }

    void connect(const Endpoint& to, Duration timeout, OnConnect done) override {
        if (swallows_connects) {
            timers_.push_back(
                shard_.after(timeout, [done = std::move(done)]() mutable { done(fail(ErrorCode::Timeout)); }));
            return;
        }
        shard_.post([this, alive = alive_, to, done = std::move(done)]() mutable {
            if (!*alive) return;
            const auto accept = accepts_.find(to_text(to));
            if (accept == accepts_.end())
                return done(fail(ErrorCode::Unreachable, to_text(to) + ": connection refused"));
            auto client = std::make_unique<End>(alive_);
            auto server = std::make_unique<End>(alive_);
            client->other_ = server.get();
            server->other_ = client.get();
            accept->second(std::move(server));
            done(std::move(client));
        });
    }

private:
    using Alive = std::shared_ptr<MemoryNetwork*>;

    class Listening final : public Listener {
    public:
        Listening(Alive network, Endpoint endpoint) : network_(std::move(network)), endpoint_(std::move(endpoint)) {}
        ~Listening() override {
            if (*network_) (*network_)->accepts_.erase(to_text(endpoint_));
        }
        Endpoint endpoint() const override { return endpoint_; }

    private:
        Alive network_;
        Endpoint endpoint_;
    };

    /// One side of a connection. What comes before start() or while reading is paused waits.
    class End final : public Stream {
    public:
        explicit End(Alive network) : network_(std::move(network)) { (*network_)->ends_.push_back(this); }
        ~End() override {
            if (*network_) std::erase((*network_)->ends_, this);
            if (other_) {
                other_->other_ = nullptr;
                other_->post_end();
            }
        }
        void start(StreamHandler& handler) override {
            handler_ = &handler;
            post_delivery();
        }
        void send(ByteView bytes) override {
            if (!other_) return;
            other_->waiting_.insert(other_->waiting_.end(), bytes.begin(), bytes.end());
            other_->post_delivery();
        }
        std::size_t unsent_bytes() const override { return other_ ? other_->waiting_.size() : 0; }
        void pause_reading() override { paused_ = true; }
        void resume_reading() override {
            paused_ = false;
            post_delivery();
        }
        void close() override {
            if (other_) other_->post_end();
            post_end();
        }
        const Peer& peer() const override { return peer_; }

    private:
        friend class MemoryNetwork;

        template <class Work>
        void post(Work work) {
            if (!*network_) return;
            (*network_)->shard_.post([this, network = network_, work]() {
                // This end may have died in the meantime.
                if (*network && std::ranges::find((*network)->ends_, this) != (*network)->ends_.end()) work();
            });
        }
        void post_delivery() {
            post([this] { deliver(); });
        }
        void post_end() {
            post([this] { end(Error(ErrorCode::Closed)); });
        }
        void deliver() {
            if (!handler_ || paused_ || ended_ || waiting_.empty()) return;
            const bool one = (*network_)->splits;
            const std::size_t count = one ? 1 : waiting_.size();
            const Bytes bytes(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
            waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
            if (!waiting_.empty()) post_delivery();
            handler_->on_data(bytes);
        }
        void end(const Error& why) {
            if (ended_ || !handler_) return;
            if (!waiting_.empty() && !paused_ && why.detail().empty()) return post_end();  // Data first.
            ended_ = true;
            handler_->on_closed(why);
        }

        Alive network_;
        End* other_ = nullptr;
        StreamHandler* handler_ = nullptr;
        Bytes waiting_;
        bool paused_ = false;
        bool ended_ = false;
        Peer peer_{.address = {"127.0.0.1", 1}, .loopback = true};
    };

    ManualShard& shard_;
    std::map<std::string, OnAccept> accepts_;
    std::vector<End*> ends_;
    std::vector<Timer> timers_;
    std::uint16_t next_port_ = 50'000;
    Alive alive_ = std::make_shared<MemoryNetwork*>(this);
};

}  // namespace lineshaft::testing
