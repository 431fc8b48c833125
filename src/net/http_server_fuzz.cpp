/// Fuzz: bytes to an HTTP server, through requests, pipelines, upgrades and WebSocket frames, to its handler.
///
/// Strategy: the input's first byte chooses how the rest is cut into reads and how the handler behaves (answers at once,
/// later, in pieces, forgets, takes upgrades). No socket, no clock: time stands still, the peer reads everything.
///
/// Invariants: never reads outside the input; what reaches the handler is decoded, in bounds and has no zero byte and no
/// ".." segment in its path; every request in work is answered or its connection is over; nothing is left at the end.
#include <cstdint>
#include <deque>

#include "base/assert.h"
#include "base/utf8.h"
#include "net/http_server.h"
#include "net/internal/scripted_network.h"

namespace {

using namespace lineshaft;
using namespace lineshaft::net;

/// Runs tasks in order; timers never fire.
class StillShard final : public Shard {
public:
    ShardId id() const override { return ShardId(0); }
    const Clock& clock() const override { return system_clock(); }
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    bool try_post(Task& task) override {
        tasks_.push_back(std::move(task));
        return true;
    }
    void defer(Task task) override { tasks_.push_back(std::move(task)); }
    Timer after(Duration, Task) override { return {}; }
    Timer every(Duration, Task) override { return {}; }
    bool is_current() const override { return true; }
    boost::asio::io_context& io() override { std::abort(); }
    void run() {
        while (!tasks_.empty()) {
            Task task = std::move(tasks_.front());
            tasks_.pop_front();
            task();
        }
    }

private:
    std::deque<Task> tasks_;
};

constexpr std::size_t body_bytes_max = 4096;

class Reflect final : public WebSocketHandler {
public:
    void on_open(WebSocket& socket) override { socket_ = &socket; }
    void on_text(std::string_view message) override {
        ASSERT(is_utf8(message) && message.size() <= body_bytes_max);
        socket_->send_text(std::string(message));
    }
    void on_binary(std::string_view message) override { socket_->send_binary(std::string(message)); }
    void on_closed() override {}

private:
    WebSocket* socket_ = nullptr;
};

class Bytewise final : public StreamHandler {
public:
    void on_data(ByteView bytes) override {
        stream->send(bytes);
        if (bytes.size() == 13) stream.reset();  // Destroyed inside its own callback.
    }
    void on_closed(const Error&) override {}
    std::unique_ptr<Stream> stream;
};

class Desk final : public HttpHandler {
public:
    explicit Desk(std::uint8_t behaviour) : behaviour_(behaviour) {}
    void handle(HttpRequest request, HttpReply reply) override {
        check(request);
        HttpResponse response;
        response.headers.emplace_back("X-Echo", request.path);
        response.body = std::move(request.body);
        if (behaviour_ & 1) {
            response.pieces = [left = 3]() mutable -> Result<std::optional<std::string>> {
                if (left-- == 0) return std::nullopt;
                return std::string(static_cast<std::size_t>(left) * 10, 'p');
            };
        }
        if (behaviour_ & 2) {
            later.push_back({std::move(reply), std::move(response)});
        } else if (request.method != "FORGET") {
            reply(std::move(response));
        }
    }
    std::expected<std::unique_ptr<WebSocketHandler>, HttpResponse> upgrade(const HttpRequest& request) override {
        check(request);
        return std::make_unique<Reflect>();
    }
    bool upgrade_stream(const HttpRequest& request, std::function<void(std::unique_ptr<Stream>)>& accept) override {
        check(request);
        accept = [this](std::unique_ptr<Stream> stream) {
            auto& kept = streams.emplace_back(std::make_unique<Bytewise>());
            kept->stream = std::move(stream);
            kept->stream->start(*kept);
        };
        return true;
    }
    static void check(const HttpRequest& request) {
        ASSERT(request.path.starts_with('/') || request.path == "*");
        ASSERT(is_printable_utf8(request.path));
        ASSERT((request.path + "/").find("/../") == std::string::npos);
        ASSERT(request.body.size() <= body_bytes_max);
        for (const auto& [name, value] : request.query) ASSERT(is_utf8(name) && is_utf8(value));
    }

    std::deque<std::pair<HttpReply, HttpResponse>> later;
    std::deque<std::unique_ptr<Bytewise>> streams;

private:
    const std::uint8_t behaviour_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t step = (data[0] & 0xF0) ? 1 + (data[0] >> 4) * 5 : input.size() + 1;
    StillShard shard;
    testing::ScriptedNetwork network(shard);
    Desk desk(data[0] & 3);
    HttpOptions options;
    options.header_bytes_max = 2048;
    options.body_bytes_max = options.websocket_message_bytes_max = body_bytes_max;
    auto server = serve_http(shard, network, {"127.0.0.1", 80}, desk, options);
    ASSERT(server);
    const auto peer = network.connect_peer();
    for (std::size_t at = 0; at < input.size(); at += step) {
        peer->send(input.substr(at, step));
        shard.run();
        while (!desk.later.empty()) {
            auto [reply, response] = std::move(desk.later.front());
            desk.later.pop_front();
            reply(std::move(response));
            shard.run();
        }
    }
    peer->end();
    shard.run();
    ASSERT((*server)->connection_count() == 0);
    desk.streams.clear();
    shard.run();
    return 0;
}
