/// One TCP connection: what a Stream handle and the handlers pending inside Asio share.
///
/// Intuition: the owner may destroy its Stream at any moment, even inside on_data, while Asio still holds a handler for
/// the socket. So the Stream is only a handle. The connection lives until the last pending handler has run; `cut`
/// severs it from its owner, and from then on nobody is called.
///
///   Open ──close()──► Closing ──all out──► Lingering ──peer ends, 2 s──► Ended
///     └──────────── error, end of peer, cut ──────────────────────────────►┘
///
/// Lingering reads and throws away: a socket closed with unread bytes resets the peer, which then loses our last answer.
/// Threads: own shard only.
#pragma once

#include <memory>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "net/internal/output_queue.h"
#include "net/network.h"
#include "runtime/stream.h"

namespace lineshaft::net {

class TcpConnection;

/// What all connections of one network share: the buffer they read into, and the list of those with bytes to write.
class TcpLoop : public std::enable_shared_from_this<TcpLoop> {
public:
    TcpLoop(Shard& owner, const NetworkOptions& with) : shard(owner), options(with) {}

    /// Has `connection` flushed once, after the current task.
    void flush_soon(std::shared_ptr<TcpConnection> connection);

    Shard& shard;
    const NetworkOptions options;
    static constexpr std::size_t read_bytes_max = 64 * 1024;
    const std::unique_ptr<std::byte[]> read_buffer = std::make_unique<std::byte[]>(read_bytes_max);

private:
    void flush_all();

    std::vector<std::shared_ptr<TcpConnection>> dirty_;
    std::vector<std::shared_ptr<TcpConnection>> flushing_;  // Keeps its memory between turns.
};

class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
public:
    using tcp = boost::asio::ip::tcp;

    TcpConnection(std::shared_ptr<TcpLoop> loop, tcp::socket socket);
    ~TcpConnection();

    void start(StreamHandler& handler);
    void send(ByteView bytes);
    std::size_t unsent_bytes() const { return output_.size(); }
    void pause_reading() { paused_ = true; }
    void resume_reading();
    void close();
    const Peer& peer() const { return peer_; }
    /// The owner is gone.
    void cut();

    /// For TcpLoop.
    void flush();

private:
    enum class State : std::uint8_t { Open, Closing, Lingering, Ended };

    void wait_readable();
    void read();
    void end_of_peer();
    void wait_writable();
    void all_out();
    void end(const Error& why);

    const std::shared_ptr<TcpLoop> loop_;
    tcp::socket socket_;
    Peer peer_;
    StreamHandler* handler_ = nullptr;
    OutputQueue output_;
    Timer timer_;  // Of close() and of lingering.
    State state_ = State::Open;
    bool paused_ = false;
    bool waits_readable_ = false;
    bool waits_writable_ = false;
    bool flush_is_due_ = false;
    bool peer_has_ended_ = false;
    bool over_limit_ = false;
};

/// The owner's handle.
std::unique_ptr<Stream> make_tcp_stream(std::shared_ptr<TcpLoop> loop, boost::asio::ip::tcp::socket socket);

}  // namespace lineshaft::net
