#include <gtest/gtest.h>

#include "net/http_client.h"
#include "net/internal/test_world.h"

namespace lineshaft::net {
namespace {

using namespace testing;

const Endpoint any_port{"127.0.0.1", 0};

class TlsTest : public ::testing::Test {
protected:
    ~TlsTest() override {
        world.run([&] {
            client.reset();
            streams.clear();
            listener.reset();
            server.reset();
            client_network.reset();
        });
    }
    TlsIdentity identity() const {
        return {.certificate_chain = leaf.certificate, .private_key = leaf.key, .client_ca = {}};
    }

    std::uint16_t listen(const TlsIdentity& with, NetworkOptions options = {}) {
        std::uint16_t port = 0;
        world.run([&] {
            auto made = make_tls_network(world.shard(), with, {}, options);
            ASSERT_TRUE(made) << made.error().message();
            server = std::move(*made);
            auto door = server->listen(any_port, [this](std::unique_ptr<Stream> stream) {
                stream->start(recorder);
                streams.push_back(std::move(stream));
                accepted.raise();
            });
            ASSERT_TRUE(door);
            listener = std::move(*door);
            port = listener->endpoint().port;
        });
        return port;
    }

    /// Connects from the same shard; the error's code, or nothing.
    std::optional<ErrorCode> connect(const std::string& host, std::uint16_t port, const std::string& trusted,
                                     const TlsIdentity& as = {}) {
        Signal done;
        std::optional<ErrorCode> refused;
        world.run([&] {
            client_network = std::move(*make_tls_network(world.shard(), as, trusted));
            client_network->connect({host, port}, 5s, [&](Result<std::unique_ptr<Stream>> made) {
                if (made) {
                    client = std::move(*made);
                    client->start(client_recorder);
                } else {
                    refused = made.error().code();
                }
                done.raise();
            });
        });
        EXPECT_TRUE(done.wait());
        return refused;
    }

    World world{1};
    const Credentials ca = make_credentials("test authority");
    const Credentials leaf = make_credentials("localhost", &ca);
    Recorder recorder;
    Recorder client_recorder;
    Signal accepted;
    std::unique_ptr<TlsNetwork> server;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Stream>> streams;
    std::unique_ptr<TlsNetwork> client_network;
    std::unique_ptr<Stream> client;
};

TEST_F(TlsTest, CarriesManyBytesBothWaysAndClosesInOrder) {
    const std::uint16_t port = listen(identity());
    ASSERT_EQ(connect("localhost", port, ca.certificate), std::nullopt);
    ASSERT_TRUE(accepted.wait());
    std::string big(5'000'000, '\0');
    for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 31 >> 7);
    world.run([&] {
        EXPECT_TRUE(streams[0]->peer().encrypted);
        client->send(as_bytes(big));
        streams[0]->send(as_bytes("small"));
        streams[0]->send(as_bytes(big));
    });
    EXPECT_TRUE(recorder.wait_for_bytes(big.size()));
    EXPECT_TRUE(client_recorder.wait_for_bytes(big.size() + 5));
    EXPECT_TRUE(recorder.data() == big);
    EXPECT_TRUE(client_recorder.data() == "small" + big);
    EXPECT_TRUE(recorder.wait_for_drained());
    world.run([&] {
        client->send(as_bytes("bye"));
        client->close();
    });
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Closed);
    EXPECT_EQ(client_recorder.wait_for_close(), ErrorCode::Closed);
    EXPECT_TRUE(recorder.data().ends_with("bye"));
}

TEST_F(TlsTest, AServerMustBeWhoItIsCalledAndKnown) {
    const std::uint16_t port = listen(identity());
    EXPECT_EQ(connect("127.0.0.1", port, ca.certificate), std::nullopt);
    EXPECT_EQ(connect("127.0.0.2", port, ca.certificate),
              ErrorCode::Unreachable);  // Not reached, or not in the certificate.
    const Credentials other = make_credentials("another authority");
    EXPECT_EQ(connect("localhost", port, other.certificate), ErrorCode::Unreachable);
    EXPECT_EQ(connect("localhost", port, {}), ErrorCode::Unreachable);
    const Credentials foreign = make_credentials("foreign", &ca, "DNS:other.example");
    world.run([&] {
        EXPECT_TRUE(server->set_identity(
            {.certificate_chain = foreign.certificate, .private_key = foreign.key, .client_ca = {}}));
    });
    EXPECT_EQ(connect("localhost", port, ca.certificate), ErrorCode::Unreachable);
}

TEST_F(TlsTest, TheIdentityIsReplacedWithoutCuttingWhatIsUp) {
    const std::uint16_t port = listen(identity());
    ASSERT_EQ(connect("localhost", port, ca.certificate), std::nullopt);
    ASSERT_TRUE(accepted.wait());
    const Credentials new_ca = make_credentials("new authority");
    const Credentials renewed = make_credentials("localhost", &new_ca);
    world.run([&] {
        const TlsIdentity bad{.certificate_chain = renewed.certificate, .private_key = leaf.key, .client_ca = {}};
        EXPECT_EQ(server->set_identity(bad).error().code(), ErrorCode::InvalidArgument);
        EXPECT_TRUE(server->set_identity(
            {.certificate_chain = renewed.certificate, .private_key = renewed.key, .client_ca = {}}));
        streams[0]->send(as_bytes("still here"));
    });
    EXPECT_TRUE(client_recorder.wait_for_bytes(10));
    EXPECT_EQ(connect("localhost", port, ca.certificate), ErrorCode::Unreachable);
    EXPECT_EQ(connect("localhost", port, new_ca.certificate), std::nullopt);
}

TEST_F(TlsTest, AClientCertificateNamesItsOwner) {
    TlsIdentity with = identity();
    with.client_ca = ca.certificate;
    const std::uint16_t port = listen(with);
    const Credentials press = make_credentials("press-7", &ca);
    ASSERT_EQ(connect("localhost", port, ca.certificate,
                      {.certificate_chain = press.certificate, .private_key = press.key, .client_ca = {}}),
              std::nullopt);
    ASSERT_TRUE(accepted.wait());
    world.run([&] { EXPECT_EQ(streams[0]->peer().certificate_subject, "CN=press-7"); });

    ASSERT_EQ(connect("localhost", port, ca.certificate), std::nullopt);  // None is the door's business.
    ASSERT_TRUE(accepted.wait(2));
    world.run([&] { EXPECT_EQ(streams[1]->peer().certificate_subject, ""); });

    const Credentials stranger = make_credentials("stranger");
    (void)connect("localhost", port, ca.certificate,
                  {.certificate_chain = stranger.certificate, .private_key = stranger.key, .client_ca = {}});
    EXPECT_TRUE(client_recorder.wait_for_close());  // In TLS 1.3 the client learns it after its own handshake.
    world.run([&] { EXPECT_EQ(streams.size(), 2u); });
}

TEST_F(TlsTest, BadCertificatesAreRefusedAtTheStart) {
    world.run([&] {
        TlsIdentity bad = identity();
        bad.certificate_chain = "no PEM";
        EXPECT_EQ(make_tls_network(world.shard(), bad, {}).error().code(), ErrorCode::InvalidArgument);
        bad = identity();
        bad.certificate_chain += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        EXPECT_EQ(make_tls_network(world.shard(), bad, {}).error().code(), ErrorCode::InvalidArgument);
        bad = identity();
        bad.private_key = ca.key;
        EXPECT_EQ(make_tls_network(world.shard(), bad, {}).error().code(), ErrorCode::InvalidArgument);
        EXPECT_EQ(make_tls_network(world.shard(), identity(), "no PEM").error().code(), ErrorCode::InvalidArgument);
        auto only_client = make_tls_network(world.shard(), {}, {});
        ASSERT_TRUE(only_client);
        EXPECT_EQ((*only_client)->listen(any_port, [](std::unique_ptr<Stream>) {}).error().code(),
                  ErrorCode::InvalidArgument);
    });
}

TEST_F(TlsTest, WhoDoesNotShakeHandsIsSentAway) {
    const std::uint16_t port = listen(identity(), {.handshake_timeout = 50ms, .handshakes_max = 1});
    RawPeer silent(port);
    RawPeer too_many(port);
    EXPECT_EQ(too_many.receive_all(), "");
    EXPECT_EQ(silent.receive_all(), "");
    RawPeer plain(port);
    plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(plain.receive_all().starts_with("HTTP/1.1 400"));
    RawPeer broken(port);
    broken.send(std::string_view("\x16\x03\x01\x00\x05hello", 10));
    EXPECT_TRUE(broken.receive_all().starts_with("\x15\x03"));  // An alert, so that the other side can tell why.
    EXPECT_EQ(connect("localhost", port, ca.certificate), std::nullopt);
}

TEST_F(TlsTest, APausedStreamKeepsWhatItHasNotOpened) {
    const std::uint16_t port = listen(identity());
    ASSERT_EQ(connect("localhost", port, ca.certificate), std::nullopt);
    ASSERT_TRUE(accepted.wait());
    world.run([&] { streams[0]->pause_reading(); });
    const std::string text(300'000, 't');
    world.run([&] { client->send(as_bytes(text)); });
    world.run([&] {});
    world.run([&] {
        EXPECT_EQ(recorder.data(), "");
        streams[0]->resume_reading();
    });
    EXPECT_TRUE(recorder.wait_for_bytes(text.size()));
}

TEST_F(TlsTest, ATornRecordIsMalformedAndAStreamMayDieInItsCallback) {
    const std::uint16_t port = listen(identity());
    struct Killer final : StreamHandler {
        void on_data(ByteView) override {
            stream.reset();
            done.raise();
        }
        void on_closed(const Error&) override {}
        std::unique_ptr<Stream> stream;
        Signal done;
    } killer;
    ASSERT_EQ(connect("localhost", port, ca.certificate), std::nullopt);
    ASSERT_TRUE(accepted.wait());
    world.run([&] {
        killer.stream = std::move(streams[0]);
        killer.stream->start(killer);
        client->send(Bytes(100'000));
    });
    EXPECT_TRUE(killer.done.wait());
    EXPECT_TRUE(client_recorder.wait_for_close());
}

// --- The whole: HTTPS server and the blocking client ---

class EchoDesk final : public HttpHandler {
public:
    void handle(HttpRequest request, HttpReply reply) override {
        HttpResponse response;
        if (request.path == "/rows") {
            response.pieces = [left = 1000]() mutable -> Result<std::optional<std::string>> {
                if (left-- == 0) return std::nullopt;
                return std::string(1000, 'r');
            };
        } else if (request.path == "/broken") {
            response.pieces = [left = 2]() mutable -> Result<std::optional<std::string>> {
                if (left-- == 0) return fail(ErrorCode::Corrupt);
                return "half";
            };
        } else {
            response.headers.emplace_back("X-Method", request.method);
            response.body = request.body.empty() ? request.path : request.body;
        }
        reply(std::move(response));
    }
    std::expected<std::unique_ptr<WebSocketHandler>, HttpResponse> upgrade(const HttpRequest&) override {
        return std::unexpected(HttpResponse{.status = 404});
    }
    bool upgrade_stream(const HttpRequest&, std::function<void(std::unique_ptr<Stream>)>&) override { return false; }
};

class WebTest : public ::testing::TestWithParam<bool> {
protected:
    WebTest() {
        world.run([&] {
            auto made = serve_http(world.shard(), any_port, GetParam() ? &identity : nullptr, desk);
            ASSERT_TRUE(made) << made.error().message();
            server = std::move(*made);
        });
        base = fmt::format("{}://localhost:{}", GetParam() ? "https" : "http", server->endpoint().port);
    }
    ~WebTest() override {
        world.run([&] { server.reset(); });
    }
    HttpClientRequest request_to(const std::string& target) const {
        return {.url = base + target, .headers = {}, .body = {}, .trusted_ca = ca.certificate, .timeout = patience};
    }

    World world{1};
    const Credentials ca = make_credentials("test authority");
    const Credentials leaf = make_credentials("localhost", &ca);
    const TlsIdentity identity{.certificate_chain = leaf.certificate, .private_key = leaf.key, .client_ca = {}};
    EchoDesk desk;
    std::unique_ptr<HttpServer> server;
    std::string base;
};

TEST_P(WebTest, GetsAndPostsAlsoLargeBodies) {
    const auto got = request(request_to("/a%20b"));
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->status, 200u);
    EXPECT_EQ(got->body, "/a b");

    HttpClientRequest post = request_to("/x");
    post.method = "POST";
    post.body.assign(30'000'000, 'b');
    const auto posted = request(post);
    ASSERT_TRUE(posted) << posted.error().message();
    EXPECT_EQ(posted->body.size(), post.body.size());

    post.body.assign(40'000'000, 'b');
    const auto refused = request(post);
    ASSERT_TRUE(refused) << refused.error().message();
    EXPECT_EQ(refused->status, 413u);

    HttpClientRequest head = request_to("/x");
    head.method = "HEAD";
    EXPECT_EQ(request(head)->body, "");
}

TEST_P(WebTest, PiecesComeWholeOrAnErrorSaysThatTheyDoNot) {
    std::size_t bytes = 0;
    const auto whole = request_streamed(request_to("/rows"), [&](std::string_view piece) {
        bytes += piece.size();
        return true;
    });
    ASSERT_TRUE(whole) << whole.error().message();
    EXPECT_EQ(bytes, 1'000'000u);
    int calls = 0;
    EXPECT_TRUE(request_streamed(request_to("/rows"), [&](std::string_view) { return ++calls < 3; }));
    EXPECT_EQ(calls, 3);
    EXPECT_FALSE(request(request_to("/broken")));
}

TEST_P(WebTest, SaysWhyItCannot) {
    HttpClientRequest bad = request_to("/");
    bad.url = "ftp://localhost/";
    EXPECT_EQ(request(bad).error().code(), ErrorCode::InvalidArgument);
    bad = request_to("/");
    bad.headers.emplace_back("X", "a\r\nb: c");
    EXPECT_EQ(request(bad).error().code(), ErrorCode::InvalidArgument);
    bad = request_to("/");
    bad.url = GetParam() ? "https://127.0.0.1:1/" : "http://127.0.0.1:1/";
    EXPECT_EQ(request(bad).error().code(), ErrorCode::Unreachable);
    if (!GetParam()) return;
    bad = request_to("/");
    bad.trusted_ca.clear();
    EXPECT_EQ(request(bad).error().code(), ErrorCode::Unreachable);
}

TEST_P(WebTest, AListenerThatIsSilentTimesOut) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    HttpClientRequest asked = request_to("/");
    asked.url = fmt::format("{}://127.0.0.1:{}/", GetParam() ? "https" : "http", ntohs(address.sin_port));
    asked.timeout = 50ms;
    EXPECT_EQ(request(asked).error().code(), ErrorCode::Timeout);
    ::close(fd);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, WebTest, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace lineshaft::net
