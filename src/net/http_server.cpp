#include "net/http_server.h"

#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "base/counters.h"
#include "net/internal/http_connection.h"
#include "net/network.h"

namespace lineshaft::net {
namespace {

Counter at_ceiling{"lineshaft_http_refused_total", "reason=\"connections\"", "Connections ended over a bad request"};
Counter at_host_ceiling{"lineshaft_http_refused_total", "reason=\"connections_per_host\"",
                        "Connections ended over a bad request"};
Gauge open_sessions{"lineshaft_http_connections", "", "Open HTTP and WebSocket connections"};

constexpr Duration close_check_period = 50ms;

class Server final : public HttpServer, public SessionHost {
public:
    Server(Shard& shard, HttpHandler& handler, const HttpOptions& options)
        : shard_(shard), handler_(handler), options_(options) {}
    ~Server() override {
        listener_.reset();
        open_sessions.add(-static_cast<std::int64_t>(sessions_.size()));
    }

    Result<void> listen(Network& network, const Endpoint& at) {
        listener_ = TRY(network.listen(at, [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); }));
        endpoint_ = listener_->endpoint();
        return {};
    }
    void own(std::unique_ptr<Network> network, TlsNetwork* tls) {
        network_ = std::move(network);
        tls_ = tls;
    }

    Endpoint endpoint() const override { return endpoint_; }
    std::size_t connection_count() const override { return sessions_.size(); }
    Result<void> set_identity(const TlsIdentity& identity) override {
        if (!tls_) return fail(ErrorCode::NotSupported, "a plain HTTP port has no certificate");
        return tls_->set_identity(identity);
    }
    void close(Duration within, std::move_only_function<void()> done) override;

    Shard& shard() override { return shard_; }
    const HttpOptions& options() const override { return options_; }
    HttpHandler& handler() override { return handler_; }
    std::string_view date() override;
    bool is_closing() const override { return done_ != nullptr; }
    void ended(Session& session) override { take_out(session); }
    void replaced(Session& session, std::unique_ptr<Session> by) override;

private:
    struct Entry {
        std::unique_ptr<Session> session;
        std::string host;  // Empty: not counted.
    };

    void accept(std::unique_ptr<Stream> stream);
    void add(std::unique_ptr<Session> session, std::string host);
    std::string take_out(Session& session);
    void check_closed();

    Shard& shard_;
    HttpHandler& handler_;
    const HttpOptions options_;
    Endpoint endpoint_;
    std::unique_ptr<Network> network_;  // When it is ours.
    TlsNetwork* tls_ = nullptr;
    std::unique_ptr<Listener> listener_;
    std::unordered_map<Session*, Entry> sessions_;
    std::unordered_map<std::string, std::size_t> per_host_;
    std::vector<std::unique_ptr<Session>> buried_;  // Ended; destroyed when nobody up the stack uses them.
    std::int64_t date_second_ = -1;
    std::string date_;
    Instant closed_by_;
    Timer close_timer_;
    std::move_only_function<void()> done_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

void Server::accept(std::unique_ptr<Stream> stream) {
    if (sessions_.size() >= options_.connections_max) return at_ceiling.add();  // Cuts.
    std::string host = stream->peer().loopback ? std::string() : stream->peer().address.host;
    if (!host.empty()) {
        const auto found = per_host_.find(host);
        if (found != per_host_.end() && found->second >= options_.connections_per_host_max)
            return at_host_ceiling.add();
    }
    auto connection = std::make_unique<HttpConnection>(*this, std::move(stream));
    HttpConnection& started = *connection;
    add(std::move(connection), std::move(host));
    started.start();
}

void Server::add(std::unique_ptr<Session> session, std::string host) {
    if (!host.empty()) ++per_host_[host];
    Session* const key = session.get();
    sessions_.emplace(key, Entry{std::move(session), std::move(host)});
    open_sessions.add(1);
}

std::string Server::take_out(Session& session) {
    const auto found = sessions_.find(&session);
    if (found == sessions_.end()) return {};
    Entry entry = std::move(found->second);
    sessions_.erase(found);
    open_sessions.add(-1);
    if (!entry.host.empty() && --per_host_[entry.host] == 0) per_host_.erase(entry.host);
    buried_.push_back(std::move(entry.session));
    if (buried_.size() == 1) {
        shard_.defer([this, life = std::weak_ptr<const int>(life_)] {
            if (!life.expired()) std::exchange(buried_, {}).clear();
        });
    }
    return std::move(entry.host);
}

void Server::replaced(Session& session, std::unique_ptr<Session> by) {
    std::string host = take_out(session);
    add(std::move(by), std::move(host));
}

std::string_view Server::date() {
    const UtcTime now = shard_.utc_now();
    const std::int64_t second = now.ns() / 1'000'000'000;
    if (second != date_second_) {
        date_second_ = second;
        date_ = http_date(now);
    }
    return date_;
}

void Server::close(Duration within, std::move_only_function<void()> done) {
    ASSERT(!done_ && done);
    done_ = std::move(done);
    listener_.reset();
    closed_by_ = shard_.now() + within;
    std::vector<Session*> open;
    for (const auto& [session, entry] : sessions_) open.push_back(session);
    for (Session* session : open) session->close_soon();
    close_timer_ = shard_.every(close_check_period, [this] { check_closed(); });
}

void Server::check_closed() {
    if (!sessions_.empty() && shard_.now() < closed_by_) return;
    while (!sessions_.empty()) take_out(*sessions_.begin()->first);
    close_timer_.cancel();
    auto done = std::exchange(done_, [] {});  // Stays closing.
    done();
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

std::optional<std::string_view> HttpRequest::parameter(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::string_view HttpRequest::cookie(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key != "cookie") continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const std::size_t end = rest.find(';');
            std::string_view pair = rest.substr(0, end);
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
            while (pair.starts_with(' ')) pair.remove_prefix(1);
            if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
                return pair.substr(name.size() + 1);
            }
        }
    }
    return {};
}

Result<std::unique_ptr<HttpServer>> serve_http(Shard& shard, const Endpoint& at, const TlsIdentity* tls,
                                               HttpHandler& handler, const HttpOptions& options) {
    auto server = std::make_unique<Server>(shard, handler, options);
    std::unique_ptr<Network> network;
    TlsNetwork* tls_network = nullptr;
    if (tls) {
        std::unique_ptr<TlsNetwork> made = TRY(make_tls_network(shard, *tls, {}));
        tls_network = made.get();
        network = std::move(made);
    } else {
        network = make_tcp_network(shard);
    }
    TRY_VOID(server->listen(*network, at));
    server->own(std::move(network), tls_network);
    return server;
}

Result<std::unique_ptr<HttpServer>> serve_http(Shard& shard, Network& network, const Endpoint& at,
                                               HttpHandler& handler, const HttpOptions& options) {
    auto server = std::make_unique<Server>(shard, handler, options);
    TRY_VOID(server->listen(network, at));
    return server;
}

}  // namespace lineshaft::net
