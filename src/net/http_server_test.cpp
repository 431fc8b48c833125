#include "net/http_server.h"

#include <deque>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/internal/http_parser.h"
#include "net/internal/http_text.h"
#include "net/internal/scripted_network.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"
#include "wire/websocket/frame.h"

namespace lineshaft::net {
namespace {

using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShard;
using testing::ScriptedNetwork;
using testing::ScriptedPeer;
using wire::websocket::Opcode;

/// Answers with what the test says, or keeps the reply for later.
class Desk final : public HttpHandler {
public:
    void handle(HttpRequest request, HttpReply reply) override {
        requests.push_back(std::move(request));
        replies.push_back(std::move(reply));
        if (!answer) return;
        HttpReply now = std::move(replies.back());
        replies.pop_back();
        now(answer(requests.back()));
    }
    std::expected<std::unique_ptr<WebSocketHandler>, HttpResponse> upgrade(const HttpRequest& request) override {
        requests.push_back(request);
        if (!make_socket) return std::unexpected(HttpResponse{.status = 403});
        return make_socket();
    }
    bool upgrade_stream(const HttpRequest& request, std::function<void(std::unique_ptr<Stream>)>& accept) override {
        requests.push_back(request);
        if (!take_stream) return false;
        accept = take_stream;
        return true;
    }

    std::deque<HttpRequest> requests;
    std::deque<HttpReply> replies;
    std::function<HttpResponse(const HttpRequest&)> answer;
    std::function<std::unique_ptr<WebSocketHandler>()> make_socket;
    std::function<void(std::unique_ptr<Stream>)> take_stream;
};

std::string repeat(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
}

class HttpServerTest : public ::testing::Test {
protected:
    HttpServerTest() {
        desk.answer = [](const HttpRequest& request) {
            return HttpResponse{.body = request.method + " " + request.path};
        };
        serve({});
    }
    void serve(const HttpOptions& options) {
        server.reset();
        server = std::move(*serve_http(shard, network, {"127.0.0.1", 80}, desk, options));
    }
    std::shared_ptr<ScriptedPeer> ask(std::string_view text) {
        auto peer = network.connect_peer();
        peer->send(text);
        shard.run();
        return peer;
    }
    static std::string get(std::string_view target, std::string_view more = {}) {
        return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
    }
    static std::string status_of(const ScriptedPeer& peer) { return peer.received.substr(0, 12); }
    static std::string body_of(const std::string& received) { return received.substr(received.find("\r\n\r\n") + 4); }

    ManualClock clock;
    ManualShard shard{clock};
    ScriptedNetwork network{shard};
    Desk desk;
    std::unique_ptr<HttpServer> server;
};

TEST_F(HttpServerTest, AnswersARequestAndKeepsTheConnection) {
    const auto peer =
        ask(get("/api/v1/values?prefix=a%20b&n=1+2&empty", "Cookie: a=1; ls_session=abc\r\nX-Thing: v\r\n"));
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 200");
    EXPECT_NE(peer->received.find("\r\nContent-Length: 18\r\n"), std::string::npos) << peer->received;
    EXPECT_NE(peer->received.find("\r\nServer: Lineshaft\r\n"), std::string::npos);
    EXPECT_NE(peer->received.find("\r\nDate: "), std::string::npos);
    EXPECT_EQ(body_of(peer->take_received()), "GET /api/v1/values");
    ASSERT_EQ(desk.requests.size(), 1u);
    const HttpRequest& request = desk.requests[0];
    EXPECT_EQ(request.parameter("prefix"), "a b");
    EXPECT_EQ(request.parameter("n"), "1 2");
    EXPECT_EQ(request.parameter("empty"), "");
    EXPECT_EQ(request.parameter("absent"), std::nullopt);
    EXPECT_EQ(request.header("x-thing"), "v");
    EXPECT_EQ(request.cookie("ls_session"), "abc");
    EXPECT_EQ(request.cookie("session"), "");
    EXPECT_TRUE(request.peer.loopback);

    EXPECT_TRUE(peer->is_open());
    peer->send(get("/again"));
    EXPECT_EQ(body_of(peer->received), "GET /again");
}

TEST_F(HttpServerTest, ByteByByteIsTheSameAsAtOnce) {
    const std::string text = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + get("/b") +
                             "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                             "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, text.size()}) {
        desk.requests.clear();
        auto peer = network.connect_peer();
        for (std::size_t at = 0; at < text.size(); at += step) {
            peer->send(std::string_view(text).substr(at, step));
            shard.run();
        }
        ASSERT_EQ(desk.requests.size(), 3u) << step;
        EXPECT_EQ(desk.requests[0].body, "hello");
        EXPECT_EQ(desk.requests[2].body, "abcde");
        EXPECT_EQ(desk.requests[2].header("t"), "");  // A trailer is not a header.
    }
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrderOneAtATime) {
    desk.answer = nullptr;
    auto peer = ask(get("/1") + get("/2") + get("/3"));
    ASSERT_EQ(desk.requests.size(), 1u);
    EXPECT_EQ(peer->received, "");
    for (int i = 1; i <= 3; ++i) {
        ASSERT_EQ(desk.requests.size(), static_cast<std::size_t>(i));
        desk.replies.back()(HttpResponse{.body = fmt::format("answer {}", i)});
        shard.run();
        EXPECT_EQ(body_of(peer->take_received()), fmt::format("answer {}", i));
    }
}

TEST_F(HttpServerTest, ALongPipelineHoldsThePeerBack) {
    desk.answer = nullptr;
    auto peer = ask(repeat(get("/1"), 4000));
    EXPECT_TRUE(peer->paused);
    desk.answer = [](const HttpRequest&) { return HttpResponse{.body = "x"}; };
    desk.replies.front()(HttpResponse{.body = "x"});
    shard.run();
    EXPECT_FALSE(peer->paused);
    EXPECT_EQ(desk.requests.size(), 4000u);
}

TEST_F(HttpServerTest, APeerThatPipelinesAndNeverReadsIsHeldBack) {
    desk.answer = [](const HttpRequest&) { return HttpResponse{.body = std::string(50'000, 'x')}; };
    auto peer = network.connect_peer();
    peer->stall();
    peer->send(repeat(get("/1"), 4000));
    shard.run();
    EXPECT_LT(desk.requests.size(), 10u);
    EXPECT_LT(peer->unsent.size(), 500'000u);
    peer->read_again();
    shard.run();
    EXPECT_EQ(desk.requests.size(), 4000u);
}

TEST_F(HttpServerTest, HeadHasTheHeaderOfGetAndNoBody) {
    const auto peer = ask("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(peer->received.find("Content-Length: 7\r\n"), std::string::npos);
    EXPECT_EQ(body_of(peer->received), "");
    peer->take_received();
    peer->send(get("/y"));
    EXPECT_EQ(body_of(peer->received), "GET /y");
}

TEST_F(HttpServerTest, NoContentHasNoLength) {
    desk.answer = [](const HttpRequest&) { return HttpResponse{.status = 204}; };
    const auto peer = ask(get("/x"));
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 204");
    EXPECT_EQ(peer->received.find("Content-Length"), std::string::npos);
}

TEST_F(HttpServerTest, OldAndClosingClientsAreServedAndClosed) {
    const auto old = ask("GET /x HTTP/1.0\r\n\r\n");
    EXPECT_EQ(status_of(*old), "HTTP/1.1 200");
    EXPECT_TRUE(old->closed);
    const auto closing = ask(get("/x", "Connection: close\r\n"));
    EXPECT_NE(closing->received.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(closing->closed);
    const auto keeping = ask("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(keeping->received.find("Connection: keep-alive\r\n"), std::string::npos);
    EXPECT_TRUE(keeping->is_open());
}

TEST_F(HttpServerTest, BadRequestsAreAnsweredWithAProblemAndClosed) {
    const struct {
        const char* what;
        std::string text;
        const char* status;
    } cases[] = {
        {"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", "400"},
        {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
        {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400"},
        {"both lengths, other order",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "400"},
        {"two different lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
         "400"},
        {"length with a sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", "400"},
        {"space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
        {"bad chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"unknown transfer encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
        {"encoding hidden behind chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
         "501"},
        {"other version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"expects coffee", "POST / HTTP/1.1\r\nHost: a\r\nExpect: coffee\r\nContent-Length: 3\r\n\r\n", "417"},
        {"bad escape", get("/%zz"), "400"},
        {"half escape", get("/a%2"), "400"},
        {"zero byte", get("/a%00b"), "400"},
        {"zero byte in the query", get("/a?b=%00"), "400"},
        {"climbing", get("/a/../../etc/passwd"), "400"},
        {"climbing in disguise", get("/a/%2e%2e%2fetc"), "400"},
        {"not UTF-8", get("/%c0%ae"), "400"},
        {"line end in the path", get("/a%0d%0aX"), "400"},
        {"fragment", get("/a#b"), "400"},
        {"no slash", get("a/b"), "400"},
        {"header too large", get("/", "X: " + std::string(20'000, 'x') + "\r\n"), "431"},
        {"header without end", "GET /" + std::string(40'000, 'x'), "431"},
        {"announced body too large", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", "413"},
    };
    for (const auto& c : cases) {
        desk.requests.clear();
        const auto peer = ask(c.text);
        EXPECT_EQ(status_of(*peer), std::string("HTTP/1.1 ") + c.status) << c.what;
        EXPECT_NE(peer->received.find("application/problem+json"), std::string::npos) << c.what;
        EXPECT_NE(peer->received.find("\"code\":\"LS-"), std::string::npos) << c.what;
        EXPECT_TRUE(peer->closed) << c.what;
        EXPECT_TRUE(desk.requests.empty()) << c.what;
    }
    EXPECT_EQ(server->connection_count(), 0u);
}

TEST_F(HttpServerTest, AChunkedBodyBeyondTheLimitIsRefusedWhenItGetsThere) {
    serve({.body_bytes_max = 10});
    auto peer = ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    EXPECT_EQ(peer->received, "");
    peer->send("6\r\n123456\r\n");
    shard.run();
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 413");
}

TEST_F(HttpServerTest, ExpectContinueIsAskedForTheBodyUnlessItIsTooLarge) {
    auto peer = ask("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(peer->take_received(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer->send("abc");
    EXPECT_EQ(body_of(peer->received), "POST /x");
    auto eager = ask("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_EQ(status_of(*eager), "HTTP/1.1 200");
    auto huge = ask("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 333333333\r\n\r\n");
    EXPECT_EQ(status_of(*huge), "HTTP/1.1 413");
}

// --- Time ---

TEST_F(HttpServerTest, ASlowHeaderIsRefusedAfterTenSecondsHoweverItDrips) {
    auto peer = ask("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 9; ++i) {
        shard.advance(1s);
        peer->send("X");
        shard.run();
    }
    EXPECT_EQ(peer->received, "");
    shard.advance(1s);
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 408");
    EXPECT_TRUE(peer->closed);
}

TEST_F(HttpServerTest, AConnectionThatNeverSaysAnythingIsClosedInSilence) {
    auto peer = network.connect_peer();
    shard.advance(9s);
    EXPECT_TRUE(peer->is_open());
    shard.advance(2s);
    EXPECT_TRUE(peer->closed);
    EXPECT_EQ(peer->received, "");
}

TEST_F(HttpServerTest, ABodyMustMakeProgress) {
    auto peer = ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    for (int i = 0; i < 10; ++i) {
        peer->send(std::string(2000, 'x'));
        shard.advance(19s);
    }
    EXPECT_EQ(peer->received, "");
    shard.advance(40s);
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 408");
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosedInSilence) {
    auto peer = ask(get("/x"));
    peer->take_received();
    shard.advance(74s);
    EXPECT_TRUE(peer->is_open());
    shard.advance(2s);
    EXPECT_TRUE(peer->closed);
    EXPECT_EQ(peer->received, "");
    EXPECT_EQ(server->connection_count(), 0u);
}

TEST_F(HttpServerTest, AHandlerMayThinkAsLongAsItNeeds) {
    desk.answer = nullptr;
    auto peer = ask(get("/slow"));
    shard.advance(10min);
    ASSERT_TRUE(peer->is_open());
    desk.replies.front()(HttpResponse{.body = "done"});
    EXPECT_EQ(body_of(peer->received), "done");
}

TEST_F(HttpServerTest, APeerThatTakesNothingIsCutAndASlowOneIsNot) {
    desk.answer = [](const HttpRequest&) { return HttpResponse{.body = std::string(3'000'000, 'x')}; };
    auto dead = network.connect_peer();
    dead->stall();
    dead->send(get("/big"));
    auto slow = network.connect_peer();
    slow->stall();
    slow->send(get("/big"));
    for (int i = 0; i < 13; ++i) {
        shard.advance(10s);
        slow->read_again(1000);
    }
    EXPECT_FALSE(dead->is_open());
    EXPECT_TRUE(slow->is_open());
    slow->read_again();
    shard.run();
    EXPECT_EQ(body_of(slow->received).size(), 3'000'000u);
}

// --- Replies ---

TEST_F(HttpServerTest, AReplyAfterThePeerOrTheServerIsGoneDoesNoHarm) {
    desk.answer = nullptr;
    auto peer = ask(get("/1"));
    peer->end();
    shard.run();
    desk.replies[0](HttpResponse{.body = "nobody reads this"});
    ask(get("/2"));
    server.reset();
    desk.replies[1](HttpResponse{.body = "nor this"});
    shard.run();
}

TEST_F(HttpServerTest, AForgottenRequestIsAnswered500) {
    desk.answer = nullptr;
    auto peer = ask(get("/1"));
    desk.replies.clear();
    EXPECT_EQ(status_of(*peer), "HTTP/1.1 500");
    EXPECT_TRUE(peer->is_open());
}

TEST_F(HttpServerTest, HeadersOfAHandlerCannotSplitTheAnswer) {
    desk.answer = [](const HttpRequest&) {
        return HttpResponse{.headers = {{"Location", "/a\r\nSet-Cookie: evil=1"}, {"Content-Length", "999"}},
                            .body = "b"};
    };
    const auto peer = ask(get("/x"));
    EXPECT_EQ(peer->received.find("\r\nSet-Cookie"), std::string::npos);
    EXPECT_EQ(peer->received.find("999"), std::string::npos);
}

TEST_F(HttpServerTest, PiecesArePulledAsFastAsThePeerReads) {
    int pulled = 0;
    desk.answer = [&](const HttpRequest&) {
        HttpResponse response;
        response.pieces = [&]() -> Result<std::optional<std::string>> {
            if (++pulled > 100) return std::nullopt;
            return pulled % 10 == 0 ? "" : std::string(10'000, static_cast<char>('a' + pulled % 26));
        };
        return response;
    };
    auto peer = network.connect_peer();
    peer->stall();
    peer->send(get("/rows") + get("/rows"));
    shard.run();
    EXPECT_LT(pulled, 12);
    while (pulled <= 100) {
        peer->read_again();
        peer->stall();
        shard.run();
    }
    peer->read_again();
    shard.run();
    const std::string body = body_of(peer->received);
    EXPECT_TRUE(body.starts_with("2710\r\nbbbb")) << body.substr(0, 20);
    EXPECT_NE(body.find("\r\n0\r\n\r\nHTTP/1.1 200"), std::string::npos);  // The second request's answer follows.
}

TEST_F(HttpServerTest, PiecesThatFailCutTheConnectionWithoutALastChunk) {
    int pulled = 0;
    desk.answer = [&](const HttpRequest&) {
        HttpResponse response;
        response.pieces = [&]() -> Result<std::optional<std::string>> {
            if (++pulled > 1) return fail(ErrorCode::Corrupt);
            return "part";
        };
        return response;
    };
    const auto peer = ask(get("/rows"));
    EXPECT_TRUE(peer->received.ends_with("4\r\npart\r\n")) << peer->received;
    EXPECT_TRUE(peer->gone);
}

TEST_F(HttpServerTest, PiecesThatAreNotThereYetAreWaitedFor) {
    Task go_on;
    int pulled = 0;
    desk.answer = [&](const HttpRequest&) {
        HttpResponse response;
        response.pieces = [&]() -> Result<std::optional<std::string>> {
            ++pulled;
            if (pulled == 1 || pulled == 3) return "";
            if (pulled == 2) return "late";
            return std::nullopt;
        };
        response.when_more = [&](Task task) { go_on = std::move(task); };
        return response;
    };
    const auto peer = ask(get("/rows"));
    EXPECT_EQ(pulled, 1);
    shard.advance(300s);  // It is ours to be slow: the peer is not cut for it.
    std::exchange(go_on, nullptr)();
    shard.run();
    EXPECT_EQ(pulled, 3);
    std::exchange(go_on, nullptr)();
    shard.run();
    EXPECT_TRUE(peer->received.ends_with("4\r\nlate\r\n0\r\n\r\n")) << peer->received;
}

TEST_F(HttpServerTest, APeerThatGoesWhileWeAreSlowIsForgotten) {
    Task go_on;
    desk.answer = [&](const HttpRequest&) {
        HttpResponse response;
        response.pieces = []() -> Result<std::optional<std::string>> { return ""; };
        response.when_more = [&](Task task) { go_on = std::move(task); };
        return response;
    };
    const auto peer = ask(get("/rows"));
    peer->end();
    shard.run();
    go_on();
    shard.run();
    EXPECT_EQ(server->connection_count(), 0u);
}

TEST_F(HttpServerTest, PiecesOfAToldLengthAreSentBare) {
    int pulled = 0;
    std::uint64_t length = 8;
    desk.answer = [&](const HttpRequest&) {
        HttpResponse response;
        response.length = length;
        response.pieces = [&]() -> Result<std::optional<std::string>> {
            if (++pulled > 2) return std::nullopt;
            return "four";
        };
        return response;
    };
    auto peer = ask(get("/file"));
    EXPECT_NE(peer->received.find("Content-Length: 8\r\n"), std::string::npos);
    EXPECT_EQ(body_of(peer->received), "fourfour");
    for (const std::uint64_t wrong : {7, 9}) {
        pulled = 0;
        length = wrong;
        peer = ask(get("/file"));
        EXPECT_TRUE(peer->gone) << wrong;
    }
}

TEST_F(HttpServerTest, StaticBytesAreSentAsTheyAre) {
    static const std::string page(700'000, 'p');
    desk.answer = [](const HttpRequest&) { return HttpResponse{.static_body = page}; };
    const auto peer = ask(get("/app.js"));
    EXPECT_EQ(body_of(peer->received), page);
}

// --- Ceilings and closing ---

TEST_F(HttpServerTest, ConnectionsHaveACeilingInAllAndPerHost) {
    serve({.connections_max = 3, .connections_per_host_max = 1});
    const auto a = network.connect_peer("10.0.0.1");
    const auto b = network.connect_peer("10.0.0.1");
    const auto c = network.connect_peer("10.0.0.2");
    const auto d = network.connect_peer();
    const auto e = network.connect_peer();
    EXPECT_TRUE(a->is_open() && c->is_open() && d->is_open());
    EXPECT_FALSE(b->is_open());
    EXPECT_FALSE(e->is_open());
    a->end();
    shard.run();
    EXPECT_TRUE(network.connect_peer("10.0.0.1")->is_open());
}

TEST_F(HttpServerTest, CloseLetsRequestsInWorkEndAndClosesTheOthers) {
    desk.answer = nullptr;
    auto idle = network.connect_peer();
    auto busy = ask(get("/slow"));
    bool closed = false;
    server->close(5s, [&] { closed = true; });
    shard.run();
    EXPECT_TRUE(idle->closed);
    EXPECT_FALSE(network.connect_peer()->is_open());
    EXPECT_FALSE(closed);
    desk.replies.front()(HttpResponse{.body = "done"});
    shard.advance(100ms);
    EXPECT_EQ(body_of(busy->received), "done");
    EXPECT_NE(busy->received.find("Connection: close"), std::string::npos);
    EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, CloseWaitsNoLongerThanItWasTold) {
    desk.answer = nullptr;
    auto busy = ask(get("/slow"));
    bool closed = false;
    server->close(5s, [&] { closed = true; });
    shard.advance(4s);
    EXPECT_FALSE(closed);
    shard.advance(2s);
    EXPECT_TRUE(closed);
    EXPECT_FALSE(busy->is_open());
}

// --- WebSocket ---

const std::string upgrade_fields =
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

std::string frame(Opcode opcode, std::string_view payload) {
    Bytes out;
    wire::websocket::append_frame(out, opcode, as_bytes(payload), 0x01020304);
    return std::string(as_text(out));
}
std::string plain_frame(Opcode opcode, std::string_view payload) {
    Bytes out;
    wire::websocket::append_frame(out, opcode, as_bytes(payload));
    return std::string(as_text(out));
}

class Echo final : public WebSocketHandler {
public:
    explicit Echo(std::string& log) : log_(log) {}
    ~Echo() override { log_ += "destroyed "; }
    void on_open(WebSocket& socket) override {
        socket_ = &socket;
        log_ += "open ";
    }
    void on_text(std::string_view message) override {
        if (message == "close") return socket_->close();
        socket_->send_text(std::string(message));
    }
    void on_binary(std::string_view message) override { socket_->send_binary(std::string(message)); }
    void on_closed() override { log_ += "closed "; }

private:
    std::string& log_;
    WebSocket* socket_ = nullptr;
};

class WebSocketTest : public HttpServerTest {
protected:
    WebSocketTest() {
        desk.make_socket = [this] { return std::make_unique<Echo>(log); };
    }
    std::shared_ptr<ScriptedPeer> open(std::string_view early = {}) {
        auto peer = ask(get("/api/v1/live", upgrade_fields) + std::string(early));
        EXPECT_EQ(status_of(*peer), "HTTP/1.1 101");
        EXPECT_NE(peer->received.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos);
        peer->received.erase(0, peer->received.find("\r\n\r\n") + 4);
        return peer;
    }
    std::string log;
};

TEST_F(WebSocketTest, EchoesMessagesAlsoThoseSentWithTheRequest) {
    auto peer = open(frame(Opcode::Text, "early"));
    EXPECT_EQ(peer->take_received(), plain_frame(Opcode::Text, "early"));
    const std::string big(70'000, 'z');
    peer->send(frame(Opcode::Binary, big) + frame(Opcode::Ping, "p"));
    EXPECT_EQ(peer->take_received(), plain_frame(Opcode::Binary, big) + plain_frame(Opcode::Pong, "p"));
    EXPECT_EQ(server->connection_count(), 1u);
}

TEST_F(WebSocketTest, ClosesInOrderFromEitherSide) {
    auto peer = open();
    peer->send(frame(Opcode::Close, "\x03\xE8"));
    shard.run();
    EXPECT_EQ(peer->received, plain_frame(Opcode::Close, "\x03\xE8"));
    EXPECT_TRUE(peer->closed);
    EXPECT_EQ(log, "open closed destroyed ");
    EXPECT_EQ(server->connection_count(), 0u);

    log.clear();
    auto other = open();
    other->send(frame(Opcode::Text, "close"));
    shard.run();
    EXPECT_EQ(other->received, plain_frame(Opcode::Close, "\x03\xE8"));
    EXPECT_TRUE(other->is_open());
    other->send(frame(Opcode::Close, "\x03\xE8"));
    shard.run();
    EXPECT_TRUE(other->closed);
    EXPECT_EQ(log, "open closed destroyed ");
}

TEST_F(WebSocketTest, APeerThatDoesNotAnswerOurCloseIsClosedAnyway) {
    auto peer = open(frame(Opcode::Text, "close"));
    shard.advance(6s);
    EXPECT_TRUE(peer->closed);
    EXPECT_EQ(log, "open closed destroyed ");
}

TEST_F(WebSocketTest, BadFramesEndWithTheirCode) {
    auto unmasked = open(plain_frame(Opcode::Text, "x"));
    EXPECT_EQ(unmasked->received, plain_frame(Opcode::Close, "\x03\xEA"));
    EXPECT_TRUE(unmasked->closed);
    auto not_text = open(frame(Opcode::Text, "\xFF"));
    EXPECT_EQ(not_text->received, plain_frame(Opcode::Close, "\x03\xEF"));
    auto large = open(frame(Opcode::Binary, std::string(2'000'000, 'x')));
    EXPECT_EQ(large->received, plain_frame(Opcode::Close, "\x03\xF1"));
}

TEST_F(WebSocketTest, ASilentPeerIsPingedAndThenCut) {
    auto peer = open();
    shard.advance(31s);
    EXPECT_EQ(peer->take_received(), plain_frame(Opcode::Ping, ""));
    peer->send(frame(Opcode::Pong, ""));
    shard.advance(31s);
    EXPECT_TRUE(peer->is_open());
    shard.advance(61s);
    EXPECT_TRUE(peer->closed);
    EXPECT_EQ(log, "open closed destroyed ");
}

TEST_F(WebSocketTest, BadHandshakesAreRefused) {
    EXPECT_EQ(
        status_of(*ask(get("/live", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"))),
        "HTTP/1.1 400");
    EXPECT_EQ(status_of(*ask(get("/live",
                                 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: short\r\n"))),
              "HTTP/1.1 400");
    const auto old = ask(get("/live",
                             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    EXPECT_EQ(status_of(*old), "HTTP/1.1 426");
    EXPECT_NE(old->received.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
    desk.make_socket = nullptr;
    EXPECT_EQ(status_of(*ask(get("/live", upgrade_fields))), "HTTP/1.1 403");
    // Without "Connection: upgrade" it is a request like any other.
    EXPECT_EQ(status_of(*ask(get("/live", "Upgrade: websocket\r\n"))), "HTTP/1.1 200");
}

TEST_F(WebSocketTest, AServerThatDiesTakesItsSocketsAlong) {
    auto peer = open();
    server.reset();
    EXPECT_FALSE(peer->is_open());
    EXPECT_EQ(log, "open destroyed ");
}

/// What a broker is on a WebSocket: bytes in, bytes out.
class Bytewise final : public StreamHandler {
public:
    void on_data(ByteView bytes) override {
        got += as_text(bytes);
        if (got.ends_with("die")) stream.reset();
    }
    void on_drained() override { ++drained; }
    void on_closed(const Error& error) override { why = error.code(); }
    std::unique_ptr<Stream> stream;
    std::string got;
    int drained = 0;
    std::optional<ErrorCode> why;
};

class MqttSocketTest : public HttpServerTest {
protected:
    MqttSocketTest() {
        desk.take_stream = [this](std::unique_ptr<Stream> stream) {
            broker.stream = std::move(stream);
            broker.stream->start(broker);
        };
    }
    std::shared_ptr<ScriptedPeer> open(std::string_view early = {}) {
        auto peer =
            ask(get("/mqtt", upgrade_fields + "Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n") + std::string(early));
        EXPECT_EQ(status_of(*peer), "HTTP/1.1 101");
        EXPECT_NE(peer->received.find("Sec-WebSocket-Protocol: mqtt\r\n"), std::string::npos);
        peer->received.erase(0, peer->received.find("\r\n\r\n") + 4);
        return peer;
    }
    Bytewise broker;
};

TEST_F(MqttSocketTest, CarriesAByteStreamWhateverTheFrames) {
    auto peer = open(frame(Opcode::Binary, "CONN"));
    peer->send(frame(Opcode::Binary, "ECT") + frame(Opcode::Ping, "") + frame(Opcode::Binary, "PUBLISHPUB"));
    shard.run();
    EXPECT_EQ(broker.got, "CONNECTPUBLISHPUB");
    peer->take_received();
    broker.stream->send(as_bytes("CONN"));
    broker.stream->send(as_bytes("ACK"));
    EXPECT_EQ(broker.stream->unsent_bytes(), 7u);
    shard.run();
    EXPECT_EQ(peer->take_received(), plain_frame(Opcode::Binary, "CONNACK"));
    EXPECT_GE(broker.drained, 1);
    EXPECT_EQ(server->connection_count(), 0u);  // It is the broker's now.
    server.reset();
    EXPECT_TRUE(peer->is_open());
}

TEST_F(MqttSocketTest, PausesResumesAndCloses) {
    auto peer = open();
    broker.stream->pause_reading();
    peer->send(frame(Opcode::Binary, "later"));
    shard.run();
    EXPECT_EQ(broker.got, "");
    broker.stream->resume_reading();
    shard.run();
    EXPECT_EQ(broker.got, "later");
    broker.stream->send(as_bytes("bye"));
    broker.stream->close();
    shard.run();
    EXPECT_EQ(peer->received, plain_frame(Opcode::Binary, "bye") + plain_frame(Opcode::Close, "\x03\xE8"));
    peer->send(frame(Opcode::Close, "\x03\xE8"));
    shard.run();
    EXPECT_EQ(broker.why, ErrorCode::Closed);
}

TEST_F(MqttSocketTest, TextIsRefusedAndTheStreamMayDieInsideItsCallback) {
    auto peer = open(frame(Opcode::Text, "x"));
    EXPECT_EQ(broker.why, ErrorCode::Malformed);
    auto other = open(frame(Opcode::Binary, "die") + frame(Opcode::Binary, "more"));
    EXPECT_TRUE(other->gone);
    EXPECT_EQ(broker.got, "die");
    desk.take_stream = nullptr;
    EXPECT_EQ(status_of(*ask(get("/mqtt", upgrade_fields + "Sec-WebSocket-Protocol: mqtt\r\n"))), "HTTP/1.1 404");
}

TEST(HttpText, DatesAndProblemsAreWellFormed) {
    EXPECT_EQ(http_date(UtcTime(784'111'777'000'000'000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    const HttpResponse response = problem(400, Error(ErrorCode::Malformed, "a \"quote\"\n"));
    EXPECT_NE(response.body.find(R"("detail":"a \"quote\"\u000a")"), std::string::npos) << response.body;
}

}  // namespace
}  // namespace lineshaft::net
