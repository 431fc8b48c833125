#include "net/internal/tcp_connection.h"

#include <array>

#include <fmt/format.h>
#include <netinet/tcp.h>

#include "base/counters.h"

namespace lineshaft::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

Counter bytes_in{"lineshaft_net_bytes_total", "direction=\"in\"", "Bytes over TCP connections"};
Counter bytes_out{"lineshaft_net_bytes_total", "direction=\"out\"", "Bytes over TCP connections"};
Counter cut_unsent{"lineshaft_net_cut_total", "reason=\"unsent\"", "Connections cut by Lineshaft"};
Counter cut_close{"lineshaft_net_cut_total", "reason=\"close_timeout\"", "Connections cut by Lineshaft"};
Gauge open_connections{"lineshaft_net_connections", "", "Open TCP connections"};

constexpr Duration linger_max = 2s;
constexpr int reads_per_turn_max = 4;      // So that one fast sender does not starve the others.
constexpr std::size_t gather_chunks = 32;  // × 64 KiB is more than a socket buffer takes.

/// Finds peers that lost power: they send nothing, not even a reset.
void set_keep_alive(int fd) {
    const auto set = [fd](int level, int option, int value) {
        (void)::setsockopt(fd, level, option, &value, sizeof value);  // A kernel without it still works.
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

Peer describe_peer(const asio::ip::tcp::socket& socket) {
    error_code code;
    const auto remote = socket.remote_endpoint(code);
    Peer peer;
    if (code) return peer;
    asio::ip::address address = remote.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    peer.address = Endpoint{address.to_string(), remote.port()};
    peer.loopback = address.is_loopback();
    return peer;
}

class TcpStream final : public Stream {
public:
    explicit TcpStream(std::shared_ptr<TcpConnection> connection) : connection_(std::move(connection)) {}
    ~TcpStream() override { connection_->cut(); }
    void start(StreamHandler& handler) override { connection_->start(handler); }
    void send(ByteView bytes) override { connection_->send(bytes); }
    std::size_t unsent_bytes() const override { return connection_->unsent_bytes(); }
    void pause_reading() override { connection_->pause_reading(); }
    void resume_reading() override { connection_->resume_reading(); }
    void close() override { connection_->close(); }
    const Peer& peer() const override { return connection_->peer(); }

private:
    const std::shared_ptr<TcpConnection> connection_;
};

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(std::shared_ptr<TcpLoop> loop, asio::ip::tcp::socket socket) {
    return std::make_unique<TcpStream>(std::make_shared<TcpConnection>(std::move(loop), std::move(socket)));
}

void TcpLoop::flush_soon(std::shared_ptr<TcpConnection> connection) {
    dirty_.push_back(std::move(connection));
    if (dirty_.size() == 1) shard.defer([self = shared_from_this()] { self->flush_all(); });
}

void TcpLoop::flush_all() {
    flushing_.swap(dirty_);  // What becomes dirty meanwhile has its own turn.
    for (const auto& connection : flushing_) connection->flush();
    flushing_.clear();
}

TcpConnection::TcpConnection(std::shared_ptr<TcpLoop> loop, tcp::socket socket)
    : loop_(std::move(loop)), socket_(std::move(socket)), peer_(describe_peer(socket_)) {
    error_code ignored;
    ignored = socket_.non_blocking(true, ignored);
    set_keep_alive(socket_.native_handle());
    open_connections.add(1);
}

TcpConnection::~TcpConnection() { open_connections.add(-1); }

void TcpConnection::start(StreamHandler& handler) {
    handler_ = &handler;
    if (state_ != State::Ended) return wait_readable();
    loop_->shard.post([self = shared_from_this()] {  // It broke before anybody listened.
        if (StreamHandler* told = std::exchange(self->handler_, nullptr))
            told->on_closed(Error(ErrorCode::Unreachable));
    });
}

void TcpConnection::send(ByteView bytes) {
    if (state_ != State::Open || over_limit_ || bytes.empty()) return;
    if (output_.size() + bytes.size() > loop_->options.unsent_bytes_max) {
        over_limit_ = true;  // Told by flush: a sender must not be called back from its own send.
        output_.clear();
        cut_unsent.add();
    } else {
        output_.append(bytes);
    }
    if (flush_is_due_ || (waits_writable_ && !over_limit_)) return;
    flush_is_due_ = true;
    loop_->flush_soon(shared_from_this());
}

void TcpConnection::resume_reading() {
    paused_ = false;
    if (handler_) wait_readable();
}

void TcpConnection::close() {
    if (state_ != State::Open) return;
    state_ = State::Closing;
    timer_ = loop_->shard.after(loop_->options.close_timeout, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        cut_close.add();
        self->end(Error(ErrorCode::Timeout, "the peer did not take what was queued"));
    });
    resume_reading();  // To see the peer end; what comes is thrown away.
    if (flush_is_due_ || waits_writable_) return;
    flush_is_due_ = true;
    loop_->flush_soon(shared_from_this());
}

void TcpConnection::cut() {
    handler_ = nullptr;
    if (state_ != State::Lingering) end(Error(ErrorCode::Closed));
}

void TcpConnection::wait_readable() {
    if (waits_readable_ || state_ == State::Ended || peer_has_ended_) return;
    waits_readable_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& code) {
        self->waits_readable_ = false;
        if (!code) self->read();
    });
}

void TcpConnection::read() {
    const auto self = shared_from_this();  // on_data may destroy the stream.
    for (int i = 0; i < reads_per_turn_max; ++i) {
        if (state_ == State::Ended || paused_) return;
        error_code code;
        const std::size_t size =
            socket_.read_some(asio::buffer(loop_->read_buffer.get(), TcpLoop::read_bytes_max), code);
        if (code == asio::error::would_block || code == asio::error::try_again) break;
        if (code == asio::error::eof) return end_of_peer();
        if (code) return end(Error(ErrorCode::Unreachable, code.message()));

        bytes_in.add(static_cast<std::int64_t>(size));
        if (state_ == State::Open && handler_) handler_->on_data(ByteView(loop_->read_buffer.get(), size));
        if (size < TcpLoop::read_bytes_max) break;  // There is no more, most likely: save the call.
    }
    if (!paused_) wait_readable();
}

void TcpConnection::end_of_peer() {
    peer_has_ended_ = true;
    // A peer that half-closes after its last request still gets what close() has queued.
    if (state_ != State::Closing) end(Error(ErrorCode::Closed));
}

void TcpConnection::flush() {
    flush_is_due_ = false;
    if (state_ == State::Ended) return;
    if (over_limit_) {
        return end(Error(ErrorCode::LimitExceeded, fmt::format("the peer does not read; more than {} bytes waited",
                                                               loop_->options.unsent_bytes_max)));
    }
    while (output_.size() > 0) {
        std::array<ByteView, gather_chunks> views;
        const std::size_t count = output_.gather(views);
        std::array<asio::const_buffer, gather_chunks> buffers;
        for (std::size_t i = 0; i < count; ++i) buffers[i] = asio::const_buffer(views[i].data(), views[i].size());

        error_code code;
        const std::size_t size = socket_.write_some(buffers, code);
        if (code == asio::error::would_block || code == asio::error::try_again) return wait_writable();
        if (code) return end(Error(ErrorCode::Unreachable, code.message()));
        output_.drop(size);
        bytes_out.add(static_cast<std::int64_t>(size));
    }
    all_out();
}

void TcpConnection::wait_writable() {
    if (waits_writable_) return;
    waits_writable_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& code) {
        self->waits_writable_ = false;
        if (!code && !self->flush_is_due_) self->flush();
    });
}

void TcpConnection::all_out() {
    const auto self = shared_from_this();
    if (state_ == State::Open) {
        if (handler_) handler_->on_drained();
        return;
    }
    if (state_ != State::Closing) return;
    if (peer_has_ended_) return end(Error(ErrorCode::Closed));
    error_code ignored;
    ignored = socket_.shutdown(tcp::socket::shutdown_send, ignored);
    state_ = State::Lingering;
    timer_ = loop_->shard.after(linger_max, [weak = weak_from_this()] {
        if (const auto held = weak.lock()) held->end(Error(ErrorCode::Closed));
    });
    wait_readable();
    if (StreamHandler* told = std::exchange(handler_, nullptr)) told->on_closed(Error(ErrorCode::Closed));
}

void TcpConnection::end(const Error& why) {
    if (state_ == State::Ended) return;
    const auto self = shared_from_this();
    state_ = State::Ended;
    timer_.cancel();
    output_.clear();
    error_code ignored;
    ignored = socket_.close(ignored);
    if (StreamHandler* told = std::exchange(handler_, nullptr)) told->on_closed(why);
}

}  // namespace lineshaft::net
