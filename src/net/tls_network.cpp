#include <set>

#include "base/assert.h"
#include "base/counters.h"
#include "net/internal/tls_connection.h"
#include "net/network.h"

namespace lineshaft::net {
namespace {

Counter handshakes_refused{"lineshaft_tls_handshakes_total", "outcome=\"refused\"", "TLS handshakes"};

/// The contexts of a network; streams keep their own reference, so either may be replaced at any time.
struct Contexts {
    SslContext server;
    SslContext client;
};

SslEngine make_engine(const SslContext& context) {
    SslEngine engine(SSL_new(context.get()));
    ASSERT(engine);
    return engine;
}

/// Holds the handshakes of one listener until each is done. Shared, because `accept` may destroy the listener.
class Acceptance : public std::enable_shared_from_this<Acceptance> {
public:
    Acceptance(std::shared_ptr<TlsLoop> loop, std::shared_ptr<Contexts> contexts, OnAccept accept)
        : loop_(std::move(loop)), contexts_(std::move(contexts)), accept_(std::move(accept)) {}

    void take(std::unique_ptr<Stream> plain) {
        if (shaking_.size() >= loop_->options.handshakes_max) return handshakes_refused.add();  // Cuts `plain`.
        auto connection = std::make_shared<TlsConnection>(loop_, std::move(plain), make_engine(contexts_->server));
        shaking_.insert(connection);
        connection->shake_hands(TlsRole::Accepts, loop_->options.handshake_timeout,
                                [this, self = weak_from_this(), raw = connection.get()](Result<void> result) {
                                    if (const auto alive = self.lock()) finish(*raw, std::move(result));
                                });
    }
    void stop() {
        stopped_ = true;
        for (const auto& connection : std::exchange(shaking_, {})) connection->cut();
    }

private:
    void finish(TlsConnection& which, Result<void> result) {
        const auto connection = which.shared_from_this();
        shaking_.erase(connection);
        if (result && !stopped_) accept_(make_tls_stream(connection));
    }

    const std::shared_ptr<TlsLoop> loop_;
    const std::shared_ptr<Contexts> contexts_;
    const OnAccept accept_;
    std::set<std::shared_ptr<TlsConnection>> shaking_;
    bool stopped_ = false;
};

class TlsListener final : public Listener {
public:
    TlsListener(std::unique_ptr<Listener> plain, std::shared_ptr<Acceptance> acceptance)
        : acceptance_(std::move(acceptance)), plain_(std::move(plain)) {}
    ~TlsListener() override { acceptance_->stop(); }
    Endpoint endpoint() const override { return plain_->endpoint(); }

private:
    const std::shared_ptr<Acceptance> acceptance_;
    const std::unique_ptr<Listener> plain_;
};

class OpenSslNetwork final : public TlsNetwork {
public:
    OpenSslNetwork(Shard& shard, Contexts contexts, std::string trusted_ca, const NetworkOptions& options)
        : loop_(std::make_shared<TlsLoop>(shard, options)),
          contexts_(std::make_shared<Contexts>(std::move(contexts))),
          trusted_ca_(std::move(trusted_ca)),
          plain_(make_tcp_network(shard, options)) {}

    static Result<Contexts> make_contexts(const TlsIdentity& identity, const std::string& trusted_ca) {
        Contexts contexts;
        contexts.client = TRY(make_client_context(identity, trusted_ca));
        if (!identity.certificate_chain.empty()) contexts.server = TRY(make_server_context(identity));
        return contexts;
    }

    Result<void> set_identity(const TlsIdentity& identity) override {
        *contexts_ = TRY(make_contexts(identity, trusted_ca_));
        return {};
    }

    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, OnAccept accept) override {
        if (!contexts_->server) return fail(ErrorCode::InvalidArgument, "listening with TLS needs a certificate");
        auto acceptance = std::make_shared<Acceptance>(loop_, contexts_, std::move(accept));
        auto plain = TRY(plain_->listen(
            at, [acceptance](std::unique_ptr<Stream> stream) { acceptance->take(std::move(stream)); }));
        return std::make_unique<TlsListener>(std::move(plain), std::move(acceptance));
    }

    void connect(const Endpoint& to, Duration timeout, OnConnect done) override {
        const Instant until = loop_->shard.now() + timeout;
        plain_->connect(to, timeout,
                        [loop = loop_, contexts = contexts_, to, until,
                         done = std::move(done)](Result<std::unique_ptr<Stream>> plain) mutable {
                            if (!plain) return done(std::unexpected(std::move(plain).error()));
                            secure(loop, *contexts, std::move(*plain), to, until, std::move(done));
                        });
    }

private:
    static void secure(const std::shared_ptr<TlsLoop>& loop, const Contexts& contexts, std::unique_ptr<Stream> plain,
                       const Endpoint& to, Instant until, OnConnect done) {
        SslEngine engine = make_engine(contexts.client);
        if (auto expected = expect_host(*engine, to.host); !expected) {
            return done(std::unexpected(std::move(expected).error()));
        }
        const auto connection = std::make_shared<TlsConnection>(loop, std::move(plain), std::move(engine));
        const Duration left = std::max<Duration>(until - loop->shard.now(), 1ms);
        // The connection is held by its own callback until the handshake ends one way or the other.
        connection->shake_hands(TlsRole::Connects, left,
                                [held = connection, done = std::move(done)](Result<void> result) mutable {
                                    if (!result) return done(std::unexpected(std::move(result).error()));
                                    done(make_tls_stream(std::move(held)));
                                });
    }

    const std::shared_ptr<TlsLoop> loop_;
    const std::shared_ptr<Contexts> contexts_;
    const std::string trusted_ca_;
    const std::unique_ptr<Network> plain_;
};

}  // namespace

Result<std::unique_ptr<TlsNetwork>> make_tls_network(Shard& shard, const TlsIdentity& identity,
                                                     std::string trusted_ca, const NetworkOptions& options) {
    Contexts contexts = TRY(OpenSslNetwork::make_contexts(identity, trusted_ca));
    return std::make_unique<OpenSslNetwork>(shard, std::move(contexts), std::move(trusted_ca), options);
}

}  // namespace lineshaft::net
