#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <fmt/format.h>

#include "base/counters.h"
#include "net/internal/tcp_connection.h"
#include "net/network.h"

namespace lineshaft::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Counter accepted{"lineshaft_net_accepted_total", "", "TCP connections accepted"};
Counter accept_failed{"lineshaft_net_accept_failed_total", "", "TCP connections that could not be accepted"};

constexpr Duration accept_pause = 100ms;  // After a failure such as "too many open files".

enum class Port : std::uint8_t { Shared, Alone };

/// The address to listen on. Names are not looked up here: a door opens where the configuration says, not where DNS does.
Result<tcp::endpoint> listen_address(const Endpoint& at) {
    if (at.host.empty()) return tcp::endpoint(asio::ip::address_v6::any(), at.port);
    if (at.host == "localhost") return tcp::endpoint(asio::ip::address_v4::loopback(), at.port);
    error_code code;
    const auto address = asio::ip::make_address(at.host, code);
    if (code) return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is not an IP address to listen on", at.host));
    return tcp::endpoint(address, at.port);
}

Error listen_error(const error_code& code, const Endpoint& at) {
    if (code == asio::error::address_in_use) return Error(ErrorCode::PortTaken, to_text(at));
    const std::string detail = fmt::format("{}: {}", to_text(at), code.message());
    return Error(code == asio::error::access_denied ? ErrorCode::Forbidden : ErrorCode::InvalidArgument, detail);
}

Result<tcp::acceptor> open_acceptor(asio::io_context& io, const Endpoint& at, Port port) {
    tcp::endpoint address = TRY(listen_address(at));
    tcp::acceptor acceptor(io);
    error_code code;
    code = acceptor.open(address.protocol(), code);
    if (code && at.host.empty()) {  // A machine without IPv6.
        address = tcp::endpoint(asio::ip::address_v4::any(), at.port);
        code.clear();
        code = acceptor.open(address.protocol(), code);
    }
    error_code ignored;
    if (address.address().is_v6()) ignored = acceptor.set_option(asio::ip::v6_only(!at.host.empty()), ignored);
    if (!code) code = acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code && port == Port::Shared) code = acceptor.set_option(reuse_port(true), code);
    if (!code) code = acceptor.bind(address, code);
    if (!code) code = acceptor.listen(asio::socket_base::max_listen_connections, code);
    if (code) return std::unexpected(listen_error(code, at));
    return acceptor;
}

/// Accepts until its listener is gone. Shared with the pending accept inside Asio.
class Acceptance : public std::enable_shared_from_this<Acceptance> {
public:
    Acceptance(std::shared_ptr<TcpLoop> loop, tcp::acceptor acceptor, OnAccept accept)
        : loop_(std::move(loop)), acceptor_(std::move(acceptor)), accept_(std::move(accept)) {}

    void next() {
        acceptor_.async_accept([self = shared_from_this()](const error_code& code, tcp::socket socket) {
            if (self->stopped_) return;
            if (code) return self->pause();
            accepted.add();
            self->accept_(make_tcp_stream(self->loop_, std::move(socket)));
            if (!self->stopped_) self->next();
        });
    }
    void stop() {
        stopped_ = true;
        pause_.cancel();
        error_code ignored;
        ignored = acceptor_.close(ignored);
    }
    tcp::endpoint local() const {
        error_code ignored;
        return acceptor_.local_endpoint(ignored);
    }

private:
    void pause() {
        accept_failed.add();
        pause_ = loop_->shard.after(accept_pause, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (self && !self->stopped_) self->next();
        });
    }

    const std::shared_ptr<TcpLoop> loop_;
    tcp::acceptor acceptor_;
    const OnAccept accept_;
    Timer pause_;
    bool stopped_ = false;
};

class TcpListener final : public Listener {
public:
    TcpListener(std::shared_ptr<Acceptance> acceptance, const Endpoint& at)
        : acceptance_(std::move(acceptance)), endpoint_{at.host, acceptance_->local().port()} {}
    ~TcpListener() override { acceptance_->stop(); }
    Endpoint endpoint() const override { return endpoint_; }

private:
    const std::shared_ptr<Acceptance> acceptance_;
    const Endpoint endpoint_;
};

/// Looks a name up and tries its addresses in turn, all within one timeout. Answers once.
class Connecting : public std::enable_shared_from_this<Connecting> {
public:
    Connecting(std::shared_ptr<TcpLoop> loop, const Endpoint& to, OnConnect done)
        : loop_(std::move(loop)),
          to_(to),
          done_(std::move(done)),
          resolver_(loop_->shard.io()),
          socket_(loop_->shard.io()) {}

    void start(Duration timeout) {
        timer_ = loop_->shard.after(timeout, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (self) self->finish(Error(ErrorCode::Timeout, fmt::format("{} did not answer", to_text(self->to_))));
        });
        error_code code;
        const auto address = asio::ip::make_address(to_.host, code);
        if (!code) return connect(tcp::resolver::results_type::create(tcp::endpoint(address, to_.port), "", ""));
        resolver_.async_resolve(to_.host, fmt::format("{}", to_.port), tcp::resolver::numeric_service,
                                [self = shared_from_this()](const error_code& failure, const auto& found) {
                                    if (failure) return self->refuse(failure);
                                    self->connect(found);
                                });
    }

private:
    void connect(const tcp::resolver::results_type& addresses) {
        if (!done_) return;
        asio::async_connect(socket_, addresses, [self = shared_from_this()](const error_code& code, const auto&) {
            if (code) return self->refuse(code);
            if (self->done_) self->finish({});
        });
    }

    void refuse(const error_code& code) {
        finish(Error(ErrorCode::Unreachable, fmt::format("{}: {}", to_text(to_), code.message())));
    }

    void finish(std::optional<Error> why) {
        if (!done_) return;
        OnConnect done = std::exchange(done_, nullptr);
        timer_.cancel();
        if (!why) return done(make_tcp_stream(loop_, std::move(socket_)));
        resolver_.cancel();
        error_code ignored;
        ignored = socket_.close(ignored);
        done(std::unexpected(std::move(*why)));
    }

    const std::shared_ptr<TcpLoop> loop_;
    const Endpoint to_;
    OnConnect done_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    Timer timer_;
};

class TcpNetwork final : public Network {
public:
    TcpNetwork(Shard& shard, const NetworkOptions& options) : loop_(std::make_shared<TcpLoop>(shard, options)) {}

    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, OnAccept accept) override {
        auto acceptor = TRY(open_acceptor(loop_->shard.io(), at, Port::Shared));
        auto acceptance = std::make_shared<Acceptance>(loop_, std::move(acceptor), std::move(accept));
        acceptance->next();
        return std::make_unique<TcpListener>(std::move(acceptance), at);
    }

    void connect(const Endpoint& to, Duration timeout, OnConnect done) override {
        std::make_shared<Connecting>(loop_, to, std::move(done))->start(timeout);
    }

private:
    const std::shared_ptr<TcpLoop> loop_;
};

}  // namespace

std::unique_ptr<Network> make_tcp_network(Shard& shard, const NetworkOptions& options) {
    return std::make_unique<TcpNetwork>(shard, options);
}

Result<void> check_port_free(const Endpoint& at) {
    asio::io_context io;
    TRY(open_acceptor(io, at, Port::Alone));
    return {};
}

}  // namespace lineshaft::net
