#include "net/http_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/internal/http_parser.h"
#include "net/internal/tls_context.h"
#include "runtime/clock.h"

namespace lineshaft::net {
namespace {

struct Url {
    bool secure = false;
    Endpoint server;
    std::string authority;  // As written, for the Host field.
    std::string target;
};

Result<Url> parse_url(std::string_view text) {
    Url url;
    if (text.starts_with("http://")) {
        text.remove_prefix(7);
    } else if (text.starts_with("https://")) {
        url.secure = true;
        text.remove_prefix(8);
    } else {
        return fail(ErrorCode::InvalidArgument, fmt::format("'{}' does not begin with http:// or https://", text));
    }
    const std::size_t end = text.find_first_of("/?#");
    url.authority = text.substr(0, end);
    url.target = end == std::string_view::npos ? "/" : std::string(text.substr(end));
    url.target = url.target.substr(0, url.target.find('#'));
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    if (url.target.find_first_of(" \r\n\t") != std::string::npos) {
        return fail(ErrorCode::InvalidArgument, "the URL has a space: write %20");
    }
    const bool has_port = url.authority.rfind(':') != std::string::npos && !url.authority.ends_with(']');
    url.server = TRY(parse_endpoint(has_port ? url.authority : url.authority + (url.secure ? ":443" : ":80")));
    if (url.server.host.empty()) return fail(ErrorCode::InvalidArgument, "the URL has no host");
    return url;
}

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int value() const { return fd_; }

private:
    int fd_;
};

/// A connection that waits, but never beyond its deadline.
class Connection {
public:
    explicit Connection(Instant deadline) : deadline_(deadline) {}
    ~Connection() {
        if (engine_) SSL_shutdown(engine_.get());
    }

    Result<void> open(const Endpoint& to);
    Result<void> secure(const std::string& host, const std::string& trusted_ca);
    Result<void> send(ByteView bytes);
    /// 0 at the end.
    Result<std::size_t> receive(std::span<std::byte> into);

private:
    Result<void> wait(short events);
    Result<Descriptor> open_one(const addrinfo& address);
    Result<void> wait_for_engine(int result, const char* doing);

    const Instant deadline_;
    Descriptor socket_;
    SslContext context_;
    SslEngine engine_;
};

Result<void> Connection::wait(short events) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - system_clock().now());
        if (left.count() <= 0) return fail(ErrorCode::Timeout, "the server did not answer in time");
        pollfd waiting{socket_.value(), events, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return fail(ErrorCode::Unreachable, std::strerror(errno));
    }
}

Result<void> Connection::open(const Endpoint& to) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(to.host.c_str(), fmt::format("{}", to.port).c_str(), &hints, &found);
    if (code != 0) return fail(ErrorCode::Unreachable, fmt::format("{}: {}", to.host, ::gai_strerror(code)));
    const std::unique_ptr<addrinfo, OpenSslRelease<::freeaddrinfo>> addresses(found);

    std::optional<Error> last;
    for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
        auto opened = open_one(*address);
        if (opened) {
            socket_ = std::move(*opened);
            return {};
        }
        last = opened.error();
        if (last->code() == ErrorCode::Timeout) break;
    }
    return fail(last->code(), fmt::format("{}: {}", to_text(to), last->detail()));
}

Result<Descriptor> Connection::open_one(const addrinfo& address) {
    Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.value() < 0) return fail(ErrorCode::Unreachable, std::strerror(errno));
    const int yes = 1;
    (void)::setsockopt(socket.value(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    int failure = ::connect(socket.value(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (failure == EINPROGRESS) {
        socket_ = std::move(socket);
        auto waited = wait(POLLOUT);
        socket = std::move(socket_);
        if (!waited) return std::unexpected(std::move(waited).error());
        socklen_t size = sizeof failure;
        ::getsockopt(socket.value(), SOL_SOCKET, SO_ERROR, &failure, &size);
    }
    if (failure != 0) return fail(ErrorCode::Unreachable, std::strerror(failure));
    return socket;
}

Result<void> Connection::secure(const std::string& host, const std::string& trusted_ca) {
    context_ = TRY(make_client_context({}, trusted_ca));
    engine_.reset(SSL_new(context_.get()));
    TRY_VOID(expect_host(*engine_, host));
    SSL_set_fd(engine_.get(), socket_.value());
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(engine_.get());
        if (result == 1) return {};
        const long verified = SSL_get_verify_result(engine_.get());
        if (verified != X509_V_OK) {
            engine_.reset();
            return fail(ErrorCode::Unreachable,
                        fmt::format("the certificate of {}: {}", host, X509_verify_cert_error_string(verified)));
        }
        TRY_VOID(wait_for_engine(result, "TLS handshake"));
    }
}

Result<void> Connection::wait_for_engine(int result, const char* doing) {
    const int error = SSL_get_error(engine_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return wait(POLLIN);
    if (error == SSL_ERROR_WANT_WRITE) return wait(POLLOUT);
    const std::string reason = error == SSL_ERROR_SYSCALL ? "the server closed" : openssl_error();
    engine_.reset();  // A broken one must not be shut down.
    return fail(ErrorCode::Unreachable, fmt::format("{}: {}", doing, reason));
}

Result<void> Connection::send(ByteView bytes) {
    while (!bytes.empty()) {
        if (engine_) {
            std::size_t written = 0;
            ERR_clear_error();
            const int result = SSL_write_ex(engine_.get(), bytes.data(), bytes.size(), &written);
            if (result == 1) return {};
            TRY_VOID(wait_for_engine(result, "sending"));
            continue;
        }
        const ssize_t written = ::send(socket_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (written >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN || errno == EINTR) {
            TRY_VOID(wait(POLLOUT));
        } else {
            return fail(ErrorCode::Unreachable, std::strerror(errno));
        }
    }
    return {};
}

Result<std::size_t> Connection::receive(std::span<std::byte> into) {
    for (;;) {
        if (engine_) {
            std::size_t size = 0;
            ERR_clear_error();
            const int result = SSL_read_ex(engine_.get(), into.data(), into.size(), &size);
            if (result == 1) return size;
            if (SSL_get_error(engine_.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
            TRY_VOID(wait_for_engine(result, "receiving"));
            continue;
        }
        const ssize_t size = ::recv(socket_.value(), into.data(), into.size(), 0);
        if (size >= 0) return static_cast<std::size_t>(size);
        if (errno != EAGAIN && errno != EINTR) return fail(ErrorCode::Unreachable, std::strerror(errno));
        TRY_VOID(wait(POLLIN));
    }
}

bool is_clean(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Result<std::string> request_text(const HttpClientRequest& request, const Url& url) {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: lineshaft\r\n",
                                   request.method, url.target, url.authority);
    for (const auto& [name, value] : request.headers) {
        if (!is_clean(name) || !is_clean(value))
            return fail(ErrorCode::InvalidArgument, "a header field has a line end");
        text += fmt::format("{}: {}\r\n", name, value);
    }
    if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
        text += fmt::format("Content-Length: {}\r\n", request.body.size());
    }
    return text + "\r\n";
}

Result<HttpClientResponse> run(const HttpClientRequest& request, ResponseParser::Piece piece) {
    const Url url = TRY(parse_url(request.url));
    const std::string head = TRY(request_text(request, url));
    Connection connection(system_clock().now() + request.timeout);
    TRY_VOID(connection.open(url.server));
    if (url.secure) TRY_VOID(connection.secure(url.server.host, request.trusted_ca));
    TRY_VOID(connection.send(as_bytes(head)));
    // A server that refuses the body answers and closes; its answer is worth more than our broken pipe.
    auto sent = connection.send(as_bytes(request.body));

    ResponseParser parser(request.method == "HEAD", std::move(piece));
    Bytes kept;  // What the parser wants to see again with more behind it.
    std::array<std::byte, 64 * 1024> buffer;
    bool got_any = false;
    while (!parser.is_done()) {
        auto received = connection.receive(buffer);
        if (!received) return std::unexpected(sent ? std::move(received).error() : std::move(sent).error());
        if (*received == 0) {
            if (!got_any) return fail(ErrorCode::Unreachable, "the server closed without an answer");
            TRY_VOID(parser.feed_end());
            break;
        }
        got_any = true;
        kept.insert(kept.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*received));
        auto taken = parser.feed(kept);
        if (!taken && taken.error().code() == ErrorCode::Closed) break;  // The caller has seen enough.
        if (!taken) return std::unexpected(std::move(taken).error());
        kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(*taken));
    }
    return parser.take_response();
}

}  // namespace

Result<HttpClientResponse> request(const HttpClientRequest& request) { return run(request, nullptr); }

Result<HttpClientResponse> request_streamed(const HttpClientRequest& request,
                                            std::move_only_function<bool(std::string_view)> piece) {
    return run(request, std::move(piece));
}

}  // namespace lineshaft::net
