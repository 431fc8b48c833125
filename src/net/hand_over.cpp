// A stream cannot leave its shard: its socket is registered with that shard's loop. So it stays, and a proxy on the
// other shard speaks for it; the two halves exchange posted messages only.
//
//   from:  socket ⇄ Near  ──arrived(bytes)──►  Far ⇄ handler  :to
//                         ◄──consumed(n)─────
//                         ◄──send(bytes)─────
//                          ──taken(n)──────►
//
// Back-pressure: Near stops reading while more than window_bytes are on their way or waiting at Far; Far counts what it
// has sent and Near has not yet seen taken by the system. Lifetime: Far owns Near. Near's death is the last message that
// Far posts, so a message to Near never comes too late; a message to Far asks its Link first.
#include <fmt/format.h>

#include "base/assert.h"
#include "net/network.h"

namespace lineshaft::net {
namespace {

constexpr std::size_t window_bytes = 256 * 1024;

class Far;

/// Whether Far still lives; read and written on the `to` shard only.
struct Link {
    Far* far = nullptr;
};

/// The half that stays with the socket.
class Near final : public StreamHandler {
public:
    Near(std::unique_ptr<Stream> stream, Shard& to, std::shared_ptr<Link> link)
        : stream_(std::move(stream)), to_(to), link_(std::move(link)) {}

    void start() { stream_->start(*this); }
    void send(ByteView bytes) {
        sent_ += bytes.size();
        stream_->send(bytes);
        report_taken();
    }
    void close() { stream_->close(); }
    void consumed(std::size_t bytes) {
        under_way_ -= bytes;
        if (!paused_ || under_way_ > window_bytes / 2) return;
        paused_ = false;
        stream_->resume_reading();
    }

    void on_data(ByteView bytes) override;
    void on_drained() override { report_taken(); }
    void on_closed(const Error& why) override;

private:
    void report_taken();

    const std::unique_ptr<Stream> stream_;
    Shard& to_;
    const std::shared_ptr<Link> link_;
    std::size_t under_way_ = 0;  // Posted to Far and not consumed.
    std::uint64_t sent_ = 0;
    std::uint64_t taken_reported_ = 0;
    bool paused_ = false;
};

/// The half that the new owner holds.
class Far final : public Stream {
public:
    Far(std::unique_ptr<Near> near, Shard& from, Shard& to, std::shared_ptr<Link> link, Peer peer)
        : near_(std::move(near)), from_(from), to_(to), link_(std::move(link)), peer_(std::move(peer)) {
        link_->far = this;
    }
    ~Far() override {
        link_->far = nullptr;
        from_.post([near = std::move(near_)] {});
    }

    void start(StreamHandler& handler) override {
        handler_ = &handler;
        deliver_kept_soon();
    }
    void send(ByteView bytes) override {
        if (closing_ || ended_ || bytes.empty()) return;
        output_.insert(output_.end(), bytes.begin(), bytes.end());
        flush_soon();
    }
    std::size_t unsent_bytes() const override { return output_.size() + posted_; }
    void pause_reading() override { paused_ = true; }
    void resume_reading() override {
        paused_ = false;
        deliver_kept_soon();
    }
    void close() override {
        closing_ = true;
        flush_soon();
    }
    const Peer& peer() const override { return peer_; }

    void arrived(Bytes bytes) {
        if (ended_) return;
        if (handler_ && !paused_ && kept_.empty()) return deliver(bytes);
        kept_.insert(kept_.end(), bytes.begin(), bytes.end());  // Bounded: Near has stopped at window_bytes.
    }
    void taken(std::size_t bytes) {
        ASSERT(bytes <= posted_);
        posted_ -= bytes;
        if (unsent_bytes() == 0 && handler_ && !closing_) handler_->on_drained();
    }
    void ended(const Error& why) {
        // What came before the end is delivered before the end, also to an owner that paused.
        if (!kept_.empty() && handler_) {
            const std::shared_ptr<Link> link = link_;
            const Bytes kept = std::exchange(kept_, {});
            handler_->on_data(kept);
            if (!link->far) return;
        }
        if (std::exchange(ended_, true)) return;
        why_ = why;
        if (StreamHandler* told = std::exchange(handler_, nullptr)) told->on_closed(why);
    }

private:
    void deliver(const Bytes& bytes) {
        const std::shared_ptr<Link> link = link_;
        const std::size_t size = bytes.size();
        handler_->on_data(bytes);
        if (!link->far) return;
        from_.post([near = near_.get(), size] { near->consumed(size); });
    }
    void deliver_kept_soon() {
        to_.defer([this, link = link_] {
            if (!link->far || !handler_) return;
            if (ended_) return std::exchange(handler_, nullptr)->on_closed(why_);
            if (!paused_ && !kept_.empty()) deliver(std::exchange(kept_, {}));
        });
    }
    void flush_soon() {
        if (std::exchange(flush_is_due_, true)) return;
        to_.defer([this, link = link_] {
            if (link->far) flush();
        });
    }
    void flush() {
        flush_is_due_ = false;
        if (ended_) return;
        if (unsent_bytes() > limits::stream_unsent_bytes_max) {
            output_ = {};
            return ended(Error(
                ErrorCode::LimitExceeded,
                fmt::format("the peer does not read; more than {} bytes waited", limits::stream_unsent_bytes_max)));
        }
        if (!output_.empty()) {
            posted_ += output_.size();
            from_.post([near = near_.get(), bytes = std::exchange(output_, {})] { near->send(bytes); });
        }
        if (closing_) from_.post([near = near_.get()] { near->close(); });
    }

    std::unique_ptr<Near> near_;  // Used and destroyed on `from`.
    Shard& from_;
    Shard& to_;
    const std::shared_ptr<Link> link_;
    const Peer peer_;
    StreamHandler* handler_ = nullptr;
    Bytes output_;            // Gathered during this task.
    std::size_t posted_ = 0;  // Given to Near, not taken by the system yet.
    Bytes kept_;              // Arrived while nobody listened.
    Error why_{ErrorCode::Closed};
    bool paused_ = false;
    bool closing_ = false;
    bool ended_ = false;
    bool flush_is_due_ = false;
};

void Near::on_data(ByteView bytes) {
    under_way_ += bytes.size();
    to_.post([link = link_, copy = Bytes(bytes.begin(), bytes.end())]() mutable {
        if (link->far) link->far->arrived(std::move(copy));
    });
    if (under_way_ <= window_bytes || paused_) return;
    paused_ = true;
    stream_->pause_reading();
}

void Near::on_closed(const Error& why) {
    to_.post([link = link_, why] {
        if (link->far) link->far->ended(why);
    });
}

void Near::report_taken() {
    const std::uint64_t taken = sent_ - stream_->unsent_bytes();
    if (taken <= taken_reported_) return;  // A stream that has ended counts nothing as unsent; that is fine too.
    const std::size_t bytes = taken - taken_reported_;
    taken_reported_ = taken;
    to_.post([link = link_, bytes] {
        if (link->far) link->far->taken(bytes);
    });
}

}  // namespace

void hand_over(std::unique_ptr<Stream> stream, Shard& from, Shard& to,
               std::move_only_function<void(std::unique_ptr<Stream>)> done) {
    ASSERT(from.is_current());
    auto link = std::make_shared<Link>();
    Peer peer = stream->peer();
    auto near = std::make_unique<Near>(std::move(stream), to, link);
    Near* const started = near.get();
    to.post([near = std::move(near), &from, &to, link, peer = std::move(peer), done = std::move(done)]() mutable {
        done(std::make_unique<Far>(std::move(near), from, to, std::move(link), std::move(peer)));
    });
    started->start();  // After the post, so that nothing arrives before Far exists.
}

}  // namespace lineshaft::net
